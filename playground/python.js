/** "Show me the Python": a script that repeats with the library what the page shows. */

import { LEVELS } from "./data.js";
import {
  cueOf,
  drawnCue,
  ownPictures,
  SIDES,
  sourcePicture,
  SWEEPS,
  THERMAL_SWEEPS,
} from "./model.js";
import { servedSet } from "./library.js";
import { PASSES } from "./rules.js";
import { shapePictures } from "./shapes.js";

const indent = (text) => text.replace(/^/gm, "    ");
const rowsOfText = (cells, side) =>
  cells
    .join("")
    .match(new RegExp(`.{${side}}`, "g"))
    .join("\n");

function pictureText(levels, side) {
  const cells = Array.from(levels, (level) => level.toString(LEVELS + 1));
  return `picture("""\n${indent(rowsOfText(cells, side))}\n""")`;
}

const PERCEPTRON = `Perceptron(symmetric=True, passes=${PASSES})`;

const float = (value) => (Number.isInteger(value) ? `${value}.0` : `${value}`);

function separationText({ separation, beta, k }) {
  const texts = {
    softmax: `Softmax(beta=${float(beta)})`,
    sparsemax: `Sparsemax(beta=${float(beta)})`,
    entmax: `Entmax(alpha=1.5, beta=${float(beta)})`,
    topk: `TopK(k=${k}, beta=${float(beta)})`,
  };
  return texts[separation];
}

function interactionText({ interaction, beta, degree }) {
  const texts = {
    softmax: `Softmax(beta=${float(beta)})`,
    polynomial: `Polynomial(degree=${degree})`,
    rectified: `RectifiedPolynomial(degree=${degree})`,
  };
  return texts[interaction];
}

function memoryText(settings) {
  const { network, rule, schedule, temperature, similarity } = settings;
  if (network === "classical") {
    const thermal = temperature > 0 ? `, temperature=${float(temperature)}` : "";
    const learned = rule === "perceptron" ? PERCEPTRON : `"${rule}"`;
    return `ClassicalHopfield(${learned}, schedule="${schedule}"${thermal})`;
  }
  if (network === "dense") {
    return `DenseHopfield(separation=${interactionText(settings)}, schedule="${schedule}")`;
  }
  const last = `similarity="${similarity}"`;
  if (settings.beta !== "auto") {
    return `ModernHopfield(separation=${separationText(settings)}, ${last})`;
  }
  // The β of the separation is replaced by the one that fits.
  const fitted = `beta="auto", separation=${separationText({ ...settings, beta: 1 })}`;
  return `ModernHopfield(${fitted}, ${last})`;
}

function imagesText(settings) {
  const { data, count: used } = settings;
  const own = ownPictures(settings);
  const parts = [];
  if (data === "digits" && used > 0) {
    parts.push(`data.load("digits").images[:${used}].flatten(1).double()`);
  } else if (data === "served" && used > 0) {
    parts.push(`(${servedSet().script})[:${used}].double()`);
  } else if (data === "random" && used > 0) {
    const size = SIDES.random ** 2;
    const draw = `torch.rand(200, ${size}, dtype=torch.float64, generator=source)`;
    parts.push(`(${draw} >= 0.5).double()[:${used}]`);
  }
  const drawn = data === "shapes" ? shapePictures(SIDES.shapes).slice(0, used) : [];
  const levels = [...drawn.map((shape) => shape.levels), ...own];
  const texts = levels.map((each) => pictureText(each, SIDES[data]) + cropOf(data));
  if (texts.length) parts.push(`torch.stack([${texts.join(", ")}])`);
  return parts.length === 1 ? parts[0] : `torch.cat([\n${parts.join(",\n")},\n])`;
}

/** Return the part of a square that holds the entries of a served set; empty for all of it. */
const cropOf = (data) => (data === "served" ? servedSet().crop : "");

