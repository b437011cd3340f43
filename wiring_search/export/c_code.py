"""The parts of a network's C99, with the formulas of `wiring_search.networks.neurons`. `to_c` joins
them.

@ stands for the network's name, @@ for the name in capitals.
"""

SIGMOID = """
static inline float @_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
"""

# Synapses of LTC neurons (neurons.ltc): Σ w s E onto driving, Σ w s onto conductance.
SYNAPSES = """
static inline void @_synapses(const float *from, const @_row_t *row, const @_node_t *pre,
                              const float *w, const float *mu, const float *sigma,
                              const float *erev, float *driving, float *conductance) {
    unsigned i, e;
    for (i = 0; i < @@_NEURONS; i++) {
        for (e = row[i]; e < row[i + 1]; e++) {
            const float s = w[e] * @_sigmoid(sigma[e] * (from[pre[e]] - mu[e]));
            driving[i] += s * erev[e];
            conductance[i] += s;
        }
    }
}

/* The currents of the leak and of the inputs, which are constant during the step. */
static inline void @_outer(const float *u, float *driving, float *conductance) {
    unsigned i;
    for (i = 0; i < @@_NEURONS; i++) {
        driving[i] = @_leak_driving[i];
        conductance[i] = @_leak[i];
    }
    @_synapses(u, @_sensory_row, @_sensory_pre, @_sensory_w, @_sensory_mu, @_sensory_sigma,
               @_sensory_erev, driving, conductance);
}

static inline void @_currents(const float *v, const float *outer_driving,
                              const float *outer_conductance, float *driving,
                              float *conductance) {
    unsigned i;
    for (i = 0; i < @@_NEURONS; i++) {
        driving[i] = outer_driving[i];
        conductance[i] = outer_conductance[i];
    }
    @_synapses(v, @_row, @_pre, @_w, @_mu, @_sigma, @_erev, driving, conductance);
}
"""

SEMI_IMPLICIT = """
static inline void @_advance(float *v, const float *u, float elapsed) {
    float outer_driving[@@_NEURONS], outer_conductance[@@_NEURONS];
    float driving[@@_NEURONS], conductance[@@_NEURONS];
    const float h = elapsed / @@_STEPS;
    unsigned i, step;
    @_outer(u, outer_driving, outer_conductance);
    for (step = 0; step < @@_STEPS; step++) {
        @_currents(v, outer_driving, outer_conductance, driving, conductance);
        for (i = 0; i < @@_NEURONS; i++)
            v[i] = (@_cm[i] * v[i] + h * driving[i]) / (@_cm[i] + h * conductance[i]);
    }
}
"""

CLOSED_FORM = """
static inline void @_advance(float *v, const float *u, float elapsed) {
    float outer_driving[@@_NEURONS], outer_conductance[@@_NEURONS];
    float driving[@@_NEURONS], conductance[@@_NEURONS];
    unsigned i;
    @_outer(u, outer_driving, outer_conductance);
    @_currents(v, outer_driving, outer_conductance, driving, conductance);
    for (i = 0; i < @@_NEURONS; i++) {
        const float resting = driving[i] / conductance[i];
        const float decayed = -elapsed * conductance[i] / @_cm[i];
        v[i] = v[i] * expf(decayed) - resting * expm1f(decayed);
    }
}
"""

LTC_SLOPE = """
static inline void @_slope(const float *v, const float *outer, float *slope) {
    float driving[@@_NEURONS], conductance[@@_NEURONS];
    unsigned i;
    @_currents(v, outer, outer + @@_NEURONS, driving, conductance);
    for (i = 0; i < @@_NEURONS; i++) slope[i] = (driving[i] - conductance[i] * v[i]) / @_cm[i];
}

static inline void @_outer_of(const float *u, float *outer) {
    @_outer(u, outer, outer + @@_NEURONS);
}
"""

