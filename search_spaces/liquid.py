"""Everything that makes a liquid network: its neuron, its solver, its memory, and its wiring.

A dimension exists only where it matters. Polarity matters for LTC, CT-RNN and neural ODE. It does
not for CfC, whose weights are drawn with both signs. Only explicit solvers have an adjoint
gradient. A layered CfC needs a wiring with layers. It recurs densely within each layer, whatever
recurrent synapses the wiring has. A fully connected wiring has nothing to draw but its polarities.
(`auto_ncp` is left out: each of its wirings is an `ncp`.)
"""

from wiring_search.search_spaces.dimensions import Choice, FloatRange, IntRange
from wiring_search.search_spaces.space import Space
from wiring_search.wirings.kinds import EXPLICIT, GRADIENTS, KINDS, MEMORIES

_NEURONS = {name: kind for name, kind in KINDS.items() if kind.compiled}
_LAYERED_CFC = tuple(name for name, kind in _NEURONS.items() if kind.layered)
_SIGNED = tuple(name for name, kind in _NEURONS.items() if kind.signed)
# Neurons by their solvers, where there is a choice.
_SOLVED_BY = {
    solvers: tuple(name for name, kind in _NEURONS.items() if kind.solvers == solvers)
    for solvers in dict.fromkeys(kind.solvers for kind in _NEURONS.values())
    if len(solvers) > 1
}

_LAYERS = ("ncp", "layered")
_DRAWN = ("random_sparse", "small_world")

liquid = Space(
    None,
    {
        "neuron": Choice(tuple(_NEURONS)),
        "solver": tuple(
            Choice(solvers, when={"neuron": neurons}) for solvers, neurons in _SOLVED_BY.items()
        ),
        "steps": (
            IntRange(1, 6, when={"solver": ("semi-implicit", "euler")}),
            IntRange(1, 4, when={"solver": ("heun", "rk4")}),
        ),
        "gradient": Choice(GRADIENTS, when={"solver": EXPLICIT}),
        "memory": Choice(MEMORIES),
        "learning_rate": FloatRange(0.002, 0.05, log=True),
        "topology": (
            Choice(_LAYERS, when={"neuron": _LAYERED_CFC}),
            Choice((*_LAYERS, *_DRAWN, "fully_connected")),
        ),
        "sensory": IntRange(4, 24),
        "motor": IntRange(2, 16),
        "inter": IntRange(6, 32, when={"topology": _LAYERS}),
        "command": IntRange(4, 20, when={"topology": _LAYERS}),
        "neurons": (
            IntRange(10, 64, when={"topology": _DRAWN}),
            IntRange(4, 20, when={"topology": ("fully_connected",)}),
        ),
        "sensory_fanout": IntRange(1, 8, when={"topology": ("ncp", "small_world")}),
        "inter_fanout": IntRange(1, 6, when={"topology": ("ncp",)}),
        "recurrent_synapses": (
            Choice((0,), when={"topology": _LAYERS, "neuron": _LAYERED_CFC}),
            IntRange(0, 24, when={"topology": _LAYERS}),
        ),
        "motor_fanin": IntRange(1, 6, when={"topology": ("ncp",)}),
        "density": FloatRange(0.1, 1.0, when={"topology": ("layered",)}),
        "sensory_synapses": IntRange(24, 128, log=True, when={"topology": ("random_sparse",)}),
        "synapses": IntRange(64, 384, log=True, when={"topology": ("random_sparse",)}),
        "neighbours": IntRange(2, 8, when={"topology": ("small_world",)}),
        "rewiring": FloatRange(0.0, 0.6, when={"topology": ("small_world",)}),
        "excitatory": FloatRange(0.2, 0.9, when={"neuron": _SIGNED}),
        "wiring_seed": (
            IntRange(0, 7, when={"topology": (*_LAYERS, *_DRAWN)}),
            IntRange(0, 7, when={"neuron": _SIGNED}),
        ),
    },
    (
        "sensory_fanout <= inter",
        "inter_fanout <= command",
        "motor_fanin <= command",
        "recurrent_synapses <= command * command",
        "motor <= neurons",
        "sensory_fanout <= neurons",
        "neighbours < neurons",
        "sensory_synapses <= sensory * neurons",
        "synapses <= neurons * neurons",
    ),
)
