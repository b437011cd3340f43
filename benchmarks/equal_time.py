"""Equal wall time on half-cheetah: with halving, without, and the plain way (Ray Tune's
OptunaSearch, one `ncps` network a trial).

    python benchmarks/equal_time.py --data DIR --minutes 15             (three quarters of an hour)
    python benchmarks/equal_time.py --data DIR --plain plain.json       (reuses the points that
                                                    `plain_way.py --points` wrote)

One after the other, each with all cores, the same space, windows, batch size and full budget of 60
epochs; validation errors. A candidate is judged when it has trained for the full budget, or when
halving has compared it with all others at its rung and not promoted it. The hypervolume is that of
the front of those with the full budget, mean squared error against the logarithm of synapses, below
the error of always predicting the mean (17.8) and 1,024 synapses.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from wiring_search.analysis.pareto import hypervolume
from wiring_search.run import Run

REFERENCE = (17.8, np.log2(1024))
WAYS = {
    "no pruning, TPE": [],
    "halving, TPE": ["--pruning", "halving"],
    "halving, evolution": ["--pruning", "halving", "--sampler", "evolution"],
}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", required=True, help="folder of the half-cheetah traces")
    arguments.add_argument("--minutes", type=float, default=15.0)
    arguments.add_argument(
        "--plain", help="points of the plain way, measured before on this machine"
    )
    arguments.add_argument("--ways", help="some of ours, by semicolons")
    given = arguments.parse_args()
    ways = [name.strip() for name in given.ways.split(";")] if given.ways else list(WAYS)

    print(
        "| way | judged | with the full budget | judged a minute | best mse | hypervolume |\n"
        "|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, way in enumerate(ways):
            out = Path(folder) / str(number)
            search = [
                "search",
                "--task",
                "half-cheetah",
                "--data",
                given.data,
                "--batch-size",
                "128",
                "--scores",
                "none",
            ]
            budget = ["--minutes", str(given.minutes), "--seed", "0", "--out", str(out), "--quiet"]
            subprocess.run(
                [sys.executable, "-m", "wiring_search.cli", *search, *budget, *WAYS[way]],
                check=True,
                stdout=sys.stderr,
            )
            table = Run(out).table()
            judged = table[table["status"].isin(["ok", "pruned", "diverged"])]
            report_way(
                way,
                len(judged),
                judged[judged["status"] == "ok"][["error", "synapses"]].to_numpy(float),
                given.minutes,
            )
        if given.plain is None:
            given.plain = str(Path(folder) / "plain.json")
            script = [
                sys.executable,
                str(Path(__file__).with_name("plain_way.py")),
                "--data",
                given.data,
                "--points",
                given.plain,
            ]
            subprocess.run(
                [*script, "--minutes", str(given.minutes)], check=True, stdout=sys.stderr
            )
        points = np.array(json.loads(Path(given.plain).read_text()), float).reshape(-1, 2)
    report_way("Ray Tune, TPE, `ncps`", len(points), points, given.minutes)


def report_way(way: str, judged: int, points: np.ndarray, minutes: float) -> None:
    volume = hypervolume(np.stack([points[:, 0], np.log2(points[:, 1])], axis=1), REFERENCE)
    best = points[:, 0].min() if len(points) else float("nan")
    print(
        f"| {way} | {judged:,} | {len(points):,} | {judged / minutes:.1f} | {best:.2f} | "
        f"{volume:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
