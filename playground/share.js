/** Share what is on screen: the address, a picture, and a script. */

import { colour, write } from "./canvas.js";
import { pythonOf } from "./python.js";
import { hashOf } from "./settings.js";

const byIdOfShare = (id) => document.getElementById(id);
const LINK = "The link is copied: it opens the page as it is now.";
const LOCAL_LINK =
  "The link is copied. It leads to a file on this computer: for others, put the file on a web server.";
const THEMES = { auto: "light", light: "dark", dark: "auto" };

/** Return a canvas of cue, state, energy and strongest patterns, with the verdict. */
function sheet() {
  const [width, height] = [760, 560];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 2 * width, height: 2 * height });
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  context.fillStyle = colour("panel");
  context.fillRect(0, 0, width, height);
  write(context, "hopfield playground", 24, 26, { tone: "text", size: 16 });
  const places = { cue: [24, 70, 250, 250], state: [300, 70, 250, 250] };
  Object.assign(places, { energy: [24, 390, 340, 150], strongest: [390, 390, 340, 150] });
  for (const [id, place] of Object.entries(places)) {
    context.imageSmoothingEnabled = false;
    context.drawImage(byIdOfShare(id), ...place);
  }
  write(context, "Cue", 24, 56, { size: 13 });
  write(context, "Retrieved", 300, 56, { size: 13 });
  write(context, `Energy ${byIdOfShare("energy-value").textContent}`, 24, 374, { size: 13 });
  write(context, "Strongest patterns", 390, 374, { size: 13 });
  write(context, byIdOfShare("verdict-title").textContent, 24, 342, { tone: "text", size: 15 });
  write(context, byIdOfShare("verdict-text").textContent, 150, 342, { size: 13 });
  return canvas;
}

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

function savePicture() {
  const link = document.createElement("a");
  link.download = "hopfield-playground.png";
  link.href = sheet().toDataURL("image/png");
  link.click();
}

function connectTheme(settings) {
  const button = byIdOfShare("theme");
  button.addEventListener("click", () => settings.set({ theme: THEMES[settings.values.theme] }));
  const show = ({ theme }) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme === "auto" ? "as the system" : theme}`);
  };
  return show;
}

/** Connect the buttons of the header, and return the function that shows the theme. */
export function connectShare(settings, announce) {
  const dialog = byIdOfShare("python");
  const text = byIdOfShare("python-text");
  byIdOfShare("share-link").addEventListener("click", () => {
    // The address itself follows a change a little later.
    const link = `${location.href.split("#")[0]}#${hashOf(settings.values)}`;
    copy(link, announce, location.protocol === "file:" ? LOCAL_LINK : LINK);
  });
  byIdOfShare("share-png").addEventListener("click", savePicture);
  byIdOfShare("share-python").addEventListener("click", () => {
    text.textContent = pythonOf(settings.values);
    dialog.showModal();
  });
  byIdOfShare("python-copy").addEventListener("click", () =>
    copy(text.textContent, announce, "The script is copied."),
  );
  byIdOfShare("python-close").addEventListener("click", () => dialog.close());
  return connectTheme(settings);
}
