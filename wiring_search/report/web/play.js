"use strict";
// The player: a trained wiring on real validation inputs. Its states run over time; synapses and neurons can be switched off,
// and what it says then stands beside what it says whole.
//
// `given` is what `playing.playable` makes, with one network at least; titles names a trial in a few words. `playerIn(host, given,
// titles)` fills the host and gives a function that opens another network by its trial, and says whether there is one.

/** The section of a page: the player, or why there is none. Gives what `playerIn` gives, or null. */
function playSection(host, given, titles) {
  if (!given || !given.absent && !given.networks?.length) return null;
  const about = given.absent ?? "A trained network runs here, in this page, on samples of the validation split. Let time pass, or drag it; click on a synapse "
    + "or a neuron to switch it off, and see what the network says without it.";
  const player = element("div", {class: "card player"});
  host.replaceChildren(element("h2", {id: "h-play"}, "Play a wiring"), element("p", {class: "note"}, about), ...(given.absent ? [] : [player]));
  host.hidden = false;
  return given.absent ? null : playerIn(player, given, titles);
}

function playerIn(host, given, titles) {
  const byTrial = new Map(given.networks.map(one => [one.trial, one])), isClass = given.kind === "classification";
  const STEPS_A_SECOND = steps => Math.max(2, steps / 7);
  let network, whole, intact, sample, runs, off, t, chosenOutput = 0, picture, flat, timer = null, speed = 1;

  // ---- the parts of the page

  const graph = element("figure", {class: "graph"}), says = element("div", {class: "says"}), summary = element("p", {class: "summary", "aria-live": "polite"});
  const strips = element("div", {class: "strips"}), moved = element("div", {class: "moved"}), samples = element("span", {class: "segments"});
  const slider = element("input", {type: "range", min: 0, value: 0, "aria-label": "time step"});
  const toggle = button("▶", () => timer === null ? start() : stop(), {class: "round", "aria-label": "play"});
  const allOn = button("Switch all on again", () => { off = nothing(); recompute("Everything is on again."); }, {class: "all-on"});
  const speeds = picker("speed", [["0.5", "½ ×"], ["1", "1 ×"], ["2", "2 ×"], ["4", "4 ×"]], "1", value => { speed = Number(value); if (timer !== null) start(); });
  const networks = picker("network", [...byTrial.keys()].map(trial => [trial, titles(trial)]), null, trial => open(Number(trial)));
  const choices = element("div", {class: "choices"}, networks,
    element("div", {class: "picker", role: "group", "aria-label": "validation sample"}, element("span", {}, "sample"), samples), speeds);
  const cursor = element("div", {class: "cursor", "aria-hidden": "true"});
  host.replaceChildren(choices, element("div", {class: "scene"}, graph, says), element("div", {class: "told"}, summary, allOn),
    element("div", {class: "controls"}, toggle, slider), strips, moved);
  slider.addEventListener("input", () => { stop(); moment(Number(slider.value)); });

  const nothing = () => ({synapses: new Set(), sensory: new Set(), neurons: new Set(), nodes: new Set()});
  const countOff = () => Object.values(off).reduce((sum, set) => sum + set.size, 0);

  // ---- choosing

  function open(trial) {
    if (!byTrial.has(trial)) return false;
    stop();
    network = byTrial.get(trial);
    whole = forward.prepared(network);
    off = nothing();
    networks.querySelector("select").value = trial;
    samples.replaceChildren(...network.shown.map(({name, row}) => button(name + (isClass && !given.every_step ? ` (${given.samples[row].y})` : ""),
      () => { stop(); take(row); }, {"data-row": row})));
    drawGraph();
    take(network.shown[0].row);
    return true;
  }

  /** Another sample; what is off stays off. */
  function take(row) {
    sample = given.samples[row];
    intact = computed(whole);
    t = intact.length - 1;
    for (const choice of samples.children) choice.setAttribute("aria-pressed", String(Number(choice.dataset.row) === row));
    recompute("");
  }

  const computed = one => forward.run(one, forward.exact(sample.x), sample.elapsed?.map(Math.fround) ?? null);

  function drawGraph() {
    picture = stage.draw(whole, Math.max(330, Math.min(720, graph.clientWidth || 720)), tellPart, flip);
    graph.replaceChildren(picture.svg);
  }

  // ---- switching

  function flip(part) {
    const set = off[part.set], was = set.has(part.i);
    if (was) set.delete(part.i);
    else set.add(part.i);
    closeTip();
    recompute(`${part.name} is ${was ? "on again" : "off"}.`);
  }

  function recompute(what) {
    runs = countOff() ? [computed(forward.silenced(whole, off)), intact] : [intact];
    allOn.disabled = !countOff();
    host.classList.toggle("cut", runs.length > 1);
    picture.mark(off);
    summary.replaceChildren(...(what ? [what[0].toUpperCase() + what.slice(1) + " "] : []), element("b", {}, verdict(runs[0])),
      runs.length > 1 ? ` Whole, ${verdict(intact, true)}` : "");
    drawStrips();
    drawMoved();
    moment(t);
  }

  // ---- what it says, in words and as rows

  const targetAt = step => given.every_step ? sample.y[step] : step === intact.length - 1 && given.steps === given.of_steps || isClass ? sample.y : null;
  const counts = step => given.every_step ? !sample.counted || sample.counted.includes(step) : step === intact.length - 1;

  function shares(y) {
    const most = Math.max(...y), raised = Array.from(y, value => Math.exp(value - most)), sum = raised.reduce((a, b) => a + b, 0);
    return raised.map(value => value / sum);
  }
  const answer = y => y.indexOf(Math.max(...y));

  function verdict(run, whole = false) {
    const steps = run.map((_, step) => step).filter(counts), it = whole ? "it" : "It";
    if (isClass && !given.every_step) {
      const {y} = run[run.length - 1], says = answer(y), right = says === sample.y;
      return `${it} says ${says} (${percent(shares(y)[says])}), ${right ? "which is right." : `but it is ${sample.y}.`}`;
    }
    if (isClass) return `${it} is right at ${steps.filter(step => answer(run[step].y) === sample.y[step]).length} of ${steps.length} steps.`;
    const squares = steps.flatMap(step => Array.from(run[step].y, (value, k) => (value - targetAt(step)?.[k]) ** 2));
    return `${whole ? "its" : "Its"} mean squared error here is ${show(squares.reduce((a, b) => a + b, 0) / squares.length, 4)}.`;
  }
  const percent = share => `${share > .995 && share < 1 ? "> 99" : Math.round(100 * share)} %`;

  function drawSays() {
    const y = runs[0][t].y, ghost = runs[1]?.[t].y, target = targetAt(t);
    const rows = isClass ? classRows(shares(y), ghost && shares(ghost), target) : valueRows(y, ghost, target);
    const asked = given.every_step ? "" : t === intact.length - 1 ? ", where it is asked" : ", though it is asked at the end alone";
    morph(says, element("div", {class: "says"}, element("h3", {}, `What it says at step ${t + 1} of ${intact.length}`, element("small", {}, asked)), ...rows,
      element("p", {class: "note"}, isClass ? "Bars: its share for each class" : "Dots: what it says; rings: what is true",
        isClass ? "; ✓ the right one" : "", runs.length > 1 ? "; outlines: the whole network" : "", ".")));
  }

  /** Makes a node like another one and keeps what they have in common, so that bars glide and the focus stays where it is. */
  function morph(node, like) {
    if (node.nodeType === Node.TEXT_NODE) return void (node.data = like.data);
    for (const {name, value} of like.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    const olds = [...node.childNodes], news = [...like.childNodes];
    if (olds.length !== news.length || olds.some((old, i) => old.nodeName !== news[i].nodeName)) return node.replaceChildren(...news);
    olds.forEach((old, i) => morph(old, news[i]));
  }

  function classRows(now, ghost, target) {
    const most = 12, order = now.map((_, k) => k);
    const kept = order.length <= most ? order : [...order].sort((a, b) => (b === target) - (a === target) || now[b] - now[a]).slice(0, most).sort((a, b) => a - b);
    const says = answer(now);
    return kept.map(k => {
      const bar = element("span", {class: "bar"}, element("i", {style: `width:${100 * now[k]}%`}));
      if (ghost && ghost[k] > .005) bar.append(element("s", {style: `width:${100 * ghost[k]}%`}));
      return element("div", {class: "row" + (k === says ? " said" : "") + (k === target ? " right" : "")},
        element("span", {}, `${k}${k === target ? " ✓" : ""}`), bar, element("span", {}, percent(now[k])));
    });
  }

  function valueRows(now, ghost, target) {
    return Array.from(now, (value, k) => {
      const all = [...runs.flatMap(run => run.map(step => step.y[k])), ...(given.every_step ? sample.y.map(y => y[k]) : [sample.y[k]])];
      const low = Math.min(...all), high = Math.max(...all), left = value => `left:${4 + 92 * (value - low) / (high - low || 1)}%`;
      const track = element("span", {class: "bar track"}, target ? element("u", {style: left(target[k])}) : null, ghost ? element("s", {style: left(ghost[k])}) : null,
        element("i", {style: left(value)}));
      const label = now.length > 1 ? button(`output ${k}`, () => { chosenOutput = k; drawStrips(); moment(t); }, {"aria-pressed": String(k === chosenOutput)}) : element("span", {}, "output");
      return element("div", {class: "row"}, label, track, element("span", {}, show(value, 3)));
    });
  }

  // ---- over time

  function drawStrips() {
    const steps = intact.length, features = sample.x[0].length;
    const x = Array.from({length: features}, (_, f) => sample.x.map(now => now[f]));
    const [motor, command, inter] = [3, 2, 1].map(k => network.layers[k]), n = inter + command + motor;
    // As in the picture: inter neurons first.
    const order = [...Array(n).keys()].sort((a, b) => roleRank(a, motor, command) - roleRank(b, motor, command) || a - b);
    const v = order.map(i => runs[0].map(now => now.v[i]));
    host.style.setProperty("--steps", steps);
    const row = (name, picture) => element("div", {class: "strip"}, element("span", {}, name), element("div", {class: "lane"}, picture));
    const most = x.map(values => greatest([values]));
    strips.replaceChildren(
      row("inputs", features > 2 ? tape.heatMap(x, most.map(own => Math.max(own, greatest(x) / 20)), "inputs over time") : tape.curves(steps, x.map(values => ({values, class: "now"})), "inputs over time")),
      row("neurons", tape.heatMap(v, v.map(() => scaleOf([intact]).v), "states over time", Math.sqrt)),
      row(...curveRow(steps)), cursor);
    slider.max = steps - 1;
  }
  const roleRank = (i, motor, command) => i < motor ? 2 : i < motor + command ? 1 : 0;
  const greatest = lists => lists.reduce((most, list) => list.reduce((a, b) => Math.max(a, Math.abs(b)), most), 0);
  const scaleOf = all => ({v: greatest(all.flatMap(run => run.map(now => now.v))), u: greatest(all.flatMap(run => run.map(now => now.u)))});

  function curveRow(steps) {
    if (isClass) {
      const share = run => run.map((now, step) => shares(now.y)[targetAt(step)]);
      return ["right class", tape.curves(steps, [...runs.slice(1).map(run => ({values: share(run), class: "ghost"})), {values: share(runs[0]), class: "now"}],
        "share of the right class over time", [0, 1])];
    }
    const k = chosenOutput = Math.min(chosenOutput, intact[0].y.length - 1), value = run => run.map(now => now.y[k]);
    const truth = intact.map((_, step) => counts(step) ? targetAt(step)?.[k] ?? null : null);
    return [intact[0].y.length > 1 ? `output ${k}` : "output", tape.curves(steps, [{values: truth, class: "truth"},
      ...runs.slice(1).map(run => ({values: value(run), class: "ghost"})), {values: value(runs[0]), class: "now"}], "output over time, and what is true")];
  }

  function drawMoved() {
    const states = runs.map(run => [forward.rest(whole).v, ...run.map(now => now.v)]);
    flat = tape.plane(network.plane, states, "path of the states in their principal plane");
    const seen = network.plane.explained.map(share => percent(share)).join(" and ");
    const logs = network.gradient.log_norms;
    moved.replaceChildren(
      element("figure", {}, element("h3", {}, "Path of its states"), flat.svg, element("figcaption", {}, `Their principal plane, with ${seen} of the variance; from rest (○) to now (●).`)),
      ...(logs.length > 1 ? [element("figure", {}, element("h3", {}, "Gradient through time"), tape.gradient(network.gradient),
        element("figcaption", {}, `What is left of a gradient so many steps before: ${network.gradient.verdict}, ${show(network.gradient.slope)} (e-fold) a step.`))] : []),
      element("figure", {class: "about"}, element("h3", {}, "How this is computed"), element("figcaption", {}, about())));
  }

  function about() {
    const place = network.shown.findIndex(one => one.row === sample.row), last = intact[intact.length - 1].y, told = network.told[place];
    const scale = Math.max(...told.map(Math.abs)) || 1, apart = Math.max(...told.map((value, k) => Math.abs(value - last[k]))) / scale;
    const solver = network.neuron.includes("cfc") ? "" : `, ${network.solver}${network.steps ? ` in ${network.steps} sub-steps` : ""}`;
    const cut = given.steps < given.of_steps ? ` Samples have ${show(given.of_steps)} steps; the first ${show(given.steps)} are shown.` : "";
    return `Here, by this page: ${network.neuron} neurons${solver}${network.memory === "none" ? "" : `, memory in the ${network.memory}`}. Its last output is Python’s `
      + `to within ${apart.toExponential(0).replace("e-", " · 10⁻").replace(/⁻(\d+)/, (_, n) => "⁻" + [...n].map(d => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join(""))}. Validation sample ${sample.row}.${cut} `
      + "A synapse that is off has weight 0; a neuron that is off still receives, but hands nothing on.";
  }

  // ---- a moment

  function moment(step) {
    t = Math.max(0, Math.min(intact.length - 1, step));
    slider.value = t;
    slider.setAttribute("aria-valuetext", `step ${t + 1} of ${intact.length}`);
    host.style.setProperty("--now", t);
    picture.light(runs[0][t], scaleOf([intact]));
    flat.move(t);
    drawSays();
  }

  function start() {
    stop();
    if (t === intact.length - 1) moment(0);
    toggle.textContent = "❚❚";
    toggle.setAttribute("aria-label", "pause");
    timer = setInterval(() => t < intact.length - 1 ? moment(t + 1) : stop(), 1000 / (speed * STEPS_A_SECOND(intact.length)));
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    toggle.textContent = "▶";
    toggle.setAttribute("aria-label", "play");
  }

  function drag(event) {
    const lane = strips.querySelector(".lane").getBoundingClientRect();
    if (event.type === "pointerdown") { if (event.clientX < lane.left) return; strips.setPointerCapture(event.pointerId); stop(); }
    if (event.buttons) moment(Math.floor((event.clientX - lane.left) / lane.width * intact.length));
  }
  for (const kind of ["pointerdown", "pointermove"]) strips.addEventListener(kind, drag);

  // ---- what is told of a part

  const WORDS = {w: "w", mu: "μ", sigma: "σ", erev: "reversal potential", ff1_w: "first head", ff2_w: "second head", time_a_w: "gate a", time_b_w: "gate b"};

  function tellPart(part) {
    const p = whole.parameters, silent = off[part.set].has(part.i);
    const hint = element("p", {}, `Click, or Enter, to switch it ${silent ? "on" : "off"}.`);
    if (!part.pre) {
      const value = part.set === "nodes" ? runs[0][t].u[part.i] : runs[0][t].v[part.i];
      const own = part.set === "nodes" ? [] : Object.entries(p).filter(([name, list]) => list.length === forward.neuronsOf(whole) && !/^(input|output|memory|sensory)_/.test(name) && !(name in WORDS));
      return [element("b", {}, part.name), ` · now ${show(value)}`, element("p", {}, own.map(([name, list]) => `${name} ${show(list[part.i])}`).join(" · ")), hint];
    }
    const prefix = part.set === "sensory" ? "sensory_" : "";
    const numbers = Object.entries(WORDS).filter(([name]) => p[prefix + name]).map(([name, word]) => `${word} ${show(p[prefix + name][part.i])}`);
    const sign = part.gate ? "gates only, not of the wiring" : network.neuron.startsWith("layered") ? "" : part.polarity > 0 ? "excitatory" : "inhibitory";
    return [element("b", {}, part.name), sign ? ` · ${sign}` : "", element("p", {}, numbers.join(" · ")), hint];
  }

  // Pictures are drawn for a width and a colour scheme.
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(graph.clientWidth - width) < 24) return;
    width = graph.clientWidth;
    drawGraph();
    picture.mark(off);
    moment(t);
  }).observe(graph);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { drawStrips(); moment(t); });
  open(given.networks[0].trial);
  return open;
}
