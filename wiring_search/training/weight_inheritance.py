"""A child's weights before training: its parent's wherever neurons and synapses survive, fresh
initial ones elsewhere.

A parameter belongs to a neuron, a connection, a sensory node (a row of the input map), a motor
neuron (a column of the readout) or memory cells. It is inherited where all that it belongs to is in
the parent, too, and means the same. A synapse whose polarity was flipped keeps its strength: of an
LTC, everything but the reversal potential; of a rate neuron, the absolute weight. Another solver
reads the same weights. Another kind of neuron does not, and inherits nothing.

(Real et al., "Large-scale evolution of image classifiers", ICML 2017, inherit the weights of layers
whose shapes match; where each synapse is an entry of a list, single ones can be.)
"""

from functools import cache

import numpy as np

from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.connections import Connections
from wiring_search.training.pack import initial_weights, layout_of
from wiring_search.training.state import load_state, save_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.mutation import Origins

Parameters = dict[str, np.ndarray]
# Of each axis of each parameter: where its entries come from, by number, −1 from nowhere.
Sources = dict[str, tuple[np.ndarray, ...]]


def inherited_state(
    parent: Candidate,
    parent_state: bytes,
    child: Candidate,
    origins: Origins,
    features: int,
    outputs: int,
) -> bytes:
    """Return a training state for the child, with weights inherited from its parent.

    The optimiser has not made a step. The state can be one of `PackJob.states`.

    Args:
        parent: The parent.
        parent_state: Its `Outcome.state`, of which the weights of the best epoch count.
        child: The child.
        origins: Of the child's nodes in the parent.
        features: F of the task.
        outputs: O of the task.

    Raises:
        ValueError: The state is not this parent's.

    Source:
        After Real et al., "Large-scale evolution of image classifiers", ICML 2017.
    """
    layout = layout_of((child,), features, outputs)
    weights = initial_weights(layout, 0, child.seed)
    if child.neuron == parent.neuron:
        theirs = layout_of((parent,), features, outputs)
        best = load_state(parent_state)["best_weights"]
        if len(best) != theirs.parameters:
            raise ValueError(
                f"parent {parent.candidate_id} has {theirs.parameters} parameters but its state "
                f"has {len(best)}; give the state "
                "that this candidate's training returned"
            )
        _inherit(_by_name(layout, weights), _by_name(theirs, best), layout, theirs, origins)
    zeros = np.zeros_like(weights)
    step = np.zeros(1, np.int64)
    return save_state({"weights": weights, "first": zeros, "second": zeros, "step": step})


def _by_name(layout: PackLayout, flat: np.ndarray) -> Parameters:
    """Views into the block of a pack of one."""
    return {
        name: flat[layout.slices[0][name]].reshape(shape)
        for name, shape in layout.shapes[0].items()
    }


def _inherit(
    child: Parameters, parent: Parameters, layout: PackLayout, theirs: PackLayout, origins: Origins
) -> None:
    """Write into the child's parameters what survives of its parent's."""
    made = layout.connections[0]
    before = theirs.connections[0]
    neurons = _numbers(origins.neurons)
    sensory = _numbers(origins.sensory)
    edges = _surviving((made.pre, made.post), (before.pre, before.post), (neurons, neurons))
    outer = _surviving(
        (made.sensory_pre, made.sensory_post),
        (before.sensory_pre, before.sensory_post),
        (sensory, neurons),
    )
    features = np.arange(layout.features)
    outputs = np.arange(layout.output_size)
    sources: Sources = {
        name: ((neurons, edges, outer)[owner],)
        for name, owner in _owners(layout.kind.neuron).items()
    }
    for name, pinned in made.pinned().items():
        (source,) = sources[name]
        sources[name] = (np.where(pinned | before.pinned()[name][source], -1, source),)
    if layout.kind.memory == theirs.kind.memory != "none":
        gates = _gates(
            neurons if layout.kind.memory == "state" else sensory, theirs.cells(theirs.wirings[0])
        )
        sources |= {
            "memory_x": (gates, features),
            "memory_h": (gates, neurons),
            "memory_b": (gates,),
        }
    if "input_w" in child and "input_w" in parent:
        if child["input_w"].ndim > parent["input_w"].ndim:
            # One weight per feature is a projection, too.
            parent = {**parent, "input_w": np.diag(parent["input_w"])}
        sources |= _of_input_map(child["input_w"].ndim, parent["input_w"].ndim, sensory, features)
    sources |= {"output_w": (outputs, neurons[: layout.wirings[0].motor]), "output_b": (outputs,)}
    for name, axes in sources.items():
        kept = [np.flatnonzero(axis >= 0) for axis in axes]
        child[name][np.ix_(*kept)] = parent[name][
            np.ix_(*(axis[at] for axis, at in zip(axes, kept, strict=True)))
        ]
    for prefix, source, new, known in (
        ("", edges, made.polarity, before.polarity),
        ("sensory_", outer, made.sensory_polarity, before.sensory_polarity),
    ):
        flipped = np.flatnonzero((source >= 0) & (new != known[source]))
        if prefix + "erev" in child:
            child[prefix + "erev"][flipped] = new[flipped]
        elif KINDS[layout.kind.neuron].signed:  # its weights have the signs
            child[prefix + "w"][flipped] = new[flipped] * np.abs(child[prefix + "w"][flipped])


@cache
def _owners(neuron: str) -> dict[str, int]:
    """Return what each parameter of the dynamics belongs to, read off shapes of a small example.

    Returns:
        By name: 0 a neuron, 1 a connection, 2 a connection from a sensory node. The example has one
        neuron, two connections and three from sensory nodes.
    """
    two = np.zeros(2, np.int32)
    three = np.zeros(3, np.int32)
    probe = Connections(1, (1, 1, 1), two, two, two, three, three, three)
    return {name: size - 1 for name, (size,) in NEURONS[neuron].shapes(probe).items()}


def _numbers(origins: tuple[int | None, ...]) -> np.ndarray:
    return np.array([-1 if at is None else at for at in origins], np.int64)


def _surviving(ends: tuple, theirs: tuple, origins: tuple) -> np.ndarray:
    """Of each connection (pre, post), its number among the parent's, sorted by (post, pre); −1
    where there is none."""
    pre, post = (origin[end] for origin, end in zip(origins, ends, strict=True))
    width = 1 + max((int(end.max(initial=0)) for end in (theirs[0], pre)), default=0)
    keys = theirs[1].astype(np.int64) * width + theirs[0]
    wanted = post * width + pre
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    if len(keys):
        return np.where((pre >= 0) & (post >= 0) & (keys[at] == wanted), at, -1)
    return np.full(len(pre), -1)


def _gates(cells: np.ndarray, theirs: int) -> np.ndarray:
    """The same for the four gates of the cells, one after the other; theirs: cells of the
    parent."""
    return np.concatenate([np.where(cells >= 0, cells + gate * theirs, -1) for gate in range(4)])


def _of_input_map(
    projected: int, theirs: int, sensory: np.ndarray, features: np.ndarray
) -> Sources:
    """Dimensions of its weights, now and in the parent: 2 for a projection, 1 where sensory nodes
    are features."""
    if projected == 2:
        return {"input_w": (sensory, features), "input_b": (sensory,)}
    same = np.where(sensory == np.arange(len(sensory)), sensory, -1)
    return {"input_w": (same,), "input_b": (same,)} if theirs == 1 else {}
