/** The panel of the retrieval: the state step by step, energies, weights and a verdict. */

import { colour, drawLine, drawSquare, fit, paint, short, write } from "./canvas.js";
import { answerOf, cueOf, nameOf, networkOf, picturesOf } from "./model.js";
import { LEVELS } from "./data.js";
import { Asker, computedText, usesLibrary } from "./library.js";
import { dotProduct } from "./rules.js";
import { verdictOf } from "./verdict.js";

const FRAME = 450;
const ROWS = 5;

const byIdOfState = (id) => document.getElementById(id);

/** Return the brightness of the pixels of a state, and which of them are still unknown. */
export function pictureOf(isBinary, state, known = null) {
  if (!isBinary)
    return { values: state, unknown: known ? known.map((value) => 1 - value) : null };
  return { values: state.map((x) => (x + 1) / 2), unknown: state.map((x) => Number(x === 0)) };
}

class Player {
  constructor(settings) {
    this.settings = settings;
    this.timer = 0;
    this.asker = new Asker(() => settings.set({}));
    this.slider = byIdOfState("step");
    this.slider.addEventListener("input", () => this.goTo(Number(this.slider.value)));
    byIdOfState("run").addEventListener("click", () => (this.timer ? this.pause() : this.run()));
    byIdOfState("step-button").addEventListener("click", () => {
      if (!this.answer) return;
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
    const answer = usesLibrary(values) ? this.asker.answerTo(values) : answerOf(values);
    byIdOfState("retrieval").classList.toggle("waiting", !answer);
    if (!answer) return this.wait();
    this.answer = answer;
    this.isBinary = values.network !== "modern";
    byIdOfState("computed").textContent = computedText(values, answer);
    this.known = cueOf(values).known;
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
    this.drawState(byIdOfState("state"));
    this.showVerdict(values);
    this.showEnergy();
    const isOverlap = values.network === "classical";
    byIdOfState("weights-kind").textContent = isOverlap ? "overlap x·y/N" : "weight, overlap";
    const named = this.drawStrongest(byIdOfState("strongest"));
    byIdOfState("strongest").setAttribute("aria-label", `Strongest patterns: ${named.join(", ")}`);
  }

  /** Leave the answer before on the screen until the library has computed the next one. */
  wait() {
    const { failure } = this.asker;
    if (failure) byIdOfState("verdict-title").textContent = failure;
    byIdOfState("step-label").textContent = failure ? "" : "the library computes …";
  }

  drawState(canvas) {
    const state = this.answer.states[this.shown];
    const known = this.shown === 0 ? this.known : null;
    const { values: pixels, unknown } = pictureOf(this.isBinary, state, known);
    paint(canvas, pixels, { unknown });
  }

  drawEnergy(canvas) {
    const { energies, steps } = this.answer;
    const points = energies.map((value, i) => [i, value]);
    const labels = ["cue", steps ? `step ${steps}` : ""];
    return drawLine(canvas, points, { marked: this.shown, labels, other: this.fullEnergy() });
  }

  get isMasked() {
    return !this.isBinary && this.known && this.settings.values.hiddenAs === "unknown";
  }

  /** Return the energy of all pixels where that of the network is over the known ones only. */
  fullEnergy() {
    if (!this.isMasked) return null;
    const network = () => networkOf(this.settings.values);
    const { states, fullEnergies } = this.answer;
    const energies = fullEnergies ?? states.map((state) => network().energy(state, null));
    return { points: energies.map((value, i) => [i, value]), label: "all pixels" };
  }

  drawStrongest(canvas) {
    const { values } = this.settings;
    const { strongest, states } = this.answer;
    const known = this.countedAt(values, this.shown);
    const shown = strongest?.[this.shown] ?? strongestAt(values, states[this.shown], known);
    return drawStrongest(canvas, picturesOf(values), shown, values.network !== "classical");
  }

  /** Return which entries count for the weights at a step; null for all. */
  countedAt({ hiddenAs }, step) {
    if (this.isBinary) return null;
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

  showEnergy() {
    this.chart = this.drawEnergy(byIdOfState("energy"));
    const objective = this.isMasked ? ", known pixels" : "";
    const { energies } = this.answer;
    const energy = energies[this.shown].toFixed(3).replace("-", "−");
    byIdOfState("energy").setAttribute(
      "aria-label",
      `Energy by step: ${short(energies[0])} at the cue, ${short(energies.at(-1))} at the end`,
    );
    byIdOfState("energy-value").textContent = `E = ${energy}${objective}`;
  }

  onEnergy(event) {
    if (!this.answer) return;
    const { frame } = this.chart;
    const share = (event.offsetX - frame.left) / (frame.right - frame.left);
    this.pause();
    this.goTo(Math.round(Math.min(1, Math.max(0, share)) * this.answer.steps));
  }

  goTo(step) {
    this.settings.set({ step: step >= this.answer.steps ? -1 : step });
  }

  run() {
    if (!this.answer) return;
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

/** Return {index, weight, overlap} of the patterns with the largest weights, or overlaps. */
function strongestAt(values, state, known) {
  const network = networkOf(values);
  const weights = network.weights(state, known);
  const order = [...weights.keys()].sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a]));
  return order.slice(0, ROWS).map((index) => ({
    index,
    weight: weights[index],
    overlap: overlapOf(network.rows[index], state),
  }));
}

/** x·y/(‖x‖‖y‖): x·y/N where both are ±1. */
function overlapOf(row, state) {
  const norms = Math.sqrt(dotProduct(row, row) * dotProduct(state, state));
  return norms > 0 ? dotProduct(row, state) / norms : 0;
}

/** Draw the strongest patterns: picture, bar, numbers; return their names. */
function drawStrongest(canvas, pictures, strongest, hasOverlaps) {
  const { context, width, height } = fit(canvas);
  const row = height / ROWS;
  const size = Math.floor(row) - 3;
  const [left, right] = [size + 92, width - (hasOverlaps ? 88 : 46)];
  const named = [];
  strongest.forEach(({ index, weight, overlap }, i) => {
    const y = i * row;
    const pixels = Float64Array.from(pictures[index].levels, (level) => level / LEVELS);
    drawSquare(context, 1, y + 1, size, pixels);
    const name = nameOf(pictures[index], index).replace("pattern ", "");
    write(context, name, size + 9, y + row / 2, { tone: "text", size: 12, room: left - size - 14 });
    context.fillStyle = colour("line");
    context.fillRect(left, y + row / 2 - 4, right - left, 8);
    context.fillStyle = colour(weight < 0 ? "warm" : "accent");
    context.fillRect(
      left,
      y + row / 2 - 4,
      Math.min(1, Math.abs(weight)) * (right - left),
      8,
    );
    const numbers = [shownWeight(weight)];
    if (hasOverlaps) numbers.push(overlap.toFixed(2).replace("-", "−"));
    numbers.forEach((text, column) => {
      const x = width - 4 - 42 * (numbers.length - 1 - column);
      write(context, text, x, y + row / 2, { align: "right", tone: column ? "soft" : "text" });
    });
    named.push(`${nameOf(pictures[index], index)} ${numbers.join(", overlap ")}`);
  });
  return named;
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