SUM = """
static inline float @_sum(const float *from, unsigned i, const @_row_t *row, const @_node_t *pre,
                          const float *w) {
    float sum = 0.0f;
    unsigned e;
    for (e = row[i]; e < row[i + 1]; e++) sum += w[e] * from[pre[e]];
    return sum;
}
"""

# Rate neurons (neurons.rate). @_LEAK@ is the leak of a CT-RNN.
RATE_SLOPE = """
static inline void @_slope(const float *v, const float *outer, float *slope) {
    unsigned i;
    for (i = 0; i < @@_NEURONS; i++)
        slope[i] = tanhf(outer[i] + @_sum(v, i, @_row, @_pre, @_w))LEAK;
}

static inline void @_outer_of(const float *u, float *outer) {
    unsigned i;
    for (i = 0; i < @@_NEURONS; i++)
        outer[i] = @_bias[i] + @_sum(u, i, @_sensory_row, @_sensory_pre, @_sensory_w);
}
"""
RATE_LEAK = " - v[i] / @_tau[i]"

# Explicit Runge-Kutta steps (wiring_search.networks.neurons.solvers).
EXPLICIT = """
static inline void @_advance(float *v, const float *u, float elapsed) {
    float outer[2 * @@_NEURONS], point[@@_NEURONS], slope[@@_NEURONS], next[@@_NEURONS];
    const float h = elapsed / @@_STEPS;
    unsigned i, step, stage;
    @_outer_of(u, outer);
    for (step = 0; step < @@_STEPS; step++) {
        for (i = 0; i < @@_NEURONS; i++) {
            next[i] = v[i];
            slope[i] = 0.0f;
        }
        for (stage = 0; stage < @@_STAGES; stage++) {
            for (i = 0; i < @@_NEURONS; i++) point[i] = v[i] + h * @_a[stage] * slope[i];
            @_slope(point, outer, slope);
            for (i = 0; i < @@_NEURONS; i++) next[i] += h * @_b[stage] * slope[i];
        }
        for (i = 0; i < @@_NEURONS; i++) v[i] = next[i];
    }
}
"""

# CfC (neurons.cfc), layer by layer.
CFC = """
static inline void @_layer(float *v, const float *u, float elapsed, unsigned low, unsigned high) {
    float next[@@_NEURONS];
    unsigned i;
    for (i = low; i < high; i++) {
HEADS
        next[i] = NEW;
    }
    for (i = low; i < high; i++) v[i] = next[i];
}

static inline void @_advance(float *v, const float *u, float elapsed) {
LAYERS
}
"""
CFC_HEAD = """        const float {0} = @_sum(v, i, @_row, @_pre, @_{0}_w) + @_{0}_b[i]
                        + @_sum(u, i, @_sensory_row, @_sensory_pre, @_sensory_{0}_w);"""
CFC_GATE = """
        const float first = tanhf(ff1), second = tanhf(ff2);
        const float s = @_sigmoid(time_a * elapsed + time_b);"""
CFC_NEW = (
    "(1.0f - s) * first + s * second",
    "first + s * second",
    "@_amplitude[i] * (1.0f - expf(-elapsed * (fabsf(@_w_tau[i]) + fabsf(ff1))) * ff1)",
)

# Mixed memory (neurons.memory).
MEMORY = """
static inline float @_gate(unsigned row, const float *x, const float *v) {
    float sum = @_memory_b[row];
    unsigned k;
    for (k = 0; k < @@_FEATURES; k++) sum += @_memory_x[row * @@_FEATURES + k] * x[k];
    for (k = 0; k < @@_NEURONS; k++) sum += @_memory_h[row * @@_NEURONS + k] * v[k];
    return sum;
}

static inline void @_remember(@_state *state, const float *x, float *shown) {
    unsigned k;
    for (k = 0; k < @@_CELLS; k++) {
        const float value = tanhf(@_gate(k, x, state->v));
        const float write = @_sigmoid(@_gate(@@_CELLS + k, x, state->v));
        const float keep = @_sigmoid(@_gate(2 * @@_CELLS + k, x, state->v));
        const float show = @_sigmoid(@_gate(3 * @@_CELLS + k, x, state->v));
        state->c[k] = state->c[k] * keep + value * write;
        shown[k] = tanhf(state->c[k]) * show;
    }
}
"""
START_FROM_MEMORY = """
        float shown[@@_CELLS];
        @_remember(state, x, shown);
        for (i = 0; i < @@_NEURONS; i++) state->v[i] = shown[i];"""
