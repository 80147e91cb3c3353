/** The panel Explore: five views of the present memory and cue, of which one is shown. */

import { basinView } from "./basin.js";
import { betaView } from "./beta_view.js";
import { compareView } from "./compare.js";
import { connectSegments, element, markSegments } from "./elements.js";
import { colour } from "./canvas.js";
import { Job } from "./jobs.js";
import { viewFor } from "./library_view.js";
import { landscapeView } from "./landscape.js";
import { nameOf, picturesOf } from "./model.js";
import { reasonsOf, remediesOf, targetOf } from "./why.js";

const MOST_REMEDIES = 5;

const VIEWS = {
  beta: betaView,
  compare: compareView,
  landscape: landscapeView,
  basin: basinView,
  why: whyView,
};

function whyView(body, settings) {
  const list = element("ul", { class: "reasons" });
  const title = element("h3");
  const remedies = element("div", { class: "remedies" });
  body.append(
    element("p", { class: "hint" }, "Why did this cue end where it did?"),
    list,
    title,
    remedies,
  );
  return (values, job) => {
    job.start(function* findRemedies() {
      list.replaceChildren(...reasonsOf(values).map((reason) => element("li", {}, reason)));
      title.textContent = "";
      remedies.replaceChildren();
      yield;
      const found = [];
      for (const remedy of remediesOf(values)) {
        if (remedy && found.length < MOST_REMEDIES) found.push(remedy);
        yield;
      }
      const target = targetOf(values);
      const name = nameOf(picturesOf(values)[target], target);
      if (found.length) title.textContent = `Any one of these brings ${name} back`;
      remedies.replaceChildren(
        ...found.map(({ text, changes }) =>
          element(
            "div",
            {},
            element("span", {}, text),
            element(
              "button",
              {
                type: "button",
                "aria-label": `Try: ${text}`,
                onclick: () => settings.set({ ...changes, step: -1 }),
              },
              "Try",
            ),
          ),
        ),
      );
    });
  };
}

/** Connect the panel. */
export function connectExplore(settings) {
  const body = document.getElementById("explore-body");
  const tabs = document.getElementById("tabs");
  const job = new Job();
  let shown = null;
  let update = null;
  let before = "";
  connectSegments(tabs, (button) => settings.set({ explore: button.dataset.tab }));
  settings.listen((values) => {
    markSegments(tabs, ({ dataset }) => dataset.tab === values.explore, "aria-selected");
    body.setAttribute("aria-label", tabs.querySelector("[aria-selected=true]").textContent);
    const view = viewFor(values, VIEWS[values.explore]);
    if (shown !== view) {
      shown = view;
      before = "";
      body.replaceChildren();
      update = view(body, settings);
    }
    // Steps of the animation and pages of a tour change nothing here.
    const now = JSON.stringify([
      { ...values, step: 0, tour: 0, page: 0 },
      body.clientWidth,
      colour("ink"),
    ]);
    if (now === before) return;
    before = now;
    job.stop();
    update(values, job);
  });
}
