"""The rooms: imports point strictly downwards, in no circle, and heavy libraries stay in their
rooms."""

import ast
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).resolve().parents[2]
# From the top to the bottom; a room imports only rooms on lower floors.
FLOORS = [
    {"cli"},
    {"run"},
    {"search", "report"},
    {"analysis", "export"},
    {"store"},
    {"scores"},
    {"training"},
    {"networks", "search_spaces", "workers"},
    {"wirings", "tasks"},
]
HEIGHT = {room: -floor for floor, rooms in enumerate(FLOORS) for room in rooms}
WITHOUT_TORCH = {"wirings", "tasks", "analysis", "search", "cli", "search_spaces"}
WITHOUT_PANDAS = {"wirings", "networks", "training", "search_spaces", "workers"}
# Where a library may be imported: a room, or one file of it.
ONLY_IN = {
    "ray": {"workers"},
    "optuna": {
        "search/samplers",
        "store/optuna_mirror.py",
        "search_spaces/optuna_space.py",
        "analysis/importance.py",
    },
    "triton": {"networks/kernels/gpu"},
    "numba": {"networks", "training", "workers/ray_worker.py"},
    "tensorboard": {"search/loggers.py"},
    "mlflow": {"search/loggers.py"},
    "wandb": {"search/loggers.py"},
}
SOURCES = [
    path
    for folder in ("wiring_search", "search_spaces", "workers")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def _place(path: Path) -> str:
    """room/file, as ONLY_IN has it."""
    return path.relative_to(ROOT).as_posix().removeprefix("wiring_search/")


def _imported(path: Path) -> set[str]:
    """Modules imported anywhere in a file, but not those for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    hidden = {inner for block in blocks for inner in ast.walk(block)}
    names = set()
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _room(module: str) -> str | None:
    """The room that a module is in; None for other packages and for `wiring_search` itself."""
    package, _, inner = module.partition(".")
    room = inner.partition(".")[0]
    return room if package == "wiring_search" and room in HEIGHT else None


def test_rooms_are_imported_through_the_package() -> None:
    """`import workers` would find the folder of a checkout, and make every class in it twice."""
    names = {module.partition(".")[0] for path in SOURCES for module in _imported(path)}
    assert not names & {"search_spaces", "workers"}


@pytest.mark.parametrize("path", SOURCES, ids=_place)
def test_imports_point_strictly_down(path: Path) -> None:
    room = _place(path).split("/")[0]
    if room == "__init__.py":
        assert not {_room(module) for module in _imported(path)} - {None}
        return
    for module in _imported(path):
        target = _room(module)
        if target not in (None, room):
            assert HEIGHT[target] < HEIGHT[room], (
                f"{_place(path)} imports {module}, which is not below {room}"
            )


def test_every_folder_is_a_room() -> None:
    rooms = {_place(path).split("/")[0] for path in SOURCES} - {"__init__.py"}
    assert rooms == set(HEIGHT)


def test_no_file_imports_itself_in_a_circle() -> None:
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
    }
    graph = networkx.DiGraph()
    for name, path in names.items():
        graph.add_edges_from(
            (name, module)
            for module in _imported(path)
            if module in names and not name.startswith(f"{module}.")
        )
    # A package's own module may import its package's face: those are one unit, and left out above.
    assert [
        circle for circle in networkx.strongly_connected_components(graph) if len(circle) > 1
    ] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_heavy_libraries_stay_where_they_belong(library: str) -> None:
    users = {
        _place(path)
        for path in SOURCES
        if library in {module.split(".")[0] for module in _imported(path)}
    }
    assert users, f"nothing imports {library}: ONLY_IN is out of date"
    strays = {
        user
        for user in users
        if not any(user == home or user.startswith(f"{home}/") for home in ONLY_IN[library])
    }
    assert not strays


@pytest.mark.parametrize(
    ("library", "rooms"), [("torch", WITHOUT_TORCH), ("pandas", WITHOUT_PANDAS)]
)
def test_rooms_without_a_library(library: str, rooms: set[str]) -> None:
    users = {
        _place(path)
        for path in SOURCES
        if library in {module.split(".")[0] for module in _imported(path)}
    }
    assert {user for user in users if user.split("/")[0] in rooms} == set()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("wiring_search", ("torch", "ray", "numpy", "optuna", "pandas")),
        ("wiring_search.cli", ("torch", "ray", "optuna", "pandas", "matplotlib")),
        ("wiring_search.run", ("torch", "ray", "optuna", "pandas", "matplotlib", "scipy")),
        ("wiring_search.wirings.topologies", ("torch", "ray", "optuna", "pandas")),
        ("wiring_search.tasks", ("torch", "ray", "optuna")),
        ("wiring_search.search.study", ("torch", "ray")),
        ("wiring_search.report", ("torch", "ray", "optuna")),
        ("wiring_search.networks.kernels.cpu", ("ray", "optuna", "pandas")),
        (
            "wiring_search.networks.kernels.gpu.training",
            ("ray", "optuna", "pandas", "numba", "networkx", "scipy"),
        ),
        ("wiring_search.training.loop", ("ray", "optuna")),
    ],
)
def test_importing_loads_no_more_than_needed(module: str, absent: tuple[str, ...]) -> None:
    code = (
        f"import sys, {module}; print(' '.join(name for name in {absent!r} if name in sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not loaded
