// The front: each fully trained candidate is a dot in two scores of the reader's choice. Dominated
// candidates are drawn on a canvas, so that ten thousand stay fluid. Front members and baselines
// are elements on top.

import {byId, element, show, words, counted, known, picker, tick, button} from "./base.js";
import {extent, spreads, scaleBetween, scale, chart, axes, stairs} from "./charts.js";
import {drawDots, painter, legend} from "./dots.js";
import {frontPoint, diamond, errorBar, knee, tested} from "./marks.js";
import {roving, pointing, brushing} from "./pointing.js";
import {addSection} from "./sections.js";
import {study, view, titled, worth, whenChosen} from "./study.js";
import {closeTip} from "./tip.js";

const MOST_ELEMENTS = 400; // further front members are drawn on the canvas

// Rows that no other row dominates in two scores, from the best in the first to the best in the
// second.
function stairsOf(rows, first, second) {
  const sorted = [...rows].sort(
    (a, b) =>
      worth(first, study.value(a, first)) - worth(first, study.value(b, first)) ||
      worth(second, study.value(a, second)) - worth(second, study.value(b, second)),
  );
  let best = Infinity;
  return sorted.filter(
    i =>
      worth(second, study.value(i, second)) < best &&
      ((best = worth(second, study.value(i, second))), true),
  );
}

function frontControls(host) {
  const options = [...study.scoreOf.keys()]
    .filter(name => study.ok.some(i => known(study.value(i, name))))
    .map(name => [name, words(name)]);
  const colours = [
    ["", "front membership"],
    ...options,
    ...study.dimensionNames.map(name => [name, words(name.slice(2))]),
  ];
  const set = (key, value, more = {}) => {
    Object.assign(view, {[key]: value, zoom: null, ...more});
    draw();
  };
  host.replaceChildren(
    picker("y axis", options, view.y, name => set("y", name, {logY: null})),
    tick("log", isLog("y"), on => set("logY", on)),
    picker("x axis", options, view.x, name => set("x", name, {logX: null})),
    tick("log", isLog("x"), on => set("logX", on)),
    picker("colour", colours, view.colour, name => {
      view.colour = name;
      draw();
    }),
    ...(view.zoom
      ? [
          button(
            "Show all",
            () => {
              view.zoom = null;
              draw();
            },
            {class: "quiet"},
          ),
        ]
      : []),
  );
}

// Whether an axis is logarithmic: the reader's choice, or else a large spread of its values.
function isLog(axis) {
  const name = view[axis];
  const chosen = axis === "x" ? view.logX : view.logY;
  const values = study.ok.map(i => study.value(i, name)).filter(known);
  return (
    extent(values)[1] > 0 && (chosen ?? spreads(axis === "y" ? values.map(level(name)) : values))
  );
}

// Keeps an accuracy of exactly 1 on a logarithmic scale of errors.
const level = name => value => (name === "error" && study.share ? Math.max(value, 0.002) : value);

function draw() {
  const host = byId("chart-front");
  const focused = host.contains(document.activeElement)
    ? document.activeElement.dataset.trial
    : null;
  if (!study.ok.length) return host.replaceChildren("No candidate has finished training yet.");
  if (
    !host.querySelector(".controls")?.contains(document.activeElement) ||
    !host.querySelector(".plot")
  )
    host.replaceChildren(
      element("div", {class: "controls"}),
      element("div", {class: "plot"}),
      element("figcaption"),
    );
  const controls = host.querySelector(".controls");
  if (!controls.contains(document.activeElement) || !controls.childElementCount)
    frontControls(controls);
  const caption = drawPlane(host.querySelector(".plot"));
  host.querySelector("figcaption").replaceChildren(...caption);
  if (focused) host.querySelector(`[data-trial="${focused}"]`)?.focus();
}

// What is drawn: rows of trials, baselines, trivial rules, and the scales of both axes.
function planeOf(box) {
  const up = level(view.y);
  const rows = study.ok.filter(i => known(study.value(i, view.x)) && known(study.value(i, view.y)));
  const trained = study.baselines.filter(
    b => b.status === "ok" && known(b[view.x]) && known(b[view.y]),
  );
  const logX = isLog("x");
  const logY = isLog("y");
  const across = [...rows.map(i => study.value(i, view.x)), ...trained.map(b => b[view.x])];
  const heights = [
    ...rows.map(i => up(study.value(i, view.y))),
    ...trained.map(b => up(b[view.y])),
  ];
  const rules =
    view.y === "error"
      ? Object.entries(study.rules).filter(([, e]) => known(e) && (e > 0 || !logY))
      : [];
  const near = rules.map(([, error]) => error).filter(error => error <= extent(heights)[1] * 1.5);
  const x = view.zoom
    ? scaleBetween(...view.zoom.x, box.left, box.right, logX)
    : scale(across, box.left, box.right, logX);
  const y = view.zoom
    ? scaleBetween(...view.zoom.y, box.bottom, box.top, logY)
    : scale([...heights, ...near], box.bottom, box.top, logY);
  const inside = ([a, b]) =>
    a >= box.left - 1 && a <= box.right + 1 && b >= box.top - 1 && b <= box.bottom + 1;
  const spot = i => [x(study.value(i, view.x)), y(up(study.value(i, view.y)))];
  const spotOfBaseline = b => [x(b[view.x]), y(up(b[view.y]))];
  return {box, rows, trained, rules, x, y, inside, spot, spotOfBaseline};
}

