"""A reservoir is what its equation says, its readout what scikit-learn and numpy give, its measures
what is known in closed form."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score

from tests.support.random_packs import random_wiring
from wiring_search import tasks
from wiring_search.tasks.task import Split, Task
from wiring_search.training.baselines.reservoir import (
    Reservoir,
    fit_ridge,
    generalisation_rank,
    kernel_quality,
    memory_capacity,
    memory_curve,
    missing_f1,
    score,
    spectral_radius,
)
from wiring_search.wirings.topologies import (
    fully_connected,
    layered,
    ncp,
    random_sparse,
    small_world,
)
from wiring_search.wirings.wiring import Wiring

RNG = np.random.default_rng(0)
SPARSE = random_sparse(3, 12, 2, 6, 30)


def _delay_line(neurons: int) -> Wiring:
    """Sensory node → last neuron → … → neuron 0, which is the motor neuron."""
    return Wiring(
        1,
        neurons - 1,
        0,
        1,
        ((0, neurons - 1, 1),),
        tuple((i, i - 1, (-1) ** i) for i in range(1, neurons)),
    )


def _linear(wiring: Wiring, **settings) -> Reservoir:
    """So weakly driven that tanh is the identity."""
    return Reservoir(wiring, input_scale=1e-4, **settings)


class _Sealed:
    """A test split that must not be read."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the test split was read: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test split was read")


@pytest.mark.parametrize("every_step", [True, False])
def test_states_follow_the_equation_neuron_by_neuron(every_step: bool) -> None:
    reservoir = Reservoir(
        SPARSE, spectral_radius=1.3, leak=0.4, input_scale=0.7, bias_scale=0.5, seed=3
    )
    u = RNG.standard_normal((4, 6, 3))
    elapsed = RNG.uniform(0.0, 2.0, (4, 6))
    elapsed[:, 0] = 1.0
    elapsed[1, 3:] = 0.0
    u[1, 3:] = np.nan
    expected = np.zeros((4, 6, 12))
    for sample in range(4):
        x = [0.0] * 12
        for t in range(6):
            if elapsed[sample, t] > 0:
                onto = list(reservoir.bias)
                for pre, post, _ in SPARSE.synapses:
                    onto[post] += reservoir.recurrent[post, pre] * x[pre]
                for pre, post, _ in SPARSE.sensory_synapses:
                    onto[post] += reservoir.sensory[post, pre] * u[sample, t, pre]
                kept = (1 - 0.4) ** elapsed[sample, t]
                x = [kept * x[i] + (1 - kept) * math.tanh(onto[i]) for i in range(12)]
            expected[sample, t] = x
    states = reservoir.states(u, elapsed, every_step)
    assert np.abs(states - (expected if every_step else expected[:, -1])).max() < 1e-12
    assert (
        np.abs(reservoir.states(u[:1], elapsed[:1] * 0 + 1.0)[0, 0] - expected[0, 0]).max() < 1e-12
    )


def test_matrices_have_the_synapses_and_their_signs() -> None:
    reservoir = Reservoir(SPARSE, bias_scale=0.2)
    signs, sensory_signs = np.zeros((12, 12)), np.zeros((12, 3))
    for pre, post, polarity in SPARSE.synapses:
        signs[post, pre] = polarity
    for pre, post, polarity in SPARSE.sensory_synapses:
        sensory_signs[post, pre] = polarity
    assert np.array_equal(np.sign(reservoir.recurrent), signs)
    assert np.array_equal(np.sign(reservoir.sensory), sensory_signs)
    assert 0.1 < np.abs(reservoir.bias).max() <= 0.2


@pytest.mark.parametrize(
    "wiring",
    [
        SPARSE,
        fully_connected(2, 15, 1),
        ncp(4, 12, 6, 2, 4, 3, 8, 3),
        small_world(2, 20, 1, 3),
        random_sparse(2, 200, 2, 20, 900),
    ],
    ids=["sparse", "dense", "ncp", "ring", "large"],
)
def test_the_spectral_radius_is_the_one_asked_for(wiring: Wiring) -> None:
    w = Reservoir(wiring, spectral_radius=1.1, seed=1).recurrent
    assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(1.1, rel=1e-6)


