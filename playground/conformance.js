/** Repeat golden cases of the library, and say how far the answers are apart. */

import { valuesOf } from "./data.js";
import { makeNetwork } from "./networks.js";
import { Generator } from "./random.js";
import { retrieve } from "./retrieval.js";

/**
 * Return {deviation, wrong} of one case: the largest difference of numbers, relative where they
 * exceed 1, and the names of the fields that must be equal but are not.
 */
export function compareCase(golden, digits) {
  const network = makeNetwork(rowsOf(golden, digits), golden.network);
  const cue = {
    state: Float64Array.from(golden.cue),
    known: golden.known && Uint8Array.from(golden.known, Number),
    clamp: golden.clamp,
    evidence: golden.evidence,
  };
  const { steps, seed } = golden;
  const answer = retrieve(network, cue, { steps, seed });
  const numbers = [
    [answer.state, golden.state],
    [answer.weights, golden.weights],
    [answer.energies, golden.trace],
    [
      [answer.energy, answer.weight],
      [golden.energy, golden.weight],
    ],
  ];
  const wrong = ["index", "converged", "period"].filter((name) => answer[name] !== golden[name]);
  if (answer.steps !== golden.count) wrong.push("steps");
  return { deviation: Math.max(...numbers.map(([one, other]) => furthest(one, other))), wrong };
}

function rowsOf({ patterns, network }, digits) {
  const isBinary = network.kind !== "modern";
  if (patterns.digits) {
    return digits.slice(0, patterns.digits).map(({ levels }) => valuesOf(levels, isBinary));
  }
  const generator = new Generator(patterns.seed);
  const draw = () => generator.uniform();
  return Array.from({ length: patterns.random }, () => {
    const row = Float64Array.from({ length: patterns.dim }, draw);
    return isBinary ? row.map((value) => (value >= 0.5 ? 1 : -1)) : row;
  });
}

function furthest(one, other) {
  if (one.length !== other.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < one.length; i += 1) {
    const difference = Math.abs(one[i] - other[i]) / Math.max(1, Math.abs(other[i]));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
