/** Why a cue ended where it did: reasons in sentences, and changes after which it comes back. */

import { short } from "./canvas.js";
import { answerOf, betaOf, nameOf, networkOf, picturesOf, sourceOf, sourcePicture } from "./model.js";
import { argmax } from "./separation.js";
import { isRecalled, kindOf, scoresAtCue } from "./verdict.js";

/** Return the pattern that should come back: that of the cue, or the one nearest to a drawing. */
export function targetOf(settings) {
  const source = sourceOf(settings);
  return source >= 0 ? source : argmax(scoresAtCue(settings));
}

/** Return true where the network of these settings recalls pattern `target` from their cue. */
export function recalls(settings, target) {
  return isRecalled(networkOf(settings), answerOf(settings).state, target);
}

/** Return sentences that explain the end of the retrieval. */
export function reasonsOf(settings) {
  const network = networkOf(settings);
  const answer = answerOf(settings);
  const target = targetOf(settings);
  const name = nameOf(picturesOf(settings)[target], target);
  if (sourceOf(settings) < 0) return [absentReason(settings, name)];
  if (isRecalled(network, answer.state, target)) {
    return [`It did not fail: ${name} came back.`, ...leadReason(settings, network, target)];
  }
  const fixed = fixedPointReason(settings, network, target, name);
  return [
    ...fixed,
    ...leadReason(settings, network, target),
    ...maskReason(settings),
    ...endReason(settings, network, answer, target, name, fixed.length > 0),
  ];
}

function absentReason(settings, name) {
  const cue = sourcePicture(settings) ? "The picture of the cue is not stored" : "The cue is a drawing";
  return `${cue}: no end is right or wrong. Of the stored patterns ${name} scores best at the cue.`;
}

/** Compare the scores of the target and of its strongest rival at the cue. */
function leadReason(settings, network, target) {
  const scores = scoresAtCue(settings);
  if (scores.length < 2) return ["No other pattern is stored."];
  const rival = argmax(scores.map((score, mu) => (mu === target ? -Infinity : score)));
  const lead = scores[target] - scores[rival];
  const pictures = picturesOf(settings);
  const other = nameOf(pictures[rival], rival);
  if (lead < 0) return [`The cue itself prefers ${other}, whose score is ${short(-lead)} higher.`];
  const start = `At the cue its score is ${short(lead)} above that of ${other}`;
  if (settings.network !== "modern") return [`${start}.`];
  if (settings.separation !== "softmax") return [`${start}.`];
  const beta = betaOf(settings);
  const times = Math.exp(Math.min(700, beta * lead));
  return [`${start}: at β = ${short(beta)} it weighs ${short(times)} times as much.`];
}

/** Say whether the target would survive without any damage. */
function fixedPointReason(settings, network, target, name) {
  const cue = { state: network.rows[target], known: null };
  const end = answerOf(settings, cue).state;
  if (isRecalled(network, end, target)) return [];
  if (!network.binary) {
    return [`Even the undamaged ${name} blurs: at this β its neighbours keep too much weight.`];
  }
  const flips = end.reduce((sum, value, i) => sum + Number(value !== cue.state[i]), 0);
  const start = `Even the undamaged ${name} is not stable`;
  if (settings.temperature > 0 && settings.network === "classical") {
    return [`${start}: at this temperature ${flips} of its pixels flip by chance.`];
  }
  const cause = "The patterns are too many or too alike for this network.";
  return [`${start}: the other patterns change ${flips} of its pixels. ${cause}`];
}

/** Say what the hidden pixels did when they counted as paper. */
function maskReason(settings) {
  if (settings.hiddenAs !== "background") return [];
  const scores = scoresAtCue({ ...settings, hiddenAs: "unknown" });
  const target = targetOf(settings);
  if (argmax(scores) !== target || argmax(scoresAtCue(settings)) === target) {
    return ["Hidden pixels count as evidence that there is no ink."];
  }
  return [
    "Hidden pixels count as evidence that there is no ink. If they were unknown, it would lead.",
  ];
}

