"""CfC on the GPU agrees with the plain reference as LTC does (`test_gpu`): every variant, sparse
and layered."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.support.random_packs import inputs, parameters
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.cfc import swept
from wiring_search.wirings.topologies import ncp, random_sparse
from wiring_search.wirings.wiring import Wiring

pytest.importorskip("triton", reason="Triton is not installed: pip install 'wiring-search[gpu]'")

from tests.support.gpu_against_reference import DEVICE, equals_reference, on_device  # noqa: E402, F401
from wiring_search.networks.kernels import gpu  # noqa: E402
from wiring_search.networks.kernels.gpu.layout import COLUMNS, ROWS  # noqa: E402

pytestmark = pytest.mark.usefixtures("nothing_is_read_before_it_is_written")

CFC = tuple(name for name in NEURONS if "cfc" in name)
LAYERED = ncp(2, ROWS + 1, 2, 1, 2, 1, 2, 1, seed=1)  # its greatest layer is more than a slice
FLAT = random_sparse(2, 4, 1, 3, 8, seed=2)  # without command neurons


def _layout(
    neuron: str, *wirings: Wiring, features: int = 2, outputs: int | None = None
) -> PackLayout:
    return PackLayout(wirings, (0,) * len(wirings), features, outputs, Kind(neuron, "closed-form"))


@pytest.mark.parametrize("neuron", CFC)
def test_outputs_and_every_gradient_equal_the_reference(neuron: str) -> None:
    """With the gradient of pinned zeros set to 0, as callers of a kernel do (layered neurons)."""
    rng = np.random.default_rng(1)
    layout = _layout(neuron, LAYERED, FLAT)
    assert layout.pinned.any() == (neuron in ("layered-cfc", "layered-cfc-no-gate"))
    equals_reference(layout, rng, 2, 3, True, False)


@pytest.mark.parametrize("neuron", ["cfc", "cfc-pure", "layered-cfc-no-gate"])
def test_so_they_do_with_a_projection_a_second_tile_and_gaps(neuron: str) -> None:
    rng = np.random.default_rng(2)
    layout = _layout(neuron, ncp(2, 3, 2, 1, 1, 1, 2, 1, seed=3), features=3, outputs=2)
    equals_reference(layout, rng, 33, 2, False, True)


def test_a_candidate_does_not_depend_on_its_mates_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    layout = _layout("layered-cfc", FLAT, LAYERED)
    params, x, elapsed, state = on_device(
        parameters(layout, rng), *inputs(layout, rng, 2, 2, False)
    )
    y, final, kept = gpu.forward(
        gpu_layout := gpu.to_device(layout, DEVICE), params, x, elapsed, state, True
    )
    grad, grad_state, _, _ = gpu.backward(gpu_layout, params, kept, y.cos(), final.sin(), False)
    alone, states, block = (
        gpu.to_device(_layout("layered-cfc", LAYERED), DEVICE),
        layout.states[1],
        layout.blocks[1],
    )
    own_y, own_final, own_kept = gpu.forward(
        alone, params[block], x, elapsed, state[:, states].contiguous(), True
    )
    own_grad, own_grad_state, _, _ = gpu.backward(
        alone, params[block], own_kept, own_y.cos(), own_final.sin(), False
    )
    assert torch.equal(own_y[0], y[1])
    assert torch.equal(own_final, final[:, states])
    assert torch.equal(own_grad, grad[block])
    assert torch.equal(own_grad_state, grad_state[:, states])


def test_gradients_are_the_same_bits_without_those_of_the_inputs() -> None:
    rng = np.random.default_rng(4)
    layout = _layout("cfc", FLAT)
    params, x, elapsed, state = on_device(parameters(layout, rng), *inputs(layout, rng, 2, 2, True))
    y, final, kept = gpu.forward(
        gpu_layout := gpu.to_device(layout, DEVICE), params, x, elapsed, state, True
    )
    with_inputs, without = (
        gpu.backward(gpu_layout, params, kept, y.cos(), final.sin(), both) for both in (True, False)
    )
    assert torch.equal(without[0], with_inputs[0])
    assert torch.equal(without[1], with_inputs[1])
    assert without[2:] == (None, None)


@pytest.mark.parametrize("neuron", CFC)
def test_no_slice_crosses_layers_and_connections_from_layers_swept_before_read_new_states(
    neuron: str,
) -> None:
    layout = _layout(neuron, FLAT, LAYERED)
    gpu_layout = gpu.to_device(layout, "cpu")
    record = dict(zip(COLUMNS, gpu_layout.table.T.tolist(), strict=True))
    for p, made in enumerate(layout.connections):
        layers = [range(*ends) for ends in pairwise((0, *made.layer_ends))]
        starts = [record[name][p] for name in ("at_last", "at_second", "at_first", "after_first")]
        for layer, (first, end) in zip(layers, pairwise(starts), strict=True):
            rows = gpu_layout.rows[first * ROWS : end * ROWS]
            assert sorted(rows[rows >= 0].tolist()) == list(layer)
        order = {i: turn for turn, layer in enumerate(swept(made.layer_ends)) for i in layer}
        expected = {
            (j + made.neurons * (order[j] < order[i]), i)
            for j, i in zip(made.pre, made.post, strict=True)
        }
        found = set()
        for slice_ in range(starts[0], starts[-1]):
            first = gpu_layout.incoming.start[slice_]
            slots = torch.arange(first, first + gpu_layout.incoming.width[slice_] * ROWS)
            slots = slots[gpu_layout.incoming.real[slots] > 0]
            rows = gpu_layout.rows[slice_ * ROWS + (slots - first) % ROWS]
            found |= set(zip(gpu_layout.incoming.other[slots].tolist(), rows.tolist(), strict=True))
        assert found == expected
    leaving = torch.cat(
        [edges.numbers[:, edges.at] for edges in (gpu_layout.onward, gpu_layout.outgoing)], dim=1
    )
    assert torch.equal(
        leaving.sort(dim=1).values,
        gpu_layout.incoming.numbers[:, gpu_layout.incoming.at].sort(dim=1).values,
    )