def test_a_wiring_without_cycles_has_radius_zero_and_is_not_scaled() -> None:
    wiring = layered(3, 8, 6, 2, density=0.6)
    reservoir = Reservoir(wiring, spectral_radius=0.5)
    w = reservoir.recurrent
    assert spectral_radius(w) == 0.0
    assert ((np.abs(w[w != 0]) >= 0.5) & (np.abs(w[w != 0]) <= 1.5)).all()
    assert np.isfinite(reservoir.states(RNG.standard_normal((2, 30, 3)))).all()
    # In disguise, where rounding gives plain eigenvalues of some size: a long delay line,
    # renumbered.
    line = np.diag(np.ones(59), 1)
    order = RNG.permutation(60)
    assert spectral_radius(line[np.ix_(order, order)]) == 0.0


def test_the_seed_makes_it() -> None:
    u = RNG.standard_normal((2, 5, 3))
    one, same, other = (Reservoir(SPARSE, bias_scale=0.1, seed=seed) for seed in (1, 1, 2))
    # asked for in another order, and still the same
    assert same.bias.shape == (12,)
    assert same.sensory.shape == (
        12,
        3,
    )
    assert np.array_equal(one.states(u), same.states(u))
    assert not np.allclose(one.states(u), other.states(u))
    assert np.array_equal(one.input_weights(7), same.input_weights(7))
    assert one.input_weights(7).shape == (12, 7)


