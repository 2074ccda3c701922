"""How numbers are written for reading."""

import pytest

from scaleplan.views.table import band, count, flop, loss, ratio, share


@pytest.mark.parametrize("write", [count, flop, ratio, loss, share])
def test_what_is_absent_is_a_dash(write):
    assert write(None) == "-"


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (count, 96.014e9, "96.01B"),
        (count, 350e6, "350M"),
        (flop, 5.76e23, "5.76e23"),
        (ratio, 18.0832, "18.08"),
        (ratio, 0.3, "0.3"),
        (ratio, 9999.4, "9999"),
        (ratio, 12_345.0, "12.35K"),
        (loss, 1.95925, "1.9592"),
        (loss, 2.0, "2.0000"),
        (share, 0.25, "25.0%"),
        (share, 0.0, "0.0%"),
        (share, 1.0, "100.0%"),
    ],
)
def test_numbers(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize("value", [-1e-16, -4e-4])
def test_a_share_that_rounds_to_nothing_has_no_sign(value):
    assert share(value) == "0.0%"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.9, 2.1, "1.9000 to 2.1000"),
        (None, None, "-"),
        (1.9, None, "1.9000 or more"),
        (None, 2.1, "up to 2.1000"),
    ],
)
def test_bands(low, high, text):
    assert band(low, high, loss) == text
