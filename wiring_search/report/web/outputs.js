// The outputs of a network on a sample, in words and as bars; and the tips of its parts.

import {element, show, words, counted, button} from "./base.js";
import * as Forward from "./forward.js";
import * as Timeline from "./timeline.js";

const MOST_ROWS = 12;
const WORDS = {
  w: "w",
  mu: "μ",
  sigma: "σ",
  erev: "reversal potential",
  ff1_w: "first head",
  ff2_w: "second head",
  time_a_w: "gate a",
  time_b_w: "gate b",
};

function shares(y) {
  const most = Math.max(...y);
  const raised = Array.from(y, value => Math.exp(value - most));
  const sum = raised.reduce((a, b) => a + b, 0);
  return raised.map(value => value / sum);
}

const answer = y => y.indexOf(Math.max(...y));
const percent = share => `${share > 0.995 && share < 1 ? "> 99" : Math.round(100 * share)} %`;

/** The targets of a sample. counts(step): whether the step counts; target(step): its target,
 *  null if there is none. The class of a whole sequence is the target of each step. cut: the
 *  page holds only the first steps. */
function question(given, sample) {
  const last = sample.x.length - 1;
  const cut = given.steps < given.of_steps && sample.x.length === given.steps;
  const isClass = given.kind === "classification";
  const counts = step =>
    given.every_step ? !sample.counted || sample.counted.includes(step) : step === last;
  const target = step =>
    given.every_step
      ? counts(step)
        ? sample.y[step]
        : null
      : isClass || (counts(step) && !cut)
        ? sample.y
        : null;
  return {isClass, everyStep: given.every_step, cut, counts, target, last};
}

/** One sentence on a run. whole: it is that of the intact network, next to another one. */
function verdict(asked, run, whole = false) {
  const name = whole ? "Intact network" : "Prediction";
  const steps = run.map((_, step) => step).filter(asked.counts);
  const {y} = run[asked.last];
  if (asked.isClass && !asked.everyStep) {
    const says = answer(y);
    const truth = asked.target(asked.last);
    const end = says === truth ? "correct" : `wrong, the class is ${truth}`;
    return `${name}: ${says} (${percent(shares(y)[says])}), ${end}.`;
  }
  if (asked.isClass) {
    const correct = steps.filter(step => answer(run[step].y) === asked.target(step));
    return `${name}: correct at ${correct.length} of ${steps.length} steps.`;
  }
  if (asked.cut && !asked.everyStep)
    return `${name} at the last step shown: ${Array.from(y, value => show(value)).join(", ")}.`;
  const squares = steps.flatMap(step =>
    asked.target(step).map((truth, k) => (run[step].y[k] - truth) ** 2),
  );
  const error = squares.reduce((a, b) => a + b, 0) / squares.length;
  return `${name}: mean squared error ${show(error, 4)}.`;
}

/** A heading, a row for each class or output at step t, and a key. runs: the run shown, and that
 *  of the intact network if it differs. chosen: the output whose curve is shown; choose(k) shows
 *  another one. */
function rows(asked, runs, t, chosen, choose) {
  const when = asked.everyStep
    ? ""
    : t === asked.last && !asked.cut
      ? ", the step that counts"
      : "; only the last step counts";
  const key = asked.isClass
    ? "Bars: class probabilities; ✓ true class"
    : "Dots: output; rings: target";
  return [
    element("h3", {}, `Output at step ${t + 1} of ${asked.last + 1}`, element("small", {}, when)),
    ...(asked.isClass
      ? classRows(
          runs.map(run => shares(run[t].y)),
          asked.target(t),
        )
      : valueRows(asked, runs, t, chosen, choose)),
    element("p", {class: "note"}, key + (runs.length > 1 ? "; outlines: intact network." : ".")),
  ];
}

function classRows([now, ghost], target) {
  const order = now.map((_, k) => k);
  const says = answer(now);
  const first = [...order]
    .sort((a, b) => (b === target) - (a === target) || now[b] - now[a])
    .slice(0, MOST_ROWS);
  return order
    .filter(k => first.includes(k))
    .map(k => {
      const bar = element("span", {class: "bar"}, element("i", {style: `width:${100 * now[k]}%`}));
      if (ghost && ghost[k] > 0.005) bar.append(element("s", {style: `width:${100 * ghost[k]}%`}));
      return element(
        "div",
        {class: "row" + (k === says ? " answer" : "") + (k === target ? " right" : "")},
        element("span", {}, `${k}${k === target ? " ✓" : ""}`),
        bar,
        element("span", {}, percent(now[k])),
      );
    });
}

