"""What was published of a run beside the estimate of it: the rows, their ratios, and a reason for every large gap."""

from __future__ import annotations

import pytest

from scaleplan.api import costs
from scaleplan.errors import UsageError
from scaleplan.specs.models import list_models
from scaleplan.specs.published_comparison import LARGE

MFU = (0.2, 0.4, 0.9)
REPORTED = [model for model in list_models() if model.run is not None]


def published(name, **conditions):
    return costs.published(name, **{"mfu": 0.4, **conditions})


def rows_of(comparison):
    return {row.quantity: row for row in comparison.rows}


def estimated(model, mfu):
    """Its comparison on what trained it, ``None`` where that or its precision is not known."""
    for precision in ("bf16", "fp16"):
        try:
            return costs.published(model.id, mfu=mfu, precision=precision)
        except UsageError:
            continue
    return None


def every_comparison():
    return [
        (model.id, mfu, found)
        for model in REPORTED
        for mfu in MFU
        if (found := estimated(model, mfu)) is not None
    ]  # fmt: skip


@pytest.fixture(scope="module")
def comparisons():
    found = every_comparison()
    assert len(found) > 3 * 60
    return found


def is_large(row):
    return row.ratio is None or not 1 / LARGE <= row.ratio <= LARGE


def test_a_gap_counts_as_large_from_25_percent():
    assert LARGE == 1.25


def test_reasons_stand_exactly_where_the_gap_is_large_or_the_two_are_not_of_one_kind(comparisons):
    for model, mfu, found in comparisons:
        for row in found.rows:
            assert bool(row.reason) == is_large(row), (model, mfu, row)


def test_a_ratio_is_the_estimate_over_what_was_published(comparisons):
    for model, _, found in comparisons:
        for row in found.rows:
            assert (row.ratio is None) == (row.estimate is None), (model, row)
            if row.ratio is not None:
                assert row.ratio == pytest.approx(row.estimate / row.published, rel=1e-14)


def test_every_published_figure_has_a_source_and_a_status(comparisons):
    for model, _, found in comparisons:
        for row in found.rows:
            assert row.source, (model, row)
            assert row.status in ("published", "derived", "estimate", "rumour", "unverified"), (model, row)


def test_no_amortised_cost_is_ever_held_against_rental(comparisons):
    amortised = 0
    for model, _, found in comparisons:
        for row in found.rows:
            if "amortised" in row.quantity:
                amortised += 1
                assert (row.estimate, row.ratio) == (None, None), model
                assert "never held against rental" in row.reason
    assert amortised > 30


def test_utilisation_that_counts_repeated_work_is_of_another_kind(comparisons):
    estimates = [comparison for _, _, comparison in comparisons if comparison.costing is not None]
    found = [row for comparison in estimates for row in comparison.rows if row.quantity == "hfu"]
    assert len(found) > 10
    for row in found:
        assert row.ratio is None
        assert "not of one kind" in row.reason


def test_gpt_4_has_its_rental_and_its_amortised_cost_as_rows_of_their_own():
    rows = rows_of(published("gpt-4"))
    rental, amortised = rows["cost_usd, rental, 2024"], rows["cost_usd, amortised, 2023"]
    assert rental.published == 78.4e6
    assert "AI Index 2024" in rental.source
    assert rental.ratio is not None
    assert round(amortised.published / 1e6) == 37
    assert amortised.ratio is None


@pytest.mark.parametrize("conditions", [{}, {"mfu": None}, {"on": "4096xtpu-v4"}])
def test_gemini_ultra_has_its_costs_too_though_nothing_of_it_can_be_estimated(conditions):
    found = published("gemini-1-ultra", **conditions)
    rows = rows_of(found)
    assert found.costing is None
    assert rows["cost_usd, rental, 2024"].published == 191.4e6
    assert round(rows["cost_usd, amortised, 2023"].published / 1e6) == 31
    assert "never held against rental" in rows["cost_usd, amortised, 2023"].reason
    for row in found.rows:
        assert (row.estimate, row.ratio) == (None, None)
        assert "amortised" in row.quantity or row.reason == "no estimate: its params were never published"


def test_tokens_that_were_never_published_may_be_given():
    alone = published("grok-3")
    assert alone.costing is None
    assert all("give --tokens" in row.reason for row in alone.rows if "amortised" not in row.quantity)
    assert published("grok-3", tokens="10T").costing.workload.tokens == 1e13


