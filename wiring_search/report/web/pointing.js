// Pointing at the front with mouse, finger and keys.

import {element} from "./base.js";
import {study, view, choose} from "./study.js";
import {openTip, closeTip} from "./tip.js";
import {tellTrial} from "./marks.js";

const CELL = 16; // of the grid in which dots are looked up, in pixels: more than a dot's radius

// One stop for the Tab key; the arrow keys go along.
function roving(points) {
  const start = Math.max(
    0,
    points.findIndex(point => Number(point.dataset.trial) === view.trial),
  );
  points.forEach((point, at) => {
    point.setAttribute("tabindex", at === start ? 0 : -1);
    point.addEventListener("keydown", event => {
      const to = {
        ArrowRight: at + 1,
        ArrowUp: at + 1,
        ArrowLeft: at - 1,
        ArrowDown: at - 1,
        Home: 0,
        End: points.length - 1,
      }[event.key];
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(Number(point.dataset.trial));
      }
      if (to === undefined || !points[to]) return;
      event.preventDefault();
      point.setAttribute("tabindex", -1);
      points[to].setAttribute("tabindex", 0);
      points[to].focus();
    });
  });
}

function gridOf(spots) {
  const cells = new Map();
  for (const [i, [a, b]] of spots) {
    const key = Math.floor(a / CELL) * 4096 + Math.floor(b / CELL);
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push([i, a, b]);
  }
  return cells;
}

// The dot under a spot, null where there is none within 9 pixels.
function nearest(cells, a, b) {
  let best = null;
  let least = 81;
  for (let c = -1; c <= 1; c++)
    for (let r = -1; r <= 1; r++)
      for (const [i, x, y] of cells.get(
        (Math.floor(a / CELL) + c) * 4096 + Math.floor(b / CELL) + r,
      ) ?? []) {
        const far = (x - a) ** 2 + (y - b) ** 2;
        if (far < least) [best, least] = [[i, x, y], far];
      }
  return best;
}

// The plane's position of a pointer.
function spotOf(svg, event) {
  const edge = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / edge.width;
  return [(event.clientX - edge.left) * scale, (event.clientY - edge.top) * scale];
}

/** Pointing opens a tip, and a click chooses. spots: positions (x, y) by the trial's row. */
function pointing(svg, spots) {
  const cells = gridOf(spots);
  svg.addEventListener("pointermove", event => {
    if (event.target.closest(".point") || svg.querySelector(".brush")) return;
    const found = nearest(cells, ...spotOf(svg, event));
    svg.style.cursor = found ? "pointer" : "crosshair";
    if (!found) return closeTip();
    const {clientX, clientY} = event;
    const edges = {left: clientX - 6, right: clientX + 6, top: clientY, height: 0};
    openTip(edges, ...tellTrial(found[0]));
  });
  svg.addEventListener("pointerleave", closeTip);
  svg.addEventListener("pointerup", event => {
    if (event.target.closest(".point") || svg.querySelector(".brush")) return;
    const found = nearest(cells, ...spotOf(svg, event));
    if (found) choose(study.columns.trial[found[0]]);
  });
}

/** A rectangle drawn with the mouse zooms in, a double click out. zoom(ranges): shows those of
 *  both axes, null shows all. */
function brushing(svg, {box, x, y}, zoom) {
  let from = null;
  let brush = null;
  const within = ([a, b]) => [
    Math.min(Math.max(a, box.left), box.right),
    Math.min(Math.max(b, box.top), box.bottom),
  ];
  svg.addEventListener("pointerdown", event => {
    if (event.pointerType === "touch" || event.button !== 0 || event.target.closest(".point"))
      return;
    from = within(spotOf(svg, event));
    event.preventDefault();
  });
  svg.addEventListener("pointermove", event => {
    if (!from) return;
    const [c, d] = within(spotOf(svg, event));
    if (!brush && Math.hypot(c - from[0], d - from[1]) < 6) return;
    closeTip();
    brush ??= svg.appendChild(element("rect", {class: "brush"}));
    brush.setAttribute("x", Math.min(c, from[0]));
    brush.setAttribute("y", Math.min(d, from[1]));
    brush.setAttribute("width", Math.abs(c - from[0]));
    brush.setAttribute("height", Math.abs(d - from[1]));
  });
  svg.addEventListener("pointerup", event => {
    const start = from;
    const drawn = brush;
    from = null;
    brush = null;
    if (!drawn) return;
    const [c, d] = within(spotOf(svg, event));
    const isLarge = Math.abs(c - start[0]) > 8 && Math.abs(d - start[1]) > 8;
    // Later, because its presence tells the other listener that this was no click.
    setTimeout(() => drawn.remove());
    const range = (scale, one, other) =>
      [scale.back(one), scale.back(other)].sort((low, high) => low - high);
    if (isLarge) zoom({x: range(x, c, start[0]), y: range(y, d, start[1])});
  });
  svg.addEventListener("dblclick", () => zoom(null));
}

export {roving, pointing, brushing};
