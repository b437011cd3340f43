// What matters: the importance of each dimension, an objective along one dimension, structure
// against scores.

import {byId, element, show, words, counted, known, picker} from "./base.js";
import {scaleBetween, scale, chart, fitted, axes, rowChart, whisker} from "./charts.js";
import {drawTable} from "./tables.js";
import {study, titled} from "./study.js";
import {addSection} from "./sections.js";

const MOST_CORRELATIONS = 14;
const shown = {objective: null, dimension: null, score: null};

function draw() {
  const found = study.factors;
  byId("factors").hidden = !found;
  byId("factors-absent").hidden = Boolean(found) || !study.ok.length;
  if (!found) return;
  if (!found.objectives.includes(shown.objective)) shown.objective = found.objectives[0];
  const list = found.importance[shown.objective];
  const scores = [...new Set(found.correlations.map(row => row.score))];
  if (!list.some(row => row.dimension === shown.dimension)) shown.dimension = list[0]?.dimension;
  if (!scores.includes(shown.score)) shown.score = scores[0];
  const set = (key, value) => {
    shown[key] = value;
    draw();
  };
  byId("factors-note").textContent =
    `Based on ${counted(found.candidates, "candidate")}` +
    (found.enough ? ". " : ", too few for reliable importances. ") +
    "Importance (PED-ANOVA) measures how the best tenth of the candidates differs from all " +
    "candidates along one dimension. It does not see interactions. Correlation is not causation.";
  const hasFocus = host => byId(host).contains(document.activeElement);
  const controls = hasFocus("factors-controls")
    ? null
    : [
        picker(
          "importance for",
          found.objectives.map(name => [name, words(name)]),
          shown.objective,
          value => set("objective", value),
        ),
        picker(
          "dimension",
          list.map(row => [row.dimension, words(row.dimension)]),
          shown.dimension,
          value => set("dimension", value),
        ),
      ];
  if (controls) byId("factors-controls").replaceChildren(...controls);
  byId("factors-importance").replaceChildren(
    importanceChart(list),
    element(
      "figcaption",
      {},
      "Share of importance with 95 % intervals. Grey tick: the largest importance by chance.",
    ),
  );
  byId("factors-marginal").replaceChildren(
    ...marginalChart(found.marginals[shown.objective][shown.dimension]),
  );
  if (!hasFocus("factors-scores"))
    byId("factors-scores").replaceChildren(
      picker(
        "score",
        scores.map(name => [name, words(name)]),
        shown.score,
        value => set("score", value),
      ),
    );
  byId("factors-structure").replaceChildren(
    ...correlationChart(found.correlations.filter(row => row.score === shown.score)),
  );
}

function importanceChart(list) {
  const rows = list.filter(row => known(row.importance));
  const most = Math.max(
    0.1,
    ...rows.map(row => row.upper ?? row.importance),
    ...rows.map(row => row.chance ?? 0),
  );
  const summary = rows.map(row => `${words(row.dimension)} ${show(row.importance, 2)}`).join(", ");
  const {svg, x, y} = rowChart(
    rows.map(row => row.dimension),
    `importance for ${words(shown.objective)}: ${summary}`,
    0,
    most * 1.04,
  );
  rows.forEach((row, i) => {
    const sure = row.importance > row.chance;
    svg.append(
      element("rect", {
        class: "share" + (sure ? "" : " unsure"),
        x: x(0),
        y: y(i) - 6,
        width: Math.max(1, x(row.importance) - x(0)),
        height: 12,
      }),
    );
    if (known(row.lower)) svg.append(whisker(x(row.lower), x(row.upper), y(i), ""));
    if (known(row.chance))
      svg.append(
        element("line", {
          class: "chance",
          x1: x(row.chance),
          x2: x(row.chance),
          y1: y(i) - 8,
          y2: y(i) + 8,
        }),
      );
  });
  return svg;
}