function maskText(name, mask, { data }) {
  const cells = Array.from(mask, (value) => (value ? "#" : "."));
  const pixels = 'pixel == "#" for pixel in "".join(mask.split())';
  const text = `mask = """\n${indent(rowsOfText(cells, SIDES[data]))}\n"""`;
  return `${text}\n${name} = torch.tensor([${pixels}])${cropOf(data)}`;
}

/** Return lines that give the pixels of a served picture that were not drawn their exact values. */
function exactLines(settings, hidden) {
  if (settings.data !== "served" || !sourcePicture(settings)?.values) return [];
  const lines = [
    `source = (${servedSet().script})[${settings.source}].double()`,
    `levels = (${LEVELS} * source + 0.5).floor()`,
    `levels = torch.where(source < 0.5, levels.clamp_max(${LEVELS / 2 - 1}), levels)`,
    `images = torch.where(levels == ${LEVELS} * images, source, images)  # exact values`,
  ];
  if (settings.hiddenAs !== "background" || !hidden.some(Boolean)) return lines;
  const shown = maskText("shown", hidden.map((value) => 1 - value), settings);
  return [...lines, shown, "images = torch.where(shown, images, 0.0)"];
}

const PICTURE = `def picture(levels):
    """Grey levels 0 … 16, one character per pixel: 0 is paper, g is full ink."""
    rows = [[int(level, ${LEVELS + 1}) for level in row] for row in levels.split()]
    return torch.tensor(rows, dtype=torch.float64).flatten() / ${LEVELS}
`;

const SIGNS = "torch.where(images >= 0.5, 1.0, -1.0).double()";

/** Return the script. */
export function pythonOf(settings) {
  const side = SIDES[settings.data];
  const isBinary = settings.network !== "modern";
  const { levels, hidden } = drawnCue(settings);
  const { known, evidence } = cueOf(settings);
  const seen = levels.map((level, i) => (hidden[i] ? 0 : level));
  const memory = memoryText(settings);
  const names = ["Cue", ...memory.match(/[A-Z]\w+(?=\()/g)].filter((x) => x !== "Perceptron");
  const rules = memory.includes("Perceptron") ? "from hopfield.rules import Perceptron\n" : "";
  if (settings.data === "digits") names.push("data");
  if (settings.data === "served") names.push(servedSet().script.match(/data(?=\.load)|load/)[0]);
  const isThermal = settings.network === "classical" && settings.temperature > 0;
  const lines = [
    `import torch\n\nfrom hopfield import ${names.sort(byName).join(", ")}\n${rules}\n`,
    PICTURE,
    ...(settings.data === "random" ? ["\nsource = torch.Generator().manual_seed(0)"] : [""]),
    `images = ${imagesText(settings)}`,
    isBinary ? `patterns = ${SIGNS}  # binary networks` : "patterns = images",
    `memory = ${memory}`,
    "memory.store(patterns)\n",
    `images = ${pictureText(seen, side)}${cropOf(settings.data)}`,
    ...(isBinary ? [] : exactLines(settings, hidden)),
    `state = ${isBinary ? SIGNS : "images"}`,
  ];
  if (known) lines.push(maskText("known", known, settings));
  const options = [
    `Cue(state${known ? ", known" : ""})`,
    ...(known && !settings.clamp ? ["clamp=False"] : []),
    ...(known && evidence === "all" ? ['evidence="all"'] : []),
    `steps=${isThermal ? THERMAL_SWEEPS : SWEEPS}`,
    "trace=True",
    `generator=torch.Generator().manual_seed(${settings.seed})`,
  ];
  lines.push(`\nresult = memory.retrieve(\n${indent(options.join(",\n"))},\n)`);
  lines.push(
    'print("strongest pattern:", int(result.index))',
    'print("energy:", float(result.energy))',
    'print("steps:", int(result.steps), "settled:", bool(result.converged))',
  );
  return `${lines.join("\n")}\n`;
}

const byName = (a, b) => {
  const isLower = (name) => /^[a-z]/.test(name);
  return isLower(a) - isLower(b) || a.localeCompare(b);
};
