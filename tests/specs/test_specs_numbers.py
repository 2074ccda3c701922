"""Whole numbers as callers write them."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.specs.numbers import whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4", 4),
        (" 4 ", 4),
        ("-3", -3),
        (7, 7),
        (7.0, 7),
        ("1e6", 1_000_000),
        ("4.0", 4),
        (np.int64(5), 5),
        (np.float32(5), 5),
        ("9007199254740993", 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_whole_numbers_are_read_to_their_last_digit(value, expected):
    found = whole("draws", value)
    assert (found, type(found)) == (expected, int)


@pytest.mark.parametrize("value", ["many", "1.5", 1.5, "", "nan", float("nan"), None, [1], "1e-3", "0x10"])
def test_what_is_no_whole_number_is_said(value):
    with pytest.raises(UsageError, match=r"^draws must be a whole number \(got "):
        whole("draws", value)


@pytest.mark.parametrize("value", [2**63, "1e300", 1e19, "inf", "9" * 29, "9" * 5000, -(10**400)])
def test_one_that_is_too_large_is_told_so(value):
    with pytest.raises(UsageError, match=r"^seed must be a whole number between -2\^63 and 2\^63 \(got ") as caught:
        whole("seed", value)
    assert len(caught.value.message) < 200


def test_one_that_python_does_not_write_out_is_told_by_its_length():
    with pytest.raises(UsageError, match=r"\(got one of 16,610 bits\)"):
        whole("seed", 10**5000)
