// The forward pass of every network of the project, in float64 and without dependencies.
//
// The reference is Python's: `kernels/reference.py` and `neurons/*.py`, whose names and order this
// file keeps. A network is what `player.plain` gives:
//
//   neuron, solver, steps, memory   names as in `candidate.Candidate`
//   family, variant, layered        which equations: as in `wirings/kinds.py` and `neurons/*.py`
//   layers                          numbers of sensory nodes, inter, command and motor neurons; neurons are numbered motor
//                                   first, then command, then inter
//   ends                            of the layers that a CfC sweeps, (last + 1) of each, the output layer first
//   features, outputs               of x, and of the linear readout (null: one weight and bias a motor neuron)
//   pre, post, polarity             the connections between neurons, by number
//   sensory_pre, sensory_post, …    those from sensory nodes
//   parameters                      by name, matrices row after row, positive where they must be
//
// `run(prepared(network), x, elapsed)` gives the states at every time step, `silenced(network,
// off)` the network without some of its synapses and neurons.

const EPSILON = 1e-8;
// Variants of the CfC, numbered as in neurons/cfc.py, and the heads of each.
const NO_GATE = 1;
const PURE = 2;
const HEADS = [["ff1", "ff2", "time_a", "time_b"], ["ff1", "ff2", "time_a", "time_b"], ["ff1"]];
// How far stage s goes along the slope of stage s − 1, and the weights: as in `solvers.TABLEAUX`.
const TABLEAUX = {
  euler: {a: [0], b: [1]},
  heun: {a: [0, 1], b: [1 / 2, 1 / 2]},
  rk4: {a: [0, 1 / 2, 1 / 2, 1], b: [1 / 6, 1 / 3, 1 / 3, 1 / 6]},
};

const sigmoid = z => 1 / (1 + Math.exp(-z));

/** Σ w v onto each neuron. */
function sumsOnto(neurons, v, pre, post, w) {
  const sums = new Float64Array(neurons);
  for (let e = 0; e < pre.length; e++) sums[post[e]] += w[e] * v[pre[e]];
  return sums;
}

/** One step of dv/dt = field(v), by a Runge–Kutta method whose stages each build on the one
 *  before. */
function explicitStep(field, v, h, {a, b}) {
  let result = v;
  let slope = new Float64Array(v.length);
  for (let s = 0; s < b.length; s++) {
    const before = slope;
    const after = result;
    slope = field(v.map((value, i) => value + h * a[s] * before[i]));
    result = after.map((value, i) => value + h * b[s] * slope[i]);
  }
  return result;
}

// ---- LTC, neurons/ltc.py

function ltc(network, v, u, elapsed) {
  const {solver, steps, parameters: p} = network;
  const currents = allCurrents(network, u);
  if (solver === "closed-form") {
    const {driving, conductance} = currents(v);
    return v.map((value, i) => {
      const resting = driving[i] / conductance[i];
      const decayed = (-elapsed * conductance[i]) / p.cm[i];
      return value * Math.exp(decayed) - resting * Math.expm1(decayed);
    });
  }
  const h = elapsed / steps;
  const field = at => {
    const {driving, conductance} = currents(at);
    return at.map((value, i) => (driving[i] - conductance[i] * value) / p.cm[i]);
  };
  for (let k = 0; k < steps; k++) {
    if (solver === "semi-implicit") {
      const {driving, conductance} = currents(v);
      v = v.map((value, i) => (p.cm[i] * value + h * driving[i]) / (p.cm[i] + h * conductance[i]));
    } else v = explicitStep(field, v, h, TABLEAUX[solver]);
  }
  return v;
}

/** From v to g vleak + Σ w s E and g + Σ w s + ε; the sums over sensory nodes are made once. */
function allCurrents(network, u) {
  const p = network.parameters;
  const driven = p.gleak.map((g, i) => g * p.vleak[i]);
  const leaking = p.gleak.map(g => g + EPSILON);
  addCurrents(driven, leaking, u, network.sensory_pre, network.sensory_post, p, "sensory_");
  return v => {
    const driving = driven.slice();
    const conductance = leaking.slice();
    addCurrents(driving, conductance, v, network.pre, network.post, p, "");
    return {driving, conductance};
  };
}

