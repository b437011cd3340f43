"""Networks whose state_dict says of what network it is.

Names and shapes of parameters do not: two wirings, two solvers or two modes may have the same.
"""

import json
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn


class Identified(nn.Module, ABC):
    """A module whose state_dict carries, beside the parameters, what gives them their meaning, as
    one integer tensor `_extra_state`, which every format of weights can keep.

    `load_state_dict` raises ValueError where it has another, before any parameter is changed; names
    that the saved meaning lacks are not compared. A state_dict without it, saved before there was
    one or made of `named_parameters()`, loads by names and shapes alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(_require_same_meaning)

    @abstractmethod
    def meaning(self) -> dict[str, Any]:
        """What gives the parameters their meaning, by name; JSON can hold it."""

    def get_extra_state(self) -> torch.Tensor:
        """`meaning` as the bytes of its JSON."""
        text = json.dumps(self.meaning()).encode()
        # int32, for sums of state_dicts do not overflow it.
        return torch.tensor(list(text), dtype=torch.int32, device="cpu")

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Nothing to set: `load_state_dict` has compared it."""


def _require_same_meaning(
    network: Identified, state_dict: dict[str, Any], prefix: str, *_: Any
) -> None:
    """Raises ValueError where a state_dict is of another network than this."""
    given = state_dict.setdefault(f"{prefix}_extra_state", network.get_extra_state())
    theirs = _decoded(given, prefix)
    ours = network.meaning()
    differing = [name for name in ours if theirs.get(name, ours[name]) != ours[name]]
    if differing:
        there, here = (
            ", ".join(f"{name} {values.get(name)!r}" for name in differing)
            for values in (theirs, ours)
        )
        raise ValueError(
            f"this state_dict is of a network with {there}; this network has {here}. Load it into "
            "a network like the one that it was saved from, or load "
            "dict(saved.named_parameters()) to take its parameters by name all the same"
        )


def _decoded(given: Any, prefix: str) -> dict[str, Any]:
    """A meaning from its tensor, also from one that was cast or averaged with the weights."""
    if isinstance(given, torch.Tensor) and given.ndim == 1 and not given.is_meta:
        try:
            meaning = json.loads(bytes(given.double().round().int().tolist()))
        except ValueError:  # no bytes, no text or no JSON
            meaning = None
        if isinstance(meaning, dict):
            return meaning
    raise ValueError(
        f"the entry {prefix}_extra_state of this state_dict does not say of what network it "
        "is; give it as it was saved, or leave the entry out to take the parameters by name"
    )