SENSE_MEMORY = """
        @_remember(state, x, u);"""

AFFINE = "for (i = 0; i < {count}; i++) {to}[i] = {source}[i] * @_{name}_w[i] + @_{name}_b[i];"
LINEAR = """for (i = 0; i < {count}; i++) {{
INDENT    unsigned k;
INDENT    {to}[i] = @_{name}_b[i];
INDENT    for (k = 0; k < {width}; k++) {to}[i] += @_{name}_w[i * {width} + k] * {source}[k];
INDENT}}"""

STEP = """
/* One time step. x: inputs; elapsed: time since the previous step, 1 on a regular clock.
   If it is 0 or less, the state does not change. */
static inline void @_step(@_state *state, const float x[@@_FEATURES], float elapsed,
                          float y[@@_OUTPUTS]) {
    unsigned i;
    if (elapsed > 0.0f) {
        float u[@@_SENSORY];MEMORY
INPUT
        @_advance(state->v, u, elapsed);
    }
    READOUT
}
"""

RESET = """
/* The state at the start of a sequence. */
static inline void @_reset(@_state *state) {
    unsigned i;
    for (i = 0; i < @@_NEURONS; i++) state->v[i] = 0.0f;
CELLS}
"""
RESET_CELLS = "    for (i = 0; i < @@_CELLS; i++) state->c[i] = 0.0f;\n"

SCALE = """
/* From raw values to inputs. */
static inline void @_scale(const float raw[@@_FEATURES], float x[@@_FEATURES]) {
    unsigned i;
    for (i = 0; i < @@_FEATURES; i++) x[i] = (raw[i] - @_middle[i]) / @_spread[i];
}
"""
UNSCALE = """
/* From outputs to raw values. */
static inline void @_unscale(const float y[@@_OUTPUTS], float raw[@@_OUTPUTS]) {
    unsigned i;
    for (i = 0; i < @@_OUTPUTS; i++) raw[i] = y[i] * @_target_spread[i] + @_target_middle[i];
}
"""

# The program that verifies the header: see `to_c.played`.
DRIVER_HEAD = """#include <stdio.h>
#include <stdlib.h>
#include <time.h>
"""
DRIVER_PLAY = """
static void @_play(unsigned samples, unsigned steps, unsigned long repeats) {
    static float x[@@_FEATURES + 1], y[@@_OUTPUTS];
    @_state state;
    unsigned sample, step;
    unsigned long repeat;
    clock_t start;
    double seconds;
    volatile float sink = 0.0f;
    for (sample = 0; sample < samples; sample++) {
        @_reset(&state);
        for (step = 0; step < steps; step++) {
            if (fread(x, sizeof x, 1, stdin) != 1) exit(1);
            @_step(&state, x, x[@@_FEATURES], y);
            if (fwrite(y, sizeof y, 1, stdout) != 1) exit(1);
        }
        if (fwrite(&state, sizeof state, 1, stdout) != 1) exit(1);
    }
    start = clock();
    for (repeat = 0; repeat < repeats; repeat++) {
        @_step(&state, x, 1.0f, y);
        sink = sink + y[0];
    }
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    fprintf(stderr, "%.9g\\n", repeats ? 1e6 * seconds / (double)repeats : 0.0);
}
"""
DRIVER_MAIN = """
int main(int argc, char **argv) {
    const unsigned long repeats = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
PLAYS
    return 0;
}
"""
SIZED = """#include "@.h"
void @_run(@_state *state, const float *x, float elapsed, float *y);
void @_run(@_state *state, const float *x, float elapsed, float *y) {
    @_step(state, x, elapsed, y);
}
"""
