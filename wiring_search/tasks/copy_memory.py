"""Copy memory: read five symbols, wait, and repeat them in the same order.

The classic task of long-term memory (Hochreiter and Schmidhuber, "Long short-term memory", Neural
Computation 9, 1997; in this form Arjovsky, Shah and Bengio, "Unitary evolution recurrent neural
networks", ICML 2016), kept short. A sequence has five symbols out of eight, then `lag` blanks, then
five markers. At each marker one symbol is the target, so each symbol is due lag + 5 steps after it
was read. A step is one of ten tokens, one-hot: 0 the blank, 1 … 8 the symbols, 9 the marker. Only
the five markers are scored. A guess is right in one of eight cases.
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.generated import lag_of, splits
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

SYMBOLS, LENGTH = 8, 5
BLANK = 0
MARKER = SYMBOLS + 1
TOKENS = SYMBOLS + 2
_LAG = 16
_SEED = 202


def load(options: TaskOptions) -> Task:
    lag = lag_of("copy", options, _LAG)
    parts = splits("copy", options, _SEED, lambda samples, seed: sequences(samples, seed, lag))
    return Task(
        name="copy",
        kind="classification",
        every_step=True,
        outputs=SYMBOLS,
        metric="accuracy",
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        rules={"always the same symbol": trivial_rules.majority(parts["train"], parts["valid"])},
        source=f"{LENGTH} random symbols from a fixed seed, {lag} blanks",
    )


def sequences(samples: int, seed: tuple[int, ...], lag: int) -> Split:
    """Draw sequences.

    Args:
        samples: How many.
        seed: Of the draw.
        lag: Blanks between the symbols and the markers.

    Returns:
        x: (samples, lag + 10, 10); y: (samples, lag + 10), symbols from 0 on at the markers.
    """
    symbols = np.random.default_rng(seed).integers(0, SYMBOLS, (samples, LENGTH))
    steps = 2 * LENGTH + lag
    tokens = np.full((samples, steps), BLANK)
    tokens[:, :LENGTH] = symbols + 1
    tokens[:, -LENGTH:] = MARKER
    y = np.zeros((samples, steps), np.int64)
    y[:, -LENGTH:] = symbols
    return Split(np.eye(TOKENS, dtype=np.float32)[tokens], y, scored=tokens == MARKER)
