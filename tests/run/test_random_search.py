"""Random search beside a study: the same settings, as many candidates, its own store; resumed,
and drawn in the study's report."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.studies import fake_train, store, tiny_task
from wiring_search.cli import app
from wiring_search.run import ONE_PROCESS, Run, resume, search, search_randomly, study_config
from wiring_search.search import study
from wiring_search.search.budget import Budget
from wiring_search.store import Store
from wiring_search.workers.inline import InlinePool


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("beside") / "run"
    search(
        study_config("digits", "small", trials=3, epochs=1, pack_size=3, ahead=1, scores=()),
        out,
        ONE_PROCESS,
    )
    return out


def test_it_has_the_studys_settings_and_as_many_candidates(studied: Path) -> None:
    done = search_randomly(studied, ONE_PROCESS)
    own = Run(studied).config
    assert done.folder == studied / "random"
    assert done.ended
    assert done.config == replace(own, sampler="random")
    assert len(done.table()) >= 3
    assert "random search with the same settings" in Run(studied).report.read_text(encoding="utf-8")
    with closing(Store.open(studied)) as one, closing(Store.open(done.folder)) as other:
        assert one.facts == other.facts
    before = done.table()
    assert search_randomly(studied, ONE_PROCESS).table().equals(before)  # nothing is trained again


def test_it_resumes_where_it_stopped_and_as_far_as_the_study(studied: Path) -> None:
    resume(studied, ONE_PROCESS, trials=6)
    stopped = search_randomly(studied, ONE_PROCESS, Budget(minutes=1e-6))
    assert not stopped.ended
    assert stopped.config.trials == 6
    whole = search_randomly(studied, ONE_PROCESS)
    assert whole.ended
    assert (whole.table()["status"] == "ok").sum() == 6


def test_the_command_resumes_it_and_shows_its_front(studied: Path) -> None:
    resume(studied, ONE_PROCESS, trials=9)
    ran = CliRunner().invoke(app, ["random", str(studied), "--workers", "0", "--quiet"])
    assert ran.exit_code == 0, ran.output
    assert "Pareto front" in ran.output
    assert "report.html" in ran.output
    assert Run(studied / "random").ended
    assert Run(studied / "random").config.trials == 9


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    store(tmp_path / "empty").close()
    with pytest.raises(ValueError, match="has no candidate yet"):
        search_randomly(tmp_path / "empty", ONE_PROCESS)
    store(tmp_path / "random", sampler="random").close()
    with pytest.raises(ValueError, match="is random search itself"):
        search_randomly(tmp_path / "random", ONE_PROCESS)


def test_another_study_in_its_folder_is_refused(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=3)
    study.search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    store(tmp_path / "random", sampler="random", epochs=9).close()
    with pytest.raises(ValueError, match="holds a study with other settings .epochs 9, not 2"):
        search_randomly(tmp_path, ONE_PROCESS)
