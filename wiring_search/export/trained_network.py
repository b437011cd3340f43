"""The networks that a search trained, from its store.

    with closing(Store.open(Path("results/mine"))) as store:
        network = trained_network(store, trial=4)

The `LiquidNetwork` computes bit for bit what was scored: it runs the same kernel with the weights
of the best epoch.
"""

from wiring_search.networks.liquid_network import LiquidNetwork, network_of
from wiring_search.store import Store, Trial
from wiring_search.training.state import load_state
from wiring_search.workers.jobs import Status


def trained_network(store: Store, trial: int, every_step: bool = True) -> LiquidNetwork:
    """The network of a trial, with the weights of its best epoch.

    Runs the code of the study's extension, if there is one.

    Args:
        store: The study's store.
        trial: The trial's number. A duplicate has the network of the trial it equals.
        every_step: Whether outputs are given at each step, or only at the last valid one. The
            weights do not depend on it.

    Raises:
        ValueError: There is no such trial, or it has no trained weights.
    """
    store.config.load_extension()
    found = _trained(store, trial)
    candidate = found.candidate
    state = store.state(found.trial)
    assert candidate is not None and state is not None, "a trial that ended well has both"
    weights = load_state(state)["best_weights"]
    return network_of(
        candidate, store.facts["features"], store.facts["outputs"], weights, every_step
    )


def _trained(store: Store, number: int) -> Trial:
    """The trial, or the one it duplicates. Raises ValueError if its training did not finish."""
    trial = store.trial(number)
    if trial.status is Status.DUPLICATE and trial.duplicate_of is not None:
        trial = store.trial(trial.duplicate_of)
    if trial.status is not Status.OK:
        raise ValueError(
            f"trial {number} of {store.folder} has no trained weights: {trial.status.value} "
            f'({trial.status.sentence}); name a trial with status "ok"'
        )
    return trial
