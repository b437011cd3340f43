"""The GPU kernel agrees with the plain reference, in Triton's interpreter where there is no GPU; it
compiles to machine code without one."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.random_packs import inputs, parameters, random_layout
from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import KINDS, MEMORIES
from wiring_search.wirings.topologies import ncp, random_sparse

pytest.importorskip("triton", reason="Triton is not installed: pip install 'wiring-search[gpu]'")

from tests.support.gpu_against_reference import DEVICE, equals_reference, near, on_device  # noqa: E402, F401
from wiring_search.networks.kernels import gpu  # noqa: E402
from wiring_search.networks.kernels.gpu.layout import COLUMNS, ROWS  # noqa: E402

pytestmark = pytest.mark.usefixtures("nothing_is_read_before_it_is_written")

CASES = [
    # size, features, outputs, projected, batch, steps, every step, gaps
    (1, 3, None, False, 5, 4, True, False),
    (3, 4, 3, True, 16, 3, True, True),
    (2, 5, 2, False, 17, 3, False, True),
    (2, 6, None, True, 1, 5, True, True),
    (2, 2, 10, False, 34, 1, True, False),
]


EXPLICIT = [
    Kind(neuron, solver, "none", gradient)
    for neuron in ("ct-rnn", "neural-ode", "ltc")
    for solver in TABLEAUX
    for gradient in ("bptt", "adjoint")
]


@pytest.mark.parametrize("solver", ["semi-implicit", "closed-form"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_every_gradient_equal_the_reference(case: tuple, solver: str) -> None:
    size, features, outputs, projected, batch, steps, every_step, gaps = case
    rng = np.random.default_rng((size, batch))
    layout = random_layout(rng, size, features, outputs, projected, Kind("ltc", solver))
    equals_reference(layout, rng, batch, steps, every_step, gaps)


@pytest.mark.parametrize("kind", EXPLICIT, ids=lambda kind: "/".join(kind))
def test_explicit_solvers_equal_their_reference(kind: Kind) -> None:
    """Two wirings: one slice, two sub-steps; two slices, projected inputs, one sub-step.

    Some samples miss the second time step.
    """
    wirings = (
        ncp(2, 3, 2, 2, 2, 2, 2, 1, seed=1),
        random_sparse(3, ROWS + 1, 2, 5, 2 * ROWS, seed=2),
    )
    equals_reference(
        PackLayout(wirings, (2, 1), 2, None, kind), np.random.default_rng(10), 4, 2, True, True
    )


REMEMBERING = [
    Kind(neuron, solver, memory, gradient)
    for neuron, solver, gradient in (
        ("ltc", "semi-implicit", "bptt"),
        ("ltc", "closed-form", "bptt"),
        ("ct-rnn", "heun", "bptt"),
        ("ltc", "euler", "adjoint"),
        ("cfc", "closed-form", "bptt"),
        ("cfc-pure", "closed-form", "bptt"),
    )
    for memory in ("state", "input")
]


@pytest.mark.parametrize("kind", REMEMBERING, ids=lambda kind: "/".join(kind))
def test_mixed_memory_equals_its_reference(kind: Kind) -> None:
    """Two candidates, one with a projection; a missing time step holds the cells of a sample."""
    wirings = (
        ncp(2, 3, 2, 2, 2, 2, 2, 1, seed=1),
        random_sparse(3, ROWS + 1, 2, 5, 2 * ROWS, seed=2),
    )
    steps = (0, 0) if kind.solver == "closed-form" else (2, 1)
    equals_reference(
        PackLayout(wirings, steps, 2, None, kind), np.random.default_rng(12), 4, 2, True, True
    )


@pytest.mark.parametrize(
    "kind",
    [Kind("ct-rnn", "heun"), Kind("ltc", "euler", "none", "adjoint")],
    ids=lambda kind: "/".join(kind),
)
def test_explicit_solvers_on_several_tiles(kind: Kind) -> None:
    rng = np.random.default_rng(11)
    layout = replace(random_layout(rng, 1, 2, 3, False, kind), steps=(1,))
    equals_reference(layout, rng, 34, 1, False, False)


@pytest.mark.parametrize("solver", TABLEAUX)
def test_explicit_solvers_hold_a_state_bit_for_bit_where_no_time_passes(solver: str) -> None:
    rng = np.random.default_rng(12)
    layout = replace(random_layout(rng, 1, 3, 2, False, Kind("ct-rnn", solver)), steps=(2,))
    params, (x, elapsed, state) = parameters(layout, rng), inputs(layout, rng, 5, 2, False)
    elapsed[:2], x[:2] = 0.0, np.nan
    _, final, _ = gpu.forward(
        gpu.to_device(layout, DEVICE), *on_device(params, x, elapsed, state), False
    )
    assert np.array_equal(final[:2].cpu(), state[:2])
    assert not np.isclose(final[2:].cpu(), state[2:]).all(axis=1).any()


@pytest.mark.parametrize("kind", [Kind(), Kind("ltc", "euler")], ids=lambda kind: "/".join(kind))
def test_gradients_of_inputs_are_left_out_on_request_and_the_others_stay(kind: Kind) -> None:
    rng = np.random.default_rng(14)
    layout = random_layout(rng, 1, 3, 2, True, kind)
    params, *others = on_device(parameters(layout, rng), *inputs(layout, rng, 3, 2, True))
    y, final, kept = gpu.forward(gpu_layout := gpu.to_device(layout, DEVICE), params, *others, True)
    grad, grad_state, *_ = gpu.backward(gpu_layout, params, kept, y.cos(), final.sin(), True)
    without = gpu.backward(gpu_layout, params, kept, y.cos(), final.sin(), False)
    assert torch.equal(without[0], grad)
    assert torch.equal(without[1], grad_state)
    assert without[2:] == (None, None)


def _alone(layout: PackLayout, p: int) -> PackLayout:
    return replace(layout, wirings=(layout.wirings[p],), steps=(layout.steps[p],))


@pytest.mark.parametrize("kind", [Kind(), Kind("ct-rnn", "euler")], ids=lambda kind: "/".join(kind))
def test_a_candidate_does_not_depend_on_its_mates_bit_for_bit(kind: Kind) -> None:
    rng = np.random.default_rng(5)
    layout = random_layout(rng, 3, 3, 2, True, kind)
    arrays = parameters(layout, rng), *inputs(layout, rng, 4, 2, False)
    params, x, elapsed, state = on_device(*arrays)
    y, final, kept = gpu.forward(
        gpu_layout := gpu.to_device(layout, DEVICE), params, x, elapsed, state, True
    )
    grad, grad_state, _, _ = gpu.backward(gpu_layout, params, kept, y.cos(), final.sin(), False)
    for p in range(layout.size):
        alone, states, block = (
            gpu.to_device(_alone(layout, p), DEVICE),
            layout.states[p],
            layout.blocks[p],
        )
        own_y, own_final, own_kept = gpu.forward(
            alone, params[block], x, elapsed, state[:, states].contiguous(), True
        )
        own_grad, own_grad_state, _, _ = gpu.backward(
            alone, params[block], own_kept, own_y.cos(), own_final.sin(), False
        )
        assert torch.equal(own_y[0], y[p])
        assert torch.equal(own_final, final[:, states])
        assert torch.equal(own_grad, grad[block])
        assert torch.equal(own_grad_state, grad_state[:, states])


def test_a_poisoned_candidate_leaves_its_mates_alone() -> None:
    rng = np.random.default_rng(6)
    layout = random_layout(rng, 3, 3, 2, False)
    params, x, elapsed, state = on_device(
        parameters(layout, rng), *inputs(layout, rng, 3, 2, False)
    )
    gpu_layout, poisoned = gpu.to_device(layout, DEVICE), params.clone()
    poisoned[layout.blocks[1]] = torch.nan
    results = []
    for numbers in (params, poisoned):
        y, final, kept = gpu.forward(gpu_layout, numbers, x, elapsed, state, True)
        results.append(
            (
                y,
                gpu.backward(
                    gpu_layout, numbers, kept, torch.ones_like(y), torch.ones_like(final), False
                )[0],
            )
        )
    assert results[1][0][1].isnan().all()
    assert results[1][1][layout.blocks[1]].isnan().any()
    for p in (0, 2):
        assert torch.equal(results[0][0][p], results[1][0][p])
        assert torch.equal(results[0][1][layout.blocks[p]], results[1][1][layout.blocks[p]])


def test_the_cpu_kernel_says_the_same() -> None:
    rng = np.random.default_rng(7)
    layout = random_layout(rng, 2, 3, 2, False)
    arrays = parameters(layout, rng), *inputs(layout, rng, 9, 3, True)
    y, final, kept = cpu.forward(layout, *arrays, True)
    grad, *_ = cpu.backward(layout, arrays[0], kept, np.cos(y), np.sin(final), False)
    ours = on_device(*arrays)
    our_y, our_final, our_kept = gpu.forward(
        gpu_layout := gpu.to_device(layout, DEVICE), *ours, True
    )
    our_grad, *_ = gpu.backward(gpu_layout, ours[0], our_kept, our_y.cos(), our_final.sin(), False)
    for mine, theirs in ((our_y, y), (our_final, final), (our_grad, grad)):
        near(mine, torch.from_numpy(theirs))


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_range_that_states_visit_is_that_of_the_cpu(memory: str) -> None:
    rng = np.random.default_rng(10)
    layout = random_layout(rng, 2, 3, 2, False, Kind("ct-rnn", "euler", memory))
    arrays = parameters(layout, rng), *inputs(layout, rng, 35, 2, True)
    theirs = cpu.extremes(layout, cpu.forward(layout, *arrays, False)[2])
    ours = gpu.extremes(
        layout, gpu.forward(gpu.to_device(layout, DEVICE), *on_device(*arrays), False)[2]
    )
    for mine, other in zip(ours, theirs, strict=True):
        near(mine, torch.from_numpy(other))


def test_slices_hold_every_synapse_once_and_rows_by_their_length() -> None:
    rng = np.random.default_rng(8)
    layout = random_layout(rng, 5, 4, 2, True)
    gpu_layout = gpu.to_device(layout, "cpu")
    for edges, names in (
        (gpu_layout.incoming, ("w", "mu")),
        (gpu_layout.outgoing, ("w", "mu")),
        (gpu_layout.leaving, ("sensory_w",)),
    ):
        for row, name in enumerate(names):
            stand = np.concatenate(
                [np.arange(block[name].start, block[name].stop) for block in layout.slices]
            )
            assert np.array_equal(np.sort(edges.numbers[row, edges.at]), stand)
        assert edges.real.sum() == len(edges.at)
        assert edges.real[edges.at].all()
        assert torch.equal(edges.start, torch.cumsum(edges.width * ROWS, 0) - edges.width * ROWS)
    first = gpu_layout.table[:, COLUMNS.index("at_slice")]
    for p, wiring in enumerate(layout.wirings):
        rows = gpu_layout.rows[first[p] * ROWS : first[p + 1] * ROWS]
        assert sorted(rows[rows >= 0].tolist()) == list(range(wiring.neurons))
        assert (rows >= 0)[: wiring.neurons].all()
        fan_in = np.bincount(layout.connections[p].post, minlength=wiring.neurons)[
            rows[: wiring.neurons]
        ]
        assert (np.diff(fan_in) <= 0).all()


@pytest.mark.parametrize(
    "kind", [Kind("mine", "none"), Kind("ct-rnn", "closed-form")], ids=lambda kind: "/".join(kind)
)
def test_kinds_without_a_kernel_are_refused(kind: Kind) -> None:
    layout = random_layout(np.random.default_rng(9), 2, 3, 2, False, kind)
    assert not gpu.covers(layout.kind)
    with pytest.raises(ValueError, match=f"no GPU kernel for {'/'.join(kind)}"):
        gpu.to_device(layout, DEVICE)


def test_every_neuron_has_a_kernel_with_each_of_its_solvers_and_memories() -> None:
    for neuron, known in KINDS.items():
        assert all(
            gpu.covers(Kind(neuron, solver, memory))
            for solver in known.solvers
            for memory in MEMORIES
        )


@pytest.mark.slow
def test_it_becomes_machine_code_without_a_gpu_and_adds_nothing_atomically() -> None:
    """For an H100. All numbers of LTC stay in registers.

    The script ends with an error where a kernel adds atomically.
    """
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), environment.get("PYTHONPATH", "")])
    command = [sys.executable, root / "benchmarks" / "gpu_code.py"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [line[1] for line in lines] == 7 * ["forward", "backward"]
    for kind, kernel, registers, stack, *loops in lines:
        assert int(registers) <= 255, (kind, kernel)
        if kind == "ltc/semi-implicit/none/bptt":
            assert stack == "0"
            assert len(loops) >= 2
