/** Name the state at which a retrieval ended, by the rules of `hopfield.explain`. */

import { cueOf, nameOf, networkOf, picturesOf, sourceOf, sourcePicture } from "./model.js";
import { argmax } from "./separation.js";

const PATTERN_WEIGHT = 0.51;
const MIN_OVERLAP = 0.95;
const LARGEST_MIXTURE = 7;
const RECALL_ERROR = 0.02 ** 0.5;
const MASS = 0.9;

/** Return the number of patterns that make up 0.9 of the weights. */
export function effectiveCount(weights) {
  const sorted = weights.map(Math.abs).toSorted((a, b) => b - a);
  const total = sorted.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  let count = 0;
  while (count < sorted.length && sum < (MASS - 1e-9) * total) {
    sum += sorted[count];
    count += 1;
  }
  return Math.max(1, count);
}

/** Return true where the pattern came back: y = x for ±1, else ‖y − x‖ ≤ 0.14 ‖x‖. */
export function isRecalled(network, state, index) {
  const row = network.rows[index];
  if (network.binary) return row.every((value, i) => value === state[i]);
  let error = 0;
  let size = 0;
  row.forEach((value, i) => {
    error += (state[i] - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(error) <= RECALL_ERROR * Math.sqrt(size);
}

/** Return {kind, index, count}: stored, inverse, mixture, cycle or none. */
export function kindOf(network, answer) {
  const { index, weights } = answer;
  if (answer.period > 1) return { kind: "cycle", index, count: answer.period };
  if (!network.binary) {
    const copies = network.rows.filter((row) => isSamePicture(row, network.rows[index])).length;
    const kind = answer.weight * copies > PATTERN_WEIGHT ? "stored" : "mixture";
    return { kind, index, count: effectiveCount(weights) };
  }
  return kindOfSigns(network, answer);
}

const isSamePicture = (row, other) => row.every((value, i) => value === other[i]);

function kindOfSigns(network, { state, index }) {
  const overlaps = network.scores(state).map((score) => score / state.length);
  if (overlaps[index] >= MIN_OVERLAP) return { kind: "stored", index, count: 1 };
  const opposite = argmax(overlaps.map((overlap) => -overlap));
  if (overlaps[opposite] <= -MIN_OVERLAP) return { kind: "inverse", index: opposite, count: 1 };
  const order = [...overlaps.keys()].sort((a, b) => Math.abs(overlaps[b]) - Math.abs(overlaps[a]));
  const sums = new Float64Array(state.length);
  for (let count = 1; count <= Math.min(LARGEST_MIXTURE, order.length); count += 1) {
    const row = network.rows[order[count - 1]];
    const sign = Math.sign(overlaps[order[count - 1]]);
    let agreement = 0;
    for (let i = 0; i < state.length; i += 1) {
      sums[i] += sign * row[i];
      agreement += Math.sign(sums[i]) * state[i];
    }
    const isNear = agreement / state.length >= MIN_OVERLAP;
    if (count > 1 && isNear) return { kind: "mixture", index, count };
  }
  return { kind: "none", index, count: 1 };
}

const TITLES = {
  stored: "Stored pattern",
  inverse: "Inverse",
  mixture: "Mixture",
  cycle: "Cycle",
  none: "No pattern",
};

const MARKS = {
  right: "✓ the right one",
  near: "✗ the right one, but not exactly",
  wrong: "✗ not the right one",
  absent: "the cue is not stored",
};

/** Return {kind, title, text, isRight, mark} for people: isRight is null where the cue was drawn. */
export function verdictOf(settings, answer) {
  const end = answer.end ?? endOf(settings, answer);
  const { kind, index, count, isRight } = end;
  const name = nameOf(picturesOf(settings)[index], index);
  const source = sourceOf(settings);
  const texts = {
    stored: () => `It ended at ${name}${detailOf(end, answer)}.`,
    inverse: () => `It ended at the negative of ${name}, which has the same energy.`,
    mixture: () =>
      settings.network !== "modern"
        ? `It ended at a mixture of ${count} patterns; ${name} is the nearest.`
        : mixtureText(count, name, answer.weight),
    cycle: () => `${count === 2 ? "Two states alternate" : `${count} states repeat`} for ever.`,
    none: () => `It is no stored pattern; ${name} is the nearest.`,
  };
  const text = `${texts[kind]()} ${settlingText(settings, answer)}`;
  const isNear = kind === "stored" && index === source;
  const failed = isNear ? MARKS.near : MARKS.wrong;
  const absent = sourcePicture(settings) ? MARKS.absent : "";
  const mark = isRight === null ? absent : isRight ? MARKS.right : failed;
  return { kind, title: TITLES[kind], text, isRight, index, mark };
}

function mixtureText(count, name, weight) {
  if (count === 1) return `It ended between patterns; ${name} has weight ${weight.toFixed(2)}.`;
  return `It ended at a blend: ${count} patterns hold 0.9 of the weights.`;
}

/** Return {kind, index, count, isRight, errors}, as the library does of its answers. */
function endOf(settings, answer) {
  const network = networkOf(settings);
  const end = kindOf(network, answer);
  const source = sourceOf(settings);
  const row = network.rows[end.index];
  const isWrong = (sum, value, i) => sum + Number(value !== row[i]);
  return {
    ...end,
    isRight: source < 0 ? null : isRecalled(network, answer.state, source),
    errors: network.binary ? answer.state.reduce(isWrong, 0) : null,
  };
}

function detailOf({ errors }, answer) {
  if (errors === null) return ` with weight ${answer.weight.toFixed(3)}`;
  if (errors === 0) return ", exactly";
  return errors === 1 ? ", but for one pixel" : `, but for ${errors} pixels`;
}

function settlingText(settings, answer) {
  const word = settings.network === "modern" ? "update" : "sweep";
  if (answer.converged && answer.steps === 0) return "It stays where it is.";
  const after = `${answer.steps} ${word}${answer.steps === 1 ? "" : "s"}`;
  if (answer.converged) return `Settled after ${after}.`;
  if (answer.period > 1) return "One unit at a time it would settle.";
  if (settings.network === "classical" && settings.temperature > 0) {
    return `Shown after ${after}: at temperature ${settings.temperature} units flip by chance.`;
  }
  if (answer.steps >= 100) return "It had not settled after 100 steps.";
  return "Some units have no value: nothing known decides them.";
}

/** Return the scores of the patterns at the cue, from known pixels alone. */
export function scoresAtCue(settings) {
  const network = networkOf(settings);
  const { state, known } = cueOf(settings);
  const seen = known ? state.map((value, i) => (known[i] ? value : 0)) : state;
  return network.scores(seen, network.binary ? null : known);
}
