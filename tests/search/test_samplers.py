"""Samplers on a conditional space: points of the space, silently, and the same ones after a
stop."""

import json
import logging
import warnings
from collections.abc import Sequence

import optuna
import pytest

from wiring_search.search.samplers.contract import Proposal
from wiring_search.search.samplers.optuna_sampler import BUILT_IN, OptunaSampler
from wiring_search.search_spaces import SPACES, Infeasible, Space
from wiring_search.search_spaces.dimensions import Point

OPTUNAS = list(BUILT_IN)
LIQUID = SPACES["liquid"]
Asked = Sequence[tuple[Point, dict]]


def _score(space: Space, point: Point) -> tuple[float, float] | None:
    try:
        candidate = space.build(point, 0)
    except Infeasible:
        return None
    return int(candidate.candidate_id, 16) % 97 / 97 + (candidate.neuron != "cfc"), float(
        candidate.wiring.synapse_count
    )


def _walk(
    name: str,
    count: int,
    seed: int = 5,
    lag: int = 6,
    before: Asked = (),
    state: dict | None = None,
) -> tuple[Asked, dict]:
    """Ask as a study does, and tell scores some trials late. Proposals of `before` are put
    back."""
    sampler, asked = OptunaSampler(BUILT_IN[name], LIQUID, 2, seed), []
    for number in range(count):
        if number < len(before):
            sampler.put_back(number, Proposal(*before[number]))
            asked.append(before[number])
        else:
            if number == len(before) and state is not None:
                sampler.set_state(state)
            proposal = sampler.ask(number)
            asked.append((proposal.point, proposal.attrs))
        if number >= lag:
            sampler.tell(number - lag, _score(LIQUID, asked[number - lag][0]))
    return asked, sampler.state()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "gp" else ()) for name in OPTUNAS]
)
def test_points_have_the_dimensions_that_exist_there(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    optuna.logging.enable_propagation()
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        asked, _ = _walk(name, 20 if name == "gp" else 60)
    assert not [record for record in caplog.records if "greenlet" not in record.getMessage()]
    for point, _ in asked:
        _score(LIQUID, point)  # raises where a dimension is there in excess or lacking
    assert len({str(point) for point, _ in asked}) > 0.8 * len(asked)
    assert len({point["neuron"] for point, _ in asked}) > 5


@pytest.mark.parametrize("name", [name for name in OPTUNAS if name != "gp"])
@pytest.mark.parametrize("stop", [1, 25, 47])
def test_what_is_put_back_is_as_if_asked(name: str, stop: int) -> None:
    straight, _ = _walk(name, 60)
    before, state = json.loads(json.dumps(_walk(name, stop)))
    assert _walk(name, 60, before=before, state=state)[0][stop:] == straight[stop:]


def test_other_seeds_give_other_points() -> None:
    assert _walk("random", 5, seed=1)[0] != _walk("random", 5, seed=2)[0]


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_samplers_learn_which_neuron_is_best(name: str) -> None:
    """Of the later points more are of the best neuron, one of nine, than of the first ones."""
    asked, _ = _walk(name, 150, lag=1)
    best = [point["neuron"] == "cfc" for point, _ in asked]
    assert sum(best[-50:]) > sum(best[:50])


def test_a_flat_space_is_asked_for_as_ever() -> None:
    """Points that these samplers gave before there were conditions."""
    space = Space.from_json(SPACES["small"].to_json())
    found = {}
    for name in ("tpe", "nsga2", "qmc", "random"):
        sampler = OptunaSampler(BUILT_IN[name], space, 2, 3)
        for number in range(30):
            point, attrs = (proposal := sampler.ask(number)).point, proposal.attrs
            assert "unused" not in attrs
            assert list(point) == list(space.dimensions)
            sampler.tell(
                number,
                None if _score(space, point) is None else (1 / point["inter"], float(number)),
            )
        found[name] = [point[key] for key in ("sensory", "inter", "command", "wiring_seed")]
    assert found == {
        "tpe": [4, 9, 5, 2],
        "nsga2": [3, 11, 6, 3],
        "qmc": [8, 11, 4, 4],
        "random": [5, 5, 8, 3],
    }
