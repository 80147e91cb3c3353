/** Explanations: a button "?" beside a name shows one, for mouse, finger, keyboard and reader. */

import { element } from "./elements.js";

const GAP_OF_HELP = 8;

/** The one box that shows an explanation, and the button that opened it. */
class Help {
  constructor(box) {
    this.box = box;
    this.button = null;
  }

  toggle(button, text) {
    const isOpen = this.button === button;
    this.close();
    if (isOpen) return;
    this.button = button;
    this.box.textContent = text;
    this.box.showPopover();
    this.place(button.getBoundingClientRect());
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-describedby", this.box.id);
  }

  close() {
    if (!this.button) return;
    this.box.hidePopover();
    this.button.setAttribute("aria-expanded", "false");
    this.button.removeAttribute("aria-describedby");
    this.button = null;
  }

  /** Place the box below the button, or above it where there is no room. */
  place({ left, top, bottom }) {
    const { width, height } = this.box.getBoundingClientRect();
    const x = Math.max(GAP_OF_HELP, Math.min(innerWidth - width - GAP_OF_HELP, left - 20));
    const isBelow = bottom + height + GAP_OF_HELP < innerHeight;
    const y = isBelow ? bottom + 4 : Math.max(GAP_OF_HELP, top - height - 4);
    this.box.style.left = `${x + scrollX}px`; // it moves with the page
    this.box.style.top = `${y + scrollY}px`;
  }
}

/** Put a button beside every element with `data-help`; return the box for others. */
export function connectHelp() {
  const help = new Help(document.getElementById("help"));
  for (const named of document.querySelectorAll("[data-help]")) {
    const button = element("button", {
      type: "button",
      class: "help",
      "aria-label": `About ${named.textContent.trim()}`,
      "aria-expanded": "false",
      onclick: () => help.toggle(button, named.dataset.help),
    });
    button.textContent = "?";
    const both = element("div", { class: "name" });
    named.replaceWith(both);
    both.append(named, button);
  }
  document.addEventListener("pointerdown", ({ target }) => {
    if (!target.closest(".help, .asks-help")) help.close();
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") help.close();
  });
  addEventListener("resize", () => help.close());
  return help;
}
