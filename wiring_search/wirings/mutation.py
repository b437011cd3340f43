"""Small changes of wirings: one synapse or one neuron at a time, and crossing of two wirings.

The result is always feasible. A move keeps to the pairs of layers that the wiring's family joins
(`joined_roles`: sensory → inter, inter → command, command → command and command → motor in an NCP),
within `Limits`. A move on synapses is not made where it leaves a neuron dead or unreachable or a
sensory node idle. A move on neurons ties up such loose ends by new synapses. `Origins` gives each
neuron its number in the parent, so that weights can follow their synapses.

As in NEAT, crossing matches the neurons that have a common origin (Stanley and Miikkulainen,
"Evolving neural networks through augmenting topologies", Evolutionary Computation 2002). Unlike in
NEAT, networks shrink, too.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, NamedTuple, TypeVar

import numpy as np

from wiring_search.wirings.reachability import bits, reachable, successors
from wiring_search.wirings.wiring import Wiring

Roles = tuple[str, str]  # roles of a synapse's two ends
Node = tuple[
    str, int
]  # role, and place among the parent's nodes of that role; new nodes have places beyond
Pair = tuple[Node, Node]
T = TypeVar("T")

ROLES = ("sensory", "inter", "command", "motor")
FORWARD: tuple[Roles, ...] = (("sensory", "inter"), ("inter", "command"), ("command", "motor"))
RECURRENT: Roles = ("command", "command")
MANY = 1 << 30
# How often each move is tried first. Those that undo each other weigh the same, so that nothing but
# selection drives sizes.
MOVES = {"add": 0.2, "remove": 0.2, "rewire": 0.3, "flip": 0.1, "grow": 0.1, "shrink": 0.1}
_TRIES = 24


@dataclass(frozen=True)
class Limits:
    """The least and the greatest number of nodes of each role, and of neurons in all.

    A wiring outside the limits is accepted. Its moves cannot lead further out.

    Attributes:
        sensory: Sensory nodes, (least, greatest).
        inter: Inter neurons, likewise.
        command: Command neurons, likewise.
        motor: Motor neurons, likewise.
        neurons: All neurons, likewise.
        recurrent: Whether synapses from command to command neurons may be added where there are
            none yet.

    Raises:
        ValueError: A least number exceeds the greatest.
    """

    sensory: tuple[int, int] = (1, MANY)
    inter: tuple[int, int] = (0, MANY)
    command: tuple[int, int] = (0, MANY)
    motor: tuple[int, int] = (1, MANY)
    neurons: tuple[int, int] = (1, MANY)
    recurrent: bool = True

    def __post_init__(self) -> None:
        for name in (*ROLES, "neurons"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(
                    f"{name} has limits {low} to {high}; the least must not exceed the greatest"
                )


class Origins(NamedTuple):
    """The number in the parent of every neuron and every sensory node of a child.

    Attributes:
        neurons: One number per neuron; None where it is new.
        sensory: One number per sensory node; None where it is new.
    """

    neurons: tuple[int | None, ...]
    sensory: tuple[int | None, ...]

    @classmethod
    def same(cls, wiring: Wiring) -> "Origins":
        """The origins of a wiring in itself."""
        return cls(tuple(range(wiring.neurons)), tuple(range(wiring.sensory)))

    def in_turn(self, earlier: "Origins") -> "Origins":
        """The origins in the grandparent.

        Args:
            earlier: The origins of the parent in the grandparent.
        """
        neurons = tuple(None if at is None else earlier.neurons[at] for at in self.neurons)
        return Origins(
            neurons, tuple(None if at is None else earlier.sensory[at] for at in self.sensory)
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes; `from_json` reads it back."""
        return {"neurons": list(self.neurons), "sensory": list(self.sensory)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Origins":
        """The inverse of `to_json`."""
        return cls(tuple(data["neurons"]), tuple(data["sensory"]))


class Child(NamedTuple):
    """A wiring made from another one.

    Attributes:
        wiring: The new wiring.
        moves: The moves made, in order: "add", "remove", "rewire", "flip", "grow inter", "shrink
            command" …
        origins: Where its nodes come from in the parent.
    """

    wiring: Wiring
    moves: tuple[str, ...]
    origins: Origins


def mutate(
    wiring: Wiring,
    limits: Limits,
    rng: np.random.Generator,
    times: int = 1,
    among: Collection[str] = tuple(MOVES),
) -> Child:
    """Make moves out of MOVES, each drawn among those that can be made.

    Args:
        wiring: The parent.
        limits: Bounds of the child's sizes.
        rng: Source of random numbers.
        times: The number of moves.
        among: The moves to draw from; without "flip" where polarities mean nothing.

    Returns:
        The child, with fewer moves than `times` where none can be made.
    """
    names = [name for name in MOVES if name in among]
    weights = np.array([MOVES[name] for name in names])
    draft = _draft(wiring, limits)
    moves = []
    before = _numbers(draft)
    for _ in range(times):
        for k in rng.choice(len(names), len(names), replace=False, p=weights / weights.sum()):
            changed = draft.copied()
            done = _DONE_BY[names[k]](changed, limits, rng)
            if done:
                draft = changed
                moves.append(done)
                break
    return Child(_settled(draft), tuple(moves), _origins(draft, before))


def cross(
    a: Wiring, b: Wiring, limits: Limits, rng: np.random.Generator, alike: Origins | None = None
) -> tuple[Child, Child] | None:
    """Make one wiring out of two.

    Each layer has the nodes that it has in one of the two. Synapses that both have are kept. A
    synapse that only one has is kept by chance, or always where the other lacks one of its ends.
    Only pairs of roles that may be joined in `a` have synapses.

    Args:
        a: The first parent.
        b: The second parent.
        limits: Bounds of the child's sizes.
        rng: Source of random numbers.
        alike: For every neuron and sensory node of b, which of a's it is. Those with None are
            matched by their order in their layers, as all are by default.

    Returns:
        The wiring as a child of `a` and as a child of `b`; None where the two do not go together.
    """
    draft = _draft(a, limits)
    other = _draft(
        b, limits, _matched(a, b, alike or Origins((None,) * b.neurons, (None,) * b.sensory))
    )
    nodes = {role: (draft, other)[rng.integers(2)].nodes[role] for role in ROLES}
    if not limits.neurons[0] <= sum(len(nodes[role]) for role in ROLES[1:]) <= limits.neurons[1]:
        nodes = draft.nodes
    there = _all(nodes)
    both = _all(draft.nodes) & _all(other.nodes)
    mixed = {}
    for pair in dict.fromkeys((*draft.synapses, *other.synapses)):
        if there.issuperset(pair) and _roles(pair) in draft.joined:
            having = [parent.synapses[pair] for parent in (draft, other) if pair in parent.synapses]
            if len(having) == 2 or not both.issuperset(pair) or rng.random() < 0.5:
                mixed[pair] = having[int(rng.random() * len(having))]
    child = _Draft({role: list(found) for role, found in nodes.items()}, mixed, draft.joined, 0)
    if not _tied_up(child, rng):
        return None
    made = _settled(child)
    of_a, of_b = (_origins(child, _numbers(parent)) for parent in (draft, other))
    return Child(made, ("cross",), of_a), Child(made, ("cross",), of_b)


def joined_roles(wiring: Wiring, recurrent: bool) -> frozenset[Roles]:
    """The pairs of roles that may be joined by synapses.

    Args:
        wiring: The graph.
        recurrent: Whether command neurons may be joined to each other.

    Returns:
        With layers: each role to the next, command to command where `recurrent`, and whatever else
        the wiring shows. Without layers: every pair.
    """
    if not (wiring.inter and wiring.command):
        there = [role for role in ROLES if getattr(wiring, role)]
        return frozenset((pre, post) for pre in there for post in there if post != "sensory")
    roles = wiring.roles
    outer = {("sensory", roles[post]) for _, post, _ in wiring.sensory_synapses}
    inner = {(roles[pre], roles[post]) for pre, post, _ in wiring.synapses}
    return frozenset({*FORWARD, *outer, *inner, *([RECURRENT] if recurrent else [])})


def survivors(parent: Wiring, child: Wiring, origins: Origins) -> int:
    """Count the synapses of a child that its parent has, too.

    Args:
        parent: The parent.
        child: The child.
        origins: The child's nodes in the parent.
    """
    inner = {(pre, post) for pre, post, _ in parent.synapses}
    outer = {(pre, post) for pre, post, _ in parent.sensory_synapses}
    neurons, sensory = origins
    found = sum((neurons[pre], neurons[post]) in inner for pre, post, _ in child.synapses)
    return found + sum(
        (sensory[pre], neurons[post]) in outer for pre, post, _ in child.sensory_synapses
    )


@dataclass
class _Draft:
    """A wiring in the making: its nodes by role, the polarities of its synapses by their ends, and
    the pairs of roles that may be joined. fresh: the place of the next new node."""

    nodes: dict[str, list[Node]]
    synapses: dict[Pair, int]
    joined: frozenset[Roles]
    fresh: int

    def copied(self) -> "_Draft":
        nodes = {role: list(found) for role, found in self.nodes.items()}
        return _Draft(nodes, dict(self.synapses), self.joined, self.fresh)

    @property
    def neurons(self) -> int:
        return sum(len(self.nodes[role]) for role in ROLES[1:])


def _draft(wiring: Wiring, limits: Limits, places: dict[str, list[int]] | None = None) -> _Draft:
    """places: what its nodes are called; by default, their places."""
    places = places or {role: list(range(getattr(wiring, role))) for role in ROLES}
    nodes = {role: [(role, index) for index in found] for role, found in places.items()}
    numbered = [*nodes["motor"], *nodes["command"], *nodes["inter"]]
    synapses = {
        (nodes["sensory"][pre], numbered[post]): polarity
        for pre, post, polarity in wiring.sensory_synapses
    }
    synapses |= {
        (numbered[pre], numbered[post]): polarity for pre, post, polarity in wiring.synapses
    }
    return _Draft(
        nodes, synapses, joined_roles(wiring, limits.recurrent), max(map(len, nodes.values()))
    )


def _matched(a: Wiring, b: Wiring, alike: Origins) -> dict[str, list[int]]:
    """The nodes of b by role, called as those of a that they are matched with, or by places
    beyond."""
    indices = {}
    for role in ROLES:
        first, start = (_starts(wiring)[role] for wiring in (a, b))
        known = (alike.sensory if role == "sensory" else alike.neurons)[
            start : start + getattr(b, role)
        ]
        found = [None if at is None else at - first for at in known]
        free = chain(
            (index for index in range(getattr(a, role)) if index not in found),
            count(getattr(a, role)),
        )
        indices[role] = [next(free) if index is None else index for index in found]
    return indices


def _starts(wiring: Wiring) -> dict[str, int]:
    """The number of the first node of each role."""
    return {
        "sensory": 0,
        "motor": 0,
        "command": wiring.motor,
        "inter": wiring.motor + wiring.command,
    }


def _numbers(draft: _Draft) -> dict[Node, int]:
    """What its nodes are called in a wiring: sensory nodes and neurons each from 0."""
    nodes = draft.nodes
    neurons = (*nodes["motor"], *nodes["command"], *nodes["inter"])
    return {
        node: number for found in (nodes["sensory"], neurons) for number, node in enumerate(found)
    }


def _settled(draft: _Draft) -> Wiring:
    number = _numbers(draft)
    synapses = [
        (pre[0], (number[pre], number[post], polarity))
        for (pre, post), polarity in draft.synapses.items()
    ]
    counts: dict[str, Any] = {role: len(found) for role, found in draft.nodes.items()}
    return Wiring(
        **counts,
        sensory_synapses=tuple(synapse for role, synapse in synapses if role == "sensory"),
        synapses=tuple(synapse for role, synapse in synapses if role != "sensory"),
    )


def _origins(draft: _Draft, numbers: dict[Node, int]) -> Origins:
    """numbers: what its nodes are called in the parent."""
    nodes = draft.nodes
    neurons = (*nodes["motor"], *nodes["command"], *nodes["inter"])
    return Origins(
        tuple(numbers.get(node) for node in neurons),
        tuple(numbers.get(node) for node in nodes["sensory"]),
    )


def _roles(pair: Pair) -> Roles:
    return pair[0][0], pair[1][0]


# Moves: each changes the draft and says its name, or says "" where it cannot be made; the draft is
# then of no use.


def _add(draft: _Draft, limits: Limits, rng: np.random.Generator) -> str:
    """A synapse between a pair that has none, every such pair as likely."""
    joined = sorted(draft.joined)
    pairs = np.array(
        [len(draft.nodes[pre]) * len(draft.nodes[post]) for pre, post in joined], float
    )
    for _ in range(_TRIES):
        pre, post = joined[rng.choice(len(joined), p=pairs / pairs.sum())]
        pair = _one_of(draft.nodes[pre], rng), _one_of(draft.nodes[post], rng)
        if pair not in draft.synapses:
            draft.synapses[pair] = _polarity(rng)
            return "add"
    return ""


def _remove(draft: _Draft, limits: Limits, rng: np.random.Generator) -> str:
    """A synapse without which every node is still reached and acts."""
    for pair in _some_of(draft.synapses, rng):
        polarity = draft.synapses.pop(pair)
        if _whole(draft):
            return "remove"
        draft.synapses[pair] = polarity
    return ""


def _rewire(draft: _Draft, limits: Limits, rng: np.random.Generator) -> str:
    """One end of a synapse goes to another node of its layer."""
    for pair in _some_of(draft.synapses, rng):
        end = int(rng.integers(2))
        other = _one_of(draft.nodes[pair[end][0]], rng)
        moved = (other, pair[1]) if end == 0 else (pair[0], other)
        if moved in draft.synapses:
            continue
        polarity = draft.synapses[moved] = draft.synapses.pop(pair)
        if _whole(draft):
            return "rewire"
        del draft.synapses[moved]
        draft.synapses[pair] = polarity
    return ""


def _flip(draft: _Draft, limits: Limits, rng: np.random.Generator) -> str:
    """An excitatory synapse becomes inhibitory, or the reverse."""
    pair = _one_of(list(draft.synapses), rng)
    draft.synapses[pair] *= -1
    return "flip"


def _grow(draft: _Draft, limits: Limits, rng: np.random.Generator) -> str:
    """One node more in one layer, with about as many synapses as another one there, from and to the
    same layers."""
    wide = draft.neurons < limits.neurons[1]
    roles = [
        role
        for role, found in draft.nodes.items()
        if 0 < len(found) < getattr(limits, role)[1] and (wide or role == "sensory")
    ]
    if not roles:
        return ""
    role = _one_of(roles, rng)
    colleague = _one_of(draft.nodes[role], rng)
    new = (role, draft.fresh)
    draft.nodes[role].append(new)
    draft.fresh += 1
    for pre, post in [pair for pair in draft.synapses if colleague in pair]:
        if post == colleague:
            pair = (_one_of(draft.nodes[pre[0]], rng), new)
        else:
            pair = (new, _one_of(draft.nodes[post[0]], rng))
        draft.synapses[pair] = _polarity(rng)
    return f"grow {role}" if _tied_up(draft, rng) else ""


def _shrink(draft: _Draft, limits: Limits, rng: np.random.Generator) -> str:
    """One node less in one layer. Nodes that depended on it get synapses from or to others."""
    spare = draft.neurons > limits.neurons[0]
    roles = [
        role
        for role, found in draft.nodes.items()
        if len(found) > max(getattr(limits, role)[0], 1) and (spare or role == "sensory")
    ]
    if not roles:
        return ""
    role = _one_of(roles, rng)
    lost = _one_of(draft.nodes[role], rng)
    draft.nodes[role].remove(lost)
    draft.synapses = {
        pair: polarity for pair, polarity in draft.synapses.items() if lost not in pair
    }
    return f"shrink {role}" if _tied_up(draft, rng) else ""


_DONE_BY: dict[str, Callable[[_Draft, Limits, np.random.Generator], str]] = {
    "add": _add,
    "remove": _remove,
    "rewire": _rewire,
    "flip": _flip,
    "grow": _grow,
    "shrink": _shrink,
}


def _tied_up(draft: _Draft, rng: np.random.Generator) -> bool:
    """Give every node that is not reached or does not act a synapse that mends it; False where no
    allowed pair does."""
    return _mended(draft, rng, forward=True) and _mended(draft, rng, forward=False)


def _mended(draft: _Draft, rng: np.random.Generator, forward: bool) -> bool:
    """forward: from reached nodes onto those that are not; otherwise, from dead nodes onto those
    that act."""
    while loose := _loose(draft, forward):
        ends = [node for found in draft.nodes.values() for node in found if node not in loose]
        for node in (node for found in draft.nodes.values() for node in found if node in loose):
            pairs = [
                pair
                for end in ends
                if _roles(pair := (end, node) if forward else (node, end)) in draft.joined
            ]
            if pairs:
                draft.synapses[_one_of(pairs, rng)] = _polarity(rng)
                break
        else:
            return False
    return True


def _whole(draft: _Draft) -> bool:
    return not _loose(draft, True) and not _loose(draft, False)


def _loose(draft: _Draft, forward: bool) -> set[Node]:
    """Nodes that no signal from a sensory node gets to; backward, those from which none gets to a
    motor neuron."""
    nodes = [node for found in draft.nodes.values() for node in found]
    number = {node: k for k, node in enumerate(nodes)}
    arcs = ((number[pre], number[post]) for pre, post in draft.synapses)
    following = successors(len(nodes), arcs if forward else ((b, a) for a, b in arcs))
    start = bits(number[node] for node in draft.nodes["sensory" if forward else "motor"])
    found = reachable(start, following)
    return {node for k, node in enumerate(nodes) if not found >> k & 1}


def _all(nodes: dict[str, list[Node]]) -> set[Node]:
    return {node for found in nodes.values() for node in found}


def _some_of(pairs: Iterable[Pair], rng: np.random.Generator) -> list[Pair]:
    listed = list(pairs)
    return [listed[k] for k in rng.permutation(len(listed))[:_TRIES]]


def _one_of(items: Sequence[T], rng: np.random.Generator) -> T:
    return items[int(rng.integers(len(items)))]


def _polarity(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1
