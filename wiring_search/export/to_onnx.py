"""`step.onnx` and `sequence.onnx`: inputs x, elapsed, state; outputs y, new_state.

Their metadata describe the network. onnxruntime verifies them; if it is not installed, the
reference evaluator of onnx does.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel, inputs_json
from wiring_search.export.verified import Check, compared, microseconds

FILES = ("step.onnx", "sequence.onnx")
_Run = Callable[[np.ndarray, np.ndarray, np.ndarray], list[np.ndarray]]


def missing() -> str:
    """What must be installed first; "" if nothing."""
    if find_spec("onnx") and find_spec("onnxscript"):
        return ""
    return "needs the packages onnx and onnxscript: pip install wiring-search[export]"


def write(parcel: Parcel, folder: Path) -> None:
    import onnx

    for name, program in parcel.programs.items():
        with _quiet():
            made = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=["x", "elapsed", "state"],
                output_names=["y", "new_state"],
            )
        if made is None:
            raise RuntimeError("torch.onnx made no program")
        model = made.model_proto
        _remove_source_lines(model.graph)
        model.graph.name, model.producer_name = parcel.name, "wiring-search"
        for key, value in (parcel.about | {"inputs": json.dumps(inputs_json(parcel))}).items():
            model.metadata_props.add(key=key, value=str(value))
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{name}.onnx")


def check(parcel: Parcel, folder: Path) -> Check:
    step, sequence = (_loaded(folder / name) for name in FILES)
    x = parcel.x.numpy()
    elapsed = parcel.elapsed.numpy()
    state = np.zeros_like(parcel.state.numpy())
    differences = [compared(parcel, *sequence(x, elapsed, state))]
    outputs = []
    for t in range(x.shape[1]):
        y, state = step(x[:, t], elapsed[:, t, None], state)
        outputs.append(y)
    differences.append(compared(parcel, np.stack(outputs, 1), state))
    one = x[:1, 0], np.ones((1, 1), np.float32), state[:1]
    time = microseconds(lambda: step(*one)) if find_spec("onnxruntime") else None
    y_off, state_off = map(max, zip(*differences, strict=True))
    return Check(y_off, state_off, time)


def _loaded(path: Path) -> _Run:
    if find_spec("onnxruntime"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    else:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
    return lambda x, elapsed, state: session.run(None, {"x": x, "elapsed": elapsed, "state": state})


def _remove_source_lines(graph) -> None:
    """As in `steps`: they name files of this machine."""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _remove_source_lines(attribute.g)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's messages about optional packages and unused names."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


_LOADING = """ONNX (inputs and shapes as for PyTorch; `sequence.onnx` for whole sequences):

```python
session = onnxruntime.InferenceSession("step.onnx")
y, state = session.run(None, {{"x": x, "elapsed": elapsed, "state": state}})  # float32
```
"""

FORMAT = Format(
    summary="ONNX, for onnxruntime and others",
    write=write,
    files=lambda parcel: FILES,
    check=check,
    loading=_LOADING,
    missing=missing,
)
