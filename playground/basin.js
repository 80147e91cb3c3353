/** The basin of a pattern, measured: how much damage it survives. */

import { drawLine, drawSquare, fit, write } from "./canvas.js";
import { LEVELS } from "./data.js";
import { element } from "./elements.js";
import { answerOf, cueOf, nameOf, networkOf, picturesOf } from "./model.js";
import { Generator } from "./random.js";
import { pictureOf } from "./retrieval_panel.js";
import { isRecalled } from "./verdict.js";
import { targetOf } from "./why.js";

const DRAWS = 20;
const AMOUNTS = Array.from({ length: 11 }, (_, i) => i / 10);
const NEEDED = 0.9;
const DAMAGES = { flip: "inverted", hide: "hidden as unknown" };

const MEANING =
  "The basin of a pattern is the set of cues from which it returns. " +
  `Measured on ${DRAWS} damaged copies for each amount of damage.`;

/** Build the view; returns the function that updates it. */
export function basinView(body, settings) {
  const chart = element("canvas", { class: "chart", role: "img" });
  const choice = element(
    "select",
    { id: "basin-damage", onchange: () => settings.set({ basin: choice.value }) },
    ...Object.entries(DAMAGES).map(([value, text]) => element("option", { value }, text)),
  );
  const text = element("p");
  const examples = element("canvas", { class: "examples", role: "img" });
  body.append(
    element("p", { class: "hint" }, MEANING),
    element(
      "div",
      { class: "row" },
      element("label", { for: "basin-damage" }, "Pixels are"),
      choice,
    ),
    chart,
    element(
      "p",
      { class: "hint" },
      "Across: share of damaged pixels. Up: share of copies that return.",
    ),
    text,
    examples,
  );
  return (values, job) => {
    choice.value = values.basin;
    job.start(() => measure({ chart, text, examples }, values));
  };
}

function* measure({ chart, text, examples }, values) {
  const target = targetOf(values);
  const network = networkOf(values);
  const { levels } = picturesOf(values)[target];
  const name = nameOf(picturesOf(values)[target], target);
  const points = [];
  const shown = {};
  fit(examples); // empty until there is something to show
  for (const amount of AMOUNTS) {
    let returned = 0;
    const copies = {};
    for (let draw = 0; draw < DRAWS; draw += 1) {
      const cue = damagedCue(values, levels, amount, draw);
      const { states, state } = answerOf(values, cue);
      const isBack = isRecalled(network, state, target);
      returned += Number(isBack);
      copies[isBack ? "returns" : "fails"] = { amount, cue, states };
      yield;
    }
    // The largest damage from which most copies return, and the next one.
    if (returned >= DRAWS / 2 && !shown.fails) shown.returns = copies.returns;
    else shown.fails ??= copies.fails;
    points.push([amount, returned / DRAWS]);
    drawLine(chart, points, { range: [0, 1], domain: [0, 1], labels: ["0 %", "100 %"] });
    text.textContent = `Measuring ${name} …`;
  }
  const radius = radiusOf(points);
  const share = `${Math.round(100 * radius)} % of pixels ${DAMAGES[values.basin]}`;
  text.textContent =
    radius < 0
      ? `${capital(name)} does not even return from itself: it has no basin.`
      : `${capital(name)} returns from at least nine of ten copies up to ${share}.`;
  chart.setAttribute("aria-label", text.textContent);
  drawExamples(examples, shown, network.binary);
}

const ENDS = { returns: "inside: returns", fails: "outside: does not" };

/** Draw a copy inside the basin and one outside it, each with the state where it ends. */
function drawExamples(canvas, shown, isBinary) {
  const { context, width, height } = fit(canvas);
  const size = Math.min(height - 20, width / 4 - 18);
  const names = [];
  Object.entries(ENDS).forEach(([kind, end], place) => {
    if (!shown[kind]) return;
    const { amount, cue, states } = shown[kind];
    const left = (place * width) / 2;
    const at = left + size + 24;
    const first = pictureOf(isBinary, states[0], cue.known);
    drawSquare(context, left, 0, size, first.values, { unknown: first.unknown });
    write(context, "→", left + size + 12, size / 2, { align: "center", size: 14 });
    drawSquare(context, at, 0, size, pictureOf(isBinary, states.at(-1)).values);
    write(context, `${Math.round(100 * amount)} %, ${end}`, left, size + 11);
    names.push(`A copy with ${Math.round(100 * amount)} % damage is ${end}`);
  });
  canvas.setAttribute("aria-label", names.join(". "));
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** Return the largest amount up to which enough copies return at every smaller one; −1 for none. */
function radiusOf(points) {
  const failed = points.findIndex(([, share]) => share < NEEDED);
  if (failed === 0) return -1;
  return failed < 0 ? 1 : points[failed - 1][0];
}

function damagedCue(values, levels, amount, draw) {
  const order = new Generator(draw).permutation(levels.length);
  const hit = order.slice(0, Math.round(amount * levels.length));
  const hidden = new Uint8Array(levels.length);
  const changed = Uint8Array.from(levels);
  for (const at of hit) {
    if (values.basin === "hide") hidden[at] = 1;
    else changed[at] = LEVELS - changed[at];
  }
  const hiddenAs = values.hiddenAs === "background" ? "unknown" : values.hiddenAs;
  return cueOf({ ...values, hiddenAs }, { levels: changed, hidden });
}
