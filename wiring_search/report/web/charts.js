// Scales, axes and the lines of charts.

import {element, show, words, known} from "./base.js";

function extent(values) {
  let least = Infinity;
  let most = -Infinity;
  for (const x of values) {
    if (!known(x)) continue;
    if (x < least) least = x;
    if (x > most) most = x;
  }
  return [least, most];
}

// Whether values spread so far that a logarithm shows them better.
function spreads(values) {
  const [least, most] = extent(values);
  return least > 0 && most / least >= 6;
}

// From values to positions on the page: `from` stands at `low`, `to` at `high`.
function scaleBetween(from, to, low, high, log = false) {
  const bend = log ? Math.log : x => x;
  const unbend = log ? Math.exp : x => x;
  const a = bend(from);
  const b = bend(to);
  const position = x => low + ((bend(x) - a) / (b - a)) * (high - low);
  return Object.assign(position, {
    from,
    to,
    log,
    back: spot => unbend(a + ((spot - low) / (high - low)) * (b - a)),
    ticks: log ? logTicks(from, to) : linearTicks(from, to),
    holds: x => known(x) && (!log || x > 0) && x >= from && x <= to,
  });
}

// A scale that holds all values, with a little room. log: by default, whether they spread far. A
// logarithmic scale leaves out what is not positive.
function scale(values, low, high, log = spreads(values)) {
  const [least, most] = extent(log ? values.filter(x => x > 0) : values);
  if (least > most) return scaleBetween(0, 1, low, high);
  const bend = log ? Math.log : x => x;
  const unbend = log ? Math.exp : x => x;
  const room = (bend(most) - bend(least) || Math.abs(bend(most)) || 1) * 0.06;
  return scaleBetween(unbend(bend(least) - room), unbend(bend(most) + room), low, high, log);
}

function linearTicks(from, to) {
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough * 0.999);
  const ticks = [];
  for (let x = Math.ceil(from / step) * step; x <= to; x += step)
    ticks.push(Number(x.toPrecision(12)));
  return ticks;
}

function logTicks(from, to) {
  const decades = Math.log10(to / from);
  const kept = decades > 4 ? [1] : decades > 2.2 ? [1, 3] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++)
    for (const m of kept)
      if (m * 10 ** power >= from && m * 10 ** power <= to)
        ticks.push(Number((m * 10 ** power).toPrecision(3)));
  return ticks.length >= 3 ? ticks : linearTicks(from, to).filter(x => x > 0);
}

// An empty chart: {svg, box}. box: the edges of its plane.
function chart(width, height, label, role = "img") {
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, role, "aria-label": label});
  return {svg, box: {left: 54, right: width - 12, top: 28, bottom: height - 46}};
}

function axes(svg, x, y, box, xName, yName) {
  for (const at of y.ticks) {
    svg.append(
      element("line", {class: "grid", x1: box.left, x2: box.right, y1: y(at), y2: y(at)}),
      element("text", {x: box.left - 8, y: y(at) + 4, "text-anchor": "end"}, show(at)),
    );
  }
  let last = -Infinity;
  for (const at of x.ticks) {
    const text = show(at);
    const half = text.length * 3.5;
    if (x(at) - half < last + 4) continue; // one label does not run into another
    last = x(at) + half;
    svg.append(
      element("line", {class: "tick", x1: x(at), x2: x(at), y1: box.bottom, y2: box.bottom + 4}),
      element("text", {x: x(at), y: box.bottom + 19, "text-anchor": "middle"}, text),
    );
  }
  svg.append(
    element("line", {class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom}),
    element(
      "text",
      {class: "title", x: box.right, y: box.bottom + 40, "text-anchor": "end"},
      xName,
    ),
    element("text", {class: "title", x: 0, y: box.top - 12}, yName),
  );
}

// Stairs through points: each value holds until the next one.
const stairs = points =>
  points.map(([x, y], i) => (i === 0 ? `M${x},${y}` : `H${x}V${y}`)).join("");
const polyline = points => points.map(([x, y], i) => `${i ? "L" : "M"}${x},${y}`).join("");

// The width of a picture: on a phone not more than a card holds, so that its texts are not shrunk.
const fitted = widest => Math.min(widest, Math.max(300, document.body.clientWidth - 64));

// A small chart of lines with common axes. lines: {points: [[x, y], …], class, name}. marks: points
// drawn as dots.
function lineChart({
  width: widest = 480,
  height = 250,
  label,
  xName,
  yName,
  lines,
  marks = [],
  logX,
  logY,
  step = false,
  bounds = [],
}) {
  const {svg, box} = chart(fitted(widest), height, label);
  const points = lines.flatMap(line => line.points).concat(marks);
  const x = scale(
    points.map(p => p[0]),
    box.left,
    box.right,
    logX ?? false,
  );
  const y = scale(points.map(p => p[1]).concat(bounds), box.bottom, box.top, logY);
  axes(svg, x, y, box, xName, yName);
  for (const line of lines) {
    const shown = line.points
      .filter(([a, b]) => x.holds(a) && y.holds(b))
      .map(([a, b]) => [x(a), y(b)]);
    svg.append(
      element(
        "path",
        {class: "line " + (line.class ?? ""), d: (step ? stairs : polyline)(shown)},
        element("title", {}, line.name ?? label),
      ),
    );
  }
  for (const [a, b] of marks)
    if (x.holds(a) && y.holds(b))
      svg.append(element("circle", {class: "mark", cx: x(a), cy: y(b), r: 3.5}));
  return Object.assign(svg, {scales: {x, y, box}});
}

// A chart of named rows: an empty SVG, the scale of its values, and the height of each row.
function rowChart(names, label, from, to, widest = 520, log = false) {
  const width = fitted(widest);
  const line = 22;
  const left = width < 420 ? 128 : 150;
  const height = 26 + names.length * line;
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label});
  const x = scaleBetween(from, to, left, width - 12, log);
  const y = i => 14 + i * line;
  for (const at of x.ticks)
    svg.append(
      element("line", {class: "grid", x1: x(at), x2: x(at), y1: 0, y2: height - 20}),
      element("text", {x: x(at), y: height - 4, "text-anchor": "middle"}, show(at)),
    );
  names.forEach((name, i) =>
    svg.append(
      element(
        "text",
        {class: "row-name", x: left - 10, y: y(i) + 4, "text-anchor": "end"},
        words(name),
      ),
    ),
  );
  return {svg, x, y};
}

const whisker = (low, high, y, kind) =>
  element("path", {class: "whisker " + kind, d: `M${low},${y - 3.5}v7m0,-3.5H${high}m0,-3.5v7`});

const square = (cx, cy, r = 3.6) =>
  element("rect", {class: "square", x: cx - r, y: cy - r, width: 2 * r, height: 2 * r});

export {
  extent,
  spreads,
  scaleBetween,
  scale,
  chart,
  fitted,
  axes,
  stairs,
  polyline,
  lineChart,
  rowChart,
  whisker,
  square,
};
