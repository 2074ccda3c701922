"""Where a run is going against what a law promised: the gap in loss, and in the compute that the law would give for it.

A run of N parameters on D tokens was promised L(N, D); its forecast is L'. Under the law the loss L' takes

    D' with L(N, D') = L' (the same size, other tokens),   C*(L') = min 6 N D over L(N, D) = L' (the best split),

and 1 - D'/D and 1 - C*(L')/C*(L(N, D)) are the shares of the compute that the run has as good as lost, below zero
gained; the second is the equivalent compute by which ``compare`` ranks options. The run is off its plan where the gap
is beyond both bands together, added in quadrature (our choice: the forecast sees the run, the law others, and their
errors are taken as independent).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scaleplan import units
from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.notices import times
from scaleplan.planning.optimum import least_flop
from scaleplan.planning.prediction import Prediction, predict

Status = Literal["on_track", "above_band", "below_band"]


class Ahead(NamedTuple):
    """A forecast of the final loss [nats/token] and its band; ends that are not known are ``None``."""

    loss: float
    low: float | None = None
    high: float | None = None


class Equivalent(NamedTuple):
    """The compute that the forecast loss is worth under the law.

    ``factor`` of the compute that the promised loss takes, ``lost_share`` one less that (below zero: gained), with the
    ends that the forecast's band gives it, ``lost_flop`` that share of the planned FLOPs. All ``None`` where no compute
    reaches the loss.
    """

    factor: float | None
    lost_share: float | None
    lost_share_low: float | None
    lost_share_high: float | None
    lost_flop: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanCheck:
    """A forecast beside what a law promised.

    ``gap`` [nats/token] is the forecast less the promise, ``gap_share`` that over the promise; from
    ``gap_low`` to ``gap_high`` a gap is within both bands. ``same_size``: the law's path at the run's own
    size, ``None`` for a law of the compute alone; ``best_split``: the law's own frontier.
    """

    promised: Prediction
    forecast: Ahead
    status: Status
    gap: float
    gap_share: float
    gap_low: float
    gap_high: float
    same_size: Equivalent | None
    best_split: Equivalent
    text: str
    warnings: tuple[Notice, ...]


def against_law(
    forecast: Ahead,
    law: Law,
    params: float,
    tokens: float,
    *,
    level: float,
    accounting: Accounting = DEFAULT_ACCOUNTING,
    tokenizer: str | None = None,
) -> PlanCheck:
    """Compare a forecast with a law's promise for the same run.

    Args:
        forecast: of the run's final loss, its band of the same ``level``.
        law: any law that gives a loss.
        params: of the run, embeddings counted.
        tokens: of the whole run.
        level: coverage of the promise's band.
        accounting: the convention of the FLOPs.
        tokenizer: of the log, where it is known.

    Raises:
        UsageError: a law without a loss, numbers out of range, ends of a band on the wrong side of the forecast.
    """
    low, high = _ends(forecast)
    promised = predict(law, params, tokens, level=level, accounting=accounting)
    promise = float(promised.loss)
    promise_low = promise if promised.loss_low is None else float(promised.loss_low)
    promise_high = promise if promised.loss_high is None else float(promised.loss_high)
    gap = forecast.loss - promise
    above = math.hypot(forecast.loss - low, promise_high - promise)
    below = math.hypot(high - forecast.loss, promise - promise_low)
    status: Status = "above_band" if gap > above else "below_band" if gap < -below else "on_track"
    worth = _Worth(law, accounting, promised)
    same_size = None if law.surface is None else _equivalent(worth.same_size, forecast, promised)
    best_split = _equivalent(worth.best_split, forecast, promised)
    return PlanCheck(
        promised=promised,
        forecast=forecast,
        status=status,
        gap=gap,
        gap_share=gap / promise,
        gap_low=-below,
        gap_high=above,
        same_size=same_size,
        best_split=best_split,
        text=_text(status, forecast.loss, promised, same_size, best_split),
        warnings=(*promised.warnings, *_measure(law, tokenizer), *_under_floor(law, forecast.loss)),
    )


class _Worth(NamedTuple):
    """What compute a loss is worth under a law, for a run of a given size and tokens: over that of the promise."""

    law: Law
    accounting: Accounting
    promised: Prediction

    def same_size(self, loss: float) -> float:
        """Tokens at which the run's own size has a loss, over the planned ones; infinite where it never has."""
        surface = self.law.require_surface("a path at one size")
        size = self.accounting.size(self.promised.params, ParamCount.TOTAL)
        return float(surface.tokens_for_loss(size.counted(self.law.counts_params), loss) / self.promised.tokens)

    def best_split(self, loss: float) -> float:
        """Least FLOPs for a loss over those for the promised one; infinite where none suffice."""
        reached, promised = self._least(loss), self._least(float(self.promised.loss))
        return reached / promised if promised < math.inf else math.nan

    def _least(self, loss: float) -> float:
        surface = self.law.surface
        if surface is None:
            assert self.law.trend is not None
            return float(self.law.trend.flop_for_loss(loss))
        return math.inf if loss <= surface.floor else float(least_flop(self.law, surface, self.accounting, loss))


