// The study, and what the reader of the page has chosen. `adopt` takes the data of a report; on a
// served page it takes news too, and the choices stay.

import {show, words, counted, known} from "./base.js";

const study = {};
const view = {x: null, y: null, logX: null, logY: null, colour: "", zoom: null, trial: null};

function adopt(data) {
  const {columns, dimensions} = data;
  const trials = columns.trial;
  const at = new Map(trials.map((trial, i) => [trial, i]));
  const status = columns.status.codes.map(code => columns.status.choices[code]);
  const numbers = Object.fromEntries(Object.entries(columns).filter(([name]) => name !== "status"));
  numbers.metric =
    numbers.error?.map(error => (error === null ? null : data.share ? 1 - error : error)) ?? [];
  const plain = Object.entries(dimensions).map(([name, values]) => [
    "p." + name,
    Array.isArray(values)
      ? values
      : values.codes.map(code => (code === null ? null : values.choices[code])),
  ]);
  const all = {...numbers, status, ...Object.fromEntries(plain)};
  const ok = trials.map((_, i) => i).filter(i => status[i] === "ok");
  Object.assign(study, {
    ...data,
    at,
    ok,
    play: data.play ?? study.play,
    count: trials.length,
    first: data.lead.small ?? lowestError(ok, trials, numbers.error),
    onFront: new Set(data.front),
    words: new Set([
      "status",
      ...plain
        .filter(([, values]) => values.some(v => typeof v === "string"))
        .map(([name]) => name),
    ]),
    scoreOf: new Map(data.scores.map(score => [score.name, score])),
    further: data.scores
      .map(score => score.name)
      .filter(
        name => !["error", "synapses", "parameters", "latency_us"].includes(name) && all[name],
      ),
    dimensionNames: plain.map(([name]) => name),
    value: (i, name) => all[name]?.[i] ?? null,
    row: trial => at.get(trial),
  });
  if (!study.scoreOf.has(view.x))
    view.x = study.objectives.find(name => name !== "error") ?? "synapses";
  if (!study.scoreOf.has(view.y))
    view.y = study.objectives.includes("error")
      ? "error"
      : (study.objectives.find(name => name !== view.x) ?? "error");
  if (!at.has(view.trial)) view.trial = asked() ?? study.first;
}

// The trial with the lowest error; null for no trial.
function lowestError(rows, trials, errors) {
  if (!rows.length) return null;
  return trials[rows.reduce((best, i) => (errors[i] < errors[best] ? i : best))];
}

// The trial that the address names: #trial=17.
function asked() {
  const found = /(?:^#|&)trial=(\d+)/.exec(location.hash);
  return found && study.at?.has(Number(found[1])) ? Number(found[1]) : null;
}

const errorName = () => (study.share ? `error (1 − ${study.metric})` : `error (${study.metric})`);

function titled(name) {
  if (name === "error") return errorName();
  if (name === "metric") return study.metric;
  if (name.startsWith("p.")) return words(name.slice(2));
  const unit = study.scoreOf.get(name)?.unit;
  return name === "latency_us" ? "latency (µs per step)" : words(name) + (unit ? ` (${unit})` : "");
}

const worth = (name, value) => (study.scoreOf.get(name)?.sign ?? 1) * value;
// What the task's own metric is for an error.
const metricOf = error => (study.share ? 1 - error : error);

function briefly(i) {
  const parts = [
    `${study.metric} ${show(study.value(i, "metric"), 4)}`,
    counted(study.value(i, "synapses"), "synapse"),
    counted(study.value(i, "parameters"), "parameter"),
    `${show(study.value(i, "latency_us"))} µs per step`,
  ];
  return parts.join(" · ");
}

// Mean and standard error over trainings of one candidate; null if it was trained once.
function spreadOf(i) {
  const [mean, se, trainings, source] = study.spread[study.columns.trial[i]] ?? [];
  return known(se) ? {mean, se, trainings, source} : null;
}

// ---- the trial that is looked at: chosen by a click, by Enter, or by the address

const choices = [];

/** look(isFar) is called when another trial is chosen. isFar: what shows it may be off screen. */
const whenChosen = look => {
  choices.push(look);
};

function choose(trial) {
  if (!study.at.has(trial)) return;
  view.trial = trial;
  history.pushState(null, "", `#trial=${trial}`);
  for (const look of choices) look(true);
}

function follow(isFar) {
  const trial = asked();
  if (trial === null || trial === view.trial) return;
  view.trial = trial;
  for (const look of choices) look(isFar);
}

window.addEventListener("hashchange", () => follow(true));
window.addEventListener("popstate", () => follow(false));

export {
  study,
  view,
  adopt,
  choose,
  whenChosen,
  errorName,
  titled,
  worth,
  metricOf,
  briefly,
  spreadOf,
};
