"""`ncps.torch.LTC` and `ncps.torch.CfC` modules with their weights: into our network in one line,
and back. Needs `ncps` installed.

    fast = from_ncps(module)    # same outputs, final state and gradients, ten times faster or more
    y, state = fast(x)          # x: (batch, time, features)

`ncps` stores dense matrices and masks; we keep one entry a synapse, read from where the mask is not
zero. (The wiring may have more: making a second module of one wiring object adds synapses to it.) A
CfC that comes with a wiring becomes our "layered-cfc", whose gates and recurrence are as dense as
there; one with a number of units has no wiring at all and becomes a `BackboneCfC`, which is plain
torch and about as fast as there. Differences of behaviour:

- The second argument is `elapsed` here and the state there: give both by name. `elapsed`, there
  `timespans`, is right for batches, for which the package spreads it over neurons (its issues 81
  and 82).
- Where no time has passed a CfC takes a step of length 0, as there (`hold_at_zero=False`); an LTC
  holds its state, where the package divides by 0. Negative times are refused.
- With mixed memory the state is one tensor, neurons then cells. Neurons of a wired CfC are numbered
  as in the wiring, motor first (`state_order` gives their positions in the state of the module).
- Of one sample without a batch, the last outputs alone are (outputs,), where a module with
  batch_first=False gives (1, outputs).
"""

import copy

import numpy as np
import torch
from torch import nn

from wiring_search.networks.backbone_cfc import BackboneCfC
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons.ltc import EPSILON
from wiring_search.wirings.kinds import KINDS, Family
from wiring_search.wirings.ncps_format import from_ncps as wiring_from_ncps
from wiring_search.wirings.ncps_format import to_ncps as wiring_to_ncps
from wiring_search.wirings.wiring import Wiring

try:
    from ncps.torch import LTC, CfC
    from ncps.torch.cfc_cell import LeCun
    from ncps.wirings import Wiring as NcpsWiring

    from wiring_search.networks.ncps_weights import (
        MAP_FIELDS,
        Ours,
        entries,
        forget_bias,
        keep_learning,
    )
except ImportError as missing:
    raise ImportError(
        "exchanging modules with the ncps package needs it installed: pip install ncps"
    ) from missing

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


def from_ncps(module: LTC | CfC) -> Ours:
    """Our network with a copy of an `ncps` module's weights.

    It keeps the dtype, device, training mode, `batch_first` and what is frozen. Maps that the
    module does not have ("linear", None, those of a CfC but for its projection) are the identity
    and do not learn.

    Args:
        module: An `ncps.torch.LTC` or `ncps.torch.CfC`.

    Returns:
        A `BackboneCfC` for a CfC without a wiring, a `LiquidNetwork` otherwise.

    Raises:
        ValueError: The module has no counterpart: it is of another class, a wired CfC whose outputs
            are no motor neurons or whose layers are others than ours, a backbone or mask that was
            changed by hand, or it has another epsilon; or a parameter of ours is frozen in one part
            there and learns in another.
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
    pairs = list(entries(network, module, state_order(network)))
    with torch.no_grad():
        for ours, at, theirs, there in pairs:
            ours[at] = theirs[there]
        if module.use_mixed:
            forget_bias(network.memory_b).add_(1.0)
        if isinstance(network, LiquidNetwork):
            for name, gate_only in network.layout.connections[0].pinned().items():
                getattr(network, name)[torch.as_tensor(gate_only)] = 0.0
    keep_learning(((ours, theirs) for ours, _, theirs, _ in pairs), network)
    return network


def to_ncps(network: Ours) -> LTC | CfC:
    """An `ncps` module with a copy of the network's weights.

    Where no time has passed it does not hold its state: a CfC takes a step of length 0, whatever
    the network's `hold_at_zero`, and an LTC divides by 0.

    Args:
        network: What `from_ncps` gives, or another network that `ncps` can express.

    Raises:
        ValueError: `ncps` cannot express the network: a projection before the sensory nodes,
            another neuron or solver, memory as input; for an LTC a linear readout; for a CfC maps
            that have learned, or a wiring of one layer with more outputs than motor neurons. Or
            what is one parameter there is frozen in one part and learns in another.
    """
    if isinstance(network, BackboneCfC):
        module = _backbone_cfc_like(network)
    else:
        module = _wired_like(network)
    like = next(network.parameters())
    module.to(device=like.device, dtype=like.dtype).train(network.training)
    pairs = list(entries(network, module, state_order(network)))
    with torch.no_grad():
        for ours, at, theirs, there in pairs:
            theirs[there] = ours[at]
        if module.use_mixed:
            forget_bias(module.lstm.input_map.bias).sub_(1.0)
    keep_learning(((theirs, ours) for ours, _, theirs, _ in pairs), module)
    return module


def state_order(network: Ours) -> torch.Tensor:
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
    if cell._epsilon != EPSILON:
        raise ValueError(
            f"this LTC has epsilon={cell._epsilon:g}; the kernels are made for {EPSILON:g}, the "
            "default"
        )
    wiring = copy.copy(cell._wiring)
    wiring.adjacency_matrix, wiring.sensory_adjacency_matrix = (
        _signed(_mask(cell._params[name]), given)
        for name, given in (
            ("sparsity_mask", wiring.adjacency_matrix),
            ("sensory_sparsity_mask", wiring.sensory_adjacency_matrix),
        )
    )
    return LiquidNetwork(
        wiring_from_ncps(wiring),
        steps=int(cell._ode_unfolds),
        memory="state" if module.use_mixed else "none",
        every_step=module.return_sequences,
        batch_first=module.batch_first,
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
        batch_first=network.batch_first,
        mixed_memory=network.layout.kind.memory == "state",
        ode_unfolds=network.layout.steps[0],
        implicit_param_constraints=network.positive == "softplus",
    )


def _network_of_wired_cfc(module: CfC) -> LiquidNetwork:
    layers = [
        module.wiring.get_neurons_of_layer(layer) for layer in range(module.wiring.num_layers)
    ]
    wiring = wiring_from_ncps(_as_masked(module, layers))
    _check_motors(wiring)
    like_ours = wiring_to_ncps(wiring)
    ours = [like_ours.get_neurons_of_layer(layer) for layer in range(like_ours.num_layers)]
    if layers != ours:
        raise ValueError(
            f"this CfC has the layers {layers}, where a network of its roles has {ours}; give one "
            "whose layers are inter, command and motor neurons, or one of all neurons"
        )
    return LiquidNetwork(
        wiring,
        outputs=module.proj_size,
        neuron=_CFC_NEURONS[module.rnn_cell._layers[0].mode],
        memory="state" if module.use_mixed else "none",
        every_step=module.return_sequences,
        batch_first=module.batch_first,
        hold_at_zero=False,
    )


def _as_masked(module: CfC, layers: list[list[int]]) -> NcpsWiring:
    """A copy of the module's wiring, between layers with the synapses of its masks."""
    wiring = copy.copy(module.wiring)
    wiring.sensory_adjacency_matrix = wiring.sensory_adjacency_matrix.copy()
    wiring.adjacency_matrix = wiring.adjacency_matrix.copy()
    before: list[int] | None = None  # the sensory nodes
    for neurons, cell in zip(layers, module.rnn_cell._layers, strict=True):
        mask = _mask(cell.sparsity_mask).T
        outer, recurrent = mask[: -len(neurons)], mask[-len(neurons) :]
        if not recurrent.all():
            raise ValueError(
                "a sparsity_mask of this CfC leaves out recurrent connections of a layer, which "
                "ncps makes dense; set them to 1, and their weights to 0"
            )
        if before is None:
            wiring.sensory_adjacency_matrix[:, neurons] = _signed(
                outer, wiring.sensory_adjacency_matrix[:, neurons]
            )
        else:
            at = np.ix_(before, neurons)
            wiring.adjacency_matrix[at] = _signed(outer, wiring.adjacency_matrix[at])
        before = neurons
    return wiring


