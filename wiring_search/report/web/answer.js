// The first screen: which wiring is enough, how it compares, how uncertain that is.

import {byId, element, show, counted, known, withCode} from "./base.js";
import {wiringPicture} from "./wiring.js";
import {study, metricOf, briefly, spreadOf} from "./study.js";
import {addSection} from "./sections.js";

function draw() {
  const {lead} = study;
  byId("kicker").textContent = [
    study.task,
    study.pruned
      ? `${show(study.finished)} candidates fully trained, ${show(study.pruned)} pruned`
      : `${show(study.finished)} candidates trained`,
    study.source,
  ]
    .filter(Boolean)
    .join(" · ");
  byId("answer").textContent = lead.answer;
  byId("lead").hidden = study.first === null;
  if (study.first === null) return;
  const i = study.row(study.first);
  const picture = study.wirings[study.first];
  byId("lead-wiring").replaceChildren(
    ...(picture ? [wiringPicture(picture, {width: 360})] : []),
    element("figcaption", {}, element("b", {}, `Trial ${study.first}`), ` · ${briefly(i)}`),
  );
  byId("lead-bars").replaceChildren(...leadBars());
  byId("lead-knee").textContent = lead.knee;
  byId("lead-uncertainty").hidden = !lead.sure.length;
  byId("lead-sure").replaceChildren(
    ...lead.sure.map(sentence => element("li", {}, ...withCode(sentence))),
  );
}

// Bars of the task's metric: the wirings named above, the best baseline, the trivial rules.
function leadBars() {
  const {lead} = study;
  const rows = [];
  const addCandidate = (trial, name) => {
    const i = study.row(trial);
    const spread = spreadOf(i);
    const mean = spread ? `, mean of ${spread.trainings} trainings` : "";
    rows.push({
      name: `${name}, ${counted(study.value(i, "synapses"), "synapse")}${mean}`,
      error: spread?.mean ?? study.value(i, "error"),
      se: spread?.se,
      kind: "candidate",
    });
  };
  if (lead.small === null) addCandidate(study.first, "best candidate");
  else
    addCandidate(lead.small, lead.small === lead.best ? "this wiring" : "smallest that is enough");
  if (lead.best !== lead.small) addCandidate(lead.best, "best");
  const trained = study.baselines
    .filter(b => b.status === "ok" && known(b.error))
    .sort((a, b) => a.error - b.error)[0];
  if (trained)
    rows.push({
      name: `${trained.name}, ${show(trained.synapses)} synapses`,
      error: trained.error,
      kind: "baseline",
    });
  for (const [name, error] of Object.entries(study.rules))
    if (known(error)) rows.push({name, error, kind: "rule"});
  const better = study.share ? "longer" : "shorter";
  const most = study.share ? 1 : Math.max(...rows.map(row => row.error)) || 1;
  const list = element("div", {
    class: "bars",
    role: "table",
    "aria-label": `${study.metric} on the validation split`,
  });
  for (const row of rows.sort((a, b) => a.error - b.error)) {
    const value = metricOf(row.error);
    const bar = element("span", {
      class: "bar " + row.kind,
      style: `width:${Math.max(0.4, (100 * value) / most)}%`,
    });
    const sure = known(row.se) ? ` ± ${show(row.se, 2)}` : "";
    list.append(
      element(
        "div",
        {class: "bar-row " + row.kind, role: "row"},
        element("span", {class: "bar-name", role: "rowheader"}, row.name),
        element("span", {class: "bar-track", "aria-hidden": "true"}, bar),
        element("span", {class: "bar-value", role: "cell"}, show(value, 4) + sure),
      ),
    );
  }
  return [
    list,
    element(
      "p",
      {class: "note tight"},
      `${study.metric} on the validation split; ${better} bars are better`,
    ),
  ];
}

addSection(draw);
