/** From settings to what they mean: pictures, networks, the cue, and the answer. */

import { decodeLevels, LEVELS, randomPictures, readDigits, valuesOf } from "./data.js";
import { makeNetwork } from "./networks.js";
import { retrieve } from "./retrieval.js";
import { shapePictures } from "./shapes.js";

export const SIDES = { digits: 8, shapes: 16, random: 16 };
export const SWEEPS = 100;
export const THERMAL_SWEEPS = 20;

const RANDOM_PICTURES = 200;
const RANDOM_SEED = 0;
const KEPT = 80;

let sets = null;
const networks = new Map();
const rowSets = new Map();

/** Return what `make` makes for a key; what was used last is kept. */
function remembered(map, key, make) {
  const value = map.has(key) ? map.get(key) : make();
  map.delete(key);
  map.set(key, value);
  if (map.size > KEPT) map.delete(map.keys().next().value);
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

export const mostPictures = (data) => sets[data].length;
export const allDigits = () => sets.digits;

/** Return the levels of own pictures, of which the letters are joined by full stops. */
export function ownPictures({ own, data }) {
  const size = SIDES[data] ** 2;
  const pictures = own.split(".").filter(Boolean).map(decodeLevels);
  return pictures.filter((levels) => levels.length === size && levels.every((v) => v <= LEVELS));
}

/** Return {label, levels} of all stored pictures: the first of the set, then own ones. */
export function picturesOf(settings) {
  const own = ownPictures(settings).map((levels, i) => ({ label: `own ${i + 1}`, levels }));
  const least = own.length ? 0 : 1;
  return [...sets[settings.data].slice(0, Math.max(least, settings.count)), ...own];
}

/** Return the words for a pattern: its place, and its label where that says more. */
export function nameOf(picture, index) {
  const digit = /^\d$/.test(picture.label) ? `digit ${picture.label}` : picture.label;
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
  const makeRows = () => picturesOf(settings).map(({ levels }) => valuesOf(levels, isBinary));
  const rows = remembered(rowSets, `${isBinary}${pictures}`, makeRows);
  const make = () => makeNetwork(rows, options);
  return remembered(networks, JSON.stringify(options) + pictures, make);
}

/** Return the pattern from which the cue was made, or −1 for a drawing. */
export function sourceOf(settings) {
  return settings.source < picturesOf(settings).length ? settings.source : -1;
}

/** Return {levels, hidden} of the cue as drawn: hidden is 1 where a pixel is not seen. */
export function drawnCue(settings) {
  const size = SIDES[settings.data] ** 2;
  const given = settings.cue ? decodeLevels(settings.cue) : null;
  const pictures = picturesOf(settings);
  const source = pictures[Math.max(0, sourceOf(settings))].levels;
  const isFitting = given?.length === size && given.every((level) => level <= LEVELS);
  const levels = Uint8Array.from(isFitting ? given : source);
  const mask = settings.hidden ? decodeLevels(settings.hidden) : null;
  const hidden =
    mask?.length === size
      ? mask.map((value) => (value > 0 ? 1 : 0))
      : Uint8Array.from({ length: size }, (_, i) => (i >= size / 2 ? 1 : 0));
  return { levels, hidden };
}

/** Return the cue of the network: hidden pixels are unknown, or paper that counts as evidence. */
export function cueOf(settings, { levels, hidden } = drawnCue(settings)) {
  const isBinary = settings.network !== "modern";
  const seen = levels.map((level, i) => (hidden[i] ? 0 : level));
  const isMasked = settings.hiddenAs === "unknown" && hidden.some(Boolean);
  return {
    state: valuesOf(seen, isBinary),
    known: isMasked ? hidden.map((value) => 1 - value) : null,
    clamp: settings.clamp,
  };
}

/** Run the network of these settings from their cue. */
export function answerOf(settings, cue = cueOf(settings)) {
  const isThermal = settings.network === "classical" && settings.temperature > 0;
  const steps = isThermal ? THERMAL_SWEEPS : SWEEPS;
  return retrieve(networkOf(settings), cue, { steps, seed: settings.seed });
}

/** Return settings with another cue: pattern `source` in full, or `levels`, with the same mask. */
export function withCue(settings, source, levels = null) {
  return { ...settings, source, cue: levels ?? "" };
}