function valueRows(asked, runs, t, chosen, choose) {
  const several = runs[0][t].y.length > 1;
  const truth = asked.target(t);
  return Array.from(runs[0][t].y, (value, k) => {
    const all = runs[0].flatMap((_, step) => [
      ...runs.map(run => run[step].y[k]),
      ...(asked.target(step) ? [asked.target(step)[k]] : []),
    ]);
    const low = Math.min(...all);
    const high = Math.max(...all);
    const left = at => `left:${4 + (92 * (at - low)) / (high - low || 1)}%`;
    return element(
      "div",
      {class: "row"},
      several
        ? button(`output ${k}`, () => choose(k), {"aria-pressed": String(k === chosen)})
        : element("span", {}, "output"),
      element(
        "span",
        {class: "bar track"},
        truth ? element("u", {style: left(truth[k])}) : null,
        runs[1] ? element("s", {style: left(runs[1][t].y[k])}) : null,
        element("i", {style: left(value)}),
      ),
      element("span", {}, show(value, 3)),
    );
  });
}

/** The tip of a part of the wiring. moment: the states at this step; isOff: whether the part is
 *  off. */
function part(network, {set, i, name, pre, gate, polarity}, moment, isOff) {
  const p = network.parameters;
  const hint = element("p", {}, `Click or press Enter to switch it ${isOff ? "on" : "off"}.`);
  if (!pre) {
    const ofNeuron =
      set === "nodes"
        ? []
        : Object.entries(p).filter(
            ([key, list]) =>
              list.length === Forward.neuronsOf(network) &&
              !/^(input|output|memory|sensory)_/.test(key) &&
              !(key in WORDS),
          );
    return [
      element("b", {}, name),
      ` · state ${show(moment[set === "nodes" ? "u" : "v"][i])}`,
      element("p", {}, ofNeuron.map(([key, list]) => `${words(key)} ${show(list[i])}`).join(" · ")),
      hint,
    ];
  }
  const prefix = set === "sensory" ? "sensory_" : "";
  const numbers = Object.entries(WORDS)
    .filter(([key]) => p[prefix + key])
    .map(([key, word]) => `${word} ${show(p[prefix + key][i])}`);
  const sign = gate
    ? " · gate only, not a synapse of the wiring"
    : network.layered
      ? ""
      : polarity > 0
        ? " · excitatory"
        : " · inhibitory";
  return [element("b", {}, name), sign, element("p", {}, numbers.join(" · ")), hint];
}

/** How the page computes, and how far its last output `y` is from Python's, `expected`. */
function computing(given, network, sample, asked, y, expected) {
  const apart =
    Math.max(...expected.map((value, k) => Math.abs(value - y[k]))) /
    (Math.max(...expected.map(Math.abs)) || 1);
  const solver =
    network.family === "cfc"
      ? ""
      : `, ${network.solver}${network.steps ? ` in ${counted(network.steps, "sub-step")}` : ""}`;
  const memory =
    network.memory === "none" ? "" : `, an LSTM memory that sets their ${network.memory}`;
  const cut = asked.cut
    ? ` Samples have up to ${show(given.of_steps)} steps; the page holds the first ${show(given.steps)}.`
    : "";
  return (
    `The page computes this from the trained parameters: ${network.neuron} neurons${solver}${memory}. ` +
    `The last output differs from Python’s by ${Timeline.power(apart)} of its size at most. ` +
    `Sample ${sample.row} of the validation split.${cut} A synapse that is off has weight 0. ` +
    "A neuron that is off still receives input, but sends none."
  );
}

/** Makes a node like another one. What they share stays, so bars glide and the focus is kept. */
function morph(node, like) {
  if (node.nodeType === Node.TEXT_NODE) return void (node.data = like.data);
  for (const {name, value} of like.attributes)
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  const olds = [...node.childNodes];
  const news = [...like.childNodes];
  if (olds.length !== news.length || olds.some((old, i) => old.nodeName !== news[i].nodeName))
    return node.replaceChildren(...news);
  olds.forEach((old, i) => morph(old, news[i]));
}

export {question, verdict, rows, part, computing, morph, shares, percent};
