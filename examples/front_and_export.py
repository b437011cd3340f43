"""From a search to exported files: the front, its certainty, and a small good wiring as C and JSON.

python examples/front_and_export.py
"""

import os
from contextlib import closing
from pathlib import Path

from wiring_search.analysis.pareto import knee
from wiring_search.export import export
from wiring_search.export.trained_network import trained_network
from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.store import Store

TRIALS, EPOCHS = int(os.environ.get("TRIALS", 48)), int(os.environ.get("EPOCHS", 30))
OUT = Path(os.environ.get("OUT", "results/export"))


def main() -> None:
    # Each candidate is trained twice. Its error is the mean; the spread shows how certain it is.
    config = study_config(
        "digits", "small", trials=TRIALS, epochs=EPOCHS, repeats=2, ahead=2, scores=()
    )
    run = search(config, OUT, ONE_PROCESS)
    front = run.front()
    print(front[["trial", "synapses", "error", "error_se"]])

    # The knee; if the front has none, the smallest wiring within 0.05 of the best error.
    bend = knee(front[["error", "synapses"]].to_numpy(float))
    good = front[front["error"] <= front["error"].min() + 0.05]
    chosen = int((good.iloc[0] if bend is None else front.iloc[bend])["trial"])

    with closing(Store.open(OUT)) as store:
        print(trained_network(store, chosen))
    for written in export(OUT, chosen, ("c", "json"), OUT / f"export-{chosen}"):
        print(f"{written.format}: {written.bytes} bytes, {', '.join(map(str, written.files))}")


if __name__ == "__main__":
    main()
