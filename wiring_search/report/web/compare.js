// Several studies on one page: fronts, progress, significance.

import {byId, element, show, words, counted, known, picker, tick} from "./base.js";
import {scale, chart, axes, polyline, lineChart} from "./charts.js";
import {drawTable} from "./tables.js";

const data = JSON.parse(byId("data").textContent);
const hidden = new Set();
const indexOf = name => data.objectives.findIndex(objective => objective.name === name);
// Size against error where both are objectives, else the first two.
const axesShown =
  indexOf("synapses") >= 0 && indexOf("error") >= 0
    ? {across: indexOf("synapses"), up: indexOf("error")}
    : {across: 0, up: 1};
const named = i =>
  words(data.objectives[i].name) + (data.objectives[i].unit ? ` (${data.objectives[i].unit})` : "");
const classOf = m => `method-${m % 8}`;
const shownMethods = () =>
  data.methods.map((method, m) => [method, m]).filter(([, m]) => !hidden.has(m));

// ---- the fronts

// Points that no other point beats in two objectives, from the best in the first to the best in the
// second.
function stairsOf(points, one, other) {
  const worth = (i, point) => data.objectives[i].sign * point[i];
  const sorted = [...points].sort(
    (a, b) => worth(one, a) - worth(one, b) || worth(other, a) - worth(other, b),
  );
  let least = Infinity;
  return sorted
    .filter(point => worth(other, point) < least && ((least = worth(other, point)), true))
    .map(point => [point[one], point[other]]);
}

// A surface as a path, from the edge where the first objective is best to the edge where it is
// worst.
function surface(corners, x, y, edges) {
  return [
    [x(corners[0][0]), edges.up],
    ...corners.flatMap(([a, b], i) =>
      i
        ? [
            [x(a), y(corners[i - 1][1])],
            [x(a), y(b)],
          ]
        : [[x(a), y(b)]],
    ),
    [edges.across, y(corners.at(-1)[1])],
  ];
}

// Corners of the surfaces for the axes that are shown, whichever way round they are.
function attained(method) {
  const [one, other] = [axesShown.across, axesShown.up];
  if (method.attained[`${one},${other}`]) return method.attained[`${one},${other}`];
  return (method.attained[`${other},${one}`] ?? []).map(corners =>
    corners.map(([a, b]) => [b, a]).reverse(),
  );
}

function drawFronts() {
  const {across, up} = axesShown;
  const width = innerWidth < 700 ? 420 : 820;
  const height = innerWidth < 700 ? 360 : 440;
  const {svg, box} = chart(width, height, `fronts: ${named(up)} against ${named(across)}`);
  const lines = shownMethods().map(([method, m]) => [
    method,
    m,
    method.runs.map(run => stairsOf(run.front, across, up)),
  ]);
  const points = lines.flatMap(([, , runs]) => runs.flat());
  byId("chart-fronts").replaceChildren();
  if (!points.length) return;
  const x = scale(
    points.map(p => p[0]),
    box.left,
    box.right,
  );
  const y = scale(
    points.map(p => p[1]),
    box.bottom,
    box.top,
  );
  const edges = {
    across: data.objectives[across].sign > 0 ? box.right : box.left,
    up: data.objectives[up].sign > 0 ? box.top : box.bottom,
  };
  axes(svg, x, y, box, named(across), named(up));
  for (const [method, m, runs] of lines) {
    const [easy, middle, hard] = attained(method);
    if (easy?.length && hard?.length) {
      const band = [...surface(easy, x, y, edges), ...surface(hard, x, y, edges).reverse()];
      svg.append(
        element(
          "path",
          {class: `band ${classOf(m)}`, d: polyline(band) + "Z"},
          element("title", {}, `${method.name}: attained by 25 % to 75 % of the runs`),
        ),
      );
    }
    const main = method.runs.length > 1 ? middle : runs[0];
    if (main?.length)
      svg.append(
        element(
          "path",
          {class: `line method ${classOf(m)}`, d: polyline(surface(main, x, y, edges))},
          element(
            "title",
            {},
            method.runs.length > 1
              ? `${method.name}: attained by half of the runs`
              : `${method.name}: front`,
          ),
        ),
      );
    method.runs.forEach((run, i) =>
      runs[i].forEach(([a, b]) =>
        svg.append(
          element(
            "circle",
            {class: `spot ${classOf(m)}`, cx: x(a), cy: y(b), r: method.runs.length > 1 ? 2 : 3.5},
            element(
              "title",
              {},
              `${run.name}: ${named(across)} ${show(a)}, ${named(up)} ${show(b)}`,
            ),
          ),
        ),
      ),
    );
  }
  byId("chart-fronts").append(svg);
}

