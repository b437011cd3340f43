"""`ncps.torch.LTC` and `ncps.torch.CfC` modules with their weights: into our network in one line,
and back. Needs `ncps` installed.

    fast = from_ncps(module)    # same outputs, final state and gradients, ten times faster or more
    y, state = fast(x)          # x: (batch, time, features)

`ncps` stores dense matrices and masks; we keep one entry a synapse, read from where the mask is not
zero. A CfC that comes with a wiring becomes our "layered-cfc", whose gates and recurrence are as
dense as there; one with a number of units has no wiring at all and becomes a `BackboneCfC`, which
is plain torch and about as fast as there. Differences of behaviour: our networks are batch first
and take elapsed times (batch, time), which the package gets wrong for batches (its issues 81 and
82); with mixed memory their state is one tensor, neurons then cells; and neurons of a wired CfC are
numbered as in the wiring, motor first (`state_order` tells their positions in the state of the
module).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from wiring_search.networks.backbone_cfc import MODES, BackboneCfC
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.cfc import HEADS, PURE
from wiring_search.networks.neurons.ltc import EPSILON, SYNAPSE_FIELDS
from wiring_search.wirings.kinds import KINDS, Family
from wiring_search.wirings.ncps_format import from_ncps as wiring_from_ncps
from wiring_search.wirings.ncps_format import to_ncps as wiring_to_ncps
from wiring_search.wirings.wiring import Wiring

try:
    from ncps.torch import LTC, CfC
    from ncps.torch.cfc_cell import LeCun
except ImportError as missing:
    raise ImportError(
        "exchanging modules with the ncps package needs it installed: pip install ncps"
    ) from missing

_NEURON_FIELDS = ("gleak", "vleak", "cm")
_MAP_FIELDS = ("input_w", "input_b", "output_w", "output_b")
# Our neuron by the mode of a wired CfC there.
_CFC_NEURONS = {
    kind.ncps: name for name, kind in KINDS.items() if kind.family is Family.CFC and kind.ncps
}
_ACTIVATIONS = {
    nn.SiLU: "silu",
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.GELU: "gelu",
    LeCun: "lecun_tanh",
}

_Ours = LiquidNetwork | BackboneCfC


def from_ncps(module: LTC | CfC) -> _Ours:
    """Our network with a copy of an `ncps` module's weights, dtype, device and training mode.

    Maps that the module does not have ("linear", None, those of a CfC but for its projection) are
    the identity and do not learn.

    Args:
        module: An `ncps.torch.LTC` or `ncps.torch.CfC`.

    Returns:
        A `BackboneCfC` for a CfC without a wiring, a `LiquidNetwork` otherwise.

    Raises:
        ValueError: The module has no counterpart: it is of another class, a wired CfC whose outputs
            are no motor neurons, a backbone that was changed by hand, or it has another epsilon.
    """
    if isinstance(module, LTC):
        network: LiquidNetwork | BackboneCfC = _network_of_ltc(module)
    elif isinstance(module, CfC):
        if hasattr(module, "wiring"):
            network = _network_of_wired_cfc(module)
        else:
            network = _network_of_backbone_cfc(module)
    else:
        raise ValueError(
            f"{type(module).__name__} is neither an ncps.torch.LTC nor a CfC; give such a module"
        )
    like = next(module.parameters())
    network.to(device=like.device, dtype=like.dtype).train(module.training)
    filled = set()
    with torch.no_grad():
        for ours, at, theirs, there in _entries(network, module):
            ours[at] = theirs[there]
            filled.add(id(ours))
        if module.use_mixed:
            _forget_bias(network.memory_b).add_(1.0)
        if isinstance(network, LiquidNetwork):
            for name, gate_only in network.layout.connections[0].pinned().items():
                getattr(network, name)[torch.as_tensor(gate_only)] = 0.0
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in filled)
    return network


def to_ncps(network: _Ours) -> LTC | CfC:
    """An `ncps` module (batch first) with a copy of the network's weights.

    Args:
        network: What `from_ncps` gives, or another network that `ncps` can express.

    Raises:
        ValueError: `ncps` cannot express the network: a projection before the sensory nodes,
            another neuron or solver, memory as input; for an LTC a linear readout; for a CfC maps
            that have learned, or a wiring of one layer with more outputs than motor neurons.
    """
    if isinstance(network, BackboneCfC):
        module = _backbone_cfc_like(network)
    else:
        module = _wired_like(network)
    like = next(network.parameters())
    module.to(device=like.device, dtype=like.dtype).train(network.training)
    with torch.no_grad():
        for ours, at, theirs, there in _entries(network, module):
            theirs[there] = ours[at]
        if module.use_mixed:
            _forget_bias(module.lstm.input_map.bias).sub_(1.0)
    return module


def state_order(network: _Ours) -> torch.Tensor:
    """(neurons,) Which of our neurons is at each position of an `ncps` module's state."""
    if isinstance(network, BackboneCfC):
        return torch.arange(network.units)
    if _is_ltc(network):
        return torch.arange(network.wiring.neurons)
    wiring = wiring_to_ncps(network.wiring)
    return torch.tensor(
        [
            neuron
            for layer in range(wiring.num_layers)
            for neuron in wiring.get_neurons_of_layer(layer)
        ]
    )


