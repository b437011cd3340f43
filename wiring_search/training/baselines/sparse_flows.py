"""Sparse flows: wirings made by training a dense one and taking its weakest synapses away, step by
step.

Train; remove the synapses of least magnitude over the whole network; train the rest on from where
it stands; again, down to the sizes asked for (Liebenwein, Hasani, Amini & Rus, "Sparse Flows:
Pruning Continuous-depth Models", NeurIPS 2021, algorithm 1, unstructured). One dense network gives
a front of sizes, and what comes out is a wiring like any other: it can be stored, drawn, and
trained anew from other seeds.

The magnitude of an LTC synapse is w · |E|, with its conductance w as the dynamics sees it (softplus
of the stored number) and its reversal potential E. This choice is ours, as the paper's networks
have plain weights: an LTC synapse acts through the current w s (E − v) with 0 ≤ s ≤ 1 and v near 0
at rest, so that w · |E| is the most it can drive its neuron with. A large w alone would also keep
synapses that have lost their sign, and only leak. (On the digits, w alone and w (1 + |E|) prune as
well, within the scatter of seeds; `prune` takes any other measure.)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wiring_search.tasks.task import Task
from wiring_search.training.loop import train, validation_errors
from wiring_search.training.pack import Pack
from wiring_search.training.state import State, load_state, save_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS, Family
from wiring_search.wirings.reachability import bits, members, reachable, successors
from wiring_search.wirings.wiring import Wiring
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status

# Of a network in training: one number a synapse between neurons, and one a sensory synapse, both in
# canonical order.
Measure = Callable[[Task, Candidate, State], tuple[np.ndarray, np.ndarray]]

_OF_NEURONS = ("gleak", "vleak", "cm")
_OF_SYNAPSES = ("w", "mu", "sigma", "erev")


@dataclass(frozen=True, eq=False)
class Pruned:
    """One size of the front.

    candidate: the candidate with its pruned wiring. error: the task's validation error at the best
    epoch of its retraining; error_before: the same right after the removal, before any (NaN for the
    dense one). state: that best epoch's weights with Adam's moments at the end, by the names of
    `Pack.state`, to go on from. outcome: all scores of the retraining, as of any candidate.
    """

    candidate: Candidate
    error: float
    error_before: float
    state: State
    outcome: Outcome

    @property
    def wiring(self) -> Wiring:
        return self.candidate.wiring

    @property
    def synapses(self) -> int:
        return self.wiring.synapse_count


@dataclass(frozen=True, eq=False)
class Thinned:
    """wiring: what is left. neurons, synapses, sensory_synapses: what of the wiring before that is,
    by its numbers and places in canonical order, ascending."""

    wiring: Wiring
    neurons: np.ndarray
    synapses: np.ndarray
    sensory_synapses: np.ndarray


def geometric(target: float, steps: int) -> tuple[float, ...]:
    """Shares for `prune`: from 1 to `target` in so many steps, each removing the same share of what
    is left."""
    if not 0 < target < 1 or steps < 1:
        raise ValueError(
            f"target is {target} in {steps} steps; "
            "give a share between 0 and 1, and one step or more"
        )
    return tuple(target ** (step / steps) for step in range(1, steps + 1))


def magnitudes(task: Task, candidate: Candidate, state: State) -> tuple[np.ndarray, np.ndarray]:
    """w · |E| of the synapses between neurons, and of the sensory ones, in the wiring's canonical
    order."""
    values = _by_name(task, candidate, state["weights"])
    inner, sensory = (
        (np.logaddexp(0.0, values[f"{of}w"]), np.abs(values[f"{of}erev"]))
        for of in ("", "sensory_")
    )
    return inner[0] * inner[1], sensory[0] * sensory[1]


def prune(
    task: Task,
    candidate: Candidate,
    keep: Sequence[float] = (0.5, 0.25, 0.1),
    epochs: int = 60,
    retrain: int = 30,
    batch_size: int = 32,
    seed: int = 0,
    measure: Measure = magnitudes,
) -> tuple[Pruned, ...]:
    """The dense candidate, trained, and one smaller network for each entry of `keep`, each cut out
    of the one before.

    keep: shares of the dense wiring's synapses that stay, falling, above 0 and below 1 (`geometric`
    gives a schedule); exactly round(share × all) stay where `thinned` can have it so. epochs: of
    the dense network; retrain: of each smaller one, weights and moments carried over. seed: of the
    order of the minibatches, the weights start from candidate.seed. measure: what the least of goes
    first. The same arguments give the same result. Only the training and validation splits are
    read.

    Raises ValueError for a schedule that does not fall, or a candidate that is not plain LTC;
    RuntimeError where a network's training fails.
    """
    if KINDS[candidate.neuron].family is not Family.LTC or candidate.memory != "none":
        raise ValueError(
            f"neuron is {candidate.neuron!r}, memory {candidate.memory!r}; "
            "pruning knows 'ltc' with memory 'none'"
        )
    shares = [1.0, *keep]
    if len(shares) < 2 or not all(
        0 < after < before for before, after in zip(shares, shares[1:], strict=False)
    ):
        raise ValueError(
            f"keep is {tuple(keep)!r}; give falling shares between 1 and 0 such as (0.5, 0.25, 0.1)"
        )
    for name, value in {"epochs": epochs, "retrain": retrain, "batch_size": batch_size}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    front = [_trained(task, candidate, None, Rung(0, epochs, batch_size), seed)]
    for number, share in enumerate(keep, start=1):
        last = front[-1]
        cut = thinned(
            last.wiring,
            *measure(task, last.candidate, last.state),
            round(share * front[0].synapses),
        )
        smaller = replace(candidate, wiring=cut.wiring)
        state = carried(task, last.candidate, smaller, last.state, cut)
        front.append(_trained(task, smaller, state, Rung(number, retrain, batch_size), seed))
    return tuple(front)


def thinned(
    wiring: Wiring, magnitude: np.ndarray, sensory_magnitude: np.ndarray, synapses: int
) -> Thinned:
    """The wiring with so many synapses left, those of least magnitude taken away first, over both
    kinds together.

    A neuron that cannot be reached or cannot act any more goes, and all its synapses with it.
    Sensory nodes and motor neurons are the wiring's face to the task and stay: a removal that would
    cut one off is passed over, and so is one that would take a neuron with more synapses than are
    still to go. So never fewer synapses are left than asked for, and more only where no removal is
    left that may be made.

    magnitude, sensory_magnitude: one a synapse, in canonical order. Raises ValueError for other
    lengths, NaN, a number of synapses that is below 1 or above the wiring's, or a wiring with idle
    nodes.
    """
    (pre, post, _), (sensory_pre, sensory_post, _) = (
        wiring.synapse_arrays(),
        wiring.sensory_arrays(),
    )
    if (len(magnitude), len(sensory_magnitude)) != (len(pre), len(sensory_pre)):
        raise ValueError(
            f"{len(magnitude)} magnitudes and {len(sensory_magnitude)} sensory ones; "
            f"this wiring has {len(pre)} synapses and "
            f"{len(sensory_pre)} sensory ones, give one to each"
        )
    if not 1 <= synapses <= wiring.synapse_count:
        raise ValueError(
            f"synapses is {synapses}; give a number from 1 to {wiring.synapse_count}, those of "
            "the wiring"
        )
    size = np.concatenate([magnitude, sensory_magnitude])
    if np.isnan(size).any():
        raise ValueError("a magnitude is NaN; prune a network whose training has not diverged")
    graph = _Graph(
        # One graph of all nodes, sensory ones behind the neurons.
        np.concatenate([pre, sensory_pre + wiring.neurons]).astype(np.intp),
        np.concatenate([post, sensory_post]).astype(np.intp),
        sources=np.arange(wiring.neurons + wiring.sensory) >= wiring.neurons,
        sinks=np.arange(wiring.neurons + wiring.sensory) < wiring.motor,
    )
    left = np.ones(len(size), bool)
    whole = graph.living(left)
    if whole is None or not whole.all():
        raise ValueError(
            "somebody in this wiring is idle already; "
            "give one without idle nodes, as `wiring.pruned` makes it"
        )
    # One by one in effect, and by blocks in fact: a block that may go at once may go one by one,
    # with the same left at the end; any other is halved. Who is passed over once would be so for
    # ever.
    waiting = [np.argsort(size, kind="stable")]
    while waiting and left.sum() > synapses:
        block = waiting.pop()
        block = block[left[block]]
        without = left.copy()
        without[block] = False
        living = graph.living(without)
        if living is not None and living.sum() >= synapses:
            left = living
        elif len(block) > 1:
            waiting += [block[len(block) // 2 :], block[: len(block) // 2]]
    return _cut(wiring, left[: len(pre)], left[len(pre) :])


def carried(task: Task, before: Candidate, after: Candidate, state: State, cut: Thinned) -> State:
    """The state (see `Pack.state`) of what is left of a network: every number that stays, stored
    weights and both moments, unchanged. The input map and the readout stay whole."""
    kept = {
        **dict.fromkeys(_OF_NEURONS, cut.neurons),
        **dict.fromkeys(_OF_SYNAPSES, cut.synapses),
        **dict.fromkeys((f"sensory_{name}" for name in _OF_SYNAPSES), cut.sensory_synapses),
    }
    names = Pack([after], task.features, task.outputs).layout.shapes[0]

    def rest(flat: np.ndarray) -> np.ndarray:
        values = _by_name(task, before, flat)
        return np.concatenate(
            [(values[name][kept[name]] if name in kept else values[name]).ravel() for name in names]
        )

    return {
        **{name: rest(state[name]) for name in ("weights", "first", "second")},
        "step": state["step"].copy(),
    }


@dataclass(frozen=True, eq=False)
class _Graph:
    """Arcs pre → post, and flags of the nodes: sources are the sensory ones, sinks the motor
    neurons."""

    pre: np.ndarray
    post: np.ndarray
    sources: np.ndarray
    sinks: np.ndarray

    def living(self, on: np.ndarray) -> np.ndarray | None:
        """Of the arcs `on`, those on a way from a sensory node to a motor neuron; None where a
        sensory node or motor neuron has no such way."""
        pre = self.pre[on]
        post = self.post[on]
        reached = _flags_of_reachable(self.sources, pre, post)
        alive = reached & _flags_of_reachable(self.sinks, post, pre)
        if not alive[self.sources | self.sinks].all():
            return None
        return on & alive[self.pre] & alive[self.post]


def _flags_of_reachable(start: np.ndarray, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """(nodes,) bool: the nodes that paths along arcs pre → post lead to from `start` (nodes,)
    bool, itself included."""
    following = successors(len(start), zip(pre.tolist(), post.tolist(), strict=True))
    found = reachable(bits(np.flatnonzero(start).tolist()), following)
    flags = np.zeros(len(start), bool)
    flags[members(found)] = True
    return flags


def _cut(wiring: Wiring, synapses: np.ndarray, sensory_synapses: np.ndarray) -> Thinned:
    """The wiring of the flagged synapses, neurons renumbered in their order, so that canonical
    order stays as it is."""
    outer = _picked(wiring.sensory_synapses, sensory_synapses)
    inner = _picked(wiring.synapses, synapses)
    neurons = sorted({post for _, post, _ in outer} | {post for _, post, _ in inner})
    number = {old: new for new, old in enumerate(neurons)}
    roles = [wiring.roles[old] for old in neurons]
    left = Wiring(
        wiring.sensory,
        roles.count("inter"),
        roles.count("command"),
        wiring.motor,
        tuple((pre, number[post], polarity) for pre, post, polarity in outer),
        tuple((number[pre], number[post], polarity) for pre, post, polarity in inner),
    )
    return Thinned(
        left, np.array(neurons), np.flatnonzero(synapses), np.flatnonzero(sensory_synapses)
    )


def _picked(
    synapses: Iterable[tuple[int, int, int]], flags: np.ndarray
) -> list[tuple[int, int, int]]:
    return [synapse for synapse, flag in zip(synapses, flags, strict=True) if flag]


def _by_name(task: Task, candidate: Candidate, flat: np.ndarray) -> dict[str, np.ndarray]:
    layout = Pack([candidate], task.features, task.outputs).layout
    return {
        name: flat[index].reshape(layout.shapes[0][name])
        for name, index in layout.slices[0].items()
    }


def _trained(
    task: Task, candidate: Candidate, state: State | None, rung: Rung, seed: int
) -> Pruned:
    start = None
    before = float("nan")
    if state is not None:
        pack = Pack([candidate], task.features, task.outputs, [state])
        before = float(validation_errors(task, task.valid, pack)[0])
        start = save_state(state)
    outcome = train(task, PackJob(0, rung, (candidate,), seed, (start,))).outcomes[0]
    if outcome.status is not Status.OK or outcome.state is None:
        mend = f"; give the candidate a smaller learning rate than {candidate.learning_rate}"
        raise RuntimeError(
            f"the network of {candidate.wiring.synapse_count} synapses {outcome.status}: "
            f"{outcome.message}"
            f"{mend if outcome.status is Status.DIVERGED else ''}"
        )
    arrays = load_state(outcome.state)
    # The next round trains afresh from these weights, and has a record of its own.
    going_on = {
        "weights": arrays["best_weights"],
        **{name: arrays[name] for name in ("first", "second", "step")},
    }
    return Pruned(candidate, outcome.error, before, going_on, outcome)
