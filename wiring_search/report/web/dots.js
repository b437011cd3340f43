// The dots of the front: their colours, the canvas that they are drawn on, their legend.

import {element, show, known, colour} from "./base.js";
import {extent, spreads} from "./charts.js";
import {study, view, titled} from "./study.js";

function drawDots(canvas, width, height, dots, paint, count, isBest) {
  const sharp = devicePixelRatio || 1;
  const pen = canvas.getContext("2d");
  Object.assign(canvas, {width: width * sharp, height: height * sharp});
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  pen.scale(sharp, sharp);
  const radius = count > 3000 ? 2.6 : count > 600 ? 3.4 : 4.4;
  const plain = colour("dot");
  const accent = colour("accent");
  const groups = new Map();
  for (const [i, spot] of dots) {
    const fill = paint ? paint(i) : isBest(i) ? accent : plain;
    if (!groups.has(fill)) groups.set(fill, []);
    groups.get(fill).push(spot);
  }
  pen.globalAlpha = count > 3000 ? 0.5 : 0.68;
  for (const [fill, spots] of groups) {
    pen.fillStyle = fill;
    for (const [a, b] of spots) {
      pen.beginPath();
      pen.arc(a, b, radius, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}

// Colours of dots by a score or dimension: a ramp for numbers, up to eight colours for words. Null
// for no name.
function painter(name) {
  if (!name) return null;
  const values = study.ok.map(i => study.value(i, name));
  if (study.words.has(name)) {
    const names = [...new Set(values.filter(v => v !== null))].sort();
    const fill = new Map(names.map((v, i) => [v, colour("kind-" + Math.min(i, 7))]));
    return Object.assign(i => fill.get(study.value(i, name)) ?? colour("line"), {names, fill});
  }
  const log = spreads(values);
  const bend = log ? Math.log : x => x;
  const [least, most] = extent(values);
  const ramp = [0, 1, 2]
    .map(i => colour("ramp-" + i))
    .map(hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)));
  const shade = share => {
    const low = share < 0.5 ? 0 : 1;
    const part = 2 * share - low;
    return `rgb(${ramp[low].map((c, k) => Math.round(c + (ramp[low + 1][k] - c) * part)).join(" ")})`;
  };
  const steps = Array.from({length: 33}, (_, i) => shade(i / 32)); // few different colours draw faster
  const nowhere = colour("line");
  return Object.assign(
    i => {
      const value = study.value(i, name);
      return known(value)
        ? steps[Math.round((32 * (bend(value) - bend(least))) / (bend(most) - bend(least) || 1))]
        : nowhere;
    },
    {least, most, steps},
  );
}

function legend(name, paint) {
  const item = (kind, text, style = null) =>
    element("span", {class: "key-item"}, element("span", {class: kind, style}), text, " ");
  const key = [];
  if (!paint) key.push(item("dot-key best", "on the front"), item("dot-key", "other candidates"));
  else if (paint.names)
    key.push(
      ...paint.names
        .slice(0, 8)
        .map((v, i) =>
          item(
            "dot-key",
            i === 7 && paint.names.length > 8 ? "others" : v,
            `background:${paint.fill.get(v)}`,
          ),
        ),
    );
  else
    key.push(
      element(
        "span",
        {class: "key-item"},
        `${titled(name)}: ${show(paint.least)} `,
        element("span", {
          class: "ramp",
          style: `background:linear-gradient(90deg, ${paint.steps.join(",")})`,
        }),
        ` ${show(paint.most)} `,
      ),
    );
  if (study.baselines.some(b => b.status === "ok")) key.push(item("diamond-key", "baselines"));
  if (view.y === "error" && study.winners?.rows.some(row => known(row.test)))
    key.push(item("square-key", "test split"));
  if (view.y === "error" && Object.keys(study.spread).length)
    key.push(item("bar-key", "mean ± standard error over trainings"));
  return key;
}

export {drawDots, painter, legend};
