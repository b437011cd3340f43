"""The networks that a search has trained, out of its store.

    with closing(Store.open(Path("results/mine"))) as store:
        network = trained_network(store, trial=4)

A `LiquidNetwork` that computes bit for bit what was scored: same kernel, and the weights of the
best epoch, which are what the stored error belongs to.
"""

from wiring_search.networks.liquid_network import LiquidNetwork, network_of
from wiring_search.store import Store, Trial
from wiring_search.training.state import load_state
from wiring_search.workers.jobs import Status


def trained_network(store: Store, trial: int, every_step: bool = True) -> LiquidNetwork:
    """The network of a trial with the weights of its best epoch; of a duplicate, those of the trial
    it is equal to.

    every_step: outputs at each step, or at the last valid one alone, which is what many tasks ask
    for; weights do not depend on it. Raises ValueError where there is no such trial, or where it
    has no trained weights. Runs the code of the study's extension, where it has one.
    """
    store.config.load_extension()
    found = _trained(store, trial)
    candidate, state = found.candidate, store.state(found.trial)
    assert candidate is not None and state is not None, "a trial that ended well has both"
    weights = load_state(state)["best_weights"]
    return network_of(
        candidate, store.facts["features"], store.facts["outputs"], weights, every_step
    )


def _trained(store: Store, number: int) -> Trial:
    """The trial, or the one that it duplicates. Raises ValueError where it has not been trained to
    the end."""
    trial = store.trial(number)
    if trial.status is Status.DUPLICATE and trial.duplicate_of is not None:
        trial = store.trial(trial.duplicate_of)
    if trial.status is not Status.OK:
        raise ValueError(
            f"trial {number} of {store.folder} has no trained weights: {trial.status.value} ({trial.status.sentence}); name a "
            'trial whose status is "ok"'
        )
    return trial
