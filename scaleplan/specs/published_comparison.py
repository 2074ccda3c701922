"""What was published of a run beside the estimate of it, and why they part where they do."""

from __future__ import annotations

from dataclasses import dataclass

from scaleplan.compute.bill import Span
from scaleplan.compute.costing import Costing
from scaleplan.specs.published_runs import PublishedCost, PublishedRun

LARGE = 1.25
"""Our choice: a gap beyond the error of the step-time model in nine cases of ten wants a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One quantity: as published, as estimated, the estimate over it, and the reason of a large gap.

    ``estimate`` and ``ratio`` are ``None`` where the two are not of one kind.
    """

    quantity: str
    unit: str
    published: float
    status: str
    source: str
    estimate: float | None
    ratio: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedComparison:
    """The rows, the run as it was published, and the estimate; ``None`` where none can be made."""

    model: str
    run: PublishedRun
    costing: Costing | None
    rows: tuple[PublishedRow, ...]


def compare_published(model: str, run: PublishedRun, costing: Costing) -> PublishedComparison:
    """Every published figure of a run beside the estimate of it."""
    rows = [*_hours_rows(run, costing), *_mfu_rows(run, costing), *_energy_rows(run, costing)]
    rows += [_cost_row(cost, costing) for cost in run.costs]
    return PublishedComparison(model=model, run=run, costing=costing, rows=tuple(rows))


def without_estimate(model: str, run: PublishedRun, why: str) -> PublishedComparison:
    """Every published figure of a run that cannot be estimated, each with the reason; no basis of cost mixed."""
    fields = ("gpu_hours", "days", "mfu", "hfu", "energy_mwh", "co2_t")
    rows = [row for field in fields for row in _row(run, field, None, f"no estimate: {why}")]
    rows += [_cost_row(cost, None, f"no estimate: {why}") for cost in run.costs]
    return PublishedComparison(model=model, run=run, costing=None, rows=tuple(rows))


def _row(
    run: PublishedRun, field: str, estimate: float | None, reason: str | None, *, always: bool = False
) -> list[PublishedRow]:
    """A row of a published field, none where it was not published; its reason where the gap is large, or always."""
    value = run.values.get(field)
    if value is None:
        return []
    ratio = None if estimate is None else estimate / value.value
    large = ratio is None or not 1 / LARGE <= ratio <= LARGE
    return [
        PublishedRow(
            quantity=field,
            unit=value.unit,
            published=value.value,
            status=value.status,
            source=value.source,
            estimate=estimate,
            ratio=ratio,
            reason=reason if large or always else None,
        )
    ]


def _implied_mfu(run: PublishedRun, costing: Costing) -> float | None:
    """Utilisation over all the published hours, 6 N D over hours at the dense peak; of the published accelerator."""
    hours = run.hours
    other = run.accelerator != costing.part.id
    return None if hours is None or other else costing.workload.train_flop / (hours.value * 3600 * costing.part.peak)


def _hours_reason(run: PublishedRun, costing: Costing) -> str:
    if run.accelerator != costing.part.id:
        return f"published on {run.hardware}, estimated on {costing.part.id}"
    implied = _implied_mfu(run, costing)
    if implied is None:
        return "its accelerator-hours were not published"
    step, goodput = costing.speed.mfu.value, costing.rates.goodput
    whole = step * goodput
    peak = f"the {costing.part.precision} peak"
    said = f"the published hours come to {implied:.1%} of {peak} over the whole run, the estimate to {whole:.1%}"
    if implied > 1:
        return f"{said}: more than the peak, so these are not the hours of these tokens"
    if implied < whole:
        headline = run.number("mfu")
        against = "" if headline is None else f" ({headline:.1%} was published for its steps)"
        return f"{said} ({step:.1%} a step){against}: published hours often hold failed, repeated and other work too"
    better = f"its software or layout was better than the model of a step assumes, or its goodput than {goodput:g}"
    return f"{said}: {better}"


def _hours_rows(run: PublishedRun, costing: Costing) -> list[PublishedRow]:
    hours, reason = costing.bill.total.gpu_hours.value, _hours_reason(run, costing)
    days = costing.days
    many = run.number("accelerators")
    if many is not None and costing.accelerators is not None and many != costing.accelerators:
        days = None
        reason_days = f"published for {many:,.0f} accelerators, estimated for {costing.accelerators:,}"
    else:
        reason_days = reason if costing.days is not None else "how many accelerators took so long is not known"
    return [*_row(run, "gpu_hours", hours, reason), *_row(run, "days", days, reason_days)]