def _network_of_ltc(module: LTC) -> LiquidNetwork:
    cell = module.rnn_cell
    if abs(cell._epsilon - EPSILON) > EPSILON:
        raise ValueError(
            f"this LTC has epsilon={cell._epsilon:g}; the kernels are made for {EPSILON:g}"
        )
    return LiquidNetwork(
        wiring_from_ncps(cell._wiring),
        steps=cell._ode_unfolds,
        memory="state" if module.use_mixed else "none",
        every_step=module.return_sequences,
        positive="softplus" if cell._implicit_param_constraints else "clip",
    )


def _wired_like(network: LiquidNetwork) -> LTC | CfC:
    kind = network.layout.kind
    layout = network.layout
    if layout.features != network.wiring.sensory or (
        _is_ltc(network) and layout.outputs is not None
    ):
        raise ValueError(
            "this network has a projection before its sensory nodes or a linear readout of an LTC, "
            "which ncps modules have not; make "
            "it with as many features as sensory nodes, and outputs=None"
        )
    if kind.memory == "input" or not KINDS[kind.neuron].is_in_ncps(kind.solver):
        raise ValueError(
            f"a network of kind {'/'.join(kind[:3])} has no counterpart in ncps; ltc/semi-implicit "
            "and the layered CfCs have, with memory "
            "none or state"
        )
    return _ltc_like(network) if _is_ltc(network) else _wired_cfc_like(network)


def _is_ltc(network: LiquidNetwork) -> bool:
    return KINDS[network.layout.kind.neuron].family is Family.LTC


def _ltc_like(network: LiquidNetwork) -> LTC:
    return LTC(
        network.wiring.sensory,
        wiring_to_ncps(network.wiring),
        return_sequences=network.every_step,
        mixed_memory=network.layout.kind.memory == "state",
        ode_unfolds=network.layout.steps[0],
        implicit_param_constraints=network.positive == "softplus",
    )


def _network_of_wired_cfc(module: CfC) -> LiquidNetwork:
    wiring = wiring_from_ncps(module.wiring)
    _check_motors(wiring)
    return LiquidNetwork(
        wiring,
        outputs=module.proj_size,
        neuron=_CFC_NEURONS[module.rnn_cell._layers[0].mode],
        memory="state" if module.use_mixed else "none",
        every_step=module.return_sequences,
    )


def _wired_cfc_like(network: LiquidNetwork) -> CfC:
    identities = _MAP_FIELDS if network.layout.outputs is None else _MAP_FIELDS[:2]
    if any(
        bool((getattr(network, name) != float(name.endswith("_w"))).any()) for name in identities
    ):
        raise ValueError(
            "this network has learned maps before or behind its neurons, which ncps.torch.CfC has "
            "not"
        )
    _check_motors(network.wiring)
    return CfC(
        network.wiring.sensory,
        wiring_to_ncps(network.wiring),
        proj_size=network.layout.outputs,
        return_sequences=network.every_step,
        mixed_memory=network.layout.kind.memory == "state",
        mode=KINDS[network.layout.kind.neuron].ncps,
    )


