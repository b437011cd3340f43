"""How Ray reports failures: which are the fault of a node, and the line that names the fault."""

import re

from ray.exceptions import (
    ActorUnavailableError,
    NodeDiedError,
    ObjectFetchTimedOutError,
    ObjectLostError,
    RayActorError,
    RayTaskError,
)

from wiring_search.workers.ray_cluster import nodes

NODE_LOST = (ActorUnavailableError, NodeDiedError, ObjectLostError, ObjectFetchTimedOutError)


def raised_by_trainer(failure: BaseException) -> bool:
    """Return whether the trainer raised it; its worker lives then."""
    return isinstance(failure, RayTaskError)


def lost_with_node(failure: BaseException, node: str) -> bool:
    """Return whether a worker was lost through no fault of its slice, for example with its node.

    Args:
        failure: What Ray raised instead of the slice's result.
        node: Ray's id of the worker's node.
    """
    if (
        isinstance(failure, NODE_LOST)
        or "node has died" in str(failure)
        or getattr(failure, "preempted", False)
    ):
        return True
    return isinstance(failure, RayActorError) and node not in {found.id for found in nodes()}


def brief(failure: BaseException) -> str:
    """Return the last line of Ray's coloured traceback, which names the fault."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(failure)).strip().splitlines()
    last = lines[-1].strip() if lines else ""
    return last if raised_by_trainer(failure) else f"{type(failure).__name__}: {last}"
