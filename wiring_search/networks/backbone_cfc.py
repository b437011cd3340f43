"""The dense CfC, whose neurons share a small network in front of their gates: what
`ncps.torch.CfC(inputs, 64)` is.

    z  = backbone([x, h])       # linear layers, about 128 units, an activation each; or [x, h]
    h' = the closed form of z   # four heads, linear in z; default, no gate or pure

(Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 2022,
section "Methods"; the closed form itself: `wiring_search.networks.neurons.cfc`.) Everything is
connected with everything, so there is no wiring and nothing to search: this is for models that
exist, in plain torch, with the calls of a `LiquidNetwork`. Mixed memory is that of
`wiring_search.networks.neurons.memory`, form "state".
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from wiring_search.networks import inputs
from wiring_search.networks.identity import Identified
from wiring_search.networks.kernels.layout import require_size
from wiring_search.networks.neurons.cfc import DEFAULT, HEADS, NO_GATE, PURE, closed_form
from wiring_search.networks.neurons.memory import remember
from wiring_search.networks.neurons.parameters import initial_memory

MODES = {"default": DEFAULT, "no_gate": NO_GATE, "pure": PURE}


def lecun_tanh(z: torch.Tensor) -> torch.Tensor:
    """1.7159 tanh(0.666 z), about 1 at 1 (LeCun et al., "Efficient BackProp", 1998)."""
    return 1.7159 * torch.tanh(0.666 * z)


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "silu": functional.silu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "lecun_tanh": lecun_tanh,
}


class BackboneCfC(Identified):
    """A dense CfC.

    Args:
        features: F, the inputs per time step.
        units: The neurons.
        outputs: O of a linear readout; None for the units themselves.
        mode: A name out of MODES.
        activation: A name out of ACTIVATIONS.
        backbone_units: Of each backbone layer.
        backbone_layers: Their number; it may be 0.
        dropout: The share that is dropped in training after every backbone layer but the first.
        mixed_memory: An LSTM whose output is the state from which the neurons start each step.
        every_step: Outputs at each step, or at the last valid one only.
        batch_first, hold_at_zero: As of `LiquidNetwork`.
        seed: Of the initial parameters.

    Its state_dict carries mode, activation and hold_at_zero (see `Identified`).

    Raises ValueError for names that are not known, sizes below 1, and dropout where there is no
    second layer.
    """

    memory_x: nn.Parameter
    memory_h: nn.Parameter
    memory_b: nn.Parameter

    def __init__(
        self,
        features: int,
        units: int,
        outputs: int | None = None,
        *,
        mode: str = "default",
        backbone_units: int = 128,
        backbone_layers: int = 1,
        activation: str = "lecun_tanh",
        dropout: float = 0.0,
        mixed_memory: bool = False,
        every_step: bool = True,
        batch_first: bool = True,
        hold_at_zero: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _require_names(mode, activation)
        _require_sizes(
            {
                "features": features,
                "units": units,
                "outputs": outputs,
                "backbone_units": backbone_units,
            }
        )
        _require_layers(backbone_layers, dropout)
        self.features = features
        self.units = units
        self.outputs = outputs
        self.mode = mode
        self.activation = activation
        self.dropout = dropout
        self.backbone_units = backbone_units
        self.mixed_memory = mixed_memory
        self.every_step = every_step
        self.batch_first = batch_first
        self.hold_at_zero = hold_at_zero
        widths = [features + units, *[backbone_units] * backbone_layers]
        rng = np.random.default_rng(seed)
        self.backbone = nn.ModuleList(
            _linear(rng, a, (b,)) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.heads = _linear(rng, widths[-1], (units,) * len(HEADS[MODES[mode]]))
        if mode == "pure":
            self.w_tau, self.amplitude = (
                nn.Parameter(torch.zeros(units)),
                nn.Parameter(torch.ones(units)),
            )
        if mixed_memory:
            for name, shape in {
                "memory_x": (features,),
                "memory_h": (units,),
                "memory_b": (),
            }.items():
                values = initial_memory(rng, name, (4 * units, *shape))
                self.register_parameter(name, nn.Parameter(_tensor(values)))
        self.readout = nn.Identity() if outputs is None else _linear(rng, units, (outputs,))

    @property
    def state_size(self) -> int:
        """Units and memory cells."""
        return self.units * (1 + self.mixed_memory)

    def forward(
        self,
        x: torch.Tensor | PackedSequence,
        elapsed: inputs.Elapsed = None,
        state: torch.Tensor | None = None,
        lengths: inputs.Lengths = None,
    ) -> tuple[torch.Tensor | PackedSequence, torch.Tensor]:
        """A batch through a whole sequence.

        Args:
            x: (B, T, features), or another form that `LiquidNetwork.forward` takes.
            elapsed: Time since the previous step, ≥ 0: one number or (B, T); 1.0 by default.
            state: (B, units and memory cells), zeros by default.
            lengths: (B,) valid steps of each sample, all by default; the state is held after them.

        Returns:
            Outputs (B, T, outputs) in the form of x, or (B, outputs) without `every_step`, and the
            final state (B, units and memory cells).

        Raises:
            TypeError: An argument is no tensor where it is to be one.
            ValueError: A dtype, device, shape or value does not fit.
        """
        accepts = inputs.Accepts(
            self.features, self.state_size, self.batch_first, self.hold_at_zero
        )
        given = inputs.read(x, elapsed, state, lengths, accepts, self.heads.weight)
        with inputs.without_autocast(given.x.device):
            return given.in_its_form(*self._run(given.x, given.elapsed[:, :, None], given.state))

    def _run(
        self, x: torch.Tensor, elapsed: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        passes = elapsed > 0
        # Where no time passes the result is thrown away: finite inputs instead of what stands
        # there keep its gradient 0.
        x = torch.where(passes, x, torch.zeros_like(x))
        elapsed = torch.where(passes, elapsed, torch.ones_like(elapsed))
        states = []
        for t in range(x.shape[1]):
            state = torch.where(passes[:, t], self._advance(x[:, t], state, elapsed[:, t]), state)
            if self.every_step:
                states.append(state[:, : self.units])
        shown = torch.stack(states, dim=1) if self.every_step else state[:, : self.units]
        return self.readout(shown), state

    def meaning(self) -> dict[str, Any]:
        """What gives the parameters their meaning, by name."""
        return {name: getattr(self, name) for name in ("mode", "activation", "hold_at_zero")}

    def extra_repr(self) -> str:
        return (
            f"features={self.features}, units={self.units}, outputs={self.outputs}, "
            f"mode={self.mode}, "
            f"activation={self.activation}, dropout={self.dropout}, "
            f"mixed_memory={self.mixed_memory}"
        )

    def _advance(self, x: torch.Tensor, state: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """The state after `elapsed` (B, 1)."""
        h = state[:, : self.units]
        c = state[:, self.units :]
        if self.mixed_memory:
            h, c = remember(
                x,
                h,
                c,
                {"memory_x": self.memory_x, "memory_h": self.memory_h, "memory_b": self.memory_b},
            )
        z = torch.cat([x, h], dim=1)
        for layer, linear in enumerate(self.backbone):
            z = ACTIVATIONS[self.activation](linear(z))
            if layer:
                z = functional.dropout(z, self.dropout, self.training)
        variant = MODES[self.mode]
        head = dict(zip(HEADS[variant], self.heads(z).split(self.units, dim=1), strict=True))
        decay = (self.w_tau, self.amplitude) if variant == PURE else ()
        return torch.cat([closed_form(variant, head, elapsed, *decay), c], dim=1)


def _require_names(mode: str, activation: str) -> None:
    for name, value, known in (("mode", mode, MODES), ("activation", activation, ACTIVATIONS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; give one of {', '.join(known)}")


def _require_sizes(sizes: dict[str, int | None]) -> None:
    for name, value in sizes.items():
        if value is not None:
            require_size(name, value)


def _require_layers(layers: int, dropout: float) -> None:
    if layers < 0:
        raise ValueError(f"backbone_layers is {layers}; give 0 or more")
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout is {dropout}; give a share from 0 to below 1")
    if dropout and layers < 2:
        raise ValueError(
            f"dropout is {dropout}, but acts behind the second and later backbone layers only, and "
            f"there are {layers}; give "
            "backbone_layers=2 or more, or dropout=0"
        )


def _linear(rng: np.random.Generator, inputs: int, blocks: tuple[int, ...]) -> nn.Linear:
    """Blocks of outputs, each initialised as if it stood alone: Xavier-uniform weights, biases
    0."""
    linear = nn.utils.skip_init(nn.Linear, inputs, sum(blocks))
    weights = [
        rng.uniform(-1.0, 1.0, (outputs, inputs)) * (6.0 / (inputs + outputs)) ** 0.5
        for outputs in blocks
    ]
    with torch.no_grad():
        linear.weight.copy_(_tensor(np.concatenate(weights)))
        linear.bias.zero_()
    return linear


def _tensor(values: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(values.astype(np.float32))
    return tensor.to(torch.get_default_device(), torch.get_default_dtype())
