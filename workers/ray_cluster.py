"""The Ray cluster: connect to one or start one here, and count the workers it has room for."""

import logging
import math
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ray


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that is up, and what it offers to Ray.

    Attributes:
        id: Ray's id of it.
        cpus: Cores.
        gpus: GPUs.
        memory: Bytes.
    """

    id: str
    cpus: float
    gpus: float
    memory: float


def connect(address: str | None, cores: int | None) -> bool:
    """Connect to a Ray cluster, or start a local Ray.

    Args:
        address: "auto", "host:port" or "ray://host:port"; None for a local Ray.
        cores: Of the local Ray; None for all.

    Returns:
        Whether Ray was started or connected here; False where this process had it already.

    Raises:
        ValueError: No cluster answers at the address.
    """
    if ray.is_initialized():
        return False
    # Ray announces a change of defaults for GPUs on every start.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # "local" is explicit: without it Ray joins any cluster that it finds traces of on this
    # machine, even of a dead one.
    where: dict[str, Any]
    if address:
        where = {"address": address}
    else:
        where = {"address": "local", "num_cpus": cores, "include_dashboard": False}
    hint = ""
    try:
        _knock(address)
        if "RAY_AUTH_MODE" in os.environ:
            hint = ""
        else:
            hint = "; a cluster that asks for a token needs RAY_AUTH_MODE=token"
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        # Ray prints failures of nodes all the same, with pages of a raylet's log. There is no
        # public switch.
        ray._private.worker._worker_logs_enabled = False
    except ImportError as cause:
        raise ValueError(
            f"address {address!r} needs Ray's client, which is not installed ({cause}); "
            "pip install 'ray[client]'"
        ) from cause
    except (OSError, ValueError) as cause:
        raise ValueError(
            f"no Ray cluster answers at {address!r}: {cause}{hint}; "
            "leave out --address for a local Ray"
        ) from cause
    return True


def nodes() -> list[Node]:
    """Return the nodes that are up."""
    alive = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    return [
        Node(name, has.get("CPU", 0.0), has.get("GPU", 0.0), has.get("memory", math.inf))
        for name, has in alive
    ]


def room(cpus: float, gpus: float, each_cpus: int, each_gpus: float) -> int:
    """Return how many workers fit.

    Args:
        cpus: Cores that there are.
        gpus: GPUs that there are.
        each_cpus: Cores per worker.
        each_gpus: GPUs per worker.
    """
    by_cpus = int(cpus // each_cpus)
    return by_cpus if each_gpus == 0 else min(by_cpus, int((gpus + 1e-9) // each_gpus))


def room_on(machines: Iterable[Node], each_cpus: int, each_gpus: float) -> int:
    """Return how many workers fit on nodes that nothing else runs on.

    Args:
        machines: The nodes.
        each_cpus: Cores per worker.
        each_gpus: GPUs per worker.
    """
    return sum(room(node.cpus, node.gpus, each_cpus, each_gpus) for node in machines)


def refuse_too_many(workers: int, each_cpus: int, each_gpus: float) -> None:
    """Check that the cluster has room for so many workers.

    Args:
        workers: How many.
        each_cpus: Cores per worker.
        each_gpus: GPUs per worker.

    Raises:
        ValueError: It has not.
    """
    found = nodes()
    most = room_on(found, each_cpus, each_gpus)
    if workers <= most:
        return
    need = "a core" if each_cpus == 1 else f"{each_cpus} cores"
    need += f" and {each_gpus:g} of a GPU" if each_gpus else ""
    there = f"{sum(node.cpus for node in found):g}"
    there += f", and {sum(node.gpus for node in found):g} GPUs" if each_gpus else ""
    mend = f"give --workers {most}" if most else "give each worker less"
    raise ValueError(
        f"{workers} workers need {need} each, and this Ray cluster has {there}; {mend}"
    )


def free_room(each_cpus: int, each_gpus: float) -> int:
    """Return how many more workers fit beside everything that runs on the cluster.

    Args:
        each_cpus: Cores per worker.
        each_gpus: GPUs per worker.
    """
    free = ray.available_resources()
    return room(free.get("CPU", 0.0), free.get("GPU", 0.0), each_cpus, each_gpus)


def _knock(address: str | None) -> None:
    """Raise OSError soon where no server listens at host:port; Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
