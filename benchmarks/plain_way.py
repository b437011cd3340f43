"""The plain way to search wirings, for comparison: Ray Tune's OptunaSearch, one `ncps` network a
trial, one trial a process.

    python benchmarks/plain_way.py --data DIR --trials 6      (half-cheetah; minutes per trial)

The same space, windows, batch size, epochs and optimiser as

    wiring-search search --task half-cheetah --data DIR --trials 128 --batch-size 128

which prints its candidates a minute; this prints the plain way's. Both use all cores, a trial one
of them. With --minutes it stops after that time, and --points writes error and synapses of every
finished trial: `benchmarks/equal_time.py` compares.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch
from ncps.torch import LTC
from ncps.wirings import NCP

from wiring_search.search_spaces import FloatRange, IntRange, ncp
from wiring_search.search_spaces.constraints import evaluate
from wiring_search.tasks import TaskOptions, load

CORES = os.cpu_count() or 1


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", required=True, help="folder of the half-cheetah traces")
    arguments.add_argument("--trials", type=int, default=2 * CORES)
    arguments.add_argument(
        "--minutes", type=float, help="stop after so long, however many trials that are"
    )
    arguments.add_argument(
        "--points", help="a JSON file for the errors and synapses of the finished trials"
    )
    arguments.add_argument("--epochs", type=int, default=60)
    arguments.add_argument("--batch-size", type=int, default=128)
    given = arguments.parse_args()

    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    task = load("half-cheetah", TaskOptions(data=os.path.abspath(given.data)))
    ray.init("local", include_dashboard=False, log_to_driver=False, num_cpus=CORES)
    data = ray.put((task.train.x, task.train.y, task.valid.x, task.valid.y))

    def trainable(point: dict) -> dict:
        return train(point, *ray.get(data), given.epochs, given.batch_size)

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            tune_config=tune.TuneConfig(
                num_samples=-1 if given.minutes else given.trials,
                time_budget_s=given.minutes and given.minutes * 60,
                max_concurrent_trials=CORES,
                search_alg=OptunaSearch(
                    propose, metric=["error", "synapses"], mode=["min", "min"], seed=0
                ),
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    minutes = (time.perf_counter() - start) / 60
    found = [result.metrics for result in results if result.metrics and "error" in result.metrics]
    if given.points:
        Path(given.points).write_text(
            json.dumps([(metrics["error"], metrics["synapses"]) for metrics in found])
        )
    errors = sorted(metrics["error"] for metrics in found)
    print(
        f"plain way: {len(errors)} trials in {minutes:.2f} minutes on {CORES} cores, "
        f"{len(errors) / minutes:.3f} candidates a minute"
    )
    print(f"best validation mse {errors[0]:.3f}")


def propose(trial) -> None:
    """The default space, as Optuna's define-by-run; fan-outs stay within their layer, since an
    infeasible trial would be free."""
    point: dict[str, float] = {}
    for name, dimension in ncp.default.dimensions.items():
        high = (
            min(
                dimension.high,
                point.get({"sensory_fanout": "inter"}.get(name, "command"), dimension.high),
            )
            if "fan" in name
            else None
        )
        match dimension:
            case IntRange(low, top, log):
                point[name] = trial.suggest_int(name, low, int(high or top), log=log)
            case FloatRange(low, top, log):
                point[name] = trial.suggest_float(name, low, top, log=log)
    if not all(evaluate(text, point) for text in ncp.default.constraints):
        point["recurrent_synapses"] = 0


def train(point: dict, x, y, valid_x, valid_y, epochs: int, batch_size: int) -> dict:
    """As a user of `ncps` would: projection, LTC, linear readout, Adam with clipping, the best
    validation error."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y, valid_x, valid_y = (torch.from_numpy(a.copy()) for a in (x, y, valid_x, valid_y))
    recurrent = min(point["recurrent_synapses"], point["command"] ** 2)
    sizes = [
        point[name] for name in ("inter", "command", "motor", "sensory_fanout", "inter_fanout")
    ]
    wiring = NCP(*sizes, recurrent, point["motor_fanin"], seed=point["wiring_seed"])
    cell = LTC(point["sensory"], wiring, ode_unfolds=point["steps"])
    project, readout = (
        torch.nn.Linear(x.shape[2], point["sensory"]),
        torch.nn.Linear(point["motor"], y.shape[2]),
    )
    parameters = [*project.parameters(), *cell.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam([p for p in parameters if p.requires_grad], point["learning_rate"])
    best = float("inf")
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            optimiser.zero_grad()
            loss = (readout(cell(project(x[rows]))[0]) - y[rows]).square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
        with torch.no_grad():
            best = min(best, float((readout(cell(project(valid_x))[0]) - valid_y).square().mean()))
    return {"error": best, "synapses": int(wiring.synapse_count + wiring.sensory_synapse_count)}


if __name__ == "__main__":
    main()
