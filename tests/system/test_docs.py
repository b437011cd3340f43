"""The documentation does what it says: its commands parse, its links lead somewhere, its tutorial,
scripts and notebook run."""

import re
import runpy
import shutil
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import typer

from tests.support.pages import ROOT, blocks, command_lines, on_this_front
from wiring_search.cli import app
from wiring_search.search.events import Estimated
from wiring_search.search_spaces.toml_space import parse_space

PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if "reference" not in page.parts]
COMMANDS = typer.main.get_command(app).commands
QUICK = {"TRIALS": "3", "EPOCHS": "1", "SEEDS": "2"}


def _code(page: Path) -> str:
    """Lines that stand fenced or indented."""
    text = page.read_text(encoding="utf-8")
    fenced = [
        block for _, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]
    return "\n".join([*fenced, *re.findall(r"^    .*$", text, re.MULTILINE)])


@pytest.fixture(autouse=True)
def no_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a search is going to take is measured for a second or two; these take no longer
    themselves."""
    monkeypatch.setattr("wiring_search.run.estimate.estimate", lambda *given: Estimated(1.0, 0.0))


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:|mailto:", target):
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), f"{page.name} links to {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {
                    re.sub(r"[^\w\s-]", "", heading.lower()).replace(" ", "-")
                    for heading in headings
                }, target


def test_pictures_in_the_docs_are_small() -> None:
    for picture in (ROOT / "docs").rglob("*"):
        assert picture.suffix not in (".svg", ".png") or picture.stat().st_size < 200_000, picture


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_pages_name_can_be_given(page: Path) -> None:
    for name, *arguments in command_lines(_code(page)):
        if arguments not in ([], ["…"]) and "…" not in arguments:
            COMMANDS[name].make_context(
                name, arguments
            )  # raises for an unknown option, or one that lacks its value


def test_every_command_stands_in_the_readme_and_in_the_docs() -> None:
    for pages in ([ROOT / "README.md"], WRITTEN[1:], [ROOT / "docs" / "reference" / "commands.md"]):
        text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
        absent = [
            name
            for name in COMMANDS
            if f"wiring-search {name}" not in text and f"`{name}`" not in text
        ]
        assert not absent, f"{absent} are missing from {', '.join(page.name for page in pages)}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in WRITTEN[2:]:
        name = str(page.relative_to(ROOT / "docs"))
        assert name == "README.md" or f"({name})" in index, name


def test_the_reference_is_up_to_date(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "docs" / "build_reference.py"))["build"](tmp_path)
    ours, built = (
        ROOT / "docs" / "reference",
        {page.name: page.read_text(encoding="utf-8") for page in tmp_path.iterdir()},
    )
    assert {page.name for page in ours.iterdir()} == set(built)
    old = [
        name for name, text in built.items() if (ours / name).read_text(encoding="utf-8") != text
    ]
    assert not old, f"run `make docs`: {', '.join(old)} no longer say what the sources say"


def test_how_to_pages_quote_what_runs() -> None:
    """Python of the how-to pages stands word for word in the example that the tests of extensions
    run; spaces are spaces."""
    example = (ROOT / "examples" / "extension.py").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs" / "how-to").glob("*.md")):
        for language, text in blocks(page.read_text(encoding="utf-8"), "python", "toml"):
            if language == "python":
                assert text.strip() in example, f"{page.name}: {text[:60]}"
            else:
                parse_space(text, page.name)


NEEDS_A_COMPILER = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="what is exported to C is compiled"
)


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("own_csv", r"synapses +mse +latency_us\n(.*\d\n)+.*\{'[^{}]+': [\d.]+"),
        ("own_space", r"accuracy +p\.neuron +p\.neurons +p\.neighbours\n(.*(ltc|cfc).*\n)+"),
        (
            "own_training_loop",
            r"step 0: mse 0\.\d{4}\n(.*\n)*last value -?[\d.]+, predicted -?[\d.]+",
        ),
        ("compare_samplers", r"((tpe|evolution|random) +\d+\.\d ± \d+\.\d .*, 2 seeds\)\n){3}"),
        pytest.param(
            "front_and_export",
            r"error_se\n(.*\d\n)+(.*\n)*c: \d+ bytes, .*\.h\njson: \d+ bytes, .*\.json",
            marks=NEEDS_A_COMPILER,
        ),
    ],
    ids=["own_csv", "own_space", "own_training_loop", "compare_samplers", "front_and_export"],
)
def test_examples_run(
    example: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(
        "wiring_search.run.folder.write_report", lambda *given: None
    )  # the page is not what they are about
    for name, value in {**QUICK, "OUT": str(tmp_path / "out")}.items():
        monkeypatch.setenv(name, value)
    runpy.run_path(str(ROOT / "examples" / f"{example}.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert re.search(said, out), out


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    for name, value in {**QUICK, "OUT": str(tmp_path / "out"), "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(ROOT / "examples" / "first_search.ipynb", 4)
    assert not any(cell.get("outputs") for cell in notebook.cells), (
        "strip the outputs before committing"
    )
    nbclient.NotebookClient(
        notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 4


# What the tutorial's commands are given besides, to be quick: a later option counts.
HASTE = {
    "search": ["--workers", "0", "--trials", "4", "--epochs", "2", "--scores", "none"],
    "retrain": ["--workers", "0", "--seeds", "2", "--controls", "random"],
}


@NEEDS_A_COMPILER
def test_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Every Python and shell block, one after the other, in a folder of its own; half-cheetah's
    files are made up."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half_cheetah").mkdir()
    rng = np.random.default_rng(0)
    for number in range(25):
        np.save(
            tmp_path / "half_cheetah" / f"trace_{number:04d}.npy",
            rng.standard_normal((60, 17)).cumsum(axis=0) / 8,
        )
    names = {"__name__": "tutorial"}
    for language, text in blocks(
        (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"), "python", "sh"
    ):
        if language == "python":
            exec(compile(dedent(text), "tutorial.md", "exec"), names)
        for name, *arguments in command_lines(text) if language == "sh" else ():
            app([name, *on_this_front(arguments), *HASTE.get(name, [])], standalone_mode=False)
    assert "Pareto front" in capsys.readouterr().out
