/** Iterate a network from a cue until it settles, as `memory.retrieve` does. */

import { strongestOf } from "./networks.js";
import { Generator } from "./random.js";

const isSame = (x, y) => x.every((value, i) => value === y[i]);

/** Finds cycles by comparing with an earlier state, which is replaced at steps 2ᵏ − 1 (Brent). */
class CycleFinder {
  constructor(state) {
    Object.assign(this, { anchor: state, anchoredAt: 0, power: 1, before: null });
  }

  /** Return the period of the cycle that `next` closes, or 0. */
  period(step, state, next) {
    const distance = step + 1 - this.anchoredAt;
    let period = isSame(this.anchor, next) ? distance : 0;
    if (this.before && isSame(this.before, next)) period = 2;
    this.before = state;
    if (distance === this.power) {
      Object.assign(this, { anchor: next, anchoredAt: step + 1, power: 2 * this.power });
    }
    return period;
  }
}

/**
 * Return the states from the cue on, their energies, and a description of the last one.
 *
 * @param network one of `makeNetwork`
 * @param cue {state, known, clamp, evidence}: known is null, or 1 where an entry is known; known
 *   entries are held if clamp is true; with evidence "all", all entries count from the second
 *   read of a continuous network on
 * @param options {steps, seed}: the most steps, and the seed of random orders and thermal noise
 */
export function retrieve(network, cue, { steps = 100, seed = 0 } = {}) {
  const generator = new Generator(seed);
  const known = cue.known ?? null;
  const held = known && cue.clamp !== false ? known : null;
  let state = known ? cue.state.map((x, i) => (known[i] ? x : 0)) : Float64Array.from(cue.state);
  const isUnread = !network.binary && known?.some((k) => !k);
  const later = cue.evidence === "all" ? null : known;
  const finder = network.mayCycle ? new CycleFinder(state) : null;
  const states = [state];
  let converged = false;
  let period = network.mayCycle ? 0 : null;
  for (let step = 0; step <= steps; step += 1) {
    if (!network.settles && step === steps) break;
    const next = network.step(state, step ? later : known, held, generator);
    const settled = network.binary ? isSame(state, next) : network.hasSettled(state, next);
    converged = network.settles && settled && !(isUnread && step === 0);
    if (finder) period = converged ? 1 : finder.period(step, state, next);
    if (converged || period > 0 || step === steps) break;
    state = next;
    states.push(state);
  }
  if (network.binary && state.some((value) => value === 0)) {
    // Nothing decided these units: they become +1, and the query has not converged.
    states[states.length - 1] = state.map((value) => value || 1);
    converged = false;
    if (period !== null) period = 0;
  }
  return describe(network, states, later, { converged, period });
}

function describe(network, states, known, verdict) {
  const counted = network.binary ? null : known;
  const state = states.at(-1);
  const weights = network.weights(state, counted);
  const index = strongestOf(network, state, counted);
  const energies = states.map((each) => network.energy(each, counted));
  return {
    ...verdict,
    state,
    states,
    weights,
    index,
    energies,
    steps: states.length - 1,
    energy: energies.at(-1),
    weight: weights[index],
  };
}
