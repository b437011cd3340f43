// Search progress, next to that of random search.

import {byId, element, show, words, known, withCode} from "./base.js";
import {lineChart} from "./charts.js";
import {study} from "./study.js";
import {addSection} from "./sections.js";

function draw() {
  const {study: search, random} = study.progress;
  byId("progress").hidden = !search.judged.length;
  if (!search.judged.length) return;
  const plot = (host, across, up, xName, yName, logY) => {
    const line = went => went[across].map((x, i) => [x, went[up][i]]).filter(([, y]) => known(y));
    const lines = [
      ...(random ? [{points: line(random), class: "random", name: "random search"}] : []),
      {points: line(search), name: "this search"},
    ];
    const last = lines
      .map(({name, points}) => (points.length ? `${name} ${show(points.at(-1)[1], 4)}` : ""))
      .filter(Boolean)
      .join(", ");
    byId(host).replaceChildren(
      lineChart({
        width: 400,
        height: 250,
        label: `${yName} by ${xName}; at the end: ${last}`,
        xName,
        yName,
        lines,
        step: true,
        logY,
      }),
    );
  };
  plot("progress-judged", "judged", "hypervolume", "candidates evaluated", "hypervolume", false);
  plot("progress-seconds", "seconds", "hypervolume", "worker-seconds", "hypervolume", false);
  plot("progress-error", "judged", "error", "candidates evaluated", "best error so far");
  byId("progress-note").replaceChildren(
    `Hypervolume of the front in ${study.objectives.map(words).join(", ")}; larger is better. `,
    `Reference point: ${study.reference}. `,
    ...(random
      ? [
          element("span", {class: "line-key"}),
          " this search ",
          element("span", {class: "line-key random"}),
          " random search with the same settings.",
        ]
      : study.settings.sampler === "random"
        ? ["This search is a random search."]
        : withCode(
            "To see what the sampler gains, run `wiring-search random OUT`: " +
              "random search with the same settings.",
          )),
  );
}

addSection(draw);
