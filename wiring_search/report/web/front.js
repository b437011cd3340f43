// The front: every finished candidate as a dot in two scores of the reader's choice. Dominated ones are on a canvas, so that ten
// thousand stay fluid, and are found by a grid; front members, the trained baselines and what is chosen are real elements on top.

import {byId, element, show, words, counted, known, picker, tick, button, colour} from "./base.js";
import {extent, spreads, scaleBetween, scale, chart, axes, stairs, square} from "./charts.js";
import {wiringPicture} from "./wiring.js";
import {withTip, openTip, closeTip} from "./tip.js";
import {
  study,
  view,
  choose,
  titled,
  worth,
  metricOf,
  briefly,
  spreadOf,
  whenChosen,
} from "./study.js";
import {addSection} from "./sections.js";

const MOST_ELEMENTS = 400; // front members beyond this are drawn on the canvas too
const CELL = 16; // of the grid, in pixels: more than a dot's radius

// Those that no other one dominates in two scores, from the best in the first to the best in the second.
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
    ["", "on the front or not"],
    ...options,
    ...study.dimensionNames.map(name => [name, words(name.slice(2))]),
  ];
  const set = (key, value, more = {}) => {
    Object.assign(view, {[key]: value, zoom: null, ...more});
    draw();
  };
  host.replaceChildren(
    picker("up", options, view.y, name => set("y", name, {logY: null})),
    tick("log", isLog("y"), on => set("logY", on)),
    picker("across", options, view.x, name => set("x", name, {logX: null})),
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

// Whether an axis is logarithmic: as the reader said, or as its values suggest.
function isLog(axis) {
  const name = view[axis],
    chosen = axis === "x" ? view.logX : view.logY;
  const values = study.ok.map(i => study.value(i, name)).filter(known);
  return (
    extent(values)[1] > 0 && (chosen ?? spreads(axis === "y" ? values.map(level(name)) : values))
  );
}

// An accuracy of exactly 1 has a place on a logarithmic scale of errors too.
const level = name => value => (name === "error" && study.share ? Math.max(value, 0.002) : value);

function draw() {
  const host = byId("chart-front");
  const focused = host.contains(document.activeElement)
    ? document.activeElement.dataset.trial
    : null;
  if (!study.ok.length) return host.replaceChildren("No candidate has finished yet.");
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
  const plane = frontPlane(host.querySelector(".plot"));
  host.querySelector("figcaption").replaceChildren(...plane.told);
  if (focused) host.querySelector(`[data-trial="${focused}"]`)?.focus();
}

function frontPlane(host) {
  const width = Math.max(300, host.clientWidth),
    height = width < 520 ? 360 : 460;
  const {svg: back, box} = chart(
    width,
    height,
    `${words(view.y)} against ${words(view.x)}`,
    "presentation",
  );
  const front = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "group",
    class: "over",
    "aria-label": `${words(view.y)} against ${words(view.x)}: ${counted(study.ok.length, "candidate")}, ${study.front.length} on the front; arrow keys go along the front`,
  });
  const canvas = element("canvas", {"aria-hidden": "true"});
  host.replaceChildren(back, canvas, front);
  const up = level(view.y);
  const rows = study.ok.filter(i => known(study.value(i, view.x)) && known(study.value(i, view.y)));
  const diamonds = study.compared.filter(
    b => b.status === "ok" && known(b[view.x]) && known(b[view.y]),
  );
  const told = [];
  if (!rows.length) return {told: ["Nothing was measured there."]};
  const logX = isLog("x"),
    logY = isLog("y");
  const rules = Object.entries(study.baselines).filter(
    ([, error]) => known(error) && (error > 0 || !logY),
  );
  const across = rows.map(i => study.value(i, view.x)).concat(diamonds.map(b => b[view.x]));
  const heights = rows
    .map(i => up(study.value(i, view.y)))
    .concat(diamonds.map(b => up(b[view.y])));
  const highest = extent(heights)[1];
  const lines = view.y === "error" ? rules : [];
  const x = view.zoom
    ? scaleBetween(...view.zoom.x, box.left, box.right, logX)
    : scale(across, box.left, box.right, logX);
  const y = view.zoom
    ? scaleBetween(...view.zoom.y, box.bottom, box.top, logY)
    : scale(
        heights.concat(lines.map(([, error]) => error).filter(error => error <= highest * 1.5)),
        box.bottom,
        box.top,
        logY,
      );
  axes(back, x, y, box, titled(view.x), titled(view.y));
  for (const [name, error] of lines.filter(([, error]) => y.holds(error)))
    back.append(
      element("line", {
        class: "baseline-line",
        x1: box.left,
        x2: box.right,
        y1: y(error),
        y2: y(error),
      }),
      element(
        "text",
        {class: "baseline-label", x: box.right, y: y(error) - 5, "text-anchor": "end"},
        `${name} (${show(error)})`,
      ),
    );
  const outside = lines
    .filter(([, error]) => !y.holds(error))
    .map(([name, error]) => `${name} ${show(error)}`);
  if (outside.length) told.push(element("span", {}, `Beyond the picture: ${outside.join(", ")}. `));

  const inside = ([a, b]) =>
    a >= box.left - 1 && a <= box.right + 1 && b >= box.top - 1 && b <= box.bottom + 1;
  const place = new Map(
    rows
      .map(i => [i, [x(study.value(i, view.x)), y(up(study.value(i, view.y)))]])
      .filter(([, spot]) => inside(spot)),
  );
  const paint = painter(view.colour);
  const isBest = i => study.onFront.has(study.columns.trial[i]);
  const best = [...place.keys()].filter(isBest).sort((a, b) => place.get(a)[0] - place.get(b)[0]);
  const elements = best.slice(0, MOST_ELEMENTS),
    drawn = new Set(elements);
  drawDots(
    canvas,
    width,
    height,
    [...place].filter(([i]) => !drawn.has(i)),
    paint,
    rows.length,
    isBest,
  );
  if (view.x !== view.y)
    front.append(
      element("path", {
        class: "front-line",
        d: stairs(
          stairsOf(rows, view.x, view.y)
            .map(i => [x(study.value(i, view.x)), y(up(study.value(i, view.y)))])
            .filter(inside),
        ),
      }),
    );
  front.append(
    element("rect", {
      class: "catch",
      x: box.left,
      y: box.top,
      width: box.right - box.left,
      height: box.bottom - box.top,
    }),
  );
  const chosen = study.row(view.trial);
  for (const i of new Set([...elements, ...(place.has(chosen) ? [chosen] : [])]))
    errorBar(front, i, place, y);
  for (const b of diamonds)
    if (inside([x(b[view.x]), y(up(b[view.y]))]))
      front.append(diamond(b, x(b[view.x]), y(up(b[view.y]))));
  const points = elements.map(i => frontPoint(i, place.get(i), paint));
  front.append(...points);
  front.append(...knee(place, box), ...tested(x, y, inside));
  if (place.has(chosen))
    front.append(
      element("circle", {class: "ring", cx: place.get(chosen)[0], cy: place.get(chosen)[1], r: 10}),
    );
  roving(points);
  pointing(front, box, gridOf(place), x, y);
  told.push(...legend(view.colour, paint));
  return {told};
}

