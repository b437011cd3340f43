"""A search space of your own, in Python: dimensions and constraints between them.

    python examples/own_space.py

examples/space.toml does the same in a file for the command line; examples/liquid.toml has
conditions.
"""

import os
from pathlib import Path

from wiring_search.run import ONE_PROCESS, search
from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.store.config import StudyConfig

TRIALS, EPOCHS = int(os.environ.get("TRIALS", 16)), int(os.environ.get("EPOCHS", 10))
OUT = Path(os.environ.get("OUT", "results/own-space"))

# Small-world wirings of at most forty neurons, LTC or CfC. Only LTC has solver steps.
SPACE = Space(
    "small_world",
    {
        "neuron": Choice(("ltc", "cfc")),
        "steps": IntRange(1, 4, when={"neuron": ("ltc",)}),
        "sensory": Choice((8,)),
        "neurons": IntRange(12, 40),
        "motor": Choice((4, 8)),
        "neighbours": IntRange(2, 6),
        "rewiring": FloatRange(0.0, 0.5),
        "sensory_fanout": IntRange(1, 6),
        "learning_rate": FloatRange(0.005, 0.05, log=True),
        "wiring_seed": IntRange(0, 7),
    },
    ("neighbours < neurons", "motor * 2 <= neurons"),
)


def main() -> None:
    config = StudyConfig("digits", SPACE.to_json(), "own", trials=TRIALS, epochs=EPOCHS, scores=())
    run = search(config, OUT, ONE_PROCESS)
    print(run.front()[["trial", "synapses", "accuracy", "p.neuron", "p.neurons", "p.neighbours"]])


if __name__ == "__main__":
    main()
