"""Small signals keep their digits: outputs and gradients are relatively right however small they
are.

Every kind of neuron is run so that its outputs are proportional to a scale, which goes down to
1e-30, and is held to the reference in float64 on the same float32 numbers:

    signals   Inputs, states and the levels that neurons are drawn to (LTC: reversal potentials;
              pure CfC: amplitudes) are scaled.
    elapsed   Elapsed times are scaled. States start at 0, so that what a short time adds to them is
              all that there is.

    rest      Elapsed times are scaled, and the leak of an LTC draws it to 0: then the gradient of
              the leak's conductance has no large part that would hide its small one.

Biases are 0: a bias would hide a small signal behind a number that does not scale.
"""

from functools import cache

import numpy as np
import pytest
import torch

from tests.support.random_packs import inputs, parameters
from wiring_search.networks.kernels import adjoint, cpu, reference
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import EXPLICIT, GRADIENTS, KINDS, MEMORIES
from wiring_search.wirings.topologies import ncp

SCALES = (1.0, 1e-4, 1e-6, 1e-30)
# Below, the truth is not true: autograd in float64 loses the gradient's small part too.
SCALES_AT_REST = SCALES[:3]
RELATIVE = 2e-6
# Float32 has no relatively exact numbers below this. A product of two signals of 1e-30 lies there.
ABSOLUTE = float(np.finfo(np.float32).tiny)
BIASES = ("bias", "ff1_b", "ff2_b", "input_b", "output_b", "memory_b")
LEVELS = ("erev", "sensory_erev", "vleak", "amplitude")
ALL = [
    Kind(neuron, solver, memory, gradient)
    for neuron, known in KINDS.items()
    for solver in known.solvers
    for memory in MEMORIES
    for gradient in (GRADIENTS if solver in EXPLICIT else GRADIENTS[:1])
]
BACKPROPAGATED = [kind for kind in ALL if kind.gradient == "bptt"]
Arrays = tuple[np.ndarray, ...]


def case(kind: Kind, scaled: str, scale: float) -> tuple[PackLayout, Arrays, Arrays]:
    """The layout; params, x, elapsed and state; gradients of the outputs and the final state."""
    rng = np.random.default_rng(17)
    wirings = (ncp(4, 6, 3, 2, 4, 2, 3, 1, seed=1), ncp(2, 3, 2, 1, 2, 2, 2, 1, seed=2))
    steps = (0, 0) if kind.solver == "closed-form" else (2, 1)
    layout = PackLayout(wirings, steps, 4, 3, kind)
    params, (x, elapsed, state) = parameters(layout, rng), inputs(layout, rng, 8, 3, False)
    # Beyond, synapses of an LTC are nearly all open, and 1 − s has few digits in any float32.
    x *= np.float32(0.5)
    if kind.solver in TABLEAUX:  # where an explicit solver is not stable, rounding errors grow
        elapsed *= np.float32(0.1)
    factor = np.float32(scale)
    for block in layout.slices:
        for name in (*BIASES, "vleak") if scaled == "rest" else BIASES:
            params[block.get(name, slice(0))] = 0.0
    if scaled == "signals":
        x, state = x * factor, state * factor
        for block in layout.slices:
            for name in LEVELS:
                params[block.get(name, slice(0))] *= factor
    else:
        elapsed, state = elapsed * factor, np.zeros_like(state)
    grad_y = rng.standard_normal((2, 8, 3, 3)).astype(np.float32)
    grad_final = rng.standard_normal(state.shape).astype(np.float32)
    return layout, (params, x, elapsed, state), (grad_y, grad_final)


def by_reference(layout: PackLayout, arrays: Arrays, grads: Arrays, dtype: torch.dtype) -> Arrays:
    """y, final; gradients of params, x, elapsed and state."""
    tensors = [torch.tensor(array, dtype=dtype, requires_grad=True) for array in arrays]
    run = adjoint.run if layout.kind.gradient == "adjoint" else reference.run
    results = run(layout, *tensors, True)
    found = torch.autograd.grad(results, tensors, [torch.tensor(g, dtype=dtype) for g in grads])
    return tuple(tensor.detach().numpy() for tensor in (*results, *found))


@cache
def truth_of(kind: Kind, scaled: str, scale: float) -> Arrays:
    return by_reference(*case(kind, scaled, scale), torch.float64)


def by_cpu(layout: PackLayout, arrays: Arrays, grads: Arrays) -> Arrays:
    y, final, kept = cpu.forward(layout, *arrays, True)
    of_params, of_state, of_x, of_elapsed = cpu.backward(layout, arrays[0], kept, *grads, True)
    return y, final, of_params, of_x, of_elapsed, of_state


def by_gpu(layout: PackLayout, arrays: Arrays, grads: Arrays) -> Arrays:
    from tests.support.gpu_against_reference import DEVICE, on_device
    from wiring_search.networks.kernels import gpu

    on_gpu, tensors = gpu.to_device(layout, DEVICE), on_device(*arrays)
    y, final, kept = gpu.forward(on_gpu, *tensors, True)
    found = gpu.backward(on_gpu, tensors[0], kept, *on_device(*grads), True)
    of_params, of_state, of_x, of_elapsed = found
    results = y, final, of_params, of_x, of_elapsed, of_state
    return tuple(tensor.cpu().numpy() for tensor in results)