def _mfu_rows(run: PublishedRun, costing: Costing) -> list[PublishedRow]:
    step, whole = costing.speed.mfu.value, costing.speed.mfu.value * costing.rates.goodput
    mine = step if run.mfu_scope == "headline" else whole
    about = "headline: of good steps" if run.mfu_scope == "headline" else "of the whole run, so times goodput"
    differing = "the published one may count attention too, or be over the peak of another precision"
    rows = _row(run, "mfu", mine, f"{about}; {differing}")
    implied = _implied_mfu(run, costing)
    if implied is not None and (run.mfu_scope == "headline" or "mfu" not in run.values):
        hours = run.hours
        assert hours is not None
        rows.append(
            PublishedRow(
                quantity="mfu over the published hours",
                unit="1",
                published=implied,
                status="derived",
                source="6 N D over the published hours at the dense peak",
                estimate=whole,
                ratio=whole / implied,
                reason=_hours_reason(run, costing) if not 1 / LARGE <= whole / implied <= LARGE else None,
            )
        )
    scope = "counts work that is done again, which utilisation by 6 N does not: not of one kind"
    return [*rows, *_row(run, "hfu", None, scope, always=True)]


def _energy_rows(run: PublishedRun, costing: Costing) -> list[PublishedRow]:
    total, rates = costing.bill.total, costing.rates
    energy = _scaled(total.energy_mwh, 1 / rates.pue if run.pue_included is False else 1.0)
    reasons: list[str] = []
    if run.pue_included is False:
        reasons.append("published without PUE, and compared without it")
    elif run.pue_included is None:
        reasons.append("whether PUE is in it was not published")
    watts = run.number("watts_per_accelerator")
    if watts is not None and rates.watts is not None and abs(watts / rates.watts - 1) > 0.02:
        reasons.append(f"reckoned from {watts:g} W an accelerator, estimated from {rates.watts:g}")
    hours = run.hours
    if hours is not None:
        reasons.append(f"its hours were {hours.value:,.4g}, estimated {total.gpu_hours.value:,.4g}")
    recomputed = run.recomputed_energy_mwh
    if recomputed is not None:
        reasons.append(f"its own hours, watts and PUE come to {recomputed.value:,.4g} MWh")
    rows = _row(run, "energy_mwh", energy, "; ".join(reasons) or "its accelerator-hours were not published")
    carbon = _scaled(total.co2_t, 1 / rates.pue if run.co2_pue_included is False else 1.0)
    grid = run.number("grid_kg_per_kwh")
    same = "" if grid is None or rates.kg_per_kwh is None else f"; its grid {grid:g} kg/kWh, here {rates.kg_per_kwh:g}"
    counted = "published without PUE, and compared without it; " if run.co2_pue_included is False else ""
    text = f"{counted}as for the energy{same}" if carbon is not None else _without_carbon(energy, grid)
    return [*rows, *_row(run, "co2_t", carbon, text)]


def _without_carbon(energy: float | None, grid: float | None) -> str:
    if energy is None:
        return "no power of the accelerator is known: give --watts and --grid"
    own = "its own was not published" if grid is None else f"its own was {grid:g} kg/kWh"
    return f"no grid is given ({own}): add --grid {'0.37' if grid is None else f'{grid:g}'}"


def _cost_row(cost: PublishedCost, costing: Costing | None, why: str | None = None) -> PublishedRow:
    """What a run cost beside the estimate, and ``why`` where there is none; nothing beside what is no rental."""
    rented = None if costing is None else costing.bill.total.cost_usd
    mine = None if rented is None or cost.basis == "amortised" else rented.value
    ratio = None if mine is None else mine / cost.usd
    if cost.basis == "amortised":
        reason: str | None = "amortised: a share of the hardware's price and energy; never held against rental"
    elif costing is None:
        reason = why
    elif rented is None:
        reason = "no price of the accelerator is known: give --price"
    elif ratio is not None and 1 / LARGE <= ratio <= LARGE:
        reason = None
    else:
        whose = "the developer's own account" if cost.basis == "authors" else f"rental at prices of {cost.date}"
        price = costing.rates.price
        reason = f"{whose}; here {_hourly(price)} an hour, and other hours" if price else whose
    return PublishedRow(
        quantity=f"cost_usd, {cost.basis}, {cost.date}",
        unit="USD",
        published=cost.usd,
        status=cost.status,
        source=cost.source,
        estimate=mine,
        ratio=ratio,
        reason=reason,
    )


def _hourly(price: Span) -> str:
    return f"${price.value:g}"


def _scaled(span: Span | None, factor: float) -> float | None:
    return None if span is None else span.value * factor