function marginalChart(given) {
  if (!given?.bins.length) return [];
  const {bins, log} = given;
  const named = log === null;
  const medians = bins.map(bin => `${show(bin.at)}: ${show(bin.median)}`);
  const {svg, box} = chart(
    fitted(520),
    280,
    `${words(shown.objective)} along ${words(shown.dimension)}: medians ${medians.join(", ")}`,
  );
  const at = bin => (named ? bins.indexOf(bin) : bin.at);
  const x = named
    ? Object.assign(scaleBetween(-0.5, bins.length - 0.5, box.left, box.right), {ticks: []})
    : scale(bins.map(at), box.left, box.right, log && bins.every(bin => bin.at > 0));
  const y = scale(
    bins.flatMap(bin => [bin.lower, bin.upper]),
    box.bottom,
    box.top,
  );
  axes(svg, x, y, box, words(shown.dimension), titled(shown.objective));
  for (const bin of bins) {
    const a = x(at(bin));
    svg.append(
      element("line", {class: "whisker", x1: a, x2: a, y1: y(bin.lower), y2: y(bin.upper)}),
      element(
        "circle",
        {class: "mark", cx: a, cy: y(bin.median), r: 4},
        element("title", {}, `${show(bin.at)}: median ${show(bin.median)}, ${bin.n} candidates`),
      ),
    );
    if (named)
      svg.append(
        element("text", {x: a, y: box.bottom + 19, "text-anchor": "middle"}, String(bin.at)),
      );
  }
  return [
    svg,
    element(
      "figcaption",
      {},
      `Median and quartiles of ${words(shown.objective)} in bins of ${words(shown.dimension)}, ` +
        "over all values of the other dimensions.",
    ),
  ];
}

function correlationChart(rows) {
  const few = rows.slice(0, MOST_CORRELATIONS);
  const summary = few
    .map(row => `${words(row.feature)} ${show(row.rho, 2)}, ${row.reading}`)
    .join("; ");
  const {svg, x, y} = rowChart(
    few.map(row => row.feature),
    `rank correlations with ${words(shown.score)}: ${summary}`,
    -1,
    1,
    720,
  );
  svg.append(
    element("line", {class: "axis", x1: x(0), x2: x(0), y1: 0, y2: 14 + few.length * 22 - 8}),
  );
  few.forEach((row, i) => {
    if (known(row.partial))
      svg.append(
        whisker(x(row.partial_lower), x(row.partial_upper), y(i) + 4, "held"),
        element("circle", {class: "held", cx: x(row.partial), cy: y(i) + 4, r: 3.2}),
      );
    svg.append(
      whisker(x(row.lower), x(row.upper), y(i) - 3, row.q <= 0.05 ? "" : "unsure"),
      element(
        "circle",
        {class: "mark" + (row.q <= 0.05 ? "" : " unsure"), cx: x(row.rho), cy: y(i) - 3, r: 3.8},
        element("title", {}, `${words(row.feature)}: ${show(row.rho, 2)}, ${row.reading}`),
      ),
    );
  });
  const table = element("div", {id: "table-correlations"});
  drawTable(
    table,
    [
      {name: "feature", value: row => words(row.feature), text: true},
      {name: "ρ", value: row => row.rho, digits: 2},
      {name: "low", value: row => row.lower, digits: 2},
      {name: "high", value: row => row.upper, digits: 2},
      {name: "at equal size", value: row => row.partial, digits: 2},
      {name: "interpretation", value: row => row.reading, text: true},
    ],
    rows,
  );
  return [
    svg,
    element(
      "figcaption",
      {},
      `The ${few.length} strongest rank correlations with ${words(shown.score)}, with 95 % intervals. ` +
        "Filled: significant at a false discovery rate of 5 %. " +
        "Hollow: partial correlation at equal size.",
    ),
    element("details", {}, element("summary", {}, "As a table"), table),
  ];
}

addSection(draw);
