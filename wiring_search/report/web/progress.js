// How the search went, and random search beside it.

import {byId, element, show, words, known, withCode} from "./base.js";
import {lineChart} from "./charts.js";
import {study} from "./study.js";
import {addSection} from "./sections.js";

function draw() {
  const {study: own, random} = study.course;
  byId("course").hidden = !own.judged.length;
  if (!own.judged.length) return;
  const plot = (host, across, up, xName, yName, logY) => {
    const line = went => went[across].map((x, i) => [x, went[up][i]]).filter(([, y]) => known(y));
    const lines = [
      ...(random ? [{points: line(random), class: "random", name: "random search"}] : []),
      {points: line(own), name: "this search"},
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
  plot("course-judged", "judged", "hypervolume", "candidates judged", "hypervolume", false);
  plot("course-seconds", "seconds", "hypervolume", "seconds of workers", "hypervolume", false);
  plot("course-error", "judged", "error", "candidates judged", "best error so far");
  byId("course-note").replaceChildren(
    `Hypervolume of the front in ${study.objectives.map(words).join(", ")}, from ${study.reference}; larger is better. `,
    ...(random
      ? [
          element("span", {class: "line-key"}),
          " this search ",
          element("span", {class: "line-key random"}),
          " random search with the same settings.",
        ]
      : study.settings.sampler === "random"
        ? ["This search is random search."]
        : withCode(
            "Whether the sampler is worth it shows beside random search with the same settings: `wiring-search random OUT`.",
          )),
  );
}

addSection(draw);