def errors(layout: PackLayout, ours: Arrays, true: Arrays) -> dict[str, float]:
    """Of every output and gradient, those of each kind of parameter apart: the largest difference
    over the largest value."""

    def error(mine: np.ndarray, theirs: np.ndarray) -> float:
        beyond = np.abs(mine - theirs).max(initial=0.0) - ABSOLUTE
        return float(max(beyond, 0.0) / max(np.abs(theirs).max(initial=0.0), ABSOLUTE))

    names = ("y", "final", "", "x", "elapsed", "state")
    pairs = dict(zip(names, zip(ours, true, strict=True), strict=True))
    mine, theirs = pairs.pop("")
    for name in layout.slices[0]:
        at = np.concatenate([np.arange(layout.parameters)[block[name]] for block in layout.slices])
        at = at[~layout.pinned[at]]
        pairs[name] = mine[at], theirs[at]
    return {name: error(*pair) for name, pair in pairs.items()}


def are_near(layout: PackLayout, ours: Arrays, true: Arrays) -> None:
    wrong = {
        name: value for name, value in errors(layout, ours, true).items() if not value <= RELATIVE
    }
    assert wrong == {}


def scales_of(kind: Kind, scaled: str) -> tuple[float, ...]:
    if scaled == "rest":
        return SCALES_AT_REST if kind.neuron == "ltc" else ()
    return SCALES


@pytest.mark.parametrize("scaled", ["signals", "elapsed", "rest"])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: "/".join(kind))
def test_the_cpu_kernel_keeps_the_digits_of_small_signals(kind: Kind, scaled: str) -> None:
    for scale in scales_of(kind, scaled):
        layout, arrays, grads = case(kind, scaled, scale)
        true = truth_of(kind, scaled, scale)
        are_near(layout, by_cpu(layout, arrays, grads), true)


@pytest.mark.parametrize("scaled", ["signals", "elapsed"])
@pytest.mark.parametrize("kind", BACKPROPAGATED, ids=lambda kind: "/".join(kind))
def test_the_reference_in_float32_keeps_them_too(kind: Kind, scaled: str) -> None:
    for scale in SCALES:
        layout, arrays, grads = case(kind, scaled, scale)
        true = truth_of(kind, scaled, scale)
        are_near(layout, by_reference(layout, arrays, grads, torch.float32), true)


# One of each formula: the interpreter is slow.
ON_GPU = [
    Kind("ltc", "semi-implicit"),
    Kind("ltc", "closed-form"),
    Kind("ltc", "heun", "none", "adjoint"),
    Kind("ct-rnn", "heun"),
    Kind("neural-ode", "euler", "input"),
    Kind("cfc", "closed-form"),
    Kind("cfc-no-gate", "closed-form", "state"),
    Kind("cfc-pure", "closed-form"),
    Kind("layered-cfc", "closed-form"),
]


@pytest.mark.parametrize("kind", ON_GPU, ids=lambda kind: "/".join(kind))
def test_the_gpu_kernel_keeps_them_too(kind: Kind) -> None:
    pytest.importorskip("triton", reason="Triton is not installed")
    scale = 1e-6
    for scaled in ("signals", "elapsed", "rest"):
        if scale in scales_of(kind, scaled):
            layout, arrays, grads = case(kind, scaled, scale)
            true = truth_of(kind, scaled, scale)
            are_near(layout, by_gpu(layout, arrays, grads), true)


def test_a_conductance_near_0_and_the_gradient_by_its_stored_number_keep_their_digits() -> None:
    """The GPU's softplus(raw), and its derivative by which Adam multiplies the gradient."""
    pytest.importorskip("triton", reason="Triton is not installed")
    from tests.support.gpu_against_reference import on_device
    from wiring_search.networks.kernels.gpu import adam

    raw = np.linspace(-30.0, 5.0, 64).astype(np.float32)
    stored, effective, ones = on_device(raw, np.zeros_like(raw), np.ones(64, np.int8))
    adam.effective_of[(1,)](stored, ones, effective, 64, BLOCK=64)
    exact = raw.astype(np.float64)
    right = np.log1p(np.exp(-np.abs(exact))) + np.maximum(exact, 0.0)
    assert np.abs(effective.cpu().numpy() / right - 1.0).max() < RELATIVE

    starts, grad, rates = on_device(np.array([0, 64]), np.ones_like(raw), np.zeros(1, np.float32))
    first, second, steps = on_device(np.zeros_like(raw), np.zeros_like(raw), np.zeros(1, np.int64))
    alive = on_device(np.ones(1, np.int32))[0]
    adam.adam_step[(1,)](
        starts, stored, effective, ones, ones, grad, first, second, rates, 1e9, steps, alive,
        BETA1=0.0, BETA2=0.0, TINY=1e-8, BLOCK=64,
    )  # fmt: skip
    assert np.abs(first.cpu().numpy() * (1.0 + np.exp(-exact)) - 1.0).max() < RELATIVE
