"""What a reader must know beside the numbers: extrapolation, missing bands, losses that do not compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from scaleplan import units
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import Notice
from scaleplan.laws.law import Law
from scaleplan.ops import extremes
from scaleplan.planning.optimum import Point
from scaleplan.planning.plan import Plan

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def law_notices(law: Law, point: Point, accounting: Accounting) -> tuple[Notice, ...]:
    """The notices of one law's answer."""
    notices = [*extrapolation(law, point), *conversion(law, accounting)]
    if law.surface is None and law.trend is None:
        notices.append(Notice("no_loss", f"{law.id} is an allocation rule without a loss: its loss is null."))
    if law.uncertainty is None:
        notices.append(Notice("no_interval", f"{law.id} has no covariance: its band ends are null."))
    return tuple(notices)


def extrapolation(law: Law, point: Point) -> list[Notice]:
    """How far a run lies beyond the runs behind the law: one notice, or none."""
    params = point.size.counted(law.counts_params)
    measured = {
        "FLOP": (6 * params * point.tokens, law.fitted.train_flop, units.flop),
        "parameters": (params, law.fitted.params, units.count),
        "tokens": (point.tokens, law.fitted.tokens, units.count),
        "tokens per parameter": (point.tokens / params, law.fitted.tokens_per_param, units.count),
    }
    parts: list[str] = []
    for what, (value, fitted, write) in measured.items():
        if fitted is None:
            continue
        low, high = fitted
        least, most = extremes(value)
        if most > high * 1.005:
            parts.append(f"{write(most)} {what} is {_times(most / high)} the largest ({write(high)})")
        if least < low / 1.005:
            parts.append(f"{write(least)} {what} is {_times(low / least)} below the smallest ({write(low)})")
    if not parts:
        return []
    return [Notice("extrapolation", f"beyond the runs that {law.id} was fitted on: {'; '.join(parts)}.")]


def conversion(law: Law, accounting: Accounting) -> list[Notice]:
    """A notice where the law counts FLOPs, and so parameters, otherwise than the command does."""
    if law.counts_flop is accounting.flop:
        return []
    text = f"FLOPs are {accounting.flop.text}; {law.id} counts {law.counts_flop.text}, converted by the"
    return [Notice("converted", f"{text} {accounting.embeddings.text} where no shape is known.")]


def measure_notice(laws: Iterable[Law]) -> list[Notice]:
    """A notice where the laws' losses are of different text or tokenizers, so that they do not compare."""
    by_measure: dict[str, list[str]] = {}
    for law in laws:
        if law.surface is not None or law.trend is not None:
            name = f"{law.measure.corpus} with {law.measure.tokenizer}"
            by_measure.setdefault(name, []).append(law.id)
    if len(by_measure) < 2:
        return []
    parts = [f"{', '.join(dict.fromkeys(ids))} on {name}" for name, ids in by_measure.items()]
    return [Notice("loss_measure", f"losses compare only within one kind of text: {'; '.join(parts)}.")]


def joined(plans: Sequence[Plan]) -> tuple[Notice, ...]:
    """The notices of several laws' plans, one a code: the first in full, the other laws named behind it."""
    first: dict[str, Notice] = {}
    others: dict[str, list[str]] = {}
    for plan in plans:
        for notice in plan.warnings:
            if notice.code in first:
                others.setdefault(notice.code, []).append(plan.law.id)
            else:
                first[notice.code] = notice
    notices = [
        Notice(code, f"{notice.message} Likewise {', '.join(others[code])}." if code in others else notice.message)
        for code, notice in first.items()
    ]
    return (*notices, *measure_notice(plan.law for plan in plans))


def _times(ratio: float) -> str:
    return (
        f"{ratio:.3g} times" if ratio < 1e3 else f"{ratio:,.0f} times" if ratio < 1e6 else f"{units.flop(ratio)} times"
    )


Noted = TypeVar("Noted", bound="DataclassInstance")


def with_notice(result: Noted, notices: tuple[Notice, ...]) -> Noted:
    """The same result with more notices."""
    return replace(result, warnings=(*cast("Any", result).warnings, *notices)) if notices else result
