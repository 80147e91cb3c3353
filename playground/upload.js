/** Own pictures: chosen, dropped or pasted files, read as levels and stored. */

import { LEVELS } from "./data.js";
import { lightByLibrary } from "./library.js";
import { hasInk, MOST_OWN, mostPictures, ownPictures, ownText, SIDES } from "./model.js";

const OPAQUE = 128;

const luminance = (pixels, at) =>
  (0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2]) / 255;

/** Return the centre of an image as `side` × `side` pixels of red, green, blue and alpha. */
function pixelsOf(bitmap, side, background) {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (background) {
    context.fillStyle = background;
    context.fillRect(0, 0, side, side);
  }
  const cut = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - cut) / 2, (bitmap.height - cut) / 2];
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, cut, cut, 0, 0, side, side);
  return context.getImageData(0, 0, side, side).data;
}

/** Return the colour behind the transparent parts of a picture: unlike what is drawn there. */
function backgroundOf(pixels) {
  const drawn = [];
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] >= OPAQUE) drawn.push(luminance(pixels, at));
  }
  const mean = drawn.reduce((sum, light) => sum + light, 0) / Math.max(1, drawn.length);
  return drawn.length < pixels.length / 4 && mean > 0.5 ? "black" : "white";
}

/** Return the levels of light values: the side of most of the edge is paper, the other is ink. */
export function levelsOfLight(light, side) {
  const [low, high] = [Math.min(...light), Math.max(...light)];
  if (high === low) return new Uint8Array(light.length);
  const bright = light.map((value) => (value - low) / (high - low));
  const isEdge = (at) => at < side || at >= side * (side - 1) || at % side === 0 || at % side === side - 1;
  const edge = bright.filter((_, at) => isEdge(at)).toSorted((a, b) => a - b);
  const isDark = edge[Math.floor(edge.length / 2)] < 0.5;
  return Uint8Array.from(bright, (value) => Math.round(LEVELS * (isDark ? value : 1 - value)));
}

async function levelsOfFile(file, side) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return levelsOfLight(await lightByLibrary(file, side), side);
  const background = backgroundOf(pixelsOf(bitmap, side, null));
  const pixels = pixelsOf(bitmap, side, background);
  bitmap.close();
  const light = Array.from({ length: side * side }, (_, at) => luminance(pixels, 4 * at));
  return levelsOfLight(light, side);
}

/** Add pictures of one's own to the memory; the last one becomes the cue. */
export function addOwn(settings, pictures) {
  const { values } = settings;
  const own = [...ownPictures(values), ...pictures].slice(-MOST_OWN);
  const source = mostPictures(values.data) + own.length - 1;
  settings.set({ own: ownText(own), source, cue: "", step: -1 });
}

async function store(settings, files, announce) {
  const pictures = [];
  for (const file of [...files].slice(0, MOST_OWN)) {
    try {
      const levels = await levelsOfFile(file, SIDES[settings.values.data]);
      if (hasInk(levels)) pictures.push(levels);
      else announce(`${file.name} has one colour only: there is nothing to store.`);
    } catch ({ message }) {
      announce(message);
    }
  }
  if (pictures.length) addOwn(settings, pictures);
}

/** Take files from the button, from a drop on the page, and from the clipboard. */
export function connectUpload(settings, announce) {
  const input = document.getElementById("upload");
  input.addEventListener("change", async () => {
    await store(settings, input.files, announce);
    input.value = "";
  });
  const take = (event, transfer) => {
    if (!transfer?.types.includes("Files")) return;
    event.preventDefault();
    if (event.type !== "dragover") store(settings, transfer.files, announce);
  };
  for (const kind of ["dragover", "drop"]) {
    addEventListener(kind, (event) => take(event, event.dataTransfer));
  }
  addEventListener("paste", (event) => take(event, event.clipboardData));
}
