"""A search on the console: its start, its progress, its front, and how to resume it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wiring_search.cli.options import console, errors
from wiring_search.cli.tables import plain, show_front

if TYPE_CHECKING:
    from wiring_search.run import Resources, Run
    from wiring_search.search.budget import Budget
    from wiring_search.search.events import Watcher
    from wiring_search.store.config import StudyConfig

# The exit code of a process that a signal ends, as shells count.
_EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}


@dataclass(frozen=True)
class Following:
    """A search to follow.

    Attributes:
        config: Its settings.
        folder: Its run folder, which may not exist yet.
        resources: What it runs on.
        budget: Of this call.
        quiet: Whether to show the result only.
        logs: The names of loggers.
    """

    config: "StudyConfig"
    folder: Path
    resources: "Resources"
    budget: "Budget"
    quiet: bool
    logs: tuple[str, ...]


def follow(
    search: Following,
    start: "Callable[[Watcher], Run]",
    baselines: bool = False,
    resume_with: str = "",
) -> None:
    """Run a search, show its progress, then its front.

    Args:
        search: What is searched.
        start: Runs the search with a watcher.
        baselines: Whether to train the baselines afterwards.
        resume_with: The command that resumes it, if not `resume`.

    Raises:
        typer.Exit: A signal stopped the search.
    """
    from wiring_search.cli.progress import shown
    from wiring_search.search.events import Event, Stopped
    from wiring_search.search.loggers import loggers
    from wiring_search.workers.signals import Terminated, sigterm_raises

    config = search.config
    folder = search.folder
    if not search.quiet:
        _announce(search)
    stops: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, Stopped):
            stops.append(event.reason)
        seen(event)
        log(event)

    def warn(text: str) -> None:
        errors.print(plain(text), soft_wrap=True)

    try:
        with (
            sigterm_raises(),
            shown(config, console, search.quiet, search.budget) as seen,
            loggers(search.logs, folder, config, warn) as log,
        ):
            done = start(watch)
    except KeyboardInterrupt as stop:
        reason = "SIGTERM" if isinstance(stop, Terminated) else "SIGINT"
        _say_how_to_resume(folder, reason, resume_with)
        raise typer.Exit(_EXIT_CODES[reason]) from None
    if baselines and not stops:
        done = train_baselines(folder, (), search.quiet)
    show_front(done)
    if config.scores:
        console.print(f"Scoring took {done.score_share():.0%} of the training time.")
    console.print(f"\nReport: {plain(str(done.report))}", soft_wrap=True)
    if stops:
        _say_how_to_resume(folder, stops[0], resume_with)
        raise typer.Exit(_EXIT_CODES.get(stops[0], 0))


def train_baselines(folder: Path, only: tuple[str, ...], quiet: bool) -> "Run":
    """Train baselines and show their progress.

    Args:
        folder: The run folder.
        only: Names of baselines; all where there is none.
        quiet: Whether to show the result only.

    Raises:
        typer.Exit: Ctrl-C stopped it.
    """
    from wiring_search import run
    from wiring_search.cli.progress import baselines_shown

    task = run.Run(folder).config.task
    if not quiet:
        console.print(
            f"Training baselines on {task} into {plain(str(folder))} "
            "(Ctrl-C stops; nothing finished is lost)",
            soft_wrap=True,
        )
    try:
        with baselines_shown(console, quiet) as watch:
            return run.train_baselines(folder, only, watch)
    except KeyboardInterrupt:
        again = f"wiring-search baselines {plain(str(folder))}"
        errors.print(f"\nStopped. Finished work is kept. Resume with:  {again}", soft_wrap=True)
        raise typer.Exit(130) from None


def _announce(search: Following) -> None:
    from wiring_search.run import Run
    from wiring_search.store import exists

    folder = search.folder
    there = exists(folder)
    if there and Run(folder).ended and Run(folder).config.trials == search.config.trials:
        start = f"The search in {folder} has ended. This is its result."
    else:
        verb = "Resuming" if there else "Searching into"
        start = f"{verb} {folder} (Ctrl-C stops; nothing finished is lost)"
    console.print(plain(start), soft_wrap=True)
    ahead = search.config.ahead
    workers = search.resources.workers or os.cpu_count() or 1
    if workers > ahead:
        console.print(
            f"Only {ahead} of {workers} workers will be busy at once. "
            f"A new search with --ahead {workers + 1} uses all."
        )


def _say_how_to_resume(folder: Path, reason: str, resume_with: str) -> None:
    from wiring_search.store import exists

    again = resume_with or f"wiring-search resume {folder}"
    kept = f"Finished work is kept. Resume with:  {plain(again)}"
    nothing = "Nothing was trained yet."
    errors.print(
        f"\nStopped: {reason}. {kept if exists(folder) else nothing}",
        soft_wrap=True,
    )
