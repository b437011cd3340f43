"""Samplers that are not built in: made for every ask, seeded, refused if they cannot do a study."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.samplers import RandomSampler

from tests.support.studies import config
from wiring_search.search.samplers import SAMPLERS, check, sampler_of
from wiring_search.search_spaces import SPACES, Space
from wiring_search.store.config import StudyConfig
from wiring_search.store.extension import Extension
from wiring_search.store.extension_tables import EXTENSION_SAMPLERS

HERE = f"{__name__}:"


class Seeded(RandomSampler):
    """Draws at random, from its seed."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed)


class Unseeded(RandomSampler):
    def __init__(self) -> None:
        super().__init__()


class OneObjective(Seeded):
    def sample_relative(self, study, trial, search_space):
        if len(study.directions) > 1:
            raise ValueError("only one objective is supported")
        return {}


class Flat(Seeded):
    def sample_independent(self, study, trial, param_name, param_distribution):
        if ":" in param_name:
            raise ValueError("the search space must be static")
        return super().sample_independent(study, trial, param_name, param_distribution)


class Listening(Seeded):
    """Counts the trials that it is shown the end of."""

    ends: list[optuna.trial.TrialState] = []

    def after_trial(self, study, trial, state, values):
        self.ends.append(state)


class Unstorable(Seeded):
    def sample_relative(self, study, trial, search_space):
        study._storage.set_trial_system_attr(trial._trial_id, "key", {1, 2})
        return {}


class Demanding(Seeded):
    def __init__(self, grid: list[int], seed: int | None = None) -> None:
        super().__init__(seed)


def _given(name: str, space: str = "liquid", **given: object) -> StudyConfig:
    path = name if ":" in name else HERE + name
    return config(sampler=path, space=SPACES[space].to_json(), **given)


def _points(given: StudyConfig, count: int, put_back: int = 0) -> list[dict]:
    """The first points, with made-up scores; the first ones put back as when a study resumes."""
    space = Space.from_json(given.space)
    first = sampler_of(given, space)
    proposals = []
    for number in range(count):
        if number == put_back > 0:
            state = first.state()
            first = sampler_of(given, space)
            for earlier, proposal in enumerate(proposals):
                first.put_back(earlier, proposal)
                first.tell(earlier, [float(earlier)] * len(given.objectives))
            first.set_state(state)
        proposals.append(first.ask(number))
        first.tell(number, [float(number)] * len(given.objectives))
    return [proposal.point for proposal in proposals]


@pytest.mark.parametrize("name", ["Seeded", "optuna.samplers:NSGAIISampler"])
def test_the_seed_alone_decides_the_points_also_after_a_stop(name: str) -> None:
    straight = _points(_given(name), 12)
    assert _points(_given(name), 12, put_back=5) == straight
    assert _points(_given(name, seed=1), 12) != straight
    assert len({str(point) for point in straight}) > 8


def test_a_class_without_a_seed_is_made_without_one() -> None:
    check(_given("Unseeded"))
    assert len(_points(_given("Unseeded"), 3)) == 3


def test_a_path_to_a_built_in_sampler_gives_points_of_the_space() -> None:
    given = _given("optuna.samplers:TPESampler", "small", objectives=("error",))
    check(given)
    space = SPACES["small"]
    assert all(set(point) == set(space.dimensions) for point in _points(given, 14))


def test_one_that_cannot_do_several_objectives_is_refused() -> None:
    check(_given("OneObjective", objectives=("error",)))
    with pytest.raises(
        ValueError, match="does not work with 2 objectives .* only one objective .* choose another"
    ):
        check(_given("OneObjective"))


def test_one_that_cannot_do_conditional_spaces_is_refused() -> None:
    check(_given("Flat", "small"))
    with pytest.raises(ValueError, match="in a conditional space: ValueError: the search space"):
        check(_given("Flat"))


