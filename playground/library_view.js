/** What the library says of a retrieval and of a memory, in the panel Explore. */

import { element } from "./elements.js";
import { ask, cueQuestion, limitOf, memoryQuestion, servedSet, usesLibrary } from "./library.js";

const WAITING = "The library computes …";

/** Show a text of the library: sentences wrap, tables keep their columns. */
function writeReport(target, text) {
  const blocks = text.split("\n\n");
  const isTable = (block) => / {2}/.test(block);
  target.replaceChildren(...blocks.map((block) => element(isTable(block) ? "pre" : "p", {}, block)));
}

/** Build the view of `hopfield.explain` and `hopfield.diagnose`. */
function libraryWhyView(body) {
  const explained = element("div", { class: "report", "aria-label": "Explanation" });
  const diagnosed = element("div", { class: "report", "aria-label": "Diagnosis", hidden: "" });
  const button = element("button", { type: "button" }, "Diagnose the memory");
  let shown = null;
  const show = async (target, path, question, settings) => {
    target.hidden = false;
    writeReport(target, WAITING);
    const text = await ask(path, question).then(
      (answer) => answer.text,
      ({ message }) => message,
    );
    if (shown === settings) writeReport(target, text);
  };
  button.addEventListener("click", () => show(diagnosed, "diagnose", memoryQuestion(shown), shown));
  body.append(
    element("p", { class: "hint" }, "hopfield.explain on this cue, at seed 0; patterns by number."),
    explained,
    element("p", { class: "hint" }, "hopfield.diagnose retrieves from every stored pattern."),
    button,
    diagnosed,
  );
  let timer = 0;
  return (values) => {
    shown = values;
    diagnosed.hidden = true;
    clearTimeout(timer);
    timer = setTimeout(() => show(explained, "explain", cueQuestion(values), values), 300);
  };
}

function limitView(body, settings) {
  const text = element("p");
  const button = element("button", { type: "button" });
  button.addEventListener("click", () => settings.set({ count: servedSet().held, step: -1 }));
  body.append(text, button);
  return (values) => {
    text.textContent = `This view computes in the page, but ${limitOf(values)}.`;
    button.textContent = `Store ${servedSet().held} pictures`;
    button.hidden = limitOf({ ...values, count: servedSet().held }) !== "";
  };
}

/** Return a view for settings that the library computes, or the `view` of the page. */
export function viewFor(values, view) {
  if (values.explore === "why" && usesLibrary(values)) return libraryWhyView;
  return limitOf(values) ? limitView : view;
}
