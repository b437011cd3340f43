"""A wiring: the directed, signed graph of a Neural Circuit Policy, as a frozen value.

Sensory nodes feed neurons through sensory synapses; neurons feed neurons through synapses. Every
synapse is excitatory (+1) or inhibitory (−1). Neurons are numbered as in the `ncps` package: motor
neurons first, then command, then inter neurons. Sensory nodes are numbered apart from them.
(Lechner et al., "Neural circuit policies enabling auditable autonomy", Nature Machine Intelligence
2020.)

A wiring is checked when it is made, so later code need not check again. Every neuron must be
reachable from a sensory node and must reach a motor neuron, and every sensory node must be used.
`pruned` makes such a wiring out of one that is not.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.wirings.reachability import bits, members, reachable, successors

if TYPE_CHECKING:
    import networkx

Synapse = tuple[int, int, int]


@dataclass(frozen=True)
class Wiring:
    """The graph of a network.

    Synapses may come in any order. The canonical one, by (post, pre), is kept. Self-loops are
    allowed.

    Attributes:
        sensory: Number of sensory nodes.
        inter: Number of inter neurons.
        command: Number of command neurons.
        motor: Number of motor neurons.
        sensory_synapses: (sensory node, neuron, polarity) each, at most one per pair.
        synapses: (neuron, neuron, polarity) each, at most one per pair. Polarities are +1 or −1.
        idle_allowed: Accept neurons that cannot act or cannot be reached, and sensory nodes without
            synapses. Only for wirings that come from elsewhere with weights attached.

    Raises:
        ValueError: Counts, ends or polarities are out of range, a pair is given twice, or neurons
            or sensory nodes are idle.
    """

    sensory: int
    inter: int
    command: int
    motor: int
    sensory_synapses: tuple[Synapse, ...]
    synapses: tuple[Synapse, ...]
    idle_allowed: bool = False

    def __post_init__(self) -> None:
        _check_counts(self)
        object.__setattr__(self, "sensory_synapses", _canonical(self.sensory_synapses))
        object.__setattr__(self, "synapses", _canonical(self.synapses))
        _check_synapses(
            self.sensory_synapses, self.sensory, self.neurons, "sensory synapse", "sensory node"
        )
        _check_synapses(self.synapses, self.neurons, self.neurons, "synapse", "neuron")
        if not self.idle_allowed:
            _check_idle(self)

    @property
    def neurons(self) -> int:
        """Number of motor, command and inter neurons together."""
        return self.inter + self.command + self.motor

    @property
    def roles(self) -> tuple[str, ...]:
        """The role of each neuron, by its number: "motor", "command" or "inter"."""
        return ("motor",) * self.motor + ("command",) * self.command + ("inter",) * self.inter

    @property
    def synapse_count(self) -> int:
        """Sensory synapses and synapses between neurons together."""
        return len(self.sensory_synapses) + len(self.synapses)

    @cached_property
    def wiring_id(self) -> str:
        """Identity of the graph: sixteen hexadecimal digits.

        Equal wirings have the same identity on every machine.
        """
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def sensory_arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """pre, post, polarity of the sensory synapses in canonical order, int32."""
        return _arrays(self.sensory_synapses)

    def synapse_arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """pre, post, polarity of the synapses between neurons in canonical order, int32."""
        return _arrays(self.synapses)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes.

        `from_json` reads it back to an equal wiring.
        """
        data = {
            "sensory": self.sensory,
            "inter": self.inter,
            "command": self.command,
            "motor": self.motor,
            "sensory_synapses": [list(synapse) for synapse in self.sensory_synapses],
            "synapses": [list(synapse) for synapse in self.synapses],
        }
        return {**data, "idle_allowed": True} if self.idle_allowed else data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Wiring":
        """The inverse of `to_json`.

        Raises:
            ValueError: A key is missing or unknown; also as the constructor does.
        """
        names = {field.name for field in fields(cls)}
        missing = sorted(names - {"idle_allowed"} - data.keys())
        unknown = sorted(data.keys() - names)
        if missing or unknown:
            raise ValueError(
                f"a wiring's JSON lacks {missing} and has unknown {unknown}; give what "
                "Wiring.to_json() gives"
            )
        return cls(**data)

    def to_networkx(self) -> "networkx.DiGraph":
        """Nodes "sensory_0" … and "neuron_0" …, with `role`; edges with `polarity`."""
        import networkx

        graph = networkx.DiGraph(idle_allowed=self.idle_allowed)
        graph.add_nodes_from((f"sensory_{i}", {"role": "sensory"}) for i in range(self.sensory))
        graph.add_nodes_from((f"neuron_{i}", {"role": role}) for i, role in enumerate(self.roles))
        for pre, post, polarity in self.sensory_synapses:
            graph.add_edge(f"sensory_{pre}", f"neuron_{post}", polarity=polarity)
        for pre, post, polarity in self.synapses:
            graph.add_edge(f"neuron_{pre}", f"neuron_{post}", polarity=polarity)
        return graph

    @classmethod
    def from_networkx(cls, graph: "networkx.DiGraph") -> "Wiring":
        """The inverse of `to_networkx`.

        Raises:
            ValueError: A node or edge does not follow its form.
        """
        roles = dict(graph.nodes(data="role"))
        count = {
            role: sum(r == role for r in roles.values())
            for role in ("sensory", "inter", "command", "motor")
        }
        sensory: list[Synapse] = []
        inner: list[Synapse] = []
        for pre, post, polarity in graph.edges(data="polarity"):
            (pre_kind, pre_id), (_, post_id) = _node(pre), _node(post, only="neuron")
            (sensory if pre_kind == "sensory" else inner).append((pre_id, post_id, polarity))
        wiring = cls(
            **count,
            sensory_synapses=tuple(sensory),
            synapses=tuple(inner),
            idle_allowed=graph.graph.get("idle_allowed", False),
        )
        for node, role in roles.items():
            kind, number = _node(node)
            expected = (
                "sensory"
                if kind == "sensory"
                else wiring.roles[number]
                if number < wiring.neurons
                else None
            )
            if role != expected:
                raise ValueError(
                    f"node {node!r} has role {role!r}; neurons are numbered motor first, then "
                    "command, then inter "
                    f"({count['motor']}, {count['command']}, {count['inter']} here), and sensory "
                    "nodes are sensory"
                )
        return wiring

    def to_graphml(self) -> str:
        """The networkx graph as GraphML text, for other tools."""
        import networkx

        return "\n".join(networkx.generate_graphml(self.to_networkx()))

    @classmethod
    def from_graphml(cls, text: str) -> "Wiring":
        """The inverse of `to_graphml`.

        Raises:
            ValueError: As `from_networkx` does.
        """
        import networkx

        return cls.from_networkx(networkx.parse_graphml(text))


