const data = JSON.parse(document.getElementById("data").textContent);
const byTrial = new Map(data.trials.map(t => [t.trial, t]));
const onFront = new Set(data.front);
const finished = data.trials.filter(t => t.status === "ok");
const compared = data.compared.filter(b => b.status === "ok");
const isShare = data.metric === "accuracy" || data.metric === "f1";
const errorName = isShare ? "error (1 − " + data.metric + ")" : "error (" + data.metric + ")";


function facts(name, t) {
  return element("div", {}, element("b", {}, name),
    ` · ${data.metric} ${show(t.metric, 4)} · ${show(t.synapses)} synapses · ${show(t.parameters)} parameters · ${show(t.latency_us)} µs a step`);
}

function tellTrial(t) {
  const params = Object.entries(t.params).map(([name, value]) => `${name.replaceAll("_", " ")} ${show(value)}`).join(", ");
  const picture = data.wirings[t.trial] ? [wiringPicture(data.wirings[t.trial])] : [];
  const further = data.further.filter(name => t[name] !== null).map(name => `${name.replaceAll("_", " ")} ${show(t[name])}`).join(", ");
  return [...picture, facts(`trial ${t.trial}`, t), ...(further ? [element("p", {}, further)] : []), element("p", {}, params)];
}

const tellBaseline = b => [facts("baseline " + b.name, b), element("p", {}, b.front === "yes" ? "It lies on the joint front." : "It does not lie on the joint front.")];


const scores = new Map(data.scores.map(s => [s.name, s]));
const worth = (name, t) => scores.get(name).sign * t[name];
const titled = name => name === "error" ? errorName : name.replaceAll("_", " ") + (scores.get(name).unit ? ` (${scores.get(name).unit})` : "");

// Those that no other one dominates in two scores, from the best in the first to the best in the second.
function stairsOf(trials, first, second) {
  const sorted = [...trials].sort((a, b) => worth(first, a) - worth(first, b) || worth(second, a) - worth(second, b));
  let best = Infinity;
  return sorted.filter(t => worth(second, t) < best && (best = worth(second, t), true));
}

function picker(name, chosen, choose) {
  const list = element("select", {"aria-label": name}, ...[...scores.keys()].map(key => element("option", {value: key}, key.replaceAll("_", " "))));
  list.value = chosen;
  list.addEventListener("change", () => choose(list.value));
  return element("label", {}, name + " ", list);
}