function drawDots(canvas, width, height, dots, paint, count, isBest) {
  const sharp = devicePixelRatio || 1,
    pen = canvas.getContext("2d");
  Object.assign(canvas, {width: width * sharp, height: height * sharp});
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  pen.scale(sharp, sharp);
  const radius = count > 3000 ? 2.6 : count > 600 ? 3.4 : 4.4,
    plain = colour("dot"),
    accent = colour("accent");
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

// A dot's colour by what the reader chose: a ramp for numbers, up to eight colours for words; null for none.
function painter(name) {
  if (!name) return null;
  const values = study.ok.map(i => study.value(i, name));
  if (study.words.has(name)) {
    const names = [...new Set(values.filter(v => v !== null))].sort();
    const fill = new Map(names.map((v, i) => [v, colour("kind-" + Math.min(i, 7))]));
    return Object.assign(i => fill.get(study.value(i, name)) ?? colour("line"), {names, fill});
  }
  const log = spreads(values),
    bend = log ? Math.log : x => x,
    [least, most] = extent(values);
  const ramp = [0, 1, 2]
    .map(i => colour("ramp-" + i))
    .map(hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)));
  const shade = share => {
    const low = share < 0.5 ? 0 : 1,
      part = 2 * share - low;
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
  if (study.compared.some(b => b.status === "ok"))
    key.push(item("diamond-key", "trained baselines"));
  if (view.y === "error" && study.again?.rows.some(row => known(row.test)))
    key.push(item("square-key", "on the test split"));
  if (view.y === "error" && Object.keys(study.spread).length)
    key.push(item("bar-key", "mean ± standard error of several trainings"));
  return key;
}

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
        class: "point compared" + (b.front === "yes" ? " front" : ""),
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
function errorBar(svg, i, place, y) {
  const spread = view.y === "error" ? spreadOf(i) : null;
  if (!spread) return;
  const [cx] = place.get(i),
    within = value => y(Math.min(Math.max(value, y.from), y.to));
  svg.append(
    element("path", {
      class: "error-bar",
      d: `M${cx - 3.5},${within(spread.mean + spread.se)}h7m-3.5,0V${within(spread.mean - spread.se)}m-3.5,0h7`,
    }),
  );
}

