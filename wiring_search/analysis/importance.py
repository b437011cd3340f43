"""How important each dimension of a space is for each score: PED-ANOVA, by Optuna's evaluator.

PED-ANOVA measures, along one dimension, how much the best tenth of the trials differs from all
trials that the sampler proposed: the Pearson divergence of the two densities. A conditional
dimension, or one with several ranges, counts by the shares of trials in each case (Optuna's
conditional PED-ANOVA). The method sees one dimension at a time: a dimension that matters only
together with another may look unimportant.

Importances of one score are shares and sum to 1. Their uncertainty:

- lower, upper: a 95 % bootstrap interval, by the standard deviation and Student's t.
- chance: the largest importance of the dimension in nineteen random permutations of the scores. A
  dimension without effect exceeds it in about one case of twenty. With few trials, or many values,
  chance alone looks important.

Both are computed on at most 300 trials and scaled to their number: the standard deviation by one
over its root (the m-out-of-n bootstrap), chance, a χ², by one over it.

These trials count: trials with the full budget; pruned trials, with the scores of their last rung,
as samplers see them; diverged trials, as the worst. Infeasible trials do not (they show what can be
built, not what is good), nor duplicates (their original counts), nor crashed trials (the machine
failed). A child of evolution counts for a dimension only if its point has it.

Source:
    Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently quantifying hyperparameter importance in
    arbitrary subspaces", IJCAI 2023.
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

# With fewer trials the best tenth has fewer than five, which Optuna's authors call unstable. With
# fewer than the least, importances are NaN.
ENOUGH, LEAST = 50, 20
_BEST = 0.1
_DRAWS, _DEALS, _AT_MOST = 20, 19, 300
_COUNTED = (Status.OK, Status.PRUNED, Status.DIVERGED)

OnProgress = Callable[[int, int], None]


def importances(
    space: Space,
    trials: Sequence[Trial],
    scores: Sequence[str],
    seed: int,
    on_progress: OnProgress = lambda done, count: None,
) -> list[dict[str, Any]]:
    """The importance of each dimension for each score.

    Args:
        space: The space.
        trials: The study's trials.
        scores: Scores, as `Trial.score` knows them.
        seed: Of the resampling.
        on_progress: Called with the number of importances computed, and of all.

    Returns:
        One row per score and varying dimension, the most important first: objective, dimension,
        importance, lower, upper, chance, trials (how many count), enough (whether they are 50 or
        more). NaN for fewer than 20 trials, and for a constant score.
    """
    counted = [trial for trial in trials if trial.status in _COUNTED and trial.duplicate_of is None]
    measure = _Measure(space, counted, [name for name in space.dimensions if _varies(space, name)])
    rows = []
    each = 1 + _DRAWS + _DEALS
    for index, score in enumerate(scores):
        values = _worst_where_diverged(counted, score)
        rng = np.random.default_rng((seed, index))
        found = _rows(
            measure, values, rng, partial(_after, on_progress, index * each, len(scores) * each)
        )
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
    measure: "_Measure",
    values: np.ndarray,
    rng: np.random.Generator,
    on_progress: Callable[[int], None],
) -> list[dict[str, Any]]:
    from scipy.special import stdtrit

    kept = np.flatnonzero(np.isfinite(values))
    names = measure.names
    n = len(kept)
    m = min(len(kept), _AT_MOST)
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
    on_progress(1)
    total = found.sum()
    if not total > 0:
        return nothing
    shares, dealt = [], []
    for done in range(_DRAWS):
        drawn = rng.choice(kept, m)
        raw = measure.raw(drawn, values[drawn])
        shares.append(raw / raw.sum() if raw.sum() > 0 else np.full(len(raw), math.nan))
        on_progress(done + 2)
    for done in range(_DEALS):
        drawn = rng.choice(kept, m, replace=False)
        dealt.append(measure.raw(drawn, values[rng.permutation(drawn)]))
        on_progress(done + 2 + _DRAWS)
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
    """Importances by Optuna, which reads the drawn trials from a storage made for that."""

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
        """(names,) Importances from trials, by number, possibly repeated, with these scores."""
        by_number = dict(zip(drawn.tolist(), values.tolist(), strict=True))
        found = np.zeros(len(self.names))
        for said, members in self._groups:
            keys = [
                self._keys[name] for name, member in zip(self.names, members, strict=True) if member
            ]
            raw = self._evaluated(
                [key for of_one in keys for key in of_one], drawn[said[drawn]], by_number
            )
            # Alternatives differ by name; the importance of all of them is their sum
            # (theorem 4.2 of Conditional PED-ANOVA).
            found[members] = [sum(raw.get(key, 0.0) for key in of_one) for of_one in keys]
        return found

    def _evaluated(
        self, keys: list[str], drawn: np.ndarray, values: dict[int, float]
    ) -> dict[str, float]:
        """Importances by Optuna's names, of dimensions that some of the trials have."""
        shown = self._storage.shown = [self._frozen[k] for k in drawn]
        there = {key for trial in shown for key in trial.params}
        keys = [key for key in keys if key in there]
        if not keys or len(shown) < LEAST:
            return {}
        best = min(max(_BEST, 5 / len(shown)), 0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about directions and rare cases, see above
            evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
            return evaluator.evaluate(self._study, keys, target=lambda trial: values[trial.number])


class _Shown(optuna.storages.InMemoryStorage):
    """A storage that returns the trials it is given."""

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
    """Whether the trial's point has a value of this dimension, or shows that it does not exist."""
    return space.alternative(name, trial.params) is None or any(
        key in frozen.params for key in keys
    )


def _after(on_progress: OnProgress, before: int, count: int, done: int) -> None:
    on_progress(before + done, count)


def _varies(space: Space, name: str) -> bool:
    alternatives = space.alternatives(name)
    return any(
        len(one.values) > 1
        if isinstance(one, Choice)
        else not isinstance(one, IntRange | FloatRange) or one.low < one.high
        for one in alternatives
    )
