"""One LTC network as its users have it: that of the `ncps` package, or dense matrices of one's own
where that is not installed."""

import torch
from torch.nn.functional import softplus

from wiring_search.networks.neurons.ltc import EPSILON, INITIAL_RANGES
from wiring_search.wirings.wiring import Wiring

Tensor = torch.Tensor


def usual_network(wiring: Wiring, unfolds: int) -> tuple[torch.nn.Module, str]:
    """`ncps` where it can be imported, else its arithmetic; and which it is."""
    try:
        from ncps.torch import LTC
        from ncps.wirings import Wiring as NcpsWiring
    except ImportError:
        return DenseLTC(
            wiring, unfolds
        ), "there is no ncps here: a dense masked LTC of its arithmetic, benchmarks/dense_ltc.py"
    theirs = NcpsWiring(wiring.neurons)
    theirs.build(wiring.sensory)
    theirs.set_output_dim(wiring.motor)
    for synapse in wiring.synapses:
        theirs.add_synapse(*synapse)
    for synapse in wiring.sensory_synapses:
        theirs.add_sensory_synapse(*synapse)
    return LTC(wiring.sensory, theirs, ode_unfolds=unfolds), "ncps.torch.LTC"


class DenseLTC(torch.nn.Module):
    """Dense matrices (source, neuron) under masks, a loop over time steps and unfolds, gradients by
    autograd.

    The arithmetic of `ncps.torch.LTC`, in as many operations; parameters and masks have the names
    and shapes that they have in its cell.
    """

    def __init__(self, wiring: Wiring, unfolds: int) -> None:
        super().__init__()
        self.motors, self.unfolds = wiring.motor, unfolds
        shapes = dict.fromkeys(("gleak", "vleak", "cm"), (wiring.neurons,))
        for prefix, sources, synapses in (
            ("", wiring.neurons, wiring.synapse_arrays()),
            ("sensory_", wiring.sensory, wiring.sensory_arrays()),
        ):
            pre, post, polarity = (torch.from_numpy(array).long() for array in synapses)
            erev = torch.zeros(sources, wiring.neurons)
            erev[pre, post] = polarity.float()
            self.register_buffer(f"{prefix}sparsity_mask", erev.abs())
            self.register_parameter(f"{prefix}erev", torch.nn.Parameter(erev))
            shapes |= dict.fromkeys(
                (f"{prefix}w", f"{prefix}mu", f"{prefix}sigma"), tuple(erev.shape)
            )
        for name, shape in shapes.items():
            values = torch.empty(shape).uniform_(*INITIAL_RANGES[name.removeprefix("sensory_")])
            self.register_parameter(name, torch.nn.Parameter(values))
        for name, size in (("input", wiring.sensory), ("output", wiring.motor)):
            self.register_parameter(f"{name}_w", torch.nn.Parameter(torch.ones(size)))
            self.register_parameter(f"{name}_b", torch.nn.Parameter(torch.zeros(size)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, T, F), one time unit a step. Readouts (B, T, motors) and the final state (B,
        neurons)."""
        v, outputs = x.new_zeros(len(x), len(self.vleak)), []
        for t in range(x.shape[1]):
            v = self._time_step(x[:, t] * self.input_w + self.input_b, v)
            outputs.append(v[:, : self.motors] * self.output_w + self.output_b)
        return torch.stack(outputs, dim=1), v

    def _time_step(self, u: Tensor, v: Tensor) -> Tensor:
        outer_driving, outer_conductance = self._currents(u, softplus(self.sensory_w), "sensory_")
        capacity, w = softplus(self.cm) * self.unfolds, softplus(self.w)
        for _ in range(self.unfolds):
            driving, conductance = self._currents(v, w, "")
            gleak = softplus(self.gleak)
            above = capacity * v + gleak * self.vleak + (driving + outer_driving)
            v = above / (capacity + gleak + (conductance + outer_conductance) + EPSILON)
        return v

    def _currents(self, values: Tensor, w: Tensor, prefix: str) -> tuple[Tensor, Tensor]:
        mu, sigma, erev, mask = (
            getattr(self, prefix + name) for name in ("mu", "sigma", "erev", "sparsity_mask")
        )
        active = w * torch.sigmoid(sigma * (values[:, :, None] - mu)) * mask
        return (active * erev).sum(dim=1), active.sum(dim=1)
