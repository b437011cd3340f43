"""How a pack lies in flat arrays.

A pack is a row of candidates with different wirings and one kind of neuron, solver, memory and
gradient (`Kind`). Nothing is padded: synapses are edge lists, one candidate after the other, and
every candidate owns one contiguous block of the flat parameter vector:

    neurons and synapses | memory_x memory_h memory_b | input_w input_b | output_w output_b
    (`neurons.ltc` …)    | mixed memory               | input map       | readout

so a candidate's numbers, its optimiser state and its checkpoint are slices, and repacking is
concatenation. Synapses are sorted by (post, pre), the wiring's canonical order: the forward pass
walks them by row of equal `post`; a second index lists them by `pre` for the backward pass.

The input map is affine, one weight and bias a feature (as in the `ncps` package), where the wiring
has as many sensory nodes as the data has features, and a learned linear projection otherwise; with
the memory in front ("input") there is none, the memory's cells are the sensory values. The readout
is linear, outputs × motor neurons, or affine, one weight and bias a motor neuron, where no number
of outputs is asked for. A candidate's state is its neurons' states, then its memory's cells.
"""

import base64
import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.connections import Connections
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import MEMORIES
from wiring_search.wirings.wiring import Wiring


class Kind(NamedTuple):
    """What all candidates of a pack have in common; see `candidate.Candidate`."""

    neuron: str = "ltc"
    solver: str = "semi-implicit"
    memory: str = "none"
    gradient: str = "bptt"


def kind_of(candidate: Candidate) -> Kind:
    return Kind(candidate.neuron, candidate.solver, candidate.memory, candidate.gradient)


# One record a candidate: its sizes, what the compiled kernels branch on, where its slices start.
CANDIDATE = np.dtype(
    [
        (name, np.int64)
        for name in (
            "neurons end_last end_second motors sensory synapses sensory_synapses cells outputs "
            "steps stages variant "  # sizes
            "memory projected linear adjoint "  # which form of memory; three flags, 1 or 0
            # offsets in the candidate's block, and its length
            "at_memory at_input at_output parameters "
            "at_params at_state at_row at_edge at_sensory_edge"  # offsets in the pack
        ).split()
    ]
)


