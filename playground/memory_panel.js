/** The panel of the memory: data, stored pictures, network and its parameters. */

import { colour, drawSquare, fit, shade } from "./canvas.js";
import { LEVELS } from "./data.js";
import { connectSegments, markSegments } from "./elements.js";
import {
  betaOf,
  learningWork,
  mostPictures,
  nameOf,
  ownPictures,
  picturesOf,
  SIDES,
  sourceAt,
  sourceOf,
} from "./model.js";
import { connectUpload } from "./upload.js";

const GAP = 4;
const SEEDS = 10_000;
/** Multiplications of learning that a pointer event may do, about 2 ms; more wait until it rests. */
const QUICK = 2 ** 20;
const REST = 150;
const COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100];
COUNTS.push(120, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 2000, 5000, 10000, 20000, 50000);

const FORMULAS = {
  classical: "One matrix W holds all patterns; each unit takes the sign of its field. E = −½ xᵀWx + b·x",
  dense: "The state is compared with each pattern; each unit takes the value of lower energy. E = −F(Xx)",
  modern: "The state becomes a mean of the patterns, weighted by how well each one fits. x′ = Xᵀp, p = ∇F(s)",
};

const byId = (id) => document.getElementById(id);

/** Connect β, and all elements with `data-setting`, `data-number` and `data-choice`. */
export function connectControls(settings) {
  for (const select of document.querySelectorAll("[data-setting]")) {
    select.addEventListener("change", () =>
      settings.set({ [select.dataset.setting]: select.value, step: -1, ...emptied(select) }),
    );
  }
  for (const input of document.querySelectorAll("[data-number]")) {
    input.addEventListener("input", () =>
      settings.set({ [input.dataset.number]: Number(input.value), step: -1 }),
    );
  }
  const setBeta = (beta) => settings.set({ beta, step: -1 });
  const bounded = (beta) => Math.min(100, Math.max(0.01, Number(beta.toPrecision(3))));
  byId("beta").addEventListener("input", ({ target }) =>
    setBeta(bounded(10 ** target.value)),
  );
  byId("beta-auto").addEventListener("click", () => {
    const { beta } = settings.values;
    setBeta(beta === "auto" ? bounded(betaOf(settings.values)) : "auto");
  });
  byId("draw-again").addEventListener("click", () =>
    settings.set({ seed: (settings.values.seed + 1) % SEEDS, step: -1 }),
  );
  for (const group of document.querySelectorAll("[data-choice]")) {
    connectSegments(group, (button) =>
      settings.set({ [group.dataset.choice]: button.dataset.value, step: -1 }),
    );
  }
}

// Other pictures have other sizes: cue and own pictures of before do not fit.
const emptied = ({ dataset, value }) =>
  dataset.setting === "data"
    ? { cue: "", hidden: "", own: "", source: 0, count: firstCount(value) }
    : {};
const firstCount = (data) => Math.min(10, mostPictures(data));

function showControls(values) {
  for (const select of document.querySelectorAll("[data-setting]")) {
    select.value = values[select.dataset.setting];
  }
  for (const input of document.querySelectorAll("[data-number]")) {
    const value = values[input.dataset.number];
    input.value = value;
    byId(`${input.id}-value`).textContent = value;
  }
  const isFitted = values.network === "modern" && values.beta === "auto";
  const beta = values.network === "classical" ? 1 : betaOf(values);
  byId("beta").value = Math.log10(beta);
  byId("beta-value").textContent = Number(beta.toPrecision(3));
  byId("beta-auto").setAttribute("aria-pressed", String(isFitted));
  byId("beta-auto").hidden = values.network !== "modern";
  byId("draw-again").disabled = values.temperature === 0 && values.schedule === "synchronous";
  for (const group of document.querySelectorAll("[data-choice]")) {
    markSegments(group, ({ dataset }) => dataset.value === values[group.dataset.choice]);
  }
  const { network, separation, interaction } = values;
  const shown = new Set([network, values.data]);
  if (network === "modern" || (network === "dense" && interaction === "softmax")) shown.add("beta");
  if (network === "dense" && interaction !== "softmax") shown.add("degree");
  if (network === "modern" && separation === "topk") shown.add("topk");
  for (const row of document.querySelectorAll("[data-for]")) {
    row.hidden = !row.dataset.for.split(" ").some((name) => shown.has(name));
  }
  byId("formula").textContent = FORMULAS[network];
}

