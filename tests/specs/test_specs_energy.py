"""Grids, fleets and water: by name or as a number, each with its source."""

from __future__ import annotations

import pytest

from scaleplan import UsageError
from scaleplan.specs.energy import factors, grid, pue, water
from scaleplan.specs.values import STATUSES


@pytest.mark.parametrize(
    ("name", "value"), [("usa", 0.3695), ("USA", 0.3695), (" fra ", 0.056), ("France", 0.056), ("south korea", 0.4306)]
)
def test_a_grid_is_found_by_country_or_code(name, value):
    found = grid(name)
    assert (found.value, found.unit, found.year, found.status) == (value, "kg/kWh", 2023, "published")
    assert "Our World in Data" in found.source


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("google", 1.1, "published"), ("Meta", 1.08, "published"), ("aws", 1.15, "published"),
     ("microsoft", 1.18, "published"), ("uptime", 1.58, "published"), ("uptime-2025", 1.54, "unverified"),
     ("jean-zay", 1.2, "published")],
)  # fmt: skip
def test_a_fleet_has_its_overhead(name, value, status):
    found = pue(name)
    assert (found.value, found.unit, found.status) == (value, "1", status)


@pytest.mark.parametrize(
    ("read", "text", "value"), [(grid, "0.37", 0.37), (grid, 0, 0.0), (pue, "1", 1.0), (water, 1.8, 1.8)]
)
def test_a_number_is_taken_as_given(read, text, value):
    found = read(text)
    assert (found.value, found.status, found.source) == (value, "given", "given")
    assert found.id is found.name is found.year is None


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (grid, "us", r"unknown grid 'us'\. Did you mean usa\? There are chn, .*, usa, or write fra or 0\.37"),
        (grid, "Frence", "Did you mean France"),
        (grid, "", "unknown grid ''"),
        (grid, "-0.1", r"grid must be at least 0 \(got -0\.1\): write fra or 0\.37"),
        (grid, "nan", "grid must be at least 0"),
        (grid, "inf", "grid must be at least 0"),
        (pue, "gogle", "unknown pue 'gogle'. Did you mean google"),
        (pue, "0.9", r"pue must be at least 1 \(got 0\.9\): write google or 1\.1"),
        (water, "france", "water: 'france' is not a number, and no published one is known: write 1.8, in litres a kWh"),
        (water, "-1", "water must be at least 0"),
    ],
)
def test_what_is_unknown_or_impossible_is_one_clear_line(read, text, said):
    with pytest.raises(UsageError, match=said) as caught:
        read(text)
    assert "\n" not in caught.value.message


def test_every_entry_has_a_unit_a_status_a_year_and_a_source():
    assert (len(factors("grids")), len(factors("pue")), len(factors("water"))) == (10, 10, 0)
    for kind in ("grids", "pue"):
        for key, factor in factors(kind).items():
            assert factor.id == key
            assert factor.unit == {"grids": "kg/kWh", "pue": "1"}[kind]
            assert factor.status in STATUSES
            assert 2020 <= factor.year <= 2026
            assert len(factor.source) > 10
            assert (factor.status == "unverified") == ("not checked" in factor.source)
            assert (0 < factor.value < 1) if kind == "grids" else (1 <= factor.value < 2)
