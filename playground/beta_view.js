/** β from a blurred mixture to one pattern: the same cue, read at nine values of β. */

import { colour, drawLine, drawSquare, fit, short, write } from "./canvas.js";
import { element } from "./elements.js";
import { answerOf, betaOf } from "./model.js";
import { effectiveCount } from "./verdict.js";

const SHOWN = [0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
const COLUMNS = 4;
const POINTS = 33;

const OTHERS = {
  classical: "Shown for a modern network: the classical one has no β.",
  dense: "Shown for a modern network: in the dense one β weighs scores of ±1, which are larger.",
};

/** Build the view; returns the function that updates it. */
export function betaView(body, settings) {
  const canvas = element("canvas", { class: "strip", role: "img" });
  const slider = element("input", {
    type: "range",
    min: "-2",
    max: "2",
    step: "0.02",
    "aria-label": "β",
    oninput: () => settings.set({ beta: Number((10 ** slider.value).toPrecision(3)), step: -1 }),
  });
  const value = element("output");
  const curve = element("canvas", { class: "chart", role: "img" });
  const text = element("p");
  body.append(
    element(
      "p",
      { class: "hint" },
      "Small β blends the patterns that fit, large β picks the best one. Choose a picture to set β.",
    ),
    canvas,
    element("div", { class: "row" }, element("label", {}, "β"), slider, value),
    element("h3", {}, "Patterns that hold 0.9 of the weights, by β"),
    curve,
    text,
  );
  canvas.addEventListener("click", (event) => {
    const column = Math.floor((event.offsetX / canvas.clientWidth) * COLUMNS);
    const row = event.offsetY > canvas.clientHeight / 2 ? 1 : 0;
    settings.set({ beta: SHOWN[row * COLUMNS + column], step: -1 });
  });
  return (values, job) => {
    const given = { ...values, network: "modern" };
    const modern = { ...given, beta: betaOf(given) };
    slider.value = Math.log10(modern.beta);
    value.textContent = short(modern.beta);
    text.textContent = OTHERS[values.network] ?? textOf(modern);
    job.start(function* draw() {
      yield* drawStrip(canvas, modern);
      yield* drawCurve(curve, modern);
    });
  };
}

function textOf(values) {
  const { weights } = answerOf(values);
  const count = effectiveCount(weights);
  const share =
    count === 1
      ? "At this β one pattern has nearly all of the weight."
      : `At this β ${count} patterns hold 0.9 of the weights: the state is a blend of them.`;
  // In softmax a weight of 0 is only too small for the numbers of the computer.
  if (values.separation === "softmax") return share;
  const empty = weights.filter((weight) => weight === 0).length;
  return `${share} ${empty} of ${weights.length} patterns have weight 0, exactly.`;
}

function* drawStrip(canvas, values) {
  const states = [];
  for (const beta of SHOWN) {
    states.push(answerOf({ ...values, beta }).state);
    yield;
  }
  const { context, width, height } = fit(canvas);
  const size = Math.floor(Math.min(width / COLUMNS - 10, height / 2 - 16));
  const nearest = SHOWN.reduce((best, beta) =>
    Math.abs(Math.log(beta / values.beta)) < Math.abs(Math.log(best / values.beta)) ? beta : best,
  );
  SHOWN.forEach((beta, i) => {
    const x = Math.round((i % COLUMNS) * (width / COLUMNS) + (width / COLUMNS - size) / 2);
    const y = Math.floor(i / COLUMNS) * (height / 2) + 1;
    drawSquare(context, x, y, size, states[i]);
    context.strokeStyle = colour(beta === nearest ? "warm" : "line");
    context.lineWidth = beta === nearest ? 2 : 1;
    context.strokeRect(x - 0.5, y - 0.5, size + 1, size + 1);
    write(context, `β = ${beta}`, x + size / 2, y + size + 8, { align: "center" });
  });
  canvas.setAttribute("aria-label", `The state at β = ${SHOWN.join(", ")}`);
}

function* pointsOf(values) {
  const points = [];
  for (let i = 0; i < POINTS; i += 1) {
    const exponent = -2 + (4 * i) / (POINTS - 1);
    points.push([exponent, effectiveCount(answerOf({ ...values, beta: 10 ** exponent }).weights)]);
    yield;
  }
  return points;
}

function* drawCurve(canvas, values) {
  const points = yield* pointsOf(values);
  const isSoftmax = values.separation === "softmax";
  const other = isSoftmax
    ? null
    : { points: yield* pointsOf({ ...values, separation: "softmax" }), label: "softmax" };
  const high = Math.max(2, ...[...points, ...(other?.points ?? [])].map(([, y]) => y));
  const { context, across, frame } = drawLine(canvas, points, {
    range: [1, high],
    domain: [-2, 2],
    labels: ["β = 0.01", "β = 100"],
    other,
  });
  const x = across(Math.log10(values.beta));
  context.strokeStyle = colour("warm");
  context.beginPath();
  context.moveTo(x, frame.top - 5);
  context.lineTo(x, frame.bottom + 5);
  context.stroke();
  canvas.setAttribute(
    "aria-label",
    `From ${points[0][1]} patterns at β = 0.01 to ${points.at(-1)[1]} at β = 100`,
  );
}
