"""Baselines are found by name, and those that are liquid are trained as candidates are."""

from dataclasses import replace

import pytest

from tests.support.made_up_tasks import made_up_task, timeless
from wiring_search.training import loop as training
from wiring_search.training.baselines import catalogue
from wiring_search.workers.jobs import PackJob, Rung


def test_liquid_baselines_are_candidates_trained_as_candidates() -> None:
    task, rung = made_up_task(), Rung(0, 2, 16)
    names = ("auto-ncp-16", "dense-ltc-8")
    trained = list(catalogue.train_all(task, names, rung, 5))
    assert [t.name for t in trained] == list(names)
    candidates = catalogue.liquid(task, 5)
    assert (
        candidates["dense-ltc-8"].wiring.synapse_count
        == 8 * 8 + 3 * 8
        == trained[1].outcome.synapses
    )
    assert candidates["auto-ncp-16"].wiring.neurons == 16
    assert candidates["auto-ncp-16"].wiring.motor == 2
    for baseline in trained:
        alone = training.train(task, PackJob(9, rung, (candidates[baseline.name],), 5)).outcomes[0]
        assert timeless(alone) == timeless(baseline.outcome)


def test_known_names_fit_the_task_and_are_chosen_by_either_part() -> None:
    task = replace(made_up_task(), outputs=20)
    assert catalogue.names_of(task)[:5] == ("rnn-4", "rnn-8", "rnn-16", "rnn-32", "gru-4")
    assert [name for name in catalogue.names_of(task) if "ncp" in name] == [
        "auto-ncp-32",
        "auto-ncp-64",
    ]
    assert catalogue.select(task, ()) == catalogue.names_of(task)
    assert catalogue.select(task, ("gru-d", "lstm-8")) == (
        "lstm-8",
        "gru-d-4",
        "gru-d-8",
        "gru-d-16",
        "gru-d-32",
    )
    with pytest.raises(ValueError, match="no baseline is called 'gru-5'; known: rnn, gru"):
        catalogue.select(task, ("gru-5",))


def test_pruned_networks_are_baselines_of_their_size() -> None:
    task, rung = made_up_task(), Rung(0, 2, 16)
    trained = list(catalogue.train_all(task, ("pruned-ltc-50", "pruned-ltc-10"), rung, 0))
    assert [t.name for t in trained] == ["pruned-ltc-50", "pruned-ltc-10"]
    dense = 24 * 24 + 24 * task.features
    assert [t.outcome.synapses for t in trained] == [round(0.5 * dense), round(0.1 * dense)]
    (alone,) = catalogue.train_all(task, ("pruned-ltc-10",), rung, 0)
    assert timeless(alone.outcome) == timeless(trained[1].outcome)
    assert set(catalogue.PRUNED) <= set(catalogue.names_of(task))