class EdgeLists(NamedTuple):
    """The flat index arrays that the compiled kernels read.

    `row[at_row + i] … row[at_row + i + 1]`: the synapses onto neuron i, counted from the
    candidate's first synapse; `pre`: where they come from. `out_row`, `out_edge`, `out_post`: the
    synapses that leave a neuron, which they are, and where they go.
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
    """Where each candidate's numbers lie in a pack's flat arrays.

    Attributes:
        wirings: One per candidate.
        steps: Sub-steps per time step, one per candidate.
        features: F of the shared input.
        outputs: O of every readout; None for affine motors.
        kind: That of all candidates.

    Raises ValueError where features or outputs are no whole number of 1 or more, the lists differ
    in length, the pack is empty, or an affine readout meets wirings with different numbers of motor
    neurons.
    """

    wirings: tuple[Wiring, ...]
    steps: tuple[int, ...]
    features: int
    outputs: int | None = None
    kind: Kind = Kind()

    def __post_init__(self) -> None:
        require_size("features", self.features)
        if self.outputs is not None:
            require_size("outputs", self.outputs)
        if not self.wirings:
            raise ValueError("a pack needs at least one wiring; got none")
        if len(self.wirings) != len(self.steps):
            raise ValueError(
                f"{len(self.wirings)} wirings but {len(self.steps)} step counts; give one to each "
                "wiring"
            )
        motors = {wiring.motor for wiring in self.wirings}
        if self.outputs is None and len(motors) > 1:
            raise ValueError(
                f"motor neurons differ in this pack ({sorted(motors)}); give `outputs` so that "
                "each candidate has a linear readout"
            )

    @cached_property
    def text(self) -> str:
        """All of this layout in ASCII letters, compressed; `from_text` reads it."""
        wirings = [wiring.to_json() for wiring in self.wirings]
        content = [wirings, self.steps, self.features, self.outputs, self.kind]
        # Sizes may be numbers of numpy.
        packed = zlib.compress(json.dumps(content, separators=(",", ":"), default=int).encode(), 9)
        return base64.b64encode(packed).decode()

    def complete(self) -> "PackLayout":
        """This layout with everything computed that torch's compiler would read: it cannot compute
        it."""
        for name, made in vars(type(self)).items():
            if isinstance(made, cached_property):
                getattr(self, name)
        return self

    @classmethod
    def from_text(cls, text: str) -> "PackLayout":
        """The inverse of `text`."""
        wirings, steps, features, outputs, kind = json.loads(
            zlib.decompress(base64.b64decode(text))
        )
        made = tuple(Wiring.from_json(wiring) for wiring in wirings)
        return cls(made, tuple(steps), features, outputs, Kind(*kind))

    @property
    def size(self) -> int:
        return len(self.wirings)

    @property
    def output_size(self) -> int:
        return self.wirings[0].motor if self.outputs is None else self.outputs

    @cached_property
    def shapes(self) -> tuple[dict[str, tuple[int, ...]], ...]:
        """The parameters of every candidate by name, in the order of its block, with their
        shapes."""
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
        return tuple(
            slice(next(iter(block.values())).start, block["output_b"].stop) for block in self.slices
        )

    @cached_property
    def states(self) -> tuple[slice, ...]:
        """Where each candidate's neurons and memory cells lie in a state vector `(B, states of all
        candidates)`."""
        sizes = [wiring.neurons + self.cells(wiring) for wiring in self.wirings]
        ends = np.cumsum(sizes)
        return tuple(
            slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)
        )

    def cells(self, wiring: Wiring) -> int:
        """Memory cells of a candidate: one a neuron whose state they give, or one a sensory node
        whose value they are."""
        return {"none": 0, "state": wiring.neurons, "input": wiring.sensory}[self.kind.memory]

    @cached_property
    def positive(self) -> np.ndarray:
        """(parameters,) bool: what must stay positive, such as conductances and time constants."""
        flags = np.zeros(self.parameters, bool)
        for block in self.slices:
            for name in NEURONS[self.kind.neuron].positive:
                flags[block[name]] = True
        return flags

    @cached_property
    def pinned(self) -> np.ndarray:
        """(parameters,) bool: zeros that are no parameters, where a layered CfC has a gate but no
        synapse."""
        flags = np.zeros(self.parameters, bool)
        for block, connections in zip(self.slices, self.connections, strict=True):
            for name, gate_only in connections.pinned().items():
                flags[block[name]] = gate_only
        return flags

    @cached_property
    def connections(self) -> tuple[Connections, ...]:
        """The edge lists of every candidate: its synapses, or what its kind of neuron makes of
        them."""
        return tuple(NEURONS[self.kind.neuron].connections(wiring) for wiring in self.wirings)

    @property
    def parameters(self) -> int:
        return self.blocks[-1].stop

    def true_parameters(self, p: int) -> int:
        """What candidate p trains: its block without the pinned zeros."""
        return int((~self.pinned[self.blocks[p]]).sum())

    def synapses(self, p: int) -> int:
        """Connections of candidate p, each counted once however many numbers it has: between
        neurons, from sensory nodes, and those of a dense memory, from every feature and neuron to
        every cell."""
        made, cells = self.connections[p], self.cells(self.wirings[p])
        return (
            len(made.pre)
            + len(made.sensory_pre)
            + cells * (self.features + self.wirings[p].neurons)
        )

    @property
    def state_size(self) -> int:
        return self.states[-1].stop

    @cached_property
    def updates(self) -> int:
        """Synapse updates of one sample in one time step, summed over all candidates."""
        table = self.edges.table
        return int(
            (table["synapses"] * table["steps"] * table["stages"] + table["sensory_synapses"]).sum()
        )

    @cached_property
    def edges(self) -> EdgeLists:
        """The index arrays for the compiled kernels."""
        made = self.connections
        out = [np.argsort(c.pre, kind="stable") for c in made]
        neurons = [wiring.neurons for wiring in self.wirings]
        return EdgeLists(
            table=self._table(),
            row=_joined(_row_starts(c.post, n) for c, n in zip(made, neurons, strict=True)),
            pre=_joined(c.pre for c in made),
            out_row=_joined(_row_starts(c.pre, n) for c, n in zip(made, neurons, strict=True)),
            out_edge=_joined(out),
            out_post=_joined(c.post[edges] for c, edges in zip(made, out, strict=True)),
            sensory_row=_joined(
                _row_starts(c.sensory_post, n) for c, n in zip(made, neurons, strict=True)
            ),
            sensory_pre=_joined(c.sensory_pre for c in made),
        )

    def _shapes(self, wiring: Wiring) -> dict[str, tuple[int, ...]]:
        n, sensory, motors, cells = wiring.neurons, wiring.sensory, wiring.motor, self.cells(wiring)
        neuron = NEURONS[self.kind.neuron]
        shapes = neuron.shapes(neuron.connections(wiring))
        if cells:
            shapes |= {
                "memory_x": (4 * cells, self.features),
                "memory_h": (4 * cells, n),
                "memory_b": (4 * cells,),
            }
        if self.kind.memory != "input":
            shapes["input_w"] = (sensory, self.features) if sensory != self.features else (sensory,)
            shapes["input_b"] = (sensory,)
        shapes["output_w"] = (motors,) if self.outputs is None else (self.outputs, motors)
        shapes["output_b"] = (self.output_size,)
        return shapes

    def _table(self) -> np.ndarray:
        table = np.zeros(self.size, CANDIDATE)
        row = edge = sensory_edge = 0
        for p, (wiring, made, record) in enumerate(
            zip(self.wirings, self.connections, table, strict=True)
        ):
            record["neurons"], record["motors"], record["sensory"] = (
                wiring.neurons,
                wiring.motor,
                wiring.sensory,
            )
            record["end_last"], record["end_second"] = made.layer_ends[:2]
            record["synapses"], record["sensory_synapses"] = len(made.pre), len(made.sensory_pre)
            record["cells"], record["memory"] = self.cells(wiring), MEMORIES.index(self.kind.memory)
            record["outputs"], record["steps"] = self.output_size, max(self.steps[p], 1)
            record["variant"] = NEURONS[self.kind.neuron].variant
            record["stages"] = (
                TABLEAUX[self.kind.solver].stages if self.kind.solver in TABLEAUX else 1
            )
            record["adjoint"] = self.kind.gradient == "adjoint"
            record["projected"], record["linear"] = (
                wiring.sensory != self.features,
                self.outputs is not None,
            )
            block, starts = self.blocks[p], self.slices[p]
            record["at_params"], record["at_state"] = block.start, self.states[p].start
            for name, first in (
                ("at_memory", "memory_x"),
                ("at_input", "input_w"),
                ("at_output", "output_w"),
            ):
                record[name] = starts[first].start - block.start if first in starts else -1
            record["parameters"] = block.stop - block.start
            record["at_row"], record["at_edge"], record["at_sensory_edge"] = row, edge, sensory_edge
            row += wiring.neurons + 1
            edge += len(made.pre)
            sensory_edge += len(made.sensory_pre)
        return table


def require_size(name: str, size: int) -> None:
    """Raises ValueError where a size is no whole number of 1 or more."""
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if not whole or size < 1:
        raise ValueError(f"{name} is {size!r}; give 1 or more, a whole number")


def _row_starts(ends: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(np.bincount(ends, minlength=n))))


def _joined(parts) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.int32) for part in parts])
