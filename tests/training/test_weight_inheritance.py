"""What a child has from its parent: everything that survives, exactly, and nothing else."""

import io
from itertools import product

import numpy as np
import pytest

from tests.support.random_packs import inputs, parameters, random_wiring
from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.training.pack import Pack, initial_weights, layout_of
from wiring_search.training.weight_inheritance import inherited_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS as NEURON_KINDS
from wiring_search.wirings.kinds import MEMORIES
from wiring_search.wirings.mutation import Limits, Origins, mutate
from wiring_search.wirings.topologies import ncp

FEATURES, OUTPUTS = 3, 2
KINDS = list(product(NEURON_KINDS, MEMORIES))


def _candidate(wiring, neuron: str = "ltc", memory: str = "none", seed: int = 0) -> Candidate:
    solver = NEURON_KINDS[neuron].usual_solver
    return Candidate(wiring, neuron, solver, 0 if solver == "closed-form" else 2, memory, seed=seed)


def _trained(candidate: Candidate, seed: int = 0) -> tuple[bytes, np.ndarray]:
    """A state as training gives it, with weights that are no candidate's initial ones, and those
    weights."""
    layout = layout_of((candidate,), FEATURES, OUTPUTS)
    best = parameters(layout, np.random.default_rng(seed))
    buffer = io.BytesIO()
    latest = np.full_like(best, 9.0)
    np.savez(
        buffer, best_weights=best, weights=latest, first=latest, second=latest, step=np.array([7])
    )
    return buffer.getvalue(), best


def _inherited(
    parent: Candidate, child: Candidate, origins: Origins, seed: int = 0
) -> dict[str, np.ndarray]:
    with np.load(
        io.BytesIO(
            inherited_state(parent, _trained(parent, seed)[0], child, origins, FEATURES, OUTPUTS)
        )
    ) as arrays:
        return dict(arrays)


def _outputs(candidate: Candidate, weights: np.ndarray) -> np.ndarray:
    zeros = np.zeros_like(weights)
    state = {"weights": weights, "first": zeros, "second": zeros, "step": np.zeros(1, np.int64)}
    pack = Pack([candidate], FEATURES, OUTPUTS, [state])
    x, elapsed, _ = inputs(pack.layout, np.random.default_rng(1), 4, 5, gaps=True)
    return pack.predict(x, elapsed, True)


@pytest.mark.parametrize(("neuron", "memory"), KINDS)
@pytest.mark.parametrize("sensory", [FEATURES, 5])
def test_the_same_wiring_gives_the_same_outputs(neuron: str, memory: str, sensory: int) -> None:
    wiring = ncp(sensory, 6, 4, 2, 2, 2, 4, 2, seed=2)
    parent, child = _candidate(wiring, neuron, memory), _candidate(wiring, neuron, memory, seed=5)
    state = _inherited(parent, child, Origins.same(wiring))
    _, best = _trained(parent)
    assert np.array_equal(state["weights"], best)
    assert np.array_equal(_outputs(child, state["weights"]), _outputs(parent, best))
    assert not state["first"].any()
    assert not state["second"].any()
    assert state["step"].tolist() == [0]


@pytest.mark.parametrize(
    ("neuron", "names"),
    [("ltc", ("w",)), ("ct-rnn", ("w",)), ("cfc", ("ff1_w", "ff2_w", "time_a_w", "time_b_w"))],
)
def test_a_synapse_without_strength_can_go(neuron: str, names: tuple[str, ...]) -> None:
    wiring = ncp(4, 6, 4, 2, 2, 2, 6, 2, seed=2)
    child_wiring, moves, origins = mutate(
        wiring, Limits(), np.random.default_rng(3), among=("remove",)
    )
    lost = {(pre, post) for pre, post, _ in wiring.synapses} - {
        (pre, post) for pre, post, _ in child_wiring.synapses
    }
    outer_lost = len(wiring.sensory_synapses) - len(child_wiring.sensory_synapses)
    assert moves == ("remove",)
    assert len(lost) + outer_lost == 1
    parent, child = _candidate(wiring, neuron), _candidate(child_wiring, neuron)
    layout = layout_of((parent,), FEATURES, OUTPUTS)
    _, best = _trained(parent)
    edges = [k for k, (pre, post, _) in enumerate(wiring.synapses) if (pre, post) in lost]
    outer = [
        k for k, s in enumerate(wiring.sensory_synapses) if s not in child_wiring.sensory_synapses
    ]
    for name in names:
        best[layout.slices[0][name]][edges] = (
            -60.0 if neuron == "ltc" else 0.0
        )  # the softplus of −60 is 0
        best[layout.slices[0]["sensory_" + name]][outer] = -60.0 if neuron == "ltc" else 0.0
    buffer = io.BytesIO()
    np.savez(buffer, best_weights=best)
    with np.load(
        io.BytesIO(inherited_state(parent, buffer.getvalue(), child, origins, FEATURES, OUTPUTS))
    ) as arrays:
        after = _outputs(child, arrays["weights"])
    assert np.abs(after - _outputs(parent, best)).max() < 1e-6


