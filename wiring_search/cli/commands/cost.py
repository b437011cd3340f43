"""cost: what candidates cost to run and to train."""

from wiring_search.cli.options import Folder, Trials, command
from wiring_search.cli.tables import print_table

_COUNTS = ("synapses", "parameters", "state_size", "function_evaluations", "synapse_updates")


@command("Trained networks")
def cost(out: Folder, trial: Trials = None) -> None:
    """Measure what candidates cost to run and to train.

    Latency is measured now, one sample at a time, on one core.
    """
    from wiring_search import run

    rows = []
    for number, costs in run.costs(out, tuple(trial or ())).items():
        latency = costs.latency_us
        rows.append(
            [
                str(number),
                *(str(getattr(costs, name)) for name in _COUNTS),
                f"{costs.training_bytes / 1024:.0f}",
                f"{latency.quickest:.2f}",
                f"{latency.median:.2f} ({latency.lower:.2f} to {latency.upper:.2f})",
            ]
        )
    columns = [
        "trial",
        "synapses",
        "parameters",
        "state",
        "evaluations",
        "updates",
        "KiB to train",
        "fastest µs",
        "median µs (quartiles)",
    ]
    print_table(columns, rows, "Costs; evaluations, updates and latency per time step")
