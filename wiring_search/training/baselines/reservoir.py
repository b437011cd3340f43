"""A wiring as a liquid state machine: a fixed random reservoir.

Only a readout of it is fitted (`readout`). Measures say what it computes before anything is trained
(`reservoir_memory`, `reservoir_ranks`).

    x' = (1 − leak)^Δt x + (1 − (1 − leak)^Δt) tanh(W x + W_in u + b)

With the usual Δt = 1 this is the leaky echo state network, x' = (1 − leak) x + leak tanh(…)
(Jaeger, GMD report 148, 2001; Maass, Natschläger & Markram, Neural Computation 14, 2002, for the
liquid of spiking neurons). Other elapsed times relax for as long, and Δt = 0 holds the state. W and
W_in have an entry where the wiring has a synapse; its polarity is the sign. Matrices are dense: at
200 neurons a step of 360 streams takes a millisecond. No torch.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import numpy as np

from wiring_search.wirings.wiring import Wiring


@dataclass(frozen=True)
class Reservoir:
    """A fixed random reservoir on a wiring.

    Attributes:
        wiring: Where W and W_in have entries, and their signs.
        spectral_radius: The largest |eigenvalue| that W is scaled to, > 0. A wiring without a cycle
            has a nilpotent W, whose radius is 0 at any scale: its synapses stay as drawn (it is a
            cascade of filters, and forgets by itself).
        leak: Share of a state that a unit time step replaces, above 0 and at most 1.
        input_scale: Of W_in, ≥ 0.
        bias_scale: Of b, ≥ 0.
        seed: Of the magnitudes, uniform in 0.5 … 1.5 before scaling so that no synapse is drawn
            away, and of the biases, uniform within ±bias_scale.

    Raises:
        ValueError: A number is out of these ranges.
    """

    wiring: Wiring
    spectral_radius: float = 0.9
    leak: float = 0.3
    input_scale: float = 1.0
    bias_scale: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("spectral_radius", "leak", "input_scale", "bias_scale"):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; give a number")
        if self.spectral_radius <= 0:
            raise ValueError(
                f"spectral_radius is {self.spectral_radius}; give a number above 0 such as 0.9"
            )
        if not 0 < self.leak <= 1:
            raise ValueError(
                f"leak is {self.leak}; give a number above 0 and at most 1 (no memory)"
            )
        for name in ("input_scale", "bias_scale"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if (
            not isinstance(self.seed, int | np.integer)
            or isinstance(self.seed, bool)
            or self.seed < 0
        ):
            raise ValueError(f"seed is {self.seed!r}; give a whole number, 0 or more")

    @cached_property
    def recurrent(self) -> np.ndarray:
        """W: (neurons, neurons), entry [post, pre]."""
        pre, post, polarity = self.wiring.synapse_arrays()
        w = np.zeros((self.wiring.neurons, self.wiring.neurons))
        w[post, pre] = polarity * self._generator("recurrent").uniform(0.5, 1.5, len(pre))
        radius = spectral_radius(w)
        return w * (self.spectral_radius / radius) if radius > 0 else w

    @cached_property
    def sensory(self) -> np.ndarray:
        """The sensory synapses: (neurons, sensory nodes), entry [neuron, sensory node]."""
        pre, post, polarity = self.wiring.sensory_arrays()
        w = np.zeros((self.wiring.neurons, self.wiring.sensory))
        w[post, pre] = (
            polarity * self._generator("sensory").uniform(0.5, 1.5, len(pre)) * self.input_scale
        )
        return w

    @cached_property
    def bias(self) -> np.ndarray:
        """b: (neurons,)."""
        return self._generator("bias").uniform(
            -self.bias_scale, self.bias_scale, self.wiring.neurons
        )

    def input_weights(self, features: int) -> np.ndarray:
        """Return W_in, (neurons, features).

        There is one feature per sensory node where their numbers agree. Otherwise features pass
        through a fixed random projection with entries of variance 1/features, as a network's
        projection starts.

        Args:
            features: F of the input.
        """
        if features == self.wiring.sensory:
            return self.sensory
        projection = self._generator("projection").normal(
            0.0, features**-0.5, (self.wiring.sensory, features)
        )
        return self.sensory @ projection

    def states(
        self, u: np.ndarray, elapsed: np.ndarray | None = None, every_step: bool = True
    ) -> np.ndarray:
        """Return the states that an input leads to from rest.

        Args:
            u: (batch, time, features).
            elapsed: (batch, time) time since the previous step, ≥ 0, 1.0 by default; where it is 0
                the state is held and u is not looked at.
            every_step: Whether all states are returned, or those after the last step.

        Returns:
            (batch, time, neurons), or (batch, neurons) without `every_step`.

        Raises:
            ValueError: A shape is another, or a time is negative.
        """
        u = np.asarray(u, float)
        if u.ndim != 3 or 0 in u.shape:
            raise ValueError(f"u has shape {u.shape}; give (batch, time, features), none of them 0")
        elapsed = np.ones(u.shape[:2]) if elapsed is None else np.asarray(elapsed, float)
        if elapsed.shape != u.shape[:2]:
            raise ValueError(
                f"elapsed has shape {elapsed.shape}; give (batch, time) = {u.shape[:2]}"
            )
        if not (elapsed >= 0).all():
            raise ValueError(
                "elapsed has a negative or NaN entry; times since the previous step are 0 or more"
            )
        drive = (
            np.where(elapsed[:, :, None] > 0, u, 0.0) @ self.input_weights(u.shape[2]).T + self.bias
        )
        held = (1.0 - self.leak) ** elapsed[:, :, None]
        x = np.zeros((len(u), self.wiring.neurons))
        recurrent = self.recurrent.T
        kept = np.empty(drive.shape if every_step else (0, 0, 0))
        for t in range(u.shape[1]):
            x = held[:, t] * x + (1.0 - held[:, t]) * np.tanh(x @ recurrent + drive[:, t])
            if every_step:
                kept[:, t] = x
        return kept if every_step else x

    def _generator(self, part: str) -> np.random.Generator:
        """One stream of numbers per part: each is the same whichever is asked for first."""
        parts = ("recurrent", "sensory", "bias", "projection")
        return np.random.default_rng((self.seed, parts.index(part)))


def spectral_radius(w: np.ndarray) -> float:
    """Return the largest |eigenvalue| of a square matrix, exactly 0 where its graph has no cycle.

    Nodes that lie before or behind all cycles add eigenvalues 0 only. They are taken off first: the
    eigenvalues of a nilpotent block are what rounding hits hardest.
    """
    linked = w != 0
    core = np.ones(len(w), bool)
    while True:
        inner = linked & core & core[:, None]
        smaller = inner.any(axis=0) & inner.any(axis=1)
        if (smaller == core).all():
            break
        core = smaller
    return float(np.abs(np.linalg.eigvals(w[np.ix_(core, core)])).max()) if core.any() else 0.0