function frontChart(host, across = "synapses", up = "error") {
  host.replaceChildren();
  if (!finished.length) return host.append("No candidate has finished yet.");
  if (scores.size > 2) host.append(element("div", {class: "pickers"},
    picker("up", up, key => frontChart(host, across, key)), picker("across", across, key => frontChart(host, key, up))));
  const width = Math.max(320, Math.min(1040, host.clientWidth - 32)), height = width < 500 ? 340 : 430;
  const box = {left: 52, right: width - 12, top: 28, bottom: height - 46};
  const baselines = up === "error" ? Object.entries(data.baselines).filter(([, e]) => e > 0) : [];
  const drawn = t => t[across] !== null && t[up] !== null && t[across] !== undefined && t[up] !== undefined;
  const trials = finished.filter(drawn), diamonds = compared.filter(drawn), dots = [...trials, ...diamonds];
  if (!dots.length) return host.append("Nothing was measured there.");
  const level = value => up === "error" && isShare ? Math.max(value, .002) : value;
  const levels = dots.map(t => level(t[up])), highest = Math.max(...levels);
  const x = scale(dots.map(t => t[across]), box.left, box.right);
  const y = scale([...levels, ...baselines.map(([, e]) => e).filter(e => e <= highest * 1.5)], box.bottom, box.top);
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${up} against ${across}`});
  axes(svg, x, y, box, titled(across), titled(up));
  for (const [name, error] of baselines.filter(([, e]) => y.holds(e))) {
    svg.append(element("line", {class: "baseline-line", x1: box.left, x2: box.right, y1: y(error), y2: y(error)}),
      element("text", {class: "baseline-label", x: box.right, y: y(error) - 5, "text-anchor": "end"}, `${name} (${show(error)})`));
  }
  const at = t => [x(t[across]), y(level(t[up]))];
  if (across !== up) svg.append(element("path", {class: "front-line", d: stairs(stairsOf(trials, across, up).map(at))}));
  const order = [...trials].sort((a, b) => onFront.has(a.trial) - onFront.has(b.trial) || a[across] - b[across]);
  for (const t of order) {
    const [cx, cy] = at(t), best = onFront.has(t.trial);
    const point = element("g", {class: "point" + (best ? " front" : ""), tabindex: best ? 0 : -1, role: "img", "data-trial": t.trial,
      "aria-label": `trial ${t.trial}: ${show(t[across])} ${across}, ${up} ${show(t[up])}`},
    element("circle", {cx, cy, r: best ? 6 : 4.5}));
    svg.append(withTip(point, () => tellTrial(t)));
  }
  for (const b of diamonds) {
    const [cx, cy] = at(b), r = 6;
    const point = element("g", {class: "point compared" + (b.front === "yes" ? " front" : ""), tabindex: 0, role: "img", "data-baseline": b.name,
      "aria-label": `baseline ${b.name}: ${show(b[across])} ${across}, ${up} ${show(b[up])}`},
    element("path", {d: `M${cx - r},${cy}L${cx},${cy - r}L${cx + r},${cy}L${cx},${cy + r}Z`}));
    svg.append(withTip(point, () => tellBaseline(b)));
  }
  host.append(svg);
  const outside = baselines.filter(([, e]) => !y.holds(e)).map(([name, e]) => `${name} ${show(e)}`);
  if (outside.length) host.append(element("figcaption", {}, "Beyond the picture: " + outside.join(", ") + "."));
}

function historyChart(host, key, name) {
  if (!data.history.length) return host.remove();
  const width = 480, height = 250, box = {left: 56, right: width - 10, top: 28, bottom: height - 46};
  const x = scale(data.history.map(h => h.trial), box.left, box.right, false), y = scale(data.history.map(h => h[key]), box.bottom, box.top);
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name + " by trial"});
  axes(svg, x, y, box, "trial", name);
  svg.append(element("path", {class: "front-line", d: stairs(data.history.map(h => [x(h.trial), y(h[key])]))}));
  host.append(svg);
}

function table(host, columns, rows) {
  const head = element("tr"), body = element("tbody");
  const fill = list => body.replaceChildren(...list.map(row => {
    const line = element("tr", {class: row.class || ""});
    line.append(...columns.map(c => element("td", {class: c.text ? "text" : ""}, c.text ? row[c.key] ?? "" : show(row[c.key], 4))));
    return line;
  }));
  columns.forEach(c => {
    const cell = element("th", {scope: "col", class: c.text ? "text" : ""}), button = element("button", {type: "button"}, c.name);
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      for (const other of head.children) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const worth = row => row[c.key] ?? (c.text ? "" : Infinity);
      rows.sort((a, b) => (worth(a) > worth(b) ? 1 : worth(a) < worth(b) ? -1 : 0) * (down ? -1 : 1));
      fill(rows);
    });
    cell.append(button);
    head.append(cell);
  });
  fill(rows);
  host.append(element("thead", {}, head), body);
}

const scoreColumns = [
  {key: "trial", name: "trial"}, {key: "metric", name: data.metric}, {key: "error", name: "error"}, {key: "synapses", name: "synapses"},
  {key: "parameters", name: "parameters"}, {key: "latency_us", name: "µs a step"}, {key: "train_seconds", name: "train s"},
  ...data.further.map(name => ({key: name, name: name.replaceAll("_", " ")})),
];
if (!isShare) scoreColumns.splice(1, 1);
const dimensions = [...new Set(data.trials.flatMap(t => Object.keys(t.params)))];
const isText = name => data.trials.some(t => typeof t.params[name] === "string");
const dimensionColumns = dimensions.map(name => ({key: "p." + name, name: name.replaceAll("_", " "), text: isText(name)}));
const flat = t => ({...t, ...Object.fromEntries(Object.entries(t.params).map(([k, v]) => ["p." + k, v]))});

document.getElementById("kicker").textContent = [
  data.task,
  data.pruned ? `${data.finished} candidates trained to the end, ${data.pruned} pruned before` : `${data.finished} candidates trained`,
  data.source,
].join(" · ");
const best = finished.reduce((a, b) => a && a.error <= b.error ? a : b, null);
const tiles = best ? [[show(best.metric, 4), "best " + data.metric + " (validation)"], [show(best.synapses), "its synapses"],
  [show(data.front.length), "candidates on the front"], [show(Math.min(...finished.map(t => t.synapses))), "synapses of the smallest"],
  ...Object.entries(data.baselines).slice(0, 2).map(([name, e]) => [show(isShare ? 1 - e : e, 4), `${name} (${data.metric})`])] : [];
document.getElementById("tiles").append(...tiles.map(([value, name]) => element("div", {}, element("b", {}, value), element("span", {}, name))));

frontChart(document.getElementById("chart-front"));
const frontRows = data.front.map(n => ({...flat(byTrial.get(n)), class: best && n === best.trial ? "best" : ""}));
table(document.getElementById("table-front"), [...scoreColumns, ...dimensionColumns], frontRows);
if (data.compared.length) {
  document.getElementById("compared").hidden = document.getElementById("note-compared").hidden = false;
  table(document.getElementById("table-compared"), [{key: "name", name: "baseline", text: true}, ...scoreColumns.filter(c => c.key !== "trial" && !data.further.includes(c.key)),
    {key: "front", name: "joint front", text: true}, {key: "status", name: "status", text: true}],
  data.compared.map(b => ({...b, class: "baseline"})));
}
document.getElementById("wirings").append(...data.front.filter(n => data.wirings[n]).map(n => {
  const t = byTrial.get(n);
  return element("figure", {class: "card"}, wiringPicture(data.wirings[n]), element("figcaption", {}, element("b", {}, `trial ${n}`),
    ` · ${data.metric} ${show(t.metric, 4)} · ${show(t.synapses)} synapses`));
}));
historyChart(document.getElementById("chart-best"), "error", "best error so far");
historyChart(document.getElementById("chart-volume"), "hypervolume", "hypervolume");
table(document.getElementById("table-states"), [{key: "status", name: "status", text: true}, {key: "count", name: "trials"},
  {key: "sentence", name: "what it means", text: true}, {key: "example", name: "for instance", text: true}], data.states);
table(document.getElementById("table-all"), [...scoreColumns, {key: "status", name: "status", text: true}, ...dimensionColumns], data.trials.map(flat));
document.getElementById("settings").append(...Object.entries(data.settings).flatMap(([k, v]) => [element("dt", {}, k), element("dd", {}, v)]));
document.getElementById("honesty").textContent = "Every score is measured on the validation split, each candidate at its best epoch, "
  + "so the best of many is a little optimistic; the test split has not been touched. Baselines drawn as lines are trivial rules on the same split.";
