"""Optuna's samplers behind the contract, in memory.

The randomness of an ask comes from (study seed, trial number) alone. So a point can be put back
from the store instead of being asked for again, and the sampler continues as if it had never
stopped. What a sampler keeps beside its trials travels along as `state`.

In a conditional space the dimensions are asked for one by one, in the space's order, and only those
that exist given the earlier ones. TPE models each group of dimensions that exist together; the
Gaussian process models those that exist everywhere, and draws the others at random. The
evolutionary and quasi-random samplers draw all dimensions. A value that does not exist at the point
stays in the trial's attributes, so that a child inherits it and a sequence remains one sequence.

A pruned trial is not finished: it may still be promoted. Until its next rung, the sampler sees its
latest scores in the way that the study chose (`CUT_AS`).
"""

import copy
import math
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from wiring_search.search.samplers.contract import Proposal
from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.dimensions import Dimension, Point, Value
from wiring_search.search_spaces.optuna_space import distribution_of, key_of
from wiring_search.wirings.candidate import Candidate

_POPULATION = 24
_UNUSED = "unused"  # the attribute of what was drawn and does not exist at the point


# (seed of this ask, the study's seed, whether the space is conditional) -> a new sampler of Optuna
Make = Callable[[int, int, bool], optuna.samplers.BaseSampler]


@dataclass(frozen=True)
class OptunaKind:
    """One of Optuna's samplers.

    Attributes:
        make: Makes an instance for one ask.
        draws_all: Whether it draws all dimensions of a conditional space, existing or not.
        after_trial: Whether its `after_trial` is called. The built-in ones do nothing there.
    """

    make: Make
    draws_all: bool = False
    after_trial: bool = False


class OptunaSampler:
    """A study of Optuna, in memory, that proposes points and learns their scores.

    Args:
        kind: One of Optuna's samplers.
        space: What may vary.
        objectives: The number of scores of a trial, all to be minimised.
        seed: The study's seed.
        cut_as: A name out of `training.pruning.CUT_AS`: how a pruned trial is shown.
    """

    remembers_candidates = False

    def __init__(
        self,
        kind: OptunaKind,
        space: Space,
        objectives: int,
        seed: int,
        cut_as: str = "low-fidelity",
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._kind = kind
        self._seed = seed
        self._space = space
        self._dimensions = {
            key_of(space, name, index): dimension
            for name in space.dimensions
            for index, dimension in enumerate(space.alternatives(name))
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
        """Propose the point of trial `number`, the next one."""
        self._study.sampler = self._instance(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trial = self._study.ask(self._distributions if self._kind.draws_all else {})
            point: Point = {}
            for name in self._space.dimensions:
                index = self._space.alternative(name, point)
                if index is not None:
                    key = key_of(self._space, name, index)
                    point[name] = _suggest(trial, key, self._dimensions[key])
        if trial.number != number:
            raise ValueError(f"number is {number}; the next trial is {trial.number}")
        attrs = self._storage.get_trial(trial._trial_id).system_attrs
        used = self._keys(point)
        unused = {key: value for key, value in trial.params.items() if key not in used}
        return Proposal(point, {**attrs, _UNUSED: unused} if unused else attrs)

    def _instance(self, number: int) -> optuna.samplers.BaseSampler:
        """A new sampler of Optuna, seeded for this trial."""
        seed = (self._seed * 1_000_003 + number) % 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)  # of arguments that will go
            return self._kind.make(seed, self._seed, self._space.conditional)

    def put_back(self, number: int, proposal: Proposal) -> None:
        """Take a proposal of an earlier run instead of asking for a new one."""
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
        """The point by the names that Optuna uses."""
        indices = {name: self._space.alternative(name, point) for name in point}
        return {
            key_of(self._space, name, index): point[name]
            for name, index in indices.items()
            if index is not None
        }

    def tell(self, number: int, values: Sequence[float] | None, final: bool = True) -> None:
        """Tell the scores of a trial.

        Args:
            number: The trial.
            values: (objectives,), all to be minimised. None, or a value that is not finite: it
                failed.
            final: Whether the trial had the full budget. Otherwise more scores may follow.
        """
        scores = None if values is None or not all(map(math.isfinite, values)) else list(values)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._id, number)
        if scores is None or final:
            # What `Study.tell` does, but for a deep copy of the trial.
            self._storage.for_now.pop(number, None)
            state = TrialState.FAIL if scores is None else TrialState.COMPLETE
            if self._kind.after_trial:
                ended = self._storage.get_trial(trial_id)
                self._instance(number).after_trial(self._study, ended, state, scores)
            self._storage.set_trial_state_values(trial_id, state, scores)
            return
        # The state and the values that Optuna would have given to a trial that ends like this.
        state, shown = {
            "pruned": (TrialState.PRUNED, None),
            "left-out": (TrialState.FAIL, None),
            "low-fidelity": (TrialState.COMPLETE, scores),
        }[self._cut_as]
        trial = copy.copy(self._storage.get_trial(trial_id))
        trial.state = state
        trial.values = shown
        self._storage.for_now[number] = trial

    def state(self) -> dict[str, Any]:
        """What the sampler keeps beside its trials, as plain data: parents of a generation, the
        index in a sequence."""
        return self._storage.get_study_system_attrs(self._id)

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back a state of an earlier run."""
        for key, value in state.items():
            self._storage.set_study_system_attr(self._id, key, value)


class _Storage(optuna.storages.InMemoryStorage):
    """Optuna's storage in memory, with shared distributions and trials that are not finished.

    Args:
        distributions: The distribution of each parameter. Trials share them; otherwise each would
            keep 1.7 KB of copies.

    Attributes:
        for_now: Unfinished trials as samplers see them, by number.
    """

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
    raise TypeError(f"{dimension!r} is not a dimension")


def _random(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _qmc(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
    """Its randomness is one scrambling of a whole sequence, not one draw per trial."""
    return optuna.samplers.QMCSampler(
        scramble=True,
        seed=study_seed,
        independent_sampler=optuna.samplers.RandomSampler(seed=seed),
    )


def _tpe(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=conditional, constant_liar=True
    )


def _nsga2(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=_POPULATION)


def _nsga3(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
    return optuna.samplers.NSGAIIISampler(seed=seed, population_size=_POPULATION)


def _gp(seed: int, study_seed: int, conditional: bool) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=not conditional)


BUILT_IN: dict[str, OptunaKind] = {
    "random": OptunaKind(_random),
    "qmc": OptunaKind(_qmc, draws_all=True),
    "tpe": OptunaKind(_tpe),
    "nsga2": OptunaKind(_nsga2, draws_all=True),
    "nsga3": OptunaKind(_nsga3, draws_all=True),
    "gp": OptunaKind(_gp),
}