def _mask(parameter: torch.Tensor) -> np.ndarray:
    """A mask as bools."""
    mask = parameter.detach().double().cpu().numpy()
    if not np.isin(mask, (0.0, 1.0)).all():
        raise ValueError(
            "a sparsity_mask of this module has entries other than 0 and 1; multiply them into the "
            "weights"
        )
    return mask.astype(bool)


def _signed(mask: np.ndarray, adjacency: np.ndarray) -> np.ndarray:
    """The adjacency where the mask is, with +1 where it has no synapse there."""
    return np.where(mask, np.where(adjacency == 0, 1, adjacency), 0).astype(adjacency.dtype)


def _wired_cfc_like(network: LiquidNetwork) -> CfC:
    identities = MAP_FIELDS if network.layout.outputs is None else MAP_FIELDS[:2]
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
        batch_first=network.batch_first,
        mixed_memory=network.layout.kind.memory == "state",
        mode=KINDS[network.layout.kind.neuron].ncps,
    )


def _network_of_backbone_cfc(module: CfC) -> BackboneCfC:
    cell = module.rnn_cell
    stages = [] if cell.backbone is None else list(cell.backbone)
    linears = [stage for stage in stages if isinstance(stage, nn.Linear)]
    dropouts = {stage.p for stage in stages if isinstance(stage, nn.Dropout)}
    activations = {type(stage) for stage in stages if not isinstance(stage, nn.Linear | nn.Dropout)}
    network = BackboneCfC(
        cell.input_size,
        cell.hidden_size,
        module.proj_size,
        mode=cell.mode,
        backbone_units=linears[0].out_features if linears else 128,
        backbone_layers=len(linears),
        activation=next((_ACTIVATIONS[a] for a in activations if a in _ACTIVATIONS), "lecun_tanh"),
        dropout=max(dropouts, default=0.0),
        mixed_memory=module.use_mixed,
        every_step=module.return_sequences,
        batch_first=module.batch_first,
        hold_at_zero=False,
    )
    as_made = str(_backbone_cfc_like(network).rnn_cell.backbone)
    if str(cell.backbone) != as_made or cell.backbone_layers != len(linears):
        raise ValueError(
            f"this CfC has the backbone {cell.backbone}; give one as ncps.torch.CfC makes it, not "
            "changed by hand"
        )
    if cell.sparsity_mask is not None:
        raise ValueError("this CfC has a sparsity_mask but no wiring; multiply it into its weights")
    return network


def _backbone_cfc_like(network: BackboneCfC) -> CfC:
    return CfC(
        network.features,
        network.units,
        proj_size=network.outputs,
        return_sequences=network.every_step,
        batch_first=network.batch_first,
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