/** The gallery of stored pictures, on one canvas. */
class Gallery {
  constructor(settings) {
    this.settings = settings;
    this.canvas = byId("gallery");
    this.frame = this.canvas.parentElement;
    this.size = 30;
    this.drawn = "";
    this.canvas.addEventListener("click", (event) => this.choose(this.placeAt(event)));
    this.canvas.addEventListener("mousemove", (event) => this.hint(this.placeAt(event)));
    this.canvas.addEventListener("mouseleave", () => this.hint(-1));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  show(values) {
    const { data, count, own, source: chosen } = values;
    const now = JSON.stringify([data, count, own, chosen, shade(1), this.frame.clientWidth]);
    if (now === this.drawn) return;
    this.drawn = now;
    this.draw(values);
  }

  draw(values) {
    this.pictures = picturesOf(values);
    // A server has more pictures than the page holds.
    this.shown = [...this.pictures.keys()].filter((index) => this.pictures[index].levels);
    const side = SIDES[values.data];
    this.size = side > 8 ? 40 : 30;
    this.columns = Math.max(1, Math.floor((this.frame.clientWidth - GAP) / (this.size + GAP)));
    const rows = Math.ceil(this.shown.length / this.columns);
    const height = rows * (this.size + GAP) + GAP;
    this.canvas.style.height = `${height}px`;
    const { context } = fit(this.canvas, height);
    const source = sourceOf(values);
    this.shown.forEach((index, place) => {
      const [x, y] = this.corner(place);
      drawThumbnail(context, x, y, this.size, this.pictures[index].levels, side);
      if (index !== source) return;
      context.strokeStyle = colour("warm");
      context.lineWidth = 2.5;
      context.strokeRect(x - 1, y - 1, this.size + 2, this.size + 2);
    });
    const name = source < 0 ? "none" : nameOf(this.pictures[source], source);
    const label = `Stored pictures: ${this.pictures.length}; ${name} is the cue`;
    this.canvas.setAttribute("aria-label", label);
  }

  corner(place) {
    const row = Math.floor(place / this.columns);
    return [GAP + (place % this.columns) * (this.size + GAP), GAP + row * (this.size + GAP)];
  }

  placeAt(event) {
    const column = Math.floor((event.offsetX - GAP / 2) / (this.size + GAP));
    const row = Math.floor((event.offsetY - GAP / 2) / (this.size + GAP));
    const place = row * this.columns + column;
    return column >= 0 && column < this.columns && place < this.shown.length
      ? this.shown[place]
      : -1;
  }

  choose(index) {
    if (index < 0 || index >= this.pictures.length) return;
    this.settings.set({ source: sourceAt(this.settings.values, index), cue: "", step: -1 });
  }

  hint(index) {
    byId("gallery-hint").textContent =
      index < 0 ? "Choose a picture to make it the cue." : `${nameOf(this.pictures[index], index)}`;
  }

  onKey(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const source = Math.max(0, sourceOf(this.settings.values));
    const place = this.shown.indexOf(source) + step;
    const next = Math.min(this.shown.length - 1, Math.max(0, place));
    this.choose(this.shown[next]);
    const top = this.corner(next)[1];
    const lowest = top + this.size - this.frame.clientHeight;
    this.frame.scrollTop = Math.min(top, Math.max(this.frame.scrollTop, lowest));
  }
}

const thumbnails = new Map();

/** Draw a small picture; it is kept as an image, since galleries hold up to 1000. */
function drawThumbnail(context, x, y, size, levels, side) {
  const key = `${shade(1)}${levels.join()}`;
  let image = thumbnails.get(key);
  if (!image) {
    image = document.createElement("canvas");
    image.width = side;
    image.height = side;
    const values = Float64Array.from(levels, (level) => level / LEVELS);
    drawSquare(image.getContext("2d"), 0, 0, side, values);
    if (thumbnails.size > 3000) thumbnails.clear();
    thumbnails.set(key, image);
  }
  context.imageSmoothingEnabled = false;
  context.drawImage(image, x, y, size, size);
}

/** Connect the panel. */
export function connectMemory(settings, announce) {
  const gallery = new Gallery(settings);
  const [slider, number] = [byId("count-slider"), byId("count")];
  const change = (count) => settings.set({ count, step: -1 });
  let timer = 0;
  slider.addEventListener("input", () => {
    const count = countsOf(settings.values)[Number(slider.value)];
    clearTimeout(timer);
    if (learningWork({ ...settings.values, count }) <= QUICK) return change(count);
    number.value = count;
    timer = setTimeout(change, REST, count);
  });
  number.addEventListener("change", () => change(typedCount(number, settings.values)));
  connectUpload(settings, announce);
  byId("forget").addEventListener("click", () =>
    settings.set({ own: "", step: -1, source: 0, cue: "" }),
  );
  settings.listen((values) => {
    showControls(values);
    const counts = countsOf(values);
    const stored = values.count;
    const own = ownPictures(values).length;
    slider.max = counts.length - 1;
    slider.value = counts.findLastIndex((count) => count <= stored);
    slider.setAttribute("aria-valuetext", `${stored} pictures`);
    Object.assign(number, { min: counts[0], max: counts.at(-1), value: stored });
    byId("own-count").textContent = own ? `and ${own} of your own` : "";
    byId("forget").disabled = own === 0;
    gallery.show(values);
  });
}

/** Return the numbers of pictures on the slider; none but own ones are possible if there are any. */
function countsOf(values) {
  const most = mostPictures(values.data);
  const counts = COUNTS.filter((count) => count < most);
  return [...(ownPictures(values).length ? [0] : []), ...counts, most];
}

const typedCount = ({ valueAsNumber }, { count }) =>
  Number.isFinite(valueAsNumber) ? Math.round(valueAsNumber) : count;
