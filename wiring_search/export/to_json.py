"""`network.json`: candidate, wiring, connections and weights. `network_from_json` rebuilds the
network from it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wiring_search.export.format import Format
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
    """The network of a `network.json`.

    Its parameters are those of the equations. To train it further, call `clip_parameters()` after
    each step of the optimiser: clipping keeps positive parameters positive.

    Raises:
        ValueError: The text is no such file.
    """
    try:
        data = json.loads(text)
        candidate = Candidate.from_json(data["candidate"])
        features = data["features"]
        outputs = data["outputs"]
        given = {
            name: torch.tensor(value, dtype=torch.float32)
            for name, value in data["parameters"].items()
        }
    except (json.JSONDecodeError, KeyError, TypeError) as fault:
        raise ValueError(
            f"this is no network.json that `wiring-search export --to json` wrote ({fault!r})"
        ) from fault
    network = empty_network(candidate, features, outputs)
    network.load_state_dict(given)
    return network


def empty_network(candidate: Candidate, features: int, outputs: int | None) -> LiquidNetwork:
    """Make a network with fresh parameters, stored as in the equations.

    Args:
        candidate: The wiring and the settings.
        features: The number of input features.
        outputs: The number of outputs; None: the motor neurons are the outputs.

    Returns:
        The network. Clipping keeps its positive parameters positive.
    """
    return fresh_network_of(candidate, features, outputs, positive="clip")


def check(parcel: Parcel, folder: Path) -> Check:
    network = network_from_json((folder / FILES[0]).read_text(encoding="utf-8"))
    with torch.no_grad():
        y, state = network(parcel.x, parcel.elapsed)
    return Check(*compared(parcel, y.numpy(), state.numpy()))


def _plain(value: np.ndarray) -> list[Any]:
    """The shortest decimals that give the same float32."""
    if value.ndim > 1:
        return [_plain(row) for row in value]
    return [float(str(number)) for number in value.astype(np.float32)]


_LOADING = """JSON (candidate, connections and weights; wiring-search rebuilds the network from it):

```python
from wiring_search.export import network_from_json
network = network_from_json(open("network.json").read())
```
"""

FORMAT = Format(
    summary="the whole network as JSON",
    write=write,
    files=lambda parcel: FILES,
    check=check,
    loading=_LOADING,
)
