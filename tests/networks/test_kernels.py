"""The fused kernel is held to the plain reference, the reference to arithmetic done by hand and to
an ODE solver."""

from collections import Counter
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from tests.support.random_packs import inputs, parameters, random_layout, truth
from wiring_search.networks.kernels import autograd, cpu, reference
from wiring_search.networks.kernels.cpu import items
from wiring_search.networks.kernels.cpu.simd import LANES
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import KINDS as NEURON_KINDS
from wiring_search.wirings.topologies import ncp
from wiring_search.wirings.wiring import Wiring

CASES = [
    # size, features, outputs, projected, batch, steps, every step, gaps
    (1, 3, None, False, 5, 6, True, False),
    (3, 4, 3, True, 16, 5, True, True),
    (2, 5, 2, False, 17, 4, False, True),
    (4, 1, 10, True, 33, 7, False, False),
    (2, 6, None, True, 1, 9, True, True),
    (3, 2, 1, False, 40, 1, True, False),
]


def _near(ours: np.ndarray, truth: np.ndarray) -> None:
    assert ours.shape == truth.shape
    assert np.abs(ours - truth).max() <= 1e-5 * max(1e-3, np.abs(truth).max())


ODES = ("ltc", "ct-rnn", "neural-ode")
KINDS = [
    Kind(neuron, solver, memory)
    for neuron, known in NEURON_KINDS.items()
    for solver in known.solvers
    for memory in ("none", "state", "input")
] + [
    Kind(neuron, solver, memory, "adjoint")
    for neuron in ODES
    for solver in TABLEAUX
    for memory in ("none", "state", "input")
]


def _parity(
    layout: PackLayout,
    rng: np.random.Generator,
    batch: int,
    steps: int,
    every_step: bool,
    gaps: bool,
) -> None:
    true = truth(layout, rng, batch, steps, every_step, gaps)
    y, final, kept = cpu.forward(layout, *true.arrays, every_step)
    grads = true.grad_y.astype(np.float32), true.grad_final.astype(np.float32)
    grad_params, grad_state, grad_x, grad_elapsed = cpu.backward(
        layout, true.arrays[0], kept, *grads, True
    )
    _near(y, true.y)
    _near(final, true.final)
    for ours, theirs in zip(
        (grad_params, grad_x, grad_elapsed, grad_state), true.gradients, strict=True
    ):
        _near(ours, theirs)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_outputs_and_every_gradient_equal_the_reference(case: tuple, seed: int) -> None:
    size, features, outputs, projected, batch, steps, every_step, gaps = case
    rng = np.random.default_rng((seed, size, batch))
    _parity(
        random_layout(rng, size, features, outputs, projected), rng, batch, steps, every_step, gaps
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "/".join(kind))
def test_every_neuron_solver_and_memory_equals_its_reference(kind: Kind) -> None:
    for seed, (size, features, outputs, projected, batch, steps, every_step, gaps) in enumerate(
        CASES[:4]
    ):
        rng = np.random.default_rng((seed, size, batch))
        _parity(
            random_layout(rng, size, features, outputs, projected, kind),
            rng,
            batch,
            steps,
            every_step,
            gaps,
        )


def test_no_two_kinds_share_a_file_of_compiled_code() -> None:
    """numba keeps the code of one function by an index that it does not lock; see
    `cpu.items.entry_points`."""
    rng = np.random.default_rng(2)
    for kind in (Kind(), Kind("ct-rnn", "rk4"), Kind("cfc", "closed-form", "state")):
        layout = random_layout(rng, 1, 2, None, False, kind)
        cpu.forward(layout, parameters(layout, rng), *inputs(layout, rng, 2, 2, False), False)
    forward_items, _ = items.entry_points(*map(type, items.markers_of(Kind())))
    pattern = f"*_items-*-{items.sources_digest()[:8]}-*.nbc"
    files = Path(forward_items.stats.cache_path).glob(pattern)
    per_function = Counter(file.name.rsplit(".", 2)[0] for file in files)
    assert len(per_function) >= 3
    assert set(per_function.values()) == {1}, per_function


def test_state_is_held_bit_for_bit_where_no_time_passes() -> None:
    rng = np.random.default_rng(3)
    layout = random_layout(rng, 2, 3, 2, False)
    x, elapsed, state = inputs(layout, rng, 20, 5, False)
    elapsed[:7], x[:7] = 0.0, np.nan
    _, final, _ = cpu.forward(layout, parameters(layout, rng), x, elapsed, state, False)
    assert np.array_equal(final[:7], state[:7])
    assert not np.isclose(final[7:], state[7:]).all(axis=1).any()


def test_reference_gradients_equal_finite_differences() -> None:
    rng = np.random.default_rng(4)
    layout = random_layout(rng, 2, 2, 2, True)
    arrays = (parameters(layout, rng), *inputs(layout, rng, 2, 2, False))
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    assert torch.autograd.gradcheck(lambda *t: reference.run(layout, *t, True), tensors, atol=1e-6)