def _equivalent(worth: Callable[[float], float], forecast: Ahead, promised: Prediction) -> Equivalent:
    factor, low, high = (
        None if loss is None else _finite(worth(loss)) for loss in (forecast.loss, forecast.low, forecast.high)
    )
    return Equivalent(
        factor=factor,
        lost_share=None if factor is None else 1 - factor,
        lost_share_low=None if low is None else 1 - low,
        lost_share_high=None if high is None else 1 - high,
        lost_flop=None if factor is None else (1 - factor) * float(promised.train_flop),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ends(forecast: Ahead) -> tuple[float, float]:
    """The ends of the forecast's band, the forecast itself where they are not known.

    Raises:
        UsageError: no finite number above zero, or an end on the wrong side.
    """
    low = forecast.loss if forecast.low is None else forecast.low
    high = forecast.loss if forecast.high is None else forecast.high
    if not 0 < low <= forecast.loss <= high < math.inf:
        raise UsageError(f"a forecast loss is a number above 0 within its band (got {low:g} to {high:g})")
    return low, high


def _text(
    status: Status, loss: float, promised: Prediction, same_size: Equivalent | None, best_split: Equivalent
) -> str:
    promise = float(promised.loss)
    gap = loss - promise
    words = {"on_track": "on track", "above_band": "above the band", "below_band": "below the band"}[status]
    text = f"{words}: {loss:.4f} forecast, {promise:.4f} promised ({gap:+.4f} nats, {gap / promise:+.2%})"
    worth, where = (best_split, "on its frontier") if same_size is None else (same_size, "at this size")
    if worth.factor is None or worth.lost_share is None or worth.lost_flop is None:
        beyond = f"lower than any tokens take {units.count(float(promised.params))} parameters"
        return f"{text}; {beyond if same_size is not None else 'lower than any compute goes'} under {promised.law.id}"
    if worth.factor > 1:
        return f"{text}; worth {times(worth.factor)} the compute, {where}"
    lost = f"{worth.lost_share:.1%} of the compute ({units.flop(worth.lost_flop)} FLOP)"
    return f"{text}; as if {lost} had been lost, {where}"


def _measure(law: Law, tokenizer: str | None) -> tuple[Notice, ...]:
    """A notice where the law's loss may not be that of the log: of a shipped law, or another tokenizer's."""
    own = law.measure
    if law.file is not None and (tokenizer is None or tokenizer == own.tokenizer):
        return ()
    log = "the log's loss is taken as the same" if tokenizer is None else f"the log's tokenizer is {tokenizer}"
    text = f"{law.id}: its loss is of {own.corpus} with {own.tokenizer} in {own.unit}; {log}."
    return (Notice("loss_measure", f"{text} A law of your own runs (scaleplan fit) has no such gap."),)


def _under_floor(law: Law, loss: float) -> tuple[Notice, ...]:
    """A notice where the forecast is at or below what the law says no run goes below."""
    if law.surface is None or loss > law.surface.floor:
        return ()
    text = (
        f"{law.id}: says that no run goes below {law.surface.floor:.4f} {law.measure.unit}, and {loss:.4f} is forecast"
        ": another text, tokenizer or unit than the law's, or data that leaked or repeats."
    )
    return (Notice("below_floor", text),)
