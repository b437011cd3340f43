"""A run keeps the baselines that were trained, and a search does not see them."""

from pathlib import Path

import pytest

from tests.support.studies import FACTS, config, fake_train, tiny_task
from wiring_search.run import BaselineDone, Run, train_baselines
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.workers.inline import InlinePool


def _ended(folder: Path) -> Store:
    mine = Store.create(folder, config(trials=6, epochs=1), {**FACTS, "rules": {}})
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    return mine


def test_a_run_keeps_its_baselines_and_trains_none_twice(tmp_path: Path) -> None:
    before = _ended(tmp_path).table()
    told: list = []
    run = train_baselines(tmp_path, ("rnn-4", "lstm-4", "auto-ncp-16"), told.append)
    done = [event for event in told if isinstance(event, BaselineDone)]
    assert [(event.name, event.done, event.count) for event in done] == [
        ("rnn-4", 1, 3),
        ("lstm-4", 2, 3),
        ("auto-ncp-16", 3, 3),
    ]
    assert [event.epoch for event in told if not isinstance(event, BaselineDone)] == [1, 1, 1]
    table = run.table()
    assert table["baseline"].tolist() == [""] * len(before) + ["rnn-4", "lstm-4", "auto-ncp-16"]
    assert table[: len(before)].equals(before)
    assert table["synapses"].tolist()[-3:-1] == [4 * 12, 4 * 12]
    assert "auto-ncp-16" in run.report.read_text(encoding="utf-8")
    told.clear()
    assert (
        train_baselines(tmp_path, ("rnn-4", "lstm-4", "auto-ncp-16"), told.append)
        .table()
        .equals(table)
    )
    assert not told
    longer = train_baselines(tmp_path, ("rnn-4", "rnn-8")).table()
    assert longer[: len(table)].equals(table)
    assert longer["baseline"].tolist()[len(table) :] == ["rnn-8"]


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    _ended(tmp_path)

    def stop(event: object) -> None:
        if isinstance(event, BaselineDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_baselines(tmp_path, ("rnn-4", "rnn-8"), stop)
    assert Run(tmp_path).table()["baseline"].tolist()[-1] == "rnn-4"
    assert Run(tmp_path).report.is_file()
    assert train_baselines(tmp_path, ("rnn-4", "rnn-8")).table()["baseline"].tolist()[-2:] == [
        "rnn-4",
        "rnn-8",
    ]


def test_a_search_resumes_as_if_there_were_no_baselines(tmp_path: Path) -> None:
    """Stopped after its first pack, given baselines, and resumed: the sampler does not see the
    baselines."""
    whole = _ended(tmp_path / "whole").table()
    mine = Store.create(tmp_path / "cut", config(trials=6, epochs=1), {**FACTS, "rules": {}})

    def stop(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(mine.config, mine, InlinePool(fake_train, tiny_task()), stop)
    train_baselines(tmp_path / "cut", ("rnn-4",))
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    table = mine.table()
    assert table[table["baseline"] == ""].equals(whole)
    assert table["baseline"].tolist()[-1] == "rnn-4"
