"""`NAME.h`: the network as C99 for microcontrollers.

One step function in float32, constants in flash, no library but math.h.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wiring_search.export import c_code
from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel, scale_of, title_of
from wiring_search.export.verified import Check, compared
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.cfc import HEADS, PURE, swept
from wiring_search.networks.neurons.ltc import EPSILON
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import KINDS, Family

_STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
_FAMILIES = (Family.LTC, Family.RATE, Family.CFC)
_TIMED_STEPS = 20_000
_WIDTH = 120


def missing() -> str:
    if _compiler():
        return ""
    return "verification needs a C compiler, and none is installed: install gcc or clang"


def refused(parcel: Parcel) -> str:
    """Why the network cannot be written as C; "" if it can."""
    neuron = parcel.candidate.neuron
    if KINDS[neuron].family in _FAMILIES:
        return ""
    written = ", ".join(name for name, kind in KINDS.items() if kind.family in _FAMILIES)
    return f"the neuron {neuron} is an extension's; C is written for {written}"


def files(parcel: Parcel) -> tuple[str]:
    return (f"{parcel.name}.h",)


def write(parcel: Parcel, folder: Path) -> None:
    (folder / files(parcel)[0]).write_text(header(parcel), encoding="utf-8")


def check(parcel: Parcel, folder: Path) -> Check:
    y, state, microseconds = run_headers([parcel], folder, "-O2", _TIMED_STEPS)[0]
    notes = {
        "bytes of state": state[0].nbytes,
        "of constants": sum(values.nbytes for values in _constants(parcel).values()),
    }
    return Check(*compared(parcel, y, state), microseconds, notes | _sizes(parcel, folder))


def header(parcel: Parcel) -> str:
    """The whole file."""
    constants = _constants(parcel)
    layout = parcel.network.layout
    wiring = parcel.network.wiring
    cells = layout.cells(wiring)
    state_size = layout.state_size
    nodes, rows = (
        _unsigned([values for name, values in constants.items() if name.endswith(end)])
        for end in ("pre", "row")
    )
    types = {"pre": "@_node_t", "row": "@_row_t"}
    arrays = [
        _array(name, types.get(name.removeprefix("sensory_"), "float"), values)
        for name, values in constants.items()
    ]
    sizes = {
        "FEATURES": layout.features,
        "OUTPUTS": layout.output_size,
        "SENSORY": wiring.sensory,
        "NEURONS": wiring.neurons,
        "CELLS": cells,
        "STEPS": layout.steps[0],
        "STAGES": len(constants.get("a", ())),
        "CONSTANT_BYTES": sum(values.nbytes for values in constants.values()),
        "STATE_BYTES": 4 * state_size,
    }
    text = "\n".join(
        [
            _comment(parcel, sizes),
            "#ifndef @@_H\n#define @@_H\n\n#include <math.h>\n",
            *(f"#define @@_{name} {value}" for name, value in sizes.items()),
            f"\ntypedef {nodes} @_node_t;\ntypedef {rows} @_row_t;",
            "\ntypedef struct {\n    float v[@@_NEURONS]; /* motor neurons first */"
            f"{_CELLS if cells else ''}\n}} @_state;\n",
            *arrays,
            *_functions(parcel),
            "\n#endif",
            "",
        ]
    )
    return (
        re.sub(r"\n{3,}", "\n\n", text).replace("@@", parcel.name.upper()).replace("@", parcel.name)
    )


_CALLS_SIGMOID = "@_sigmoid("
_CELLS = "\n    float c[@@_CELLS]; /* the memory's cells */"


def _constants(parcel: Parcel) -> dict[str, np.ndarray]:
    """The arrays in flash by name, each in its C type."""
    arrays = dict(parcel.parameters)
    made = parcel.network.layout.connections[0]
    kind = parcel.network.layout.kind
    if KINDS[kind.neuron].family is Family.LTC:
        arrays["leak_driving"] = arrays["gleak"] * arrays.pop("vleak")
        arrays["leak"] = arrays.pop("gleak") + np.float32(EPSILON)
    for prefix, pre, post in (
        ("", made.pre, made.post),
        ("sensory_", made.sensory_pre, made.sensory_post),
    ):
        arrays[f"{prefix}row"] = np.searchsorted(post, np.arange(made.neurons + 1))
        arrays[f"{prefix}pre"] = pre
    if kind.solver in TABLEAUX:
        arrays["a"] = np.array(TABLEAUX[kind.solver].a)
        arrays["b"] = np.array(TABLEAUX[kind.solver].b)
    for prefix, columns in (("", parcel.inputs), ("target_", parcel.targets)):
        if scale := scale_of(columns):
            arrays[f"{prefix}middle"], arrays[f"{prefix}spread"] = scale.middle, scale.spread
    found = {name: np.asarray(values).ravel() for name, values in arrays.items()}
    # C has no empty arrays.
    found = {
        name: values if len(values) else np.zeros(1, values.dtype) for name, values in found.items()
    }
    whole = {
        end: max(int(found[p + end].max()) for p in ("", "sensory_")) for end in ("pre", "row")
    }
    types = {
        end: np.uint8 if most < 1 << 8 else np.uint16 if most < 1 << 16 else np.uint32
        for end, most in whole.items()
    }
    return {
        name: values.astype(types.get(name.removeprefix("sensory_"), np.float32))
        for name, values in found.items()
    }


def _functions(parcel: Parcel) -> list[str]:
    layout = parcel.network.layout
    wiring = parcel.network.wiring
    kind = layout.kind
    projected = layout.features != wiring.sensory
    input_map = ""
    if kind.memory != "input":
        form = c_code.LINEAR if projected else c_code.AFFINE
        input_map = " " * 8 + form.format(
            count="@@_SENSORY", to="u", source="x", name="input", width="@@_FEATURES"
        )
    form = c_code.AFFINE if layout.outputs is None else c_code.LINEAR
    readout = form.format(
        count="@@_OUTPUTS", to="y", source="state->v", name="output", width=wiring.motor
    )
    memory = {"none": "", "state": c_code.START_FROM_MEMORY, "input": c_code.SENSE_MEMORY}[
        kind.memory
    ]
    step = c_code.STEP.replace("MEMORY", memory).replace(
        "INPUT", input_map.replace("INDENT", " " * 8)
    )
    dynamics = [*_dynamics(parcel), c_code.MEMORY if memory else ""]
    return [
        c_code.SIGMOID if any(_CALLS_SIGMOID in part for part in dynamics) else "",
        *dynamics,
        c_code.RESET.replace("CELLS}", f"{c_code.RESET_CELLS if memory else ''}}}"),
        c_code.SCALE if scale_of(parcel.inputs) else "",
        c_code.UNSCALE if scale_of(parcel.targets) else "",
        step.replace("READOUT", readout.replace("INDENT", " " * 4)),
    ]


def _dynamics(parcel: Parcel) -> list[str]:
    """The functions up to and including `advance`."""
    kind = parcel.network.layout.kind
    explicit = [c_code.EXPLICIT] if kind.solver in TABLEAUX else []
    if KINDS[kind.neuron].family is Family.LTC:
        bodies = {"semi-implicit": [c_code.SEMI_IMPLICIT], "closed-form": [c_code.CLOSED_FORM]}
        return [c_code.SYNAPSES, *bodies.get(kind.solver, [c_code.LTC_SLOPE]), *explicit]
    if explicit:
        return [
            c_code.SUM,
            c_code.RATE_SLOPE.replace(
                "LEAK", c_code.RATE_LEAK if "tau" in parcel.parameters else ""
            ),
            *explicit,
        ]
    variant = NEURONS[kind.neuron].variant
    heads = "\n".join(c_code.CFC_HEAD.format(head) for head in HEADS[variant]) + (
        c_code.CFC_GATE if variant != PURE else ""
    )
    layers = swept(parcel.network.layout.connections[0].layer_ends)
    calls = "\n".join(
        f"    @_layer(v, u, elapsed, {layer.start}, {layer.stop});" for layer in layers
    )
    cfc = (
        c_code.CFC.replace("HEADS", heads)
        .replace("NEW", c_code.CFC_NEW[variant])
        .replace("LAYERS", calls)
    )
    return [c_code.SUM, cfc]


def _comment(parcel: Parcel, sizes: dict[str, int]) -> str:
    scaled = scale_of(parcel.inputs)
    unscaled = scale_of(parcel.targets)
    lines = [
        f"{title_of(parcel)}: a liquid network as C99, made by wiring-search.",
        "It needs <math.h> alone and allocates nothing.",
        "",
        "    @_state state;                      /* one per running sequence */",
        "    float x[@@_FEATURES], y[@@_OUTPUTS];",
        "    @_reset(&state);",
        *(["    @_scale(raw, x);                    /* raw values to inputs */"] if scaled else []),
        "    @_step(&state, x, 1.0f, y);         /* per time step; 1.0f: time since the last */",
        *(
            ["    @_unscale(y, raw_y);                /* outputs to raw values */"]
            if unscaled
            else []
        ),
        "",
        f"Constants: {sizes['CONSTANT_BYTES']} bytes of flash, besides the code. "
        f"State: {sizes['STATE_BYTES']} bytes of RAM.",
    ]
    # The comments of the example would end the comment around it.
    lines = [line.replace("/* ", "// ").replace(" */", "") for line in lines]
    return (
        "/* "
        + "\n".join(f" * {line}".rstrip() if i else line for i, line in enumerate(lines))
        + "\n */"
    )


def _array(name: str, kind: str, values: np.ndarray) -> str:
    texts = [_number(value) for value in values]
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {text},"
    return (
        f"static const {kind} @_{name}[{len(values)}] = {{\n" + "\n".join([*lines, line]) + "\n};"
    )


def _number(value: np.generic) -> str:
    if not np.issubdtype(value.dtype, np.floating):
        return str(value)
    text = str(value)  # the shortest decimal that is this float32
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _unsigned(arrays: Sequence[np.ndarray]) -> str:
    return {1: "unsigned char", 2: "unsigned short", 4: "unsigned long"}[arrays[0].itemsize]


def _compiler() -> str | None:
    return next((path for name in ("gcc", "cc", "clang") if (path := shutil.which(name))), None)


def run_headers(
    parcels: Sequence[Parcel], folder: Path, optimise: str, repeats: int = 0
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Run the headers of some networks, compiled as one program.

    Args:
        parcels: The networks.
        folder: Where their headers are.
        optimise: The compiler's option, such as "-O2".
        repeats: Steps to time.

    Returns:
        For each network its outputs (n, T, outputs), final states (n, states), and microseconds
        per step.

    Raises:
        ValueError: The compiler reports an error or a warning.
    """
    plays = "\n".join(
        f"    {parcel.name}_play({len(parcel.x)}, {parcel.x.shape[1]}, repeats);"
        for parcel in parcels
    )
    text = c_code.DRIVER_HEAD + "".join(f'#include "{files(parcel)[0]}"\n' for parcel in parcels)
    for parcel in parcels:
        text += c_code.DRIVER_PLAY.replace("@@", parcel.name.upper()).replace("@", parcel.name)
    text += c_code.DRIVER_MAIN.replace("PLAYS", plays)
    with tempfile.TemporaryDirectory() as room:
        source = Path(room) / "driver.c"
        program = Path(room) / "driver"
        source.write_text(text, encoding="utf-8")
        _compile(source, program, folder, optimise, "-lm")
        given = b"".join(
            np.concatenate([parcel.x, parcel.elapsed[:, :, None]], axis=2).tobytes()
            for parcel in parcels
        )
        ran = subprocess.run([program, str(repeats)], input=given, capture_output=True, check=True)
    values = np.frombuffer(ran.stdout, np.float32)
    times = [float(line) for line in ran.stderr.split()]
    result = []
    for parcel, time in zip(parcels, times, strict=True):
        (n, steps, outputs), states = parcel.y.shape, parcel.state.shape[1]
        block, values = np.split(values, [n * (steps * outputs + states)])
        y, state = np.split(block.reshape(n, -1), [steps * outputs], axis=1)
        result.append((y.reshape(n, steps, outputs), state, time))
    return result


