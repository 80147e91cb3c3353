/** From settings to what they mean: pictures, networks, the cue, and the answer. */

import {
  decodeLevels,
  encodeLevels,
  LEVELS,
  randomPictures,
  readDigits,
  valuesOf,
} from "./data.js";
import { SAMPLE } from "./fitting.js";
import { makeNetwork } from "./networks.js";
import { retrieve } from "./retrieval.js";
import { PASSES } from "./rules.js";
import { shapePictures } from "./shapes.js";

export const SIDES = { digits: 8, shapes: 16, random: 16 };
export const SWEEPS = 100;
export const THERMAL_SWEEPS = 20;
export const MOST_OWN = 40;

const RANDOM_PICTURES = 200;
const RANDOM_SEED = 0;
const KEPT = 80;
const MOST_ANSWERS = 200;

let sets = null;
const networks = new Map();
const rowSets = new Map();
const pictureSets = new Map();
const answers = new Map();
const signsOf = new WeakMap();
const numbersOf = new WeakMap();

/** Return what `make` makes for a key; what was used last is kept. */
function remembered(map, key, make, most = KEPT) {
  const value = map.has(key) ? map.get(key) : make();
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value);
  return value;
}

/** Read the digits that the page holds. */
export function loadSets(digitsText) {
  sets = {
    digits: readDigits(digitsText),
    shapes: shapePictures(SIDES.shapes),
    random: randomPictures(RANDOM_PICTURES, SIDES.random ** 2, RANDOM_SEED),
  };
}

/** Add a set: pictures with levels, and exact values where the levels are rounded. */
export function addSet(name, pictures, side) {
  sets[name] = pictures;
  SIDES[name] = side;
}

export const mostPictures = (data) => sets[data].length;
export const allDigits = () => sets.digits;

/** Return the levels of a picture of `size` pixels; null where letters are none. */
function levelsOf(letters, size) {
  if (letters.length > size) return null;
  const levels = decodeLevels(letters);
  return levels.length === size && levels.every((level) => level <= LEVELS) ? levels : null;
}

/** Return true for a picture with ink. */
export const hasInk = (levels) => levels.some((level) => level > 0);

/** Return the levels of own pictures, of which the letters are joined by full stops. */
export function ownPictures({ own, data }) {
  if (!own) return [];
  const pictures = own.split(".").map((letters) => levelsOf(letters, SIDES[data] ** 2));
  return pictures.filter((levels) => levels && hasInk(levels)).slice(-MOST_OWN);
}

/** Return the letters of own pictures. */
export const ownText = (pictures) => pictures.map((levels) => encodeLevels(levels)).join(".");

/** Return {label, levels} of all stored pictures: the first of the set, then own ones. */
export function picturesOf({ data, count, own }) {
  return remembered(pictureSets, `${data},${count},${own}`, () => {
    const pictures = ownPictures({ data, own }).map((levels, i) => ({
      label: `own ${i + 1}`,
      levels,
    }));
    return [...sets[data].slice(0, count), ...pictures];
  });
}

/** Return settings that fit together: numbers in range, and pictures of the size of the set. */
export function tidied(settings) {
  const { data } = settings;
  const size = SIDES[data] ** 2;
  const most = mostPictures(data);
  const own = ownPictures(settings);
  const count = Math.min(most, Math.max(own.length ? 0 : 1, settings.count));
  const source = settings.source < most + own.length ? settings.source : 0;
  const cue = levelsOf(settings.cue, size);
  const hidden = levelsOf(settings.hidden, size)?.map((level) => (level > 0 ? 1 : 0));
  const letters = (levels) => (levels ? encodeLevels(levels) : "");
  // Only a modern network fits β to its patterns; 1 is the default of a dense one.
  const beta = settings.network === "dense" && settings.beta === "auto" ? 1 : settings.beta;
  return {
    ...settings,
    beta,
    own: ownText(own),
    count,
    source,
    cue: letters(cue),
    hidden: letters(hidden),
  };
}

/** Return the words for a pattern: its place, and its label where that says more. */
export function nameOf(picture, index) {
  const digit = /^\d$/.test(picture.label) ? `digit ${picture.label}` : picture.label;
  if (!picture.label) return `pattern ${index}`;
  return /^random/.test(digit) ? `pattern ${index}` : `pattern ${index} (${digit})`;
}

/** Return the options of `makeNetwork` for these settings. */
export function networkOptions(settings) {
  const { network: kind, rule, schedule, temperature, similarity, beta, k, degree } = settings;
  if (kind === "classical") return { kind, rule, schedule, temperature };
  if (kind === "modern") {
    const name = settings.separation;
    return { kind, similarity, separation: name === "topk" ? { name, beta, k } : { name, beta } };
  }
  const name = settings.interaction;
  return { kind, schedule, separation: name === "softmax" ? { name, beta } : { name, degree } };
}

