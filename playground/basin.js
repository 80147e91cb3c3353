/** The basin of a pattern, measured: how much damage it survives. */

import { drawLine } from "./canvas.js";
import { LEVELS } from "./data.js";
import { element } from "./elements.js";
import { answerOf, cueOf, nameOf, networkOf, picturesOf } from "./model.js";
import { Generator } from "./random.js";
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
  );
  return (values, job) => {
    choice.value = values.basin;
    job.start(() => measure(chart, text, values));
  };
}

function* measure(chart, text, values) {
  const target = targetOf(values);
  const network = networkOf(values);
  const { levels } = picturesOf(values)[target];
  const name = nameOf(picturesOf(values)[target], target);
  const points = [];
  for (const amount of AMOUNTS) {
    let returned = 0;
    for (let draw = 0; draw < DRAWS; draw += 1) {
      const cue = damagedCue(values, levels, amount, draw);
      returned += Number(isRecalled(network, answerOf(values, cue).state, target));
      yield;
    }
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
