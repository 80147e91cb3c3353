/** Share what is on screen: the address, a picture, and a script. */

import { pythonOf } from "./python.js";
import { hashOf } from "./settings.js";
import { sheetOf } from "./sheet.js";

const byIdOfShare = (id) => document.getElementById(id);
const LINK = "The link is copied: it opens the page as it is now.";
const LOCAL_LINK =
  "The link is copied. It leads to a file on this computer: for others, put the file on a web server.";
const THEMES = { auto: "light", light: "dark", dark: "auto" };

async function copy(text, announce, done) {
  try {
    await navigator.clipboard.writeText(text);
    announce(done);
  } catch {
    // Without a clipboard, as in some frames: select the text of a field.
    const field = document.createElement("textarea");
    field.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    announce(isCopied ? done : "The browser does not let the page copy.");
  }
}

function savePicture(sheet) {
  const link = document.createElement("a");
  link.download = "hopfield-playground.png";
  link.href = sheet.toDataURL("image/png");
  link.click();
}

/** Connect the button of the theme, and return the function that shows the theme. */
export function connectTheme(settings) {
  const button = byIdOfShare("theme");
  button.addEventListener("click", () => settings.set({ theme: THEMES[settings.values.theme] }));
  const show = ({ theme }) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme === "auto" ? "as the system" : theme}`);
  };
  return show;
}

/** Connect the buttons that share; `panels` are {cue, retrieval}. */
export function connectShare(settings, announce, panels) {
  const dialog = byIdOfShare("python");
  const text = byIdOfShare("python-text");
  byIdOfShare("share-link").addEventListener("click", () => {
    // The address itself follows a change a little later.
    const link = `${location.href.split("#")[0]}#${hashOf(settings.values)}`;
    copy(link, announce, location.protocol === "file:" ? LOCAL_LINK : LINK);
  });
  byIdOfShare("share-png").addEventListener("click", () =>
    savePicture(sheetOf(settings.values, panels)),
  );
  byIdOfShare("share-python").addEventListener("click", () => {
    text.textContent = pythonOf(settings.values);
    dialog.showModal();
  });
  byIdOfShare("python-copy").addEventListener("click", () =>
    copy(text.textContent, announce, "The script is copied."),
  );
  byIdOfShare("python-close").addEventListener("click", () => dialog.close());
  // A click beside the dialog closes it: the dialog itself is then the target.
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
}
