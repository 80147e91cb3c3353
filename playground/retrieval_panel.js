/** The panel of the retrieval: the state step by step, energies, weights and a verdict. */

import { colour, drawLine, drawSquare, fit, paint, short, write } from "./canvas.js";
import { answerOf, cueOf, nameOf, networkOf, picturesOf } from "./model.js";
import { LEVELS } from "./data.js";
import { verdictOf } from "./verdict.js";

const FRAME = 450;
const ROWS = 5;

const byIdOfState = (id) => document.getElementById(id);

/** Return the brightness of the pixels of a state, and which of them are still unknown. */
export function pictureOf(network, state, known = null) {
  if (!network.binary)
    return { values: state, unknown: known ? known.map((value) => 1 - value) : null };
  return { values: state.map((x) => (x + 1) / 2), unknown: state.map((x) => Number(x === 0)) };
}

class Player {
  constructor(settings) {
    this.settings = settings;
    this.timer = 0;
    this.slider = byIdOfState("step");
    this.slider.addEventListener("input", () => this.goTo(Number(this.slider.value)));
    byIdOfState("run").addEventListener("click", () => (this.timer ? this.pause() : this.run()));
    byIdOfState("step-button").addEventListener("click", () => {
      this.pause();
      this.goTo(this.shown >= this.answer.steps ? 0 : this.shown + 1);
    });
    byIdOfState("ask-why").addEventListener("click", () => {
      settings.set({ explore: "why" });
      byIdOfState("explore").scrollIntoView({ block: "nearest" });
    });
    const energy = byIdOfState("energy");
    energy.addEventListener("click", (event) => this.onEnergy(event));
  }

  show(values) {
    this.answer = answerOf(values);
    this.network = networkOf(values);
    const { steps } = this.answer;
    this.shown = values.step < 0 ? steps : Math.min(steps, values.step);
    if (values.step >= steps) this.settings.set({ step: -1 });
    Object.assign(this.slider, {
      max: Math.max(1, steps),
      value: this.shown,
      disabled: steps === 0,
    });
    this.slider.setAttribute("aria-valuetext", `${this.shown} of ${steps}`);
    byIdOfState("step-label").textContent = this.label();
    const state = this.answer.states[this.shown];
    const { known } = cueOf(values);
    this.known = known;
    const { values: pixels, unknown } = pictureOf(
      this.network,
      state,
      this.shown === 0 ? known : null,
    );
    paint(byIdOfState("state"), pixels, { unknown });
    this.showVerdict(values);
    const held = values.clamp ? " (held)" : "";
    const isMasked = !this.network.binary && known && values.hiddenAs === "unknown";
    this.showEnergy(isMasked ? ` over known pixels${held}` : "");
    showStrongest(values, this.network, state, this.countedAt(values, this.shown));
  }

  /** Return which entries count for the weights at a step; null for all. */
  countedAt({ hiddenAs }, step) {
    if (this.network.binary) return null;
    return hiddenAs === "unknown" || step === 0 ? this.known : null;
  }

  label() {
    const { steps } = this.answer;
    if (this.shown === 0) return "the cue";
    return this.shown === steps ? `the end, step ${steps}` : `step ${this.shown} of ${steps}`;
  }

  showVerdict(values) {
    const { kind, title, text, isRight, mark: words } = verdictOf(values, this.answer);
    byIdOfState("verdict").dataset.kind = kind;
    byIdOfState("verdict-title").textContent = title;
    byIdOfState("verdict-text").textContent = text;
    const mark = byIdOfState("verdict-mark");
    mark.className = isRight === null ? "" : isRight ? "good" : "bad";
    mark.textContent = words;
    byIdOfState("ask-why").hidden = isRight !== false;
    byIdOfState("state").setAttribute("aria-label", `State, ${this.label()}: ${title}. ${text}`);
  }

  showEnergy(objective) {
    const { energies, steps } = this.answer;
    const points = energies.map((value, i) => [i, value]);
    const labels = ["cue", steps ? `step ${steps}` : ""];
    this.chart = drawLine(byIdOfState("energy"), points, { marked: this.shown, labels });
    byIdOfState("energy-value").textContent =
      `E = ${energies[this.shown].toFixed(3).replace("-", "−")}${objective}`;
  }

  onEnergy(event) {
    const { frame } = this.chart;
    const share = (event.offsetX - frame.left) / (frame.right - frame.left);
    this.pause();
    this.goTo(Math.round(Math.min(1, Math.max(0, share)) * this.answer.steps));
  }

  goTo(step) {
    this.settings.set({ step: step >= this.answer.steps ? -1 : step });
  }

  run() {
    byIdOfState("run").textContent = "Pause";
    if (this.shown >= this.answer.steps) this.goTo(0);
    this.timer = setInterval(() => {
      if (this.shown + 1 >= this.answer.steps) this.pause();
      this.goTo(this.shown + 1);
    }, FRAME);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    byIdOfState("run").textContent = "Run";
  }
}

/** Draw the patterns with the largest weights, or overlaps: picture, bar, number. */
function showStrongest(values, network, state, known) {
  const weights = network.weights(state, known);
  const isOverlap = values.network === "classical";
  byIdOfState("weights-kind").textContent = isOverlap ? "overlap x·y/N" : "share of the weights";
  const canvas = byIdOfState("strongest");
  const { context, width, height } = fit(canvas);
  const order = [...weights.keys()].sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a]));
  const pictures = picturesOf(values);
  const row = height / ROWS;
  const size = Math.floor(row) - 3;
  const [left, right] = [size + 96, width - 52];
  const named = [];
  order.slice(0, ROWS).forEach((index, i) => {
    const y = i * row;
    const pixels = Float64Array.from(pictures[index].levels, (level) => level / LEVELS);
    drawSquare(context, 1, y + 1, size, pixels);
    write(context, nameOf(pictures[index], index).replace("pattern ", ""), size + 9, y + row / 2, {
      tone: "text",
      size: 12,
    });
    context.fillStyle = colour("line");
    context.fillRect(left, y + row / 2 - 4, right - left, 8);
    context.fillStyle = colour(weights[index] < 0 ? "warm" : "accent");
    context.fillRect(
      left,
      y + row / 2 - 4,
      Math.min(1, Math.abs(weights[index])) * (right - left),
      8,
    );
    write(context, shownWeight(weights[index]), width - 4, y + row / 2, {
      align: "right",
      tone: "text",
    });
    named.push(`${nameOf(pictures[index], index)} ${shownWeight(weights[index])}`);
  });
  canvas.setAttribute("aria-label", `Strongest patterns: ${named.join(", ")}`);
}

/** Return a weight with three decimals; only a weight of exactly 0 is shown as 0. */
function shownWeight(weight) {
  const rounded = Math.round(weight * 1000) / 1000;
  return rounded === 0 && weight !== 0 ? "≈ 0" : short(rounded);
}

/** Connect the panel. */
export function connectRetrieval(settings) {
  const player = new Player(settings);
  settings.listen((values) => player.show(values));
  return player;
}
