// A wiring that shows its states. Sensory nodes and neurons stand in columns; each of them, and
// each synapse, is a switch.
//
// A positive state is a disc, a negative one a ring; their size is its magnitude, so it can be read
// without colours. A synapse is as wide as its weight and as bright as the state of its source.

import {element} from "./base.js";
import * as Forward from "./forward.js";
import {withTip} from "./tip.js";

const ROLES = ["sensory", "inter", "command", "motor"];

/** All switches: nodes, neurons and connections. Each has the name of its set in `off`. */
function partsOf(network) {
  const [sensory, inter, command, motor] = network.layers;
  const first = {motor: 0, command: motor, inter: motor + command};
  const nodes = Array.from({length: sensory}, (_, i) => ({
    set: "nodes",
    i,
    role: "sensory",
    name: `sensory node ${i}`,
  }));
  const neurons = Array.from({length: inter + command + motor}, (_, i) => {
    const role = i < motor ? "motor" : i < motor + command ? "command" : "inter";
    return {set: "neurons", i, role, name: `${role} neuron ${i - first[role]}`};
  });
  const join = (set, from, prefix, gates) =>
    network[prefix + "pre"].map((pre, i) => {
      const post = neurons[network[prefix + "post"][i]];
      const polarity = network[prefix + "polarity"][i];
      return {
        set,
        i,
        pre: from[pre],
        post,
        polarity,
        gate: gates.has(i),
        name: `${from[pre].name} → ${post.name}`,
      };
    });
  return {
    nodes,
    neurons,
    edges: [
      ...join("sensory", nodes, "sensory_", new Set(network.sensory_gates)),
      ...join("synapses", neurons, "", new Set(network.gates)),
    ],
  };
}

/** x, y of each node and neuron, in columns by role. A full column is staggered. */
function placed(parts, width) {
  const columns = ROLES.map(role =>
    [...parts.nodes, ...parts.neurons].filter(part => part.role === role),
  ).filter(column => column.length);
  const rows = Math.max(...columns.map(column => column.length));
  const height = Math.max(230, Math.min(440, rows * 26));
  const radius = Math.max(4, Math.min(11, height / rows / 1.9));
  const margin = radius + 22;
  columns.forEach((column, c) =>
    column.forEach((part, k) => {
      const stagger = height / column.length < 2.3 * radius ? (k % 2 ? 1 : -1) * radius * 1.15 : 0;
      part.x = margin + (c * (width - 2 * margin)) / Math.max(columns.length - 1, 1) + stagger;
      part.y = 26 + ((height - 8) * (k + 0.5)) / column.length;
    }),
  );
  return {columns, height: height + 26, radius};
}

function pathOf({pre, post}, radius) {
  if (pre === post)
    return `M${pre.x + radius * 0.5},${pre.y - radius * 0.8}c${radius * 1.8},${-radius * 2.2} ${radius * 2.6},${radius * 1.6} ${radius * 0.4},${radius}`;
  if (Math.abs(pre.x - post.x) < 4 * radius) {
    const bend = Math.min(60, 14 + Math.abs(post.y - pre.y) / 3) * (post.y > pre.y ? 1 : -1);
    return `M${pre.x},${pre.y}Q${(pre.x + post.x) / 2 + bend},${(pre.y + post.y) / 2} ${post.x},${post.y}`;
  }
  const middle = (pre.x + post.x) / 2;
  return `M${pre.x},${pre.y}C${middle},${pre.y} ${middle},${post.y} ${post.x},${post.y}`;
}

const strengthOf = (network, edge) => {
  const prefix = edge.set === "sensory" ? "sensory_" : "";
  return Math.max(
    ...Forward.weightsOf(network).map(name => Math.abs(network.parameters[prefix + name][edge.i])),
  );
};

/** The picture. tipOf(part): its tip; flip(part): switches it. Gives the `svg`,
 *  `light(moment, scale)` that shows a time step's v and u, and `mark(off)` that shows what is
 *  switched off. */