def test_other_numbers_of_features_go_through_a_projection_of_equal_variance() -> None:
    weights = Reservoir(fully_connected(5, 40, 1), seed=4).input_weights(200)
    assert np.linalg.matrix_rank(weights) == 5
    u = RNG.standard_normal((1000, 200))
    plain = RNG.standard_normal((1000, 5)) @ Reservoir(fully_connected(5, 40, 1), seed=4).sensory.T
    assert (u @ weights.T).std() == pytest.approx(plain.std(), rel=0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spectral_radius": 0.0}, "spectral_radius is 0.0; give a number above 0"),
        ({"leak": 0.0}, "leak is 0.0; give a number above 0 and at most 1"),
        ({"leak": 1.5}, "leak is 1.5"),
        ({"input_scale": -1.0}, "input_scale is -1.0; give 0 or more"),
        ({"bias_scale": float("nan")}, "bias_scale is nan; give a number"),
        ({"seed": -1}, "seed is -1; give a whole number"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reservoir(SPARSE, **settings)


def test_bad_arguments_are_named() -> None:
    reservoir = Reservoir(SPARSE)
    for call, message in (
        (
            lambda: reservoir.states(np.zeros((3, 4))),
            r"u has shape \(3, 4\); give \(batch, time, features\)",
        ),
        (
            lambda: reservoir.states(np.zeros((3, 4, 3)), np.zeros((3, 5))),
            r"elapsed has shape \(3, 5\); give .* \(3, 4\)",
        ),
        (lambda: reservoir.states(np.zeros((1, 1, 3)), -np.ones((1, 1))), "elapsed has a negative"),
        (lambda: fit_ridge(np.zeros((3, 2)), np.zeros((3, 1)), -1.0), "regularisation is -1.0"),
        (
            lambda: fit_ridge(np.zeros((3, 2)), np.zeros((3, 1)), (1.0, 2.0)),
            "2 regularisations but no validation data",
        ),
        (lambda: memory_curve(reservoir, delays=0), "delays is 0"),
        (lambda: memory_curve(reservoir, length=100), "length is 100; give 360 or more"),
        (lambda: kernel_quality(reservoir, streams=0), "streams is 0"),
        (lambda: kernel_quality(reservoir, threshold=1.0), "threshold is 1.0"),
        (lambda: generalisation_rank(reservoir, jitter=-1.0), "jitter is -1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("regularisation", [1e-3, 1.0, 50.0])
def test_ridge_is_that_of_scikit_learn(regularisation: float) -> None:
    x, y = RNG.standard_normal((80, 10)) + 3.0, RNG.standard_normal((80, 4)) - 2.0
    theirs = Ridge(alpha=regularisation).fit(x, y)
    ours = fit_ridge(x, y, regularisation)
    assert np.abs(ours.weights - theirs.coef_).max() < 1e-10
    assert np.abs(ours.bias - theirs.intercept_).max() < 1e-10
    assert np.abs(ours.predict(x) - theirs.predict(x)).max() < 1e-10


def test_without_regularisation_it_is_least_squares_of_the_smallest_norm() -> None:
    x, y = RNG.standard_normal((60, 7)), RNG.standard_normal((60, 2))
    x[:, 6] = x[:, 0] - x[:, 1]  # not unique
    ours = fit_ridge(x, y, 0.0)
    theirs = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0))[0].T
    assert np.abs(ours.weights - theirs).max() < 1e-10
    constant = fit_ridge(np.ones((5, 3)), np.arange(5.0)[:, None], 0.0)
    assert np.array_equal(constant.weights, np.zeros((1, 3)))
    assert constant.bias == 2.0


def test_the_regularisation_that_validates_best_is_taken() -> None:
    several = (1e-6, 1e-2, 1.0, 100.0, 1e4)
    truth = RNG.standard_normal((20, 1))
    x, valid_x = RNG.standard_normal((25, 20)), RNG.standard_normal((500, 20))
    y, valid_y = x @ truth + 3 * RNG.standard_normal((25, 1)), valid_x @ truth
    errors = {
        a: float(np.mean((Ridge(alpha=a).fit(x, y).predict(valid_x) - valid_y[:, 0]) ** 2))
        for a in several
    }
    best = min(errors, key=errors.get)
    assert best not in (several[0], several[-1])
    assert fit_ridge(x, y, several, (valid_x, valid_y)).regularisation == best


def _made_up(kind: str, every_step: bool, lengths: bool) -> Task:
    def split(n: int, seed: int) -> Split:
        rng = np.random.default_rng(seed)
        x = rng.random((n, 9, 3)).astype(np.float32)
        steps = slice(None) if every_step else -1
        value = (x - 0.5).cumsum(axis=1).sum(axis=-1)[:, steps]
        y = (
            (value > 0).astype(np.int64)
            if kind == "classification"
            else value[..., None].astype(np.float32)
        )
        return Split(x, y, lengths=rng.integers(1, 10, n) if lengths else None)

    outputs, metric = (2, "accuracy") if kind == "classification" else (1, "mse")
    return Task(
        "made up", kind, every_step, outputs, metric, split(60, 0), split(40, 1), _Sealed(), {}, ""
    )


def test_f1_is_told_where_the_task_asks_for_it() -> None:
    found, there = RNG.standard_normal((50, 2)), np.eye(2)[RNG.integers(0, 2, 50)]
    assert missing_f1(found, there) == pytest.approx(
        1 - f1_score(there[:, 1], found.argmax(axis=1))
    )
    task = _made_up("classification", True, False)
    reservoir = Reservoir(SPARSE, seed=1)
    as_f1, as_accuracy = (
        score(reservoir, replace(task, metric="f1"), 0.01),
        score(reservoir, task, 0.01),
    )
    assert 0 < as_f1 < 1
    assert as_f1 != as_accuracy


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize(
    ("every_step", "lengths"), [(True, False), (True, True), (False, False), (False, True)]
)
def test_the_score_is_what_an_independent_computation_gives(
    kind: str, every_step: bool, lengths: bool
) -> None:
    task = _made_up(kind, every_step, lengths)
    reservoir = Reservoir(SPARSE, seed=1)

    def rows(split: Split) -> tuple[np.ndarray, np.ndarray]:
        states, targets = [], []
        for n in range(len(split)):
            valid = 9 if split.lengths is None else int(split.lengths[n])
            path = reservoir.states(split.x[n : n + 1, :valid])[0]
            states += list(path) if every_step else [path[-1]]
            targets += list(split.y[n, :valid]) if every_step else [split.y[n]]
        return np.array(states), np.array(targets)

    (x, y), (valid_x, valid_y) = rows(task.train), rows(task.valid)
    if kind == "classification":
        theirs = (
            Ridge(alpha=0.01)
            .fit(x, np.stack([y == 0, y == 1], axis=1).astype(float))
            .predict(valid_x)
        )
        expected = np.mean(theirs.argmax(axis=1) != valid_y)
    else:
        expected = np.mean(
            (Ridge(alpha=0.01).fit(x, y[:, 0]).predict(valid_x) - valid_y[:, 0]) ** 2
        )
    assert score(reservoir, task, 0.01) == pytest.approx(expected, abs=1e-9)
    assert (
        score(reservoir, task) <= min(score(reservoir, task, a) for a in (1e-4, 1e-2, 1.0)) + 1e-12
    )


def test_elapsed_times_reach_the_score() -> None:
    task = _made_up("regression", True, False)
    regular = score(Reservoir(SPARSE), task)
    slow = {
        part: replace(getattr(task, part), elapsed=np.full((n, 9), 0.2, np.float32))
        for part, n in (("train", 60), ("valid", 40))
    }
    assert score(Reservoir(SPARSE, leak=1 - 0.7**5), replace(task, **slow)) == pytest.approx(
        regular, rel=1e-4
    )


def test_a_reservoir_reads_digits() -> None:
    task = replace(tasks.load("digits"), test=_Sealed())
    errors = [
        score(Reservoir(random_sparse(8, 60, 4, 120, 300, seed=seed), seed=seed), task)
        for seed in range(3)
    ]
    assert max(errors) < 0.13  # measured 0.089 to 0.106; always one class: 0.897


@pytest.mark.parametrize("leak", [1.0, 0.5])
@pytest.mark.parametrize("polarity", [1, -1])
def test_memory_of_one_linear_neuron(leak: float, polarity: int) -> None:
    """x' = a x + b u remembers u(t − k) with r² = (1 − a²) a^2k, together a² for k ≥ 1."""
    reservoir = _linear(
        Wiring(1, 0, 0, 1, ((0, 0, 1),), ((0, 0, polarity),)), spectral_radius=0.8, leak=leak
    )
    a = 1 - leak + leak * 0.8 * polarity
    curve = memory_curve(reservoir, delays=6, length=40_000)
    assert np.abs(curve - (1 - a**2) * a ** (2 * np.arange(1, 7))).max() < 0.02


def test_a_delay_line_remembers_as_long_as_it_is() -> None:
    curve = memory_curve(_linear(_delay_line(9), leak=1.0))
    assert curve[:8] == pytest.approx(np.ones(8), abs=1e-6)
    assert (curve[8:] == 0).all()
    assert len(curve) == 18
    assert memory_capacity(_linear(_delay_line(9), leak=1.0)) == pytest.approx(8.0, abs=1e-5)


def test_memory_is_bounded_by_the_number_of_neurons() -> None:
    capacities = {}
    for seed in range(6):
        wiring = random_wiring(np.random.default_rng(seed))
        for radius, scale in ((0.9, 1.0), (0.95, 1e-3)):
            reservoir = Reservoir(
                wiring, spectral_radius=radius, leak=0.9, input_scale=scale, seed=seed
            )
            capacities[seed, scale] = memory_capacity(reservoir, delays=4 * wiring.neurons)
            assert 0 < capacities[seed, scale] <= wiring.neurons
    assert (
        sum(capacities[seed, 1e-3] > capacities[seed, 1.0] for seed in range(6)) >= 4
    )  # tanh costs memory


def test_memory_is_measured_on_held_out_data_by_seed() -> None:
    forgetful = _linear(Wiring(1, 0, 0, 1, ((0, 0, 1),), ()), leak=1.0)
    assert memory_capacity(forgetful, delays=50) == 0.0
    reservoir = Reservoir(SPARSE)
    assert (
        memory_capacity(reservoir)
        == memory_capacity(reservoir)
        != memory_capacity(reservoir, seed=1)
    )


@pytest.mark.parametrize(("steps", "rank"), [(1, 1), (4, 4), (9, 9), (30, 9)])
def test_kernel_quality_of_a_delay_line_is_what_it_holds(steps: int, rank: int) -> None:
    reservoir = _linear(_delay_line(9), leak=1.0)
    assert kernel_quality(reservoir, streams=20, steps=steps, threshold=1e-6) == rank
    assert kernel_quality(reservoir, streams=5, steps=steps, threshold=1e-6) == min(rank, 5)


def test_ranks_tell_separation_from_sensitivity() -> None:
    for seed in range(3):
        reservoir = Reservoir(random_sparse(2, 50, 2, 10, 200, seed=seed), seed=seed)
        quality = kernel_quality(reservoir)
        ranks = [generalisation_rank(reservoir, jitter=jitter) for jitter in (0.0, 0.01, 0.1, 1.0)]
        assert ranks[0] == 1
        assert ranks == sorted(ranks)
        assert ranks[2] < quality <= 50
        assert (
            kernel_quality(reservoir, threshold=1e-9)
            >= quality
            >= kernel_quality(reservoir, threshold=0.1)
        )
        assert quality == kernel_quality(reservoir)
