"""One liquid network in your own training loop: a torch module that runs in the fused kernel.

python examples/own_training_loop.py
"""

import os

import torch
from torch import nn

from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

STEPS = int(os.environ.get("EPOCHS", 20)) * 10


def waves(
    count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sines sampled at irregular times.

    Returns:
        Values (B, T, 1), elapsed time since the previous sample (B, T), next values (B, T, 1).
    """
    elapsed = 0.2 + torch.rand(count, 33, generator=generator)
    phase = 6.28 * torch.rand(count, 1, generator=generator) + elapsed.cumsum(dim=1)
    values = torch.sin(phase)[..., None]
    return values[:, :-1], elapsed[:, 1:], values[:, 1:]


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    wiring = ncp(
        sensory=1,
        inter=8,
        command=6,
        motor=1,
        sensory_fanout=4,
        inter_fanout=3,
        recurrent_synapses=6,
        motor_fanin=4,
    )
    network = LiquidNetwork(wiring, seed=0)
    print(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(STEPS):
        x, elapsed, y = waves(64, generator)
        outputs, _ = network(x, elapsed=elapsed)
        loss = nn.functional.mse_loss(outputs, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 20 == 0 or step == STEPS - 1:
            print(f"step {step}: mse {loss:.4f}")

    # Streaming: one sample at a time, passing the state on.
    x, elapsed, y = waves(1, generator)
    state = None
    for t in range(x.shape[1]):
        output, state = network(x[:, t : t + 1], elapsed=elapsed[:, t : t + 1], state=state)
    print(f"last value {y[0, -1, 0]:.3f}, predicted {output[0, 0, 0]:.3f}")


if __name__ == "__main__":
    main()
