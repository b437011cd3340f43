"""Sparse flows: wirings made by training a dense one and removing its weakest synapses.

Train; remove the synapses of least magnitude over the whole network; train the rest on from its
weights; repeat, down to the sizes asked for (Liebenwein, Hasani, Amini & Rus, "Sparse Flows:
Pruning Continuous-depth Models", NeurIPS 2021, algorithm 1, unstructured). One dense network gives
a front of sizes. What comes out is a wiring like any other: it can be stored, drawn, and trained
anew from other seeds.

The magnitude of an LTC synapse is w · |E|, with its conductance w as the dynamics sees it (softplus
of the stored number) and its reversal potential E. This choice is ours, as the paper's networks
have plain weights. An LTC synapse acts through the current w s (E − v) with 0 ≤ s ≤ 1 and v near 0
at rest, so w · |E| is the most it can drive its neuron with. A large w alone would also keep
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

# Of a network in training: one number per synapse between neurons, and one per sensory synapse,
# both in canonical order.
Measure = Callable[[Task, Candidate, State], tuple[np.ndarray, np.ndarray]]

_OF_NEURONS = ("gleak", "vleak", "cm")
_OF_SYNAPSES = ("w", "mu", "sigma", "erev")


@dataclass(frozen=True, eq=False)
class Pruned:
    """One size of the front.

    Attributes:
        candidate: The candidate with its pruned wiring.
        error: The task's validation error at the best epoch of its retraining.
        error_before: The same right after the removal, before any retraining (NaN for the dense
            one).
        state: The weights of that best epoch with Adam's moments at the end, by the names of
            `Pack.state`, to resume from.
        outcome: All scores of the retraining, as of any candidate.
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
    """What is left of a wiring.

    Attributes:
        wiring: What is left.
        neurons: The neurons of the wiring before that are left, by number, ascending.
        synapses: The synapses that are left, by index in canonical order, ascending.
        sensory_synapses: The same of sensory synapses.
    """

    wiring: Wiring
    neurons: np.ndarray
    synapses: np.ndarray
    sensory_synapses: np.ndarray


def geometric(target: float, steps: int) -> tuple[float, ...]:
    """Return shares for `prune`: each step removes the same share of what is left.

    Args:
        target: The last share, between 0 and 1.
        steps: How many, from 1 to `target`.

    Raises:
        ValueError: `target` is not between 0 and 1, or there is less than one step.
    """
    if not 0 < target < 1 or steps < 1:
        raise ValueError(
            f"target is {target} in {steps} steps; "
            "give a share between 0 and 1, and one step or more"
        )
    return tuple(target ** (step / steps) for step in range(1, steps + 1))


def magnitudes(task: Task, candidate: Candidate, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Return w · |E| of the synapses between neurons, and of the sensory ones.

    Args:
        task: The task it was trained on.
        candidate: Of plain LTC.
        state: Its training state.

    Returns:
        One number per synapse, in the wiring's canonical order.
    """
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
    """Train a dense candidate, and cut smaller networks out of it, each out of the one before.

    The same arguments give the same result. Only the training and validation splits are read.

    Args:
        task: The task to train on.
        candidate: The dense one; its seed gives the initial weights.
        keep: Shares of the dense wiring's synapses that stay, falling, above 0 and below 1
            (`geometric` gives a schedule). Exactly round(share × all) stay where `thinned` can have
            it so.
        epochs: Of the dense network.
        retrain: Epochs of each smaller one, weights and moments carried over.
        batch_size: Sequences per minibatch.
        seed: Of the order of the minibatches.
        measure: Synapses with the least of it are removed first.

    Returns:
        The dense network, and one smaller network for each entry of `keep`.

    Raises:
        ValueError: The schedule does not fall, a count is below 1, or the candidate is not plain
            LTC.
        RuntimeError: A network's training fails.
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
    """Remove the synapses of least magnitude, over both kinds, until so many are left.

    A neuron that cannot be reached or cannot act any more goes, and all its synapses with it.
    Sensory nodes and motor neurons are the wiring's face to the task and stay. A removal that would
    cut one off is passed over, and so is one that would take a neuron with more synapses than are
    still to go. So never fewer synapses are left than asked for, and more only where no removal is
    left that may be made.

    Args:
        wiring: Without idle nodes.
        magnitude: One per synapse, in canonical order.
        sensory_magnitude: One per sensory synapse, in canonical order.
        synapses: How many are to be left, of both kinds together.

    Raises:
        ValueError: A length is another, a magnitude is NaN, `synapses` is below 1 or above the
            wiring's, or the wiring has idle nodes.
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
    # One by one in effect, and by blocks in fact. A block that may go at once may go one by one,
    # with the same left at the end; any other is halved. A synapse that is passed over once would
    # always be.
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
    """Return the training state of what is left of a network.

    Every number that stays is unchanged: stored weights and both moments. The input map and the
    readout stay whole.

    Args:
        task: The task it was trained on.
        before: The network before the removal.
        after: The network with `cut.wiring`.
        state: Of `before`, see `Pack.state`.
        cut: What is left.
    """
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
    # The next round trains afresh from these weights, and starts a new record.
    going_on = {
        "weights": arrays["best_weights"],
        **{name: arrays[name] for name in ("first", "second", "step")},
    }
    return Pruned(candidate, outcome.error, before, going_on, outcome)
