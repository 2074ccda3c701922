"""A plan under limits: what holds it back, what serving it takes, its epochs, its experts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scaleplan.views.constraints import constraints_grid, constraints_rows
from scaleplan.views.table import Grid, count, flop, ratio

if TYPE_CHECKING:
    from scaleplan.compute.bill import Span
    from scaleplan.compute.serving import Served
    from scaleplan.planning.plan import Plan

LIMITS_COLUMNS = ("binding", "relax_first", "epochs", "experts", "params_active", "constraints")
SERVING_COLUMNS = (
    "serving_flop",
    "lifetime_flop",
    "serving_gpu_hours",
    "serving_usd",
    "serving_mwh",
    "serving_usd_per_day",
    "serving_mwh_per_day",
    "lifetime_usd",
)


def limits_columns(plan: Plan) -> tuple[str, ...]:
    """The keys that limits add to the rows of a plan."""
    return (*LIMITS_COLUMNS, *(SERVING_COLUMNS if plan.serving else ()))


def limits_row(plan: Plan) -> dict[str, Any]:
    """The values that limits add; ``binding`` joined by ``+``, ``constraints`` a list of mappings."""
    row: dict[str, Any] = {
        "binding": "+".join(plan.binding),
        "relax_first": None if plan.why is None else plan.why.relax_first,
        "epochs": plan.epochs,
        "experts": plan.experts,
        "params_active": plan.params_active,
        "constraints": None if plan.why is None else constraints_rows(plan.why),
    }
    return row if plan.serving is None else row | _serving_row(plan, plan.serving)


def limits_inputs(plan: Plan) -> dict[str, Any]:
    """The limits as resolved, for ``inputs``."""
    problem = plan.problem
    given: Mapping[str, Any] = {} if problem.limits is None else problem.limits._asdict()
    inputs: dict[str, Any] = {"limits": {key: value for key, value in given.items() if value is not None}}
    if problem.experts is not None:
        inputs["experts"] = problem.experts
    if problem.service is not None:
        server = problem.service.server
        assumptions = () if plan.beside is None else plan.beside.serving_assumptions
        inputs["serving"] = {
            **problem.service.demand._asdict(),
            **({} if server is None else {"server": _plain(server._asdict())}),
            "assumptions": [each._asdict() for each in assumptions],
        }
    return inputs


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """With a price as its low end, middle and high end."""
    price: Span | None = values["price"]
    return values | {"price": None if price is None else [price.low, price.value, price.high]}


def _serving_row(plan: Plan, served: Served) -> dict[str, Any]:
    cost = plan.cost_usd
    return {
        "serving_flop": served.flop,
        "lifetime_flop": plan.train_flop + served.flop,
        "serving_gpu_hours": served.gpu_hours,
        "serving_usd": served.cost_usd,
        "serving_mwh": served.energy_mwh,
        "serving_usd_per_day": served.usd_per_day,
        "serving_mwh_per_day": served.mwh_per_day,
        "lifetime_usd": None if cost is None or served.cost_usd is None else cost + served.cost_usd,
    }


def limits_grids(plan: Plan) -> list[Grid]:
    """What holds it back, and what serving takes."""
    grids = [] if plan.why is None or not plan.why.held else [constraints_grid(plan.why)]
    if plan.serving is not None:
        grids.append(_serving_grid(plan, plan.serving))
    return grids


def _serving_grid(plan: Plan, served: Served) -> Grid:
    row = _serving_row(plan, served)
    service = plan.problem.service
    assert service is not None
    tokens: Any = service.demand.tokens
    rows: list[tuple[str, str]] = [
        ("tokens served", count(tokens)),
        ("serving FLOP", flop(row["serving_flop"])),
        ("with training", flop(row["lifetime_flop"])),
    ]
    lines: list[tuple[str, Any, Callable[[Any], str]]] = [
        ("accelerator-hours", served.gpu_hours, count),
        ("USD, present value", served.cost_usd, count),
        ("USD a day", served.usd_per_day, count),
        ("MWh", served.energy_mwh, count),
        ("MWh a day", served.mwh_per_day, ratio),
        ("accelerators busy", served.accelerators, count),
        ("a replica", served.replica, count),
        ("USD with training", row["lifetime_usd"], count),
    ]
    rows += [(label, write(value)) for label, value, write in lines if value is not None]
    server = service.server
    where = "" if server is None else f" on {server.accelerator} in {server.precision}"
    days = f"{service.demand.days:g} days" if server is not None else "its life"
    return Grid(title=f"serving{where} over {days}", headers=("", "served"), rows=rows, numeric=(False, True))
