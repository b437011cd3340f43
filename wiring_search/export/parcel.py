"""What is exported: a trained network, what is known about it, and validation inputs with what it
makes of them."""

import copy
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wiring_search.export.steps import programs_of
from wiring_search.networks.liquid_network import LiquidNetwork, elapsed_of
from wiring_search.tasks.columns import Columns, Scale
from wiring_search.wirings.candidate import Candidate

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Parcel:
    """candidate, network: what is exported. name: an identifier of it, such as "digits_4". about:
    what its files and README tell, ready for JSON. inputs, targets: see `tasks.Task`.

    x (n, T, F), elapsed (n, T): real sequences to verify with; y (n, T, outputs), state (n,
    states): what the network makes of them, from zeros. rounding: the largest difference of those
    from what float64 gives.
    """

    candidate: Candidate
    network: LiquidNetwork
    name: str
    about: dict[str, Any]
    inputs: Columns | None
    targets: Columns | None
    x: Tensor
    elapsed: Tensor
    y: Tensor
    state: Tensor
    rounding: float

    @cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """float32 by name, as the equations have them: what must be positive is."""
        return {name: value.detach().numpy() for name, value in self.network.effective().items()}

    @cached_property
    def programs(self) -> "dict[str, ExportedProgram]":
        """The "step" and the "sequence" as torch.export traces them."""
        return programs_of(self.network)


def parcel(
    candidate: Candidate,
    network: LiquidNetwork,
    name: str,
    about: dict[str, Any],
    x: np.ndarray,
    elapsed: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    inputs: Columns | None = None,
    targets: Columns | None = None,
) -> Parcel:
    """x, elapsed, lengths: as in a `tasks.Split`.

    Raises ValueError for a network whose outputs are not finite there.
    """
    xs = torch.from_numpy(x)
    given, valid = (None if part is None else torch.from_numpy(part) for part in (elapsed, lengths))
    times = elapsed_of(xs, given, valid)
    with torch.no_grad():
        y, state = network(xs, times)
        exact = copy.deepcopy(network).double()(xs.double(), times.double())
    if not (y.isfinite().all() and state.isfinite().all()):
        raise ValueError(
            f"{name.replace('_', ' ')} gives values that are not finite on validation inputs; export another trial"
        )
    rounding = max(
        float((ours - theirs).abs().max()) for ours, theirs in zip((y, state), exact, strict=True)
    )
    return Parcel(
        candidate, network, identifier(name), about, inputs, targets, xs, times, y, state, rounding
    )


def told(parcel: Parcel) -> str:
    """What it is, on one line."""
    return ", ".join(
        f"{name} {value}"
        for name, value in parcel.about.items()
        if name in ("task", "trial", "neuron", "solver")
    )


def identifier(name: str) -> str:
    """A name that C and Python take."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def columns_json(columns: Columns | None, count: int, what: str) -> list[dict[str, Any]]:
    """One entry a column: its name, and what raw values are scaled by where that is known."""
    names = columns.names if columns else [f"{what} {number}" for number in range(count)]
    scale = columns.scale if columns else None
    if scale is None:
        return [{"name": name} for name in names]
    return [
        {"name": n, "middle": float(m), "spread": float(s)}
        for n, m, s in zip(names, scale.middle, scale.spread, strict=True)
    ]


def inputs_json(parcel: Parcel) -> dict[str, Any]:
    """Features and outputs in their order. Where they are scaled: value = (raw − middle) /
    spread."""
    layout = parcel.network.layout
    return {
        "features": columns_json(parcel.inputs, layout.features, "feature"),
        "outputs": columns_json(parcel.targets, layout.output_size, "output"),
        "elapsed": "time since the step before, in the task's units; 1 on a regular clock, 0 holds the state",
        "state_size": layout.state_size,
        "state": f"{layout.state_size} values, zeros at first: {layout.wirings[0].neurons} neurons, motor ones first, then memory cells",
        "scaling": scaling(parcel),
    }


def scaling(parcel: Parcel) -> str:
    """How raw values become inputs, in a sentence."""
    if scale_of(parcel.inputs):
        return "Inputs are scaled: give (raw − middle) / spread."
    if parcel.inputs:
        return "Inputs are raw values, not scaled."
    return (
        "The task prepares its inputs, and does not say how in numbers: give values as `wiring_search.tasks.load` does (see its "
        "page in the documentation)."
    )


def scale_of(columns: Columns | None) -> Scale | None:
    return columns.scale if columns else None
