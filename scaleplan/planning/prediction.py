"""The loss a given run reaches, with its band."""

from __future__ import annotations

from dataclasses import dataclass

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.bands import loss_ends
from scaleplan.planning.notices import law_notices
from scaleplan.planning.optimum import point_at
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
    """Loss under one law.

    Raises:
        UsageError: a number out of range, or a law without a loss surface.
    """
    law.require_allowed("predict")
    law.require_surface("a prediction of the loss")
    check_level(level)
    check_quantity("params", params)
    check_quantity("tokens", tokens)
    check_shapes(params, tokens)
    point = point_at(law, accounting, accounting.size(params, ParamCount.TOTAL), tokens, "")
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
        warnings=law_notices(law, point, accounting),
        **loss_ends(law, point, level),
    )
