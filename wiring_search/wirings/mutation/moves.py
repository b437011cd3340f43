"""Moves: small changes of a wiring.

A move on a synapse is not made where it leaves a neuron dead or unreachable or a sensory node idle.
A move on a node adds synapses where it does.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np

from wiring_search.wirings.mutation.draft import Draft, Pair, any_polarity, one_of
from wiring_search.wirings.mutation.origins import Child
from wiring_search.wirings.mutation.roles import ROLES
from wiring_search.wirings.wiring import Wiring

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
    draft = Draft.of(wiring, limits.recurrent)
    moves = []
    before = draft.numbers()
    for _ in range(times):
        for k in rng.choice(len(names), len(names), replace=False, p=weights / weights.sum()):
            changed = draft.copied()
            done = _MOVE_OF[names[k]](changed, limits, rng)
            if done:
                draft = changed
                moves.append(done)
                break
    return Child(draft.wiring(), tuple(moves), draft.origins(before))


# A move changes the draft and returns its name. If it cannot be made it returns "", and the draft
# is then of no use.


def _add(draft: Draft, limits: Limits, rng: np.random.Generator) -> str:
    """Add a synapse between a pair that has none, every such pair as likely."""
    joined = sorted(draft.joined)
    pairs = np.array(
        [len(draft.nodes[pre]) * len(draft.nodes[post]) for pre, post in joined], float
    )
    for _ in range(_TRIES):
        pre, post = joined[rng.choice(len(joined), p=pairs / pairs.sum())]
        pair = one_of(draft.nodes[pre], rng), one_of(draft.nodes[post], rng)
        if pair not in draft.synapses:
            draft.synapses[pair] = any_polarity(rng)
            return "add"
    return ""


def _remove(draft: Draft, limits: Limits, rng: np.random.Generator) -> str:
    """Remove a synapse without which every node is still reached and acts."""
    for pair in _some_of(draft.synapses, rng):
        polarity = draft.synapses.pop(pair)
        if draft.is_feasible():
            return "remove"
        draft.synapses[pair] = polarity
    return ""


def _rewire(draft: Draft, limits: Limits, rng: np.random.Generator) -> str:
    """Move one end of a synapse to another node of its layer."""
    for pair in _some_of(draft.synapses, rng):
        end = int(rng.integers(2))
        other = one_of(draft.nodes[pair[end][0]], rng)
        moved = (other, pair[1]) if end == 0 else (pair[0], other)
        if moved in draft.synapses:
            continue
        polarity = draft.synapses[moved] = draft.synapses.pop(pair)
        if draft.is_feasible():
            return "rewire"
        del draft.synapses[moved]
        draft.synapses[pair] = polarity
    return ""


def _flip(draft: Draft, limits: Limits, rng: np.random.Generator) -> str:
    """Make an excitatory synapse inhibitory, or the reverse."""
    pair = one_of(list(draft.synapses), rng)
    draft.synapses[pair] *= -1
    return "flip"


def _grow(draft: Draft, limits: Limits, rng: np.random.Generator) -> str:
    """Add a node to a layer, with about as many synapses as another one there, from and to the same
    layers."""
    wide = draft.neurons < limits.neurons[1]
    roles = [
        role
        for role, found in draft.nodes.items()
        if 0 < len(found) < getattr(limits, role)[1] and (wide or role == "sensory")
    ]
    if not roles:
        return ""
    role = one_of(roles, rng)
    colleague = one_of(draft.nodes[role], rng)
    new = (role, draft.fresh)
    draft.nodes[role].append(new)
    draft.fresh += 1
    for pre, post in [pair for pair in draft.synapses if colleague in pair]:
        if post == colleague:
            pair = (one_of(draft.nodes[pre[0]], rng), new)
        else:
            pair = (new, one_of(draft.nodes[post[0]], rng))
        draft.synapses[pair] = any_polarity(rng)
    return f"grow {role}" if draft.mend(rng) else ""


def _shrink(draft: Draft, limits: Limits, rng: np.random.Generator) -> str:
    """Remove a node from a layer. Nodes that depended on it get synapses from or to others."""
    spare = draft.neurons > limits.neurons[0]
    roles = [
        role
        for role, found in draft.nodes.items()
        if len(found) > max(getattr(limits, role)[0], 1) and (spare or role == "sensory")
    ]
    if not roles:
        return ""
    role = one_of(roles, rng)
    lost = one_of(draft.nodes[role], rng)
    draft.nodes[role].remove(lost)
    draft.synapses = {
        pair: polarity for pair, polarity in draft.synapses.items() if lost not in pair
    }
    return f"shrink {role}" if draft.mend(rng) else ""


def _some_of(pairs: Iterable[Pair], rng: np.random.Generator) -> list[Pair]:
    listed = list(pairs)
    return [listed[k] for k in rng.permutation(len(listed))[:_TRIES]]


_MOVE_OF: dict[str, Callable[[Draft, Limits, np.random.Generator], str]] = {
    "add": _add,
    "remove": _remove,
    "rewire": _rewire,
    "flip": _flip,
    "grow": _grow,
    "shrink": _shrink,
}
