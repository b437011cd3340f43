"""Durations in words: two units at most."""

import math

import pytest

from wiring_search.search.durations import in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.26, "0.3 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (599.7, "10 min"),
        (2700, "45 min"),
        (3599, "1 h"),
        (7800, "2 h 10 min"),
        (85_000, "1 d"),
        (273_600, "3 d 4 h"),
        (86_400 * 12.2, "12 d"),
        (math.inf, "no end"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