def pruned(wiring: Wiring) -> Wiring:
    """Remove idle neurons and sensory nodes.

    These are the neurons that cannot act or cannot be reached, and the sensory nodes that then feed
    no neuron. Neurons keep their order and are renumbered.

    Raises:
        ValueError: A motor neuron would be removed. A network without it would answer another
            question.
    """
    keep = sorted(_reached(wiring) & _acting(wiring))
    lost = set(range(wiring.motor)) - set(keep)
    if lost:
        raise ValueError(
            f"motor neuron {min(lost)} is not reached from any sensory node; add a synapse path to "
            "it"
        )
    number = {old: new for new, old in enumerate(keep)}
    outer = [s for s in wiring.sensory_synapses if s[1] in number]
    sensory = {old: new for new, old in enumerate(sorted({pre for pre, _, _ in outer}))}
    kept_roles = [wiring.roles[old] for old in keep]
    return Wiring(
        len(sensory),
        kept_roles.count("inter"),
        kept_roles.count("command"),
        wiring.motor,
        tuple((sensory[pre], number[post], polarity) for pre, post, polarity in outer),
        tuple(
            (number[a], number[b], polarity)
            for a, b, polarity in wiring.synapses
            if a in number and b in number
        ),
    )


def _canonical(synapses: Iterable[Iterable[int]]) -> tuple[Synapse, ...]:
    try:
        return tuple(
            sorted(
                ((index(a), index(b), index(p)) for a, b, p in synapses), key=lambda s: (s[1], s[0])
            )
        )
    except (TypeError, ValueError) as cause:
        raise ValueError(
            f"synapses are triples of whole numbers (pre, post, polarity): {cause}"
        ) from cause


