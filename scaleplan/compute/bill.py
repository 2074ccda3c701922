"""What a run takes: accelerator-hours, days, money, energy, emissions, water; every part of it a line of the bill.

A run of D tokens at r tokens a second an accelerator trains for D / (3600 r) accelerator-hours, with

    r = mfu peak / (6 N)                          where the utilisation is given, N the parameters a token passes
    r = tokens a step / (accelerators t_step)     where ``step_time`` estimates t_step

and of every hour that is paid only the share ``goodput`` moves the run on: T / goodput is paid for T. Evaluation and
pilot runs are shares of that or hours of their own:

    H = T / goodput (1 + evaluation + pilots) + hours given,
    money = H price,   energy = H watts PUE,   emissions = energy intensity,   water = energy intensity

(Patterson et al. 2021, arXiv 2104.10350, sec. 2, for energy and emissions; the rest is arithmetic). The inverse, from
hours to the training that they pay for, is exact.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.errors import InfeasibleError

SECONDS_PER_HOUR = 3600.0
HOURS_PER_DAY = 24.0


class Span(NamedTuple):
    """A value between its ends; all three alike where nothing is in doubt."""

    low: float
    value: float
    high: float

    def times(self, factor: float) -> Span:
        """Each end times a factor."""
        return Span(self.low * factor, self.value * factor, self.high * factor)

    def by(self, other: Span) -> Span:
        """The product, low ends with low ends: both in doubt at once."""
        return Span(self.low * other.low, self.value * other.value, self.high * other.high)

    def plus(self, other: Span) -> Span:
        """The sum, low ends with low ends."""
        return Span(self.low + other.low, self.value + other.value, self.high + other.high)


def value_of(span: Span | None) -> float | None:
    """The value between the ends, ``None`` where nothing is known."""
    return None if span is None else span.value


def exactly(value: float) -> Span:
    """A value without doubt."""
    return Span(value, value, value)


class Assumption(NamedTuple):
    """One input of a bill: what was taken, whether it was given, estimated, or a default, and where it comes from."""

    name: str
    value: float | str | None
    unit: str
    status: str
    source: str


class Extra(NamedTuple):
    """Work beside the main run: a ``share`` of its hours as paid, and accelerator-hours of its own."""

    share: float = 0.0
    gpu_hours: float = 0.0


class Rates(NamedTuple):
    """What an accelerator-hour is worth and costs.

    ``goodput`` is the share of paid hours that moves the run on; ``price`` [USD an accelerator-hour]; ``watts`` [W] an
    accelerator draws on average, ``pue`` the power of the site over that of its machines; ``kg_per_kwh`` [kg CO2e] and
    ``litres_per_kwh`` of the site's energy. ``None`` where it is not known, and then so is what it would give.
    """

    goodput: float
    price: Span | None
    watts: float | None
    pue: float
    kg_per_kwh: float | None = None
    litres_per_kwh: float | None = None
    evaluation: Extra = Extra()
    pilots: Extra = Extra()


class Line(NamedTuple):
    """One line of a bill, what is not known ``None``; energy [MWh], emissions [t CO2e], water [m^3]."""

    name: str
    gpu_hours: Span
    cost_usd: Span | None
    energy_mwh: Span | None
    co2_t: Span | None
    water_m3: Span | None


class Bill(NamedTuple):
    """Lines that add up to ``total``."""

    lines: tuple[Line, ...]
    total: Line

    @property
    def training(self) -> Line:
        """The main run, without what restarts cost it."""
        return self.lines[0]


def training_hours(tokens: float, tokens_per_second: Span) -> Span:
    """Accelerator-hours of a run at so many tokens a second an accelerator, while it moves on."""
    hours = tokens / SECONDS_PER_HOUR
    return Span(hours / tokens_per_second.high, hours / tokens_per_second.value, hours / tokens_per_second.low)


def tokens_per_second_at(mfu: float, peak: float, params: float) -> float:
    """Tokens a second of one accelerator of ``peak`` [FLOP/s] at a utilisation of 6 ``params`` a token."""
    return mfu * peak / (6 * params)


def bill(training: Span, rates: Rates) -> Bill:
    """The bill of a run that trains for ``training`` accelerator-hours."""
    paid = training.times(1 / rates.goodput)
    parts = {"training": training, "restarts": training.times(1 / rates.goodput - 1)}
    for name, extra in (("evaluation", rates.evaluation), ("pilot runs", rates.pilots)):
        parts[name] = paid.times(extra.share).plus(exactly(extra.gpu_hours))
    lines = tuple(_line(name, hours, rates) for name, hours in parts.items() if name == "training" or hours.value)
    total = exactly(0.0)
    for line in lines:
        total = total.plus(line.gpu_hours)
    return Bill(lines, _line("total", total, rates))


def training_within(gpu_hours: float, rates: Rates) -> float:
    """Hours of training that ``gpu_hours`` in all leave room for: the inverse of ``bill``.

    Raises:
        InfeasibleError: evaluation and pilots alone take more.
    """
    fixed = rates.evaluation.gpu_hours + rates.pilots.gpu_hours
    if fixed >= gpu_hours:
        raise InfeasibleError(
            f"evaluation and pilot runs alone take {fixed:,.6g} of {gpu_hours:,.6g} accelerator-hours; raise the budget"
        )
    return (gpu_hours - fixed) * rates.goodput / (1 + rates.evaluation.share + rates.pilots.share)


def _line(name: str, hours: Span, rates: Rates) -> Line:
    energy = None if rates.watts is None else hours.times(rates.watts * rates.pue / 1e6)
    return Line(
        name=name,
        gpu_hours=hours,
        cost_usd=None if rates.price is None else hours.by(rates.price),
        energy_mwh=energy,
        # 1 kg a kWh is 1 t a MWh, and 1 l a kWh is 1 m^3 a MWh.
        co2_t=None if energy is None or rates.kg_per_kwh is None else energy.times(rates.kg_per_kwh),
        water_m3=None if energy is None or rates.litres_per_kwh is None else energy.times(rates.litres_per_kwh),
    )
