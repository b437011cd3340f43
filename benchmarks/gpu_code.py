"""The GPU kernels as machine code, which needs no GPU: registers, and what the inner loops consist
of.

    PYTHONPATH=. python benchmarks/gpu_code.py

Kernels are compiled for an H100 as a launch would have them, one warp a program, then taken apart
by the tools that come with Triton. Numbers that do not fit into 255 registers go to the stack. An
inner loop has no loop in it; those that use the special-function units are listed: its
instructions, and the clocks that the units of a quarter of a multiprocessor need for it, 8 for one
operation of 32 lanes. Whichever is more binds, where memory is near enough. Ends with an error
where a kernel adds atomically, since sums would then depend on who comes first.
"""

import re
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from wiring_search.networks.kernels.gpu.programs import program_of
from wiring_search.networks.kernels.gpu.sequence import SIZES
from wiring_search.networks.kernels.layout import Kind
from wiring_search.wirings.kinds import MEMORIES

KINDS = (
    Kind(),
    Kind("ltc", "semi-implicit", "state"),
    Kind("ltc", "rk4", "none", "adjoint"),
    Kind("ct-rnn", "euler", "input"),
    Kind("neural-ode", "heun"),
    Kind("cfc", "closed-form"),
    Kind("cfc-pure", "closed-form", "state"),
)
H100 = GPUTarget("cuda", 90, 32)
CLOCKS = 8  # of an operation of 32 lanes, by the units of a quarter of a multiprocessor

_TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


class Loop(NamedTuple):
    instructions: int
    clocks: int


def main() -> None:
    warnings.simplefilter("ignore")
    print(
        f"{'kind':36}{'kernel':10}{'registers':>10}{'stack, bytes':>14}   inner loops: "
        "instructions / clocks of the units"
    )
    for kind in KINDS:
        program = program_of(kind)
        constants = {
            "LINEAR": True,
            "MEMORY": MEMORIES.index(kind.memory),
            **program.constants,
            "INPUTS": False,
        }
        for kernel in (program.forward, program.backward):
            code = compiled(kernel, constants)
            registers, stack = resources(code)
            loops = "  ".join(f"{loop.instructions}/{loop.clocks}" for loop in inner_loops(code))
            print(f"{'/'.join(kind):36}{kernel.__name__:10}{registers:10}{stack:14}   {loops}")


def compiled(kernel, constants: dict[str, object]) -> bytes:
    """Machine code. Raises ValueError where it adds atomically."""
    kinds = {name: _kind(name) for name in kernel.arg_names}
    source = ASTSource(
        kernel,
        kinds,
        {name: value for name, value in constants.items() if name in kinds},
        _aligned(kinds),
    )
    made = triton.compile(
        source, target=H100, options={"num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}
    )
    if found := re.search(r"^\s*(atom|red)[.].*", made.asm["ptx"], re.MULTILINE):
        raise ValueError(f"{kernel.__name__} adds atomically: {found[0].strip()}")
    return made.asm["cubin"]


def resources(code: bytes) -> tuple[int, int]:
    """Registers of a thread, and bytes of its stack."""
    found = re.search(r"REG:(\d+) STACK:(\d+)", _told_by("cuobjdump", "-res-usage", code=code))
    return int(found[1]), int(found[2])


def inner_loops(code: bytes) -> list[Loop]:
    """Those that use the special-function units."""
    labels, instructions = {}, []
    for line in _told_by("nvdisasm", "-c", code=code).splitlines():
        if label := re.match(r"\s*([.]L_x_\d+):", line):
            labels[label[1]] = len(instructions)
        elif instruction := re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            instructions.append(instruction[1])
    jumps = [
        (at, re.search(r"\bBRA.*`\(([.]L_x_\d+)\)", text)) for at, text in enumerate(instructions)
    ]
    loops = [(labels[jump[1]], at) for at, jump in jumps if jump and labels[jump[1]] <= at]
    inner = [
        (a, b) for a, b in loops if not any(a <= c and d <= b for c, d in loops if (c, d) != (a, b))
    ]
    found = [
        Loop(b - a + 1, CLOCKS * sum("MUFU" in text for text in instructions[a : b + 1]))
        for a, b in sorted(inner)
    ]
    return [loop for loop in found if loop.clocks]


def _told_by(tool: str, option: str, code: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        return subprocess.run(
            [_TOOLS / tool, option, file.name], capture_output=True, text=True, check=True
        ).stdout


def _kind(name: str) -> str | tuple[str, ...]:
    if name.isupper():
        return "constexpr"
    if name.endswith("edges"):
        return ("*i32", "*i32", "*i32", "*fp32", "i32")
    return (
        "*i64"
        if name == "table"
        else "*i32"
        if name.endswith("rows")
        else "i32"
        if name in SIZES
        else "*fp32"
    )


def _aligned(kinds: dict[str, str | tuple[str, ...]]) -> dict[tuple[int, ...], list]:
    """Tensors are, and so are the numbers of places (`gpu_layout`)."""
    alone = [((at,), kind) for at, kind in enumerate(kinds.values()) if isinstance(kind, str)]
    of_lists = [
        ((at, q), kind)
        for at, those in enumerate(kinds.values())
        if isinstance(those, tuple)
        for q, kind in enumerate(those)
    ]
    aligned = [place for place, kind in alone if kind.startswith("*")] + [
        place for place, _ in of_lists
    ]
    return {place: [["tt.divisibility", 16]] for place in aligned}


if __name__ == "__main__":
    main()
