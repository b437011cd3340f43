"""Topologies: functions from sizes, densities and a seed to a wiring.

Each is deterministic by its seed (numpy's PCG64) and draws exactly the number of synapses that it
was given. No neuron is dead or unreachable, and no sensory node is unused. Infeasible sizes raise
ValueError before any work. `excitatory` is the probability of polarity +1, `seed` that of the
wiring.

`ncp` follows the four design steps of Neural Circuit Policies (Lechner et al. 2020, Methods, and
the `ncps` package): sensory → inter, inter → command, command → command, command → motor, with
nothing left unreached. Two differences to the package: recurrent synapses are drawn without
replacement, so that there are as many as asked for (the package overwrites repeated draws), and the
graph does not depend on when it is built.
"""

from numbers import Real

import numpy as np

from wiring_search.wirings.wiring import Wiring


def ncp(
    sensory: int,
    inter: int,
    command: int,
    motor: int,
    sensory_fanout: int,
    inter_fanout: int,
    recurrent_synapses: int,
    motor_fanin: int,
    excitatory: float = 0.5,
    seed: int = 0,
) -> Wiring:
    """A Neural Circuit Policy.

    Neurons that the draws leave out get synapses in proportion, so fan-outs and fan-in are lower
    bounds.

    Args:
        sensory: Sensory nodes.
        inter: Inter neurons.
        command: Command neurons.
        motor: Motor neurons.
        sensory_fanout: Inter neurons that each sensory node feeds.
        inter_fanout: Command neurons that each inter neuron feeds.
        recurrent_synapses: Synapses from command to command neurons, self-loops included.
        motor_fanin: Command neurons that feed each motor neuron.
        excitatory: The probability of polarity +1.
        seed: Of the wiring.

    Raises:
        ValueError: The sizes are infeasible.

    Source:
        Lechner et al., "Neural circuit policies enabling auditable autonomy", Nature Machine
        Intelligence 2020, Methods.
    """
    sizes = {"sensory": sensory, "inter": inter, "command": command, "motor": motor}
    for name, value in sizes.items():
        _whole(name, value, 1)
    _whole("sensory_fanout", sensory_fanout, 1, inter, "inter")
    _whole("inter_fanout", inter_fanout, 1, command, "command")
    _whole("motor_fanin", motor_fanin, 1, command, "command")
    _whole("recurrent_synapses", recurrent_synapses, 0, command * command, "command²")
    _share("excitatory", excitatory)
    rng = _generator(seed)
    inters = np.arange(motor + command, motor + command + inter)
    commands = np.arange(motor, motor + command)
    motors = np.arange(motor)
    outer = _fan_out(rng, np.arange(sensory), inters, sensory_fanout)
    inner = _fan_out(rng, inters, commands, inter_fanout)
    loops = rng.choice(command * command, recurrent_synapses, replace=False)
    inner += [(int(commands[loop // command]), int(commands[loop % command])) for loop in loops]
    inner += [
        (command_id, motor_id)
        for motor_id, command_id in _fan_out(rng, motors, commands, motor_fanin)
    ]
    return Wiring(
        sensory,
        inter,
        command,
        motor,
        _signed(rng, outer, excitatory),
        _signed(rng, inner, excitatory),
    )


def auto_ncp(
    sensory: int,
    neurons: int,
    motor: int,
    sparsity: float = 0.5,
    excitatory: float = 0.5,
    seed: int = 0,
) -> Wiring:
    """An NCP whose sizes and fan-outs follow from the number of neurons and the sparsity.

    The rule is that of `ncps.wirings.AutoNCP`. Two fifths of the neurons that are not motor neurons
    are command neurons.

    Args:
        sensory: Sensory nodes.
        neurons: All neurons, motor neurons included; motor + 3 or more.
        motor: Motor neurons.
        sparsity: From 0.1 (dense) to 1.0 (every fan-out is 1).
        excitatory: The probability of polarity +1.
        seed: Of the wiring.

    Raises:
        ValueError: The sizes are infeasible.
    """
    _whole("motor", motor, 1)
    _whole(
        "neurons",
        neurons,
        motor + 3,
        None,
        "motor + 3 or more: at least an inter and a command neuron beside the motors",
    )
    if not (_number(sparsity) and 0.1 <= sparsity <= 1.0):
        raise ValueError(
            f"sparsity is {sparsity!r}; give a number from 0.1 (dense) to 1.0 (every fan-out 1)"
        )
    density = 1.0 - sparsity
    rest = neurons - motor
    command = max(int(0.4 * rest), 1)
    inter = rest - command
    return ncp(
        sensory,
        inter,
        command,
        motor,
        sensory_fanout=max(int(inter * density), 1),
        inter_fanout=max(int(command * density), 1),
        recurrent_synapses=max(int(command * density * 2), 1),
        motor_fanin=max(int(command * density), 1),
        excitatory=excitatory,
        seed=seed,
    )


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
    _neurons_with_motors(sensory, neurons, motor)
    _share("excitatory", excitatory)
    rng = _generator(seed)
    outer = [(i, j) for i in range(sensory) for j in range(neurons)]
    inner = [(i, j) for i in range(neurons) for j in range(neurons) if self_connections or i != j]
    return Wiring(
        sensory,
        neurons - motor,
        0,
        motor,
        _signed(rng, outer, excitatory),
        _signed(rng, inner, excitatory),
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
    _neurons_with_motors(sensory, neurons, motor)
    _share("excitatory", excitatory)
    _whole("sensory_synapses", sensory_synapses, sensory, sensory * neurons, "sensory × neurons")
    least = max(neurons - min(sensory_synapses, neurons), neurons - motor)
    _whole(
        "synapses",
        synapses,
        least,
        neurons * neurons,
        "neurons²; with fewer, some are dead or unreachable",
    )
    rng = _generator(seed)
    outer, inner = _spanning(rng, sensory, neurons, motor, sensory_synapses)
    while (
        len(inner) > synapses
    ):  # one above the least, where sensory synapses happened to end at motor neurons only
        outer, inner = _spanning(rng, sensory, neurons, motor, sensory_synapses)
    outer = _filled_up(rng, outer, sensory, neurons, sensory_synapses)
    inner = _filled_up(rng, inner, neurons, neurons, synapses)
    return Wiring(
        sensory,
        neurons - motor,
        0,
        motor,
        _signed(rng, outer, excitatory),
        _signed(rng, inner, excitatory),
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
    _neurons_with_motors(sensory, neurons, motor)
    _whole("neurons", neurons, 3)
    _whole("neighbours", neighbours, 1, neurons - 1, "neurons − 1")
    _whole("sensory_fanout", sensory_fanout, 1, neurons, "neurons")
    _share("rewiring", rewiring)
    _share("excitatory", excitatory)
    rng = _generator(seed)
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
        _signed(rng, outer, excitatory),
        _signed(rng, inner, excitatory),
    )


def layered(
    sensory: int,
    inter: int,
    command: int,
    motor: int,
    density: float = 1.0,
    recurrent_synapses: int = 0,
    excitatory: float = 0.5,
    seed: int = 0,
) -> Wiring:
    """Layers sensory → inter → command → motor, each connected at random to the next.

    Args:
        sensory: Sensory nodes.
        inter: Inter neurons.
        command: Command neurons.
        motor: Motor neurons.
        density: The share of all pairs that have a synapse, rounded; at least as many as the
            larger layer has neurons, so that every neuron has one.
        recurrent_synapses: Synapses from command to command neurons.
        excitatory: The probability of polarity +1.
        seed: Of the wiring.

    Raises:
        ValueError: The sizes are infeasible.
    """
    for name, value in {
        "sensory": sensory,
        "inter": inter,
        "command": command,
        "motor": motor,
    }.items():
        _whole(name, value, 1)
    _whole("recurrent_synapses", recurrent_synapses, 0, command * command, "command²")
    if not (_number(density) and 0 < density <= 1):
        raise ValueError(
            f"density is {density!r}; give a number above 0 and at most 1 (all pairs of "
            "neighbouring layers)"
        )
    _share("excitatory", excitatory)
    rng = _generator(seed)
    motors = np.arange(motor)
    commands = np.arange(motor, motor + command)
    inters = np.arange(motor + command, motor + command + inter)
    outer = _between(rng, np.arange(sensory), inters, density)
    inner = _between(rng, inters, commands, density) + _between(rng, commands, motors, density)
    loops = rng.choice(command * command, recurrent_synapses, replace=False)
    inner += [(int(commands[loop // command]), int(commands[loop % command])) for loop in loops]
    return Wiring(
        sensory,
        inter,
        command,
        motor,
        _signed(rng, outer, excitatory),
        _signed(rng, inner, excitatory),
    )


def _fan_out(
    rng: np.random.Generator, sources: np.ndarray, targets: np.ndarray, fanout: int
) -> list[tuple[int, int]]:
    """Each source to `fanout` distinct targets; each target left out gets about as many sources as
    the others have on average."""
    pairs = [(int(a), int(b)) for a in sources for b in rng.choice(targets, fanout, replace=False)]
    reached = {b for _, b in pairs}
    wanted = min(max(len(sources) * fanout // len(targets), 1), len(sources))
    for target in targets:
        if int(target) not in reached:
            pairs += [(int(a), int(target)) for a in rng.choice(sources, wanted, replace=False)]
    return pairs


def _between(
    rng: np.random.Generator, sources: np.ndarray, targets: np.ndarray, density: float
) -> list[tuple[int, int]]:
    """round(density × pairs) pairs, at least one a source and one a target."""
    larger = max(len(sources), len(targets))
    a = np.resize(rng.permutation(len(sources)), larger)
    b = np.resize(rng.permutation(len(targets)), larger)
    pairs = {(int(i), int(j)) for i, j in zip(a, b, strict=True)}
    count = max(round(density * len(sources) * len(targets)), len(pairs))
    filled = _filled_up(rng, sorted(pairs), len(sources), len(targets), count)
    return [(int(sources[i]), int(targets[j])) for i, j in filled]


def _spanning(
    rng: np.random.Generator, sensory: int, neurons: int, motor: int, sensory_synapses: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Synapses that reach every neuron from a sensory node, and let each lead to a motor neuron: no
    more than needed for that."""
    order = [int(i) for i in rng.permutation(neurons)]
    doors = order[: min(neurons, sensory_synapses)]
    outer = {(int(s), doors[k % len(doors)]) for k, s in enumerate(rng.permutation(sensory))}
    doors_used = {b for _, b in outer}
    for door in doors:
        if door not in doors_used and len(outer) < sensory_synapses:
            outer.add((int(rng.integers(sensory)), door))
            doors_used.add(door)
    # A path from each door through neurons not met so far, to end at a motor neuron: motor neurons
    # come last.
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


def _filled_up(
    rng: np.random.Generator, pairs: list[tuple[int, int]], sources: int, targets: int, count: int
) -> list[tuple[int, int]]:
    """`pairs` and as many other pairs at random as make `count`."""
    free = np.ones(sources * targets, bool)
    free[[a * targets + b for a, b in pairs]] = False
    drawn = rng.choice(np.flatnonzero(free), count - len(pairs), replace=False)
    return [*pairs, *((int(k) // targets, int(k) % targets) for k in drawn)]


def _signed(
    rng: np.random.Generator, pairs: list[tuple[int, int]], excitatory: float
) -> tuple[tuple[int, int, int], ...]:
    polarity = np.where(rng.random(len(pairs)) < excitatory, 1, -1)
    return tuple((a, b, int(p)) for (a, b), p in zip(pairs, polarity, strict=True))


def _whole(name: str, value: int, least: int, most: int | None = None, limit: str = "") -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; give a whole number")
    if most is None:
        if value < least:
            raise ValueError(f"{name} is {value}; give {limit or f'{least} or more'}")
    elif not least <= value <= most:
        raise ValueError(f"{name} is {value}; give a whole number from {least} to {most} ({limit})")


def _generator(seed: int) -> np.random.Generator:
    _whole("seed", seed, 0)
    return np.random.default_rng(seed)


def _share(name: str, value: float) -> None:
    if not (_number(value) and 0 <= value <= 1):
        raise ValueError(f"{name} is {value!r}; give a share from 0 to 1")


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _neurons_with_motors(sensory: int, neurons: int, motor: int) -> None:
    _whole("sensory", sensory, 1)
    _whole("motor", motor, 1)
    _whole("neurons", neurons, motor, None, f"{motor} (the motor neurons) or more")