function draw(network, width, tipOf, flip) {
  const parts = partsOf(network);
  const {columns, height, radius} = placed(parts, width);
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "stage",
    role: "group",
    "aria-label":
      "Wiring. Arrow keys move between neurons and synapses; Enter switches one off or on.",
  });
  for (const column of columns)
    svg.append(
      element(
        "text",
        {
          x: column.reduce((sum, part) => sum + part.x, 0) / column.length,
          y: 12,
          "text-anchor": "middle",
        },
        column[0].role,
      ),
    );
  const greatest = Math.max(...parts.edges.map(edge => strengthOf(network, edge)), 1e-9);
  parts.air = Math.min(1, 110 / parts.edges.length); // many synapses are drawn finer
  for (const edge of parts.edges) {
    const d = pathOf(edge, radius);
    const thick =
      (0.8 + 2.6 * Math.sqrt(strengthOf(network, edge) / greatest)) * (0.4 + 0.6 * parts.air);
    edge.line = element("path", {
      d,
      class: edge.gate ? "gate" : edge.polarity > 0 ? "exc" : "inh",
      style: `stroke-width:${thick}`,
    });
    edge.host = element("g", {class: "synapse"}, element("path", {d, class: "reach"}), edge.line);
  }
  for (const part of [...parts.nodes, ...parts.neurons]) {
    const {x: cx, y: cy} = part;
    const arm = radius * 0.8;
    part.disc = element("circle", {cx, cy, r: 0, class: "state"});
    part.host = element(
      "g",
      {class: "neuron " + part.role},
      element("circle", {cx, cy, r: radius, class: "body"}),
      part.disc,
      element("path", {
        class: "cross",
        d: `M${cx - arm},${cy - arm}L${cx + arm},${cy + arm}M${cx + arm},${cy - arm}L${cx - arm},${cy + arm}`,
      }),
    );
  }
  const all = [...parts.edges, ...parts.nodes, ...parts.neurons];
  for (const part of all) {
    for (const [key, value] of Object.entries({
      role: "button",
      tabindex: -1,
      "data-part": `${part.set}-${part.i}`,
    }))
      part.host.setAttribute(key, value);
    part.host.addEventListener("click", () => flip(part));
    part.host.addEventListener("focus", () => {
      all.forEach(other => {
        other.host.tabIndex = other === part ? 0 : -1;
      });
    });
    svg.append(withTip(part.host, () => tipOf(part)));
  }
  parts.nodes[0].host.tabIndex = 0;
  svg.addEventListener("keydown", event =>
    walk(
      event,
      parts,
      all.find(part => part.host === event.target),
      flip,
    ),
  );
  return {
    svg,
    parts,
    light: (moment, scale) => light(parts, moment, scale, radius),
    mark: off => mark(parts, off),
  };
}

function light(parts, {v, u}, scale, radius) {
  const show = (part, value, most) => {
    const share = Math.min(1, Math.abs(value) / (most || 1));
    const negative = value < 0;
    const r = (radius - 1) * Math.sqrt(share);
    part.share = share;
    part.disc.setAttribute("class", "state " + (negative ? "negative" : "positive"));
    // A ring has its line on its edge: drawn inside, it is as large as a disc of the same state.
    const line = negative ? Math.min(r / 2, radius * 0.3) : 0;
    part.disc.style.strokeWidth = line;
    part.disc.style.r = r - line / 2 + "px";
  };
  parts.nodes.forEach(part => show(part, u[part.i], scale.u));
  parts.neurons.forEach(part => show(part, v[part.i], scale.v));
  for (const edge of parts.edges)
    edge.line.style.opacity =
      ((edge.gate ? 0.06 : 0.2) + (edge.gate ? 0.3 : 0.75) * Math.sqrt(edge.pre.share)) *
      (0.4 + 0.6 * parts.air);
}

function mark(parts, off) {
  for (const part of [...parts.nodes, ...parts.neurons, ...parts.edges]) {
    const isOff = off[part.set].has(part.i);
    const silent = isOff || (part.pre && off[part.pre.set].has(part.pre.i));
    part.host.classList.toggle("off", Boolean(silent));
    part.host.setAttribute("aria-pressed", String(!isOff));
    part.host.setAttribute(
      "aria-label",
      `${part.name}, ${isOff ? "switched off" : silent ? "silent: its source is off" : "on"}`,
    );
  }
}

/** Up and down move within a column, right and left along the wiring. */
function walk(event, parts, part, flip) {
  if (!part) return;
  const isEdge = Boolean(part.pre);
  const out = parts.edges.filter(edge => edge.pre === part);
  const into = parts.edges.filter(edge => edge.post === part);
  const beside = isEdge
    ? parts.edges.filter(edge => edge.pre === part.pre)
    : [...parts.nodes, ...parts.neurons].filter(other => other.role === part.role);
  const next = by => beside[(beside.indexOf(part) + by + beside.length) % beside.length];
  const goal = {
    ArrowDown: () => next(1),
    ArrowUp: () => next(-1),
    ArrowRight: () => (isEdge ? part.post : out[0]),
    ArrowLeft: () => (isEdge ? part.pre : into[0]),
    Enter: () => flip(part),
    " ": () => flip(part),
  }[event.key];
  if (!goal) return;
  event.preventDefault();
  goal()?.host.focus();
}

/** Numbers of the neurons in the order of the columns: inter, command, motor. */
const downwards = network => {
  const {neurons} = partsOf(network);
  return [...neurons]
    .sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.i - b.i)
    .map(part => part.i);
};

export {draw, downwards};
