"""Samplers: evolution of wirings, and Optuna, which is asked for points and told scores, in memory,
by one owner.

The randomness of an ask comes from (study seed, number of the trial) alone. So a point can be put
back from the store instead of being asked for again, and the sampler goes on exactly as if it had
never stopped; what samplers keep beside their trials travels along as `state`.

In a conditional space the dimensions are asked for one by one, in the space's order, and only those
that exist where the earlier ones have fallen. TPE then models each group of dimensions that exist
together; the Gaussian process models those that exist everywhere, and draws the others at random.
The evolutionary and quasi-random samplers draw all dimensions, and what does not exist at the point
stays with the sampler, noted in its attributes: so a child inherits it, and a sequence stays one
sequence.

A trial that was pruned is not finished: it may be promoted yet. To the sampler it shows what it has
come to so far, in the way that the study chose (`config.CUT_AS`), until its next rung says more.
"""

import copy
import math
import warnings
from collections.abc import Container, Mapping, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from wiring_search.search.samplers.contract import Proposal
from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.optuna_space import distribution_of, key_of
from wiring_search.search_spaces.space import Dimension, Point, Value
from wiring_search.wirings.candidate import Candidate

_POPULATION = 24
_DRAW_ALL = ("nsga2", "nsga3", "qmc")
_UNUSED = "unused"  # the attribute of what was drawn and does not exist at the point


class OptunaSampler:
    """name: one of Optuna's out of `config.SAMPLERS`. objectives: how many numbers, all minimised,
    a trial is told with. cut_as: out of `config.CUT_AS`."""

    remembers_candidates = False

    def __init__(
        self, name: str, space: Space, objectives: int, seed: int, cut_as: str = "low-fidelity"
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._name, self._seed, self._space = name, seed, space
        self._dimensions = {
            key_of(space, name, place): dimension
            for name in space.dimensions
            for place, dimension in enumerate(space.alternatives(name))
        }
        self._distributions = {
            key: distribution_of(dimension) for key, dimension in self._dimensions.items()
        }
        self._storage = _Storage(self._distributions)
        self._cut_as = cut_as
        self._study = optuna.create_study(
            storage=self._storage, directions=["minimize"] * objectives
        )
        self._id = self._storage.get_study_id_from_name(self._study.study_name)

    def ask(self, number: int) -> Proposal:
        """The next point, which is trial `number`."""
        self._study.sampler = _optuna_sampler(
            self._name, self._seed, number, self._space.conditional
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trial = self._study.ask(self._distributions if self._name in _DRAW_ALL else {})
            point: Point = {}
            for name in self._space.dimensions:
                place = self._space.alternative(name, point)
                if place is not None:
                    key = key_of(self._space, name, place)
                    point[name] = _suggest(trial, key, self._dimensions[key])
        if trial.number != number:
            raise RuntimeError(f"trial {trial.number} was asked for where trial {number} was due")
        attrs = self._storage.get_trial(trial._trial_id).system_attrs
        used = self._keys(point)
        unused = {key: value for key, value in trial.params.items() if key not in used}
        return Proposal(point, {**attrs, _UNUSED: unused} if unused else attrs)

    def put_back(self, number: int, proposal: Proposal) -> None:
        """A proposal of an earlier run in place of an ask."""
        attrs = proposal.attrs
        drawn = {**self._keys(proposal.point), **attrs.get(_UNUSED, {})}
        distributions = {
            key: distribution for key, distribution in self._distributions.items() if key in drawn
        }
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params={key: drawn[key] for key in distributions},
                distributions=distributions,
                system_attrs={name: value for name, value in attrs.items() if name != _UNUSED},
            )
        )

    def note(self, number: int, candidate: Candidate) -> None:
        """Nothing to do: Optuna knows points, not candidates."""

    def _keys(self, point: Point) -> dict[str, Value]:
        """The point under the names that Optuna knows."""
        places = {name: self._space.alternative(name, point) for name in point}
        return {
            key_of(self._space, name, place): point[name]
            for name, place in places.items()
            if place is not None
        }

    def tell(self, number: int, values: Sequence[float] | None, final: bool = True) -> None:
        """The scores of a trial; None, or one among them that is not finite: it failed. final: at
        the full budget; otherwise it may be told again."""
        scores = None if values is None or not all(map(math.isfinite, values)) else list(values)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._id, number)
        if scores is None or final:
            # What `Study.tell` does, but for a deep copy of the trial; samplers without constraints
            # do nothing after a trial.
            self._storage.for_now.pop(number, None)
            state = TrialState.FAIL if scores is None else TrialState.COMPLETE
            self._storage.set_trial_state_values(trial_id, state, scores)
            return
        # The state and the values that Optuna would have given to a trial that ends like this.
        state, shown = {
            "pruned": (TrialState.PRUNED, None),
            "left-out": (TrialState.FAIL, None),
            "low-fidelity": (TrialState.COMPLETE, scores),
        }[self._cut_as]
        trial = copy.copy(self._storage.get_trial(trial_id))
        trial.state, trial.values = state, shown
        self._storage.for_now[number] = trial

    def state(self) -> dict[str, Any]:
        """What the sampler keeps beside its trials (parents of a generation, place in a sequence):
        plain data."""
        return self._storage.get_study_system_attrs(self._id)

    def set_state(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            self._storage.set_study_system_attr(self._id, key, value)


class _Storage(optuna.storages.InMemoryStorage):
    """distributions: of all parameters; trials share them, where each would keep some of its own,
    1.7 KB of them. for_now: how trials that are under way are shown to samplers, by number."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        super().__init__()
        self._distributions = distributions
        self.for_now: dict[int, FrozenTrial] = {}

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        super().set_trial_param(
            trial_id, param_name, param_value_internal, self._distributions[param_name]
        )

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if not self.for_now or states == (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        trials = [
            self.for_now.get(trial.number, trial)
            for trial in super().get_all_trials(study_id, deepcopy=False)
        ]
        chosen = trials if states is None else [trial for trial in trials if trial.state in states]
        return copy.deepcopy(chosen) if deepcopy else chosen


def _suggest(trial: optuna.Trial, key: str, dimension: Dimension) -> Value:
    match dimension:
        case IntRange(low, high, log):
            return trial.suggest_int(key, low, high, log=log)
        case FloatRange(low, high, log):
            return trial.suggest_float(key, low, high, log=log)
        case Choice(values):
            return cast(Value, trial.suggest_categorical(key, values))  # never None
    raise TypeError(f"{dimension!r} is no dimension")


def _optuna_sampler(
    name: str, seed: int, number: int, conditional: bool
) -> optuna.samplers.BaseSampler:
    own = (seed * 1_000_003 + number) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "random":
                return optuna.samplers.RandomSampler(seed=own)
            case (
                "qmc"
            ):  # its randomness is one scrambling of a whole sequence, not one draw a trial
                return optuna.samplers.QMCSampler(
                    scramble=True,
                    seed=seed,
                    independent_sampler=optuna.samplers.RandomSampler(seed=own),
                )
            case "tpe":
                return optuna.samplers.TPESampler(
                    seed=own, multivariate=True, group=conditional, constant_liar=True
                )
            case "nsga2":
                return optuna.samplers.NSGAIISampler(seed=own, population_size=_POPULATION)
            case "nsga3":
                return optuna.samplers.NSGAIIISampler(seed=own, population_size=_POPULATION)
            case "gp":
                return optuna.samplers.GPSampler(
                    seed=own, warn_independent_sampling=not conditional
                )
    raise ValueError(f"no sampler is called {name!r}")
