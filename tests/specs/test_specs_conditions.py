"""Words about where a run runs: what they are read as, what is refused, and where every number comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scaleplan.compute.bill import Extra, Span, exactly
from scaleplan.errors import UsageError
from scaleplan.specs.accelerators import list_accelerators, load_accelerator
from scaleplan.specs.conditions import (
    GOODPUT,
    PUE,
    READERS,
    Conditions,
    check_budget,
    extra,
    given,
    rates_of,
    read_conditions,
    resource_words,
)
from scaleplan.specs.machines import DEFAULT_ACCELERATOR, machine_of

H100 = load_accelerator("h100-sxm")


def refused(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    return caught.value.message


def assumption(listed, name):
    (found,) = [each for each in listed if each.name == name]
    return found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2048xh100-sxm for 60d", {"on": "2048xh100-sxm", "days": "60d"}),
        ("  2048xh100-sxm  for  8 weeks ", {"on": "2048xh100-sxm", "days": "8 weeks"}),
        ("2048 x h100-sxm for 60 days", {"on": "2048 x h100-sxm", "days": "60 days"}),
        ("8xh100-sxm for 36h", {"on": "8xh100-sxm", "days": "36h"}),
        ("60d on 2048xh100-sxm", {"on": "2048xh100-sxm", "days": "60d"}),
        ("h100-sxm for 3M gpu-hours", {"on": "h100-sxm", "gpu_hours": "3M gpu-hours"}),
        ("3M gpu-hours on h100-sxm", {"on": "h100-sxm", "gpu_hours": "3M gpu-hours"}),
        ("3M GPU hours on h100-sxm", {"on": "h100-sxm", "gpu_hours": "3M GPU hours"}),
        ("1 gpu-hour on h100-sxm", {"on": "h100-sxm", "gpu_hours": "1 gpu-hour"}),
        ("$5M", {"usd": "$5M"}),
        ("$5M on h100-sxm", {"usd": "$5M", "on": "h100-sxm"}),
    ],
)
def test_a_budget_may_be_written_in_words(text, words):
    assert resource_words(text) == words


@pytest.mark.parametrize(
    "text", ["1e24", "10 PF-days", "2.5 ZFLOP", "2048xh100-sxm", "", "1e24 on h100-sxm", "for 60d"]
)
def test_other_words_are_no_cluster_and_no_money(text):
    assert resource_words(text) is None


def test_every_word_is_read():
    found = read_conditions({
        "on": " 8xh100-sxm ", "days": "2 weeks", "gpu_hours": "3M", "usd": "$5M", "precision": "FP8", "mfu": "40%",
        "goodput": 0.9, "price": "$2.5", "watts": "700", "pue": 1.1, "grid": 0.37, "water": "1.8", "network": 400,
        "batch": "4M", "context": "8192", "evaluation": "2%", "pilots": "20k gpu-hours",
        "calibrate": "steps.csv", "cluster": "ours",
    })  # fmt: skip
    assert found == Conditions(
        on="8xh100-sxm", days=14.0, gpu_hours=3e6, usd=5e6, precision="fp8", mfu=0.4, goodput=0.9, price=2.5,
        watts=700.0, pue="1.1", grid="0.37", water=1.8, network=400.0, batch=4e6, context=8192.0,
        evaluation=Extra(share=0.02), pilots=Extra(gpu_hours=2e4), calibrate="steps.csv", cluster="ours",
    )  # fmt: skip
    assert set(given(found)) == set(READERS)


def test_what_was_not_given_stays_so():
    assert read_conditions(dict.fromkeys(READERS)) == Conditions()
    assert given(Conditions()) == {"precision": "bf16"}


@pytest.mark.parametrize("number", [np.float64(60), np.int64(60), 60, 60.0])
def test_numbers_of_any_kind_are_numbers(number):
    assert read_conditions({"days": number}).days == 60.0
    assert read_conditions({"usd": number}).usd == 60.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"days": 0}, "days: must be a finite time > 0 (got 0)"),
        ({"days": "-3d"}, "days: must be a finite time > 0 (got -3d)"),
        ({"days": "2 months"}, "days: months and minutes are not read: '2 months'"),
        ({"gpu_hours": "-1"}, "gpu-hours: must be > 0 (got -1)"),
        ({"usd": "$0"}, "usd: must be > 0 (got 0)"),
        ({"usd": "5,000,000"}, "without thousands separators"),
        ({"mfu": 0}, "a share above 0 and at most 1, such as 0.4 or 40% (got 0)"),
        ({"mfu": "1.5"}, "(got 1.5)"),
        ({"mfu": "150%"}, "(got 150%)"),
        ({"mfu": 40}, "such as 0.4 or 40% (got 40)"),
        ({"mfu": "nan"}, "(got nan)"),
        ({"goodput": -0.5}, "goodput: must be a share above 0 and at most 1, such as 0.4 or 40% (got -0.5)"),
        ({"goodput": "0%"}, "(got 0%)"),
        (
            {"evaluation": 300},
            "evaluation: must be a share such as 2% or accelerator-hours such as 20k gpu-hours (got 300)",
        ),
        ({"price": 0}, "price: must be > 0 (got 0)"),
        ({"price": "free"}, "price: not a number"),
        ({"watts": "1kW"}, "watts: must be a power in W above zero, such as 700 (got 1kW)"),
        ({"watts": float("inf")}, "watts: must be a power in W"),
        ({"water": -1}, "water: water must be at least 0 (got -1)"),
        ({"network": 0}, "network: must be Gbit/s an accelerator above zero, such as 400 (got 0)"),
        ({"batch": "0"}, "batch: must be > 0 (got 0)"),
        ({"context": 0.5}, "context: must be at least 1 (got 0.5)"),
        ({"on": "  "}, "on: is empty"),
        ({"precision": ""}, "precision: is empty"),
        ({"evaluation": "200%"}, "evaluation: must be a share from 0 to below 1"),
        ({"pilots": "-2"}, "pilots: must be a share from 0 to below 1"),
        ({"pilots": "x"}, "pilots: must be a share such as 2% or accelerator-hours such as 20k gpu-hours (got x)"),
        ({"usd": [1e6, 2e6]}, "usd: must be one number or text"),
        ({"usd": np.array([1e6, 2e6])}, "usd: must be one number or text"),
        ({"mfu": True}, "mfu: must be one number or text"),
        ({"goodputt": 0.9}, "unknown word 'goodputt'. Did you mean goodput?"),
    ],
)
def test_what_cannot_be_read_is_named(words, said):
    assert said in refused(read_conditions, words)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("2%", Extra(share=0.02)),
        (0.02, Extra(share=0.02)),
        ("0", Extra()),
        ("0%", Extra()),
        ("20k gpu-hours", Extra(gpu_hours=2e4)),
        ("300 h", Extra(gpu_hours=300.0)),
    ],
)
def test_work_beside_the_run_is_a_share_or_hours(word, found):
    assert extra(word) == found


def test_hours_and_time_need_an_accelerator_and_money_does_not():
    assert "on h100-sxm" in refused(check_budget, Conditions(gpu_hours=1e6))
    assert "on 2048xh100-sxm" in refused(check_budget, Conditions(days=60.0))
    check_budget(Conditions(usd=5e6))
    check_budget(Conditions(usd=5e6, days=60.0))
    check_budget(Conditions(gpu_hours=1e6, on="h100-sxm"))


def test_defaults_say_that_they_are_our_choice_and_why():
    rates, listed = rates_of(Conditions(), H100)
    assert (rates.goodput, rates.pue) == (GOODPUT, PUE) == (0.85, 1.12)
    for name in ("goodput", "pue"):
        found = assumption(listed, name)
        assert found.status == "our choice"
        assert found.source.startswith("our choice")
        assert len(found.source) > 60
    assert rates.kg_per_kwh is None
    assert rates.litres_per_kwh is None


def test_a_published_price_is_taken_in_the_middle_and_its_ends_are_kept():
    rates, listed = rates_of(Conditions(), H100)
    assert rates.price == Span(H100.price.low, (H100.price.low + H100.price.high) / 2, H100.price.high)
    found = assumption(listed, "price")
    assert found.value == rates.price.value
    assert found.status == "our choice"
    for word in ("middle (our choice) of", "indicative", f"of {H100.price.date}", "never a quote", H100.price.source):
        assert word in found.source


def test_a_price_that_was_given_has_no_doubt():
    rates, listed = rates_of(Conditions(price=2.5), H100)
    assert rates.price == exactly(2.5)
    assert assumption(listed, "price").status == "given"


PRICELESS = [each for each in list_accelerators() if each.price is None]


@pytest.mark.parametrize("accelerator", PRICELESS, ids=lambda each: each.id)
def test_a_price_that_is_not_known_is_never_invented(accelerator):
    rates, listed = rates_of(Conditions(), accelerator)
    assert rates.price is None
    found = assumption(listed, "price")
    assert (found.value, found.status) == (None, "unknown")
    assert "--price" in found.source


def test_there_are_accelerators_without_a_price():
    assert "gb300" in [each.id for each in PRICELESS]


def test_power_is_the_published_one_or_that_given_or_unknown():
    rates, listed = rates_of(Conditions(), H100)
    assert rates.watts == H100.number("tdp") == 700
    assert assumption(listed, "watts").status == "published"
    assert rates_of(Conditions(watts=1000.0), H100)[0].watts == 1000.0
    dark = replace(H100, values={name: value for name, value in H100.values.items() if name != "tdp"})
    rates, listed = rates_of(Conditions(), dark)
    assert rates.watts is None
    assert assumption(listed, "watts").status == "unknown"
    assert "--watts" in assumption(listed, "watts").source


@pytest.mark.parametrize("accelerator", list_accelerators(), ids=lambda each: each.id)
def test_every_assumption_of_every_accelerator_has_a_source(accelerator):
    _, listed = rates_of(Conditions(grid="usa", pue="google", water=1.8, pilots=Extra(share=0.01)), accelerator)
    assert [each.name for each in listed] == ["goodput", "price", "watts", "pue", "grid", "water", "pilots"]
    for each in listed:
        assert each.source.strip()
        assert each.status.strip()
        assert (each.value is None) == (each.status == "unknown")


def test_grids_and_fleets_go_by_name_or_number():
    rates, listed = rates_of(Conditions(grid="usa", pue="google"), H100)
    assert rates.kg_per_kwh == assumption(listed, "grid").value
    assert rates.pue == assumption(listed, "pue").value
    assert assumption(listed, "grid").status != "given"
    rates, listed = rates_of(Conditions(grid="0.37", pue="1.1"), H100)
    assert (rates.kg_per_kwh, rates.pue) == (0.37, 1.1)
    assert (assumption(listed, "grid").status, assumption(listed, "pue").status) == ("given", "given")


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (Conditions(grid="us"), "unknown grid 'us'. Did you mean usa?"),
        (Conditions(grid="-0.1"), "grid must be at least 0 (got -0.1)"),
        (Conditions(pue="goggle"), "unknown pue 'goggle'. Did you mean google"),
        (Conditions(pue="0.9"), "pue must be at least 1 (got 0.9)"),
    ],
)
def test_unknown_grids_and_fleets_name_the_nearest(conditions, said):
    assert said in refused(rates_of, conditions, H100)


def test_the_peak_of_a_machine_is_the_dense_one():
    """The data sheet's headlines for the H100, 1979 (bf16) and 3958 (fp8) TFLOP/s, are with sparsity."""
    for precision, dense in (("bf16", 9.89e14), ("fp8", 1.979e15)):
        machine = machine_of(Conditions(on="h100-sxm", precision=precision))
        assert machine.part.peak == pytest.approx(dense, rel=1e-3)
        assert assumption(machine.assumptions, f"peak {precision}").unit == "FLOP/s, dense"


