"""The loss a given run reaches, with its band."""

from __future__ import annotations

from dataclasses import dataclass

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice
from scaleplan.laws.form import LossTrend
from scaleplan.laws.law import Law
from scaleplan.ops import Real, extremes
from scaleplan.planning.bands import loss_ends
from scaleplan.planning.notices import law_notices, times
from scaleplan.planning.optimum import Point, own_flop, point_at
from scaleplan.planning.problem import check_level, check_quantity, check_shapes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Prediction:
    """Loss of runs of ``params`` parameters (embeddings counted) on ``tokens`` tokens; floats or arrays."""

    law: Law
    accounting: Accounting
    level: float
    params: Real
    params_nonembedding: Real
    tokens: Real
    tokens_per_param: Real
    train_flop: Real
    loss: Real
    loss_low: Real | None = None
    loss_high: Real | None = None
    warnings: tuple[Notice, ...] = ()

    def __repr__(self) -> str:
        numbers = ", ".join(f"{key}={getattr(self, key)!r}" for key in ("params", "tokens", "loss"))
        return f"Prediction(law={self.law.id!r}, {numbers})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunPrediction:
    """Predictions of some rows of a table, with the rows' ``run`` names where the table has them."""

    prediction: Prediction
    names: list[str] | None


def predict(law: Law, params: Real, tokens: Real, *, level: float, accounting: Accounting) -> Prediction:
    """Loss under one law; of a law without a loss surface that of its trend, which sees the run's FLOPs alone.

    Raises:
        UsageError: a number out of range, or a law without a loss.
    """
    law.require_allowed("predict")
    law.require_loss("a prediction of the loss")
    check_level(level)
    check_quantity("params", params)
    check_quantity("tokens", tokens)
    check_shapes(params, tokens)
    point = point_at(law, accounting, accounting.size(params, ParamCount.TOTAL), tokens, "")
    noticed = law_notices(law, point, accounting)
    if point.loss is None:
        assert law.trend is not None
        point = _on_trend(law, law.trend, point)
        noticed = (*noticed, _compute_only(law, point))
    assert point.loss is not None
    return Prediction(
        law=law,
        accounting=accounting,
        level=level,
        params=params,
        params_nonembedding=point.size.nonembedding,
        tokens=tokens,
        tokens_per_param=tokens / params,
        train_flop=point.train_flop,
        loss=point.loss,
        warnings=noticed,
        **loss_ends(law, point, level),
    )


def _on_trend(law: Law, trend: LossTrend, point: Point) -> Point:
    """The run with the loss of the law's trend at its FLOPs."""
    return point._replace(loss=trend.loss(own_flop(law, point)), on_trend=True)


def _compute_only(law: Law, point: Point) -> Notice:
    """That the law sees the FLOPs of a run alone, and how far its size is from the one that the law means."""
    text = f"{law.id}: sees the FLOPs of a run alone, so its loss is that of a run that splits them as the law does"
    if law.allocation is not None:
        least, most = extremes(point.size.counted(law.counts_params) / law.allocation.params(own_flop(law, point)))
        if least == most:
            text += f"; this one has {times(most)} the parameters"
        else:
            text += f"; these have {times(least)} to {times(most)} the parameters"
    return Notice("compute_only", f"{text}.")