function addCurrents(driving, conductance, v, pre, post, p, prefix) {
  const [w, mu, sigma, erev] = ["w", "mu", "sigma", "erev"].map(name => p[prefix + name]);
  for (let e = 0; e < pre.length; e++) {
    const open = w[e] * sigmoid(sigma[e] * (v[pre[e]] - mu[e]));
    driving[post[e]] += open * erev[e];
    conductance[post[e]] += open;
  }
}

// ---- CT-RNN and neural ODE, neurons/rate.py

function rate(network, v, u, elapsed) {
  const {solver, steps, parameters: p} = network;
  const n = v.length;
  const outer = sumsOnto(n, u, network.sensory_pre, network.sensory_post, p.sensory_w).map(
    (sum, i) => sum + p.bias[i],
  );
  const field = at =>
    sumsOnto(n, at, network.pre, network.post, p.w).map(
      (sum, i) => Math.tanh(outer[i] + sum) - (p.tau ? at[i] / p.tau[i] : 0),
    );
  for (let k = 0; k < steps; k++) v = explicitStep(field, v, elapsed / steps, TABLEAUX[solver]);
  return v;
}

// ---- CfC, sparse and layered, neurons/cfc.py

function cfc(network, v, u, elapsed) {
  const p = network.parameters;
  const n = v.length;
  const {variant} = network;
  for (const [low, high] of swept(network.ends)) {
    const head = Object.fromEntries(
      HEADS[variant].map(name => {
        const outer = sumsOnto(
          n,
          u,
          network.sensory_pre,
          network.sensory_post,
          p[`sensory_${name}_w`],
        );
        const inner = sumsOnto(n, v, network.pre, network.post, p[`${name}_w`]);
        return [name, inner.map((sum, i) => sum + outer[i] + p[`${name}_b`][i])];
      }),
    );
    v = v.map((old, i) => (i < low || i >= high ? old : closedForm(variant, head, i, elapsed, p)));
  }
  return v;
}

/** The neurons of each layer, in the order in which layers are swept: inter → command → motor. */
function swept(ends) {
  const starts = [0, ...ends];
  return ends
    .map((high, k) => [starts[k], high])
    .filter(([low, high]) => low < high)
    .reverse();
}

function closedForm(variant, head, i, elapsed, p) {
  if (variant === PURE) {
    const decay = Math.exp(-elapsed * (Math.abs(p.w_tau[i]) + Math.abs(head.ff1[i])));
    return p.amplitude[i] * (1 - decay * head.ff1[i]);
  }
  const first = Math.tanh(head.ff1[i]);
  const second = Math.tanh(head.ff2[i]);
  const s = sigmoid(head.time_a[i] * elapsed + head.time_b[i]);
  return variant === NO_GATE ? first + s * second : (1 - s) * first + s * second;
}

const FAMILIES = {ltc, cfc, rate};
const advance = network => FAMILIES[network.family];

// ---- the memory, neurons/memory.py

/** What the LSTM shows, and its cells. */
function remember(x, v, c, p) {
  const cells = c.length;
  const gates = affine(p.memory_x, x, p.memory_b).map((sum, i) => sum + product(p.memory_h, v, i));
  const [value, write, keep, show] = [0, 1, 2, 3].map(k =>
    gates.subarray(k * cells, (k + 1) * cells),
  );
  const next = c.map((old, i) => old * sigmoid(keep[i]) + Math.tanh(value[i]) * sigmoid(write[i]));
  return [next.map((cell, i) => Math.tanh(cell) * sigmoid(show[i])), next];
}

// ---- maps, and the whole network: kernels/reference.py

/** Row i of a matrix, times values. */
function product(matrix, values, i) {
  let sum = 0;
  for (let j = 0; j < values.length; j++) sum += matrix[i * values.length + j] * values[j];
  return sum;
}

