"""Small changes of wirings, and crossing of two wirings. The result is always feasible.

A move adds, removes, rewires or flips one synapse, or adds or removes one node. It keeps to the
pairs of layers that the wiring's family joins (`joined_roles`: sensory → inter, inter → command,
command → command and command → motor in an NCP), and to `Limits`. `Origins` gives each node its
number in the parent, so that weights can follow their synapses.
"""

from wiring_search.wirings.mutation.crossover import cross
from wiring_search.wirings.mutation.moves import MOVES, Limits, mutate
from wiring_search.wirings.mutation.origins import Child, Origins, survivors
from wiring_search.wirings.mutation.roles import FORWARD, RECURRENT, joined_roles

__all__ = [
    "FORWARD",
    "MOVES",
    "RECURRENT",
    "Child",
    "Limits",
    "Origins",
    "cross",
    "joined_roles",
    "mutate",
    "survivors",
]
