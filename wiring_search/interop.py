"""`ncps.torch.LTC` modules with their weights: into our network in one line, and back. Needs `ncps` installed.

    fast = from_ncps(module)      # same outputs, final state and gradients, an order of magnitude faster
    y, state = fast(x)            # x: (batch, time, features)

`ncps` stores dense matrices and masks; we keep one entry a synapse, read from where the mask is not zero. Differences
of behaviour: our network is batch first and takes elapsed times (batch, time), which the package gets wrong for
batches (its issues 81 and 82).
"""

import torch

from wiring_search.kernels.layout import SYNAPSE_FIELDS
from wiring_search.ncps_wirings import from_ncps as wiring_from_ncps
from wiring_search.ncps_wirings import to_ncps as wiring_to_ncps
from wiring_search.network import LiquidNetwork
from wiring_search.neurons.ltc import EPSILON

try:
    from ncps.torch import LTC
except ImportError as missing:
    raise ImportError("exchanging modules with the ncps package needs it installed: pip install ncps") from missing

_NEURON_FIELDS = ("gleak", "vleak", "cm")
_MAP_FIELDS = ("input_w", "input_b", "output_w", "output_b")


def from_ncps(module: LTC) -> LiquidNetwork:
    """Our network with a copy of the module's weights, dtype and device.

    Maps that the module does not have ("linear", None) are the identity there and stay so: they do not learn.
    Raises ValueError for what has no counterpart yet: mixed memory, another epsilon.
    """
    if not isinstance(module, LTC):
        raise ValueError(f"{type(module).__name__} is no ncps.torch.LTC; give such a module")
    if module.use_mixed:
        raise ValueError("this LTC has mixed_memory=True, which has no counterpart here yet; give one without")
    cell = module.rnn_cell
    if abs(cell._epsilon - EPSILON) > EPSILON:
        raise ValueError(f"this LTC has epsilon={cell._epsilon:g}; the kernels are made for {EPSILON:g}")
    network = LiquidNetwork(
        wiring_from_ncps(cell._wiring),
        steps=cell._ode_unfolds,
        every_step=module.return_sequences,
        positive="softplus" if cell._implicit_param_constraints else "clip",
    )
    network.to(device=cell.gleak.device, dtype=cell.gleak.dtype)
    with torch.no_grad():
        for name in _NEURON_FIELDS:
            getattr(network, name).copy_(getattr(cell, name))
        for prefix, (pre, post) in _ends(network).items():
            for name in SYNAPSE_FIELDS:
                getattr(network, prefix + name).copy_(getattr(cell, prefix + name)[pre, post])
        for name in _MAP_FIELDS:
            if hasattr(cell, name):
                getattr(network, name).copy_(getattr(cell, name))
            else:
                getattr(network, name).requires_grad_(False)
    return network


def to_ncps(network: LiquidNetwork) -> LTC:
    """An `ncps.torch.LTC` (batch first) with a copy of the network's weights.

    Raises ValueError where the network has a projection or a linear readout, for which `ncps.torch.LTC` has no place.
    """
    if network.layout.features != network.wiring.sensory or network.layout.outputs is not None:
        raise ValueError(
            "this network has a projection before its sensory nodes or a linear readout, which ncps.torch.LTC has not; make it with "
            "as many features as sensory nodes, and outputs=None"
        )
    module = LTC(
        network.wiring.sensory,
        wiring_to_ncps(network.wiring),
        return_sequences=network.every_step,
        ode_unfolds=network.layout.steps[0],
        implicit_param_constraints=network.positive == "softplus",
    )
    module.to(device=network.gleak.device, dtype=network.gleak.dtype)
    cell = module.rnn_cell
    with torch.no_grad():
        for name in (*_NEURON_FIELDS, *_MAP_FIELDS):
            getattr(cell, name).copy_(getattr(network, name))
        for prefix, (pre, post) in _ends(network).items():
            for name in SYNAPSE_FIELDS:
                getattr(cell, prefix + name)[pre, post] = getattr(network, prefix + name)
    return module


def _ends(network: LiquidNetwork) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Rows and columns of the synapses in the dense matrices, by the prefix of their parameters' names."""
    arrays = {"": network.wiring.synapse_arrays(), "sensory_": network.wiring.sensory_arrays()}
    return {
        prefix: (torch.as_tensor(pre, dtype=torch.long), torch.as_tensor(post, dtype=torch.long))
        for prefix, (pre, post, _) in arrays.items()
    }
