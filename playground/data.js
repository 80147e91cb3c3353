/** Data sets of the page. Pictures are rows of levels 0 … 16; a level divided by 16 is a value. */

import { Generator } from "./random.js";

export const LEVELS = 16;

const FIRST_LEVEL = "A".charCodeAt(0);
const NO_RUN = "a".charCodeAt(0) - 1;
const LONGEST_RUN = 26;

/** Return levels as letters A … Q; a letter b … z is a run of 2 … 26 zeros. */
export function encodeLevels(levels) {
  const letters = Array.from(levels, (level) => String.fromCharCode(FIRST_LEVEL + level)).join("");
  const run = new RegExp(`A{2,${LONGEST_RUN}}`, "g");
  return letters.replace(run, (zeros) => String.fromCharCode(NO_RUN + zeros.length));
}

/** Return the levels that `encodeLevels` made letters of. */
export function decodeLevels(text) {
  const letters = text.replace(/[b-z]/g, (run) => "A".repeat(run.charCodeAt(0) - NO_RUN));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0) - FIRST_LEVEL);
}

/** Read the digits of the page: a line is a label and the letters of a picture. */
export function readDigits(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => ({ label: line[0], levels: decodeLevels(line.slice(1)) }));
}

/** Draw pictures of which every pixel is ink or paper by chance; a torch script draws the same. */
export function randomPictures(count, dim, seed) {
  const generator = new Generator(seed);
  return Array.from({ length: count }, (_, index) => ({
    label: `random ${index}`,
    levels: Uint8Array.from({ length: dim }, () => (generator.uniform() >= 0.5 ? LEVELS : 0)),
  }));
}

/** Return the values of a picture: ±1 for binary networks, numbers in [0, 1] for the modern one. */
export function valuesOf(levels, isBinary) {
  if (isBinary) return Float64Array.from(levels, (level) => (2 * level >= LEVELS ? 1 : -1));
  return Float64Array.from(levels, (level) => level / LEVELS);
}
