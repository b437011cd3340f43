"""The dynamics of neurons: what each kind computes in plain torch, and its initial parameters."""

from importlib import import_module

from wiring_search.networks.neurons.dynamics import Dynamics
from wiring_search.wirings.kinds import KINDS, Family

# Every kind by name, in the order of `wirings.kinds.KINDS`. The file of its family has its
# dynamics in `NEURONS`. An extension adds its neurons.
NEURONS: dict[str, Dynamics] = {
    name: import_module(f"{__name__}.{kind.family}").NEURONS[name]
    for name, kind in KINDS.items()
    if kind.family is not Family.EXTENSION
}
