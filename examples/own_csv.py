"""A table of your own: which small wiring predicts a room's temperature from the weather and the
heater?

    python examples/own_csv.py
    TRIALS=64 EPOCHS=40 python examples/own_csv.py    # a longer search
"""

import os
from pathlib import Path

import numpy as np
import pandas

from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.tasks import TaskOptions

TRIALS, EPOCHS = int(os.environ.get("TRIALS", 24)), int(os.environ.get("EPOCHS", 20))
OUT = Path(os.environ.get("OUT", "results/room"))


def room(minutes: int, seed: int = 0) -> pandas.DataFrame:
    """A heated room that cools towards the temperature outside, minute by minute.

    Returns:
        One row per time step, one column per quantity.
    """
    rng = np.random.default_rng(seed)
    outside = (
        8
        + 5 * np.sin(2 * np.pi * np.arange(minutes) / 720)
        + rng.standard_normal(minutes).cumsum() / 20
    )
    heater = (rng.random(minutes // 30 + 1) < 0.4).repeat(30)[:minutes].astype(float)
    inside = np.empty(minutes)
    now = 18.0
    for minute in range(minutes):
        now += 0.1 * (outside[minute] - now) + 1.2 * heater[minute]
        inside[minute] = now + 0.05 * rng.standard_normal()
    return pandas.DataFrame(
        {"outside": outside.round(2), "heater": heater, "inside": inside.round(2)}
    )


def main() -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    table = OUT.parent / "room.csv"
    room(4000).to_csv(table, index=False)

    # All columns except the target are inputs. The file is cut in time: 70 % train,
    # 15 % validation, 15 % test.
    options = TaskOptions(data=str(table), target="inside", window=32, stride=8)
    run = search(
        study_config("csv", "small", options, trials=TRIALS, epochs=EPOCHS, ahead=1, scores=()),
        OUT,
        ONE_PROCESS,
    )

    print(run.answer())
    print(run.front()[["trial", "synapses", "mse", "latency_us"]])
    # A network that loses to one of these rules is not worth its size.
    print({name: round(error, 4) for name, error in run.rules.items()})


if __name__ == "__main__":
    main()
