/** Start the page: read the address, connect the panels, and keep the address in step. */

import { readColours } from "./canvas.js";
import { compareCase } from "./conformance.js";
import { connectCue } from "./cue_panel.js";
import { connectExplore } from "./explore.js";
import { connectHelp } from "./help.js";
import { connectControls, connectMemory } from "./memory_panel.js";
import { allDigits, answerOf, loadSets, tidied } from "./model.js";
import { pythonOf } from "./python.js";
import { connectServer, libraryAnswer, servedSettings } from "./library.js";
import { connectRetrieval } from "./retrieval_panel.js";
import { DEFAULTS, hashOf, Settings, settingsFrom } from "./settings.js";
import { connectShare, connectTheme } from "./share.js";
import { TOURS } from "./tour_texts.js";
import { connectTours } from "./tours.js";
import { verdictOf } from "./verdict.js";

const ADDRESS_DELAY = 250;
const TOAST = 2500;

function announcer() {
  const toast = document.getElementById("toast");
  let timer = 0;
  return (text) => {
    clearTimeout(timer);
    toast.hidePopover();
    toast.showPopover(); // above an open dialog
    toast.textContent = text;
    timer = setTimeout(() => toast.hidePopover(), TOAST);
  };
}

async function start() {
  loadSets(document.getElementById("digits").textContent);
  const announce = announcer();
  await connectServer().catch(({ message }) => announce(message));
  const given = settingsFrom(location.hash);
  const settings = new Settings(location.hash ? given : { ...given, ...servedSettings() }, tidied);
  const showTheme = connectTheme(settings);
  settings.listen((values) => {
    showTheme(values);
    readColours();
  });
  connectControls(settings);
  connectMemory(settings, announce);
  const panels = { cue: connectCue(settings, announce), retrieval: connectRetrieval(settings) };
  connectShare(settings, announce, panels);
  connectExplore(settings);
  connectTours(settings, connectHelp());
  keepAddress(settings);
  const redraw = () => settings.set({});
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  settings.flush();
  // For tests, and for the console.
  globalThis.hopfieldPlayground = {
    settings,
    defaults: DEFAULTS,
    answerOf,
    libraryAnswer,
    verdictOf,
    pythonOf,
    settingsFrom,
    tidied,
    hashOf,
    tours: TOURS,
    compare: (golden) => compareCase(golden, allDigits()),
  };
}

/** Write the settings into the address, and read them when somebody changes it. */
function keepAddress(settings) {
  let timer = 0;
  settings.listen((values) => {
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", `#${hashOf(values)}`), ADDRESS_DELAY);
  });
  addEventListener("hashchange", () => settings.set(settingsFrom(location.hash)));
}

start();