function drawPickers() {
  const options = data.objectives.map((_, i) => [String(i), named(i)]);
  const choose = (mine, other) => value => {
    if (axesShown[other] === Number(value)) axesShown[other] = axesShown[mine];
    axesShown[mine] = Number(value);
    drawPickers();
    drawFronts();
  };
  byId("axes-pickers").replaceChildren(
    picker("across", options, String(axesShown.across), choose("across", "up")),
    picker("up", options, String(axesShown.up), choose("up", "across")),
  );
  byId("axes-pickers").hidden = data.objectives.length < 3;
}

// ---- the way there

function drawCourses() {
  for (const [across, xName] of [
    ["judged", "candidates evaluated"],
    ["seconds", "core-seconds"],
  ]) {
    const host = byId(`chart-${across}`);
    const lines = shownMethods()
      .flatMap(([method, m]) => {
        const runs = method.runs.map(run => ({
          name: run.name,
          class: `method ${classOf(m)} ${method.runs.length > 1 ? "run" : ""}`,
          points: run.course[across].map((x, i) => [x, run.course.share[i]]),
        }));
        const mean = method.mean?.[across];
        return mean
          ? [
              ...runs,
              {
                name: `${method.name}: mean of its runs`,
                class: `method ${classOf(m)}`,
                points: mean.at.map((x, i) => [x, mean.share[i]]),
              },
            ]
          : runs;
      })
      .filter(line => line.points.length);
    const label = `hypervolume against ${xName}`;
    host.replaceChildren(
      ...(lines.length
        ? [
            lineChart({
              label,
              xName,
              yName: "hypervolume (share of the box)",
              lines,
              step: true,
              logY: false,
            }),
          ]
        : []),
    );
  }
}

// Every run's hypervolume as a dot, the mean and its interval beside them.
function drawShares() {
  const methods = shownMethods();
  const row = 34;
  const left = 150;
  const width = innerWidth < 700 ? 420 : 820;
  const height = 62 + row * methods.length;
  const {svg, box} = chart(
    width,
    height,
    "hypervolume of each run by method, with means and intervals",
  );
  const x = scale(data.runs.map(run => run.share).filter(known), left, width - 16, false);
  for (const at of x.ticks)
    svg.append(
      element("line", {class: "grid", x1: x(at), x2: x(at), y1: 8, y2: box.bottom}),
      element("text", {x: x(at), y: box.bottom + 18, "text-anchor": "middle"}, show(at)),
    );
  svg.append(
    element(
      "text",
      {class: "title", x: width - 16, y: box.bottom + 40, "text-anchor": "end"},
      "hypervolume (share of the box)",
    ),
  );
  methods.forEach(([method, m], i) => {
    const y = 8 + row * (i + 0.5);
    const {share, share_lower, share_upper} = data.table[m];
    const name = method.name.length > 20 ? method.name.slice(0, 19) + "…" : method.name;
    svg.append(
      element(
        "text",
        {x: left - 12, y: y + 4, "text-anchor": "end"},
        name,
        element("title", {}, method.name),
      ),
    );
    for (const run of data.runs.filter(run => run.method === method.name && known(run.share)))
      svg.append(
        element(
          "circle",
          {class: `spot ${classOf(m)}`, cx: x(run.share), cy: y + 6, r: 3.5},
          element("title", {}, `${run.study}: ${show(run.share)}`),
        ),
      );
    if (known(share_lower))
      svg.append(
        element("line", {
          class: `method-interval ${classOf(m)}`,
          x1: x(share_lower),
          x2: x(share_upper),
          y1: y - 5,
          y2: y - 5,
        }),
      );
    if (method.runs.length > 1 && known(share))
      svg.append(
        element("line", {
          class: `method-interval ${classOf(m)}`,
          x1: x(share),
          x2: x(share),
          y1: y - 11,
          y2: y + 1,
        }),
      );
  });
  byId("chart-shares").replaceChildren(svg);
}

