"""Times of waiting in words."""

from __future__ import annotations

import pytest

from scaleplan.errors import UsageError
from scaleplan.specs.durations import in_words, seconds


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2 hours", 7200), ("1d", 86400), ("5 MIN", 300), (0.25, 0.25)],
)
def test_a_time_is_read_with_its_unit(text, length):
    assert seconds("idle", text) == length


@pytest.mark.parametrize(
    "text", ["30", "", "m", "0s", "-5m", "1e3s", "3 weeks", "1m30s", 0.0, -1.0, float("nan"), float("inf")]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="idle"):
        seconds("idle", text)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (86400, "1 day"),
        (7200, "2 hours"),
        (1800, "30 minutes"),
        (90, "90 seconds"),
        (1, "1 second"),
        (0.2, "0.2 seconds"),
    ],
)
def test_a_time_is_written_in_its_largest_unit(length, words):
    assert in_words(length) == words