def _network_of_backbone_cfc(module: CfC) -> BackboneCfC:
    cell = module.rnn_cell
    stages = [] if cell.backbone is None else list(cell.backbone)
    linears = [stage for stage in stages if isinstance(stage, nn.Linear)]
    dropouts = {stage.p for stage in stages if isinstance(stage, nn.Dropout)}
    activations = {type(stage) for stage in stages if not isinstance(stage, nn.Linear | nn.Dropout)}
    if (
        not activations <= _ACTIVATIONS.keys()
        or len(activations) > 1
        or len(linears) != cell.backbone_layers
    ):
        raise ValueError(
            f"this CfC has the backbone {cell.backbone}; give one as ncps.torch.CfC makes it, not "
            "changed by hand"
        )
    return BackboneCfC(
        cell.input_size,
        cell.hidden_size,
        module.proj_size,
        mode=cell.mode,
        backbone_units=linears[0].out_features if linears else 128,
        backbone_layers=cell.backbone_layers,
        activation=_ACTIVATIONS[activations.pop()] if activations else "lecun_tanh",
        dropout=dropouts.pop() if dropouts else 0.0,
        mixed_memory=module.use_mixed,
        every_step=module.return_sequences,
    )


def _backbone_cfc_like(network: BackboneCfC) -> CfC:
    return CfC(
        network.features,
        network.units,
        proj_size=network.outputs,
        return_sequences=network.every_step,
        mixed_memory=network.mixed_memory,
        mode=network.mode,
        activation=network.activation,
        backbone_units=network.backbone_units,
        backbone_layers=len(network.backbone),
        backbone_dropout=network.dropout,
    )


def _check_motors(wiring: Wiring) -> None:
    if not (wiring.inter and wiring.command) and wiring.motor != wiring.neurons:
        raise ValueError(
            f"this wiring is one layer to ncps.torch.CfC, which then puts out all {wiring.neurons} "
            "neurons and not the "
            f"{wiring.motor} motor neurons; make all of them motor neurons, or take three layers "
            "(NCP, AutoNCP)"
        )


# A parameter of ours and where in it, one of theirs and where in that: the same numbers.
_Entry = tuple[torch.Tensor, Any, torch.Tensor, Any]


def _entries(network: _Ours, module: LTC | CfC) -> Iterator[_Entry]:
    if isinstance(network, BackboneCfC):
        yield from _backbone_cfc_entries(network, module)
    else:
        yield from (
            _ltc_entries(network, module)
            if isinstance(module, LTC)
            else _wired_cfc_entries(network, module)
        )
    if module.use_mixed:
        order = state_order(network)
        rows = torch.cat([order + gate * len(order) for gate in range(4)])
        yield network.memory_x, rows, module.lstm.input_map.weight, ...
        yield network.memory_b, rows, module.lstm.input_map.bias, ...
        yield (
            network.memory_h,
            (rows[:, None], order[None, :]),
            module.lstm.recurrent_map.weight,
            ...,
        )


def _ltc_entries(network: LiquidNetwork, module: LTC) -> Iterator[_Entry]:
    for name in (*_NEURON_FIELDS, *_MAP_FIELDS):
        if hasattr(module.rnn_cell, name):
            yield getattr(network, name), ..., getattr(module.rnn_cell, name), ...
    made = network.layout.connections[0]
    for prefix, ends in (
        ("", (made.pre, made.post)),
        ("sensory_", (made.sensory_pre, made.sensory_post)),
    ):
        for name in SYNAPSE_FIELDS:
            yield (
                getattr(network, prefix + name),
                ...,
                getattr(module.rnn_cell, prefix + name),
                ends,
            )


def _backbone_cfc_entries(network: BackboneCfC, module: CfC) -> Iterator[_Entry]:
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


def _wired_cfc_entries(network: LiquidNetwork, module: CfC) -> Iterator[_Entry]:
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


def _forget_bias(bias: torch.Tensor) -> torch.Tensor:
    """The third quarter, to which `ncps` adds 1 when it is used."""
    return bias.chunk(4)[2]
