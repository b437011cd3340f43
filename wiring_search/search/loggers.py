"""Loggers: a search's scalars for TensorBoard, MLflow and Weights & Biases. Off by default.

The store is the truth; a log is a courtesy. It never costs a result and never delays the search.
Each logger writes batches in a separate thread. If one fails, it says so once and is switched off.

The x axis, `step`, counts results: a candidate counts once per rung that it has finished. A row is
written when there are one per cent more results than at the last row, or after a minute, so a
search of a million candidates has no more rows than a short one. A resumed search continues the
same run and does not log restored results again.
"""

import difflib
import importlib.util
import json
import logging
import math
import os
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from wiring_search.search.events import Event, PackDone, Watcher
from wiring_search.search.monitor import Monitor
from wiring_search.store.config import StudyConfig

_GROWTH, _SECONDS = 1.01, 60.0  # between rows, whichever comes first
_SECONDS_PER_BATCH = 1.0  # in which rows are gathered before they are written
_SECONDS_TO_END = 10.0  # for the rows that are not written when the search ends
_MOST_METRICS = 1000  # that MLflow takes at once
_PROJECT = "wiring-search"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """Scalars at one moment.

    Attributes:
        step: Number of results so far.
        seconds: Time of the row, in seconds since 1970.
        values: Scalars by name.
    """

    step: int
    seconds: float
    values: dict[str, float]


class Sink(Protocol):
    """Where rows go. It is opened for the first row, and may raise any error."""

    def write(self, rows: Sequence[Row]) -> None:
        """Log rows, in order."""
        ...

    def close(self) -> None:
        """Finish the log: the search is at its end or stopped."""
        ...


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def loggers(
    names: Sequence[str], folder: Path, config: StudyConfig, report: Report = _to_stderr
) -> Iterator[Watcher]:
    """Log a search to `folder`/logs, or to where MLFLOW_TRACKING_URI, WANDB_MODE … point.

    On leaving, waits a few seconds for rows that are not written yet.

    Args:
        names: Names out of LOGGERS.
        folder: The study's folder.
        config: The study's settings.
        report: Called with one sentence if a logger fails, from its thread.

    Yields:
        The watcher to call with every event.

    Raises:
        ValueError: A name is unknown, or its package is not installed.
    """
    _check(names)
    writers = [
        _LogWriter(name, partial(LOGGERS[name], folder / "logs", config), report) for name in names
    ]
    try:
        yield _Series(config, writers) if writers else lambda event: None
    finally:
        until = time.monotonic() + _SECONDS_TO_END
        for writer in writers:
            writer.end()
        for writer in writers:
            writer.wait(until)


def _check(names: Sequence[str]) -> None:
    for name in names:
        if name not in LOGGERS:
            near = difflib.get_close_matches(name, LOGGERS, n=1)
            raise ValueError(
                f"log is {name!r}; "
                + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(LOGGERS)}")
            )
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"log {name!r} needs a package that is not installed; "
                f"pip install 'wiring-search[{name}]'"
            )


class _Series:
    """Turns events into rows."""

    def __init__(self, config: StudyConfig, writers: "list[_LogWriter]") -> None:
        self._monitor = Monitor(config)
        self._writers = writers
        self._results, self._since = 0, time.monotonic()

    def __call__(self, event: Event) -> None:
        self._monitor.take(event)
        if not isinstance(event, PackDone) or event.restored or not event.outcomes:
            return
        now = time.monotonic()
        last = self._monitor.decided == self._monitor.config.limit
        if (
            last
            or self._monitor.results >= self._results * _GROWTH
            or now >= self._since + _SECONDS
        ):
            self._results = self._monitor.results
            self._since = now
            row = Row(self._monitor.results, time.time(), _values(self._monitor))
            for writer in self._writers:
                writer.take(row)


def _values(monitor: Monitor) -> dict[str, float]:
    """The scalars that are known and finite, by name."""
    volume = monitor.hypervolume()
    rates = monitor.candidates_a_minute()
    values = {
        "candidates": monitor.decided,
        "full_budget": monitor.full,
        "failed": monitor.failed,
        "front_size": len(monitor.front.trials),
        "core_hours": monitor.meter.core_hours,
        "best_error": math.nan if monitor.best is None else monitor.best[1],
        "hypervolume": math.nan if volume is None else volume,
        "candidates_a_minute": math.nan if rates is None else rates[0],
    }
    if monitor.workers is not None:
        values["workers"] = monitor.workers
    for count in monitor.rungs if len(monitor.rungs) > 1 else ():
        values[f"rung_{count.rung.number}/trained"] = count.trained
        values[f"rung_{count.rung.number}/failed"] = count.diverged + count.crashed
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


