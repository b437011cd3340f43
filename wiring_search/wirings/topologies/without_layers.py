"""Topologies without layers: every neuron that is not a motor neuron is an inter neuron."""

import numpy as np

from wiring_search.wirings.topologies.arguments import check_share, check_whole
from wiring_search.wirings.topologies.draws import fill_up, generator, with_polarities
from wiring_search.wirings.wiring import Wiring


def fully_connected(
    sensory: int,
    neurons: int,
    motor: int,
    self_connections: bool = True,
    excitatory: float = 2 / 3,
    seed: int = 0,
) -> Wiring:
    """Every sensory node feeds every neuron, and every neuron feeds every neuron.

    Args:
        sensory: Sensory nodes.
        neurons: All neurons; those that are not motor neurons are inter neurons.
        motor: Motor neurons.
        self_connections: Whether neurons feed themselves.
        excitatory: The probability of polarity +1.
        seed: Of the polarities.

    Raises:
        ValueError: The sizes are infeasible.
    """
    _check_sizes(sensory, neurons, motor)
    check_share("excitatory", excitatory)
    rng = generator(seed)
    outer = [(i, j) for i in range(sensory) for j in range(neurons)]
    inner = [(i, j) for i in range(neurons) for j in range(neurons) if self_connections or i != j]
    return Wiring(
        sensory,
        neurons - motor,
        0,
        motor,
        with_polarities(rng, outer, excitatory),
        with_polarities(rng, inner, excitatory),
    )


def random_sparse(
    sensory: int,
    neurons: int,
    motor: int,
    sensory_synapses: int,
    synapses: int,
    excitatory: float = 2 / 3,
    seed: int = 0,
) -> Wiring:
    """Random synapses, self-loops included, that leave no neuron dead or unreachable.

    A random spanning structure comes first: each neuron follows one that is already reached, and
    each that leads nowhere gets an outgoing synapse. The other synapses are uniform.

    Args:
        sensory: Sensory nodes.
        neurons: All neurons; those that are not motor neurons are inter neurons.
        motor: Motor neurons.
        sensory_synapses: Their exact number.
        synapses: The exact number of synapses between neurons. Each neuron without a sensory
            synapse needs one onto it, and each that is not a motor neuron one from it; the larger
            of the two counts suffices.
        excitatory: The probability of polarity +1.
        seed: Of the wiring.

    Raises:
        ValueError: There are fewer synapses than needed, or more than pairs.
    """
    _check_sizes(sensory, neurons, motor)
    check_share("excitatory", excitatory)
    check_whole(
        "sensory_synapses", sensory_synapses, sensory, sensory * neurons, "sensory × neurons"
    )
    least = max(neurons - min(sensory_synapses, neurons), neurons - motor)
    check_whole(
        "synapses",
        synapses,
        least,
        neurons * neurons,
        "neurons²; with fewer, some are dead or unreachable",
    )
    rng = generator(seed)
    outer, inner = _spanning(rng, sensory, neurons, motor, sensory_synapses)
    # It can take one synapse more than the least, if sensory synapses end at motor neurons only.
    while len(inner) > synapses:
        outer, inner = _spanning(rng, sensory, neurons, motor, sensory_synapses)
    outer = fill_up(rng, outer, sensory, neurons, sensory_synapses)
    inner = fill_up(rng, inner, neurons, neurons, synapses)
    return Wiring(
        sensory,
        neurons - motor,
        0,
        motor,
        with_polarities(rng, outer, excitatory),
        with_polarities(rng, inner, excitatory),
    )


def small_world(
    sensory: int,
    neurons: int,
    motor: int,
    neighbours: int,
    rewiring: float = 0.1,
    sensory_fanout: int = 2,
    excitatory: float = 2 / 3,
    seed: int = 0,
) -> Wiring:
    """A directed small world: a ring whose synapses are partly rewired.

    It has exactly neurons × neighbours synapses, without self-loops. The synapse to the next neuron
    on the ring is never rewired, so every neuron reaches every other.

    Args:
        sensory: Sensory nodes.
        neurons: All neurons; those that are not motor neurons are inter neurons.
        motor: Motor neurons.
        neighbours: How many of the next neurons on the ring each neuron feeds.
        rewiring: The probability that another synapse is rewired.
        sensory_fanout: Neurons that each sensory node feeds.
        excitatory: The probability of polarity +1.
        seed: Of the wiring.

    Raises:
        ValueError: The sizes are infeasible.

    Source:
        Watts and Strogatz, "Collective dynamics of small-world networks", Nature 393, 1998.
    """
    _check_sizes(sensory, neurons, motor)
    check_whole("neurons", neurons, 3)
    check_whole("neighbours", neighbours, 1, neurons - 1, "neurons − 1")
    check_whole("sensory_fanout", sensory_fanout, 1, neurons, "neurons")
    check_share("rewiring", rewiring)
    check_share("excitatory", excitatory)
    rng = generator(seed)
    inner = []
    for i in range(neurons):
        targets = [(i + k) % neurons for k in range(1, neighbours + 1)]
        for index in range(1, neighbours):
            if neighbours < neurons - 1 and rng.random() < rewiring:
                free = [j for j in range(neurons) if j != i and j not in targets]
                targets[index] = int(rng.choice(free))
        inner += [(i, j) for j in targets]
    outer = [
        (s, int(j))
        for s in range(sensory)
        for j in rng.choice(neurons, sensory_fanout, replace=False)
    ]
    return Wiring(
        sensory,
        neurons - motor,
        0,
        motor,
        with_polarities(rng, outer, excitatory),
        with_polarities(rng, inner, excitatory),
    )


def _spanning(
    rng: np.random.Generator, sensory: int, neurons: int, motor: int, sensory_synapses: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Synapses by which every neuron is reached from a sensory node and leads to a motor neuron,
    and no others."""
    order = [int(i) for i in rng.permutation(neurons)]
    doors = order[: min(neurons, sensory_synapses)]
    outer = {(int(s), doors[k % len(doors)]) for k, s in enumerate(rng.permutation(sensory))}
    doors_used = {b for _, b in outer}
    for door in doors:
        if door not in doors_used and len(outer) < sensory_synapses:
            outer.add((int(rng.integers(sensory)), door))
            doors_used.add(door)
    # From each door, a path through neurons that no path has yet. It ends at a motor neuron, so
    # motor neurons come last.
    others = [i for i in order if i not in doors_used]
    others.sort(key=lambda i: i < motor)
    inner: set[tuple[int, int]] = set()
    reached = sorted(doors_used, key=lambda i: i < motor)
    loose = [i for i in reached if i >= motor]
    for neuron in others:
        if loose:
            source = loose.pop(int(rng.integers(len(loose))))
        else:
            source = reached[int(rng.integers(len(reached)))]
        inner.add((source, neuron))
        reached.append(neuron)
        if neuron >= motor:
            loose.append(neuron)
    inner |= {(i, int(rng.integers(motor))) for i in loose}
    return sorted(outer), sorted(inner)


def _check_sizes(sensory: int, neurons: int, motor: int) -> None:
    check_whole("sensory", sensory, 1)
    check_whole("motor", motor, 1)
    check_whole("neurons", neurons, motor, None, f"{motor} (the motor neurons) or more")