def test_a_machine_has_the_number_the_node_and_the_sources():
    machine = machine_of(Conditions(on="2048xh100-sxm", days=60.0))
    assert (machine.accelerators, machine.part.id, machine.part.node) == (2048, "h100-sxm", 8)
    assert machine.budget_hours == 2048 * 24 * 60
    assert machine.deadline_days is None
    assert all(each.source for each in machine.assumptions)
    assert machine.warnings == ()
    assert machine_of(Conditions(on="gb300")).part.node == 72


def test_money_alone_takes_the_default_accelerator_and_says_so():
    machine = machine_of(Conditions(usd=3.495e6))
    assert machine.accelerator.id == DEFAULT_ACCELERATOR
    assert machine.budget_hours == pytest.approx(3.495e6 / machine.rates.price.value)
    assert [notice.code for notice in machine.warnings] == ["assumed_accelerator"]
    assert assumption(machine.assumptions, "accelerator").status == "our choice"


def test_days_beside_another_budget_or_without_a_number_are_the_deadline():
    assert machine_of(Conditions(on="h100-sxm", usd=5e6, days=60.0)).deadline_days == 60
    assert machine_of(Conditions(on="64xh100-sxm", usd=5e6, days=60.0)).deadline_days == 60
    assert machine_of(Conditions(on="h100-sxm", gpu_hours=5e6, days=60.0)).deadline_days == 60
    assert machine_of(Conditions(on="h100-sxm", days=60.0)).deadline_days == 60


