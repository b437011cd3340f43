// What was run, on what, for how long.

import {byId, show, duration, pairs} from "./base.js";
import {study} from "./study.js";
import {addSection} from "./sections.js";

function draw() {
  const {cost} = study;
  const total = cost.full + cost.cut + cost.scores + cost.baselines + cost.retraining;
  byId("settings").replaceChildren(
    ...pairs(Object.entries(study.settings).filter(([, value]) => value)),
  );
  byId("environment").replaceChildren(...pairs(Object.entries(study.environment)));
  byId("cost").replaceChildren(
    ...pairs([
      ["candidates trained", show(cost.trainings)],
      ["from the first pack to the last", duration(cost.wall_seconds)],
      ["workers' time in all", duration(total)],
      ["training, full budget", duration(cost.full)],
      ...(cost.cut ? [["training, others", duration(cost.cut)]] : []),
      ["measuring scores", duration(cost.scores)],
      ...(cost.baselines ? [["baselines", duration(cost.baselines)]] : []),
      ...(cost.retraining ? [["retraining, controls", duration(cost.retraining)]] : []),
    ]),
  );
}

addSection(draw);
