"""Logs of a made-up search, read back with the readers of the programs that show them."""

import importlib.util
import math
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support import made_up_events
from wiring_search.search import loggers as logs
from wiring_search.search.events import Event, PackDone
from wiring_search.search.loggers import loggers
from wiring_search.store.config import StudyConfig


def _logged(
    names: Sequence[str], folder: Path, config: StudyConfig, events: Sequence[Event]
) -> list[str]:
    """Log the events. Returns the reports of failures."""
    reports: list[str] = []
    with loggers(names, folder, config, reports.append) as watch:
        for event in events:
            watch(event)
    return reports


def _halves(config: StudyConfig) -> tuple[list[Event], list[Event]]:
    """The events of a search that stops in its middle, and those of the search that resumes it,
    with the earlier results restored."""
    whole = list(made_up_events.events(config))
    middle = len(whole) // 2
    done = [
        PackDone(e.pack, e.outcomes, True, e.rung)
        for e in whole[:middle]
        if isinstance(e, PackDone)
    ]
    return whole[:middle], whole[:3] + done + whole[middle:]


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    found = reader.EventAccumulator(
        str(folder / "logs" / "tensorboard"), size_guidance={"scalars": 0}
    ).Reload()
    return {
        tag: [(point.step, point.value) for point in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def _expected(config: StudyConfig) -> dict[str, float]:
    """The last values, counted anew."""
    done = [event for event in made_up_events.events(config) if isinstance(event, PackDone)]
    outcomes = [(event.rung, outcome) for event in done for outcome in event.outcomes.values()]
    last = len(config.rungs) - 1
    full = [
        outcome.error
        for rung, outcome in outcomes
        if rung == last and not math.isnan(outcome.error)
    ]
    return {
        "candidates": config.trials,
        "failed": sum(math.isnan(outcome.error) for _, outcome in outcomes),
        "full_budget": len(full),
        "best_error": min(full),
        "rung_1/trained": sum(rung == 1 for rung, _ in outcomes),
    }


def test_tensorboard_has_every_scalar_over_the_results(tmp_path: Path) -> None:
    config = made_up_events.halving(256)
    assert _logged(["tensorboard"], tmp_path, config, list(made_up_events.events(config))) == []
    scalars = _scalars(tmp_path)
    for name, value in _expected(config).items():
        assert scalars[name][-1][1] == pytest.approx(value, rel=1e-6)
    steps = [step for step, _ in scalars["candidates"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == sum(
        len(e.outcomes) for e in made_up_events.events(config) if isinstance(e, PackDone)
    )
    volumes = [value for _, value in scalars["hypervolume"]]
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[0]


def test_a_search_that_goes_on_logs_nothing_twice(tmp_path: Path) -> None:
    config = made_up_events.halving(64)
    for part in _halves(config):
        assert _logged(["tensorboard"], tmp_path / "parts", config, part) == []
    assert (
        _logged(["tensorboard"], tmp_path / "whole", config, list(made_up_events.events(config)))
        == []
    )
    timed = ("candidates_a_minute", "core_hours")
    parts, whole = _scalars(tmp_path / "parts"), _scalars(tmp_path / "whole")
    assert parts.keys() == whole.keys()
    assert all(parts[name] == whole[name] for name in whole if name not in timed)


def test_a_large_search_has_few_rows(tmp_path: Path) -> None:
    config = made_up_events.halving(20_000)
    _logged(["tensorboard"], tmp_path, config, list(made_up_events.events(config)))
    assert 300 < len(_scalars(tmp_path)["candidates"]) < 1000


def test_nothing_is_written_where_nothing_was_trained(tmp_path: Path) -> None:
    _, (*again,) = _halves(made_up_events.halving(16))
    restored = [event for event in again if getattr(event, "restored", False)]
    assert restored
    assert _logged(["tensorboard"], tmp_path, made_up_events.halving(16), restored) == []
    assert not list(tmp_path.iterdir())


def test_unknown_names_and_missing_packages_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="log is 'tensorbord'; did you mean 'tensorboard'"):
        _logged(["tensorbord"], tmp_path, made_up_events.halving(8), [])
    with pytest.raises(ValueError, match="known: tensorboard, mlflow, wandb"):
        _logged(["xyz"], tmp_path, made_up_events.halving(8), [])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'wiring-search\[mlflow\]'"):
        _logged(["mlflow"], tmp_path, made_up_events.halving(8), [])


class _Failing:
    def __init__(self, folder: Path, config: StudyConfig) -> None:
        pass

    def write(self, rows: Sequence[logs.Row]) -> None:
        raise ConnectionError("server gone\nwith details")

    def close(self) -> None:
        raise AssertionError("it is not called any more")


def test_a_logger_that_fails_is_told_of_once_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOGGERS", {**logs.LOGGERS, "mlflow": _Failing})
    monkeypatch.setattr(logs, "_SECONDS_PER_BATCH", 0.0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    config = made_up_events.halving(32)
    heard: list[str] = []
    with loggers(["mlflow", "tensorboard"], tmp_path, config, heard.append) as watch:
        for event in made_up_events.events(config):
            watch(event)
            time.sleep(0.01 if isinstance(event, PackDone) else 0)
    assert heard == [
        "log mlflow failed and is switched off; the search continues: ConnectionError: server gone"
    ]
    assert _scalars(tmp_path)["candidates"][-1][1] == 32


def test_a_logger_that_hangs_does_not_delay_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, written = threading.Event(), threading.Event()

    class Hanging(_Failing):
        def write(self, rows: Sequence[logs.Row]) -> None:
            release.wait(60)
            written.set()

        def close(self) -> None:
            pass

    monkeypatch.setattr(logs, "LOGGERS", {"wandb": Hanging})
    monkeypatch.setattr(logs, "_SECONDS_TO_END", 0.2)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    config = made_up_events.halving(32)
    heard = _logged(["wandb"], tmp_path, config, list(made_up_events.events(config)))
    assert not written.is_set(), "the search waited for its logger"
    release.set()
    assert len(heard) == 1
    assert "were not written in time" in heard[0]


@pytest.mark.slow
def test_mlflow_has_one_run_with_settings_and_every_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(logs, "_SECONDS_TO_END", 600.0)
    config = made_up_events.halving(64)
    for part in _halves(config):
        assert _logged(["mlflow"], tmp_path, config, part) == []
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("wiring-search").experiment_id])
    assert run.data.params["pruning"] == "halving"
    assert run.data.params["epochs"] == "60"
    assert run.info.status == "FINISHED"
    for name, value in _expected(config).items():
        assert run.data.metrics[name] == pytest.approx(value)
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "candidates")]
    assert len(steps) == len(set(steps)) > 8