function knee(place, box) {
  const spot = study.knee === null ? null : place.get(study.row(study.knee));
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

// What winners that were trained again reached on the test split.
function tested(x, y, inside) {
  if (view.y !== "error" || !study.again) return [];
  return study.again.rows
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

function gridOf(place) {
  const cells = new Map();
  for (const [i, [a, b]] of place) {
    const key = Math.floor(a / CELL) * 4096 + Math.floor(b / CELL);
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push([i, a, b]);
  }
  return cells;
}

// The dot under a spot, null where there is none within 9 pixels.
function nearest(cells, a, b) {
  let best = null,
    least = 81;
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

// Pointing tells, a click chooses, and drawing a rectangle with the mouse zooms in.
function pointing(svg, box, cells, x, y) {
  let from = null,
    brush = null;
  const spot = event => {
    const edge = svg.getBoundingClientRect(),
      scale = svg.viewBox.baseVal.width / edge.width;
    return [(event.clientX - edge.left) * scale, (event.clientY - edge.top) * scale];
  };
  const within = ([a, b]) => [
    Math.min(Math.max(a, box.left), box.right),
    Math.min(Math.max(b, box.top), box.bottom),
  ];
  svg.addEventListener("pointermove", event => {
    const [a, b] = spot(event);
    if (from) {
      const [c, d] = within([a, b]);
      if (!brush && Math.hypot(c - from[0], d - from[1]) < 6) return;
      brush ??= svg.appendChild(element("rect", {class: "brush"}));
      for (const [key, value] of Object.entries({
        x: Math.min(c, from[0]),
        y: Math.min(d, from[1]),
        width: Math.abs(c - from[0]),
        height: Math.abs(d - from[1]),
      }))
        brush.setAttribute(key, value);
      return closeTip();
    }
    if (event.target.closest(".point")) return;
    const found = nearest(cells, a, b);
    svg.style.cursor = found ? "pointer" : "crosshair";
    if (!found) return closeTip();
    openTip(
      {left: event.clientX - 6, right: event.clientX + 6, top: event.clientY, height: 0},
      ...tellTrial(found[0]),
    );
  });
  svg.addEventListener("pointerdown", event => {
    if (event.pointerType === "touch" || event.button !== 0 || event.target.closest(".point"))
      return;
    from = within(spot(event));
    event.preventDefault();
  });
  svg.addEventListener("pointerleave", () => {
    closeTip();
  });
  svg.addEventListener("pointerup", event => {
    const [a, b] = spot(event);
    if (brush && from) {
      const [c, d] = within([a, b]);
      const sorted = (one, other) => (one < other ? [one, other] : [other, one]);
      if (Math.abs(c - from[0]) > 8 && Math.abs(d - from[1]) > 8) {
        view.zoom = {x: sorted(x.back(c), x.back(from[0])), y: sorted(y.back(d), y.back(from[1]))};
        from = brush = null;
        return draw();
      }
    }
    brush?.remove();
    from = brush = null;
    const found = event.target.closest(".point") ? null : nearest(cells, a, b);
    if (found) choose(study.columns.trial[found[0]]);
  });
  svg.addEventListener("dblclick", () => {
    if (view.zoom) {
      view.zoom = null;
      draw();
    }
  });
}

function tellTrial(i) {
  const trial = study.columns.trial[i],
    picture = study.wirings[trial];
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
  element(
    "p",
    {},
    b.front === "yes" ? "It lies on the joint front." : "It does not lie on the joint front.",
  ),
];

addSection(draw);
whenChosen(() => {
  closeTip();
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
