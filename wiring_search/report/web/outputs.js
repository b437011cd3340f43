// What a network says on a sample, in words and as rows of bars; and what there is to say of its parts.

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

/** What is asked on a sample: `counts(step)`, whether anything is; `target(step)`, what is true there, null where nothing is asked.
 *  The class of a whole sequence is the target of each of its steps. `cut`: the sequence goes on behind what is shown. */
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

/** One sentence. whole: of the intact network, said after that of the other. */
function verdict(asked, run, whole = false) {
  const it = whole ? "Whole, it" : "It";
  const steps = run.map((_, step) => step).filter(asked.counts);
  const {y} = run[asked.last];
  if (asked.isClass && !asked.everyStep) {
    const says = answer(y);
    const truth = asked.target(asked.last);
    return `${it} says ${says} (${percent(shares(y)[says])}), ${says === truth ? "which is right." : `but it is ${truth}.`}`;
  }
  if (asked.isClass)
    return `${it} is right at ${steps.filter(step => answer(run[step].y) === asked.target(step)).length} of ${steps.length} steps.`;
  if (asked.cut && !asked.everyStep)
    return `${it} says ${Array.from(y, value => show(value)).join(", ")} where the sample is cut.`;
  const squares = steps.flatMap(step =>
    asked.target(step).map((truth, k) => (run[step].y[k] - truth) ** 2),
  );
  return `${it} has a mean squared error of ${show(squares.reduce((a, b) => a + b, 0) / squares.length, 4)} here.`;
}

/** A heading, a row for each class or output at step t, and a key. runs: what is to be seen, and the intact network where that is
 *  another one. chosen: the output whose curve is shown, choose(k): shows another one. */
function rows(asked, runs, t, chosen, choose) {
  const when = asked.everyStep
    ? ""
    : t === asked.last && !asked.cut
      ? ", where it is asked"
      : ", though it is asked at the end alone";
  const key = asked.isClass
    ? "Bars: its share for each class; ✓ the right one"
    : "Dots: what it says; rings: what is true";
  return [
    element(
      "h3",
      {},
      `What it says at step ${t + 1} of ${asked.last + 1}`,
      element("small", {}, when),
    ),
    ...(asked.isClass
      ? classRows(
          runs.map(run => shares(run[t].y)),
          asked.target(t),
        )
      : valueRows(asked, runs, t, chosen, choose)),
    element("p", {class: "note"}, key + (runs.length > 1 ? "; outlines: the whole network." : ".")),
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
        {class: "row" + (k === says ? " said" : "") + (k === target ? " right" : "")},
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

/** What the tip tells of a part of the picture. moment: the states now; isOff: whether it is switched off. */
function part(network, {set, i, name, pre, gate, polarity}, moment, isOff) {
  const p = network.parameters;
  const hint = element("p", {}, `Click, or Enter, to switch it ${isOff ? "on" : "off"}.`);
  if (!pre) {
    const own =
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
      ` · now ${show(moment[set === "nodes" ? "u" : "v"][i])}`,
      element("p", {}, own.map(([key, list]) => `${words(key)} ${show(list[i])}`).join(" · ")),
      hint,
    ];
  }
  const prefix = set === "sensory" ? "sensory_" : "";
  const numbers = Object.entries(WORDS)
    .filter(([key]) => p[prefix + key])
    .map(([key, word]) => `${word} ${show(p[prefix + key][i])}`);
  const sign = gate
    ? " · gates only, not of the wiring"
    : network.neuron.startsWith("layered")
      ? ""
      : polarity > 0
        ? " · excitatory"
        : " · inhibitory";
  return [element("b", {}, name), sign, element("p", {}, numbers.join(" · ")), hint];
}

/** How it is computed, and how far from Python's numbers the last output `y` is. told: what Python says there. */
function computing(given, network, sample, asked, y, told) {
  const apart =
    Math.max(...told.map((value, k) => Math.abs(value - y[k]))) /
    (Math.max(...told.map(Math.abs)) || 1);
  const solver = network.neuron.includes("cfc")
    ? ""
    : `, ${network.solver}${network.steps ? ` in ${counted(network.steps, "sub-step")}` : ""}`;
  const memory = network.memory === "none" ? "" : `, a memory that gives their ${network.memory}`;
  const cut = asked.cut
    ? ` Samples have up to ${show(given.of_steps)} steps; the first ${show(given.steps)} are shown.`
    : "";
  return (
    `By this page, from the trained parameters: ${network.neuron} neurons${solver}${memory}. Its last output is Python’s to within ${Timeline.power(apart)}. ` +
    `This is sample ${sample.row} of the validation split.${cut} A synapse that is off has weight 0; a neuron that is off still receives, but hands nothing on.`
  );
}

/** Makes a node like another one and keeps what they have in common, so that bars glide and the focus stays where it is. */
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
