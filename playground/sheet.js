/** The picture that is saved: cue, state, energy and strongest patterns, drawn at its own size. */

import { canvasOf, colour, fit, write } from "./canvas.js";
import { betaOf, ownPictures } from "./model.js";

const WIDTH = 800;
const HEIGHT = 640;
/** Dots per pixel of the saved picture, whatever the screen has. */
const RATIO = 3;

const chosen = (id) => document.getElementById(id).selectedOptions[0].textContent;

/** Return what the network and the cue are, in one line. */
export function summaryOf(settings) {
  const { network, data, count, interaction, separation, temperature, k, degree } = settings;
  const own = ownPictures(settings).length;
  const parts = [`${count} ${data}${own ? ` and ${own} own` : ""}`, `${network} network`];
  if (network === "classical") {
    parts.push(chosen("rule"), `units ${chosen("schedule")}`);
    if (temperature > 0) parts.push(`T = ${temperature}`);
  } else if (network === "dense") {
    parts.push(chosen("interaction"), `units ${chosen("schedule")}`);
  } else {
    parts.push(separation === "topk" ? `top-${k}` : chosen("separation"), chosen("similarity"));
  }
  if (network === "dense" && interaction !== "softmax") parts.push(`degree ${degree}`);
  else if (network !== "classical") parts.push(`β = ${Number(betaOf(settings).toPrecision(3))}`);
  return [...parts, `hidden pixels ${chosen("hidden-as")}`].join(" · ");
}

/** Write a text in lines of at most `width` pixels. */
function writeLines(context, text, x, y, width, options) {
  let line = "";
  let top = y;
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    context.font = `${options.size}px system-ui, "DejaVu Sans", sans-serif`;
    if (line && context.measureText(longer).width > width) {
      write(context, line, x, top, options);
      top += options.size + 5;
      line = word;
    } else line = longer;
  }
  write(context, line, x, top, options);
}

/**
 * Return a canvas of what is on screen.
 *
 * @param panels {cue, retrieval}: they draw what they show on other canvases
 */
export function sheetOf(settings, { cue, retrieval }) {
  const sheet = canvasOf(WIDTH, HEIGHT, RATIO);
  const { context } = fit(sheet);
  context.fillStyle = colour("panel");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  const place = (draw, x, y, width, height) => {
    const canvas = canvasOf(width, height, RATIO);
    draw(canvas);
    context.drawImage(canvas, x, y, width, height);
  };
  const textOf = (id) => document.getElementById(id).textContent;
  write(context, "hopfield playground", 24, 26, { tone: "text", size: 17 });
  writeLines(context, summaryOf(settings), 24, 52, WIDTH - 48, { size: 13 });
  write(context, `Cue ${textOf("cue-source")}`, 24, 92, { size: 13 });
  write(context, `Retrieval: ${textOf("step-label")}`, 412, 92, { size: 13 });
  place((canvas) => cue.draw(canvas), 24, 106, 264, 264);
  place((canvas) => retrieval.drawState(canvas), 412, 106, 264, 264);
  const verdict = `${textOf("verdict-title")} ${textOf("verdict-mark")}`;
  write(context, verdict, 24, 392, { tone: "text", size: 15 });
  writeLines(context, textOf("verdict-text"), 24, 414, WIDTH - 48, { size: 13 });
  write(context, `Energy ${textOf("energy-value")}`, 24, 462, { size: 13 });
  write(context, `Strongest patterns: ${textOf("weights-kind")}`, 412, 462, { size: 13 });
  place((canvas) => retrieval.drawEnergy(canvas), 24, 476, 364, 140);
  place((canvas) => retrieval.drawStrongest(canvas), 412, 476, 364, 140);
  return sheet;
}