def _alone(layout: PackLayout, p: int) -> PackLayout:
    return PackLayout((layout.wirings[p],), (layout.steps[p],), layout.features, layout.outputs)


def _forward_backward(
    layout: PackLayout, params: np.ndarray, x: np.ndarray, elapsed: np.ndarray, state: np.ndarray
) -> list[np.ndarray]:
    y, final, kept = cpu.forward(layout, params, x, elapsed, state, True)
    grad, grad_state, _, _ = cpu.backward(layout, params, kept, np.cos(y), np.sin(final), False)
    return [y, final, grad, grad_state]


def _counts_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which each call of the kernel, here replaced, appends its number of threads."""
    taken = []
    monkeypatch.setattr(cpu, "share", lambda *_, count: taken.append(count))
    return taken


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)


def _call(layout: PackLayout, batch: int, time_steps: int) -> None:
    rng = np.random.default_rng(8)
    params = parameters(layout, rng)
    y, final, kept = cpu.forward(
        layout, params, *inputs(layout, rng, batch, time_steps, False), False
    )
    cpu.backward(layout, params, kept, y, final, False)


@pytest.mark.usefixtures("two_cores")
def test_threads_share_much_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = _counts_taken(monkeypatch)
    layout = random_layout(np.random.default_rng(9), 2, 3, 2, True)
    enough = -(-cpu.LITTLE_WORK // (layout.updates * LANES))
    _call(layout, LANES, enough - 1)
    assert taken == [1, 1]
    _call(layout, LANES, enough)
    assert taken[2:] == [2, 2]


@pytest.mark.usefixtures("two_cores")
def test_one_item_or_one_thread_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "LITTLE_WORK", 0)
    taken = _counts_taken(monkeypatch)
    rng = np.random.default_rng(9)
    _call(random_layout(rng, 1, 3, 2, True), LANES, 3)
    assert taken == [1, 1]
    with cpu.one_thread():
        _call(random_layout(rng, 2, 3, 2, True), LANES, 3)
    assert taken[2:] == [1, 1]


@pytest.mark.usefixtures("two_cores")
def test_a_network_takes_no_more_threads_than_torch_has(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = []
    forward = cpu.forward

    def noting(*arguments):
        allowed.append(cpu.thread_count())
        return forward(*arguments)

    monkeypatch.setattr(cpu, "forward", noting)
    layout = random_layout(np.random.default_rng(9), 1, 3, 2, True)
    arrays = (
        parameters(layout, np.random.default_rng(9)),
        *inputs(layout, np.random.default_rng(9), 2, 2, False),
    )
    params, *others = map(torch.from_numpy, arrays)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    autograd.fused(layout, [params], False, *others, True)
    torch.set_num_threads(before)
    assert allowed == [1]
    assert cpu.thread_count() == 2


def test_a_candidate_depends_neither_on_its_mates_nor_on_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    layout = random_layout(rng, 5, 3, 4, True)
    params, (x, elapsed, state) = parameters(layout, rng), inputs(layout, rng, 37, 6, True)
    monkeypatch.setattr(cpu, "LITTLE_WORK", 0)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 4)
    whole = _forward_backward(layout, params, x, elapsed, state)
    with cpu.one_thread():
        single = _forward_backward(layout, params, x, elapsed, state)
    for shared, alone in zip(whole, single, strict=True):
        assert np.array_equal(shared, alone)
    for p in range(layout.size):
        block, neurons = layout.blocks[p], layout.states[p]
        start = np.ascontiguousarray(state[:, neurons])
        y, final, grad, grad_state = _forward_backward(
            _alone(layout, p), params[block], x, elapsed, start
        )
        assert np.array_equal(y[0], whole[0][p])
        assert np.array_equal(final, whole[1][:, neurons])
        assert np.array_equal(grad, whole[2][block])
        assert np.array_equal(grad_state, whole[3][:, neurons])


def test_a_poisoned_candidate_leaves_its_mates_alone() -> None:
    rng = np.random.default_rng(6)
    layout = random_layout(rng, 3, 3, 2, True)
    params, (x, elapsed, state) = parameters(layout, rng), inputs(layout, rng, 20, 4, False)
    healthy = _forward_backward(layout, params, x, elapsed, state)
    params[layout.blocks[1]] = np.nan
    poisoned = _forward_backward(layout, params, x, elapsed, state)
    assert np.isnan(poisoned[0][1]).any()
    assert np.isnan(poisoned[2][layout.blocks[1]]).any()
    for p in (0, 2):
        assert np.array_equal(poisoned[0][p], healthy[0][p])
        assert np.array_equal(poisoned[2][layout.blocks[p]], healthy[2][layout.blocks[p]])


def test_memory_does_not_grow_with_sub_steps() -> None:
    wiring = ncp(2, 4, 3, 2, 2, 2, 3, 2)
    kept = {}
    for steps in (1, 12):
        layout = PackLayout((wiring,), (steps,), 2, 1)
        x, elapsed, state = inputs(layout, np.random.default_rng(0), 3, 10, False)
        _, _, of_run = cpu.forward(
            layout, parameters(layout, np.random.default_rng(0)), x, elapsed, state, True
        )
        kept[steps] = sum(a.size for a in of_run[:3])
    assert kept[1] == kept[12]


# Values computed by hand in float64 for a ring of three neurons, one time step, six sub-steps.
RING = Wiring(2, 0, 0, 3, ((0, 0, 1), (0, 2, -1), (1, 1, 1)), ((0, 1, 1), (1, 2, -1), (2, 0, 1)))
RING_VECTORS = [
    ((1.0, 0.0), 1.0, (0.681076, 0.358260, -0.310224)),
    ((0.0, 1.0), 0.5, (0.625041, 0.595466, -0.218220)),
    ((0.5, 0.5), 2.0, (0.730369, 0.612943, -0.317395)),
]


def _ring() -> tuple[PackLayout, torch.Tensor]:
    layout = PackLayout((RING,), (6,), 2, None)
    values = {
        "gleak": (0.1, 0.5, 1.0),
        "vleak": (-0.2, 0.0, 0.2),
        "cm": (0.4, 0.5, 0.6),
        **{name: (value,) * 3 for name, value in {"w": 0.5, "mu": 0.3, "sigma": 5.0}.items()},
        "erev": RING.synapse_arrays()[2],
        **{
            f"sensory_{name}": (value,) * 3
            for name, value in {"w": 0.7, "mu": 0.5, "sigma": 4.0}.items()
        },
        "sensory_erev": RING.sensory_arrays()[2],
        "input_w": (1.0, 1.0),
        "input_b": (0.0, 0.0),
        "output_w": (1.0,) * 3,
        "output_b": (0.0,) * 3,
    }
    params = torch.zeros(layout.parameters, dtype=torch.float64)
    for name, at in layout.slices[0].items():
        params[at] = torch.tensor(np.asarray(values[name], np.float64))
    return layout, params


def test_reference_reproduces_the_published_check_vectors() -> None:
    """The three inputs one after the other, from a state of zeros."""
    layout, params = _ring()
    for count, (_, _, expected) in enumerate(RING_VECTORS, 1):
        assert np.allclose(_ring_run(layout, params, RING_VECTORS[:count]), expected, atol=2e-6)


def _ring_run(layout: PackLayout, params: torch.Tensor, vectors: list) -> np.ndarray:
    x = torch.tensor([[v[0] for v in vectors]], dtype=torch.float64)
    elapsed = torch.tensor([[v[1] for v in vectors]], dtype=torch.float64)
    _, final = reference.run(
        layout, params, x, elapsed, torch.zeros(1, 3, dtype=torch.float64), True
    )
    return final[0].numpy()


def test_semi_implicit_step_converges_to_the_ode_with_order_one() -> None:
    _, params = _ring()
    current, span = np.array([0.8, 0.3]), 1.5

    def derivative(_: float, v: np.ndarray) -> np.ndarray:
        change = np.array([0.1, 0.5, 1.0]) * (np.array([-0.2, 0.0, 0.2]) - v)
        for pre, post, polarity in RING.synapses:
            change[post] += 0.5 / (1 + np.exp(-5 * (v[pre] - 0.3))) * (polarity - v[post])
        for pre, post, polarity in RING.sensory_synapses:
            change[post] += 0.7 / (1 + np.exp(-4 * (current[pre] - 0.5))) * (polarity - v[post])
        return change / np.array([0.4, 0.5, 0.6])

    truth = solve_ivp(derivative, (0, span), np.zeros(3), rtol=1e-11, atol=1e-12).y[:, -1]
    errors = []
    for steps in (50, 100, 200):
        layout = PackLayout((RING,), (steps,), 2, None)
        errors.append(np.abs(_ring_run(layout, params, [(tuple(current), span)]) - truth).max())
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(np.abs(orders - 1) < 0.1), (errors, orders)


def test_layouts_refuse_what_does_not_fit() -> None:
    one, two = ncp(2, 3, 2, 1, 1, 1, 0, 1), ncp(2, 3, 2, 2, 1, 1, 0, 1)
    with pytest.raises(ValueError, match="at least one wiring"):
        PackLayout((), (), 2)
    with pytest.raises(ValueError, match="2 wirings but 1 step counts"):
        PackLayout((one, two), (1,), 2, 1)
    with pytest.raises(ValueError, match="give `outputs`"):
        PackLayout((one, two), (1, 1), 2)


def test_only_float32_on_the_cpu_is_fused() -> None:
    layout = random_layout(np.random.default_rng(1), 1, 2, None, False)
    assert autograd.can_fuse(layout, [torch.zeros(2), torch.ones(1)])
    assert not autograd.can_fuse(layout, [torch.zeros(2), torch.ones(1, dtype=torch.float64)])