const affine = (matrix, values, bias) => bias.map((b, i) => b + product(matrix, values, i));
const diagonal = (weight, values, bias) => bias.map((b, i) => b + weight[i] * values[i]);

const neuronsOf = network => network.layers[1] + network.layers[2] + network.layers[3];
const cellsOf = network =>
  ({none: 0, state: neuronsOf(network), input: network.layers[0]})[network.memory];

/** The state of a network at rest: of its neurons, and of its memory's cells. */
const rest = network => ({
  v: new Float64Array(neuronsOf(network)),
  c: new Float64Array(cellsOf(network)),
});

/** One time step. x: the features; elapsed: time units, where 0 the state is held and x is not
 *  looked at. Gives v, c, what the sensory nodes held (`u`), and the output `y`. */
function step(network, x, elapsed, {v, c}) {
  const p = network.parameters;
  let u = new Float64Array(network.layers[0]);
  if (elapsed > 0) {
    let start = v;
    if (network.memory !== "none") {
      const [shown, next] = remember(x, v, c, p);
      c = next;
      if (network.memory === "state") start = shown;
      else u = shown;
    }
    if (network.memory !== "input")
      u = (network.layers[0] === network.features ? diagonal : affine)(p.input_w, x, p.input_b);
    v = advance(network)(network, start, u, elapsed);
  }
  return {
    v,
    c,
    u,
    y: (network.outputs === null ? diagonal : affine)(
      p.output_w,
      v.subarray(0, network.layers[3]),
      p.output_b,
    ),
  };
}

/** A sequence, from rest. x: an array of features a time step; elapsed: one number a step, or
 *  null for 1. What `step` gives, at each of them. */
function run(network, x, elapsed = null, state = rest(network)) {
  return x.map((now, t) => (state = step(network, now, elapsed === null ? 1 : elapsed[t], state)));
}

/** The network with typed arrays, and with the numbers of Python's float32, whose shortest text
 *  was written. */
function prepared(network) {
  const parameters = Object.fromEntries(
    Object.entries(network.parameters).map(([name, list]) => [
      name,
      Float64Array.from(list, Math.fround),
    ]),
  );
  return {...network, parameters};
}

/** The same samples as `prepared` makes of a network. */
const exact = x => x.map(now => Float64Array.from(now, Math.fround));

/** Names of the parameters that weigh a connection. */
const weightsOf = network =>
  network.family === "cfc" ? HEADS[network.variant].map(head => `${head}_w`) : ["w"];

/** The network with some of its parts switched off. off: {synapses, sensory, neurons, nodes},
 *  Sets of numbers.
 *
 *  synapses, sensory: connections between neurons, and from sensory nodes. Their weight counts
 *  as 0: of an LTC the conductance w, so that neither its current nor its part in the time
 *  constant is left; of a CfC the weight in every head, gates included; of a rate neuron the
 *  weight. neurons: all that they hand on is off: their outgoing synapses, to themselves too,
 *  their weight in the readout (whose bias stays) and in the gates of a memory. They still
 *  receive, and have a state. nodes: sensory nodes, likewise: all their synapses are off. */
function silenced(network, off) {
  const parameters = {...network.parameters};
  const zero = (name, at) => {
    parameters[name] = parameters[name].map((value, i) => (at(i) ? 0 : value));
  };
  const {synapses = none, sensory = none, neurons = none, nodes = none} = off;
  for (const name of weightsOf(network)) {
    zero(name, e => synapses.has(e) || neurons.has(network.pre[e]));
    zero(`sensory_${name}`, e => sensory.has(e) || nodes.has(network.sensory_pre[e]));
  }
  zero("output_w", i => neurons.has(i % network.layers[3]));
  if (network.memory !== "none") zero("memory_h", i => neurons.has(i % neuronsOf(network)));
  return {...network, parameters};
}
const none = new Set();

export {run, step, rest, prepared, exact, silenced, weightsOf, neuronsOf};
