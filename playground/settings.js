/** The settings of the page: everything that the address holds, and nothing else. */

import { TOURS } from "./tour_texts.js";

const RANGES = {
  beta: [0.01, 100],
  temperature: [0, 3],
  degree: [2, 20],
  k: [1, 20],
  seed: [0, 9999],
};
/** Numbers that are not whole, with the digits that the page shows. */
const ROUNDED = {
  beta: (value) => Number(value.toPrecision(3)),
  temperature: (value) => Number(value.toFixed(2)),
};
const LONGEST_TEXT = 12_000;

export const CHOICES = {
  data: ["digits", "shapes", "random"],
  core: ["page", "library"],
  network: ["classical", "dense", "modern"],
  rule: ["hebbian", "covariance", "pseudo_inverse", "storkey", "perceptron"],
  schedule: ["asynchronous", "synchronous"],
  separation: ["softmax", "sparsemax", "entmax", "topk"],
  interaction: ["softmax", "polynomial", "rectified"],
  similarity: ["euclidean", "dot"],
  hiddenAs: ["unknown", "first", "background"],
  basin: ["flip", "hide"],
  explore: ["beta", "compare", "landscape", "basin", "why"],
  theme: ["auto", "light", "dark"],
};

/** β is a number or "auto". `cue` and `hidden` are letters of levels; empty is pattern `source` and its lower half. */
export const DEFAULTS = Object.freeze({
  data: "digits",
  core: "page",
  count: 10,
  own: "",
  network: "modern",
  rule: "hebbian",
  schedule: "asynchronous",
  temperature: 0,
  separation: "softmax",
  interaction: "softmax",
  degree: 3,
  k: 3,
  similarity: "euclidean",
  beta: 4,
  source: 3,
  cue: "",
  hidden: "",
  hiddenAs: "unknown",
  clamp: true,
  seed: 0,
  step: -1,
  explore: "beta",
  basin: "flip",
  tour: "",
  page: 0,
  theme: "auto",
});

/** Return the settings of a step of a tour; without one, the default ones. */
export function settingsOfStep(tour, page) {
  if (!Object.hasOwn(TOURS, tour)) return { ...DEFAULTS };
  const { steps } = TOURS[tour];
  const at = Math.min(Math.max(0, page), steps.length - 1);
  return { ...DEFAULTS, ...steps[at].set, tour, page: at };
}

/** Return the settings that an address holds; what it does not name or spells wrongly is default. */
export function settingsFrom(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const page = readValue("page", given.get("page") ?? "");
  const settings = settingsOfStep(given.get("tour"), page);
  for (const [name, value] of given) {
    if (Object.hasOwn(DEFAULTS, name) && name !== "tour" && name !== "page") {
      settings[name] = readValue(name, value, settings[name]);
    }
  }
  return settings;
}

function readValue(name, text, standard = DEFAULTS[name]) {
  if (name in CHOICES) return CHOICES[name].includes(text) ? text : standard;
  if (typeof standard === "boolean") {
    return ["true", "false"].includes(text) ? text === "true" : standard;
  }
  if (typeof standard === "string") {
    return text.length <= LONGEST_TEXT && /^[A-Qb-z.]*$/.test(text) ? text : standard;
  }
  if (name === "beta" && text === "auto") return text;
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) return standard;
  const [low, high] = RANGES[name] ?? [-1, 9999];
  const bounded = Math.min(high, Math.max(low, number));
  return name in ROUNDED ? ROUNDED[name](bounded) : Math.round(bounded);
}

/** Return the part of the address behind #: what differs from the defaults, or from the tour. */
export function hashOf(settings) {
  const base = settingsOfStep(settings.tour, settings.page);
  const isChanged = ([name, value]) =>
    name === "tour" || name === "page" ? value !== DEFAULTS[name] : value !== base[name];
  const changed = Object.entries(settings).filter(isChanged);
  return changed.map(([name, value]) => `${name}=${value}`).join("&");
}

/** Holds the settings, and calls all listeners after a change. */
export class Settings {
  /** `tidy` returns settings that fit together; it is applied after every change. */
  constructor(values, tidy = (given) => given) {
    this.tidy = tidy;
    this.values = tidy(values);
    this.listeners = [];
    this.waiting = false;
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  /** Change some settings. Listeners run once before the next frame, however many changes come. */
  set(changes) {
    this.values = this.tidy({ ...this.values, ...changes });
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.waiting = false;
    for (const listener of this.listeners) listener(this.values);
  }
}
