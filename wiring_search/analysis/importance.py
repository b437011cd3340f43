"""How important each dimension of a space is for each score: PED-ANOVA, by Optuna's evaluator.

PED-ANOVA asks how much the best tenth of the trials differs, along one dimension, from all of them:
the Pearson divergence of the two densities (Watanabe, Bansal & Hutter, "PED-ANOVA: Efficiently
quantifying hyperparameter importance in arbitrary subspaces", IJCAI 2023). All of them means: of
those that the sampler proposed, wherever it looked more often. Dimensions that do not exist
everywhere, or not everywhere with one range, count by the shares of trials in each case (Optuna's
conditional PED-ANOVA). It sees one dimension at a time: what matters only together with another may
look unimportant.

Importances of one score are shares and sum to 1. How far to trust them:

- lower, upper: a 95 % interval from trials drawn anew with replacement, by their standard deviation and Student's t.
- chance: the most that the dimension reaches when the scores are dealt out to the trials at random, nineteen times. One that
  does not matter is above it in about one case of twenty. (With few trials, or many values, chance alone looks important.)

Both are computed on at most 300 trials, and scaled to how many there are: the spread goes with one
over the root of the number (the m-out-of-n bootstrap), and what chance reaches, a χ², with one over
the number.

Which trials count: those that were trained to the end; pruned ones with the scores of their last
rung, as samplers see them; and diverged ones, as the worst. Not: infeasible ones (they say what can
be built, not what is good), duplicates (their original is there), crashed ones (that was the
machine's fault). A child of evolution counts for a dimension only where its point says it.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState, create_trial

from wiring_search.scores.catalogue import minimised
from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.optuna_space import distributions_at, key_of
from wiring_search.store import Trial
from wiring_search.workers.jobs import Status

# With fewer trials the best tenth is less than five, which Optuna's authors call unstable; with
# fewer than the least there is nothing to say.
ENOUGH, LEAST = 50, 20
_BEST = 0.1
_DRAWS, _DEALS, _AT_MOST = 20, 19, 300
_COUNTED = (Status.OK, Status.PRUNED, Status.DIVERGED)

Told = Callable[[int, int], None]


def importances(
    space: Space,
    trials: Sequence[Trial],
    scores: Sequence[str],
    seed: int,
    told: Told = lambda done, count: None,
) -> list[dict[str, Any]]:
    """One row a score and dimension that can vary, the most important first: objective, dimension,
    importance, lower, upper, chance, trials (how many count), enough (whether they are 50). NaN
    with fewer than 20, and where the score never changes.

    seed: of what is drawn. told(done, count): importances computed.
    """
    counted = [trial for trial in trials if trial.status in _COUNTED and trial.duplicate_of is None]
    measure = _Measure(space, counted, [name for name in space.dimensions if _varies(space, name)])
    rows, each = [], 1 + _DRAWS + _DEALS
    for place, score in enumerate(scores):
        values, rng = _worst_where_diverged(counted, score), np.random.default_rng((seed, place))
        found = _rows(measure, values, rng, partial(_after, told, place * each, len(scores) * each))
        rows += [
            {"objective": score, **row} for row in sorted(found, key=lambda row: -row["importance"])
        ]
    return rows


def _worst_where_diverged(trials: Sequence[Trial], score: str) -> np.ndarray:
    """(trials,) Smaller is better; NaN where there is none."""
    values = minimised((score,), np.array([trial.score(score) for trial in trials]).reshape(-1, 1))[
        :, 0
    ]
    worst = np.max(values, initial=-math.inf, where=np.isfinite(values)) + 1.0
    diverged = np.array([trial.status is Status.DIVERGED for trial in trials], bool)
    return np.where(diverged & ~np.isfinite(values) & np.isfinite(worst), worst, values)


def _rows(
    measure: "_Measure", values: np.ndarray, rng: np.random.Generator, told: Callable[[int], None]
) -> list[dict[str, Any]]:
    from scipy.special import stdtrit

    kept = np.flatnonzero(np.isfinite(values))
    names, n, m = measure.names, len(kept), min(len(kept), _AT_MOST)
    here = {"trials": n, "enough": n >= ENOUGH}
    nothing = [
        {
            "dimension": name,
            **dict.fromkeys(("importance", "lower", "upper", "chance"), math.nan),
            **here,
        }
        for name in names
    ]
    if n < LEAST:
        return nothing
    found = measure.raw(kept, values[kept])
    told(1)
    total = found.sum()
    if not total > 0:
        return nothing
    shares, dealt = [], []
    for done in range(_DRAWS):
        drawn = rng.choice(kept, m)
        raw = measure.raw(drawn, values[drawn])
        shares.append(raw / raw.sum() if raw.sum() > 0 else np.full(len(raw), math.nan))
        told(done + 2)
    for done in range(_DEALS):
        drawn = rng.choice(kept, m, replace=False)
        dealt.append(measure.raw(drawn, values[rng.permutation(drawn)]))
        told(done + 2 + _DRAWS)
    reach = stdtrit(_DRAWS - 1, 0.975) * np.nanstd(shares, axis=0, ddof=1) * math.sqrt(m / n)
    ends = found / total - reach, found / total + reach
    of_all = zip(
        names,
        found / total,
        ends[0].clip(0, 1),
        ends[1].clip(0, 1),
        np.max(dealt, axis=0) * m / n / total,
        strict=True,
    )
    columns = ("importance", "lower", "upper", "chance")
    return [
        {"dimension": name, **dict(zip(columns, map(float, numbers), strict=True)), **here}
        for name, *numbers in of_all
    ]


class _Measure:
    """Importances as Optuna has them. It is shown trials as they are drawn, without a study that
    would have to be filled anew."""

    def __init__(self, space: Space, trials: Sequence[Trial], names: Sequence[str]) -> None:
        self.names = names
        self._keys = {
            name: [key_of(space, name, k) for k in range(len(space.alternatives(name)))]
            for name in names
        }
        self._frozen, known = [], []
        for number, trial in enumerate(trials):
            frozen = _frozen(space, trial, number)
            self._frozen.append(frozen)
            known.append([_is_said(space, trial, name, frozen, self._keys[name]) for name in names])
        # Dimensions that the same trials say are evaluated together: (trials,) which, (names,)
        # which. One group but for evolution.
        said, of = np.unique(
            np.array(known, bool).reshape(len(trials), len(names)), axis=1, return_inverse=True
        )
        self._groups = [(said[:, group], of.ravel() == group) for group in range(said.shape[1])]
        self._storage = _Shown()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(storage=self._storage)

    def raw(self, drawn: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(names,) From these trials, by number, some perhaps more than once, with these scores."""
        by_number = dict(zip(drawn.tolist(), values.tolist(), strict=True))
        found = np.zeros(len(self.names))
        for said, members in self._groups:
            keys = [
                self._keys[name] for name, member in zip(self.names, members, strict=True) if member
            ]
            raw = self._evaluated(
                [key for own in keys for key in own], drawn[said[drawn]], by_number
            )
            # Alternatives are told apart by name; the importance of all of them is their sum
            # (theorem 4.2 of Conditional PED-ANOVA).
            found[members] = [sum(raw.get(key, 0.0) for key in own) for own in keys]
        return found

    def _evaluated(
        self, keys: list[str], drawn: np.ndarray, values: dict[int, float]
    ) -> dict[str, float]:
        """By the names that Optuna knows; of those that exist in some of the trials."""
        shown = self._storage.shown = [self._frozen[k] for k in drawn]
        there = {key for trial in shown for key in trial.params}
        keys = [key for key in keys if key in there]
        if not keys or len(shown) < LEAST:
            return {}
        best = min(max(_BEST, 5 / len(shown)), 0.5)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that smaller is better, that a case is rare: known, and said above
            evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
            return evaluator.evaluate(self._study, keys, target=lambda trial: values[trial.number])


