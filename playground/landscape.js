/** A slice of the energy: the plane through two patterns and the cue, with the way of the state. */

import { colour, fit, shade, short, write } from "./canvas.js";
import { element } from "./elements.js";
import { answerOf, nameOf, networkOf, picturesOf } from "./model.js";
import { dotProduct } from "./rules.js";
import { argmax } from "./separation.js";
import { targetOf } from "./why.js";

const CELLS = 64;
const MARGIN = 0.45;
const BANDS = 14;

/** Build the view; returns the function that updates it. */
export function landscapeView(body) {
  const map = element("canvas", { class: "map", role: "img" });
  const text = element("p");
  body.append(
    element(
      "p",
      { class: "hint" },
      "Energy on the plane through two patterns and the cue; more ink is lower. The line is the way of the state.",
    ),
    map,
    text,
  );
  return (values, job) => job.start(() => drawMap(map, text, values));
}

/** Return an orthonormal frame of the plane through `a`, `b` and `c`, with its origin at `a`. */
function planeOf(a, b, c) {
  const minus = (x, y) => x.map((value, i) => value - y[i]);
  const scaled = (x) => {
    const norm = Math.sqrt(dotProduct(x, x));
    return norm > 1e-9 ? x.map((value) => value / norm) : x;
  };
  const first = scaled(minus(b, a));
  const left = minus(c, a);
  const along = dotProduct(left, first);
  let second = left.map((value, i) => value - along * first[i]);
  if (dotProduct(second, second) < 1e-9) {
    // The three lie on a line: any direction across it will do.
    second = first.map((_, i) => (i % 2 ? 1 : -1));
    const part = dotProduct(second, first);
    second = second.map((value, i) => value - part * first[i]);
  }
  const directions = [first, scaled(second)];
  const place = (x) => directions.map((direction) => dotProduct(minus(x, a), direction));
  const point = (u, v) => a.map((value, i) => value + u * first[i] + v * directions[1][i]);
  return { place, point };
}

/** Return the pattern that, next to the target, matters most for the end. */
function rivalOf(network, answer, target) {
  if (network.rows.length === 1) return -1;
  if (answer.index !== target) return answer.index;
  const scores = network.scores(answer.states[0]);
  return argmax(scores.map((score, mu) => (mu === target ? -Infinity : score)));
}

function* drawMap(canvas, text, values) {
  const network = networkOf(values);
  const answer = answerOf(values);
  const target = targetOf(values);
  const rival = rivalOf(network, answer, target);
  const [a, c] = [network.rows[target], answer.states[0]];
  const b = rival < 0 ? a.map((value) => -value) : network.rows[rival];
  const plane = planeOf(a, b, c);
  const way = answer.states.map(plane.place);
  const box = boundsOf([...way, plane.place(a), plane.place(b)]);
  const energies = new Float64Array(CELLS * CELLS);
  for (let row = 0; row < CELLS; row += 1) {
    for (let column = 0; column < CELLS; column += 1) {
      const u = box.left + ((column + 0.5) / CELLS) * box.size;
      const v = box.top + ((row + 0.5) / CELLS) * box.size;
      energies[row * CELLS + column] = energyAt(network, plane.point(u, v));
      if (column % 8 === 7) yield;
    }
  }
  const { context, width } = fit(canvas);
  drawBands(context, width, energies);
  const onMap = ([u, v]) => [
    ((u - box.left) / box.size) * width,
    ((v - box.top) / box.size) * width,
  ];
  const pictures = picturesOf(values);
  const marks = [
    [onMap(plane.place(a)), nameOf(pictures[target], target)],
    [onMap(plane.place(b)), rival < 0 ? "its negative" : nameOf(pictures[rival], rival)],
  ];
  const line = way.map(onMap);
  for (const [place, name] of marks) mark(context, place, name, { width, line });
  drawWay(context, line);
  const [low, high] = [Math.min(...energies), Math.max(...energies)];
  const [first, last] = [answer.states[0], answer.state].map((state) =>
    network.energy(state, null),
  );
  const found = `from ${short(first)} at the cue to ${short(last)} at the end`;
  const range = `Energies on this plane lie between ${short(low)} and ${short(high)}`;
  const note = "All pixels count. States off the plane are shown at their nearest point.";
  text.textContent = `${range}; the state went ${found}. ${note}`;
  canvas.setAttribute("aria-label", `Energy landscape: ${found}`);
}

// Binary networks have states of ±1 only: a point stands for the state of its signs.
const energyAt = (network, x) => network.energy(network.binary ? x.map(Math.sign) : x, null);

function boundsOf(points) {
  const [us, vs] = [points.map(([u]) => u), points.map(([, v]) => v)];
  const [left, right] = [Math.min(...us), Math.max(...us)];
  const [top, bottom] = [Math.min(...vs), Math.max(...vs)];
  const size = Math.max(right - left, bottom - top, 0.1) * (1 + 2 * MARGIN);
  return { left: (left + right - size) / 2, top: (top + bottom - size) / 2, size };
}

/** Fill cells by the rank of their energy, in bands whose edges are lines of equal energy. */
function drawBands(context, width, energies) {
  const sorted = energies.toSorted();
  const edges = Array.from(
    { length: BANDS },
    (_, i) => sorted[Math.floor((i / BANDS) * sorted.length)],
  );
  const size = width / CELLS;
  energies.forEach((energy, at) => {
    const band = edges.findLastIndex((edge) => energy >= edge);
    context.fillStyle = shade(0.62 * (1 - band / (BANDS - 1)));
    const [x, y] = [at % CELLS, Math.floor(at / CELLS)];
    context.fillRect(Math.floor(x * size), Math.floor(y * size), Math.ceil(size), Math.ceil(size));
  });
}

function drawWay(context, points) {
  context.lineWidth = 2.5;
  context.strokeStyle = colour("warm");
  context.beginPath();
  points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
  context.stroke();
  points.forEach(([x, y], i) => {
    context.fillStyle = i ? colour("warm") : colour("panel");
    context.beginPath();
    context.arc(x, y, i === points.length - 1 ? 6 : 4, 0, 7);
    context.fill();
    context.stroke();
  });
}

/** Mark a pattern, with its name on the side where the line of the state is not. */
function mark(context, [x, y], text, { width, line }) {
  const isFree = line.every(([, other]) => other <= y + 8);
  const top = isFree ? y + 9 : y - 27;
  context.fillStyle = colour("accent");
  context.fillRect(x - 5, y - 5, 10, 10);
  context.font = '12px system-ui, "DejaVu Sans", sans-serif';
  const half = context.measureText(text).width / 2;
  const centre = Math.min(width - half - 6, Math.max(half + 6, x));
  context.fillStyle = colour("panel");
  context.globalAlpha = 0.85;
  context.fillRect(centre - half - 4, top, 2 * half + 8, 18);
  context.globalAlpha = 1;
  write(context, text, centre, top + 9, { align: "center", tone: "text", size: 12 });
}
