// Settings, environment and cost of the study.

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
      ["wall time", duration(cost.wall_seconds)],
      ["worker time, total", duration(total)],
      ["training, full budget", duration(cost.full)],
      ...(cost.cut ? [["training, pruned and failed", duration(cost.cut)]] : []),
      ["scoring", duration(cost.scores)],
      ...(cost.baselines ? [["baselines", duration(cost.baselines)]] : []),
      ...(cost.retraining ? [["retraining, null wirings", duration(cost.retraining)]] : []),
    ]),
  );
}

addSection(draw);
