"""`network.json`: candidate, wiring, connections and weights, from which `network_from_json` makes
the network again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wiring_search.export.parcel import Parcel
from wiring_search.export.verified import Check, compared
from wiring_search.networks.liquid_network import LiquidNetwork, fresh_network_of
from wiring_search.wirings.candidate import Candidate

FILES = ("network.json",)
_ENDS = ("pre", "post", "sensory_pre", "sensory_post")


def write(parcel: Parcel, folder: Path) -> None:
    layout = parcel.network.layout
    data = {
        "about": parcel.about,
        "candidate": parcel.candidate.to_json(),
        "features": layout.features,
        "outputs": layout.outputs,
        "connections": {name: getattr(layout.connections[0], name).tolist() for name in _ENDS},
        "parameters": {name: _plain(value) for name, value in parcel.parameters.items()},
    }
    (folder / FILES[0]).write_text(json.dumps(data) + "\n", encoding="utf-8")


def network_from_json(text: str) -> LiquidNetwork:
    """The network of a `network.json`. Its parameters are those that the equations have, so what
    must be positive is kept so by clipping: call `clip_parameters()` after each step of an
    optimiser, should it learn on.

    Raises ValueError for a text that is no such file.
    """
    try:
        data = json.loads(text)
        candidate, features, outputs = (
            Candidate.from_json(data["candidate"]),
            data["features"],
            data["outputs"],
        )
        given = {
            name: torch.tensor(value, dtype=torch.float32)
            for name, value in data["parameters"].items()
        }
    except (json.JSONDecodeError, KeyError, TypeError) as fault:
        raise ValueError(
            f"this is no network that `wiring-search export --to json` wrote ({fault!r})"
        ) from fault
    network = empty_network(candidate, features, outputs)
    network.load_state_dict(given)
    return network


def empty_network(candidate: Candidate, features: int, outputs: int | None) -> LiquidNetwork:
    """With fresh parameters, stored as the equations have them."""
    return fresh_network_of(candidate, features, outputs, positive="clip")


def check(parcel: Parcel, folder: Path) -> Check:
    network = network_from_json((folder / FILES[0]).read_text(encoding="utf-8"))
    with torch.no_grad():
        y, state = network(parcel.x, parcel.elapsed)
    return Check(*compared(parcel, y.numpy(), state.numpy()))


def _plain(value: np.ndarray) -> list[Any]:
    """Shortest decimals that are the same float32."""
    if value.ndim > 1:
        return [_plain(row) for row in value]
    return [float(str(number)) for number in value.astype(np.float32)]
