"""What a store keeps after the search: one reference point for good, each retraining once, each
opening of the test split before it."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.test_migrations import CANDIDATES
from tests.support import studies
from wiring_search.store import Retraining, Store
from wiring_search.workers.jobs import Outcome, Status

FIRST, SECOND = (Retraining(3, control, 0, CANDIDATES[0], 2**31) for control in ("", "rewired"))
OUTCOME = Outcome(Status.OK, 0.25, 0.75, 30, 13, 1.5, 2.5, (0.5, 0.25), b"weights")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with closing(studies.store(tmp_path)) as made:
        yield made


def test_the_first_reference_point_stays(store: Store) -> None:
    assert store.reference_point(("error", "synapses")) is None
    store.record_reference_point(("error", "synapses"), (1.0, 20.0))
    store.record_reference_point(("error", "synapses"), (9.0, 9.0))
    store.record_reference_point(("synapses", "error"), (30.0, 1.0))
    assert store.reference_point(("error", "synapses")) == (1.0, 20.0)
    assert store.reference_point(("synapses", "error")) == (30.0, 1.0)


def test_a_retraining_is_written_once_and_read_back(store: Store) -> None:
    assert store.retrainings().empty
    assert store.openings().empty
    lost = replace(
        OUTCOME,
        status=Status.DIVERGED,
        error=float("nan"),
        metric=float("nan"),
        state=None,
        message="why",
    )
    store.record_retrainings({FIRST: OUTCOME, SECOND: lost}, "me")
    with pytest.raises(ValueError, match="has one of these retrainings already"):
        store.record_retrainings({replace(FIRST, draw=1): OUTCOME, FIRST: OUTCOME}, "me")
    table = store.retrainings()
    assert table[["trial", "control", "draw"]].to_numpy().tolist() == [
        [3, "", 0],
        [3, "rewired", 0],
    ]
    assert table["status"].tolist() == ["ok", "diverged"]
    assert table["error"].isna().tolist() == [
        False,
        True,
    ]
    assert table["opening"].isna().all()
    assert table["data_seed"].tolist() == [2**31] * 2
    assert store.retrained_networks([SECOND.key, FIRST.key]) == [
        (SECOND, None),
        (FIRST, b"weights"),
    ]


def test_the_test_split_is_opened_once_a_network(store: Store) -> None:
    with pytest.raises(ValueError, match="not trained well"):
        store.record_opening("winners", [FIRST.key])
    store.record_retrainings({FIRST: OUTCOME, SECOND: OUTCOME}, "me")
    with pytest.raises(ValueError, match="was not opened for"):
        store.record_test_scores({FIRST.key: (0.5, 0.5)})
    assert store.record_opening("winners", [FIRST.key]) == 1
    with pytest.raises(ValueError, match="opening 1 of the test split was for network .* already"):
        store.record_opening("again", [SECOND.key, FIRST.key])
    store.record_test_scores({FIRST.key: (0.5, 0.5)})
    with pytest.raises(ValueError, match="test scores are recorded already"):
        store.record_test_scores({FIRST.key: (0.1, 0.9)})
    assert store.record_opening("controls", [SECOND.key]) == 2
    assert store.openings()[["opening", "purpose", "networks"]].to_numpy().tolist() == [
        [1, "winners", [FIRST.key]],
        [2, "controls", [SECOND.key]],
    ]
    assert store.retrainings()["test_error"].tolist()[0] == 0.5