// ---- tables and the rest

function drawCompareTables() {
  const of = (key, name = words(key), digits = 4) => ({name, value: row => row[key], digits});
  const text = (key, name = key) => ({...of(key, name), text: true});
  const measures = [
    of("judged", "candidates"),
    {name: "core-seconds", value: row => row.core_seconds, digits: 3},
    of("error", "best error"),
    of("enough"),
    of("share", "hypervolume", 3),
  ];
  const distances = [
    of("share_equal", "at equal cost", 3),
    of("igd_plus", "IGD+", 2),
    of("epsilon", "ε", 2),
  ];
  const interval = {
    name: "95 % interval",
    value: row =>
      known(row.share_lower) ? `${show(row.share_lower)} to ${show(row.share_upper)}` : "–",
  };
  drawTable(
    byId("table-methods"),
    [text("method"), of("runs"), ...measures, interval, ...distances],
    data.table,
  );
  drawTable(
    byId("table-runs"),
    [
      text("study"),
      text("method"),
      of("seed"),
      ...measures.slice(0, 3),
      of("synapses", "synapses of the best"),
      ...measures.slice(3),
      ...distances,
    ],
    data.runs,
  );
  byId("pairs").hidden = !data.pairs.length;
  drawTable(
    byId("table-pairs"),
    [
      text("first"),
      text("second"),
      of("difference", "difference", 2),
      of("p", "p", 2),
      of("p_holm", "p, Holm", 2),
      of("least_p", "least p", 2),
      of("better", "A12", 2),
    ],
    data.pairs,
  );
  const settings = Object.entries(data.settings);
  byId("settings").hidden = !settings.length;
  drawTable(
    byId("table-settings"),
    [
      {name: "setting", value: ([name]) => words(name), text: true},
      ...data.methods.map((method, m) => ({
        name: method.name,
        value: ([, values]) => values[m],
        text: true,
      })),
    ],
    settings,
  );
}

function drawLegend() {
  byId("legend").replaceChildren(
    ...data.methods.map((method, m) => {
      const swatch = element(
        "svg",
        {class: "swatch", viewBox: "0 0 36 12", "aria-hidden": "true"},
        element("path", {class: `line method ${classOf(m)}`, d: "M0,6H36"}),
      );
      const label = tick(
        `${method.name} · ${counted(method.runs.length, "run")}`,
        !hidden.has(m),
        on => {
          if (on) hidden.delete(m);
          else hidden.add(m);
          drawAll();
        },
      );
      label.insertBefore(swatch, label.lastChild);
      return label;
    }),
  );
}

function drawAll() {
  drawFronts();
  drawCourses();
  drawShares();
}

const several = data.methods.some(method => method.runs.length > 1);
byId("kicker").textContent = [
  data.task,
  counted(data.runs.length, "study", "studies"),
  counted(data.methods.length, "method"),
].join(" · ");
byId("cautions").append(...data.cautions.map(caution => element("li", {}, caution)));
byId("fronts-note").textContent =
  (several
    ? "Bold lines show what half of the runs of a method attain, bands what 25 % to 75 % attain; " +
      "dots are the fronts of single runs. "
    : "Each line is the front of one study. ") + "A method with one run shows only its front.";
const best = data.objectives.map(({name}, i) => `${words(name)} ${show(data.best[i])}`);
byId("honesty").textContent =
  `Objectives: ${data.objectives.map((_, i) => named(i)).join(", ")}. ` +
  `Reference point of all hypervolumes: ${data.reference}. ` +
  `The opposite corner of the box is the best value of any study: ${best.join(", ")}. ` +
  "Scores are measured on the validation split, at the best epoch of each candidate; " +
  "the best of many is therefore slightly optimistic.";
drawLegend();
drawPickers();
drawCompareTables();
drawAll();
addEventListener("resize", () => {
  drawFronts();
  drawShares();
});

export {data};
