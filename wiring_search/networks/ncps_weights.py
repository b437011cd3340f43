"""Where the numbers of an `ncps` module are in our network. Needs `ncps` installed."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from ncps.torch import LTC, CfC
from torch import nn

from wiring_search.networks.backbone_cfc import MODES, BackboneCfC
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.cfc import HEADS, PURE
from wiring_search.networks.neurons.ltc import SYNAPSE_FIELDS

Ours = LiquidNetwork | BackboneCfC

_NEURON_FIELDS = ("gleak", "vleak", "cm")
MAP_FIELDS = ("input_w", "input_b", "output_w", "output_b")

# A parameter of ours and where in it, one of theirs and where in that: the same numbers.
Entry = tuple[torch.Tensor, Any, torch.Tensor, Any]


def entries(network: Ours, module: LTC | CfC, order: torch.Tensor) -> Iterator[Entry]:
    """Every parameter of ours with its counterpart.

    Args:
        network: Ours.
        module: The `ncps` module like it.
        order: (neurons,) which of our neurons is at each position of the module's state.
    """
    if isinstance(network, BackboneCfC):
        yield from _backbone_cfc_entries(network, module)
    else:
        yield from (
            _ltc_entries(network, module)
            if isinstance(module, LTC)
            else _wired_cfc_entries(network, module)
        )
    if module.use_mixed:
        rows = torch.cat([order + gate * len(order) for gate in range(4)])
        yield network.memory_x, rows, module.lstm.input_map.weight, ...
        yield network.memory_b, rows, module.lstm.input_map.bias, ...
        yield (
            network.memory_h,
            (rows[:, None], order[None, :]),
            module.lstm.recurrent_map.weight,
            ...,
        )


def _ltc_entries(network: LiquidNetwork, module: LTC) -> Iterator[Entry]:
    theirs = module.rnn_cell._params  # what it computes with, whatever its attributes are
    for name in (*_NEURON_FIELDS, *MAP_FIELDS):
        if name in theirs:
            yield getattr(network, name), ..., theirs[name], ...
    made = network.layout.connections[0]
    for prefix, ends in (
        ("", (made.pre, made.post)),
        ("sensory_", (made.sensory_pre, made.sensory_post)),
    ):
        for name in SYNAPSE_FIELDS:
            yield getattr(network, prefix + name), ..., theirs[prefix + name], ends


def _backbone_cfc_entries(network: BackboneCfC, module: CfC) -> Iterator[Entry]:
    cell = module.rnn_cell
    if cell.backbone is None:
        theirs = []
    else:
        theirs = [stage for stage in cell.backbone if isinstance(stage, nn.Linear)]
    pairs: list[tuple[Any, nn.Linear]] = list(zip(network.backbone, theirs, strict=True))
    if network.outputs is not None:
        pairs.append((network.readout, module.fc))
    for ours, linear in pairs:
        yield ours.weight, ..., linear.weight, ...
        yield ours.bias, ..., linear.bias, ...
    for index, name in enumerate(HEADS[MODES[network.mode]]):
        rows = slice(index * network.units, (index + 1) * network.units)
        yield network.heads.weight, rows, getattr(cell, name).weight, ...
        yield network.heads.bias, rows, getattr(cell, name).bias, ...
    if network.mode == "pure":
        yield network.w_tau, ..., cell.w_tau, 0
        yield network.amplitude, ..., cell.A, 0


def _wired_cfc_entries(network: LiquidNetwork, module: CfC) -> Iterator[Entry]:
    made = network.layout.connections[0]
    variant = NEURONS[network.layout.kind.neuron].variant
    index = np.zeros(made.neurons, int)
    before = network.wiring.sensory
    for layer, cell in enumerate(module.rnn_cell._layers):
        neurons = np.array(module.wiring.get_neurons_of_layer(layer))
        index[neurons] = np.arange(len(neurons))
        mine = np.flatnonzero(np.isin(made.post, neurons))
        pre = made.pre[mine]
        post = made.post[mine]
        there = index[post], np.where(np.isin(pre, neurons), before + index[pre], index[pre])
        for head in HEADS[variant]:
            theirs = getattr(cell, head)
            yield getattr(network, f"{head}_b"), neurons, theirs.bias, ...
            yield getattr(network, f"{head}_w"), mine, theirs.weight, there
            if layer == 0:
                yield (
                    getattr(network, f"sensory_{head}_w"),
                    ...,
                    theirs.weight,
                    (index[made.sensory_post], made.sensory_pre),
                )
        if variant == PURE:
            yield network.w_tau, neurons, cell.w_tau, 0
            yield network.amplitude, neurons, cell.A, 0
        before = len(neurons)
    if network.layout.outputs is not None:
        yield network.output_w, ..., module.fc.weight, ...
        yield network.output_b, ..., module.fc.bias, ...


def forget_bias(bias: torch.Tensor) -> torch.Tensor:
    """The third quarter, to which `ncps` adds 1 when it is used."""
    return bias.chunk(4)[2]


def keep_learning(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], rest: nn.Module) -> None:
    """Let parameters learn where their counterparts do; those that have none do not.

    Args:
        pairs: A parameter and its counterpart, or one of several.
        rest: The module whose parameters without a counterpart are frozen.

    Raises:
        ValueError: Some counterparts of a parameter learn and others are frozen.
    """
    learns: dict[int, set[bool]] = {}
    for parameter, counterpart in pairs:
        learns.setdefault(id(parameter), set()).add(counterpart.requires_grad)
    for name, parameter in rest.named_parameters():
        found = learns.get(id(parameter), {False})
        if len(found) > 1:
            raise ValueError(
                f"{name} would be frozen in one part and learn in another; freeze all of what it "
                "is made of, or none (requires_grad_), and convert again"
            )
        parameter.requires_grad_(found == {True})
