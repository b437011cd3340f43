// Heat maps and curves of a sequence, one above the other on the same time axis.

import {element, colour} from "./base.js";

const HEIGHT = 84;

const rgb = name =>
  colour(name)
    .match(/[0-9a-f]{2}/gi)
    .map(hex => parseInt(hex, 16));

/** A canvas of rows × steps pixels. rows: arrays of values over time; most: of each row, what is
 *  as dark as it gets. ease: how dark a share of that is. */
function heatMap(rows, most, label, ease = share => share) {
  const canvas = element("canvas", {
    width: rows[0].length,
    height: rows.length,
    role: "img",
    "aria-label": label,
  });
  canvas.style.height = Math.max(26, Math.min(HEIGHT, rows.length * 11)) + "px";
  const context = canvas.getContext("2d");
  const picture = context.createImageData(rows[0].length, rows.length);
  const none = rgb("card");
  const positive = rgb("exc");
  const negative = rgb("inh");
  rows.forEach((row, f) =>
    row.forEach((value, t) => {
      const share = ease(Math.min(1, Math.abs(value) / (most[f] || 1)));
      const end = value < 0 ? negative : positive;
      const at = 4 * (f * row.length + t);
      for (let k = 0; k < 3; k++) picture.data[at + k] = none[k] + (end[k] - none[k]) * share;
      picture.data[at + 3] = 255;
    }),
  );
  context.putImageData(picture, 0, 0);
  return canvas;
}

/** Curves over time steps, each {values, class}. Null leaves a gap; a single value is a dot. */
function curves(steps, series, label, span = null) {
  const values = series
    .flatMap(one => one.values)
    .filter(value => value !== null && Number.isFinite(value));
  const [low, high] = span ?? [Math.min(...values), Math.max(...values)];
  const room = span ? 0 : (high - low || 1) * 0.08;
  const x = t => ((t + 0.5) * 1000) / steps;
  const y = value => 96 - (92 * (value - low + room)) / (high - low + 2 * room);
  const svg = element("svg", {
    viewBox: "0 0 1000 100",
    preserveAspectRatio: "none",
    class: "curves",
    role: "img",
    "aria-label": label,
  });
  svg.style.height = HEIGHT + "px";
  for (const one of series) {
    let pen = "M";
    let d = "";
    one.values.forEach((value, t) => {
      if (value === null || !Number.isFinite(value)) return void (pen = "M");
      const alone = pen === "M" && (one.values[t + 1] ?? null) === null;
      d += `${pen}${x(t)},${y(value)}` + (alone ? "h.01" : "");
      pen = "L";
    });
    svg.append(
      element("path", {
        d,
        class:
          one.class + (one.values.filter(value => value !== null).length === 1 ? " alone" : ""),
      }),
    );
  }
  return svg;
}

/** States in the principal plane of the intact network. runs: states from rest on; the moving
 *  run first. */
function plane(view, runs, label) {
  const project = v =>
    view.axes.map(axis => axis.reduce((sum, a, i) => sum + a * (v[i] - view.middle[i]), 0));
  const paths = runs.map(states =>
    states.map(v => {
      const [a, b = 0] = project(v);
      return [a, b];
    }),
  );
  const all = paths.flat();
  const [width, height] = [260, 170];
  const [xs, ys] = [0, 1].map(k => all.map(point => point[k]));
  const reach = (values, size) => [
    (Math.min(...values) + Math.max(...values)) / 2,
    (Math.max(...values) - Math.min(...values) || 1e-9) / (size - 24),
  ];
  const [[cx, sx], [cy, sy]] = [reach(xs, width), reach(ys, height)];
  const s = Math.max(sx, sy);
  const at = ([a, b]) => [width / 2 + (a - cx) / s, height / 2 - (b - cy) / s];
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "plane",
    role: "img",
    "aria-label": label,
  });
  paths.forEach((path, k) =>
    svg.prepend(element("path", {d: "M" + path.map(at).join("L"), class: k ? "ghost" : "now"})),
  );
  const [x0, y0] = at(paths[0][0]);
  const dot = element("circle", {r: 5.5, class: "now"});
  svg.append(element("circle", {cx: x0, cy: y0, r: 3.5, class: "start"}), dot);
  return {
    svg,
    move: t => {
      const [cx, cy] = at(paths[0][t + 1]);
      dot.style.transform = `translate(${cx}px,${cy}px)`;
    },
  };
}

/** Norm of the gradient of the last output by lag, in powers of ten. */
function gradient({log_norms: logs}) {
  const tens = logs.map(value => value / Math.LN10);
  const [width, height] = [260, 170];
  const low = Math.min(-1, ...tens);
  const high = Math.max(1, ...tens);
  const x = lag => 34 + ((width - 40) * lag) / Math.max(1, tens.length - 1);
  const y = value => 10 + ((height - 38) * (high - value)) / (high - low);
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "plane",
    role: "img",
    "aria-label": "norm of the gradient by lag",
  });
  const sparse = Math.max(1, Math.ceil((high - low) / 4));
  for (let ten = Math.ceil(low); ten <= high; ten++)
    if (ten % sparse === 0)
      svg.append(
        element("line", {class: "grid", x1: 34, x2: width - 6, y1: y(ten), y2: y(ten)}),
        element(
          "text",
          {x: 28, y: y(ten) + 4, "text-anchor": "end"},
          ten ? `10${superscript(ten)}` : "1",
        ),
      );
  svg.append(
    element("path", {
      class: "now",
      d: "M" + tens.map((value, lag) => `${x(lag)},${y(value)}`).join("L"),
    }),
    element("text", {x: 34, y: height - 8}, "0"),
    element(
      "text",
      {x: width - 6, y: height - 8, "text-anchor": "end"},
      `${tens.length - 1} steps earlier`,
    ),
  );
  return svg;
}

/** A small number as a power of ten, "3 · 10⁻⁷". */
function power(value) {
  const [digit, ten] = value.toExponential(0).split("e");
  return value ? `${digit} · 10${superscript(Number(ten))}` : "0";
}
const superscript = n =>
  [...String(n)].map(digit => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])).join("");

export {heatMap, curves, plane, gradient, power};
