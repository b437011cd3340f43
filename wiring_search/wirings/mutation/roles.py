"""Roles of nodes, and the pairs of roles that synapses may join."""

from wiring_search.wirings.wiring import Wiring

Roles = tuple[str, str]  # roles of a synapse's two ends

ROLES = ("sensory", "inter", "command", "motor")
FORWARD: tuple[Roles, ...] = (("sensory", "inter"), ("inter", "command"), ("command", "motor"))
RECURRENT: Roles = ("command", "command")


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
