// Elements on top of the dots: members of the front, baselines, error bars, the knee, test errors.

import {element, show, words, known, counted} from "./base.js";
import {square} from "./charts.js";
import {study, view, choose, metricOf, briefly, spreadOf} from "./study.js";
import {withTip} from "./tip.js";
import {wiringPicture} from "./wiring.js";

function frontPoint(i, [cx, cy], paint) {
  const trial = study.columns.trial[i];
  const point = element(
    "g",
    {
      class: "point front",
      role: "button",
      "data-trial": trial,
      "aria-label": `trial ${trial}, on the front: ${words(view.x)} ${show(study.value(i, view.x))}, ${words(view.y)} ${show(study.value(i, view.y))}`,
    },
    element("circle", {cx, cy, r: 6, style: paint ? `fill:${paint(i)}` : null}),
  );
  point.addEventListener("click", () => choose(trial));
  return withTip(point, () => tellTrial(i));
}

function diamond(b, cx, cy) {
  const r = 6;
  return withTip(
    element(
      "g",
      {
        class: "point baseline" + (b.front === "yes" ? " front" : ""),
        tabindex: 0,
        role: "img",
        "data-baseline": b.name,
        "aria-label": `baseline ${b.name}: ${words(view.x)} ${show(b[view.x])}, ${words(view.y)} ${show(b[view.y])}`,
      },
      element("path", {d: `M${cx - r},${cy}L${cx},${cy - r}L${cx + r},${cy}L${cx},${cy + r}Z`}),
    ),
    () => tellBaseline(b),
  );
}

// One standard error up and down, where it is known.
function errorBar(svg, i, spots, y) {
  const spread = view.y === "error" ? spreadOf(i) : null;
  if (!spread) return;
  const [cx] = spots.get(i);
  const within = value => y(Math.min(Math.max(value, y.from), y.to));
  svg.append(
    element("path", {
      class: "error-bar",
      d: `M${cx - 3.5},${within(spread.mean + spread.se)}h7m-3.5,0V${within(spread.mean - spread.se)}m-3.5,0h7`,
    }),
  );
}

function knee(spots, box) {
  const spot = study.knee === null ? null : spots.get(study.row(study.knee));
  if (!spot) return [];
  const left = spot[0] > box.right - 60;
  return [
    element(
      "text",
      {
        class: "knee",
        x: spot[0] + (left ? -11 : 11),
        y: spot[1] - 9,
        "text-anchor": left ? "end" : "start",
      },
      "knee",
    ),
  ];
}

// Errors of retrained winners on the test split.
function tested(x, y, inside) {
  if (view.y !== "error" || !study.winners) return [];
  return study.winners.rows
    .filter(row => known(row.test))
    .map(row => [row, x(study.value(study.row(row.trial), view.x)), y(row.test)])
    .filter(([, a, b]) => inside([a, b]))
    .map(([row, a, b]) =>
      withTip(Object.assign(square(a, b), {role: "img"}), () => [
        element(
          "div",
          {},
          element("b", {}, `trial ${row.trial} on the test split`),
          ` · error ${show(row.test, 4)}${known(row.test_se) ? ` ± ${show(row.test_se, 2)}` : ""}`,
        ),
      ]),
    );
}

function tellTrial(i) {
  const trial = study.columns.trial[i];
  const picture = study.wirings[trial];
  return [
    picture ? wiringPicture(picture) : null,
    element("div", {}, element("b", {}, `trial ${trial}`), ` · ${briefly(i)}`),
  ].filter(Boolean);
}

const tellBaseline = b => [
  element(
    "div",
    {},
    element("b", {}, "baseline " + b.name),
    ` · ${study.metric} ${show(metricOf(b.error), 4)} · ${counted(b.synapses, "synapse")}`,
  ),
  element("p", {}, b.front === "yes" ? "On the joint front." : "Not on the joint front."),
];

export {frontPoint, diamond, errorBar, knee, tested, tellTrial};
