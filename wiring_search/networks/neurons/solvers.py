"""Explicit Runge–Kutta methods whose stages each build on the one before: Euler, Heun, classic RK4.

    z_1 = v,   z_s = v + h a_s f(z_{s−1}),   v' = v + h Σ_s b_s f(z_s)

(Hairer, Nørsett & Wanner, "Solving Ordinary Differential Equations I", II.1.) The input is held
during a time step, so the right-hand side does not depend on time. The semi-implicit step and the
closed form of LTC belong to that neuron and stand in `neurons.ltc`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import torch


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge–Kutta method whose stages each build on the one before.

    Attributes:
        order: Of convergence.
        a: How far stage s goes along the slope of stage s − 1; a[0] = 0.
        b: The weights.

    Raises:
        ValueError: The weights do not make a method of that order. (For linear problems, v' must be
            the Taylor polynomial of e^{hλ} up to it.)
    """

    order: int
    a: tuple[float, ...]
    b: tuple[float, ...]

    def __post_init__(self) -> None:
        # f = λv makes stage s the polynomial Σ_k (a_s a_{s−1} … ) z^k; collect Σ_s b_s a_s …
        # a_{s−k+2} and compare with 1/k!.
        factorials = list(accumulate(range(1, self.order + 1), lambda product, k: product * k))
        for k in range(1, self.order + 1):
            sums = 0.0
            for s in range(k - 1, self.stages):
                product = self.b[s]
                for step in range(k - 1):
                    product *= self.a[s - step]
                sums += product
            if abs(sums - 1.0 / factorials[k - 1]) > 1e-12:
                raise ValueError(
                    f"this tableau has {sums:g} at order {k} where a method of order {self.order} "
                    f"has 1/{k}!"
                )

    @property
    def stages(self) -> int:
        return len(self.b)


TABLEAUX = {
    "euler": Tableau(1, (0.0,), (1.0,)),
    "heun": Tableau(2, (0.0, 1.0), (1 / 2, 1 / 2)),
    "rk4": Tableau(4, (0.0, 1 / 2, 1 / 2, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


def explicit_step(
    field: Callable[[torch.Tensor], torch.Tensor],
    v: torch.Tensor,
    h: torch.Tensor,
    tableau: Tableau,
) -> torch.Tensor:
    """One step of dv/dt = field(v).

    Args:
        field: From v to dv/dt, both (B, neurons).
        v: (B, neurons) states at the start.
        h: (B, 1) length of the step.
        tableau: The method.

    Returns:
        (B, neurons) states at the end.
    """
    result = v
    slope = torch.zeros_like(v)
    for a, b in zip(tableau.a, tableau.b, strict=True):
        slope = field(v + h * a * slope)
        result = result + h * b * slope
    return result
