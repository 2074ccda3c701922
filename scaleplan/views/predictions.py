"""One predicted run as a table."""

from __future__ import annotations

from typing import Any

from scaleplan.planning.prediction import Prediction
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Table, band, count, flop, loss, ratio

PREDICTION_COLUMNS = (
    "params",
    "params_nonembedding",
    "tokens",
    "tokens_per_param",
    "train_flop",
    "loss",
    "loss_low",
    "loss_high",
)


def prediction_table(prediction: Prediction) -> Table:
    """One run's loss."""
    row = {key: getattr(prediction, key) for key in PREDICTION_COLUMNS}
    level = prediction.level
    lines = [
        ("parameters", count(row["params"]), "-"),
        ("tokens", count(row["tokens"]), "-"),
        ("tokens per parameter", ratio(row["tokens_per_param"]), "-"),
        ("training FLOP", flop(row["train_flop"]), "-"),
        (f"loss [{prediction.law.measure.unit}]", loss(row["loss"]), band(row["loss_low"], row["loss_high"], loss)),
    ]
    grid = Grid(
        title=f"{prediction.law.id}: loss of one run",
        headers=("", "value", f"{level * 100:.6g} % band"),
        rows=lines,
        numeric=(False, True, True),
    )
    return Table(
        verb="predict",
        inputs=prediction_inputs(prediction),
        columns=PREDICTION_COLUMNS,
        rows=[row],
        warnings=prediction.warnings,
        grids=lambda: [grid],
    )


def prediction_inputs(prediction: Prediction) -> dict[str, Any]:
    """Everything resolved that a prediction answers; the runs of a table are not repeated."""
    single = not hasattr(prediction.params, "dtype")
    return {
        "params": prediction.params if single else None,
        "tokens": prediction.tokens if single else None,
        "level": prediction.level,
        **accounting_inputs(prediction.accounting),
        "laws": [law_inputs(prediction.law)],
    }
