"""How a pack lies in flat arrays.

A pack is a row of candidates with different wirings. Nothing is padded: synapses are edge lists, one candidate after
the other, and every candidate owns one contiguous block of the flat parameter vector:

    gleak vleak cm | w mu sigma erev | sensory_w sensory_mu sensory_sigma sensory_erev | input_w input_b | output_w output_b
    3·neurons      | 4·synapses      | 4·sensory synapses                              | input map       | readout

so a candidate's numbers, its optimiser state and its checkpoint are slices, and repacking is concatenation. Synapses
keep the wiring's canonical order, sorted by (post, pre): the forward pass walks them by row of equal `post`; a second
index lists them by `pre` for the backward pass.

The input map is affine, one weight and bias a feature (as in the `ncps` package), where the wiring has as many
sensory nodes as the data has features, and a learned linear projection otherwise. The readout is linear, outputs ×
motor neurons, or affine, one weight and bias a motor neuron, where no number of outputs is asked for.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from wiring_search.neurons.ltc import POSITIVE
from wiring_search.wiring import Wiring

SYNAPSE_FIELDS = ("w", "mu", "sigma", "erev")

# One record a candidate: its sizes, whether its input map is a projection and its readout linear, where its slices start.
CANDIDATE = np.dtype(
    [
        (name, np.int64)
        for name in (
            "neurons motors sensory synapses sensory_synapses outputs steps projected linear "  # sizes; two flags, 1 or 0
            "at_params at_state at_row at_edge at_sensory_edge"  # offsets
        ).split()
    ]
)


class EdgeLists(NamedTuple):
    """The flat index arrays that the compiled kernels read.

    `row[at_row + i] … row[at_row + i + 1]`: the synapses onto neuron i, counted from the candidate's first synapse;
    `pre`: where they come from. `out_row`, `out_edge`, `out_post`: the synapses that leave a neuron, which they are,
    and where they go.
    """

    table: np.ndarray
    row: np.ndarray
    pre: np.ndarray
    out_row: np.ndarray
    out_edge: np.ndarray
    out_post: np.ndarray
    sensory_row: np.ndarray
    sensory_pre: np.ndarray


@dataclass(frozen=True, eq=False)
class PackLayout:
    """wirings, steps: one a candidate. features: F of the shared input. outputs: O of every readout, None for affine
    motors.

    Raises ValueError where the lists differ in length, the pack is empty, or an affine readout meets wirings with
    different numbers of motor neurons.
    """

    wirings: tuple[Wiring, ...]
    steps: tuple[int, ...]
    features: int
    outputs: int | None = None

    def __post_init__(self) -> None:
        if not self.wirings:
            raise ValueError("a pack needs at least one wiring; got none")
        if len(self.wirings) != len(self.steps):
            raise ValueError(f"{len(self.wirings)} wirings but {len(self.steps)} step counts; give one to each wiring")
        motors = {wiring.motor for wiring in self.wirings}
        if self.outputs is None and len(motors) > 1:
            raise ValueError(
                f"motor neurons differ in this pack ({sorted(motors)}); give `outputs` so that each candidate has a linear readout"
            )

    @property
    def size(self) -> int:
        return len(self.wirings)

    @property
    def output_size(self) -> int:
        return self.wirings[0].motor if self.outputs is None else self.outputs

    @cached_property
    def shapes(self) -> tuple[dict[str, tuple[int, ...]], ...]:
        """The parameters of every candidate by name, in the order of its block, with their shapes."""
        return tuple(self._shapes(wiring) for wiring in self.wirings)

    @cached_property
    def slices(self) -> tuple[dict[str, slice], ...]:
        """Where each parameter of each candidate lies in the flat vector."""
        result, start = [], 0
        for shapes in self.shapes:
            block = {}
            for name, shape in shapes.items():
                block[name] = slice(start, start + int(np.prod(shape)))
                start = block[name].stop
            result.append(block)
        return tuple(result)

    @cached_property
    def blocks(self) -> tuple[slice, ...]:
        """Where each candidate's parameters lie in the flat vector."""
        return tuple(slice(block["gleak"].start, block["output_b"].stop) for block in self.slices)

    @cached_property
    def states(self) -> tuple[slice, ...]:
        """Where each candidate's neurons lie in a state vector `(B, neurons of all candidates)`."""
        ends = np.cumsum([wiring.neurons for wiring in self.wirings])
        return tuple(slice(int(end) - wiring.neurons, int(end)) for end, wiring in zip(ends, self.wirings, strict=True))

    @cached_property
    def positive(self) -> np.ndarray:
        """(parameters,) bool: conductances and capacitances."""
        flags = np.zeros(self.parameters, bool)
        for block in self.slices:
            for name in POSITIVE:
                flags[block[name]] = True
        return flags

    @property
    def parameters(self) -> int:
        return self.blocks[-1].stop

    @property
    def neurons(self) -> int:
        return self.states[-1].stop

    @cached_property
    def edges(self) -> EdgeLists:
        """The index arrays for the compiled kernels."""
        inner = [wiring.synapse_arrays() for wiring in self.wirings]
        sensory = [wiring.sensory_arrays() for wiring in self.wirings]
        out = [np.argsort(pre, kind="stable") for pre, _, _ in inner]
        neurons = [wiring.neurons for wiring in self.wirings]
        return EdgeLists(
            table=self._table(),
            row=_joined(_row_starts(post, n) for (_, post, _), n in zip(inner, neurons, strict=True)),
            pre=_joined(pre for pre, _, _ in inner),
            out_row=_joined(_row_starts(pre, n) for (pre, _, _), n in zip(inner, neurons, strict=True)),
            out_edge=_joined(out),
            out_post=_joined(post[edges] for (_, post, _), edges in zip(inner, out, strict=True)),
            sensory_row=_joined(_row_starts(post, n) for (_, post, _), n in zip(sensory, neurons, strict=True)),
            sensory_pre=_joined(pre for pre, _, _ in sensory),
        )

    def _shapes(self, wiring: Wiring) -> dict[str, tuple[int, ...]]:
        n, sensory, motors = wiring.neurons, wiring.sensory, wiring.motor
        inner = (len(wiring.synapses),)
        outer = (len(wiring.sensory_synapses),)
        projected = sensory != self.features
        return {
            **{name: (n,) for name in ("gleak", "vleak", "cm")},
            **{name: inner for name in SYNAPSE_FIELDS},
            **{f"sensory_{name}": outer for name in SYNAPSE_FIELDS},
            "input_w": (sensory, self.features) if projected else (sensory,),
            "input_b": (sensory,),
            "output_w": (motors,) if self.outputs is None else (self.outputs, motors),
            "output_b": (self.output_size,),
        }

    def _table(self) -> np.ndarray:
        table = np.zeros(self.size, CANDIDATE)
        row = edge = sensory_edge = 0
        for p, (wiring, record) in enumerate(zip(self.wirings, table, strict=True)):
            record["neurons"], record["motors"], record["sensory"] = wiring.neurons, wiring.motor, wiring.sensory
            record["synapses"], record["sensory_synapses"] = len(wiring.synapses), len(wiring.sensory_synapses)
            record["outputs"], record["steps"] = self.output_size, self.steps[p]
            record["projected"], record["linear"] = wiring.sensory != self.features, self.outputs is not None
            record["at_params"], record["at_state"] = self.blocks[p].start, self.states[p].start
            record["at_row"], record["at_edge"], record["at_sensory_edge"] = row, edge, sensory_edge
            row += wiring.neurons + 1
            edge += len(wiring.synapses)
            sensory_edge += len(wiring.sensory_synapses)
        return table


def _row_starts(ends: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(np.bincount(ends, minlength=n))))


def _joined(parts) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.int32) for part in parts])
