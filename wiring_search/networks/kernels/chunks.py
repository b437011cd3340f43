"""A sequence in chunks of time steps: without gradients no history is kept, so the memory of a call
does not grow with the sequence beyond its inputs and outputs.

A state is all that a network keeps from one time step to the next, so the chunks compute what the
whole sequence does, bit for bit.
"""

from collections.abc import Callable

import torch

Tensor = torch.Tensor
Run = Callable[[Tensor, Tensor, Tensor, bool], tuple[Tensor, Tensor]]


def in_chunks(
    run: Run, length: int, x: Tensor, elapsed: Tensor, state: Tensor, every_step: bool
) -> tuple[Tensor, Tensor]:
    """Run a sequence chunk by chunk and carry the state.

    Args:
        run: From x, elapsed, state and every_step to readouts and final state, as
            `reference.run`.
        length: Time steps of a chunk, 1 or more.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0.
        state: (B, states).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, states).
    """
    time_steps = x.shape[1]
    if time_steps <= length:
        return run(x, elapsed, state, every_step)
    readouts = None
    for start in range(0, time_steps, length):
        chunk = slice(start, start + length)
        y, state = run(x[:, chunk], elapsed[:, chunk], state, every_step)
        if every_step:
            if readouts is None:
                readouts = y.new_empty(*y.shape[:2], time_steps, y.shape[3])
            readouts[:, :, chunk] = y
    return y if readouts is None else readouts, state
