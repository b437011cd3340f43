"""The modules of the pages: linked in order, and drawn section by section."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import found_in
from tests.support.studies import store
from wiring_search.report import report_data, report_page, scripts
from wiring_search.report.scripts import linked, namespace

WEB = Path(str(scripts.WEB))
MODULES = sorted(path.name for path in WEB.glob("*.js"))


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules to write to."""
    monkeypatch.setattr(scripts, "WEB", tmp_path)
    scripts._source.cache_clear()
    yield tmp_path
    scripts._source.cache_clear()


def _objects(texts: list[str]) -> list[str]:
    return [re.search(r"^const (\w+) = ", text, re.MULTILINE)[1] for text in texts]


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_imports_comes_before_it_and_once(name: str) -> None:
    found = linked(name, set())
    names = _objects(found)
    assert len(set(names)) == len(names)
    for at, text in enumerate(found):
        used = set(re.findall(r"^const \{[^}]*\} = (\w+);$", text, re.MULTILINE))
        assert used <= set(names[:at])
    assert names[-1] == namespace(name)


def test_a_module_that_the_page_has_is_not_put_in_again() -> None:
    present: set[str] = set()
    first = _objects(linked("front.js", present))
    assert set(_objects(linked("detail.js", present))).isdisjoint(first)


def test_every_module_stands_in_a_page() -> None:
    present: set[str] = set()
    for page in WEB.glob("*.html"):
        for name in re.findall(r'src="(\w+\.js)"', page.read_text(encoding="utf-8")):
            linked(name, present)
    assert present == set(MODULES)


@pytest.mark.parametrize(
    "line",
    [
        'import one from "./one.js";',
        'import "./one.js";',
        'import * as Other from "./two.js";\nexport default 3;',
        "export const x = 1;",
        'import {one} from "https://example.org/one.js";',
    ],
)
def test_another_form_of_import_or_export_is_refused(line: str, web: Path) -> None:
    (web / "one.js").write_text(line + "\n", encoding="utf-8")
    (web / "two.js").write_text("const x = 1;\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"one\.js: '.*' cannot be put into a page"):
        linked("one.js", set())


@pytest.mark.slow
def test_in_a_browser_a_section_that_fails_leaves_the_others(tmp_path: Path) -> None:
    script = """
  const drawn = [], heard = [];
  addEventListener("error", event => { heard.push(event.error.message); event.preventDefault(); });
  Sections.addSection(() => { throw new Error("broken"); });
  Sections.addSection(() => drawn.push("after"));
  Sections.drawSections();
  return {drawn, heard};"""
    page = report_page(report_data(store(tmp_path / "empty")))
    assert found_in(page, tmp_path, script) == {"drawn": ["after"], "heard": ["broken"]}
