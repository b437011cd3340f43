"""The README.md beside exported files, and inputs.json: how to load them, what goes in, what comes
out."""

from typing import Any

from wiring_search.export.parcel import Parcel, inputs_json, scale_of, scaling


def readme(parcel: Parcel, formats: dict[str, Any]) -> str:
    """formats: as in export.json."""
    about, layout = parcel.about, parcel.network.layout
    scores = ", ".join(
        f"{name} {_number(about[name])}"
        for name in ("error", "accuracy", "f1", "mse")
        if name in about
    )
    wiring = layout.wirings[0]
    sections = [
        f"# {parcel.name}\n",
        f"A liquid network that wiring-search found and trained: {_facts(about)}. It has {wiring.sensory} sensory nodes, "
        f"{wiring.inter} inter, {wiring.command} command and {wiring.motor} motor neurons.\n",
        f"Scores on {about['measured on']}: {scores}. One candidate out of many was chosen by them, so expect a little less.\n"
        if scores
        else "",
        "## Files\n",
        "Each was loaded again and held to the network on validation sequences. Differences are the largest, of outputs and states "
        "(of weights, for graphs); times are of one step of one sample, on the machine that exported.\n",
        _table(formats),
        "## Loading\n",
        *(
            _LOADING[name].format(name=parcel.name, F=layout.features, N=layout.state_size)
            for name in formats
        ),
        "## Inputs\n",
        f"`x` has {layout.features} features, in this order (`inputs.json` has them too):\n",
        _columns(inputs_json(parcel)["features"]),
        f"{scaling(parcel)}\n",
        "`elapsed` is the time since the step before, in the task's units: 1 on a regular clock; where it is 0 the state is held.\n",
        f"`state` has {layout.state_size} values, zeros at the start of a sequence: {wiring.neurons} neurons, motor neurons first"
        + (
            f", then {layout.state_size - wiring.neurons} cells of the memory"
            if layout.state_size > wiring.neurons
            else ""
        )
        + ". Give each step the state that the step before returned.\n",
        "## Outputs\n",
        _outputs(parcel),
    ]
    return "\n".join(section for section in sections if section)


def _facts(about: dict[str, Any]) -> str:
    named = ("task", "trial", "neuron", "solver", "steps", "memory", "synapses", "parameters")
    return ", ".join(f"{name} {about[name]}" for name in named if name in about)


def _table(formats: dict[str, Any]) -> str:
    head = "| format | files | bytes | largest difference | relative | µs a step |\n|---|---|---|---|---|---|"
    rows = [
        f"| {name} | {', '.join(f'`{file}`' for file in row['files'])} | {sum(row['files'].values()):,} "
        f"| {row['largest_absolute_difference']:.2g} | {row['largest_relative_difference']:.2g} "
        f"| {'–' if row['microseconds_a_step'] is None else format(row['microseconds_a_step'], '.3g')} |"
        for name, row in formats.items()
    ]
    return "\n".join([head, *rows, ""])


def _columns(columns: list[dict[str, Any]]) -> str:
    scaled = "middle" in columns[0]
    lines = [
        "| # | name | middle | spread |\n|---|---|---|---|" if scaled else "| # | name |\n|---|---|"
    ]
    for place, column in enumerate(columns):
        numbers = f" {column['middle']:.7g} | {column['spread']:.7g} |" if scaled else ""
        name = column["name"].replace("|", "\\|")
        lines.append(f"| {place} | {name} |{numbers}")
    return "\n".join([*lines, ""])


def _outputs(parcel: Parcel) -> str:
    columns = inputs_json(parcel)["outputs"]
    if parcel.about.get("kind") == "classification":
        what = "`y` has a logit for each class; the largest one is the answer, their softmax gives probabilities."
    else:
        what = "`y` has the values that are asked for" + (
            ", scaled: raw = y · spread + middle." if scale_of(parcel.targets) else "."
        )
    return f"{what} It is trained to be right {parcel.about.get('asked', 'at each step')} of a sequence.\n\n{_columns(columns)}"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_LOADING = {
    "torch": """PyTorch (torch alone; any batch, any number of time steps):

```python
step = torch.export.load("step.pt2").module()
y, state = step(x, elapsed, state)  # (batch, {F}), (batch, 1), (batch, {N})
sequence = torch.export.load("sequence.pt2").module()  # x (batch, time, {F}), elapsed (batch, time)
```
""",
    "onnx": """ONNX (inputs and shapes as for PyTorch; `sequence.onnx` for whole sequences):

```python
session = onnxruntime.InferenceSession("step.onnx")
y, state = session.run(None, {{"x": x, "elapsed": elapsed, "state": state}})  # float32
```
""",
    "ncps": """The ncps package (batch first; elapsed times for one sample at a time only):

```python
import {name}_ncps
network = {name}_ncps.load()
y, state = network(x)  # (batch, time, {F})
```
""",
    "graphml": """GraphML (nodes with their role and parameters, edges with polarity and weights):

```python
graph = networkx.read_graphml("wiring.graphml")
```
""",
    "json": """JSON (candidate, connections and weights; with wiring-search a network again):

```python
from wiring_search.export import network_from_json
network = network_from_json(open("network.json").read())
```
""",
    "dot": """Graphviz:

```
dot -Tsvg wiring.dot -o wiring.svg
```
""",
    "c": """C99 (the comment at the top of the file is an example):

```c
#include "{name}.h"
{name}_reset(&state);
{name}_step(&state, x, 1.0f, y); /* float x[{F}] */
```
""",
}
