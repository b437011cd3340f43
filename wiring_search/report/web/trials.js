// Tables of trials and baselines, and the gallery of wirings.

import {byId, element, show, words, counted, known, button} from "./base.js";
import {wiringPicture} from "./wiring.js";
import {drawTable} from "./tables.js";
import {study, choose, titled} from "./study.js";
import {addSection} from "./sections.js";

const numberOf = name => ({
  name: name === "latency_us" ? "µs per step" : titled(name),
  value: i => study.value(i, name),
  number: name === "trial",
});

function trialColumns() {
  const scores = [
    "trial",
    ...(study.share ? ["metric"] : []),
    "error",
    "synapses",
    "parameters",
    "latency_us",
    ...study.further,
    "train_seconds",
  ];
  return [
    ...scores.map(name =>
      name === "error"
        ? {...numberOf(name), name: study.share ? "error" : study.metric}
        : name === "train_seconds"
          ? {...numberOf(name), name: "train s"}
          : numberOf(name),
    ),
    {name: "status", value: i => study.value(i, "status"), text: true},
    ...(Object.keys(study.probability).length
      ? [
          {
            name: "P(on front)",
            value: i => study.probability[study.columns.trial[i]] ?? null,
            digits: 2,
          },
        ]
      : []),
    ...study.dimensionNames.map(name => ({...numberOf(name), text: study.words.has(name)})),
  ];
}

function drawTables() {
  const columns = trialColumns();
  const press = i => choose(study.columns.trial[i]);
  const chosenClass = i => (study.columns.trial[i] === study.lead.best ? "best" : "");
  drawTable(
    byId("table-front"),
    columns.filter(c => c.name !== "status"),
    study.front.map(trial => study.row(trial)),
    {press, class: chosenClass},
  );
  byId("baselines").hidden = !study.baselines.length;
  const of = key => ({name: key === "latency_us" ? "µs per step" : words(key), value: b => b[key]});
  drawTable(
    byId("table-baselines"),
    [
      {name: "baseline", value: b => b.name, text: true},
      ...(study.share
        ? [{name: study.metric, value: b => (known(b.error) ? 1 - b.error : null)}]
        : []),
      of("error"),
      of("synapses"),
      of("parameters"),
      of("latency_us"),
      {name: "joint front", value: b => b.front, text: true},
      {name: "status", value: b => b.status, text: true},
    ],
    study.baselines,
    {class: () => "baseline"},
  );
  const all = {
    search: true,
    press,
    class: i => (study.onFront.has(study.columns.trial[i]) ? "best" : ""),
  };
  drawTable(
    byId("table-all"),
    columns,
    Array.from({length: study.count}, (_, i) => i),
    all,
  );
  drawTable(
    byId("table-states"),
    [
      {name: "status", value: s => s.status, text: true},
      {name: "trials", value: s => s.count},
      {name: "meaning", value: s => s.sentence, text: true, long: true},
      {name: "example", value: s => s.example, text: true, long: true},
    ],
    study.states,
  );
}

const MOST_SMALL = 12;

// Small multiples of the front's wirings; evenly spaced ones if there are many.
function drawGallery() {
  const kept = study.front.filter(trial => study.wirings[trial]);
  const few =
    kept.length <= MOST_SMALL
      ? kept
      : Array.from(
          {length: MOST_SMALL},
          (_, i) => kept[Math.round((i * (kept.length - 1)) / (MOST_SMALL - 1))],
        );
  byId("gallery-note").textContent =
    kept.length > few.length
      ? `${few.length} of ${study.front.length} front members, evenly spaced.`
      : "";
  byId("wirings").replaceChildren(
    ...few.map(trial => {
      const i = study.row(trial);
      return element(
        "figure",
        {class: "card"},
        wiringPicture(study.wirings[trial]),
        element(
          "figcaption",
          {},
          button(`trial ${trial}`, () => choose(trial), {class: "link"}),
          ` · ${study.metric} ${show(study.value(i, "metric"), 4)}`,
          ` · ${counted(study.value(i, "synapses"), "synapse")}`,
        ),
      );
    }),
  );
}

addSection(drawTables);
addSection(drawGallery);
