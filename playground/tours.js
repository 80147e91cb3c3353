/** Tours: each step sets the controls and says where to look. */

import { settingsOfStep } from "./settings.js";
import { TOURS } from "./tour_texts.js";

const HINT = [
  "Draw into the cue, hide a part of it, or choose another picture.",
  "The memory completes it at once. Change the network, β or the number of pictures, and see " +
    "when it fails. A tour shows the way.",
];

const READ_ON =
  "“hopfield demo” repeats both tutorials and checks their claims; “Coming from the two tutorials” " +
  "in the documentation lists their calls beside those of the library.";

const byIdOfTour = (id) => document.getElementById(id);

/** Connect the guide below the header. */
export function connectTours(settings, help) {
  const choice = byIdOfTour("tours");
  for (const [name, { title }] of Object.entries(TOURS)) {
    const option = document.createElement("option");
    option.value = name;
    option.textContent = title;
    choice.append(option);
  }
  const go = (tour, page) =>
    settings.set({ ...settingsOfStep(tour, page), theme: settings.values.theme });
  choice.addEventListener("change", () => {
    if (choice.value) go(choice.value, 0);
    else settings.set({ tour: "", page: 0 });
  });
  byIdOfTour("story-back").addEventListener("click", () =>
    go(settings.values.tour, settings.values.page - 1),
  );
  byIdOfTour("story-next").addEventListener("click", () => {
    const { tour, page } = settings.values;
    if (page + 1 < TOURS[tour].steps.length) go(tour, page + 1);
    else settings.set({ tour: "", page: 0 });
  });
  byIdOfTour("story-close").addEventListener("click", () => settings.set({ tour: "", page: 0 }));
  byIdOfTour("story-source").addEventListener("click", ({ target }) =>
    help.toggle(target, `${TOURS[settings.values.tour].source} ${READ_ON}`),
  );
  settings.listen(({ tour, page }) => show(Object.hasOwn(TOURS, tour) ? tour : "", page));
}

function show(tour, page) {
  byIdOfTour("tours").value = tour;
  byIdOfTour("story-buttons").hidden = !tour;
  byIdOfTour("story").classList.toggle("touring", tour !== "");
  if (!tour) {
    byIdOfTour("story-title").textContent = HINT[0];
    byIdOfTour("story-body").textContent = HINT[1];
    return;
  }
  const { title, steps } = TOURS[tour];
  const at = Math.min(Math.max(0, page), steps.length - 1);
  byIdOfTour("story-title").textContent = `${title}: ${steps[at].title}`;
  byIdOfTour("story-body").textContent = steps[at].text;
  byIdOfTour("story-count").textContent = `${at + 1} of ${steps.length}`;
  byIdOfTour("story-back").disabled = at === 0;
  byIdOfTour("story-next").textContent = at + 1 < steps.length ? "Next" : "Finish";
}
