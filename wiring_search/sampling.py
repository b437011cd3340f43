"""Optuna as the sampler: it is asked for points and told scores, in memory, by one owner.

The randomness of an ask comes from (study seed, number of the trial) alone. So a point can be put back from the store
instead of being asked for again, and the sampler goes on exactly as if it had never stopped; what samplers keep
beside their trials travels along as `state`.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from search_spaces import Choice, FloatRange, IntRange, Space
from search_spaces.space import Point

_POPULATION = 24


class Sampler:
    """name: out of `config.SAMPLERS`. objectives: how many numbers, all minimised, a trial is told with."""

    def __init__(self, name: str, space: Space, objectives: int, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._name, self._seed = name, seed
        self._distributions = {dimension: _distribution(value) for dimension, value in space.dimensions.items()}
        self._storage = optuna.storages.InMemoryStorage()
        self._study = optuna.create_study(storage=self._storage, directions=["minimize"] * objectives)
        self._id = self._storage.get_study_id_from_name(self._study.study_name)

    def ask(self, number: int) -> tuple[Point, dict[str, Any]]:
        """The next point, which is trial `number`, and what the sampler noted with it."""
        self._study.sampler = _optuna_sampler(self._name, self._seed, number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trial = self._study.ask(self._distributions)
        if trial.number != number:
            raise RuntimeError(f"trial {trial.number} was asked for where trial {number} was due")
        return trial.params, self._storage.get_trial(trial._trial_id).system_attrs

    def put_back(self, params: Point, attrs: dict[str, Any]) -> None:
        """A point of an earlier run in place of an ask."""
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING, params=params, distributions=self._distributions, system_attrs=attrs
            )
        )

    def tell(self, number: int, values: Sequence[float] | None) -> None:
        """The scores of a trial; None, or a NaN among them: it failed."""
        if values is None or any(math.isnan(value) for value in values):
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, list(values))

    def state(self) -> dict[str, Any]:
        """What the sampler keeps beside its trials (parents of a generation, place in a sequence): plain data."""
        return self._storage.get_study_system_attrs(self._id)

    def set_state(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            self._storage.set_study_system_attr(self._id, key, value)


def _distribution(dimension: IntRange | FloatRange | Choice) -> BaseDistribution:
    match dimension:
        case IntRange(low, high, log):
            return IntDistribution(low, high, log=log)
        case FloatRange(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Choice(values):
            return CategoricalDistribution(values)


def _optuna_sampler(name: str, seed: int, number: int) -> optuna.samplers.BaseSampler:
    own = (seed * 1_000_003 + number) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "random":
                return optuna.samplers.RandomSampler(seed=own)
            case "qmc":  # its randomness is one scrambling of a whole sequence, not one draw a trial
                return optuna.samplers.QMCSampler(
                    scramble=True, seed=seed, independent_sampler=optuna.samplers.RandomSampler(seed=own)
                )
            case "tpe":
                return optuna.samplers.TPESampler(seed=own, multivariate=True, constant_liar=True)
            case "nsga2":
                return optuna.samplers.NSGAIISampler(seed=own, population_size=_POPULATION)
            case "nsga3":
                return optuna.samplers.NSGAIIISampler(seed=own, population_size=_POPULATION)
            case "gp":
                return optuna.samplers.GPSampler(seed=own)
    raise ValueError(f"no sampler is called {name!r}")
