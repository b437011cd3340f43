"""Screening: the sample is what was asked for, correlations are scipy's, and the command says how
far to trust them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.support.studies import tiny_task
from wiring_search import search_spaces
from wiring_search.run import ONE_PROCESS, Resources, Run, screen, search, study_config
from wiring_search.run.commands.screen import merit, rank_sample, screen_pack
from wiring_search.scores.proxies import PROXIES, proxies
from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.sample import distinct_candidates
from wiring_search.workers.inline import InlinePool

SMALL = search_spaces.load("small")


def test_a_sample_has_the_number_of_candidates_asked_for_and_depends_on_the_seed_alone() -> None:
    points = list(distinct_candidates(SMALL, 40, 0))
    assert len({candidate.candidate_id for _, candidate in points}) == 40
    assert points == list(distinct_candidates(SMALL, 40, 0))
    assert points != list(distinct_candidates(SMALL, 40, 1))
    assert points[:10] == list(distinct_candidates(SMALL, 10, 0))


def test_a_small_space_gives_what_it_has() -> None:
    sizes = dict.fromkeys(
        ("inter", "command", "motor", "sensory_fanout", "inter_fanout", "motor_fanin"), Choice((2,))
    )
    space = Space("ncp", {"sensory": IntRange(1, 3), **sizes, "recurrent_synapses": Choice((0,))})
    assert len(list(distinct_candidates(space, 50, 0))) == 3


def test_draws_fill_their_ranges_evenly() -> None:
    """Kolmogorov–Smirnov against the distribution that the range promises."""
    space = Space(
        "fully_connected",
        {
            "sensory": IntRange(1, 20),
            "neurons": IntRange(4, 64, log=True),
            "motor": Choice((2,)),
            # fmt: skip
            "learning_rate": FloatRange(0.001, 0.1, log=True),
        },
    )
    rng = np.random.default_rng(0)
    points = [space.draw(rng) for _ in range(2000)]
    rates = np.log([point["learning_rate"] for point in points])
    assert stats.kstest(rates, stats.uniform(np.log(0.001), np.log(100)).cdf).pvalue > 0.01
    sizes = np.array([point["neurons"] for point in points])
    assert sizes.min() == 4
    assert sizes.max() == 64
    assert 0.45 < (sizes <= 16).mean() < 0.55
    counts = np.bincount([point["sensory"] for point in points], minlength=21)[1:]
    assert stats.chisquare(counts).pvalue > 0.01


def test_the_table_holds_every_candidate_once_with_its_own_proxies() -> None:
    task = tiny_task()
    calls: list[tuple[int, int]] = []
    table = rank_sample(
        SMALL,
        150,
        3,
        InlinePool(screen_pack, task),
        lambda done, count: calls.append((done, count)),
    )
    assert len(table) == 150
    assert calls[-1] == (150, 150)
    assert table["merit"].is_monotonic_decreasing
    row = table.iloc[7]
    point = {name: row[f"p.{name}"] for name in SMALL.dimensions}
    candidate = SMALL.build({name: value.item() for name, value in point.items()}, 3)
    assert candidate.candidate_id == row["candidate_id"]
    assert candidate.wiring.synapse_count == row["synapses"]
    again = proxies([candidate], task.features, 3)
    assert {name: float(again[name][0]) for name in PROXIES} == {
        name: row[name] for name in PROXIES
    }


@pytest.mark.ray
def test_workers_that_are_not_up_yet_screen_the_same(tmp_path: Path) -> None:
    config = study_config("digits", "small")
    here = screen(config, tmp_path / "here", 20, ONE_PROCESS)
    there = screen(config, tmp_path / "there", 20, Resources(workers=1))
    assert there.table["candidate_id"].tolist() == here.table["candidate_id"].tolist()
    assert there.table["merit"].tolist() == pytest.approx(here.table["merit"].tolist())


def test_a_space_without_a_feasible_candidate_is_refused() -> None:
    sizes = dict.fromkeys(
        ("sensory", "inter", "command", "motor", "inter_fanout", "motor_fanin"), Choice((2,))
    )
    space = Space(
        "ncp", {**sizes, "sensory_fanout": Choice((3,)), "recurrent_synapses": Choice((0,))}
    )
    with pytest.raises(ValueError, match="no feasible candidate among 1000 random points; widen"):
        rank_sample(space, 5, 0, InlinePool(screen_pack, tiny_task()))


def test_merit_rewards_each_proxy_and_punishes_what_is_not_finite() -> None:
    import pandas

    table = pandas.DataFrame(
        {
            "expressivity": [1.0, 2.0, np.nan],
            "gradient_slope": [-0.5, 0.1, 0.2],
            "kernel_rank": [3, 9, 5],
        }
    )
    assert merit(table).tolist() == pytest.approx(
        [(1 / 2 + 1 / 3 + 1 / 3) / 3, 1.0, (0 + 2 / 3 + 2 / 3) / 3]
    )


def test_screening_beside_a_study_says_what_the_proxies_predict(tmp_path) -> None:
    config = study_config(
        "digits", "small", trials=6, epochs=1, pack_size=3, ahead=2, scores=("robustness",)
    )
    run = search(config, tmp_path, ONE_PROCESS)
    found = screen(config, tmp_path, 20, ONE_PROCESS)
    assert len(found.table) == 20
    assert {
        "screen.csv",
        "screen.parquet",
        "proxies.csv",
        "proxies.png",
    } <= {path.name for path in tmp_path.iterdir()}
    assert found.trust is not None
    assert set(found.trust["proxy"]) == {
        "expressivity",
        "|gradient_slope|",
        "kernel_rank",
        "synapses",
    }
    assert set(found.trust["score"]) == {"error", "robustness"}
    ok = run.table()
    ok = ok[ok["status"] == "ok"]
    by_size = found.trust.set_index(["proxy", "score"]).loc[("synapses", "error")]
    assert by_size["correlation"] == pytest.approx(
        stats.spearmanr(ok["synapses"].astype(float), ok["error"]).statistic
    )
    with pytest.raises(ValueError, match="holds a study of another space"):
        screen(study_config("digits", "default"), tmp_path, 5, ONE_PROCESS)
    with pytest.raises(ValueError, match="candidates is 0; give 1 or more"):
        screen(config, tmp_path, 0, ONE_PROCESS)
    assert Run(tmp_path).score_share() > 0
