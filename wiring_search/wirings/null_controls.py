"""Matched null controls of a candidate: does its topology make a winner good, or only its size?

Each control keeps everything of the candidate (neuron, solver, steps, memory, learning rate) but
its wiring. Of the wiring it keeps

    rewired   sizes, the number of synapses between each pair of layers, the in- and out-degree of
              every node (sensory and inner synapses apart), and the signs that leave a node. The
              ends are redrawn by double edge swaps (a → b, c → d) ↦ (a → d, c → b)
    random    sizes, and the numbers of sensory and of inner synapses; layers and degrees change
    polarity  the graph; the signs are permuted, among sensory and among inner synapses
    dense     the number of trainable parameters, as closely as a fully connected wiring can; it
              has as many neurons as needed

`rewired` and `random` are Markov chains that begin at the winner's wiring and propose moves
symmetrically. They stay where a move would leave a neuron dead or unreachable or a sensory node
idle. In the end all feasible wirings that the chain can reach are equally likely. (Maslov and
Sneppen, Science 296, 2002; Milo et al., "On the uniform generation of random graphs with prescribed
degree sequences", 2003; constraints by rejection as in Artzy-Randrup and Stone, Phys. Rev. E 72,
2005.) Self-loops are made only where the winner has some.

Layered CfC looks only at synapses between some layers (`seen_by`). For it, `random` keeps their
number between each pair of layers: elsewhere they would be lost, and the size with them.

A control that would change nothing that the neuron looks at is not applicable, and `inapplicable`
says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.reachability import reachable, successors
from wiring_search.wirings.topologies import fully_connected
from wiring_search.wirings.wiring import Synapse, Wiring

# What each control is, as a sentence names it.
CONTROLS = {
    "rewired": "rewirings with the same degrees",
    "random": "random wirings of the same size",
    "polarity": "the same graph with shuffled signs",
    "dense": "dense networks with as many parameters",
}
# The reason where no other wiring can be drawn.
_ALONE = {
    "rewired": "there is no other feasible wiring with the same degrees that {} would see as "
    "another one",
    "random": "there is no other feasible wiring of its size that {} would see as another one",
    "polarity": "there is no other way to deal out its signs",
}
# Proposals per synapse, and the chains in a row that may end at the winner's wiring.
_SWEEPS, _TRIES = 20, 5

Pair = tuple[int, int]
# New ends of some synapses, none where there is nothing to propose.
Propose = Callable[[np.random.Generator], dict[int, Pair]]


def null_candidate(
    candidate: Candidate, control: str, seed: int, parameters: Callable[[Wiring], int]
) -> Candidate:
    """Give the candidate a null wiring.

    The same seed draws the same wiring. The seed of the candidate stays.

    Args:
        candidate: The winner.
        control: "rewired", "random", "polarity" or "dense".
        seed: Seed of the draw.
        parameters: Counts the trainable numbers of the candidate with a given wiring, for `dense`.

    Raises:
        ValueError: The control is unknown or not applicable.
    """
    reason = _known_reason(candidate, control)
    rng = np.random.default_rng(
        (seed, list(CONTROLS).index(control), int(candidate.wiring.wiring_id, 16))
    )
    wiring = (
        None
        if reason
        else _dense(candidate, parameters, rng)
        if control == "dense"
        else _draw_other(candidate, control, rng)
    )
    if wiring is None:
        raise ValueError(
            f"control {control} is not applicable: "
            f"{reason or _ALONE[control].format(candidate.neuron)}"
        )
    return replace(candidate, wiring=wiring)


def inapplicable(candidate: Candidate, control: str) -> str:
    """Why a control would change nothing of this candidate.

    Returns:
        The reason; "" where the control is applicable.

    Raises:
        ValueError: The control is unknown.
    """
    reason = _known_reason(candidate, control)
    if (
        reason
        or control == "dense"
        or _draw_other(candidate, control, np.random.default_rng(0)) is not None
    ):
        return reason
    return _ALONE[control].format(candidate.neuron)


def _known_reason(candidate: Candidate, control: str) -> str:
    """Why a control is not applicable, as far as that is known without drawing."""
    wiring = candidate.wiring
    neuron = candidate.neuron
    if control not in CONTROLS:
        raise ValueError(
            f"control {control!r} is not known; give some of {', '.join(CONTROLS)}, or none"
        )
    if control == "polarity" and not KINDS[neuron].signed:
        return f"{neuron} does not look at polarities"
    if control == "polarity" and all(
        len({sign for *_, sign in part}) < 2 for part in (wiring.sensory_synapses, wiring.synapses)
    ):
        return "its signs are all the same"
    full = wiring.neurons * (wiring.sensory + wiring.neurons)
    if control == "dense" and wiring.synapse_count == full:
        return "it is fully connected already"
    return ""


def seen_by(neuron: str, wiring: Wiring) -> frozenset[tuple[str | int, ...]]:
    """The synapses that the equations of a neuron and its first weights depend on.

    `neurons.cfc` says what a layered CfC connects whatever the wiring says.

    Args:
        neuron: A name out of KINDS.
        wiring: The graph.

    Returns:
        The synapses, with signs where the neuron looks at them.
    """
    roles = wiring.roles
    outer = [("sensory", *synapse) for synapse in wiring.sensory_synapses]
    inner = [("inner", *synapse) for synapse in wiring.synapses]
    if KINDS[neuron].layered:
        layers = wiring.inter and wiring.command
        outer = [synapse for synapse in outer if not layers or roles[synapse[2]] == "inter"]
        between = {("inter", "command"), ("command", "motor")} if layers else set()
        inner = [synapse for synapse in inner if (roles[synapse[1]], roles[synapse[2]]) in between]
    return frozenset(
        synapse if KINDS[neuron].signed else synapse[:-1] for synapse in (*outer, *inner)
    )


def _draw_other(candidate: Candidate, control: str, rng: np.random.Generator) -> Wiring | None:
    """Draw a wiring that differs for the neuron; None where every chain ends at the winner's."""
    wiring = candidate.wiring
    neuron = candidate.neuron
    draw = (
        _shuffle_signs
        if control == "polarity"
        else _swap_ends
        if control == "rewired"
        else _move_synapses
    )
    start = wiring
    seen = seen_by(neuron, wiring)
    for _ in range(_TRIES):
        start = draw(start, neuron, rng)
        if seen_by(neuron, start) != seen:
            return start
    return None


