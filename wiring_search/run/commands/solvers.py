"""The work of `solvers`: a trained network with every solver that its neurons have."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.store import Store

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class SolverComparison:
    """One network with every solver.

    Attributes:
        table: One row per solver, see `wiring_search.scores.solver_choice.Alternative`.
        answer: What the table says, in a few sentences.
        csv: The table's file.
        picture: The picture's file.
    """

    table: "pandas.DataFrame"
    answer: str
    csv: Path
    picture: Path


def solvers(
    out: str | Path,
    trial: int,
    samples: int = 64,
    hyper: bool = True,
    on_progress: Callable[[int, int, str], None] = lambda done, count, doing: None,
) -> SolverComparison:
    """Run the trained network of a trial with every solver that its neurons have.

    Writes the table and a picture into the run folder.

    Args:
        out: The run folder.
        trial: The trial's number.
        samples: Validation sequences to measure solver errors on.
        hyper: Whether to fit hypersolvers too.
        on_progress: Called with (done, count, doing).

    Returns:
        The table, see `wiring_search.scores.solver_choice.alternatives`.

    Raises:
        ValueError: The trial has no trained network, or its neurons are no differential equation.
    """
    from wiring_search.export.trained_network import trained_network
    from wiring_search.networks.solver_accuracy import require_ode
    from wiring_search.report.pictures import solvers as page
    from wiring_search.scores.solver_choice import alternatives

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        config = store.config
        network = trained_network(store, trial)
    require_ode(network)  # before the data are looked for
    task = config.load_task()
    rows = alternatives(network, task, samples, hyper, config.seed, on_progress)
    found = SolverComparison(
        page.table(rows, task.metric),
        page.sentences(rows, task.metric),
        folder / f"trial-{trial}-solvers.csv",
        folder / f"trial-{trial}-solvers.png",
    )
    found.table.to_csv(found.csv, index=False)
    page.draw(
        rows, found.picture, f"{config.task}, trial {trial}: one network, many solvers", task.metric
    )
    return found
