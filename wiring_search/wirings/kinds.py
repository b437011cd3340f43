"""What a candidate may be made of: kinds of neuron with their solvers, memories, gradients."""

EXPLICIT = ("euler", "heun", "rk4")

# Every neuron with the solvers that there are for it, the usual one first. An extension adds its
# own.
SOLVERS: dict[str, tuple[str, ...]] = {
    "ltc": ("semi-implicit", "closed-form", *EXPLICIT),
    "ct-rnn": EXPLICIT,
    "neural-ode": EXPLICIT,
    "cfc": ("closed-form",),
    "cfc-no-gate": ("closed-form",),
    "cfc-pure": ("closed-form",),
    "layered-cfc": ("closed-form",),
    "layered-cfc-no-gate": ("closed-form",),
    "layered-cfc-pure": ("closed-form",),
}

# Those that have a compiled kernel.
NEURONS = tuple(SOLVERS)

# Whose weights start with the signs of their synapses; to others, polarities mean nothing.
SIGNED = ("ltc", "ct-rnn", "neural-ode")

MEMORIES = ("none", "state", "input")

GRADIENTS = ("bptt", "adjoint")