def _arrays(synapses: tuple[Synapse, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pre, post, polarity = np.array(synapses, np.int32).reshape(-1, 3).T.copy()
    return pre, post, polarity


def _check_counts(wiring: Wiring) -> None:
    for name, least in (("sensory", 1), ("inter", 0), ("command", 0), ("motor", 1)):
        value = getattr(wiring, name)
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} is {value!r}; give a whole number, {least} or more")
        object.__setattr__(wiring, name, int(value))


def _check_synapses(
    synapses: tuple[Synapse, ...], sources: int, neurons: int, what: str, source: str
) -> None:
    seen = set()
    for pre, post, polarity in synapses:
        if not 0 <= pre < sources:
            raise ValueError(
                f"{what} {pre} → {post} starts at {source} {pre}; {source}s are numbered 0 to "
                f"{sources - 1}"
            )
        if not 0 <= post < neurons:
            raise ValueError(
                f"{what} {pre} → {post} ends at neuron {post}; neurons are numbered 0 to "
                f"{neurons - 1}"
            )
        if polarity not in (-1, 1):
            raise ValueError(
                f"{what} {pre} → {post} has polarity {polarity}; give +1 (excitatory) or -1 "
                "(inhibitory)"
            )
        if (pre, post) in seen:
            raise ValueError(f"{what} {pre} → {post} is given twice; keep one of them")
        seen.add((pre, post))


def _check_idle(wiring: Wiring) -> None:
    unused = set(range(wiring.sensory)) - {pre for pre, _, _ in wiring.sensory_synapses}
    if unused:
        raise ValueError(
            f"sensory node {min(unused)} has no synapse; add one, or give "
            f"{wiring.sensory - len(unused)} sensory nodes"
        )
    unreached = set(range(wiring.neurons)) - _reached(wiring)
    if unreached:
        neuron = min(unreached)
        raise ValueError(
            f"{wiring.roles[neuron]} neuron {neuron} cannot be reached from any sensory node; add "
            "a synapse onto it, or prune it"
        )
    dead = set(range(wiring.neurons)) - _acting(wiring)
    if dead:
        neuron = min(dead)
        raise ValueError(
            f"{wiring.roles[neuron]} neuron {neuron} is dead: no path leads from it to a motor "
            "neuron; "
            "add a synapse from it, or prune it"
        )


def _reached(wiring: Wiring) -> set[int]:
    """Neurons that a signal from a sensory node can reach."""
    after = successors(wiring.neurons, ((pre, post) for pre, post, _ in wiring.synapses))
    return set(members(reachable(bits(post for _, post, _ in wiring.sensory_synapses), after)))


def _acting(wiring: Wiring) -> set[int]:
    """Neurons whose signal can reach a motor neuron."""
    before = successors(wiring.neurons, ((post, pre) for pre, post, _ in wiring.synapses))
    return set(members(reachable(bits(range(wiring.motor)), before)))


def _node(name: Any, only: str | None = None) -> tuple[str, int]:
    kind, _, number = str(name).partition("_")
    if kind not in ("sensory", "neuron") or not number.isdigit() or (only and kind != only):
        raise ValueError(
            f'node {name!r} is not known; name nodes "sensory_0" … and "neuron_0" …, and let no '
            "synapse end at a sensory node"
        )
    return kind, int(number)