class _Shown(optuna.storages.InMemoryStorage):
    """A storage whose trials are those that it is given to show."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[FrozenTrial] = []

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Any = None
    ) -> list[FrozenTrial]:
        return self.shown


def _frozen(space: Space, trial: Trial, number: int) -> FrozenTrial:
    at = distributions_at(space, trial.params)
    frozen = create_trial(
        state=TrialState.COMPLETE,
        value=0.0,
        params={key: trial.params[name] for key, (name, _) in at.items()},
        distributions={key: distribution for key, (_, distribution) in at.items()},
    )
    frozen.number = frozen._trial_id = number
    return frozen


def _is_said(
    space: Space, trial: Trial, name: str, frozen: FrozenTrial, keys: Sequence[str]
) -> bool:
    """Whether the trial's point says what this dimension is there: its value, or that it does not
    exist."""
    return space.alternative(name, trial.params) is None or any(
        key in frozen.params for key in keys
    )


def _after(told: Callable[[int, int], None], before: int, count: int, done: int) -> None:
    told(before + done, count)


def _varies(space: Space, name: str) -> bool:
    alternatives = space.alternatives(name)
    return any(
        len(one.values) > 1
        if isinstance(one, Choice)
        else not isinstance(one, IntRange | FloatRange) or one.low < one.high
        for one in alternatives
    )