def _dense(
    candidate: Candidate, parameters: Callable[[Wiring], int], rng: np.random.Generator
) -> Wiring:
    """The fully connected wiring whose number of parameters is nearest to the winner's, with the
    winner's share of excitatory synapses."""
    wiring = candidate.wiring
    seed = int(rng.integers(2**31))
    signs = [sign for *_, sign in (*wiring.sensory_synapses, *wiring.synapses)]

    def dense(neurons: int) -> Wiring:
        share = signs.count(1) / len(signs)
        return fully_connected(
            wiring.sensory, neurons, min(wiring.motor, neurons), excitatory=share, seed=seed
        )

    wanted = parameters(wiring)
    neurons = 1
    while parameters(dense(neurons)) < wanted:
        neurons += 1
    return min(
        (dense(n) for n in (max(neurons - 1, 1), neurons)),
        key=lambda made: abs(parameters(made) - wanted),
    )


def _shuffle_signs(wiring: Wiring, neuron: str, rng: np.random.Generator) -> Wiring:
    def dealt(synapses: tuple[Synapse, ...]) -> tuple[Synapse, ...]:
        order = rng.permutation(len(synapses))
        return tuple(
            (pre, post, synapses[k][2]) for (pre, post, _), k in zip(synapses, order, strict=True)
        )

    return replace(
        wiring, sensory_synapses=dealt(wiring.sensory_synapses), synapses=dealt(wiring.synapses)
    )


