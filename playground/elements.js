/** Elements of the page, and groups of buttons that act as one control. */

/** Make an element with attributes and children. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Let a group of buttons be used as one control: a click or an arrow key chooses. */
export function connectSegments(group, choose) {
  const buttons = [...group.querySelectorAll("button")];
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  });
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    choose(next);
  });
}

/** Show which button of a group is chosen. */
export function markSegments(group, isChosen, state = "aria-checked") {
  for (const button of group.querySelectorAll("button")) {
    button.setAttribute(state, String(isChosen(button)));
    button.tabIndex = isChosen(button) ? 0 : -1;
  }
}