/** Return the network of these settings, with its patterns; those of late are kept. */
export function networkOf(settings) {
  const options = networkOptions(settings);
  const pictures = JSON.stringify([settings.data, settings.count, settings.own]);
  const isBinary = options.kind !== "modern";
  const makeRows = () => picturesOf(settings).map((each) => rowOf(each, isBinary));
  const rows = remembered(rowSets, `${isBinary}${pictures}`, makeRows);
  const make = () => makeNetwork(rows, options);
  return remembered(networks, JSON.stringify(options) + pictures, make);
}

/** Return the number of multiplications with which a network learns its patterns, at most. */
export function learningWork({ network, rule, beta, data, count }) {
  const dim = SIDES[data] ** 2;
  if (network === "classical") return count * dim ** 2 * (rule === "perceptron" ? PASSES : 1);
  return network === "modern" && beta === "auto" ? Math.min(count, SAMPLE) * count * dim : 0;
}

let betaOfLibrary = () => null;

/** Let `fit` give β for settings of which it knows the network; it returns null for others. */
export function fitBetaBy(fit) {
  betaOfLibrary = fit;
}

/** Return β as a number: that of the network where the patterns decide. */
export function betaOf(settings) {
  if (settings.beta !== "auto") return settings.beta;
  return betaOfLibrary(settings) ?? networkOf(settings).separation.beta;
}

/**
 * Return the place of the source of the cue among the stored patterns; −1 where it is not stored.
 *
 * `settings.source` counts the pictures of the whole set, then own ones, so that it names the same
 * picture whatever number is stored. It is −1 for a drawing.
 */
export function sourceOf({ data, count, source }) {
  const most = mostPictures(data);
  if (source >= most) return count + source - most;
  return source < count ? source : -1;
}

/** Return `settings.source` of the pattern at a place among the stored ones. */
export function sourceAt({ data, count }, index) {
  return index < count ? index : mostPictures(data) + index - count;
}

/** Return {label, levels} of the picture from which the cue was made; null for a drawing. */
export function sourcePicture(settings) {
  const { data, source } = settings;
  if (source < 0) return null;
  return sets[data][source] ?? picturesOf(settings)[sourceOf(settings)];
}

/** Return {levels, hidden} of the cue as drawn: hidden is 1 where a pixel is not seen. */
export function drawnCue(settings) {
  const size = SIDES[settings.data] ** 2;
  const source = sourcePicture(settings)?.levels ?? new Uint8Array(size);
  const levels = Uint8Array.from(settings.cue ? decodeLevels(settings.cue) : source);
  const hidden = settings.hidden
    ? decodeLevels(settings.hidden)
    : Uint8Array.from({ length: size }, (_, i) => (i >= size / 2 ? 1 : 0));
  return { levels, hidden };
}

/** Return the row of a picture: exact values where it has them. Networks share it. */
function rowOf(picture, isBinary) {
  const kept = isBinary ? signsOf : numbersOf;
  const { levels, values } = picture;
  if (!kept.has(picture)) {
    kept.set(picture, values && !isBinary ? Float64Array.from(values) : valuesOf(levels, isBinary));
  }
  return kept.get(picture);
}

/** Return the cue of the network: hidden pixels are unknown, or paper that counts as evidence. */
export function cueOf(settings, { levels, hidden } = drawnCue(settings)) {
  const isBinary = settings.network !== "modern";
  const seen = levels.map((level, i) => (hidden[i] ? 0 : level));
  const isMasked = settings.hiddenAs !== "background" && hidden.some(Boolean);
  const source = sourcePicture(settings);
  const isExact = (i) => source?.values && !hidden[i] && levels[i] === source.levels[i];
  const exact = (value, i) => (!isBinary && isExact(i) ? source.values[i] : value);
  return {
    state: valuesOf(seen, isBinary).map(exact),
    known: isMasked ? hidden.map((value) => 1 - value) : null,
    clamp: settings.clamp,
    // In a binary network a unit counts in any case as soon as it has been updated.
    evidence: settings.hiddenAs === "first" && !isBinary ? "all" : "known",
  };
}

/** Run the network of these settings from their cue, or from another one. */
export function answerOf(settings, cue = null) {
  const isThermal = settings.network === "classical" && settings.temperature > 0;
  const steps = isThermal ? THERMAL_SWEEPS : SWEEPS;
  const answer = (from) => retrieve(networkOf(settings), from, { steps, seed: settings.seed });
  if (cue) return answer(cue);
  const { data, count, own, source, hidden, hiddenAs, clamp, seed } = settings;
  const key = [networkOptions(settings), data, count, own, source, settings.cue, hidden];
  const whole = JSON.stringify([...key, hiddenAs, clamp, seed]);
  return remembered(answers, whole, () => answer(cueOf(settings)), MOST_ANSWERS);
}
