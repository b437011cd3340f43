"""Topologies: exact counts and the design rules of NCPs.

Draws are deterministic, every node is used, and infeasible sizes are refused.
"""

import itertools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import ncps.wirings
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiring_search.wirings.topologies import (
    auto_ncp,
    fully_connected,
    layered,
    ncp,
    random_sparse,
    small_world,
)
from wiring_search.wirings.wiring import Wiring


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_ncp_follows_its_design_rules(data: st.DataObject) -> None:
    draw = data.draw
    sensory, inter, command, motor = (draw(st.integers(1, n)) for n in (9, 12, 8, 5))
    fanout, inter_fanout, fanin = (
        draw(st.integers(1, inter)),
        draw(st.integers(1, command)),
        draw(st.integers(1, command)),
    )
    recurrent, seed = draw(st.integers(0, command**2)), draw(st.integers(0, 99))
    wiring = ncp(sensory, inter, command, motor, fanout, inter_fanout, recurrent, fanin, seed=seed)
    roles = wiring.roles
    assert {roles[post] for _, post, _ in wiring.sensory_synapses} == {"inter"}
    kinds = [(roles[pre], roles[post]) for pre, post, _ in wiring.synapses]
    assert set(kinds) <= {("inter", "command"), ("command", "command"), ("command", "motor")}
    assert kinds.count(("command", "command")) == recurrent
    out_of_sensory = np.bincount([pre for pre, _, _ in wiring.sensory_synapses], minlength=sensory)
    assert out_of_sensory.min() >= fanout
    out_of_inter = np.bincount(
        [pre for pre, post, _ in wiring.synapses if roles[pre] == "inter"], minlength=wiring.neurons
    )
    assert out_of_inter[motor + command :].min() >= inter_fanout
    into_motors = np.bincount(
        [post for _, post, _ in wiring.synapses if roles[post] == "motor"], minlength=motor
    )
    assert into_motors.min() >= fanin


def test_ncp_has_as_many_synapses_as_in_the_package() -> None:
    """Counts agree on average if the package overwrites no synapse: both give a neuron without
    synapses about as many as the others have."""
    ours = [auto_ncp(8, 28, 4, seed=seed) for seed in range(30)]
    theirs = [ncps.wirings.AutoNCP(28, 4, seed=seed) for seed in range(30)]
    for wiring in theirs:
        wiring.build(8)
    assert (ours[0].inter, ours[0].command) == (15, 9)
    assert np.mean([len(w.synapses) for w in ours]) == pytest.approx(
        np.mean([w.synapse_count for w in theirs]), rel=0.03
    )
    assert np.mean([len(w.sensory_synapses) for w in ours]) == pytest.approx(
        np.mean([w.sensory_synapse_count for w in theirs]), rel=0.05
    )


def test_recurrent_synapses_are_exact_where_the_package_draws_fewer() -> None:
    wiring = ncp(4, 6, 5, 2, 2, 2, 25, 2, seed=0)
    roles = wiring.roles
    assert sum(roles[a] == roles[b] == "command" for a, b, _ in wiring.synapses) == 25
    theirs = ncps.wirings.NCP(6, 5, 2, 2, 2, 25, 2, seed=0)
    theirs.build(4)
    assert np.count_nonzero(theirs.adjacency_matrix[2:7, 2:7]) < 25


@pytest.mark.parametrize("excitatory", [0.0, 0.3, 1.0])
def test_polarity_follows_its_share(excitatory: float) -> None:
    wiring = fully_connected(10, 40, 3, excitatory=excitatory, seed=2)
    polarity = np.concatenate([wiring.synapse_arrays()[2], wiring.sensory_arrays()[2]])
    assert np.mean(polarity > 0) == pytest.approx(excitatory, abs=0.04 if 0 < excitatory < 1 else 0)