def _compile(source: Path, target: Path, folder: Path, *options: str) -> None:
    before = [o for o in options if o != "-lm"]
    after = [o for o in options if o == "-lm"]
    command = [
        _compiler() or "cc",
        *_STRICT,
        *before,
        "-I",
        str(folder),
        str(source),
        "-o",
        str(target),
        *after,
    ]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise ValueError(f"the C compiler says: {ran.stderr.strip()[:500]}")


def _sizes(parcel: Parcel, folder: Path) -> dict[str, int]:
    """Bytes of code and constants of an object file, optimised for size on this machine; none if
    `size` is not installed."""
    if not shutil.which("size"):
        return {}
    with tempfile.TemporaryDirectory() as room:
        source = Path(room) / "sized.c"
        target = Path(room) / "sized.o"
        source.write_text(c_code.SIZED.replace("@", parcel.name), encoding="utf-8")
        _compile(source, target, folder, "-Os", "-c")
        text, data, bss = (
            subprocess.run(["size", target], capture_output=True, text=True, check=True)
            .stdout.split("\n")[1]
            .split()[:3]
        )
    return {
        "of code and constants (-Os, this machine)": int(text) + int(data),
        "of static RAM": int(data) + int(bss),
    }


_LOADING = """C99 (the comment at the top of the file is an example):

```c
#include "{name}.h"
{name}_reset(&state);
{name}_step(&state, x, 1.0f, y); /* float x[{F}] */
```
"""

FORMAT = Format(
    summary="a C99 header for microcontrollers",
    write=write,
    files=files,
    check=check,
    loading=_LOADING,
    missing=missing,
    refused=refused,
)
