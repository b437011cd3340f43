// One trial: its wiring, scores, learning curve, dimensions.

import {
  byId,
  element,
  show,
  counted,
  known,
  duration,
  button,
  calm,
  withCode,
  pairs,
} from "./base.js";
import {extent, lineChart} from "./charts.js";
import {wiringPicture, wiringKey} from "./wiring.js";
import {study, view, whenChosen, errorName, titled, spreadOf} from "./study.js";
import {addSection} from "./sections.js";
import {hasNetwork, openNetwork} from "./player.js";

function draw() {
  const host = byId("detail");
  const i = study.row(view.trial);
  host.hidden = i === undefined;
  if (i === undefined) return;
  // News about other trials leave this one as its reader has it.
  const same = JSON.stringify([
    view.trial,
    study.value(i, "status"),
    study.value(i, "error"),
    Boolean(study.wirings[view.trial]),
    study.spread[view.trial],
    study.probability[view.trial],
  ]);
  if (host.dataset.shown === same) return;
  host.dataset.shown = same;
  const status = study.value(i, "status");
  byId("detail-head").replaceChildren(
    `Trial ${view.trial}`,
    element("span", {class: "badge " + status}, status),
    study.onFront.has(view.trial) ? element("span", {class: "badge front"}, "on the front") : "",
  );
  byId("detail-note").textContent =
    study.messages[view.trial] ??
    study.states.find(state => state.status === status)?.sentence ??
    "";
  drawDetailWiring(byId("detail-wiring"), view.trial);
  drawDetailPlay(view.trial);
  drawDetailCurve(byId("detail-curve"), view.trial);
  byId("detail-scores").replaceChildren(...pairs(detailScores(i)));
  byId("detail-point").replaceChildren(
    ...pairs(
      study.dimensionNames
        .map(name => [titled(name), show(study.value(i, name), 4)])
        .filter(([, value]) => value !== "–"),
    ),
  );
}

function detailScores(i) {
  const spread = spreadOf(i);
  const list = [];
  if (study.share) list.push([study.metric, show(study.value(i, "metric"), 4)]);
  list.push([errorName(), show(study.value(i, "error"), 4)]);
  if (spread)
    list.push([
      `mean of ${spread.trainings} trainings`,
      `${show(spread.mean, 4)} ± ${show(spread.se, 2)} (standard error)`,
    ]);
  const retrained = study.winners?.rows.find(row => row.trial === view.trial);
  if (known(retrained?.test))
    list.push([
      `test split, ${counted(retrained.tested, "training")}`,
      show(retrained.test, 4) +
        (known(retrained.test_se) ? ` ± ${show(retrained.test_se, 2)}` : ""),
    ]);
  for (const name of study.scoreOf.keys())
    if (name !== "error" && known(study.value(i, name)))
      list.push([titled(name), show(study.value(i, name), 4)]);
  const sure = study.probability[view.trial];
  if (known(sure)) list.push(["P(on front)", show(sure, 2)]);
  list.push(
    ["training time", duration(study.value(i, "train_seconds"))],
    ["scoring time", duration(study.value(i, "score_seconds"))],
  );
  return list.filter(([, value]) => value !== "–");
}

function drawDetailWiring(host, trial) {
  const wiring = study.wirings[trial];
  const trained = study.play?.networks?.find(network => network.trial === trial);
  if (!wiring)
    return host.replaceChildren(
      element(
        "p",
        {class: "note"},
        "This page holds only the wirings of the front and of the best other trials. ",
        ...withCode(`\`wiring-search show OUT --trial ${trial}\` draws this one.`),
      ),
    );
  const size = {width: 460, height: Math.max(220, Math.min(420, Math.max(...wiring.layers) * 15))};
  const weighed = trained && weighedWiring(trained);
  const picture = weighed
    ? wiringPicture(weighed.wiring, {...size, weights: weighed.weights})
    : wiringPicture(wiring, size);
  host.replaceChildren(picture, wiringKey(weighed ? "width: trained weight" : ""));
}

// A trained network's wiring with its weights, in the network's order; null for a kind of neuron
// that has not exactly one weight per synapse.
function weighedWiring({
  layers,
  pre,
  post,
  polarity,
  sensory_pre,
  sensory_post,
  sensory_polarity,
  parameters,
}) {
  const outer = parameters.sensory_w;
  const inner = parameters.w;
  if (outer?.length !== sensory_pre.length || inner?.length !== pre.length) return null;
  const flat = (from, to, sign) => from.flatMap((node, i) => [node, to[i], sign[i]]);
  return {
    wiring: {
      layers,
      outer: flat(sensory_pre, sensory_post, sensory_polarity),
      inner: flat(pre, post, polarity),
    },
    weights: {outer, inner},
  };
}

// A link to the player, which opens this trial; or the reason why there is none.
function drawDetailPlay(trial) {
  const here = hasNetwork(trial);
  if (here) openNetwork(trial);
  const down = () => byId("play").scrollIntoView({behavior: calm() ? "auto" : "smooth"});
  byId("player").replaceChildren(
    ...(here
      ? [button("Play this wiring ↓", down, {class: "quiet"})]
      : study.play?.networks?.length
        ? ["This page holds only the networks of the front and of the best other trials."]
        : withCode(
            study.play?.absent ?? "`wiring-search report OUT` adds networks that run in the page.",
          )),
  );
}

function drawDetailCurve(host, trial) {
  const curve = study.curves[trial];
  host.hidden = !curve?.errors.some(known);
  if (host.hidden) return;
  const last = curve.rungs.at(-1)?.[0] ?? curve.errors.length;
  const first = Math.max(0, last - curve.errors.length);
  const points = curve.errors
    .map((error, e) => [first + e + 1, error])
    .filter(([, error]) => known(error));
  const rules = Object.values(study.rules).filter(known);
  const lowest = extent(points.map(p => p[1]))[0];
  const best = points.find(([, error]) => error === lowest);
  const svg = lineChart({
    width: 460,
    height: 220,
    label: `validation error of trial ${trial} by epoch`,
    xName: "epoch",
    yName: errorName(),
    lines: [{points, class: "thin", name: "validation error"}],
    marks: [
      ...curve.rungs.filter(([, error]) => known(error)).slice(0, -1),
      ...(best ? [best] : []),
    ],
    bounds: rules.filter(error => error <= extent(points.map(p => p[1]))[1]),
  });
  host.replaceChildren(
    svg,
    element(
      "figcaption",
      {},
      "Validation error after each epoch. The last dot is the best epoch, whose weights count." +
        (curve.rungs.length > 1 ? " Earlier dots are the ends of rungs." : ""),
    ),
  );
}

addSection(draw);
whenChosen(isFar => {
  draw();
  const panel = byId("detail");
  if (isFar && panel.getBoundingClientRect().top > innerHeight * 0.8)
    panel.scrollIntoView({block: "nearest", behavior: calm() ? "auto" : "smooth"});
});
