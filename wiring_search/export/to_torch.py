"""`step.pt2` and `sequence.pt2`: `torch.export.load(path).module()` runs them with torch alone."""

import json
from pathlib import Path

import torch

from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel, inputs_json
from wiring_search.export.verified import Check, compared, microseconds

FILES = ("step.pt2", "sequence.pt2")


def write(parcel: Parcel, folder: Path) -> None:
    extra = {"about.json": json.dumps(parcel.about), "inputs.json": json.dumps(inputs_json(parcel))}
    for name, program in parcel.programs.items():
        torch.export.save(program, folder / f"{name}.pt2", extra_files=extra)


def check(parcel: Parcel, folder: Path) -> Check:
    step, sequence = (torch.export.load(folder / name).module() for name in FILES)
    state = torch.zeros_like(parcel.state)
    with torch.no_grad():
        y, final = sequence(parcel.x, parcel.elapsed, state)
        differences = [compared(parcel, y.numpy(), final.numpy())]
        outputs = []
        for t in range(parcel.x.shape[1]):
            y, state = step(parcel.x[:, t], parcel.elapsed[:, t, None], state)
            outputs.append(y)
        differences.append(compared(parcel, torch.stack(outputs, 1).numpy(), state.numpy()))
        one = parcel.x[:1, 0], torch.ones(1, 1), state[:1]
        y_off, state_off = map(max, zip(*differences, strict=True))
    return Check(y_off, state_off, microseconds(lambda: step(*one)))


_LOADING = """PyTorch (torch alone; any batch size, any number of time steps):

```python
step = torch.export.load("step.pt2").module()
y, state = step(x, elapsed, state)  # (batch, {F}), (batch, 1), (batch, {N})
sequence = torch.export.load("sequence.pt2").module()  # x (batch, time, {F}), elapsed (batch, time)
```
"""

FORMAT = Format(
    summary="torch.export, runs with torch alone",
    write=write,
    files=lambda parcel: FILES,
    check=check,
    loading=_LOADING,
)
