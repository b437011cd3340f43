// Retrained winners: their errors with fresh seeds and on the test split; whether each beats its
// null wirings.

import {byId, element, show, known} from "./base.js";
import {extent, spreads, scale, rowChart, whisker, square} from "./charts.js";
import {drawTable} from "./tables.js";
import {study, choose, errorName} from "./study.js";
import {addSection} from "./sections.js";

function draw() {
  const found = study.winners;
  byId("winners").hidden = !found;
  byId("winners-absent").hidden = Boolean(found) || !study.ok.length;
  if (!found) return;
  byId("winners-findings").replaceChildren(
    ...found.findings.map(sentence => element("li", {}, sentence)),
  );
  byId("winners-errors").replaceChildren(
    winnersChart(found.rows),
    element(
      "figcaption",
      {},
      ...[
        ["dot-key hollow", "search"],
        ["dot-key best", "fresh seeds, validation"],
        ["square-key", "test split"],
      ].map(([kind, text]) =>
        element("span", {class: "key-item"}, element("span", {class: kind}), text, " "),
      ),
      "Means and 95 % intervals over seeds; smaller is better.",
    ),
  );
  const shown = rows =>
    rows.map(row => ({
      ...row,
      fronts: [row.optimistic && "optimistic", row.pessimistic && "pessimistic"]
        .filter(Boolean)
        .join(", "),
    }));
  const number = (key, name, digits = 4) => ({name, value: row => row[key], digits});
  const pair = (key, name) => ({
    name,
    value: row => row[key],
    draw: row =>
      show(row[key], 4) + (known(row[key + "_se"]) ? ` ± ${show(row[key + "_se"], 2)}` : ""),
  });
  drawTable(
    byId("table-winners"),
    [
      {name: "trial", value: row => row.trial, number: true},
      number("synapses", "synapses"),
      number("searched", "search"),
      pair("valid", "fresh seeds"),
      number("drop", "difference", 2),
      pair("test", "test"),
      number("trained", "seeds"),
      number("failed", "failed"),
      number("certainty", "P(on front)", 2),
      {name: "test front", value: row => row.fronts, text: true},
    ],
    shown(found.rows),
    {press: row => choose(row.trial)},
  );
  byId("nulls").hidden = !found.controls.length;
  if (found.controls.length) drawNulls(found);
  drawTable(
    byId("table-openings"),
    [
      number("opening", "opening"),
      {name: "when", value: row => row.opened, text: true},
      {name: "purpose", value: row => row.purpose, text: true, long: true},
      number("networks", "networks"),
    ],
    found.openings,
  );
  byId("openings-absent").hidden = found.openings.length > 0;
}

function winnersChart(rows) {
  const values = rows
    .flatMap(row => [
      row.searched,
      row.valid,
      row.test,
      row.valid_lower,
      row.valid_upper,
      row.test_lower,
      row.test_upper,
    ])
    .filter(known);
  const log = spreads(values);
  const span = scale(values, 0, 1, log);
  const names = rows.map(row => `trial ${row.trial}, ${show(row.synapses)} syn.`);
  const summary = rows
    .map(
      (row, i) =>
        `${names[i]}: search ${show(row.searched)}, ` +
        `fresh seeds ${show(row.valid)}, test ${show(row.test)}`,
    )
    .join("; ");
  const {svg, x, y} = rowChart(
    names,
    `${errorName()} of winners: ${summary}`,
    log ? span.from : Math.max(0, span.from),
    span.to,
    720,
    log,
  );
  rows.forEach((row, i) => {
    const within = value => x(Math.min(Math.max(value, x.from), x.to));
    if (known(row.test_lower))
      svg.append(whisker(within(row.test_lower), within(row.test_upper), y(i) + 4, "tested"));
    if (known(row.test)) svg.append(square(x(row.test), y(i) + 4));
    if (known(row.valid_lower))
      svg.append(whisker(within(row.valid_lower), within(row.valid_upper), y(i) - 4, ""));
    if (known(row.valid))
      svg.append(element("circle", {class: "mark", cx: x(row.valid), cy: y(i) - 4, r: 4}));
    svg.append(element("circle", {class: "hollow", cx: x(row.searched), cy: y(i) - 4, r: 4}));
  });
  return svg;
}

function drawNulls(found) {
  const rows = found.controls.filter(row => known(row.difference));
  byId("nulls-overall").replaceChildren(
    ...found.overall.map(row =>
      element("li", {}, row.sentence[0].toUpperCase() + row.sentence.slice(1) + "."),
    ),
  );
  const ends = extent(rows.flatMap(row => [row.lower, row.upper, row.difference, 0]));
  const names = rows.map(row => `trial ${row.trial}, ${row.control}`);
  const {svg, x, y} = rowChart(
    names,
    "null wiring minus winner: " +
      rows.map((row, i) => `${names[i]} ${show(row.difference, 2)}`).join("; "),
    ends[0] * 1.05,
    ends[1] * 1.05,
    720,
  );
  svg.append(element("line", {class: "axis", x1: x(0), x2: x(0), y1: 0, y2: 6 + rows.length * 22}));
  rows.forEach((row, i) => {
    const sure = row.p_holm !== null && row.p_holm < 0.05;
    if (known(row.lower))
      svg.append(whisker(x(row.lower), x(row.upper), y(i), sure ? "" : "unsure"));
    svg.append(
      element(
        "circle",
        {class: "mark" + (sure ? "" : " unsure"), cx: x(row.difference), cy: y(i), r: 4},
        element("title", {}, row.sentence),
      ),
    );
  });
  byId("nulls-chart").replaceChildren(
    svg,
    element(
      "figcaption",
      {},
      "Error of the null wiring minus error of its winner, with 95 % intervals. " +
        "Right of the line the winner is better. Filled: significant after Holm’s correction.",
    ),
  );
  drawTable(
    byId("table-nulls"),
    [
      {name: "trial", value: row => row.trial, number: true},
      {name: "null wiring", value: row => row.control, text: true},
      {name: "result", value: row => row.sentence, text: true, long: true},
      {name: "p (Holm)", value: row => row.p_holm, digits: 2},
      {name: "A12", value: row => row.better, digits: 2},
      {name: "synapses", value: row => row.synapses, digits: 4},
      {name: "split", value: row => row.split, text: true},
    ],
    found.controls,
  );
}

addSection(draw);
