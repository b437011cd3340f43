"""Which way of searching finds the best front at equal cost? Pruning, what the sampler hears of who
was cut, inheritance.

    python benchmarks/ways.py      (all ways, five seeds, digits: half an hour on two cores)
    python benchmarks/ways.py --ways "none;halving, pruned" --seeds 3 --full 24
    python benchmarks/ways.py --task half-cheetah --data DIR

The cost is work, not time: synapse updates of training, which no other process on the machine can
disturb. Every way gets as much as training `--full` candidates of the space for the full budget
takes. What counts is the hypervolume of the front of those that got the full budget, error against
the logarithm of synapses, below a fixed reference: as the search found it, and with every member
trained afresh from other initial weights, which takes away luck, and the head start of inherited
weights. Each run is one process on one core.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from wiring_search.store.config import StudyConfig

# Hypervolumes lie below these, for errors that are shares, and for mean squared errors of
# half-cheetah.
REFERENCES = {"digits": (0.9, np.log2(512)), "half-cheetah": (17.8, np.log2(1024))}
WAYS: dict[str, dict] = {
    "none": {"pruning": "none"},
    "none, random": {"pruning": "none", "sampler": "random"},
    "halving, pruned": {"pruning": "halving", "cut_as": "pruned"},
    "halving, left-out": {"pruning": "halving", "cut_as": "left-out"},
    "halving, low-fidelity": {"pruning": "halving", "cut_as": "low-fidelity"},
    "halving, random": {"pruning": "halving", "sampler": "random"},
    "median": {"pruning": "median", "cut_as": "low-fidelity"},
    "one-epoch": {"pruning": "one-epoch", "cut_as": "low-fidelity"},
    "evolution, afresh": {"pruning": "none", "sampler": "evolution"},
    "evolution, inheriting": {"pruning": "none", "sampler": "evolution", "inherit": True},
    "halving, evolution, afresh": {"pruning": "halving", "sampler": "evolution"},
    "halving, evolution, inheriting": {
        "pruning": "halving",
        "sampler": "evolution",
        "inherit": True,
    },
}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--ways", help="some of them, by semicolons")
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument(
        "--full", type=int, default=40, help="cost, in candidates with the full budget"
    )
    arguments.add_argument("--epochs", type=int, default=60)
    arguments.add_argument("--task", choices=[*REFERENCES], default="digits")
    arguments.add_argument("--data", help="folder of tasks that read one")
    arguments.add_argument("--space", default="default")
    arguments.add_argument(
        "--out", help="a JSON file for all that was found; what is in it already is not run again"
    )
    given = arguments.parse_args()

    ways = [name.strip() for name in given.ways.split(";")] if given.ways else list(WAYS)
    found: dict[str, list[dict]] = {way: [] for way in ways}
    if given.out and Path(given.out).exists():
        found |= json.loads(Path(given.out).read_text())
    done = {(way, result["seed"]) for way, results in found.items() for result in results}
    runs = [
        (way, seed, vars(given))
        for seed in range(given.seeds)
        for way in ways
        if (way, seed) not in done
    ]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for number, (way, result) in enumerate(pool.imap_unordered(run, runs), start=1):
            found[way].append(result)
            print(f"{number} of {len(runs)}: {way}: {result['hypervolume']:.3f}", file=sys.stderr)
            if given.out:
                Path(given.out).write_text(json.dumps(found))
    print(
        f"{given.task}, {given.space}, {given.epochs} epochs, cost of {given.full} candidates, "
        f"{given.seeds} seeds\n"
    )
    print(
        "| way | hypervolume | trained afresh | candidates | with the full budget | on the front "
        "|\n|---|---|---|---|---|---|"
    )
    for way in sorted(ways, key=lambda way: -np.mean([r["afresh"] for r in found[way]])):
        columns = [
            np.array([result[name] for result in found[way]], float)
            for name in ("hypervolume", "afresh")
        ]
        row = " | ".join(
            f"{values.mean():.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
            for values in columns
        )
        counts = " | ".join(
            f"{np.mean([result[name] for result in found[way]]):.0f}"
            for name in ("trials", "full", "front")
        )
        print(f"| {way} | {row} | {counts} |")


def run(arguments: tuple[str, int, dict]) -> tuple[str, dict]:
    """One search."""
    way, seed, given = arguments
    import torch

    from wiring_search import tasks
    from wiring_search.networks.kernels.cpu import set_thread_count
    from wiring_search.scores.evaluate import train_and_score
    from wiring_search.search.events import PackDone
    from wiring_search.search.monitor import expected_epochs
    from wiring_search.search.study import search
    from wiring_search.search_spaces import load as load_space
    from wiring_search.store import Store
    from wiring_search.workers.inline import InlinePool

    set_thread_count(1)
    torch.set_num_threads(1)
    task = tasks.load(given["task"], tasks.TaskOptions(data=given["data"]))
    config = StudyConfig(
        task=given["task"],
        space=load_space(given["space"]).to_json(),
        epochs=given["epochs"],
        batch_size=64 if given["task"] == "digits" else 128,
        trials=100_000,
        seed=1000 + seed,
        scores=(),
        ahead=2,
        **WAYS[way],
    )
    facts = {
        "metric": task.metric,
        "rules": {},
        "source": "",
        "features": task.features,
        "outputs": task.outputs,
    }
    if (
        config.pruning == "one-epoch"
    ):  # it compares all candidates before any goes on: there must be an end to them
        config = replace(
            config, trials=round(given["full"] * given["epochs"] / expected_epochs(config))
        )
    allowed, spent = given["full"] * mean_work(config, given["epochs"]), 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Store.create(Path(folder), config, facts)) as store,
    ):

        def watch(event: object) -> None:
            nonlocal spent
            if isinstance(event, PackDone):
                rung = config.rungs[event.rung]
                candidates = store.candidates(list(event.outcomes))
                spent += sum(candidate.updates for candidate in candidates) * (
                    rung.epochs - rung.start
                )

        search(
            config,
            store,
            InlinePool(train_and_score, task),
            watch,
            lambda: "spent" if spent > allowed else None,
        )
        table = store.table()
        from wiring_search.analysis.table import front

        best = front(table, config.objectives)
        members = store.candidates([int(trial) for trial in best["trial"]])
    afresh = retrained(task, config, members, seed=zlib.crc32(way.encode()) % 1000 + 5000 + seed)
    reference = REFERENCES[given["task"]]
    return way, {
        "seed": seed,
        "hypervolume": volume(best["error"], best["synapses"], reference),
        "afresh": volume(afresh, best["synapses"], reference),
        "trials": int((table["status"].isin(["ok", "pruned", "diverged"])).sum()),
        "full": int((table["status"] == "ok").sum()),
        "front": len(best),
        "points": best[["error", "synapses"]].astype(float).to_numpy().tolist(),
    }


def volume(errors, synapses, reference) -> float:
    from wiring_search.analysis.pareto import hypervolume

    return hypervolume(
        np.stack([np.asarray(errors, float), np.log2(np.asarray(synapses, float))], axis=1),
        reference,
    )


def retrained(task, config: StudyConfig, candidates, seed: int) -> list[float]:
    """Errors of these candidates from other initial weights, with other minibatches, for the full
    budget."""
    from wiring_search.training.loop import train
    from wiring_search.workers.jobs import PackJob, Rung

    jobs = tuple(replace(candidate, seed=seed) for candidate in candidates)
    return [
        o.error
        for o in train(
            task, PackJob(0, Rung(0, config.epochs, config.batch_size), jobs, seed)
        ).outcomes
    ]


def mean_work(config: StudyConfig, epochs: int) -> float:
    """Of a random candidate of the space."""
    from itertools import islice

    from wiring_search.search_spaces import Space
    from wiring_search.search_spaces.sample import distinct_candidates

    drawn = islice(distinct_candidates(Space.from_json(config.space), 200, 0), 200)
    return float(np.mean([candidate.updates for _, candidate in drawn])) * epochs


if __name__ == "__main__":
    main()
