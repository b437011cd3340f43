"""The package as a whole: its hooks run offline, its pages say at which commit their figures were
measured."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "reference" not in page.parts)
MEASURED = re.compile(
    r"^\*Figures measured at version \d+\.\d+\.\d+, commit ([0-9a-f]{7,})\.\*$", re.MULTILINE
)
FIGURE = re.compile(r"\d ?(?:ms|µs|s|min|MB|KB|GB)\b(?! of )")


def test_hooks_of_pre_commit_are_local() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"- repo: (\S+)", text)) == {"local"}


def test_version_is_the_same_everywhere() -> None:
    from wiring_search import __version__

    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_with_figures_say_where_they_were_measured(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert MEASURED.search(text) or not FIGURE.search(text), FIGURE.findall(text)


def test_commits_of_figures_exist() -> None:
    git = ["git", "-C", str(ROOT)]
    whole = subprocess.run(
        [*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True
    ).stdout
    if whole.strip() != "false":
        pytest.skip("no repository here, or not all of its history")
    commits = {
        match[1] for page in PAGES for match in MEASURED.finditer(page.read_text(encoding="utf-8"))
    }
    unknown = [
        commit
        for commit in commits
        if subprocess.run([*git, "merge-base", "--is-ancestor", commit, "HEAD"]).returncode
    ]
    assert not unknown


def test_architecture_page_counts_as_the_imports_do() -> None:
    rooms = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
    graph = rooms["graph_of"](ROOT)
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert rooms["circles_of"](graph) == []
    assert rooms["summary"](graph) in page, "run python docs/rooms.py and correct the page"
