"""Which GPU kernels a kind of neuron and solver has, and what they want of a pack."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from wiring_search.networks.kernels.gpu import (
    cfc,
    cfc_backward,
    explicit,
    explicit_backward,
    field,
    ltc,
    ltc_backward,
    pieces,
)
from wiring_search.networks.kernels.layout import Kind
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.cfc import HEADS
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import CLOSED_FORM, KINDS, Family

Tensor = torch.Tensor

_MINUS_LOG2_E = -1.4426950408889634


@dataclass(frozen=True)
class Synapses:
    """What kernels read of a synapse, whose parameters have the names `of_edge`.

    onto, back: from parameters (of_edge, slots), 0 where a synapse is missing, to the constants
    (…, slots) that kernels read along those that reach a neuron and along those that leave a node.
    gradients: of the parameters (of_edge, edges), from these and from what a kernel has summed over
    samples.
    """

    of_edge: tuple[str, ...]
    onto: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    gradients: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Program:
    """The kernels of a kind, one launch each for a pack.

    forward_rows(neurons, sensory, cells, time steps), backward_rows(neurons, sensory, cells,
    sub-steps): of LANES numbers, what a candidate is worked in. constants: what the kernels are
    compiled for. swept: whether layers follow one another within a time step (`gpu.layout`).
    """

    synapses: Synapses
    forward: Any
    backward: Any
    forward_rows: Callable[[int, int, int, int], int]
    backward_rows: Callable[[int, int, int, int], int]
    constants: dict[str, object]
    swept: bool = False


def program_of(kind: Kind) -> Program | None:
    """None where there is no GPU kernel for packs of this kind."""
    if kind.neuron not in KINDS:
        return None
    family = KINDS[kind.neuron].family
    if family in _SYNAPSES and kind.solver in TABLEAUX:
        return _explicit(kind)
    if family is Family.LTC:
        return _ltc(kind)
    if family is Family.CFC:
        return _cfc(NEURONS[kind.neuron].variant)
    return None


def _ltc(kind: Kind) -> Program:
    return Program(
        synapses=_LTC,
        forward=ltc.forward,
        backward=ltc_backward.backward,
        forward_rows=partial(pieces.rows, pieces.ltc_forward),
        backward_rows=partial(pieces.rows, pieces.ltc_backward),
        constants={"CLOSED": kind.solver == CLOSED_FORM, **_numbers(_LTC)},
    )


def _explicit(kind: Kind) -> Program:
    tableau, form = TABLEAUX[kind.solver], field.form_of(kind.neuron)
    sums = field.sums_of.fn(form)
    synapses = _SYNAPSES[KINDS[kind.neuron].family]
    constants = explicit.constants(form, tableau, kind.gradient == "adjoint")

    def forward_rows(*sizes: int) -> int:
        return pieces.rows(pieces.explicit_forward, *sizes, sums)

    def backward_rows(neurons: int, sensory: int, cells: int, steps: int) -> int:
        sizes = neurons, sensory, cells, steps * tableau.stages
        return pieces.rows(pieces.explicit_backward, *sizes, sums)

    return Program(
        synapses=synapses,
        forward=explicit.forward,
        backward=explicit_backward.backward,
        forward_rows=forward_rows,
        backward_rows=backward_rows,
        constants={**constants, **_numbers(synapses)},
    )


def _cfc(variant: int) -> Program:
    weights = _plain(*(f"{head}_w" for head in HEADS[variant]))

    def backward_rows(neurons: int, sensory: int, cells: int, steps: int) -> int:
        del steps  # it has none
        return pieces.rows(pieces.cfc_backward, neurons, sensory, cells)

    return Program(
        synapses=weights,
        forward=cfc.forward,
        backward=cfc_backward.backward,
        forward_rows=partial(pieces.rows, pieces.cfc_forward),
        backward_rows=backward_rows,
        constants={"VARIANT": variant, **_numbers(weights)},
        swept=True,
    )


def _numbers(synapses: Synapses) -> dict[str, object]:
    return {"NUMBERS": len(synapses.of_edge)}


def _ltc_onto(values: Tensor) -> Tensor:
    """Slope, offset, w, w·E, E, such that s = 1 / (1 + 2^(slope·v + offset))."""
    w, mu, sigma, erev = values
    slope = _MINUS_LOG2_E * sigma
    return torch.stack((slope, -slope * mu, w, w * erev, erev))


def _ltc_back(values: Tensor) -> Tensor:
    """Slope, offset, w·σ, w·σ·E."""
    w, mu, sigma, erev = values
    slope = _MINUS_LOG2_E * sigma
    return torch.stack((slope, -slope * mu, w * sigma, w * sigma * erev))


def _ltc_gradients(values: Tensor, sums: Tensor) -> Tensor:
    """From the sums of `gpu.ltc.gather`."""
    w, mu, sigma, _ = values
    sum_as, sum_q, sum_qv, sum_sn = sums
    return torch.stack((sum_as, -w * sigma * sum_q, w * (sum_qv - mu * sum_q), w * sum_sn))


def _plain(*names: str) -> Synapses:
    """Weights, which kernels read as they are; a weight's sum is its gradient."""
    return Synapses(names, torch.Tensor.contiguous, torch.Tensor.contiguous, lambda _, sums: sums)


_LTC = Synapses(("w", "mu", "sigma", "erev"), _ltc_onto, _ltc_back, _ltc_gradients)
_RATE = _plain("w")
# Of the neurons with explicit solvers.
_SYNAPSES = {Family.LTC: _LTC, Family.RATE: _RATE}
