import math

import pytest

from scaleplan import units
from scaleplan.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("1e24", 1e24),
        ("5.76E23", 5.76e23),
        ("+3", 3.0),
        (".5e3", 500.0),
        ("7k", 7e3),
        ("7K", 7e3),
        ("350M", 3.5e8),
        ("350m", 3.5e8),
        ("70B", 7e10),
        ("70b", 7e10),
        ("70G", 7e10),
        ("1.5T", 1.5e12),
        ("1.5t", 1.5e12),
        ("2P", 2e15),
        ("2Z", 2e21),
        ("2Y", 2e24),
        ("  70 B  ", 7e10),
        ("1_000_000", 1e6),
        ("2.5e3M", 2.5e9),
    ],
)
def test_a_number_may_carry_any_power_of_a_thousand(text, value):
    assert units.parse(text, "flop") == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("suffix", ["", "K", "M", "B", "G", "T", "P", "Z", "Y"])
@pytest.mark.parametrize("quantity", ["flop", "params", "tokens", "loss"])
def test_every_suffix_serves_every_quantity(suffix, quantity):
    power = {"": 0, "K": 3, "M": 6, "B": 9, "G": 9, "T": 12, "P": 15, "Z": 21, "Y": 24}[suffix]
    assert units.parse(f"1.25{suffix}", quantity) == pytest.approx(1.25 * 10.0**power, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("1e24 FLOP", "flop", 1e24),
        ("1e24 flops", "flop", 1e24),
        ("2.5 ZFLOP", "flop", 2.5e21),
        ("3 EFLOPs", "flop", 3e18),
        ("70B params", "params", 7e10),
        ("70B parameters", "params", 7e10),
        ("1.4T tokens", "tokens", 1.4e12),
        ("2.1 nats", "loss", 2.1),
        ("2.1 nats/token", "loss", 2.1),
    ],
)
def test_the_unit_word_of_the_quantity_may_follow(text, quantity, value):
    assert units.parse(text, quantity) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("7e10 params", "params", 7e10),
        ("70000000000 parameters", "params", 7e10),
        ("1.4e12 tokens", "tokens", 1.4e12),
        ("300 tokens", "tokens", 300.0),
    ],
)
def test_a_unit_word_that_begins_like_a_suffix_is_still_a_unit_word(text, quantity, value):
    assert units.parse(text, quantity) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    ["1 PF-day", "1 PF-days", "1PFday", "1 pf-days", "1 PF days", "1 PFLOP-days", "1 PFLOPs-day", "1PFd", "1 PF/day"],
)
def test_a_petaflop_day_is_86400_seconds_of_1e15(text):
    assert units.parse(text, "flop") == 1e15 * 86_400


def test_petaflop_days_scale():
    assert units.parse("3640 PF-days", "flop") == pytest.approx(3.14e23, rel=0.005)  # GPT-3 paper, table D.1


@pytest.mark.parametrize("quantity", ["params", "tokens", "loss"])
def test_petaflop_days_are_no_unit_of_anything_but_compute(quantity):
    with pytest.raises(UsageError, match="10 PF-days"):
        units.parse("10 PF-days", quantity)


@pytest.mark.parametrize("value", [7, 7.5, 1e24])
def test_numbers_pass_through(value):
    assert units.parse(value, "flop") == value
    assert isinstance(units.parse(value, "flop"), float)


@pytest.mark.parametrize(
    ("text", "quantity", "words"),
    [
        ("", "flop", ["not a number", "''", "write 1e24"]),
        ("abc", "params", ["not a number", "'abc'", "70B"]),
        ("1e24 bananas", "flop", ["not a number of flops", "'1e24 bananas'"]),
        ("70B tokens", "params", ["not a number of parameters", "'70B tokens'"]),
        ("1,000,000", "params", ["not a number", "'1,000,000'", "without thousands separators"]),
        ("1e", "tokens", ["ends before its exponent"]),
        ("--3", "flop", ["not a number"]),
        ("1 2", "flop", ["not a number"]),
        ("0", "flop", ["must be > 0", "(got 0)"]),
        ("-1e24", "flop", ["must be > 0", "(got -1e24)"]),
        ("-70B", "params", ["must be > 0", "(got -70B)"]),
        ("nan", "flop", ["must be a finite number", "(got nan)"]),
        ("NaN", "loss", ["must be a finite number"]),
        ("inf", "flop", ["must be a finite number", "(got inf)"]),
        ("-infinity", "flop", ["must be a finite number"]),
        (".inf", "flop", ["must be a finite number"]),
        (".nan", "flop", ["must be a finite number"]),
        ("1e400", "flop", ["must be a finite number", "(got 1e400)"]),
        ("1e300Y", "flop", ["must be a finite number"]),
        ("0.5", "params", ["must be at least 1", "(got 0.5)"]),
        ("0.99", "tokens", ["must be at least 1", "(got 0.99)"]),
        (math.nan, "flop", ["must be a finite number"]),
        (math.inf, "loss", ["must be a finite number"]),
        (-1.0, "loss", ["must be > 0"]),
        (0, "tokens", ["must be > 0"]),
    ],
)
def test_what_is_no_number_in_range_is_refused_with_what_was_given(text, quantity, words):
    with pytest.raises(UsageError) as caught:
        units.parse(text, quantity)
    for word in words:
        assert word in caught.value.message


