"""The README.md beside exported files: how to load them, what goes in and what comes out."""

from typing import Any

from wiring_search.export.parcel import Parcel, inputs_json, scale_of, scaling


def readme(parcel: Parcel, formats: dict[str, Any], loading: list[str]) -> str:
    """The text of README.md.

    Args:
        parcel: What was exported.
        formats: The files and checks of each format, as in export.json.
        loading: How to load each of them, `Format.loading`.
    """
    about = parcel.about
    layout = parcel.network.layout
    wiring = layout.wirings[0]
    sections = [
        f"# {parcel.name}\n",
        f"A liquid network, found and trained by wiring-search: {_facts(about)}. It has "
        f"{wiring.sensory} sensory nodes, {wiring.inter} inter neurons, {wiring.command} command "
        f"neurons and {wiring.motor} motor neurons.\n",
        _scores(about),
        "## Files\n",
        "Each file was loaded again and compared with the network on validation sequences. The "
        "table shows the largest difference of outputs and states (of weights, for graphs). Times "
        "are for one step of one sample, on the machine that exported.\n",
        _table(formats),
        "## Loading\n",
        *(
            text.format(name=parcel.name, F=layout.features, N=layout.state_size)
            for text in loading
        ),
        "## Inputs\n",
        f"`x` has {layout.features} features, in this order (`inputs.json` has them too):\n",
        _columns(inputs_json(parcel)["features"]),
        f"{scaling(parcel)}\n",
        "`elapsed` is the time since the previous step, in the task's units. On a regular clock it "
        "is 1. Where it is 0, the state does not change.\n",
        f"`state` has {layout.state_size} values: {_state(parcel)}. It is zero at the start of a "
        "sequence. Pass each step the state that the previous step returned.\n",
        "## Outputs\n",
        _outputs(parcel),
    ]
    return "\n".join(section for section in sections if section)


def _scores(about: dict[str, Any]) -> str:
    scores = [
        f"{name} {_number(about[name])}"
        for name in ("error", "accuracy", "f1", "mse")
        if name in about
    ]
    if not scores:
        return ""
    return (
        f"Scores on {about['measured on']}: {', '.join(scores)}. Selection bias: the network was "
        "chosen by these scores out of many candidates, so expect slightly worse ones.\n"
    )


def _state(parcel: Parcel) -> str:
    wiring = parcel.network.wiring
    size = parcel.network.layout.state_size
    neurons = f"{wiring.neurons} neurons, motor neurons first"
    cells = size - wiring.neurons
    return f"{neurons}, then {cells} memory cells" if cells else neurons


def _facts(about: dict[str, Any]) -> str:
    named = ("task", "trial", "neuron", "solver", "steps", "memory", "synapses", "parameters")
    return ", ".join(f"{name} {about[name]}" for name in named if name in about)


def _table(formats: dict[str, Any]) -> str:
    names = ("format", "files", "bytes", "largest difference", "relative", "µs per step")
    rows = [names, ("---",) * len(names)]
    for name, row in formats.items():
        time = row["microseconds_a_step"]
        rows.append(
            (
                name,
                ", ".join(f"`{file}`" for file in row["files"]),
                f"{sum(row['files'].values()):,}",
                f"{row['largest_absolute_difference']:.2g}",
                f"{row['largest_relative_difference']:.2g}",
                "–" if time is None else f"{time:.3g}",
            )
        )
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), ""])


def _columns(columns: list[dict[str, Any]]) -> str:
    scaled = "middle" in columns[0]
    head = (
        "| # | name | middle | spread |\n|---|---|---|---|" if scaled else "| # | name |\n|---|---|"
    )
    lines = [head]
    for number, column in enumerate(columns):
        numbers = f" {column['middle']:.7g} | {column['spread']:.7g} |" if scaled else ""
        name = column["name"].replace("|", "\\|")
        lines.append(f"| {number} | {name} |{numbers}")
    return "\n".join([*lines, ""])


def _outputs(parcel: Parcel) -> str:
    columns = inputs_json(parcel)["outputs"]
    if parcel.about.get("kind") == "classification":
        what = (
            "`y` has one logit per class. The largest logit is the prediction; their softmax gives "
            "probabilities."
        )
    elif scale_of(parcel.targets):
        what = "`y` has the predicted values, scaled: raw = y · spread + middle."
    else:
        what = "`y` has the predicted values."
    asked = parcel.about.get("asked", "at each step")
    return f"{what} The network is trained to predict {asked} of a sequence.\n\n{_columns(columns)}"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
