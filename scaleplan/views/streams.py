"""Plans and predictions in blocks, a row a budget or run, printed as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice
from scaleplan.ops import Real, extremes
from scaleplan.planning.plan import Plan
from scaleplan.planning.prediction import RunPrediction
from scaleplan.views.plans import plan_inputs
from scaleplan.views.predictions import PREDICTION_COLUMNS, prediction_inputs
from scaleplan.views.table import Grid, Row, Stream, count, flop, loss, ratio

STREAM_COLUMNS = (
    "train_flop",
    "params",
    "params_low",
    "params_high",
    "tokens",
    "tokens_low",
    "tokens_high",
    "tokens_per_param",
    "loss",
    "loss_low",
    "loss_high",
)


def allocation_stream(plans: Iterator[Plan]) -> Stream:
    """Many budgets, one row each, block by block; the notices speak of all blocks together."""
    first = next(plans)
    notices = _NoticeKeeper()
    several = bool(first.cross_check)
    laws = [plan.law for plan in (first, *first.cross_check)]
    keys = STREAM_COLUMNS
    if any(law.counts_params is ParamCount.NONEMBEDDING for law in laws):
        after = keys.index("params_high") + 1
        keys = (*keys[:after], "params_nonembedding", *keys[after:])
    if first.problem.constrained:
        keys = (*keys, *_beside_keys(first), "binding")

    def blocks() -> Iterator[Mapping[str, Any]]:
        plan: Plan | None = first
        while plan is not None:
            notices.add(plan.warnings, plan.train_flop)
            yield _interleaved(plan, keys) if several else {key: _column(plan, key) for key in keys}
            plan = next(plans, None)

    columns = ("law", *keys) if several else keys
    inputs = plan_inputs(first) | {"flops": "-"}
    inputs |= {key: value for key, value in inputs.items() if not hasattr(value, "dtype")}
    return Stream(
        verb="allocate",
        inputs=inputs,
        columns=columns,
        blocks=blocks(),
        warnings=notices.all,
        grids_of=partial(_plain_grids, columns),
    )


def _beside_keys(plan: Plan) -> tuple[str, ...]:
    """The columns of what stands beside the plans of many budgets."""
    epochs = ("epochs",) if plan.epochs is not None else ()
    experts = ("experts", "params_active") if plan.experts is not None else ()
    return (*epochs, *experts, *(("serving_flop", "lifetime_flop") if plan.serving is not None else ()))


def _column(plan: Plan, key: str) -> Any:
    if key == "binding":
        return plan.bindings
    if key in ("serving_flop", "lifetime_flop"):
        assert plan.serving is not None
        return plan.serving.flop + (plan.train_flop if key == "lifetime_flop" else 0.0)
    return getattr(plan, key)


def _interleaved(plan: Plan, keys: Sequence[str]) -> dict[str, Any]:
    """The rows of several laws, budget by budget, each budget's in the order of the laws."""
    import numpy as np

    plans = (plan, *plan.cross_check)
    height = np.size(plan.train_flop)
    block: dict[str, Any] = {"law": [each.law.id for each in plans] * height}
    for key in keys:
        values = [_column(each, key) for each in plans]
        if key == "binding":
            block[key] = [name for row in zip(*values, strict=True) for name in row]
            continue
        columns = [np.broadcast_to(np.nan if value is None else value, height) for value in values]
        block[key] = np.stack(columns, axis=1).ravel()
    return block


def prediction_stream(predictions: Iterator[RunPrediction], runs: str) -> Stream:
    """Runs of a table, a row each, in their order."""
    first = next(predictions)
    notices = _NoticeKeeper()
    named = first.names is not None
    columns = ("run", *PREDICTION_COLUMNS) if named else PREDICTION_COLUMNS

    def blocks() -> Iterator[Mapping[str, Any]]:
        block: RunPrediction | None = first
        while block is not None:
            notices.add(block.prediction.warnings, block.prediction.train_flop)
            values = {key: getattr(block.prediction, key) for key in PREDICTION_COLUMNS}
            yield {"run": block.names, **values} if named else values
            block = next(predictions, None)

    return Stream(
        verb="predict",
        inputs={"runs": runs, **prediction_inputs(first.prediction)},
        columns=columns,
        blocks=blocks(),
        warnings=notices.all,
        grids_of=partial(_plain_grids, columns),
    )


def _plain_grids(columns: Sequence[str], rows: Sequence[Row]) -> list[Grid]:
    """Stream rows as a grid, each column written by what it is."""
    write: dict[str, Callable[[Any], str]] = {"law": str, "run": str, "binding": str}
    for key in columns:
        if key.startswith("loss"):
            write[key] = loss
        elif key.startswith("tokens_per_param") or key in ("epochs", "experts"):
            write[key] = ratio
        elif key.startswith("train_flop") or key in ("serving_flop", "lifetime_flop"):
            write[key] = flop
    short = {"params": "N", "tokens": "D", "tokens_per_param": "D/N", "train_flop": "FLOP"}
    shown = [key for key in columns if key != "params_nonembedding"]
    return [
        Grid(
            title=None,
            headers=[_header(key, short) for key in shown],
            rows=[[write.get(key, count)(row[key]) for key in shown] for row in rows],
            numeric=[key not in write or write[key] is not str for key in shown],
        )
    ]


def _header(key: str, short: Mapping[str, str]) -> str:
    for end in ("_low", "_high"):
        if key.endswith(end):
            base = key.removesuffix(end)
            return f"{short.get(base, base)} {end[1:]}"
    return short.get(key, key)


class _NoticeKeeper:
    """One notice a code over all blocks: that of the block that reaches the largest budget."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Notice]] = {}

    def add(self, notices: Sequence[Notice], train_flop: Real) -> None:
        """Take in the notices of a block and its budgets."""
        _, reach = extremes(train_flop)
        for notice in notices:
            if notice.code not in self._kept or reach > self._kept[notice.code][0]:
                self._kept[notice.code] = (reach, notice)

    def all(self) -> list[Notice]:
        """The notices of the whole stream."""
        return [notice for _, notice in self._kept.values()]
