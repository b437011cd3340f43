// The picture of a wiring: sensory nodes, inter, command and motor neurons from left to right.
// Excitatory synapses are whole lines, inhibitory ones dashed and of another colour; known weights
// are the width.
//
// A wiring is {layers: [sensory, inter, command, motor], outer, inner}: synapses from sensory nodes
// and among neurons, each a flat list of (from, to, polarity); neurons are counted motor first,
// then command, then inter.

import {element} from "./base.js";
import {extent} from "./charts.js";

const ROLES = ["sensory", "inter", "command", "motor"];

function synapses(flat) {
  const found = [];
  for (let i = 0; i < flat.length; i += 3) found.push([flat[i], flat[i + 1], flat[i + 2]]);
  return found;
}

const neuronRoles = ([, inter, command, motor]) => [
  ...Array(motor).fill("motor"),
  ...Array(command).fill("command"),
  ...Array(inter).fill("inter"),
];

// Where everything stands: {sensory: [[x, y], …], neurons: [[x, y], …], radius}.
function wiringSpots(layers, width, height) {
  const columns = ROLES.map((role, i) => [role, layers[i]]).filter(([, n]) => n > 0);
  const spots = {};
  columns.forEach(([role, n], c) => {
    const x = 14 + (c * (width - 42)) / Math.max(columns.length - 1, 1);
    spots[role] = Array.from({length: n}, (_, i) => [x, (height * (i + 0.5)) / n]);
  });
  const [, inter, command, motor] = layers;
  const first = {motor: 0, command: motor, inter: motor + command};
  const rows = Math.max(...layers);
  return {
    sensory: spots.sensory ?? [],
    neurons: neuronRoles(layers).map((role, i) => spots[role][i - first[role]]),
    radius: Math.max(2.2, Math.min(6, height / rows / 2.6)),
    inter,
    command,
    motor,
  };
}

function synapsePath([x1, y1], [x2, y2]) {
  if (x1 !== x2) return `M${x1},${y1}C${(x1 + x2) / 2},${y1} ${(x1 + x2) / 2},${y2} ${x2},${y2}`;
  if (y1 === y2) return `M${x1},${y1}c14,-14 14,14 0,0`;
  return `M${x1},${y1}Q${x1 + Math.min(26, 8 + Math.abs(y2 - y1) / 4)},${(y1 + y2) / 2} ${x2},${y2}`;
}

// weights: {outer: [w, …], inner: [w, …]} of the synapses in their order, or null. The picture has
// what it is made of as `parts`: circles {sensory, neurons} and paths {outer, inner}, each in the
// order of the wiring.
function wiringPicture(wiring, {width = 280, height = null, weights = null} = {}) {
  const [sensory, inter, command, motor] = wiring.layers;
  const tall = height ?? Math.max(120, Math.min(300, Math.max(...wiring.layers) * 12));
  const at = wiringSpots(wiring.layers, width, tall);
  const outer = synapses(wiring.outer);
  const inner = synapses(wiring.inner);
  const inhibitory = [...outer, ...inner].filter(([, , polarity]) => polarity < 0).length;
  const svg = element("svg", {
    class: "wiring",
    viewBox: `0 0 ${width} ${tall}`,
    role: "img",
    "aria-label":
      `wiring with ${sensory} sensory nodes, ${inter} inter, ${command} command and ${motor} motor neurons, ` +
      `${outer.length + inner.length - inhibitory} excitatory and ${inhibitory} inhibitory synapses`,
  });
  const opacity = weights
    ? 0.75
    : Math.max(0.28, Math.min(0.85, 60 / (outer.length + inner.length)));
  const heaviest = weights
    ? Math.max(1e-12, extent([...weights.outer, ...weights.inner].map(Math.abs))[1])
    : 1;
  const path = (from, to, polarity, weight) =>
    element("path", {
      d: synapsePath(from, to),
      class: polarity > 0 ? "exc" : "inh",
      opacity,
      style: weights
        ? `stroke-width:${(0.3 + (3.2 * Math.abs(weight)) / heaviest).toFixed(2)}`
        : null,
    });
  const parts = {
    outer: outer.map(([pre, post, polarity], i) =>
      path(at.sensory[pre], at.neurons[post], polarity, weights?.outer[i]),
    ),
    inner: inner.map(([pre, post, polarity], i) =>
      path(at.neurons[pre], at.neurons[post], polarity, weights?.inner[i]),
    ),
    sensory: at.sensory.map(([cx, cy]) =>
      element("circle", {cx, cy, r: at.radius, class: "node sensory"}),
    ),
    neurons: neuronRoles(wiring.layers).map((role, i) =>
      element("circle", {
        cx: at.neurons[i][0],
        cy: at.neurons[i][1],
        r: at.radius,
        class: "node " + role,
      }),
    ),
  };
  svg.append(...parts.outer, ...parts.inner, ...parts.sensory, ...parts.neurons);
  return Object.assign(svg, {parts});
}

// The key of the picture, in words and form.
const wiringKey = (more = "") =>
  element(
    "p",
    {class: "note"},
    element("span", {class: "key exc"}),
    " excitatory ",
    element("span", {class: "key inh"}),
    ` inhibitory${more && ", "}${more}. From left to right: sensory nodes, inter, command and motor neurons.`,
  );

export {wiringPicture, wiringKey};