MAKERS = {
    "ncp": lambda seed: ncp(5, 8, 6, 3, 2, 2, 7, 2, seed=seed),
    "auto_ncp": lambda seed: auto_ncp(5, 20, 3, seed=seed),
    "random_sparse": lambda seed: random_sparse(5, 20, 3, 15, 60, seed=seed),
    "fully_connected": lambda seed: fully_connected(5, 9, 3, seed=seed),
    "small_world": lambda seed: small_world(5, 20, 3, 4, 0.3, seed=seed),
    "layered": lambda seed: layered(5, 8, 6, 3, 0.4, 4, seed=seed),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_seed_decides(name: str) -> None:
    make = MAKERS[name]
    assert make(3) == make(3)
    assert len({make(seed).wiring_id for seed in range(6)}) == 6


@given(
    st.integers(1, 6),
    st.integers(1, 20),
    st.integers(0, 3),
    st.integers(0, 60),
    st.integers(0, 40),
    st.integers(0, 999),
)
@settings(max_examples=80, deadline=None)
def test_random_sparse_has_exactly_the_given_synapses(
    sensory: int, rest: int, extra: int, more: int, outer: int, seed: int
) -> None:
    motor = 1 + extra
    neurons = rest + motor
    synapses = min(2 * neurons + more, neurons**2)
    sensory_synapses = min(sensory + outer, sensory * neurons)
    wiring = random_sparse(sensory, neurons, motor, sensory_synapses, synapses, seed=seed)
    assert len(wiring.synapses) == synapses
    assert len(wiring.sensory_synapses) == sensory_synapses


@pytest.mark.parametrize("seed", range(3))
def test_random_sparse_takes_the_fewest_synapses_possible_and_refuses_one_less(seed: int) -> None:
    for neurons, sensory, outer in itertools.product(range(1, 6), (1, 2), (2, 4, 7)):
        for motor in range(1, neurons + 1):
            outer = min(outer, sensory * neurons)
            if outer < sensory:
                continue
            least = max(neurons - min(outer, neurons), neurons - motor)
            assert (
                len(random_sparse(sensory, neurons, motor, outer, least, seed=seed).synapses)
                == least
            )
            with pytest.raises(ValueError, match="synapses is"):
                random_sparse(sensory, neurons, motor, outer, least - 1, seed=seed)


def test_small_world_and_layered_counts_are_exact() -> None:
    assert len(small_world(3, 11, 2, 4, 0.5, seed=1).synapses) == 44
    wiring = layered(5, 8, 6, 3, 0.5, 4, seed=1)
    assert len(wiring.sensory_synapses) == 20
    assert len(wiring.synapses) == 24 + 9 + 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ncp(4, 3, 2, 1, 5, 1, 0, 1),
            r"sensory_fanout is 5; give a whole number from 1 to 3 \(inter\)",
        ),
        (
            lambda: ncp(4, 3, 2, 1, 2, 3, 0, 1),
            r"inter_fanout is 3; give a whole number from 1 to 2 \(command\)",
        ),
        (
            lambda: ncp(4, 3, 2, 1, 2, 1, 5, 1),
            r"recurrent_synapses is 5; give a whole number from 0 to 4 \(command²\)",
        ),
        (lambda: ncp(4, 3, 2, 1, 2, 1, 0, 3), "motor_fanin is 3"),
        (lambda: ncp(4, 0, 2, 1, 2, 1, 0, 1), "inter is 0; give 1 or more"),
        (
            lambda: ncp(4, 3, 2, 1, 2, 1, 0, 1, excitatory=1.2),
            "excitatory is 1.2; give a share from 0 to 1",
        ),
        (lambda: auto_ncp(4, 5, 3), "neurons is 5; give motor \\+ 3 or more"),
        (lambda: auto_ncp(4, 9, 3, sparsity=0.0), "sparsity is 0.0"),
        (
            lambda: random_sparse(4, 5, 2, 3, 9),
            "sensory_synapses is 3; give a whole number from 4 to 20",
        ),
        (
            lambda: random_sparse(1, 30, 1, 1, 5),
            "synapses is 5; give a whole number from 29 to 900",
        ),
        (lambda: auto_ncp(4, 9, 3, sparsity="half"), "sparsity is 'half'; give a number"),
        (lambda: layered(4, 5, 2, 1, density="half"), "density is 'half'; give a number"),
        (lambda: ncp(4, 3, 2, 1, 2, 1, 0, 1, excitatory=None), "excitatory is None; give a share"),
        (
            lambda: small_world(4, 5, 2, 5),
            r"neighbours is 5; give a whole number from 1 to 4 \(neurons − 1\)",
        ),
        (lambda: layered(4, 5, 2, 1, density=0), "density is 0"),
        (lambda: fully_connected(4, 5, 3, seed=-1), "seed is -1; give 0 or more"),
        (lambda: fully_connected(4, 2, 3), r"neurons is 2; give 3 \(the motor neurons\) or more"),
    ],
)
def test_infeasible_sizes_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def _lines_run(call: Callable[[], object]) -> int:
    """The number of lines of Python that a call runs. Other programs do not change it."""
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(earlier)
    return lines


def test_the_work_of_drawing_an_ncp_grows_no_faster_than_its_synapses() -> None:
    def draw(scale: int) -> Wiring:
        sizes = (3 * scale, 4 * scale, 3 * scale, 2 * scale)
        return ncp(*sizes, 3, 2, 3 * scale, 2, seed=1)

    growth = draw(32).synapse_count / draw(4).synapse_count
    assert growth > 6
    assert _lines_run(lambda: draw(32)) < 1.5 * growth * _lines_run(lambda: draw(4))
