/** Three networks on the same cue, and how many pictures each can hold before it fails. */

import { colour, fit, paint, write } from "./canvas.js";
import { element } from "./elements.js";
import { answerOf, mostPictures, networkOf, sourceOf } from "./model.js";
import { pictureOf } from "./retrieval_panel.js";
import { verdictOf } from "./verdict.js";
import { recalls, threeNetworks } from "./why.js";

const COUNTS_TRIED = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60, 80, 100, 150, 200];
const NAMES = ["classical", "dense", "modern"];
const FRAME_OF_GROWTH = 350;

/** Build the view; returns the function that updates it. */
export function compareView(body, settings) {
  const cells = Object.fromEntries(
    NAMES.map((name) => {
      const canvas = element("canvas", { role: "img" });
      const text = element("p");
      const choose = () =>
        settings.set({ ...pick(threeNetworks(settings.values)[name]), step: -1 });
      const label = { "aria-label": `Use the ${name} network` };
      const button = element("button", { type: "button", onclick: choose, ...label }, "Use");
      return [
        name,
        {
          canvas,
          text,
          button,
          box: element("div", {}, element("b", {}, name), canvas, text, button),
        },
      ];
    }),
  );
  const lanes = element("canvas", { class: "chart", role: "img" });
  const button = element(
    "button",
    { type: "button", class: "main" },
    "Add pictures until it fails",
  );
  const text = element("p");
  const growth = new Growth(settings, button, text);
  button.addEventListener("click", () => growth.toggle());
  body.append(
    element(
      "p",
      { class: "hint" },
      "The same pictures and cue in three networks. Boxes below: green if the picture of the cue is recalled, red if not, grey if it is not stored yet.",
    ),
    element("div", { class: "networks" }, ...NAMES.map((name) => cells[name].box)),
    element("h3", {}, "Recalled by number of pictures"),
    lanes,
    button,
    text,
  );
  return (values, job) => {
    growth.onChange(values);
    job.start(function* draw() {
      for (const [name, network] of Object.entries(threeNetworks(values))) {
        showNetwork(cells[name], name, network, values.network === name);
        yield;
      }
      yield* drawLanes(lanes, values);
    });
  };
}

const pick = ({ network, beta, temperature }) => ({ network, beta, temperature });

function showNetwork({ canvas, text, button }, name, values, isChosen) {
  const answer = answerOf(values);
  const { values: pixels } = pictureOf(values.network !== "modern", answer.state);
  paint(canvas, pixels, { grid: false });
  const { title, isRight } = verdictOf(values, answer);
  text.textContent = `${isRight === null ? "" : isRight ? "✓ " : "✗ "}${title.toLowerCase()}`;
  canvas.setAttribute("aria-label", `${name}: ${text.textContent}`);
  button.disabled = isChosen;
  button.textContent = isChosen ? "In use" : "Use";
}

/** Draw one lane per network: a filled box where the pattern of the cue is recalled. */
function* drawLanes(canvas, values) {
  const counts = COUNTS_TRIED.filter((count) => count <= mostPictures(values.data));
  const { context, width, height } = fit(canvas);
  const left = 64;
  const step = (width - left - 4) / counts.length;
  const lane = (height - 22) / NAMES.length;
  const most = {};
  for (const [row, name] of NAMES.entries()) {
    write(context, name, 4, row * lane + lane / 2, { tone: "text", size: 12 });
    for (const [i, count] of counts.entries()) {
      const source = sourceOf({ ...values, count });
      const isTried = source >= 0;
      const isRight = isTried && recalls(threeNetworks({ ...values, count })[name], source);
      if (isRight) most[name] = count;
      const [x, y] = [left + i * step, row * lane + 4];
      context.fillStyle = colour(!isTried ? "field" : isRight ? "good" : "bad");
      context.globalAlpha = !isTried || isRight ? 1 : 0.45;
      context.fillRect(x + 1, y, step - 2, lane - 8);
      context.globalAlpha = 1;
      if (count === values.count) {
        context.strokeStyle = colour("text");
        context.lineWidth = 1.5;
        context.strokeRect(x + 0.5, y - 1, step - 1, lane - 6);
      }
      yield;
    }
  }
  for (const [i, count] of counts.entries()) {
    if (i % 3 === 0 || i === counts.length - 1) {
      write(context, String(count), left + (i + 0.5) * step, height - 8, { align: "center" });
    }
  }
  const parts = NAMES.map((name) => `${name} up to ${most[name] ?? 0}`);
  canvas.setAttribute("aria-label", `Recalled: ${parts.join(", ")}`);
}

/** Adds pictures step by step until the network in use loses the pattern of the cue. */
class Growth {
  constructor(settings, button, text) {
    Object.assign(this, { settings, button, text, timer: 0, expected: -1 });
  }

  toggle() {
    if (this.timer) {
      this.stop("Stopped.");
      return;
    }
    this.button.textContent = "Stop";
    this.timer = setInterval(() => this.grow(), FRAME_OF_GROWTH);
  }

  grow() {
    const { values } = this.settings;
    const source = sourceOf(values);
    if (!document.contains(this.button)) return this.stop("");
    if (source < 0) return this.stop("Choose a stored picture as the cue first.");
    if (!recalls(values, source)) {
      return this.stop(
        `With ${values.count} pictures the ${values.network} network no longer recalls this one.`,
      );
    }
    const most = mostPictures(values.data);
    if (values.count >= most)
      return this.stop(`All ${most} pictures are stored, and it is still recalled.`);
    const next =
      COUNTS_TRIED.find((count) => count > values.count) ?? Math.ceil(values.count * 1.25);
    return this.settings.set({ count: Math.min(most, next), step: -1 });
  }

  stop(text) {
    clearInterval(this.timer);
    this.timer = 0;
    this.button.textContent = "Add pictures until it fails";
    this.text.textContent = text;
  }

  onChange() {
    if (!this.timer) this.text.textContent = "";
  }
}
