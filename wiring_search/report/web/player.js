// The player runs a trained network on validation samples. Synapses and neurons can be switched
// off; the output is then shown next to that of the intact network.
//
// `given` is what `playing.playable` makes.

import {element, show, picker, button, byId} from "./base.js";
import * as Forward from "./forward.js";
import * as Activity from "./activity.js";
import * as Timeline from "./timeline.js";
import * as Outputs from "./outputs.js";
import {closeTip} from "./tip.js";
import {study, briefly} from "./study.js";
import {addSection} from "./sections.js";

/** Fills the host; `given` has at least one network. Gives `has(trial)` and `open(trial)`. */
function playerIn(host, given) {
  const byTrial = new Map(given.networks.map(one => [one.trial, one]));
  const nothing = () => ({
    synapses: new Set(),
    sensory: new Set(),
    neurons: new Set(),
    nodes: new Set(),
  });
  // Chosen: a network, the parts that are off, a sample with its targets, a time step. Computed
  // from these: `intact`, the states of the intact network, and `runs`, those of the runs shown,
  // the coloured one first.
  let network, off, sample, asked, t, intact, runs;
  let output = 0;
  let speed = 1;
  let timer = null;
  let graph, path;

  // ---- the page

  const slider = element("input", {type: "range", min: 0, value: 0, "aria-label": "time step"});
  const toggle = button("▶", () => (timer === null ? start() : stop()), {
    class: "round",
    "aria-label": "play",
  });
  const allOn = button(
    "Switch all on",
    () => {
      off = nothing();
      compute("All parts are on.");
    },
    {class: "all-on"},
  );
  const networks = picker(
    "network",
    [...byTrial.keys()].map(trial => [trial, titleOf(trial)]),
    null,
    trial => open(Number(trial)),
  );
  const speeds = picker(
    "speed",
    [
      [0.5, "½ ×"],
      [1, "1 ×"],
      [2, "2 ×"],
      [4, "4 ×"],
    ],
    1,
    value => {
      speed = Number(value);
      if (timer !== null) start();
    },
  );
  const samples = element("span", {class: "segments"});
  const scene = element("figure", {class: "graph"});
  const says = element("div", {class: "says"});
  const summary = element("p", {class: "summary", "aria-live": "polite"});
  const strips = element("div", {class: "strips"});
  const moved = element("div", {class: "moved"});
  host.replaceChildren(
    element(
      "div",
      {class: "choices"},
      networks,
      element(
        "div",
        {class: "picker", role: "group", "aria-label": "validation sample"},
        element("span", {}, "sample"),
        samples,
      ),
      speeds,
    ),
    element("div", {class: "scene"}, scene, says),
    element("div", {class: "summary-line"}, summary, allOn),
    element("div", {class: "controls"}, toggle, slider),
    strips,
    moved,
  );

  // ---- choosing

  function open(trial) {
    stop();
    network = Forward.prepared(byTrial.get(trial));
    off = nothing();
    networks.querySelector("select").value = trial;
    const isOne = given.kind === "classification" && !given.every_step;
    samples.replaceChildren(
      ...network.shown.map(({name, row}) =>
        button(isOne ? `${name} (${given.samples[row].y})` : name, () => take(row), {
          "data-row": row,
        }),
      ),
    );
    drawGraph();
    take(network.shown[0].row);
  }

  /** Another sample; what is off stays off. */
  function take(row) {
    stop();
    sample = given.samples[row];
    asked = Outputs.question(given, sample);
    intact = run(network);
    t = asked.last;
    for (const choice of samples.children)
      choice.setAttribute("aria-pressed", String(Number(choice.dataset.row) === row));
    compute("");
  }

  function flip(part) {
    const set = off[part.set];
    const was = set.has(part.i);
    if (was) set.delete(part.i);
    else set.add(part.i);
    closeTip();
    compute(`${part.name[0].toUpperCase()}${part.name.slice(1)} is ${was ? "on again" : "off"}.`);
  }

  // ---- computing and drawing

  const run = one =>
    Forward.run(one, Forward.exact(sample.x), sample.elapsed?.map(Math.fround) ?? null);

  /** what: has changed, in a sentence. */
  function compute(what) {
    const isWhole = Object.values(off).every(set => !set.size);
    runs = isWhole ? [intact] : [run(Forward.silenced(network, off)), intact];
    allOn.disabled = isWhole;
    graph.mark(off);
    summary.replaceChildren(
      what && what + " ",
      element("b", {}, Outputs.verdict(asked, runs[0])),
      isWhole ? "" : " " + Outputs.verdict(asked, intact, true),
    );
    drawStrips();
    drawMoved();
    moment(t);
  }

  function drawGraph() {
    const tell = part => Outputs.part(network, part, runs[0][t], off[part.set].has(part.i));
    graph = Activity.draw(
      network,
      Math.max(330, Math.min(720, scene.clientWidth || 720)),
      tell,
      flip,
    );
    scene.replaceChildren(graph.svg);
  }

  const greatest = lists =>
    lists.reduce((most, list) => list.reduce((a, b) => Math.max(a, Math.abs(b)), most), 0);
  const scale = name => greatest(intact.map(now => now[name]));

  function drawStrips() {
    const steps = asked.last + 1;
    const x = Array.from(sample.x[0], (_, f) => sample.x.map(now => now[f]));
    const most = greatest(x);
    const v = Activity.downwards(network).map(i => runs[0].map(now => now.v[i]));
    const highest = scale("v");
    // A feature on a scale of its own is seen, too, unless it is next to nothing.
    const inputs =
      x.length > 2
        ? Timeline.heatMap(
            x,
            x.map(values => Math.max(greatest([values]), most / 20)),
            "inputs over time",
          )
        : Timeline.curves(
            steps,
            x.map((values, f) => ({values, class: f ? "truth" : "now"})),
            "inputs over time",
          );
    const strip = (name, picture) =>
      element(
        "div",
        {class: "strip"},
        element("span", {}, name),
        element("div", {class: "lane"}, picture),
      );
    strips.replaceChildren(
      strip("inputs", inputs),
      strip(
        "neurons",
        Timeline.heatMap(
          v,
          v.map(() => highest),
          "states over time",
          Math.sqrt,
        ),
      ),
      strip(...outputCurve(steps)),
      element("div", {class: "cursor", "aria-hidden": "true"}),
    );
    host.style.setProperty("--steps", steps);
    slider.max = steps - 1;
  }

  function outputCurve(steps) {
    output = Math.min(output, intact[0].y.length - 1);
    const truth = step => asked.target(step)?.[output] ?? null;
    const value = asked.isClass
      ? (now, step) => Outputs.shares(now.y)[asked.target(step)] ?? null
      : now => now.y[output];
    const curves = runs
      .map((states, k) => ({values: states.map(value), class: k ? "ghost" : "now"}))
      .reverse();
    if (asked.isClass)
      return [
        "true class",
        Timeline.curves(steps, curves, "probability of the true class over time", [0, 1]),
      ];
    return [
      intact[0].y.length > 1 ? `output ${output}` : "output",
      Timeline.curves(
        steps,
        [{values: intact.map((_, step) => truth(step)), class: "truth"}, ...curves],
        "output and target over time",
      ),
    ];
  }

  function drawMoved() {
    const {plane, gradient} = network;
    const figure = (title, picture, caption) =>
      element("figure", {}, element("h3", {}, title), picture, element("figcaption", {}, caption));
    path = Timeline.plane(
      plane,
      runs.map(states => [Forward.rest(network).v, ...states.map(now => now.v)]),
      "trajectory of the states in their principal plane",
    );
    const expected = network.expected[network.shown.findIndex(one => one.row === sample.row)];
    moved.replaceChildren(
      figure(
        "State trajectory",
        path.svg,
        "From rest (○) to this step (●), in the principal plane: " +
          `${plane.explained.map(Outputs.percent).join(" and ")} of the variance.`,
      ),
      gradient.log_norms.length > 1
        ? figure(
            "Gradient through time",
            Timeline.gradient(gradient),
            `Norm of the gradient by lag: ${gradient.verdict}, × ${show(Math.exp(gradient.slope))} per step.`,
          )
        : "",
      figure(
        "Computation",
        "",
        Outputs.computing(given, network, sample, asked, intact[asked.last].y, expected),
      ),
    );
  }

  // ---- time

  function moment(step) {
    t = Math.max(0, Math.min(asked.last, step));
    slider.value = t;
    slider.setAttribute("aria-valuetext", `step ${t + 1} of ${asked.last + 1}`);
    host.style.setProperty("--now", t);
    graph.light(runs[0][t], {v: scale("v"), u: scale("u")});
    path.move(t);
    Outputs.morph(
      says,
      element(
        "div",
        {class: "says"},
        ...Outputs.rows(asked, runs, t, output, k => {
          output = k;
          drawStrips();
          moment(t);
        }),
      ),
    );
  }

  function start() {
    stop();
    if (t === asked.last) moment(0);
    toggle.textContent = "❚❚";
    toggle.setAttribute("aria-label", "pause");
    // Seven seconds for a sequence, but half a second for each of a few steps.
    timer = setInterval(
      () => (t < asked.last ? moment(t + 1) : stop()),
      1000 / (speed * Math.max(2, asked.last / 7)),
    );
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    toggle.textContent = "▶";
    toggle.setAttribute("aria-label", "play");
  }

  function drag(event) {
    const lane = strips.querySelector(".lane").getBoundingClientRect();
    if (event.clientX < lane.left && event.type === "pointerdown") return;
    if (event.type === "pointerdown") strips.setPointerCapture(event.pointerId);
    if (!event.buttons) return;
    stop();
    moment(Math.floor(((event.clientX - lane.left) / lane.width) * (asked.last + 1)));
  }

  slider.addEventListener("input", () => {
    stop();
    moment(Number(slider.value));
  });
  for (const kind of ["pointerdown", "pointermove"]) strips.addEventListener(kind, drag);
  // Pictures are drawn for a width and a colour scheme.
  let width = 0;
  const fit = () => {
    if (Math.abs(scene.clientWidth - width) < 24) return;
    width = scene.clientWidth;
    drawGraph();
    graph.mark(off);
    moment(t);
  };
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(scene);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    drawStrips();
    moment(t);
  });
  open(given.networks[0].trial);
  return {has: trial => byTrial.has(trial), open};
}

// ---- the section of the page

let player = null;

/** Draws the player, or the reason why there is none. News leave it as its reader has it. */
function draw() {
  const host = byId("play");
  const given = study.play;
  if (!host.hidden || !given || (!given.absent && !given.networks?.length)) return;
  const about =
    given.absent ??
    "A trained network runs in this page on samples of the validation split. Play, or drag the time. " +
      "Click a synapse or a neuron to switch it off, and compare the output with the intact network.";
  const card = element("div", {class: "card player"});
  host.replaceChildren(
    element("h2", {id: "h-play"}, "Play a network"),
    element("p", {class: "note"}, about),
    ...(given.absent ? [] : [card]),
  );
  host.hidden = false;
  if (!given.absent) player = playerIn(card, given);
}

const titleOf = trial =>
  `trial ${trial} · ${briefly(study.row(trial)).split(" · ").slice(0, 2).join(" · ")}`;
const hasNetwork = trial => player !== null && player.has(trial);
const openNetwork = trial => player.open(trial);

addSection(draw);

export {hasNetwork, openNetwork};
