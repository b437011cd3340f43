// What was run, on what, for how long; and the checklist.

const MARKS = {yes: "✓", partly: "◐", no: "✗"};

function drawFacts() {
  const {cost, checklist} = study;
  const total = cost.full + cost.cut + cost.scores + cost.baselines + cost.retraining;
  byId("settings").replaceChildren(...pairs(Object.entries(study.settings).filter(([, value]) => value)));
  byId("environment").replaceChildren(...pairs(Object.entries(study.environment)));
  byId("cost").replaceChildren(...pairs([["candidates trained", show(cost.trainings)], ["from the first pack to the last", duration(cost.wall_seconds)],
    ["workers' time in all", duration(total)], ["training, full budget", duration(cost.full)], ...(cost.cut ? [["training, others", duration(cost.cut)]] : []),
    ["measuring scores", duration(cost.scores)], ...(cost.baselines ? [["baselines", duration(cost.baselines)]] : []), ...(cost.retraining ? [["retraining, controls", duration(cost.retraining)]] : [])]));
  const count = answer => checklist.filter(item => item.answer === answer).length;
  byId("checklist-note").textContent = `${count("yes")} of ${checklist.length} answered by yes, ${count("partly")} partly, ${count("no")} by no.`;
  const parts = [...new Set(checklist.map(item => item.part))];
  byId("checklist").replaceChildren(...parts.flatMap(part => [element("h3", {}, part), element("ul", {class: "checks"},
    ...checklist.filter(item => item.part === part).map(item => element("li", {}, element("span", {class: "check " + item.answer}, `${MARKS[item.answer]} ${item.answer}`),
      element("span", {}, element("b", {}, item.question), element("br"), ...withCode(item.evidence)))))]));
}
