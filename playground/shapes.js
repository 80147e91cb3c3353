/** Eight shapes, drawn by their formulas. */

import { LEVELS } from "./data.js";

const SHAPES = {
  ring: (x, y) => Math.abs(Math.hypot(x, y) - 0.68) < 0.17,
  square: (x, y) => Math.abs(Math.max(Math.abs(x), Math.abs(y)) - 0.68) < 0.17,
  cross: (x, y) => Math.abs(Math.abs(x) - Math.abs(y)) < 0.2,
  plus: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.2,
  triangle: (x, y) => y < 0.8 && y > 2 * Math.abs(x) - 0.9,
  stripes: (x, y) => Math.floor((y + 1) * 4) % 2 === 0,
  bars: (x, y) => Math.floor((x + 1) * 4) % 2 === 0,
  board: (x, y) => (Math.floor((x + 1) * 2) + Math.floor((y + 1) * 2)) % 2 === 0,
};

/** Return {label, levels} of all shapes on a square of `side` pixels. */
export function shapePictures(side) {
  const place = (i) => (2 * i + 1) / side - 1;
  return Object.entries(SHAPES).map(([label, isInk]) => ({
    label,
    levels: Uint8Array.from({ length: side * side }, (_, at) =>
      isInk(place(at % side), place(Math.floor(at / side))) ? LEVELS : 0,
    ),
  }));
}
