"""Topologies with layers: sensory nodes, inter, command and motor neurons.

`ncp` follows the four design steps of Neural Circuit Policies (Lechner et al. 2020, Methods, and
the `ncps` package): sensory → inter, inter → command, command → command, command → motor, with
no neuron left unreached. There are two differences from the package. Recurrent synapses are drawn
without replacement, so there are as many as asked for (the package overwrites repeated draws). And
the graph does not depend on when it is built.
"""

import numpy as np

from wiring_search.wirings.topologies.arguments import check_share, check_whole, is_number
from wiring_search.wirings.topologies.draws import fill_up, generator, with_polarities
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
        check_whole(name, value, 1)
    check_whole("sensory_fanout", sensory_fanout, 1, inter, "inter")
    check_whole("inter_fanout", inter_fanout, 1, command, "command")
    check_whole("motor_fanin", motor_fanin, 1, command, "command")
    check_whole("recurrent_synapses", recurrent_synapses, 0, command * command, "command²")
    check_share("excitatory", excitatory)
    rng = generator(seed)
    inters = np.arange(motor + command, motor + command + inter)
    commands = np.arange(motor, motor + command)
    motors = np.arange(motor)
    outer = _fan_out(rng, np.arange(sensory), inters, sensory_fanout)
    inner = _fan_out(rng, inters, commands, inter_fanout)
    inner += _recurrent(rng, commands, recurrent_synapses)
    inner += [
        (command_id, motor_id)
        for motor_id, command_id in _fan_out(rng, motors, commands, motor_fanin)
    ]
    return Wiring(
        sensory,
        inter,
        command,
        motor,
        with_polarities(rng, outer, excitatory),
        with_polarities(rng, inner, excitatory),
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
    check_whole("motor", motor, 1)
    check_whole(
        "neurons",
        neurons,
        motor + 3,
        None,
        "motor + 3 or more: at least an inter and a command neuron beside the motors",
    )
    if not (is_number(sparsity) and 0.1 <= sparsity <= 1.0):
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
        check_whole(name, value, 1)
    check_whole("recurrent_synapses", recurrent_synapses, 0, command * command, "command²")
    if not (is_number(density) and 0 < density <= 1):
        raise ValueError(
            f"density is {density!r}; give a number above 0 and at most 1 (all pairs of "
            "neighbouring layers)"
        )
    check_share("excitatory", excitatory)
    rng = generator(seed)
    motors = np.arange(motor)
    commands = np.arange(motor, motor + command)
    inters = np.arange(motor + command, motor + command + inter)
    outer = _between(rng, np.arange(sensory), inters, density)
    inner = _between(rng, inters, commands, density) + _between(rng, commands, motors, density)
    inner += _recurrent(rng, commands, recurrent_synapses)
    return Wiring(
        sensory,
        inter,
        command,
        motor,
        with_polarities(rng, outer, excitatory),
        with_polarities(rng, inner, excitatory),
    )


def _recurrent(rng: np.random.Generator, commands: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Distinct pairs of command neurons, self-loops included."""
    n = len(commands)
    drawn = rng.choice(n * n, count, replace=False)
    return [(int(commands[k // n]), int(commands[k % n])) for k in drawn]


def _fan_out(
    rng: np.random.Generator, sources: np.ndarray, targets: np.ndarray, fanout: int
) -> list[tuple[int, int]]:
    """Each source feeds `fanout` distinct targets. Each target left out gets about as many sources
    as the others have on average."""
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
    """round(density × pairs) pairs, with at least one per source and one per target."""
    larger = max(len(sources), len(targets))
    a = np.resize(rng.permutation(len(sources)), larger)
    b = np.resize(rng.permutation(len(targets)), larger)
    pairs = {(int(i), int(j)) for i, j in zip(a, b, strict=True)}
    count = max(round(density * len(sources) * len(targets)), len(pairs))
    filled = fill_up(rng, sorted(pairs), len(sources), len(targets), count)
    return [(int(sources[i]), int(targets[j])) for i, j in filled]
