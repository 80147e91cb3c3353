/** The panel of the cue: draw, erase, hide, damage, undo, store. */

import { colour, paint } from "./canvas.js";
import { encodeLevels, LEVELS } from "./data.js";
import { connectSegments, markSegments } from "./elements.js";
import { drawnCue, hasInk, nameOf, picturesOf, SIDES, sourceOf, sourcePicture } from "./model.js";
import { Generator } from "./random.js";
import { addOwn } from "./upload.js";

const MOST_UNDO = 50;
const FLIPPED = 0.1;
const NOISE = 0.25;

const HALVES = {
  bottom: (x, y) => y >= 0.5,
  top: (x, y) => y < 0.5,
  left: (x) => x < 0.5,
  right: (x) => x >= 0.5,
  none: () => false,
};

const byIdOfCue = (id) => document.getElementById(id);

/** The canvas on which the cue is drawn, and the buttons around it. */
class CueEditor {
  constructor(settings, announce) {
    this.settings = settings;
    this.announce = announce;
    this.canvas = byIdOfCue("cue");
    this.brush = "draw";
    this.cursor = -1;
    this.history = [];
    this.draws = 0;
    this.connect();
  }

  connect() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.remember();
      this.stroke(event, null);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.stroke(event, this.last);
    });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("blur", () => this.moveCursor(-1));
    connectSegments(byIdOfCue("brushes"), (button) => {
      this.brush = button.dataset.brush;
      this.markBrush();
    });
    this.markBrush();
    for (const button of document.querySelectorAll("[data-hide]")) {
      button.addEventListener("click", () => this.hide(button.dataset.hide));
    }
    for (const button of document.querySelectorAll("[data-damage]")) {
      button.addEventListener("click", () => this.damage(button.dataset.damage));
    }
    byIdOfCue("undo").addEventListener("click", () => this.undo());
    byIdOfCue("restore").addEventListener("click", () => {
      this.remember();
      this.settings.set({ cue: "", step: -1 });
    });
    byIdOfCue("keep").addEventListener("click", () => {
      const { levels } = drawnCue(this.settings.values);
      if (hasInk(levels)) addOwn(this.settings, [levels]);
      else this.announce("The cue has no ink: there is nothing to store. Draw something first.");
    });
    const clamp = byIdOfCue("clamp");
    clamp.addEventListener("change", () => this.settings.set({ clamp: clamp.checked, step: -1 }));
  }

  markBrush() {
    markSegments(byIdOfCue("brushes"), ({ dataset }) => dataset.brush === this.brush);
  }

  remember() {
    const { cue, hidden, source } = this.settings.values;
    this.history.push({ cue, hidden, source });
    if (this.history.length > MOST_UNDO) this.history.shift();
    byIdOfCue("undo").disabled = false;
  }

  undo() {
    const before = this.history.pop();
    if (before) this.settings.set({ ...before, step: -1 });
    byIdOfCue("undo").disabled = this.history.length === 0;
  }

  keep({ levels, hidden }) {
    this.settings.set({ cue: encodeLevels(levels), hidden: encodeLevels(hidden), step: -1 });
  }

  /** Paint a line of pixels from the last place of the pointer to this one. */
  stroke(event, from) {
    const side = SIDES[this.settings.values.data];
    const { width, height } = this.canvas.getBoundingClientRect();
    const place = [(event.offsetX / width) * side, (event.offsetY / height) * side];
    const [x0, y0] = from ?? place;
    const count = Math.max(1, Math.ceil(2 * Math.hypot(place[0] - x0, place[1] - y0)));
    const cue = drawnCue(this.settings.values);
    for (let i = 1; i <= count; i += 1) {
      const x = Math.floor(x0 + ((place[0] - x0) * i) / count);
      const y = Math.floor(y0 + ((place[1] - y0) * i) / count);
      if (x >= 0 && x < side && y >= 0 && y < side) this.touch(cue, y * side + x);
    }
    this.last = place;
    this.keep(cue);
  }

  touch({ levels, hidden }, at) {
    if (this.brush === "hide") hidden[at] = 1;
    else hidden[at] = 0;
    if (this.brush === "draw") levels[at] = LEVELS;
    if (this.brush === "erase") levels[at] = 0;
  }

  hide(name) {
    this.remember();
    const { levels } = drawnCue(this.settings.values);
    const side = SIDES[this.settings.values.data];
    const isHidden = HALVES[name];
    const hidden = levels.map((_, at) =>
      Number(isHidden((at % side) / side, Math.floor(at / side) / side)),
    );
    this.keep({ levels, hidden });
  }

  damage(name) {
    this.remember();
    const { levels, hidden } = drawnCue(this.settings.values);
    if (name === "clear") {
      // A blank sheet, which is no longer the picture of before.
      this.settings.set({ source: -1, cue: "", hidden: encodeLevels(hidden.fill(0)), step: -1 });
      return;
    }
    this.draws += 1;
    const generator = new Generator(this.draws);
    if (name === "flip") {
      const count = Math.round(FLIPPED * levels.length);
      for (const at of generator.permutation(levels.length).slice(0, count)) {
        levels[at] = LEVELS - levels[at];
      }
    }
    if (name === "noise") {
      const noise = generator.normals(levels.length);
      levels.forEach((level, at) => {
        const noisy = level + Math.round(NOISE * LEVELS * noise[at]);
        levels[at] = Math.min(LEVELS, Math.max(0, noisy));
      });
    }
    this.keep({ levels, hidden });
  }

  onKey(event) {
    const side = SIDES[this.settings.values.data];
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: side, ArrowUp: -side };
    if (event.key in steps) {
      event.preventDefault();
      const next = this.cursor < 0 ? 0 : this.cursor + steps[event.key];
      if (next >= 0 && next < side * side) this.moveCursor(next);
    } else if (event.key === " " && this.cursor >= 0) {
      event.preventDefault();
      this.remember();
      const cue = drawnCue(this.settings.values);
      this.touch(cue, this.cursor);
      this.keep(cue);
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.undo();
    }
  }

  moveCursor(at) {
    this.cursor = at;
    this.show(this.settings.values);
  }

  /** Draw the cue on a canvas: that of the panel, or that of a picture to save. */
  draw(canvas) {
    const { values } = this.settings;
    const { levels, hidden } = drawnCue(values);
    const isBinary = values.network !== "modern";
    const isUnknown = values.hiddenAs !== "background";
    const shown = Float64Array.from(levels, (level, at) => {
      if (hidden[at]) return 0;
      return isBinary ? Number(2 * level >= LEVELS) : level / LEVELS;
    });
    const { context, width } = paint(canvas, shown, { unknown: isUnknown ? hidden : null });
    const size = width / SIDES[values.data];
    if (!isUnknown) dot(context, size, hidden);
    return { context, size, hidden, isUnknown };
  }

  show(values) {
    const { context, size, hidden, isUnknown } = this.draw(this.canvas);
    if (this.cursor >= 0) this.outline(context, size);
    const name = sourceText(values);
    const count = hidden.reduce((sum, value) => sum + value, 0);
    byIdOfCue("cue-source").textContent = name;
    byIdOfCue("clamp").checked = values.clamp;
    byIdOfCue("clamp").disabled = !isUnknown || count === 0;
    byIdOfCue("undo").disabled = this.history.length === 0;
    byIdOfCue("restore").disabled = values.source < 0;
    const side = SIDES[values.data];
    const cursor =
      this.cursor < 0
        ? ""
        : `; row ${Math.floor(this.cursor / side) + 1}, column ${(this.cursor % side) + 1}`;
    this.canvas.setAttribute(
      "aria-label",
      `Cue ${name}, ${count} of ${hidden.length} pixels hidden${cursor}`,
    );
  }

  /** Mark the pixel of the cursor of the keyboard. */
  outline(context, size) {
    const side = SIDES[this.settings.values.data];
    context.strokeStyle = colour("warm");
    context.lineWidth = 2;
    const [x, y] = [this.cursor % side, Math.floor(this.cursor / side)];
    context.strokeRect(x * size + 1, y * size + 1, size - 2, size - 2);
  }
}

/** Mark hidden pixels that count as paper. */
function dot(context, size, hidden) {
  const side = Math.sqrt(hidden.length);
  context.fillStyle = colour("hatch");
  hidden.forEach((value, at) => {
    const [x, y] = [(at % side) + 0.5, Math.floor(at / side) + 0.5];
    if (value) context.fillRect(x * size - 1, y * size - 1, 2, 2);
  });
}

function sourceText(values) {
  const picture = sourcePicture(values);
  if (!picture) return "a drawing";
  const source = sourceOf(values);
  if (source >= 0) return `from ${nameOf(picturesOf(values)[source], source)}`;
  return `from ${nameOf(picture, values.source).replace("pattern", "picture")}, not stored`;
}

/** Connect the panel. */
export function connectCue(settings, announce) {
  const editor = new CueEditor(settings, announce);
  settings.listen((values) => editor.show(values));
  return editor;
}