def test_losses_and_compute_may_lie_below_one():
    assert units.parse("0.5", "loss") == 0.5
    assert units.parse("0.5", "flop") == 0.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (96.0e9, "96B"),
        (96.014e9, "96.01B"),
        (1.7361e12, "1.736T"),
        (3.5e8, "350M"),
        (1000, "1K"),
        (999, "999"),
        (999.94, "999.9"),
        (999.96, "1K"),
        (999_940, "999.9K"),
        (999_960, "1M"),
        (999.96e6, "1B"),
        (999.96e9, "1T"),
        (18.0832, "18.08"),
        (1, "1"),
        (9.999e15, "9999T"),
        (9.9996e15, "1e16"),
        (1e16, "1e16"),
        (2.5e17, "2.5e17"),
    ],
)
def test_counts_are_written_with_four_digits_and_a_suffix(value, text):
    assert units.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e24, "1e24"),
        (5.76e23, "5.76e23"),
        (1.2344e100, "1.234e100"),
        (9.9996e23, "1e24"),
        (1.0004e20, "1e20"),
        (1.5, "1.5e0"),
        (0.25, "2.5e-1"),
        (1e-10, "1e-10"),
    ],
)
def test_flops_are_written_with_four_digits_and_an_exponent(value, text):
    assert units.flop(value) == text


@pytest.mark.parametrize("value", [1.0, 12.5, 4.68e9, 7e10, 1.4e12, 9.87e14, 3.3e16, 5e20])
def test_what_count_writes_parse_reads(value):
    assert units.parse(units.count(value), "tokens") == pytest.approx(value, rel=5e-4)


@pytest.mark.parametrize("value", [1.0, 5.76e23, 1e24, 1.234e26, 7.77e-3])
def test_what_flop_writes_parse_reads(value):
    assert units.parse(units.flop(value), "flop") == pytest.approx(value, rel=5e-4)


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("$5M", "usd", 5e6),
        (" $ 2.5 ", "usd", 2.5),
        ("5M usd", "usd", 5e6),
        ("5M USD", "usd", 5e6),
        ("5M dollars", "usd", 5e6),
        ("5M$", "usd", 5e6),
        ("3M", "gpu_hours", 3e6),
        ("3M gpu-hours", "gpu_hours", 3e6),
        ("3M GPU hours", "gpu_hours", 3e6),
        ("20k h", "gpu_hours", 2e4),
        ("12 hours", "gpu_hours", 12.0),
    ],
)
def test_money_and_accelerator_hours(text, quantity, value):
    assert units.parse(text, quantity) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "quantity", "words"),
    [
        ("$", "usd", "write $5M"),
        ("$$5", "usd", "not a number"),
        ("$0", "usd", "must be > 0"),
        ("$-5", "usd", "must be > 0"),
        ("\u20ac5M", "usd", "not a number"),
        ("5M eur", "usd", "not a number of dollars"),
        ("$5M", "flop", "not a number"),
        ("$3M", "gpu_hours", "not a number"),
        ("60d", "gpu_hours", "not a number of gpu-hours"),
    ],
)
def test_what_is_no_money_and_no_hours(text, quantity, words):
    with pytest.raises(UsageError) as caught:
        units.parse(text, quantity)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("60", 60.0),
        ("60d", 60.0),
        ("60 D", 60.0),
        ("60 days", 60.0),
        ("1 day", 1.0),
        ("8w", 56.0),
        ("8 weeks", 56.0),
        ("1 Week", 7.0),
        ("36h", 1.5),
        ("36 hours", 1.5),
        ("1 hour", 1 / 24),
        ("0.5d", 0.5),
        ("1e2", 100.0),
        ("1e2d", 100.0),
        (" 6e1 ", 60.0),
        (60, 60.0),
        (0.25, 0.25),
    ],
)
def test_a_time_is_days_or_says_its_unit(text, value):
    assert units.days(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2 months", "months and minutes are not read: '2 months'; write 60d or 8 weeks"),
        ("2mo", "months and minutes are not read"),
        ("2M", "months and minutes are not read"),
        ("90 min", "months and minutes are not read"),
        ("90 minutes", "months and minutes are not read"),
        ("1 year", "not a time: '1 year'; write 60d or 8 weeks"),
        ("3M hours", "not a time: '3M hours'"),
        ("60 s", "not a time"),
        ("soon", "not a time: 'soon'"),
        ("", "not a time: ''"),
        ("d", "not a time"),
        ("0", "must be a finite time > 0 (got 0)"),
        ("0d", "must be a finite time > 0 (got 0d)"),
        ("-3 weeks", "must be a finite time > 0 (got -3 weeks)"),
        ("nan", "must be a finite time > 0 (got nan)"),
        ("inf", "must be a finite time > 0"),
        ("1e400", "must be a finite time > 0"),
        (math.nan, "must be a finite time > 0"),
        (0, "must be a finite time > 0 (got 0)"),
        (-1e30, "must be a finite time > 0 (got -1e30)"),
    ],
)
def test_what_is_no_time_is_refused(text, words):
    with pytest.raises(UsageError) as caught:
        units.days(text)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [("1%", 0.01), (" 1 % ", 0.01), ("0.01", 0.01), (0.01, 0.01), ("0", 0.0), ("0%", 0.0), ("1e-3", 1e-3)],
)
def test_a_share_is_a_fraction_or_a_percentage(text, value):
    assert units.share(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["1", "100%", "-1%", "-0.1", "nan", "nan%", "%", "", "abc", "1%%", 1, 2.5, math.nan])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match=r"must be a share from 0 to below 1, such as 1% or 0\.01 \(got "):
        units.share(text)
