"""Promotion: by rank and spread, the front always, whatever the scales; the same calls give the
same promotions."""

import math

import numpy as np
import pytest

from wiring_search.analysis.pareto import is_front, rank
from wiring_search.search import promotion
from wiring_search.search.promotion import Ladder, leading
from wiring_search.store.config import StudyConfig
from wiring_search.workers.jobs import Rung

RUNGS = (Rung(0, 1, 4), Rung(1, 3, 4, 1), Rung(2, 9, 4, 3))


def _points(seed: int, count: int = 200, objectives: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 30, (count, objectives)).astype(float)  # with ties
    points[rng.random(count) < 0.05] = (math.nan, *[1.0] * (objectives - 1))
    points[rng.random(count) < 0.05, -1] = math.inf
    return points


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("share", [1 / 2, 1 / 3, 1 / 9])
def test_the_front_and_whole_ranks_go_on_and_of_the_last_one_as_many_as_fit(
    share: float, objectives: int
) -> None:
    for seed in range(10):
        points = _points(seed, objectives=objectives)
        chosen, ranks, front = (
            leading(points, share),
            rank(points),
            np.flatnonzero(is_front(points)),
        )
        assert len(set(chosen)) == len(chosen)
        assert set(front) <= set(chosen)
        assert (ranks[chosen] >= 0).all()
        wanted = int(len(points) * share)
        if len(front) >= wanted:
            assert set(chosen) == set(front)
            continue
        assert len(chosen) == wanted
        assert (np.diff(ranks[chosen]) >= 0).all()
        left_out = [r for p, r in enumerate(ranks) if r >= 0 and p not in set(chosen)]
        assert min(left_out) >= ranks[chosen].max()


def test_scales_do_not_matter() -> None:
    for seed in range(10):
        points = _points(seed)
        second = np.where(np.isfinite(points[:, 1]), -1 / (1 + points[:, 1]), points[:, 1])
        stretched = np.stack([np.exp(points[:, 0] / 7), second], axis=1)
        assert leading(points, 1 / 3).tolist() == leading(stretched, 1 / 3).tolist()


def test_a_rank_that_does_not_fit_is_promoted_by_spread() -> None:
    """Of a line of 101 points behind one that dominates them all, three are both ends and the
    middle."""
    line = np.stack([np.arange(101.0), np.arange(101.0)[::-1]], axis=1) + 1
    points = np.vstack([[(0.0, 0.0)], line])
    assert leading(points, 4 / 102).tolist() == [0, 1, 101, 51]


def test_points_that_are_not_finite_are_never_promoted() -> None:
    assert len(leading(np.full((5, 2), math.nan), 0.5)) == 0
    assert len(leading(np.empty((0, 2)), 0.5)) == 0


def _climb(
    seed: int, share: float = 1 / 3, trials: int = 300, pack: int = 8, together: bool = False
) -> list[tuple]:
    """All packs of a search in which a candidate's values are random and fixed, with noise at the
    lower rungs."""
    rng = np.random.default_rng(seed)
    true, noise = rng.random((trials, 2)), rng.normal(0, 0.1, (3, trials, 2))
    ladder, packs, asked = Ladder(RUNGS[:2] if together else RUNGS, share, pack, together), [], 0
    while True:
        found = ladder.next_pack(asked >= trials, under_way=0)
        if found is None and asked >= trials:
            return packs
        rung, members = found or (0, tuple(range(asked, asked + pack)))
        if found:
            ladder.promoted(rung, members)
        asked += 0 if found else pack
        packs.append((rung, members))
        for member in members:
            values = (
                None
                if member % 10 == 9
                else tuple(true[member % trials] + noise[rung][member % trials] * (2 - rung))
            )
            ladder.seen(rung, member, values)


@pytest.mark.parametrize("share", [1 / 2, 1 / 3])
def test_each_is_promoted_once_and_rung_by_rung(share: float) -> None:
    packs = _climb(0, share)
    assert _climb(0, share) == packs
    assert _climb(1, share) != packs
    by_rung = [[t for rung, members in packs if rung == r for t in members] for r in range(3)]
    for below, above in zip(by_rung, by_rung[1:], strict=False):
        assert len(set(above)) == len(above)
        assert set(above) < set(below)
        assert share * len(below) <= len(above) + 8
        assert len(above) < 1.5 * share * len(below)
    assert not any(trial % 10 == 9 for trial in by_rung[1]), "a failed trial was promoted"


def test_packs_are_full_until_nothing_new_is_asked_for() -> None:
    packs = _climb(0)
    last_asked = max(number for number, (rung, _) in enumerate(packs) if rung == 0)
    assert all(len(members) == 8 for _, members in packs[:last_asked])


def test_no_member_of_a_rungs_front_is_cut() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((200, 2))
    ladder = Ladder(RUNGS[:2], 1 / 100, 4)
    promoted = []
    for trial, values in enumerate(points):
        ladder.seen(0, trial, tuple(values))
        while found := ladder.next_pack(last=trial == 199, under_way=0):
            ladder.promoted(*found)
            promoted += found[1]
    assert set(np.flatnonzero(is_front(points))) <= set(promoted)


def test_one_epoch_waits_for_all() -> None:
    packs = _climb(0, share=1 / 9, together=True)
    rungs = [rung for rung, _ in packs]
    assert rungs == sorted(rungs)
    first = [t for rung, members in packs if rung == 1 for t in members]
    assert 30 <= len(first) <= 45


def test_a_large_rung_is_ranked_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ranked again for every twentieth more, not for every pack."""
    sizes: list[int] = []

    def counted(points: np.ndarray, share: float) -> np.ndarray:
        sizes.append(len(points))
        return leading(points, share)

    monkeypatch.setattr(promotion, "leading", counted)
    points = np.random.default_rng(0).random((5_000, 2))
    ladder = Ladder(RUNGS, 1 / 3, 16)
    for trial, values in enumerate(points):
        ladder.seen(0, trial, tuple(values))
        if trial % 16 == 15 and (found := ladder.next_pack(False, 0)):
            ladder.promoted(*found)
    assert len(sizes) < 150
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    ("pruning", "ends"),
    [("none", [81]), ("halving", [9, 27, 81]), ("median", [9, 27, 81]), ("one-epoch", [1, 81])],
)
def test_rungs_of_a_study(pruning: str, ends: list[int]) -> None:
    from wiring_search.search_spaces import load

    rungs = StudyConfig("digits", load("small").to_json(), epochs=81, pruning=pruning).rungs
    assert [rung.epochs for rung in rungs] == ends
    assert [rung.start for rung in rungs] == [
        0,
        *ends[:-1],
    ]
    assert [rung.number for rung in rungs] == list(range(len(ends)))
    deeper = StudyConfig(
        "digits", load("small").to_json(), epochs=81, pruning="halving", first_epochs=2, eta=4
    ).rungs
    assert [rung.epochs for rung in deeper] == [2, 6, 21, 81]