def _told(layout: PackLayout, flat: np.ndarray, names: Origins) -> dict[tuple, float]:
    """Every number of a candidate by what it belongs to, one by one; new nodes are named None."""
    wiring, made, kind = layout.wirings[0], layout.connections[0], layout.kind
    neurons, sensory = names
    cells = {"none": (), "state": neurons, "input": sensory}[kind.memory]
    block = {
        name: flat[layout.slices[0][name]].reshape(shape)
        for name, shape in layout.shapes[0].items()
    }
    pinned, found = made.pinned(), {}
    for name, values in block.items():
        for at, value in np.ndenumerate(values):
            if name.startswith("memory_"):
                owner = (at[0] // len(cells), cells[at[0] % len(cells)])
                owner += (neurons[at[1]],) if name == "memory_h" else tuple(at[1:])
            elif name in ("input_w", "input_b"):
                owner = (
                    (sensory[at[0]], *at[1:])
                    if wiring.sensory != layout.features
                    else (sensory[at[0]], at[0])
                )
            elif name == "output_w":
                owner = (at[0], neurons[at[1]])
            elif name == "output_b":
                owner = at
            elif name.startswith("sensory_"):
                owner = (sensory[made.sensory_pre[at]], neurons[made.sensory_post[at]])
            elif len(values) == len(made.pre) and (
                name in ("w", "mu", "sigma", "erev") or name.endswith("_w")
            ):
                owner = (neurons[made.pre[at]], neurons[made.post[at]])
            else:
                owner = (neurons[at[0]],)
            if not (name in pinned and pinned[name][at]):
                found[name, *owner] = float(value)
    return {key: value for key, value in found.items() if None not in key}


@pytest.mark.parametrize(("neuron", "memory"), KINDS)
def test_whatever_survives_is_the_parents_and_the_rest_is_fresh(neuron: str, memory: str) -> None:
    rng = np.random.default_rng(11)
    for round_ in range(6):
        layers = neuron.startswith("layered") or round_ % 2
        wiring = (
            ncp(5, 6, 4, 2, 2, 2, 4, 2, seed=round_)
            if layers
            else random_wiring(rng, sensory=5, motor=2)
        )
        child_wiring, moves, origins = mutate(
            wiring, Limits(sensory=(4, 8)), rng, 4, ("add", "remove", "rewire", "grow", "shrink")
        )
        assert len(moves) == 4
        parent, child = (
            _candidate(wiring, neuron, memory),
            _candidate(child_wiring, neuron, memory, seed=4),
        )
        before, layout = (
            layout_of((parent,), FEATURES, OUTPUTS),
            layout_of((child,), FEATURES, OUTPUTS),
        )
        weights = _inherited(parent, child, origins, round_)["weights"]
        theirs = _told(before, _trained(parent, round_)[1], Origins.same(wiring))
        mine, fresh = (
            _told(layout, weights, origins),
            _told(layout, initial_weights(layout, 0, 4), origins),
        )
        assert len(mine.keys() & theirs.keys()) > 0.3 * len(theirs)
        for key, value in mine.items():
            assert value == (theirs[key] if key in theirs else fresh[key]), key
        whole = _told(layout, weights, Origins.same(child_wiring))
        started = _told(layout, initial_weights(layout, 0, 4), Origins.same(child_wiring))
        new = sum(whole[key] == started[key] for key in whole)
        assert new >= len(whole) - len(mine)
        assert not weights[layout.pinned].any()


@pytest.mark.parametrize(
    ("neuron", "memory"),
    [("ltc", "none"), ("ct-rnn", "state"), ("neural-ode", "input"), ("cfc", "none")],
)
def test_a_flipped_synapse_keeps_its_strength(neuron: str, memory: str) -> None:
    wiring = ncp(4, 6, 4, 2, 2, 2, 6, 2, seed=2)
    child_wiring, _, origins = mutate(
        wiring, Limits(), np.random.default_rng(0), 5, among=("flip",)
    )
    assert child_wiring != wiring
    parent, child = _candidate(wiring, neuron, memory), _candidate(child_wiring, neuron, memory)
    layout = layout_of((child,), FEATURES, OUTPUTS)
    weights, (_, best) = _inherited(parent, child, origins)["weights"], _trained(parent)
    same = weights == best
    for prefix, new, old in (
        ("", child_wiring.synapse_arrays()[2], wiring.synapse_arrays()[2]),
        ("sensory_", child_wiring.sensory_arrays()[2], wiring.sensory_arrays()[2]),
    ):
        name = prefix + ("erev" if neuron == "ltc" else "ff1_w" if neuron == "cfc" else "w")
        at, flipped = layout.slices[0][name], new != old
        assert same[at][~flipped].all()
        match neuron:
            case "ltc":
                assert np.array_equal(weights[at][flipped], new[flipped])
            case "cfc":  # polarities mean nothing to it
                assert same[at].all()
            case _:
                assert np.array_equal(
                    weights[at][flipped], new[flipped] * np.abs(best[at][flipped])
                )
        same[at] = True
    assert same.all()


def test_sensory_nodes_that_were_features_go_on_as_a_projection() -> None:
    wiring = ncp(FEATURES, 6, 4, 2, 2, 2, 4, 2, seed=1)
    child_wiring, _, origins = mutate(
        wiring,
        Limits(inter=(6, 6), command=(4, 4), motor=(2, 2)),
        np.random.default_rng(1),
        1,
        ("grow",),
    )
    assert child_wiring.sensory == FEATURES + 1
    parent, child = _candidate(wiring), _candidate(child_wiring)
    layout, before = layout_of((child,), FEATURES, OUTPUTS), layout_of((parent,), FEATURES, OUTPUTS)
    weights, (_, best) = _inherited(parent, child, origins)["weights"], _trained(parent)
    projection = weights[layout.slices[0]["input_w"]].reshape(FEATURES + 1, FEATURES)
    assert np.array_equal(projection[:FEATURES], np.diag(best[before.slices[0]["input_w"]]))
    assert np.array_equal(
        weights[layout.slices[0]["input_b"]][:FEATURES], best[before.slices[0]["input_b"]]
    )
    # Back again, nothing can be made of a projection: one weight a feature starts afresh.
    back = Origins(tuple(range(wiring.neurons)), (0, 1, 2))
    again = _inherited(child, parent, back)["weights"]
    assert (again[before.slices[0]["input_w"]] == 1).all()
    assert not again[before.slices[0]["input_b"]].any()


def test_a_weight_of_one_feature_does_not_go_to_another() -> None:
    """As many sensory nodes as features: the node that was the second feature's and is now the
    first's starts afresh."""
    wiring = ncp(FEATURES, 6, 4, 2, 2, 2, 4, 2, seed=1)
    parent = _candidate(wiring)
    at = layout_of((parent,), FEATURES, OUTPUTS).slices[0]
    weights, (_, best) = (
        _inherited(parent, parent, Origins(tuple(range(12)), (1, None, 2)))["weights"],
        _trained(parent),
    )
    assert weights[at["input_w"]].tolist() == [1.0, 1.0, best[at["input_w"]][2]]
    assert weights[at["input_b"]].tolist() == [0.0, 0.0, best[at["input_b"]][2]]


def test_another_solver_inherits_all_another_neuron_nothing_another_memory_the_rest() -> None:
    wiring = ncp(4, 6, 4, 2, 2, 2, 4, 2, seed=1)
    parent, same = _candidate(wiring), Origins.same(wiring)
    _, best = _trained(parent)
    assert np.array_equal(
        _inherited(parent, Candidate(wiring, "ltc", "rk4", 3), same)["weights"], best
    )
    other = _candidate(wiring, "ct-rnn", seed=3)
    fresh = initial_weights(layout_of((other,), FEATURES, OUTPUTS), 0, 3)
    assert np.array_equal(_inherited(parent, other, same)["weights"], fresh)
    for had, memory in (
        ("none", "state"),
        ("state", "input"),
        ("input", "state"),
        ("state", "none"),
    ):
        parent, child = _candidate(wiring, "ltc", had), _candidate(wiring, "ltc", memory, seed=3)
        before, layout = (
            layout_of((parent,), FEATURES, OUTPUTS),
            layout_of((child,), FEATURES, OUTPUTS),
        )
        weights, best = _inherited(parent, child, same)["weights"], _trained(parent)[1]
        fresh, theirs = initial_weights(layout, 0, 3), before.slices[0]
        for name, at in layout.slices[0].items():
            inherits = name in theirs and not name.startswith("memory_")
            assert np.array_equal(weights[at], best[theirs[name]] if inherits else fresh[at]), (
                name,
                memory,
            )


def test_another_parents_state_is_refused() -> None:
    small, large = _candidate(ncp(4, 5, 3, 2, 2, 2, 2, 2)), _candidate(ncp(4, 6, 4, 2, 2, 2, 4, 2))
    with pytest.raises(ValueError, match=r"has \d+ parameters but its state has \d+"):
        inherited_state(
            large, _trained(small)[0], large, Origins.same(large.wiring), FEATURES, OUTPUTS
        )