def test_a_budget_that_says_too_little_names_what_is_missing():
    gb300 = machine_of(Conditions(on="gb300", usd=5e6))
    assert "no price of gb300 is known" in refused(lambda: gb300.budget_hours)
    assert "--price" in refused(lambda: gb300.budget_hours)
    uncounted = machine_of(Conditions(on="h100-sxm", days=60.0))
    assert refused(lambda: uncounted.budget_hours) == "60 days of how many h100-sxm? Write --on 512xh100-sxm"


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (Conditions(on="v100-sxm2-16"), "v100-sxm2-16 has no bf16; it has fp32, fp16: add --precision fp16"),
        (Conditions(on="a100-sxm-80", precision="fp8"), "a100-sxm-80 has no fp8"),
        (Conditions(on="h100-sxm", precision="fp7"), "unknown precision 'fp7'. Did you mean fp8"),
        (Conditions(on="h100-smx"), "unknown accelerator 'h100-smx'. Did you mean h100-sxm"),
        (Conditions(on="0xh100-sxm"), "a whole number from 1 to 999,999,999 (got 0)"),
        (Conditions(on="-3xh100-sxm"), "(got -3)"),
        (Conditions(on="2.5xh100-sxm"), "(got 2.5)"),
        (Conditions(on="xh100-sxm"), "no number before the x"),
        (Conditions(on="512x"), "names no accelerator after the x"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(conditions, said):
    assert said in refused(machine_of, conditions)
