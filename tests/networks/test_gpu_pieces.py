"""A program of the GPU kernels works in as many rows as one formula says, and in no others."""

import numpy as np
import pytest
import torch

from tests.support.random_packs import inputs, parameters
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.wirings.topologies import ncp, random_sparse

pytest.importorskip("triton", reason="Triton is not installed: pip install 'wiring-search[gpu]'")

from tests.support.gpu_against_reference import DEVICE, on_device  # noqa: E402
from wiring_search.networks.kernels import gpu  # noqa: E402
from wiring_search.networks.kernels.gpu import pieces  # noqa: E402
from wiring_search.networks.kernels.gpu.layout import ROWS  # noqa: E402

GUARD = 4096
KINDS = [
    Kind("ltc", "semi-implicit", "state"),
    Kind("ct-rnn", "heun", "input"),
    Kind("cfc", "closed-form", "state"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "/".join(kind))
def test_no_program_writes_beside_its_memory(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels write between guards of NaN, which do not change."""
    allocated, new_empty = [], torch.Tensor.new_empty

    def guarded(like: torch.Tensor, size: int | tuple[int, ...], **options: object) -> torch.Tensor:
        if options:  # asked for by Triton's interpreter
            return new_empty(like, size, **options)
        numbers = int(np.prod(size))
        whole = torch.full((numbers + 2 * GUARD,), torch.nan, device=like.device)
        allocated.append(whole)
        return whole[GUARD : GUARD + numbers].view(size)

    rng = np.random.default_rng(15)
    wirings = (
        ncp(2, 3, 2, 2, 2, 2, 2, 1, seed=1),
        random_sparse(3, ROWS + 1, 2, 5, 2 * ROWS, seed=2),
    )
    layout = PackLayout(wirings, (2, 1), 2, None, kind)
    params, *others = on_device(parameters(layout, rng), *inputs(layout, rng, 4, 2, True))
    gpu_layout = gpu.to_device(layout, DEVICE)
    monkeypatch.setattr(torch.Tensor, "new_empty", guarded)
    y, final, kept = gpu.forward(gpu_layout, params, *others, True)
    gpu.backward(gpu_layout, params, kept, y.cos(), final.sin(), True)
    # History, readouts, final state; ∂ of the elapsed times, and what the way back works in.
    assert len(allocated) == 5
    for whole in allocated:
        assert whole[:GUARD].isnan().all()
        assert whole[-GUARD:].isnan().all()


FORMULAS = [
    (pieces.ltc_forward, (6,)),
    (pieces.cfc_forward, (6,)),
    (pieces.explicit_forward, (6, 1)),
    (pieces.explicit_forward, (6, 2)),
]


@pytest.mark.parametrize(("formula", "more"), FORMULAS)
def test_rows_of_several_candidates_add_up(formula, more: tuple[int, ...]) -> None:
    """A kernel finds the history of a candidate by the sizes of all candidates before it."""
    one, other, both = (5, 2, 3), (7, 4, 1), (12, 6, 4)
    together = pieces.rows(formula, *one, *more) + pieces.rows(formula, *other, *more)
    assert pieces.rows(formula, *both, *more) == together


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        *FORMULAS,
        (pieces.ltc_backward, (3,)),
        (pieces.cfc_backward, ()),
        (pieces.explicit_backward, (4, 2)),
    ],
)
def test_no_piece_is_shorter_than_a_row_of_its_kind(formula, more: tuple[int, ...]) -> None:
    starts = [int(start) for start in formula.fn(0, 5, 2, 3, *more)]
    assert min(np.diff(starts)) >= 2