def _records(file: Path) -> Iterator[bytes]:
    """Records of a file of Weights & Biases, which is a log of LevelDB with seven bytes before it:
    blocks of 32 KiB, in them pieces with their checksum, length and type (1 whole, 2 first, 3
    middle, 4 last)."""
    data, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        if at + 7 + length > len(data):
            return
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


@pytest.mark.slow
def test_wandb_has_the_values_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(logs, "_SECONDS_TO_END", 600.0)
    config = made_up_events.halving(32)
    assert _logged(["wandb"], tmp_path, config, list(made_up_events.events(config))) == []
    (file,) = (tmp_path / "logs" / "wandb").glob("offline-run-*/run-*.wandb")
    end, records = time.monotonic() + 600, []
    # A process of wandb writes the file, a little later.
    while not any(record.HasField("exit") for record in records):
        assert time.monotonic() < end
        time.sleep(0.1)
        records = [wandb_internal_pb2.Record.FromString(record) for record in _records(file)]
    last: dict[str, float] = {}
    for record in records:
        last |= {
            item.key or "/".join(item.nested_key): float(item.value_json)
            for item in record.history.item
        }
    for name, value in _expected(config).items():
        assert last[name] == pytest.approx(value)


@pytest.mark.slow
def test_wandb_does_not_ask_for_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (heard,) = _logged(
        ["wandb"],
        tmp_path / "run",
        made_up_events.halving(16),
        list(made_up_events.events(made_up_events.halving(16))),
    )
    assert heard.startswith("log wandb failed")
    assert "not logged in; run `wandb login` first" in heard
