"""Spaces of Neural Circuit Policies.

What varies: layer sizes, fan-outs, recurrent synapses, polarity, unfolds and learning rate.

Where `sensory` differs from the number of features of a task, a learned projection feeds the
wiring. The motor neurons feed a linear readout. So the same space serves every task.
"""

from wiring_search.search_spaces.dimensions import FloatRange, IntRange
from wiring_search.search_spaces.space import Space

_CONSTRAINTS = (
    "sensory_fanout <= inter",
    "inter_fanout <= command",
    "motor_fanin <= command",
    "recurrent_synapses <= command * command",
)

small = Space(
    "ncp",
    {
        "sensory": IntRange(2, 8),
        "inter": IntRange(4, 12),
        "command": IntRange(3, 8),
        "motor": IntRange(1, 6),
        "sensory_fanout": IntRange(1, 4),
        "inter_fanout": IntRange(1, 3),
        "recurrent_synapses": IntRange(0, 9),
        "motor_fanin": IntRange(1, 3),
        "excitatory": FloatRange(0.2, 0.9),
        "steps": IntRange(1, 4),
        "learning_rate": FloatRange(0.005, 0.05, log=True),
        "wiring_seed": IntRange(0, 7),
    },
    _CONSTRAINTS,
)

default = Space(
    "ncp",
    {
        "sensory": IntRange(4, 24),
        "inter": IntRange(6, 32),
        "command": IntRange(4, 20),
        "motor": IntRange(2, 16),
        "sensory_fanout": IntRange(1, 8),
        "inter_fanout": IntRange(1, 6),
        "recurrent_synapses": IntRange(0, 24),
        "motor_fanin": IntRange(1, 6),
        "excitatory": FloatRange(0.2, 0.9),
        "steps": IntRange(1, 6),
        "learning_rate": FloatRange(0.005, 0.05, log=True),
        "wiring_seed": IntRange(0, 7),
    },
    _CONSTRAINTS,
)

wide = Space(
    "ncp",
    {
        "sensory": IntRange(2, 64, log=True),
        "inter": IntRange(4, 96, log=True),
        "command": IntRange(3, 48, log=True),
        "motor": IntRange(1, 32, log=True),
        "sensory_fanout": IntRange(1, 16, log=True),
        "inter_fanout": IntRange(1, 16, log=True),
        "recurrent_synapses": IntRange(0, 128),
        "motor_fanin": IntRange(1, 16, log=True),
        "excitatory": FloatRange(0.0, 1.0),
        "steps": IntRange(1, 8),
        "learning_rate": FloatRange(0.001, 0.1, log=True),
        "wiring_seed": IntRange(0, 31),
    },
    _CONSTRAINTS,
)