// Lines of the trivial rules; a note names those outside the chart.
function drawRules(svg, {box, rules, y}) {
  let above = Infinity;
  for (const [name, error] of rules.filter(([, e]) => y.holds(e)).sort(([, a], [, b]) => a - b)) {
    // Labels of rules with nearly equal errors stand one above the other.
    above = Math.min(y(error) - 5, above - 14);
    svg.append(
      element("line", {
        class: "rule-line",
        x1: box.left,
        x2: box.right,
        y1: y(error),
        y2: y(error),
      }),
      element(
        "text",
        {class: "rule-label", x: box.right, y: above, "text-anchor": "end"},
        `${name} (${show(error)})`,
      ),
    );
  }
  const outside = rules.filter(([, error]) => !y.holds(error));
  const named = outside.map(([name, error]) => `${name} ${show(error)}`);
  return named.length ? [element("span", {}, `Outside the chart: ${named.join(", ")}. `)] : [];
}

// The front of the two scores shown, and the surface that takes the pointer.
function drawFrontLine(svg, {box, rows, inside, spot}) {
  if (view.x !== view.y) {
    const corners = stairsOf(rows, view.x, view.y).map(spot).filter(inside);
    svg.append(element("path", {class: "front-line", d: stairs(corners)}));
  }
  const size = {width: box.right - box.left, height: box.bottom - box.top};
  svg.append(element("rect", {class: "catch", x: box.left, y: box.top, ...size}));
}

// Elements on top of the dots.
function drawMarks(svg, plane, spots, members, paint) {
  const {box, x, y, inside} = plane;
  const chosen = study.row(view.trial);
  const barred = spots.has(chosen) ? [...members, chosen] : members;
  for (const i of new Set(barred)) errorBar(svg, i, spots, y);
  for (const b of plane.trained) {
    const spot = plane.spotOfBaseline(b);
    if (inside(spot)) svg.append(diamond(b, ...spot));
  }
  const points = members.map(i => frontPoint(i, spots.get(i), paint));
  svg.append(...points, ...knee(spots, box), ...tested(x, y, inside));
  if (spots.has(chosen)) {
    const [cx, cy] = spots.get(chosen);
    svg.append(element("circle", {class: "ring", cx, cy, r: 10}));
  }
  roving(points);
}

// Draws the picture; gives what its caption says.
function drawPlane(host) {
  const width = Math.max(300, host.clientWidth);
  const height = width < 520 ? 360 : 460;
  const title = `${words(view.y)} against ${words(view.x)}`;
  const {svg: back, box} = chart(width, height, title, "presentation");
  const shown = `${counted(study.ok.length, "candidate")}, ${study.front.length} on the front`;
  const front = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "group",
    class: "over",
    "aria-label": `${title}: ${shown}; arrow keys move along the front`,
  });
  const canvas = element("canvas", {"aria-hidden": "true"});
  host.replaceChildren(back, canvas, front);
  const plane = planeOf(box);
  const {rows, x, y} = plane;
  if (!rows.length) return ["No trial has both scores."];
  axes(back, x, y, box, titled(view.x), titled(view.y));
  const notes = drawRules(back, plane);
  const spots = new Map(rows.map(i => [i, plane.spot(i)]).filter(([, spot]) => plane.inside(spot)));
  const paint = painter(view.colour);
  const isBest = i => study.onFront.has(study.columns.trial[i]);
  const best = [...spots.keys()].filter(isBest);
  const members = best.sort((a, b) => spots.get(a)[0] - spots.get(b)[0]).slice(0, MOST_ELEMENTS);
  const drawn = new Set(members);
  const dots = [...spots].filter(([i]) => !drawn.has(i));
  drawDots(canvas, width, height, dots, paint, rows.length, isBest);
  drawFrontLine(front, plane);
  drawMarks(front, plane, spots, members, paint);
  pointing(front, spots);
  brushing(front, plane, zoom);
  return [...notes, ...legend(view.colour, paint)];
}

function zoom(ranges) {
  if (view.zoom === ranges) return;
  view.zoom = ranges;
  draw();
}

addSection(draw);
whenChosen(() => {
  closeTip();
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
