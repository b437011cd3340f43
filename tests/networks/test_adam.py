"""The compiled Adam step of a pack, against torch's."""

import numpy as np
import torch

from wiring_search.networks.kernels.cpu import adam


def test_adam_equals_torch() -> None:
    rng = np.random.default_rng(7)
    starts, n = np.array([0, 5, 12]), 12
    positive = rng.random(n) < 0.5
    raw, first, second = (
        rng.standard_normal(n).astype(np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
    )
    effective, steps, alive = np.empty(n, np.float32), np.zeros(2, np.int64), np.ones(2, bool)
    adam.effective_of(raw, positive, effective)
    assert np.allclose(
        effective[positive], np.log1p(np.exp(raw[positive].astype(np.float64))), atol=1e-6
    )
    theirs = [
        torch.tensor(raw[a:b], dtype=torch.float64, requires_grad=True)
        for a, b in ((0, 5), (5, 12))
    ]
    optimisers = [torch.optim.Adam([p], lr=lr) for p, lr in zip(theirs, (0.1, 0.01), strict=True)]
    for _ in range(20):
        target = rng.standard_normal(n)
        grad = (effective - target).astype(np.float32)
        adam.adam_step(
            starts,
            raw,
            effective,
            positive,
            grad,
            first,
            second,
            np.array([0.1, 0.01], np.float32),
            1.0,
            steps,
            alive,
        )
        for p, optimiser, (a, b) in zip(theirs, optimisers, ((0, 5), (5, 12)), strict=True):
            optimiser.zero_grad()
            value = torch.where(torch.tensor(positive[a:b]), torch.nn.functional.softplus(p), p)
            ((value - torch.tensor(target[a:b])) ** 2 / 2).sum().backward()
            torch.nn.utils.clip_grad_norm_([p], 1.0)
            optimiser.step()
    assert np.allclose(raw, torch.cat(theirs).detach().numpy(), atol=2e-5)
