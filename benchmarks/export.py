"""A trained network in every format: how far each is off the original, and what a time step of one
sample costs.

    python benchmarks/export.py results/mine --trial 4

The search's own kernel stands below them: in one call for 64 steps, and called step by step through
the torch module as a controller would with the exported files. All times are of one core, the
quickest of several blocks.
"""

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

import torch

from wiring_search.export import export, parcel_of
from wiring_search.export.verified import microseconds
from wiring_search.networks.kernels import cpu
from wiring_search.store import Store
from wiring_search.training.latency import latencies_us


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--trial", type=int, required=True)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as room:
        written = export(
            given.out,
            given.trial,
            ["all"],
            Path(room) / "all",
            on_left_out=lambda name, why: print(f"left out: {name}, {why}"),
        )
    print(f"{'format':30}{'bytes':>9}{'absolute':>10}{'relative':>10}{'µs per step':>11}")
    for one in written:
        time = "" if one.check.microseconds is None else f"{one.check.microseconds:.2f}"
        print(
            f"{one.format:30}{one.bytes:9,}{one.check.absolute:10.1e}"
            f"{one.check.relative:10.1e}{time:>11}"
        )
        for name, value in one.check.notes.items():
            print(
                f"    bytes {name}: {value:,}"
                if not name.startswith("bytes")
                else f"    {name}: {value:,}"
            )
    for name, time in kernel_times(given.out, given.trial).items():
        print(f"{name:59}{time:11.2f}")


def kernel_times(out: Path, trial: int) -> dict[str, float]:
    """Microseconds a step of the fused kernel, by how it is called."""
    with closing(Store.open(out)) as store:
        task = store.config.load_task()
        taken = parcel_of(store, trial, task)
    network = taken.network
    one, state = taken.x[:1, :1], torch.zeros_like(taken.state[:1])
    with torch.no_grad(), cpu.one_thread():
        step = microseconds(lambda: network(one, 1.0, state))
    whole = latencies_us(taken.candidate, task.features, task.outputs).min()
    return {"our kernel, 64 steps a call": float(whole), "our kernel, step by step": step}


if __name__ == "__main__":
    main()
