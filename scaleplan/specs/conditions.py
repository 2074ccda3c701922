"""Where a run runs and what is taken of it: words of the command line or of a budget file to rates with their sources.

Every input of a bill becomes an ``Assumption`` that says whether it was given, published or our choice, and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan import units
from scaleplan.compute.bill import Assumption, Extra, Rates, Span, exactly
from scaleplan.errors import UsageError, nearest, quoted

if TYPE_CHECKING:
    from scaleplan.specs.accelerators import Accelerator

GOODPUT = 0.85
GOODPUT_SOURCE = (
    "our choice: utilisation over a whole run is 0.80 to 0.91 of that of its steps for Llama 3.1 405B (34.5 against 38 "
    "to 43 %) and 0.66 for PaLM 540B (30.4 against 46.2 %); the rest goes to restarts, idle time and repeated steps"
)
PUE = 1.12
PUE_SOURCE = "our choice, between the fleets of Meta (1.08), Google (1.10), AWS (1.15) and Microsoft (1.18), 2023"
PRECISION = "bf16"


class Conditions(NamedTuple):
    """What was given about where a run runs, read but not yet looked up; ``None`` for what was not given.

    ``on`` is an accelerator or a number of them, ``512xh100-sxm``; ``days`` a deadline or the time of a cluster;
    ``gpu_hours`` and ``usd`` [USD] budgets; ``price`` [USD an accelerator-hour], ``watts`` [W an accelerator],
    ``network`` [Gbit/s an accelerator], ``water`` [l/kWh], ``grid`` a country or kg CO2e/kWh, ``pue`` a fleet or a
    number, ``batch`` [tokens], ``context`` [tokens]; ``calibrate`` the path of a table of measured steps, ``cluster`` a
    type of cluster, both for the estimate of the utilisation.
    """

    on: str | None = None
    days: float | None = None
    gpu_hours: float | None = None
    usd: float | None = None
    precision: str = PRECISION
    mfu: float | None = None
    goodput: float | None = None
    price: float | None = None
    watts: float | None = None
    pue: str | None = None
    grid: str | None = None
    water: float | None = None
    network: float | None = None
    batch: float | None = None
    context: float | None = None
    evaluation: Extra | None = None
    pilots: Extra | None = None
    calibrate: str | None = None
    cluster: str | None = None


BUDGETS = ("flops", "loss", "days", "gpu_hours", "usd")
"""What a plan may be given to spend, one of them."""
RESOURCES = BUDGETS[2:]
"""Those that a cluster turns into FLOPs."""


def check_budget(conditions: Conditions) -> None:
    """Check that a budget of time or hours says of what.

    Raises:
        UsageError: it does not, with an example.
    """
    if conditions.gpu_hours is not None and conditions.on is None:
        raise UsageError("gpu_hours need an accelerator: on h100-sxm (`scaleplan accelerators` lists them)")
    if conditions.days is not None and conditions.on is None and conditions.usd is None:
        raise UsageError("days need a cluster: on 2048xh100-sxm, so many of an accelerator")


_CLUSTER = re.compile(r"(?P<on>.+?)\s+for\s+(?P<amount>.+)")
_AMOUNT = re.compile(r"(?P<amount>.+?)\s+on\s+(?P<on>.+)")
_BARE = re.compile(r"[-+.\d][-+.\deE_]*")
"""A number and no more; before an accelerator, ``1e24 on h100-sxm``, it says neither days nor hours nor FLOPs."""


def resource_words(text: str) -> dict[str, str] | None:
    """A budget written as a cluster for a time, hours of an accelerator or money; ``None`` where it is none of them.

    ``2048xh100-sxm for 60d``, ``3M gpu-hours on h100-sxm``, ``$5M``, ``$5M on h100-sxm``.
    """
    text = text.strip()
    found = _CLUSTER.fullmatch(text) or _AMOUNT.fullmatch(text)
    amount = text if found is None else found["amount"].strip()
    where = {} if found is None else {"on": found["on"]}
    if amount.startswith("$"):
        return {"usd": amount, **where}
    if found is None or (found.re is _AMOUNT and _BARE.fullmatch(amount)):
        return None
    hours = amount.lower().replace(" ", "-").removesuffix("s").endswith("gpu-hour")
    return {"gpu_hours" if hours else "days": amount, **where}


def read_conditions(words: dict[str, Any]) -> Conditions:
    """Conditions from words by name, what was not given ``None``.

    Raises:
        UsageError: an unknown name, with the nearest; the first word that cannot be read, by its name.
    """
    given = {name: word for name, word in words.items() if word is not None}
    read: dict[str, Any] = {}
    for name, word in given.items():
        if name not in READERS:
            raise UsageError(f"unknown word {quoted(name)}.{nearest(name, READERS)} There are {', '.join(READERS)}")
        try:
            if isinstance(word, bool) or not isinstance(word, (str, Real)):
                raise UsageError("must be one number or text")
            read[name] = READERS[name](word)
        except UsageError as error:
            raise UsageError(f"{name.replace('_', '-')}: {error.message}") from None
    return Conditions(**read)


def read_part(name: str, word: Any) -> float:
    """A share above 0 and at most 1, as a fraction or a percentage.

    Raises:
        UsageError: with its name and what was given.
    """
    try:
        return part(word)
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}") from None


def _above_zero(what: str, example: str) -> Callable[[Any], float]:
    def read(word: Any) -> float:
        value = _float(word)
        if not 0 < value < float("inf"):
            raise UsageError(f"must be {what} above zero, such as {example} (got {units.shown(word)})")
        return value

    return read


def _litres(word: Any) -> float:
    from scaleplan.specs.energy import water

    return water(word).value


def part(word: Any) -> float:
    """A share above 0 and at most 1, as a fraction or a percentage.

    Raises:
        UsageError: neither.
    """
    percent = isinstance(word, str) and word.strip().endswith("%")
    value = _float(word.strip().removesuffix("%")) / 100 if percent else _float(word)
    if not 0 < value <= 1:
        raise UsageError(f"must be a share above 0 and at most 1, such as 0.4 or 40% (got {units.shown(word)})")
    return value


def _float(word: Any) -> float:
    """The number of a word, -1 where it is none."""
    try:
        return float(word)
    except (TypeError, ValueError):
        return -1.0


def extra(word: Any) -> Extra:
    """Work beside the main run: a share of its hours (``2%``, 0.02) or accelerator-hours (``20k gpu-hours``).

    Raises:
        UsageError: neither.
    """
    text = str(word).strip()
    try:
        share = text if text.endswith("%") else float(text)
    except ValueError:
        share = None
    if share is not None and (text.endswith("%") or float(share) < 1):
        return Extra(share=units.share(text))
    try:
        if share is None and "h" in text.lower():
            return Extra(gpu_hours=units.parse(word, "gpu_hours"))
    except UsageError:
        pass
    raise UsageError(f"must be a share such as 2% or accelerator-hours such as 20k gpu-hours (got {units.shown(word)})")


def _text(word: Any) -> str:
    text = str(word).strip()
    if not text:
        raise UsageError("is empty")
    return text


READERS: dict[str, Callable[[Any], Any]] = {
    "on": _text,
    "days": units.days,
    "gpu_hours": lambda word: units.parse(word, "gpu_hours"),
    "usd": lambda word: units.parse(word, "usd"),
    "precision": lambda word: _text(word).lower(),
    "mfu": part,
    "goodput": part,
    "price": lambda word: units.parse(word, "usd"),
    "watts": _above_zero("a power in W", "700"),
    "pue": _text,
    "grid": _text,
    "water": _litres,
    "network": _above_zero("Gbit/s an accelerator", "400"),
    "batch": lambda word: units.parse(word, "tokens"),
    "context": lambda word: units.parse(word, "tokens"),
    "evaluation": extra,
    "pilots": extra,
    "calibrate": _text,
    "cluster": _text,
}
assert set(READERS) == set(Conditions._fields)


def given(conditions: Conditions) -> dict[str, Any]:
    """What was given, by name."""
    return {name: value for name, value in conditions._asdict().items() if value is not None}


def rates_of(conditions: Conditions, accelerator: Accelerator) -> tuple[Rates, tuple[Assumption, ...]]:
    """What an hour of an accelerator is worth and costs, and where each of it comes from.

    Raises:
        UsageError: an unknown grid or fleet.
    """
    from scaleplan.specs.energy import grid, pue

    listed: list[Assumption] = []

    def take(name: str, value: Any, unit: str, status: str, source: str) -> Any:
        listed.append(Assumption(name, value, unit, status, source))
        return value

    goodput = take("goodput", *_given_or(conditions.goodput, GOODPUT, "1", "our choice", GOODPUT_SOURCE))
    price = _price(conditions, accelerator, listed)
    tdp = accelerator.values.get("tdp")
    if conditions.watts is not None:
        watts: float | None = take("watts", conditions.watts, "W an accelerator", "given", "given")
    elif tdp is not None:
        hint = "its thermal design power, as published energies take it; hosts and network add 20 to 60 %"
        watts = take("watts", tdp.value, "W an accelerator", tdp.status, f"{hint}; {tdp.source}")
    else:
        watts = take("watts", None, "W an accelerator", "unknown", f"{accelerator.id} has no published power: --watts")
    site = None if conditions.pue is None else pue(conditions.pue)
    power = take("pue", *((PUE, "1", "our choice", PUE_SOURCE) if site is None else _looked_up(site, "1")))
    kg = None if conditions.grid is None else grid(conditions.grid)
    if kg is None:
        take("grid", None, "kg CO2e/kWh", "not given", "--grid, a country or a number, gives emissions")
    else:
        take("grid", *_looked_up(kg, "kg CO2e/kWh"))
    if conditions.water is None:
        take("water", None, "l/kWh", "not given", "--water gives the water of its energy")
    else:
        take("water", conditions.water, "l/kWh", "given", "given")
    parts: dict[str, Extra] = {}
    for name in ("evaluation", "pilots"):
        part: Extra | None = getattr(conditions, name)
        parts[name] = part or Extra()
        if part is not None:
            value, unit = (part.share, "of the hours paid") if part.share else (part.gpu_hours, "accelerator-hours")
            take(name, value, unit, "given", "given")
    return Rates(
        goodput=goodput,
        price=price,
        watts=watts,
        pue=power,
        kg_per_kwh=None if kg is None else kg.value,
        litres_per_kwh=conditions.water,
        **parts,
    ), tuple(listed)


def _given_or(value: float | None, default: float, unit: str, status: str, why: str) -> tuple[float, str, str, str]:
    return (default, unit, status, why) if value is None else (value, unit, "given", "given")


def _looked_up(found: Any, unit: str) -> tuple[float, str, str, str]:
    return found.value, unit, found.status, found.source


def _price(conditions: Conditions, accelerator: Accelerator, listed: list[Assumption]) -> Span | None:
    unit = "USD an accelerator-hour"
    if conditions.price is not None:
        listed.append(Assumption("price", conditions.price, unit, "given", "given"))
        return exactly(conditions.price)
    known = accelerator.price
    if known is None:
        listed.append(Assumption("price", None, unit, "unknown", f"no price of {accelerator.id} is known: --price"))
        return None
    # The middle of the range is our choice; its ends stand beside every sum of money.
    middle = (known.low + known.high) / 2
    between = f"middle (our choice) of {known.low:g} to {known.high:g}, indicative, of {known.date}, never a quote"
    source = f"{between}; {known.source}"
    listed.append(Assumption("price", middle, unit, "our choice", source))
    return Span(known.low, middle, known.high)
