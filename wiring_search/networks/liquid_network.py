"""One liquid network for users: a wiring with LTC or other neurons as a torch module, run by the
fused kernel.

    wiring = ncp(sensory=8, inter=12, command=6, motor=4, …)
    net = LiquidNetwork(wiring, outputs=10, every_step=False)
    logits, state = net(x)                      # x: (batch, time, features)

Between the features and the sensory nodes stands an affine map, or a learned projection where their
numbers differ; behind the motor neurons an affine map, or a linear readout where `outputs` is
given. Parameters have the names of the layout (`wiring_search.networks.kernels.layout`), one entry
a synapse: nothing is masked, so an optimiser never touches a synapse that is not there.
"""

import json
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wiring_search.networks.kernels import autograd
from wiring_search.networks.kernels.layout import PackLayout, kind_of
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.parameters import initial_parameters, inverse_softplus
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS, has_steps
from wiring_search.wirings.wiring import Wiring


class LiquidNetwork(nn.Module):
    """A liquid network as a torch module.

    Args:
        wiring: The graph.
        features: F of the input; the wiring's sensory nodes by default.
        outputs: O of the readout; None for the motor neurons.
        neuron: A name as in `wirings.kinds.KINDS`.
        solver: One of the neuron's solvers; its usual one by default.
        steps: Sub-steps per time step. The closed form has none.
        memory: "none", "state" or "input".
        every_step: Outputs at each step, or at the last valid one only.
        positive: How conductances and capacitances stay positive: "softplus" of the stored value,
            or "clip", where you call `clip_parameters()` after each optimiser step (the two
            `implicit_param_constraints` of `ncps.torch.LTC`).
        gradient: "bptt", back-propagation through the solver's steps, or "adjoint", the gradient of
            the differential equation, for explicit solvers (`kernels.adjoint`).
        use_reference: Run the plain torch reference. Float64 and other devices always do.
        seed: Of the initial parameters.

    Its state_dict carries, beside the parameters, what gives them their meaning: wiring, neuron,
    solver, steps, memory, positive (one uint8 tensor, `_extra_state`). `load_state_dict` raises
    ValueError where it has another, before any parameter is changed. A state_dict without it, saved
    before there was one or made of `named_parameters()`, loads by names and shapes alone: so the
    weights of another solver are taken on purpose (or by `solver_choice.with_solver`).

    Raises ValueError for names that are not known, and for the adjoint of neurons and solvers that
    have none.
    """

    # Registered by name, as the neuron and the memory have them.
    memory_x: nn.Parameter
    memory_h: nn.Parameter
    memory_b: nn.Parameter
    output_w: nn.Parameter
    output_b: nn.Parameter
    w_tau: nn.Parameter
    amplitude: nn.Parameter

    def __init__(
        self,
        wiring: Wiring,
        features: int | None = None,
        outputs: int | None = None,
        *,
        neuron: str = "ltc",
        solver: str | None = None,
        steps: int = 6,
        memory: str = "none",
        every_step: bool = True,
        positive: Literal["softplus", "clip"] = "softplus",
        gradient: Literal["bptt", "adjoint"] = "bptt",
        use_reference: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if positive not in ("softplus", "clip"):
            raise ValueError(f'positive is {positive!r}; give "softplus" or "clip"')
        self.wiring = wiring
        self.every_step = every_step
        self.positive = positive
        self.use_reference = use_reference
        solver = solver or KINDS[neuron].usual_solver
        chosen = Candidate(
            wiring,
            neuron,
            solver,
            steps if has_steps(solver) else 0,
            memory,
            seed=seed,
            gradient=gradient,
        )
        features = wiring.sensory if features is None else features
        self.layout = PackLayout((wiring,), (chosen.steps,), features, outputs, kind_of(chosen))
        for name, value in initial_parameters(
            neuron, self.layout.shapes[0], self.layout.connections[0], seed
        ).items():
            start = torch.from_numpy(value)
            if positive == "softplus" and name in NEURONS[neuron].positive:
                start = inverse_softplus(start)
            self.register_parameter(name, nn.Parameter(start))
        self.register_load_state_dict_pre_hook(_require_same_meaning)

    def forward(
        self,
        x: torch.Tensor,
        elapsed: torch.Tensor | float | None = None,
        state: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch through a whole sequence.

        Args:
            x: (batch, time, features).
            elapsed: Time since the previous step, one number or (batch, time), ≥ 0, 1.0 by default.
                Where it is 0 the state is held and x has no effect.
            state: (batch, neurons and memory cells), zeros by default.
            lengths: (batch,) valid steps of each sample, all by default; the state is held after
                them.

        Returns:
            Outputs (batch, time, outputs), or (batch, outputs) without `every_step`, and the final
            state (batch, neurons and memory cells).

        Raises:
            ValueError: Shapes or values do not fit.
        """
        require_features(x, self.layout.features)
        elapsed = elapsed_of(x, elapsed, lengths)
        state = state_of(x, state, self.layout.state_size)
        values = [getattr(self, name) for name in self.layout.shapes[0]]
        fits = not self.use_reference and autograd.can_fuse((x, elapsed, state, *values))
        kernel = autograd.fused if fits else autograd.by_reference
        y, final = kernel(
            self.layout, values, self.positive == "softplus", x, elapsed, state, self.every_step
        )
        return (y[0] if self.every_step else y[0, :, 0]), final

    def clip_parameters(self) -> None:
        """With positive="clip": set negative conductances and capacitances to zero, in place."""
        with torch.no_grad():
            for name in NEURONS[self.layout.kind.neuron].positive:
                getattr(self, name).clamp_(min=0.0)

    def effective(self) -> dict[str, torch.Tensor]:
        """The parameters by name as the dynamics sees them, positive where they must be."""
        soft = NEURONS[self.layout.kind.neuron].positive if self.positive == "softplus" else ()
        return {
            name: functional.softplus(value) if name in soft else value
            for name, value in self.named_parameters()
        }

    def get_extra_state(self) -> torch.Tensor:
        """What gives the parameters their meaning, as JSON in a uint8 tensor, which every format of
        weights can keep."""
        return torch.tensor(list(json.dumps(self._meaning()).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Nothing to set: `_require_same_meaning` has compared it."""

    def _meaning(self) -> dict[str, Any]:
        kind = self.layout.kind
        return {
            "wiring": self.wiring.wiring_id,
            "neuron": kind.neuron,
            "solver": kind.solver,
            "steps": self.layout.steps[0],
            "memory": kind.memory,
            "positive": self.positive,
        }

    def extra_repr(self) -> str:
        w = self.wiring
        return (
            f"sensory={w.sensory}, inter={w.inter}, command={w.command}, motor={w.motor}, "
            f"synapses={w.synapse_count}, {', '.join(self.layout.kind)}, "
            f"steps={self.layout.steps[0]}"
        )


def _require_same_meaning(
    network: LiquidNetwork, state_dict: dict[str, Any], prefix: str, *_: Any
) -> None:
    """Raises ValueError where a state_dict is of another network than this; see `LiquidNetwork`."""
    given = state_dict.setdefault(f"{prefix}_extra_state", network.get_extra_state())
    theirs = json.loads(bytes(given.tolist()))
    ours = network._meaning()
    differing = [name for name in ours if theirs.get(name) != ours[name]]
    if differing:
        there, here = (
            ", ".join(f"{name} {values.get(name)!r}" for name in differing)
            for values in (theirs, ours)
        )
        raise ValueError(
            f"this state_dict is of a network with {there}; this network has {here}. Load it into "
            "a network like the one "
            "that it was saved from, or load dict(saved.named_parameters()) to take its parameters "
            "by name all the same"
        )


def network_of(
    candidate: Candidate,
    features: int,
    outputs: int | None,
    weights: np.ndarray,
    every_step: bool = True,
) -> LiquidNetwork:
    """The candidate's network with stored parameters.

    Args:
        candidate: What the network is.
        features: F of the input.
        outputs: O of the readout; None for the motor neurons.
        weights: Flat parameters, as `Pack.weights` gives them.
        every_step: Outputs at each step, or at the last valid one only.
    """
    network = fresh_network_of(candidate, features, outputs, every_step=every_step)
    with torch.no_grad():
        for name, index in network.layout.slices[0].items():
            parameter = network.get_parameter(name)
            parameter.copy_(torch.from_numpy(weights[index]).view_as(parameter))
    return network


def fresh_network_of(
    candidate: Candidate, features: int, outputs: int | None, **others: Any
) -> LiquidNetwork:
    """The candidate's network with the initial parameters of its seed.

    Args:
        candidate: What the network is.
        features: F of the input.
        outputs: O of the readout; None for the motor neurons.
        **others: Further arguments of `LiquidNetwork`.
    """
    dynamics = {
        name: getattr(candidate, name)
        for name in ("neuron", "solver", "steps", "memory", "gradient", "seed")
    }
    return LiquidNetwork(candidate.wiring, features, outputs, **dynamics, **others)


def require_features(x: torch.Tensor, features: int) -> None:
    """Raises ValueError where x is not (batch, time, features), or has nothing in it."""
    if x.ndim != 3 or x.shape[2] != features or 0 in x.shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; give (batch, time, {features}), none of them 0"
        )


def state_of(x: torch.Tensor, state: torch.Tensor | None, size: int) -> torch.Tensor:
    """The state to start from: what is given, or zeros.

    Args:
        x: (batch, time, features).
        state: (batch, size), or None.
        size: Of one sample's state.

    Returns:
        (batch, size).

    Raises:
        ValueError: The state has another shape.
    """
    shape = len(x), size
    if state is None:
        return x.new_zeros(shape)
    if tuple(state.shape) != shape:
        raise ValueError(
            f"state has shape {tuple(state.shape)}; give (batch, neurons and memory cells) = "
            f"{shape}"
        )
    return state


def elapsed_of(
    x: torch.Tensor, elapsed: torch.Tensor | float | None, lengths: torch.Tensor | None
) -> torch.Tensor:
    """Time since the previous step, in the dtype of x; 0 after the end of a sample.

    Args:
        x: (batch, time, features).
        elapsed: One number or (batch, time), ≥ 0, 1.0 by default.
        lengths: (batch,) valid steps of each sample, all by default.

    Returns:
        (batch, time).

    Raises:
        ValueError: Shapes or values do not fit.
    """
    shape = x.shape[:2]
    if elapsed is None and lengths is None:
        return x.new_ones(shape)
    if elapsed is None:
        elapsed = 1.0
    if not isinstance(elapsed, torch.Tensor):
        elapsed = x.new_full(shape, float(elapsed))
    if elapsed.shape != shape:
        raise ValueError(
            f"elapsed has shape {tuple(elapsed.shape)}; give one number or (batch, time) = "
            f"{tuple(shape)}"
        )
    elapsed = elapsed.to(x.dtype)
    if not bool((elapsed >= 0).all()):
        raise ValueError(
            "elapsed has a negative or NaN entry; times since the previous step are 0 or more"
        )
    if lengths is None:
        return elapsed
    if lengths.shape != shape[:1] or not bool(((lengths >= 0) & (lengths <= shape[1])).all()):
        raise ValueError(
            f"lengths are {lengths.tolist()}; give one a sample, each from 0 to {shape[1]} (the "
            "time steps of x)"
        )
    valid = torch.arange(shape[1], device=x.device) < lengths[:, None]
    return torch.where(valid, elapsed, torch.zeros_like(elapsed))
