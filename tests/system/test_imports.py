"""The layers: no import points up, heavy libraries stay where they belong, and `import wiring_search` loads nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [
    {
        "wiring_search",
        "wiring",
        "topologies",
        "candidate",
        "records",
        "pareto",
        "score_names",
        "events",
        "drawing",
        "ncps_wirings",
        "mutation",
        "halving",
        "budget",
        "durations",
        "stopping",
        "structure",
        "correlations",
        "controls",
        "significance",
        "optimism",
    },
    {"solvers", "neurons", "kernels"},
    {
        "network",
        "backbone_cfc",
        "variation",
        "pack",
        "gpu_pack",
        "devices",
        "latency",
        "tasks",
        "interop",
        "reservoir",
        "solver_accuracy",
        "hypersolver",
    },
    {"extension", "config", "training", "inheritance", "pruning", "reservoir_baselines", "baselines", "solver_choice"},
    {"scores"},
    {"scoring"},
    {"search_spaces", "workers", "store", "evolution"},
    {
        "sampling",
        "study",
        "screening",
        "mirror",
        "results",
        "fronts",
        "comparing",
        "report",
        "trained",
        "playing",
        "importance",
        "mattering",
    }
    | {"winning", "winning_picture"},
    {"tally", "estimate", "export"},
    {"logs"},
    {"run", "examine"},
    {"progress", "cli"},
]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
ONLY_IN = {
    "ray": {"workers"},
    "optuna": {"sampling", "mirror", "importance"},
    "tensorboard": {"logs"},
    "mlflow": {"logs"},
    "wandb": {"logs"},
    "triton": {"kernels"},
}
NOT_IN = {
    # Kernels, networks, packs, solvers, training, trained baselines, and a worker that tells torch its number of threads.
    "torch": set(RANK)
    - {
        "solvers",
        "neurons",
        "kernels",
        "network",
        "backbone_cfc",
        "variation",
        "pack",
        "gpu_pack",
        "devices",
        "interop",
        "training",
        "baselines",
        "workers",
    }
    - {"solver_accuracy", "hypersolver", "solver_choice", "playing", "export", "extension"},
    "pandas": {
        "wiring",
        "topologies",
        "candidate",
        "records",
        "pareto",
        "mutation",
        "neurons",
        "kernels",
        "network",
        "pack",
        "training",
        "baselines",
    },
}


def _part(path: Path) -> str:
    relative = path.relative_to(ROOT).with_suffix("").parts
    return relative[0] if relative[0] != "wiring_search" else relative[1] if relative[1] != "__init__" else "wiring_search"


def _imports(path: Path) -> set[str]:
    """Modules imported anywhere in a file, but not those for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


SOURCES = [path for folder in ("wiring_search", "search_spaces", "workers") for path in sorted((ROOT / folder).rglob("*.py"))]


def _target(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] in ("search_spaces", "workers"):
        return parts[0]
    if parts[0] != "wiring_search":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in RANK else None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_points_up(path: Path) -> None:
    own = RANK[_part(path)]
    for module in _imports(path):
        target = _target(module)
        assert target is None or RANK[target] <= own, f"{path.name} imports {module}, which lies above it"


@pytest.mark.parametrize("library", [*ONLY_IN, *NOT_IN])
def test_heavy_libraries_stay_where_they_belong(library: str) -> None:
    users = {_part(path) for path in SOURCES if any(module.split(".")[0] == library for module in _imports(path))}
    assert users, "nobody uses it: the list above is out of date"
    assert users <= ONLY_IN.get(library, users) and not users & NOT_IN.get(library, set())


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("wiring_search", ("torch", "ray", "numpy", "optuna", "pandas")),
        ("wiring_search.cli", ("torch", "ray", "optuna", "pandas", "matplotlib")),
        ("wiring_search.wirings.topologies", ("torch", "ray", "optuna", "pandas")),
        ("wiring_search.report", ("torch", "ray", "optuna")),
        ("wiring_search.networks.kernels.cpu", ("ray", "optuna", "pandas")),
        ("wiring_search.networks.kernels.gpu.training", ("ray", "optuna", "pandas", "numba", "networkx", "scipy")),
        ("wiring_search.training.loop", ("ray", "optuna")),
    ],
)
def test_importing_loads_no_more_than_needed(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(' '.join(name for name in {absent!r} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not loaded
