"""The dynamics of neurons: what each kind computes (plain torch, the truth), and with which
parameters it starts."""

from wiring_search.networks.neurons import cfc, rate
from wiring_search.networks.neurons.dynamics import Dynamics
from wiring_search.networks.neurons.ltc import ltc

NEURONS: dict[str, Dynamics] = {
    "ltc": ltc,
    "ct-rnn": rate.ct_rnn,
    "neural-ode": rate.neural_ode,
    "cfc": cfc.cfc,
    "cfc-no-gate": cfc.cfc_no_gate,
    "cfc-pure": cfc.cfc_pure,
    "layered-cfc": cfc.layered_cfc,
    "layered-cfc-no-gate": cfc.layered_cfc_no_gate,
    "layered-cfc-pure": cfc.layered_cfc_pure,
}
