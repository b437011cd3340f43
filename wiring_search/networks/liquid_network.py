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

from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from wiring_search.networks import inputs, time_step
from wiring_search.networks.identity import Identified
from wiring_search.networks.kernels import entry
from wiring_search.networks.kernels.layout import PackLayout, kind_of
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.parameters import initial_parameters, inverse_softplus
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS, has_steps
from wiring_search.wirings.wiring import Wiring


class LiquidNetwork(Identified):
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
        batch_first: Inputs and outputs are (batch, time, …); otherwise (time, batch, …).
        hold_at_zero: Where the elapsed time is 0 the state is held and x has no effect;
            otherwise the neurons take a step of length 0, as a CfC of `ncps` does, whose state
            changes with x even then.
        positive: How conductances and capacitances stay positive: "softplus" of the stored value,
            or "clip", where you call `clip_parameters()` after each optimiser step (the two
            `implicit_param_constraints` of `ncps.torch.LTC`).
        gradient: "bptt", back-propagation through the solver's steps, or "adjoint", the gradient of
            the differential equation, for explicit solvers (`kernels.adjoint`).
        use_reference: Run the plain torch reference. Float64 and other devices always do.
        seed: Of the initial parameters.
        device: Of the parameters; torch's default device by default.
        dtype: Of the parameters; torch's default dtype by default.

    Its state_dict carries, beside the parameters, what gives them their meaning: wiring, neuron,
    solver, steps, memory, positive, hold_at_zero (see `Identified`). `load_state_dict` raises
    ValueError where it has another, also with strict=False. The weights of another solver are taken
    on purpose by `load_state_dict(dict(saved.named_parameters()))` or `solver_choice.with_solver`.

    Raises:
        TypeError: The wiring is no `Wiring`.
        ValueError: A name is not known, a size is below 1, or the neurons and their solver have no
            adjoint.
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
        batch_first: bool = True,
        hold_at_zero: bool = True,
        positive: Literal["softplus", "clip"] = "softplus",
        gradient: Literal["bptt", "adjoint"] = "bptt",
        use_reference: bool = False,
        seed: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(wiring, Wiring):
            raise TypeError(
                f"wiring is of type {type(wiring).__name__}; give a Wiring: of "
                "wirings.topologies, or wirings.ncps_format.from_ncps of one of the ncps package"
            )
        if positive not in ("softplus", "clip"):
            raise ValueError(f'positive is {positive!r}; give "softplus" or "clip"')
        self.wiring = wiring
        self.every_step = every_step
        self.batch_first = batch_first
        self.hold_at_zero = hold_at_zero
        self.positive = positive
        self.use_reference = use_reference
        if solver is None:  # of an unknown neuron the candidate below says so
            solver = KINDS[neuron].usual_solver if neuron in list(KINDS) else ""
        chosen = Candidate(
            wiring,
            neuron,
            solver,
            (int(steps) if isinstance(steps, np.integer) else steps) if has_steps(solver) else 0,
            memory,
            seed=seed,
            gradient=gradient,
        )
        features = wiring.sensory if features is None else features
        self.layout = PackLayout((wiring,), (chosen.steps,), features, outputs, kind_of(chosen))
        self.layout.complete()
        self._short_way = time_step.ShortWay(self.layout, positive == "softplus", hold_at_zero)
        for name, value in initial_parameters(
            neuron, self.layout.shapes[0], self.layout.connections[0], seed
        ).items():
            start = torch.from_numpy(value)
            if positive == "softplus" and name in NEURONS[neuron].positive:
                start = inverse_softplus(start)
            start = start.to(
                device or torch.get_default_device(), dtype or torch.get_default_dtype()
            )
            self.register_parameter(name, nn.Parameter(start))

    def forward(
        self,
        x: torch.Tensor | PackedSequence,
        elapsed: inputs.Elapsed = None,
        state: torch.Tensor | None = None,
        lengths: inputs.Lengths = None,
    ) -> tuple[torch.Tensor | PackedSequence, torch.Tensor]:
        """Run the network through sequences.

        Inputs are of the parameters' dtype and on their device; under autocast they are cast to it.
        Float32 on the CPU runs the fused kernel, all else the reference in plain torch.

        Args:
            x: (batch, time, features), (time, batch, features) without `batch_first`, (time,
                features) for one sample, or a packed sequence. A batch may be empty. NaN goes on
                into outputs and state where time passes.
            elapsed: Time since the previous step, ≥ 0 and finite: one number, or (batch, time) as x
                is, also (batch, time, 1) or packed; 1.0 by default. Where it is 0 the state is held
                and x has no effect, unless `hold_at_zero` is False.
            state: (batch, neurons and memory cells), zeros by default; without the batch for one
                sample.
            lengths: (batch,) whole numbers, valid steps of each sample; later ones are held.

        Returns:
            Outputs (batch, time, outputs) in the form of x, or (batch, outputs) without
            `every_step`; and the final state (batch, neurons and memory cells). Both of the
            parameters' dtype, under autocast too.

        Raises:
            TypeError: An argument is no tensor where it is to be one.
            ValueError: A dtype, device, shape or value does not fit.
        """
        values = [getattr(self, name) for name in self.layout.shapes[0]]
        given = inputs.read(x, elapsed, state, lengths, self.accepts, values[0])
        with inputs.without_autocast(given.x.device):
            y, final = entry.run(
                self.layout,
                values,
                self.positive == "softplus",
                given.x,
                given.elapsed,
                given.state,
                self.every_step,
                self.use_reference,
            )
        return given.in_its_form(y[0] if self.every_step else y[0, :, 0], final)

    def step(
        self,
        x: time_step.Array,
        state: time_step.Array | None = None,
        elapsed: float | torch.Tensor = 1.0,
    ) -> tuple[Any, Any]:
        """One time step without gradients, quick to call: for control loops and simulations.

        Parameters may change between calls. The result is that of the forward pass, bit for bit.

        Args:
            x: (batch, features), or (features,) of one sample: a tensor, or a numpy array.
            state: (batch, neurons and memory cells) as the last step returned it, without the
                batch for one sample; zeros by default.
            elapsed: Time since the previous step, ≥ 0 and finite: one number, or (batch,).

        Returns:
            Outputs (batch, outputs) and the new state, in the form of x.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: A dtype, device, shape or value does not fit.
        """
        if not self.use_reference:
            stored: dict[str, Any] = self._parameters  # getattr takes as long as the whole step
            names = self.layout.shapes[0]
            if parametrize.is_parametrized(self):
                stored = {name: getattr(self, name) for name in names}
            values = [stored[name] for name in names]
            taken = self._short_way.step(values, x, state, elapsed)
            if taken is not None:
                return taken
        return time_step.long_way(self, x, state, elapsed)

    @property
    def accepts(self) -> inputs.Accepts:
        """What `forward` accepts."""
        layout = self.layout
        return inputs.Accepts(
            layout.features, layout.state_size, self.batch_first, self.hold_at_zero
        )

    def __prepare_scriptable__(self) -> NoReturn:
        """`torch.jit.script` calls this first.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            "torch.jit.script cannot compile a LiquidNetwork; give torch.jit.trace(network, x), "
            "torch.export.export(network, (x,)) or torch.compile(network)"
        )

    def clip_parameters(self) -> None:
        """With positive="clip": set negative conductances and capacitances to zero, in place."""
        with torch.no_grad():
            for name in NEURONS[self.layout.kind.neuron].positive:
                value = getattr(self, name)
                if parametrize.is_parametrized(self, name):  # the value is not what is stored
                    setattr(self, name, value.clamp(min=0.0))
                else:
                    value.clamp_(min=0.0)

    def effective(self) -> dict[str, torch.Tensor]:
        """The parameters by name as the dynamics sees them, positive where they must be."""
        soft = NEURONS[self.layout.kind.neuron].positive if self.positive == "softplus" else ()
        values = {name: getattr(self, name) for name in self.layout.shapes[0]}
        return {
            name: functional.softplus(value) if name in soft else value
            for name, value in values.items()
        }

    def meaning(self) -> dict[str, Any]:
        """What gives the parameters their meaning, by name."""
        kind = self.layout.kind
        return {
            "wiring": self.wiring.wiring_id,
            "neuron": kind.neuron,
            "solver": kind.solver,
            "steps": self.layout.steps[0],
            "memory": kind.memory,
            "positive": self.positive,
            "hold_at_zero": self.hold_at_zero,
        }

    def extra_repr(self) -> str:
        w = self.wiring
        return (
            f"sensory={w.sensory}, inter={w.inter}, command={w.command}, motor={w.motor}, "
            f"synapses={w.synapse_count}, {', '.join(self.layout.kind)}, "
            f"steps={self.layout.steps[0]}"
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
    network = fresh_network_of(
        candidate, features, outputs, every_step=every_step, device="cpu", dtype=torch.float32
    )
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
