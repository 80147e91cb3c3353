/** The library behind a served page: it answers on data of one's own, and for diagnosis. */

import { encodeLevels, LEVELS } from "./data.js";
import {
  addSet,
  cueOf,
  fitBetaBy,
  networkOptions,
  ownPictures,
  picturesOf,
  sourceOf,
  SWEEPS,
  THERMAL_SWEEPS,
} from "./model.js";
import { CHOICES, DEFAULTS } from "./settings.js";

const KEPT_ANSWERS = 30;
const FIRST_COUNT = 10;
/** Numbers of entries of all patterns, and of one for ±1, up to which Explore is quick here. */
const MOST_ENTRIES = 2 ** 20;
const MOST_UNITS = 1024;

let served = null;
let lastBeta = 1;
const answersOfLibrary = new Map();

/** Return the set of the server, or null for a page without one. */
export const servedSet = () => served;

/** Send a message, and return the answer; an error has the server's reason. */
export async function ask(path, content, type = "application/json") {
  const body = type === "application/json" ? JSON.stringify(content) : content;
  const options = content ? { method: "POST", body, headers: { "Content-Type": type } } : {};
  const response = await fetch(`/api/${path}`, options).catch(() => {
    throw new Error("The server does not answer. Is hopfield play still running?");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** Read the set of the server, where the page has one, and offer it. */
export async function connectServer() {
  if (document.documentElement.dataset.page !== "served") return;
  served = await ask("data");
  const values = unpacked(served.values);
  const size = served.side ** 2;
  const pictures = Array.from({ length: served.total }, () => ({ label: "", levels: null }));
  served.held = values.length / size;
  served.labels.forEach((label, i) => {
    fill(pictures[i], { label, values: values.subarray(i * size, (i + 1) * size) });
  });
  addSet("served", pictures, served.side);
  fitBetaBy((settings) => (usesLibrary(settings) ? betaAnswered(settings) : null));
  CHOICES.data.push("served");
  const text = served.isSquare ? `${served.side} × ${served.side}` : `${served.dim} entries`;
  const option = new Option(`${served.title}, ${text}`, "served");
  document.getElementById("data").prepend(option);
  const notes = document.getElementById("served-notes");
  notes.textContent = served.notes.join(" ");
  notes.hidden = notes.textContent === "";
}

/** Return the light values of a picture that the browser cannot read, as the library reads it. */
export async function lightByLibrary(file, side) {
  if (served?.side !== side) throw new Error(`${file.name} is no picture that this browser can read.`);
  const { light } = await ask("picture", file, "application/octet-stream");
  return Array.from(unpacked(light));
}

/** Return what a served page shows first: its set, as the library computes it. */
export function servedSettings() {
  if (!served) return {};
  const count = Math.min(FIRST_COUNT, served.total);
  const fitting = Object.entries(served.settings).filter(([name]) => name in DEFAULTS);
  return { data: "served", core: "library", count, ...Object.fromEntries(fitting) };
}

/** Fill in the picture of a pattern. Its level says whether it is ink where units are ±1. */
function fill(picture, { label, values }) {
  const level = (value) => {
    const nearest = Math.min(LEVELS, Math.max(0, Math.floor(LEVELS * value + 0.5)));
    return value < 0.5 ? Math.min(LEVELS / 2 - 1, nearest) : nearest;
  };
  Object.assign(picture, { label, values, levels: Uint8Array.from(values, level) });
}

function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** Return why the page cannot compute these settings itself; empty if it can. */
export function limitOf({ data, count, network }) {
  if (data !== "served") return "";
  if (!served.isSquare) return "these rows are no square pictures";
  if (count > served.held) return `it holds the first ${served.held} pictures only`;
  const isLarge = network !== "modern" && served.dim > MOST_UNITS;
  return isLarge || count * served.dim > MOST_ENTRIES ? "these pictures are too large for it" : "";
}

/** Return true where the library computes what the page shows. */
export const usesLibrary = (settings) =>
  settings.data === "served" && (settings.core === "library" || limitOf(settings) !== "");

/** Return the message about the memory of these settings. */
export function memoryQuestion(settings) {
  const pictures = ownPictures(settings).map((levels) => encodeLevels(levels));
  return { network: networkOptions(settings), count: settings.count, pictures };
}

/** Return the message about the cue of these settings. */
export function cueQuestion(settings) {
  const { state, known, clamp, evidence } = cueOf(settings);
  const isThermal = settings.network === "classical" && settings.temperature > 0;
  return {
    ...memoryQuestion(settings),
    cue: Array.from(state),
    known: known && Array.from(known),
    clamp,
    evidence: known ? evidence : "known",
    steps: isThermal ? THERMAL_SWEEPS : SWEEPS,
    seed: settings.seed,
    source: sourceOf(settings),
  };
}

/** Return the answer of the library to these settings, if it has come. */
export const libraryAnswer = (settings) =>
  answersOfLibrary.get(JSON.stringify(cueQuestion(settings))) ?? null;

/** Return β of the library's answer to these settings, or of the answer before. */
function betaAnswered(settings) {
  lastBeta = libraryAnswer(settings)?.beta ?? lastBeta;
  return lastBeta;
}

/** Asks for one answer at a time: what the reader changes meanwhile is asked for next. */
export class Asker {
  constructor(onAnswer) {
    Object.assign(this, { onAnswer, isBusy: false, failure: "", failedKey: "" });
  }

  /** Return the answer to these settings, or null; then it is asked for. */
  answerTo(settings) {
    const question = cueQuestion(settings);
    const key = JSON.stringify(question);
    const answer = answersOfLibrary.get(key);
    if (answer) return answer;
    if (!this.isBusy && this.failedKey !== key) this.ask(settings, question, key);
    return null;
  }

  async ask(settings, question, key) {
    this.isBusy = true;
    try {
      const answer = readAnswer(await ask("retrieve", question), settings);
      answersOfLibrary.set(key, answer);
      if (answersOfLibrary.size > KEPT_ANSWERS) {
        answersOfLibrary.delete(answersOfLibrary.keys().next().value);
      }
      this.failure = this.failedKey = "";
    } catch ({ message }) {
      Object.assign(this, { failure: message, failedKey: key });
    }
    this.isBusy = false;
    this.onAnswer();
  }
}

function readAnswer(answer, settings) {
  const pictures = picturesOf(settings);
  for (const [index, { label, values }] of Object.entries(answer.patterns)) {
    if (!pictures[index].levels) fill(pictures[index], { label, values: unpacked(values) });
  }
  const numbers = (energies) => energies?.map((energy) => energy ?? NaN); // JSON has no infinity
  const [energies, fullEnergies] = [numbers(answer.energies), numbers(answer.fullEnergies)];
  const all = unpacked(answer.states);
  const size = served.side ** 2;
  const states = Array.from({ length: all.length / size }, (_, i) =>
    Float64Array.from(all.subarray(i * size, (i + 1) * size)),
  );
  return { ...answer, states, state: states.at(-1), energies, fullEnergies };
}

/** Say which core computed the answer on the screen. */
export function computedText(settings, answer) {
  if (!usesLibrary(settings)) return "Computed by this page, in JavaScript.";
  return `Computed by the library, in ${answer.milliseconds.toFixed(0)} ms.`;
}
