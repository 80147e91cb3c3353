/** Drawing: pictures, charts and maps on canvases, in the colours of the theme. */

let colours = null;

/** Read the colours of the theme; call it after a change of the theme. */
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "ink", "grid", "hatch", "accent", "text", "soft", "line", "warm", "good"];
  names.push("bad", "field", "panel");
  colours = Object.fromEntries(
    names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  );
  colours.levels = Array.from({ length: 65 }, (_, i) => mix(colours.paper, colours.ink, i / 64));
}

export const colour = (name) => colours[name];

function mix(from, to, share) {
  const parts = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  const [low, high] = [parts(from), parts(to)];
  return `rgb(${low.map((value, i) => Math.round(value + share * (high[i] - value))).join()})`;
}

/** Return a colour between paper and ink. */
export function shade(value) {
  return colours.levels[Math.round(64 * Math.min(1, Math.max(0, value)))];
}

const fixedSizes = new WeakMap();

/** Make a canvas outside the page, of a size in CSS pixels, with `ratio` dots per pixel. */
export function canvasOf(width, height, ratio) {
  const canvas = document.createElement("canvas");
  fixedSizes.set(canvas, { width, height, ratio });
  return canvas;
}

/** Fit a canvas to its place on the page, and return {context, width, height} in CSS pixels. */
export function fit(canvas, given = canvas.clientHeight) {
  const onPage = { width: canvas.clientWidth, height: given, ratio: window.devicePixelRatio || 1 };
  const { width, height, ratio } = fixedSizes.get(canvas) ?? onPage;
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Draw a picture into a square; pixels with `unknown` are hatched. */
export function drawSquare(context, x, y, size, values, { unknown = null, grid = false } = {}) {
  const side = Math.sqrt(values.length);
  const edge = (i) => Math.round((i * size) / side);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const at = row * side + column;
      const [left, top] = [x + edge(column), y + edge(row)];
      const [width, height] = [edge(column + 1) - edge(column), edge(row + 1) - edge(row)];
      context.fillStyle = unknown?.[at] ? colours.paper : shade(values[at]);
      context.fillRect(left, top, width, height);
    }
  }
  if (unknown?.some(Boolean)) hatch(context, x, y, size, side, unknown, edge);
  if (grid) drawGrid(context, x, y, size, side, edge);
}

function hatch(context, x, y, size, side, unknown, edge) {
  context.save();
  context.beginPath();
  unknown.forEach((isUnknown, at) => {
    if (!isUnknown) return;
    const [column, row] = [at % side, Math.floor(at / side)];
    const [left, top] = [edge(column), edge(row)];
    context.rect(x + left, y + top, edge(column + 1) - left, edge(row + 1) - top);
  });
  context.clip();
  context.strokeStyle = colours.hatch;
  context.lineWidth = 1.2;
  context.beginPath();
  const gap = Math.max(3, Math.min(8, size / 16));
  for (let offset = -size; offset < size; offset += gap) {
    context.moveTo(x + offset, y + size);
    context.lineTo(x + offset + size, y);
  }
  context.stroke();
  context.restore();
}

function drawGrid(context, x, y, size, side, edge) {
  context.fillStyle = colours.grid;
  for (let i = 1; i < side; i += 1) {
    context.fillRect(x + edge(i), y, 0.5, size);
    context.fillRect(x, y + edge(i), size, 0.5);
  }
}

/** Draw one picture over a whole canvas. */
export function paint(canvas, values, options = {}) {
  const { context, width } = fit(canvas);
  drawSquare(context, 0, 0, width, values, {
    grid: width > 120 && values.length <= 256,
    ...options,
  });
  return { context, width };
}

/** Write a text, cut where it is wider than `room` pixels. */
export function write(context, text, x, y, options = {}) {
  const { align = "left", tone = "soft", size = 11, room = Infinity } = options;
  context.fillStyle = colours[tone];
  context.font = `${size}px system-ui, "DejaVu Sans", sans-serif`;
  context.textAlign = align;
  context.textBaseline = "middle";
  let shown = text;
  while (context.measureText(shown).width > room && shown.length > 2) shown = `${shown.slice(0, -2)}…`;
  context.fillText(shown, x, y);
}

/** Return a number with three digits, for axes and labels. */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3)
    return value.toExponential(1).replace("e+", "e").replace("-", "−");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/**
 * Draw a line of points with axes.
 *
 * @param points [[x, y], …]
 * @param options {range: [low, high] of y, marked: index of a point, labels: [first, last] below,
 *   other: {points, label} of a dashed line}
 */
export function drawLine(
  canvas,
  points,
  { range = null, marked = -1, labels = [], domain = null, other = null } = {},
) {
  const { context, width, height } = fit(canvas);
  const frame = { left: 48, top: 10, right: width - 12, bottom: height - 22 };
  const xs = domain ?? [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))];
  const all = [...points, ...(other?.points ?? [])].map(([, y]) => y);
  let [low, high] = range ?? [Math.min(...all), Math.max(...all)];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const across = (x) =>
    frame.left + (xs[1] > xs[0] ? (x - xs[0]) / (xs[1] - xs[0]) : 0.5) * (frame.right - frame.left);
  const down = (y) => frame.bottom - ((y - low) / (high - low)) * (frame.bottom - frame.top);
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.strokeRect(
    frame.left - 6.5,
    frame.top - 5.5,
    frame.right - frame.left + 13,
    frame.bottom - frame.top + 11,
  );
  write(context, short(high), frame.left - 10, frame.top, { align: "right" });
  write(context, short(low), frame.left - 10, frame.bottom, { align: "right" });
  write(context, labels[0] ?? "", frame.left - 6, height - 7);
  write(context, labels[1] ?? "", frame.right + 6, height - 7, { align: "right" });
  const draw = (line) => {
    context.beginPath();
    line.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](across(x), down(y)));
    context.stroke();
  };
  if (other) {
    const [x, y] = other.points[0];
    context.strokeStyle = colours.soft;
    context.setLineDash([5, 4]);
    draw(other.points);
    context.setLineDash([]);
    write(context, other.label, across(x) + 24, down(y) + (down(y) > height / 2 ? -8 : 6));
  }
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  draw(points);
  points.forEach(([x, y], i) => {
    context.fillStyle = i === marked ? colours.warm : colours.accent;
    context.beginPath();
    context.arc(across(x), down(y), i === marked ? 5 : points.length > 40 ? 1.5 : 3, 0, 7);
    context.fill();
  });
  return { across, down, context, frame };
}