def test_the_hours_are_those_of_the_estimate():
    found = published("llama31-405b")
    by_hand = 6 * found.costing.workload.params * 15.6e12 / (0.4 * found.costing.part.peak * 3600) / 0.85
    assert rows_of(found)["gpu_hours"].published == 30.84e6
    assert rows_of(found)["gpu_hours"].estimate == pytest.approx(by_hand, rel=1e-12)


def test_headline_utilisation_is_set_beside_that_of_a_step_and_whole_run_beside_it_times_goodput():
    headline = published("llama31-405b", goodput=0.5)
    assert headline.run.mfu_scope == "headline"
    assert rows_of(headline)["mfu"].estimate == 0.4
    over = rows_of(headline)["mfu over the published hours"]
    assert over.estimate == pytest.approx(0.2)
    assert over.published == pytest.approx(6 * 405853388800 * 15.6e12 / (30.84e6 * 3600 * 9.894e14), rel=1e-3)
    whole = published("gpt-4", goodput=0.5)
    assert whole.run.mfu_scope == "whole-run"
    assert rows_of(whole)["mfu"].estimate == pytest.approx(0.2)


def test_energy_published_without_the_site_s_share_is_compared_without_it():
    for pue in (1.0, 1.5):
        found = published("llama31-405b", pue=pue)
        assert found.run.pue_included is False
        total = found.costing.bill.total
        assert rows_of(found)["energy_mwh"].estimate == pytest.approx(total.energy_mwh.value / pue)
        assert total.energy_mwh.value == pytest.approx(total.gpu_hours.value * 700 * pue / 1e6)


def test_energy_of_gpt_3_names_its_watts_and_hours():
    found = published("gpt3", precision="fp16")
    reason = rows_of(found)["energy_mwh"].reason
    assert "reckoned from 330 W an accelerator, estimated from 300" in reason
    assert "its hours were" in reason


def test_emissions_need_a_grid_and_the_reason_names_the_run_s_own():
    alone = rows_of(published("gpt3", precision="fp16"))["co2_t"]
    assert alone.estimate is None
    assert "its own was 0.429 kg/kWh" in alone.reason
    assert "--grid 0.429" in alone.reason
    given = published("gpt3", precision="fp16", grid="0.429")
    energy = given.costing.bill.total.energy_mwh.value
    assert rows_of(given)["co2_t"].estimate == pytest.approx(0.429 * energy)
    unknown = rows_of(published("llama31-405b"))["co2_t"]
    assert "its own was not published" in unknown.reason


def test_hours_that_exceed_the_estimate_name_the_share_of_the_peak():
    reason = rows_of(published("gpt3", precision="fp16", mfu=0.6))["days"].reason
    assert "of the fp16 peak over the whole run" in reason
    assert "21.3% was published for its steps" in reason


def test_a_run_faster_than_the_estimate_names_the_goodput_that_was_given():
    reason = rows_of(published("llama31-405b", mfu=0.4, goodput=0.5))["gpu_hours"].reason
    assert "or its goodput than 0.5" in reason


def test_another_accelerator_is_named_as_the_reason_and_no_utilisation_is_implied():
    found = published("llama31-405b", on="16384xb200")
    rows = rows_of(found)
    assert rows["gpu_hours"].reason == "published on H100 80GB SXM, estimated on b200"
    assert "mfu over the published hours" not in rows


def test_another_number_of_accelerators_leaves_the_days_uncompared():
    days = rows_of(published("gpt-4", on="8xa100-sxm-80"))["days"]
    assert days.ratio is None
    assert days.reason == "published for 25,000 accelerators, estimated for 8"


def test_what_trained_it_is_published_and_not_given():
    (accelerator,) = [each for each in published("llama31-405b").costing.assumptions if each.name == "accelerator"]
    assert accelerator.status == "published"
    assert accelerator.source == "what it was trained on, as published"
    (accelerator,) = [
        each
        for each in published("llama31-405b", on="16384xh100-sxm").costing.assumptions
        if each.name == "accelerator"
    ]
    assert accelerator.status == "given"


def test_a_price_that_is_not_known_leaves_rental_uncompared():
    rental = [row for row in published("gpt-4", on="8xgb300").rows if "rental" in row.quantity]
    assert rental
    for row in rental:
        assert row.ratio is None
        assert row.reason == "no price of the accelerator is known: give --price"


@pytest.mark.parametrize(
    ("name", "words"),
    [("nosuch", "unknown model 'nosuch'"), ("cerebras-gpt-13b", "nothing was published of the run of")],
)
def test_what_has_no_published_run_is_said(name, words):
    with pytest.raises(UsageError, match=words):
        published(name)