def _swap_ends(wiring: Wiring, neuron: str, rng: np.random.Generator) -> Wiring:
    graph = _Graph(wiring)

    def propose(rng: np.random.Generator) -> dict[int, Pair]:
        first, second = (int(k) for k in rng.integers(len(graph.pairs), size=2))
        (a, b), (c, d) = graph.pairs[first], graph.pairs[second]
        # One end of the same layer is enough for the numbers between layers to stay.
        alike = graph.roles[a] == graph.roles[c] or graph.roles[b] == graph.roles[d]
        sensory_both_or_none = (a >= wiring.neurons) == (c >= wiring.neurons)
        return {first: (a, d), second: (c, b)} if alike and sensory_both_or_none else {}

    return graph.walk(propose, rng)


def _move_synapses(wiring: Wiring, neuron: str, rng: np.random.Generator) -> Wiring:
    graph = _Graph(wiring)
    neurons, sensory = range(wiring.neurons), range(wiring.neurons, wiring.neurons + wiring.sensory)
    of_role: dict[str, list[int]] = {}
    for node, role in enumerate(graph.roles):
        of_role.setdefault(role, []).append(node)

    def propose(rng: np.random.Generator) -> dict[int, Pair]:
        chosen = int(rng.integers(len(graph.pairs)))
        pre, post = graph.pairs[chosen]
        ends: tuple[Sequence[int], Sequence[int]] = (
            (sensory if pre in sensory else neurons),
            neurons,
        )
        if KINDS[neuron].layered:
            ends = of_role[graph.roles[pre]], of_role[graph.roles[post]]
        first, second = (int(rng.integers(len(nodes))) for nodes in ends)
        return {chosen: (ends[0][first], ends[1][second])}

    return graph.walk(propose, rng)


class _Graph:
    """A wiring whose synapses move. Nodes are neurons, then sensory nodes.

    Attributes:
        roles: The role of each node.
        pairs: (pre, post) of each synapse. Its sign moves with it.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        n = wiring.neurons
        self.roles = (*wiring.roles, *("sensory",) * wiring.sensory)
        self.pairs = [(n + pre, post) for pre, post, _ in wiring.sensory_synapses] + [
            s[:2] for s in wiring.synapses
        ]
        self._signs = [s[2] for s in (*wiring.sensory_synapses, *wiring.synapses)]
        self._loops = any(pre == post for pre, post in self.pairs)
        self._there = set(self.pairs)
        # Of each node, its neighbours as a set of bits.
        self._after = successors(len(self.roles), self.pairs)
        self._before = successors(len(self.roles), ((post, pre) for pre, post in self.pairs))

    def walk(self, propose: Propose, rng: np.random.Generator) -> Wiring:
        """Make `_SWEEPS` proposals per synapse. A proposal that leaves no feasible wiring is
        dropped."""
        for _ in range(_SWEEPS * len(self.pairs)):
            self._move(propose(rng))
        n = self._wiring.neurons
        outer: list[Synapse] = []
        inner: list[Synapse] = []
        for (pre, post), sign in zip(self.pairs, self._signs, strict=True):
            (outer if pre >= n else inner).append((pre - n if pre >= n else pre, post, sign))
        return replace(self._wiring, sensory_synapses=tuple(outer), synapses=tuple(inner))

    def _move(self, changes: dict[int, Pair]) -> None:
        new = list(changes.values())
        taken = any(pair in self._there for pair in new) or len(set(new)) < len(new)
        if not new or taken or not self._loops and any(pre == post for pre, post in new):
            return
        old = {k: self.pairs[k] for k in changes}
        self._set(changes)
        if not self._whole():
            self._set(old)

    def _set(self, changes: dict[int, Pair]) -> None:
        for k in changes:
            self._there.remove(self.pairs[k])
            self._flip(self.pairs[k])
        for k, pair in changes.items():
            self.pairs[k] = pair
            self._there.add(pair)
            self._flip(pair)

    def _flip(self, pair: Pair) -> None:
        pre, post = pair
        self._after[pre] ^= 1 << post
        self._before[post] ^= 1 << pre

    def _whole(self) -> bool:
        n = self._wiring.neurons
        everything = (1 << len(self.roles)) - 1
        neurons = (1 << n) - 1
        reached = reachable(everything ^ neurons, self._after)
        return (
            reached == everything
            and reachable((1 << self._wiring.motor) - 1, self._before) == everything
        )
