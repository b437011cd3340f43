"""A store is in the folder that is named, whatever the name."""

from pathlib import Path

import pytest

from tests.store.test_store import RUNNING
from tests.support.studies import config, store
from wiring_search.store import FILE, Store

# What a folder may be called; in a URL, most of these would mean something else.
NAMES = [
    "lr 0.1",
    "lr%200.1",
    "a?b",
    "a?mode=memory",
    "a#b",
    "100%",
    "it's",
    'a"b',
    "größe",
    "実験",
    "-out",
    ":memory:",
    "a&b;c",
    "a\\b",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_store_is_in_its_folder_whatever_the_name(tmp_path: Path, name: str) -> None:
    for number, other in enumerate(NAMES):
        if other != name:
            store(tmp_path / other, seed=number).close()
    mine = store(tmp_path / name, seed=99)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    mine.close()
    assert (tmp_path / name / FILE).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    again = Store.open(tmp_path / name)
    assert again.config.seed == 99
    assert again.trials() == [RUNNING]


def test_a_relative_folder_is_kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store(Path("-out%20a")).close()
    assert (tmp_path / "-out%20a" / FILE).is_file()
    assert Store.open(Path("-out%20a")).config == config()