class _LogWriter:
    """Writes rows to one sink, in a thread that the search does not wait for."""

    def __init__(self, name: str, open_sink: Callable[[], Sink], report: Report) -> None:
        self._name = name
        self._open_sink = open_sink
        self._report = report
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name=f"log {name}", daemon=True)
        self._thread.start()

    def take(self, row: Row) -> None:
        if not self._failed:
            self._rows.put(row)

    def end(self) -> None:
        self._rows.put(None)

    def wait(self, until: float) -> None:
        """Wait until all rows are written, or until that time."""
        self._thread.join(max(until - time.monotonic(), 0.0))
        if self._thread.is_alive():
            self._report(
                f"log {self._name}: the last values were not written in time; "
                "the results are complete"
            )

    def _run(self) -> None:
        sink: Sink | None = None
        try:
            ended = False
            while not ended:
                rows, ended = self._next_rows()
                if rows:
                    sink = sink or self._open_sink()
                    sink.write(rows)
            if sink is not None:
                sink.close()
        except Exception as failure:  # whatever happens to a log, the search goes on
            self._failed = True
            cause = str(failure).partition("\n")[0]
            self._report(
                f"log {self._name} failed and is switched off; the search continues: "
                f"{type(failure).__name__}: {cause}"
            )

    def _next_rows(self) -> tuple[list[Row], bool]:
        """The rows of the next second, and whether there will be no more."""
        rows: list[Row] = []
        row = self._rows.get()
        until = time.monotonic() + _SECONDS_PER_BATCH
        while row is not None:
            rows.append(row)
            try:
                row = self._rows.get(timeout=max(until - time.monotonic(), 0.0))
            except queue.Empty:
                return rows, False
        return rows, True


class TensorBoard:
    """Event files in `folder`/tensorboard: `tensorboard --logdir` shows them, beside those of other
    searches."""

    def __init__(self, folder: Path, config: StudyConfig) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event = event_pb2.Event
        self._summary = summary_pb2.Summary
        self._writer = EventFileWriter(str(folder / "tensorboard"))

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            values = [
                self._summary.Value(tag=name, simple_value=value)
                for name, value in row.values.items()
            ]
            self._writer.add_event(
                self._event(
                    wall_time=row.seconds, step=row.step, summary=self._summary(value=values)
                )
            )
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class MLflow:
    """A run in the experiment "wiring-search", at MLFLOW_TRACKING_URI or else in
    `folder`/mlflow.db."""

    def __init__(self, folder: Path, config: StudyConfig) -> None:
        # MLflow would print into the live view when it makes its tables.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        import sqlalchemy as sql
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        folder.mkdir(parents=True, exist_ok=True)
        self._metric = Metric
        beside = sql.URL.create(
            "sqlite", database=str((folder / "mlflow.db").absolute())
        ).render_as_string()
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or beside)
        known = folder / "mlflow-run"
        if known.exists():
            self._run = known.read_text(encoding="utf-8")
            self._client.update_run(self._run, status="RUNNING")
            return
        experiment = self._client.get_experiment_by_name(_PROJECT)
        if experiment:
            number = experiment.experiment_id
        else:
            number = self._client.create_experiment(_PROJECT)
        self._run = self._client.create_run(number, run_name=_title(config)).info.run_id
        self._client.log_batch(
            self._run,
            params=[Param(name, value[:500]) for name, value in _settings(config).items()],
        )
        known.write_text(self._run, encoding="utf-8")

    def write(self, rows: Sequence[Row]) -> None:
        metrics = [
            self._metric(name, value, round(1000 * row.seconds), row.step)
            for row in rows
            for name, value in row.values.items()
        ]
        for start in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._run, metrics=metrics[start : start + _MOST_METRICS])

    def close(self) -> None:
        self._client.set_terminated(self._run)


class Wandb:
    """A run in the project "wiring-search", where the settings of Weights & Biases say; files in
    `folder`/wandb."""

    def __init__(self, folder: Path, config: StudyConfig) -> None:
        import wandb

        # It would ask for a key in the live view, and wait.
        if os.environ.get("WANDB_MODE", "online") == "online" and not wandb.login(
            prompt=False, verify=False
        ):
            raise RuntimeError("not logged in; run `wandb login` first, or set WANDB_MODE=offline")
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / "wandb-run"
        if not known.exists():
            known.write_text(uuid.uuid4().hex[:8], encoding="utf-8")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            name=_title(config),
            id=known.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(folder),
            config=_settings(config),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:  # to a process of wandb, which sends many at once
            self._run.log(row.values, step=row.step)

    def close(self) -> None:
        self._run.finish()


LOGGERS: dict[str, Callable[[Path, StudyConfig], Sink]] = {
    "tensorboard": TensorBoard,
    "mlflow": MLflow,
    "wandb": Wandb,
}


def _title(config: StudyConfig) -> str:
    return f"{config.task}-{config.space_name or 'space'}-{config.seed}"


def _settings(config: StudyConfig) -> dict[str, str]:
    """The study's settings as text, without the space, which its name stands for."""
    settings: dict[str, Any] = config.to_json()
    del settings["space"]
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