/** Say which kind of end it is, and whether its energy is lower. */
function endReason(settings, network, answer, target, name, isUnstable) {
  const { kind, index, count } = kindOf(network, answer);
  const other = nameOf(picturesOf(settings)[index], index);
  if (kind === "cycle")
    return ["All units change at once, so that each answers to a state that is gone."];
  if (kind === "inverse")
    return ["A pattern and its negative have the same energy: the cue was nearer to that."];
  if (kind === "mixture" && !network.binary) {
    return [
      count === 1
        ? "Weights are too even at this β."
        : `At this β ${count} patterns share the weights: the state is their mean.`,
    ];
  }
  if (kind === "stored" && index !== target) return [`It fell into the basin of ${other}.`];
  if (isUnstable) return [];
  const [end, own] = [answer.energy, network.energy(network.rows[target])];
  if (end < own)
    return [
      `The state where it ended has lower energy (${short(end)}) than ${name} (${short(own)}).`,
    ];
  return [`It stopped in a dip of the energy (${short(end)}) above ${name} (${short(own)}).`];
}

/** Yield {text, changes} of single changes after which the pattern comes back, or null if not. */
export function* remediesOf(settings) {
  const target = targetOf(settings);
  if (recalls(settings, target)) return;
  for (const candidate of candidates(settings, target)) {
    yield recalls({ ...settings, ...candidate.changes }, target) ? candidate : null;
  }
}

function candidates(settings, target) {
  const found = [];
  const add = (text, changes) => found.push({ text, changes });
  const { network } = settings;
  const isClassical = network === "classical";
  if (settings.hiddenAs === "background")
    add("Take hidden pixels as unknown", { hiddenAs: "unknown" });
  if (isClassical && settings.temperature > 0) add("Temperature 0", { temperature: 0 });
  if (network !== "modern" && settings.schedule === "synchronous") {
    add("Update one unit at a time", { schedule: "asynchronous" });
  }
  if (isClassical && settings.rule !== "pseudo_inverse") {
    add("Learn by the pseudo-inverse", { rule: "pseudo_inverse" });
  }
  if (network === "dense" && settings.interaction !== "softmax") {
    add("Use the exponential separation", { interaction: "softmax", beta: 1 });
  }
  if (network !== "classical") {
    for (const factor of [3, 10]) {
      const beta = Number(Math.min(100, betaOf(settings) * factor).toPrecision(3));
      if (network === "modern" || settings.interaction === "softmax")
        add(`Raise β to ${beta}`, { beta });
    }
  }
  if (network === "modern" && settings.beta !== "auto") {
    add("Fit β to the patterns (auto)", { beta: "auto" });
  }
  if (network === "modern" && settings.similarity === "dot") {
    add("Compare by Euclidean distance", { similarity: "euclidean" });
  }
  if (network !== "dense")
    add("Use a dense network", { network: "dense", interaction: "softmax", beta: 1 });
  if (network !== "modern") add("Use a modern network", { network: "modern", beta: 4 });
  const stored = picturesOf(settings).length;
  for (const count of [Math.ceil(stored / 2), Math.max(target + 1, 3)]) {
    if (count > target && count < stored && !settings.own)
      add(`Store only ${count} pictures`, { count });
  }
  return found;
}

/** Return settings of three networks for the same pictures and cue. */
export function threeNetworks(settings) {
  const { network, beta } = settings;
  const given = (kind, other) => ({
    ...settings,
    network: kind,
    ...(network === kind ? {} : other),
  });
  return {
    classical: given("classical", { temperature: 0 }),
    dense: given("dense", settings.interaction === "softmax" ? { beta: 1 } : {}),
    modern: given("modern", { beta: network === "dense" ? 4 : beta }),
  };
}
