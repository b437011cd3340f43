"""A parcel to export: a trained network, its description, validation inputs and outputs."""

import copy
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wiring_search.export.steps import programs_of
from wiring_search.networks.inputs import elapsed_of
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.tasks.columns import Columns, Scale
from wiring_search.wirings.candidate import Candidate

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Parcel:
    """A network to export, with sequences to verify the files with.

    Attributes:
        candidate: The candidate that was trained.
        network: Its network.
        name: An identifier, such as "digits_4".
        about: The description in its files and README, ready for JSON.
        inputs: Names and scales of the features, see `tasks.Task`.
        targets: Names and scales of the outputs.
        x: Validation inputs, (n, T, F).
        elapsed: Time since the previous step, (n, T), in the task's units.
        y: The network's outputs for them, (n, T, outputs).
        state: Its final states, (n, states), from zeros.
        rounding: The largest difference of y and state from a float64 computation.
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
        """float32 by name, as in the equations: positive where they must be."""
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
    """Run a network on validation inputs and keep what an export needs.

    Args:
        candidate: The candidate that was trained.
        network: Its network.
        name: Made an identifier of C and Python.
        about: The description, ready for JSON.
        x: (n, T, F), with `elapsed` and `lengths` as in a `tasks.Split`.
        elapsed: (n, T) or None.
        lengths: (n,) or None.
        inputs: Names and scales of the features.
        targets: Names and scales of the outputs.

    Raises:
        ValueError: The network's outputs are not finite.
    """
    xs = torch.from_numpy(x)
    given, valid = (None if part is None else torch.from_numpy(part) for part in (elapsed, lengths))
    times = elapsed_of(xs, given, valid)
    with torch.no_grad():
        y, state = network(xs, times)
        exact = copy.deepcopy(network).double()(xs.double(), times.double())
    if not (y.isfinite().all() and state.isfinite().all()):
        raise ValueError(
            f"{name.replace('_', ' ')} has outputs that are not finite on validation inputs; "
            "export another trial"
        )
    rounding = max(
        float((ours - theirs).abs().max()) for ours, theirs in zip((y, state), exact, strict=True)
    )
    return Parcel(
        candidate, network, identifier(name), about, inputs, targets, xs, times, y, state, rounding
    )


def title_of(parcel: Parcel) -> str:
    """Task, trial, neuron and solver, on one line."""
    return ", ".join(
        f"{name} {value}"
        for name, value in parcel.about.items()
        if name in ("task", "trial", "neuron", "solver")
    )


def identifier(name: str) -> str:
    """The name as an identifier of C and Python."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def columns_json(columns: Columns | None, count: int, what: str) -> list[dict[str, Any]]:
    """Describe columns as plain data.

    Args:
        columns: Names and scales; None if they are unknown.
        count: The number of columns.
        what: What an unnamed column is called, with its number: "feature", "output".

    Returns:
        One entry per column: its name, and "middle" and "spread" if its scale is known.
    """
    names = columns.names if columns else [f"{what} {number}" for number in range(count)]
    scale = columns.scale if columns else None
    if scale is None:
        return [{"name": name} for name in names]
    return [
        {"name": n, "middle": float(m), "spread": float(s)}
        for n, m, s in zip(names, scale.middle, scale.spread, strict=True)
    ]


def inputs_json(parcel: Parcel) -> dict[str, Any]:
    """Features and outputs in order. Where they are scaled, value = (raw − middle) / spread."""
    layout = parcel.network.layout
    return {
        "features": columns_json(parcel.inputs, layout.features, "feature"),
        "outputs": columns_json(parcel.targets, layout.output_size, "output"),
        "elapsed": "time since the previous step, in the task's units; 1 on a regular clock; 0 "
        "leaves the state unchanged",
        "state_size": layout.state_size,
        "state": f"{layout.state_size} values, zero at the start: {layout.wirings[0].neurons} "
        "neurons, motor neurons first, then memory cells",
        "scaling": scaling(parcel),
    }


def scaling(parcel: Parcel) -> str:
    """How raw values become inputs, in a sentence."""
    if scale_of(parcel.inputs):
        return "Inputs are scaled: pass (raw − middle) / spread."
    if parcel.inputs:
        return "Inputs are raw values, not scaled."
    return (
        "The task preprocesses its inputs in a way that no scale describes: pass values as "
        "`wiring_search.tasks.load` returns them (see the task's page in the documentation)."
    )


def scale_of(columns: Columns | None) -> Scale | None:
    """The scale of columns; None if it is unknown."""
    return columns.scale if columns else None
