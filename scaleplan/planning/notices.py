"""What a reader must know beside the numbers: extrapolation, missing bands, losses that do not compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from scaleplan import units
from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice
from scaleplan.laws.law import Law
from scaleplan.ops import Real, extremes, is_array
from scaleplan.planning.optimum import Point, own_flop

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def law_notices(law: Law, point: Point, accounting: Accounting) -> tuple[Notice, ...]:
    """The notices of one law's answer, each beginning with the law's id."""
    notices = [*extrapolation(law, point), *conversion(law, accounting), *held(law), *loss_form(law, point)]
    if law.surface is None and law.trend is None:
        notices.append(Notice("no_loss", f"{law.id}: an allocation rule, which gives no loss."))
    return (*notices, *no_interval(law))


def extrapolation(law: Law, *points: Point) -> list[Notice]:
    """How far runs lie beyond the runs behind the law: one notice for the farthest of them, or none."""
    fitted = law.fitted
    measured: list[tuple[str, Callable[[Point], Real], tuple[float, float] | None, Callable[[float], str]]] = [
        ("FLOP", lambda p: own_flop(law, p), fitted.train_flop, units.flop),
        ("parameters", lambda p: p.size.counted(law.counts_params), fitted.params, units.count),
        ("tokens", lambda p: p.tokens, fitted.tokens, units.count),
        ("tokens per parameter", lambda p: p.tokens / p.size.total, fitted.tokens_per_param, units.count),
    ]
    parts: list[str] = []
    for what, value_of, range_of_runs, write in measured:
        if range_of_runs is None:
            continue
        low, high = range_of_runs
        least, most = zip(*(extremes(value_of(point)) for point in points), strict=True)
        least, most = min(least), max(most)
        if most > high * 1.005:
            parts.append(f"{write(most)} {what} is {times(most / high)} the most of its runs ({write(high)})")
        if least < low / 1.005:
            parts.append(f"{write(least)} {what} is {times(low / least)} below the least of its runs ({write(low)})")
    return [Notice("extrapolation", f"{law.id}: {'; '.join(parts)}.")] if parts else []


def conversion(law: Law, accounting: Accounting) -> list[Notice]:
    """A notice where the law counts FLOPs or parameters otherwise than the command does."""
    if law.counts_flop is not accounting.flop:
        text = f"counts {law.counts_flop.text}; converted to {accounting.flop.text}, where no shape is known by"
    elif law.counts_params is ParamCount.FLOPS_PER_TOKEN:
        text = f"gives training FLOPs a token ({law.counts_flop.text}); parameters are converted from them by"
    elif law.counts_params is ParamCount.HEAD:
        text = "counts the output head and not the input embedding; read as all parameters, since both are tied in"
    else:
        return []
    return [Notice("converted", f"{law.id}: {text} {accounting.embeddings.text}.")]


def held(law: Law) -> list[Notice]:
    """A notice where the law has more variables than a plan, and they are held."""
    if not law.held:
        return []
    values = ", ".join(f"{name} = {value:g}" for name, value in law.held.items())
    return [Notice("held", f"{law.id}: a law of more than parameters and tokens, used at {values}.")]


def by_surface(law: Law) -> tuple[Notice, ...]:
    """A notice where limits are weighed by the loss of a law that publishes its allocation apart from it."""
    text = f"{law.id}: limits are weighed by its loss L(N, D), whose best plan is not its published allocation."
    return (Notice("by_surface", text),)


def many_epochs(law: Law, epochs: Real) -> tuple[Notice, ...]:
    """A notice where tokens repeat so often that more of it is worth little, and the law cannot say that it harms."""
    decay = getattr(law.repeated, "R_D_star", None)
    _, most = extremes(epochs)
    if decay is None or most <= 1 + decay:
        return ()
    text = (
        f"{law.id}: {most:.3g} epochs; from about {1 + decay:.3g} on repeats are worth little, and no number of them "
        "harms under this form, while runs show that it can."
    )
    return (Notice("many_epochs", text),)


def loss_form(law: Law, point: Point) -> list[Notice]:
    """A notice where the loss is that of the law's trend, and its surface would say something else."""
    if not point.on_trend or law.surface is None:
        return []
    text = f"{law.id}: the loss is that of its trend along its own frontier"
    if not is_array(point.tokens):
        other = law.surface.loss(point.size.counted(law.counts_params), point.tokens)
        text += f"; its L(N, D), used wherever runs are compared, gives {other:.4f} here"
    return [Notice("loss_form", f"{text}.")]


def no_interval(law: Law) -> list[Notice]:
    """A notice where the law has no bands."""
    if law.uncertainty is not None or law.allocation_uncertainty is not None:
        return []
    return [Notice("no_interval", f"{law.id}: no covariance is known, so no bands.")]


def measure_notice(laws: Iterable[Law]) -> list[Notice]:
    """A notice where the laws' losses are of different text or tokenizers, so that they do not compare."""
    by_measure: dict[str, list[str]] = {}
    for law in laws:
        if law.surface is not None or law.trend is not None:
            name = f"{law.measure.corpus} with {law.measure.tokenizer} in {law.measure.unit}"
            by_measure.setdefault(name, []).append(law.id)
    if len(by_measure) < 2:
        return []
    parts = [f"{', '.join(dict.fromkeys(ids))} on {name}" for name, ids in by_measure.items()]
    return [Notice("loss_measure", f"losses compare only within one kind of text: {'; '.join(parts)}.")]


def joined(notices_of: Sequence[tuple[Law, Sequence[Notice]]]) -> tuple[Notice, ...]:
    """The notices of several laws, one a code: laws with the same text together, the others named behind it."""
    first: dict[str, tuple[list[str], str]] = {}
    others: dict[str, list[str]] = {}
    for law, notices in notices_of:
        for notice in notices:
            text = notice.message.removeprefix(f"{law.id}: ")
            if notice.code not in first:
                first[notice.code] = ([law.id], text)
            elif first[notice.code][1] == text:
                first[notice.code][0].append(law.id)
            else:
                others.setdefault(notice.code, []).append(law.id)
    result: list[Notice] = []
    for code, (ids, text) in first.items():
        likewise = f" Likewise {', '.join(others[code])}." if code in others else ""
        result.append(Notice(code, f"{', '.join(dict.fromkeys(ids))}: {text}{likewise}"))
    return (*result, *measure_notice(law for law, _ in notices_of))


def times(ratio: float) -> str:
    """A ratio in words: ``2,923 times``."""
    if ratio < 1e3:
        return f"{ratio:.3g} times"
    return f"{ratio:,.0f} times" if ratio < 1e6 else f"{units.flop(ratio)} times"


Noted = TypeVar("Noted", bound="DataclassInstance")


def with_notice(result: Noted, notices: tuple[Notice, ...]) -> Noted:
    """The same result with more notices."""
    return replace(result, warnings=(*cast("Any", result).warnings, *notices)) if notices else result