def test_one_whose_notes_cannot_be_stored_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON serializable"):
        check(_given("Unstorable"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Demanding", "TypeError: Demanding needs the arguments grid; choose another sampler"),
        ("Nothing", "is no sampler of Optuna; .* has Demanding, Flat, Listening"),
        ("math:pi", "is no sampler of Optuna; math has none"),
        ("no_such_module:Sampler", "cannot be imported: No module named 'no_such_module'"),
        ("optunahub:samplers/any", "needs the package optunahub"),
    ],
)
def test_a_wrong_path_is_refused_in_one_sentence(
    path: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optunahub", None)
    with pytest.raises(ValueError, match=message):
        check(_given(path))


EXTENSION = """
import numpy as np
from optuna.samplers import RandomSampler
from wiring_search.search.samplers.contract import Proposal

class Grid(RandomSampler):
    "A class of Optuna's samplers."

class Again:
    "The contract itself: the same draws as uniform sampling."
    remembers_candidates = False
    def __init__(self, config, space): self.space = space
    def ask(self, number): return Proposal(self.space.draw(np.random.default_rng(number)), {})
    def put_back(self, number, proposal): pass
    def note(self, number, candidate): pass
    def tell(self, number, values, final=True): pass
    def state(self): return {}
    def set_state(self, state): pass

SAMPLERS = {"grid-of-mine": Grid, "again": Again}
"""


def test_samplers_of_an_extension_are_named_like_the_built_in_ones(tmp_path: Path) -> None:
    file = tmp_path / "samplers_of_a_test.py"
    file.write_text(EXTENSION, encoding="utf-8")
    given = replace(_given("Seeded"), extension=Extension.read(file))
    for name in ("grid-of-mine", "again"):
        mine = replace(given, sampler=name)
        check(mine)
        assert _points(mine, 5) == _points(mine, 5)
    with pytest.raises(ValueError, match="did you mean 'grid-of-mine'"):
        check(replace(given, sampler="grid-of-mein"))


def test_an_extension_cannot_replace_a_built_in_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTENSION_SAMPLERS, "tpe", Seeded)
    with pytest.raises(ValueError, match="sampler 'tpe' is built in"):
        check(replace(_given("Seeded"), sampler="tpe"))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'tpe'"):
        check(replace(_given("Seeded"), sampler="tp"))
    with pytest.raises(ValueError, match=f"known: {', '.join(SAMPLERS)}"):
        sampler_of(replace(_given("Seeded"), sampler="xyz"), SPACES["small"])


def test_the_sampler_is_shown_the_end_of_each_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listening, "ends", [])
    sampler = sampler_of(_given("Listening"), SPACES["liquid"])
    for number, values in enumerate([(0.1, 2.0), None, (math.nan, 1.0)]):
        sampler.ask(number)
        sampler.tell(number, values)
    assert [state.name for state in Listening.ends] == ["COMPLETE", "FAIL", "FAIL"]


def _hub(monkeypatch: pytest.MonkeyPatch, **content: object) -> None:
    """An OptunaHub whose only package has this content."""
    package = SimpleNamespace(**content)
    hub = SimpleNamespace(load_module=lambda name: {"samplers/mine": package}[name])
    monkeypatch.setitem(sys.modules, "optunahub", hub)


def test_a_package_of_the_hub_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _hub(monkeypatch, Seeded=Seeded, __all__=["Seeded"])
    check(_given("optunahub:samplers/mine"))
    points = _points(_given("optunahub:samplers/mine"), 5)
    assert points == _points(_given("Seeded"), 5)
    with pytest.raises(ValueError, match="cannot be loaded from OptunaHub: KeyError"):
        check(_given("optunahub:samplers/other"))


def test_one_of_several_classes_of_a_package_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _hub(monkeypatch, Seeded=Seeded, Unseeded=Unseeded)
    check(_given("optunahub:samplers/mine:Seeded"))
    with pytest.raises(ValueError, match="with CLASS out of Seeded, Unseeded"):
        check(_given("optunahub:samplers/mine"))
