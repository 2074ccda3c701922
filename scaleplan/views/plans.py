"""Plans, predictions and frontiers as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.plan import Plan
from scaleplan.views.table import Grid, Row, Stream, Table, band, count, flop, loss, ratio

if TYPE_CHECKING:
    from scaleplan.planning.frontier import Frontier
    from scaleplan.planning.prediction import Prediction, RunPrediction

PLAN_COLUMNS = (
    "law",
    "train_flop",
    "train_flop_low",
    "train_flop_high",
    "params",
    "params_low",
    "params_high",
    "params_nonembedding",
    "tokens",
    "tokens_low",
    "tokens_high",
    "tokens_per_param",
    "tokens_per_param_low",
    "tokens_per_param_high",
    "loss",
    "loss_low",
    "loss_high",
    "method",
)
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
FRONTIER_COLUMNS = (
    *PLAN_COLUMNS[:-1],
    "params_growth_per_10x",
    "params_nonembedding_growth_per_10x",
    "tokens_growth_per_10x",
    "published_params_growth_per_10x",
    "published_tokens_growth_per_10x",
)


def law_inputs(law: Law) -> dict[str, Any]:
    """What a law counts, for ``inputs``."""
    measure = law.measure
    return {
        "id": law.id,
        "paper": law.paper,
        "counts_params": law.counts_params.value,
        "counts_flop": law.counts_flop.value,
        "loss_unit": measure.unit,
        "loss_corpus": measure.corpus,
        "loss_tokenizer": measure.tokenizer,
        "bands": None if law.uncertainty is None else law.uncertainty.source,
    }


def accounting_inputs(accounting: Accounting) -> dict[str, Any]:
    """The convention of ``train_flop`` and the shape assumed in conversions, for ``inputs``."""
    return {
        "flop_convention": accounting.flop.value,
        "flop_convention_text": accounting.flop.text,
        "assumed_shape": accounting.embeddings.text,
    }


def plan_inputs(plan: Plan) -> dict[str, Any]:
    """Everything resolved that a plan of one budget answers."""
    problem = plan.problem
    return {
        "flops": problem.train_flop,
        "loss": problem.loss,
        "params": problem.params,
        "tokens": problem.tokens,
        "level": problem.level,
        **accounting_inputs(problem.accounting),
        "laws": [law_inputs(each.law) for each in (plan, *plan.cross_check)],
    }


def plan_row(plan: Plan) -> dict[str, Any]:
    """A plan as a data row."""
    return {key: getattr(plan, key) for key in PLAN_COLUMNS[1:]} | {"law": plan.law.id}


def allocation_table(plan: Plan) -> Table:
    """One budget: the plan, and the other laws beside it."""
    plans = (plan, *plan.cross_check)
    rows = [{key: row[key] for key in PLAN_COLUMNS} for row in map(plan_row, plans)]
    return Table(
        verb="allocate",
        inputs=plan_inputs(plan),
        columns=PLAN_COLUMNS,
        rows=rows,
        warnings=plan.warnings,
        grids=lambda: _allocation_grids(plan),
    )


def allocation_stream(plans: Iterator[Plan]) -> Stream:
    """Many budgets, one row each, block by block; the notices speak of all blocks together."""
    first = next(plans)
    notices = _NoticeKeeper()

    def blocks() -> Iterator[Mapping[str, Any]]:
        plan: Plan | None = first
        while plan is not None:
            notices.add(plan.warnings, plan.train_flop)
            for each in (plan, *plan.cross_check):
                block = {key: getattr(each, key) for key in STREAM_COLUMNS}
                yield {"law": each.law.id, **block} if plan.cross_check else block
            plan = next(plans, None)

    several = bool(first.cross_check)
    columns = ("law", *STREAM_COLUMNS) if several else STREAM_COLUMNS
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


def prediction_table(prediction: Prediction) -> Table:
    """One run's loss."""
    row = {key: getattr(prediction, key) for key in PREDICTION_COLUMNS}
    level = prediction.level
    lines = [
        ("parameters", count(row["params"]), ""),
        ("tokens", count(row["tokens"]), ""),
        ("tokens per parameter", ratio(row["tokens_per_param"]), ""),
        ("training FLOP", flop(row["train_flop"]), ""),
        (f"loss [{prediction.law.measure.unit}]", loss(row["loss"]), band(row["loss_low"], row["loss_high"], loss)),
    ]
    grid = Grid(
        title=f"{prediction.law.id}: loss of one run",
        headers=("", "value", f"{level:.4g} band"),
        rows=lines,
        numeric=(False, True, True),
    )
    return Table(
        verb="predict",
        inputs=_prediction_inputs(prediction),
        columns=PREDICTION_COLUMNS,
        rows=[row],
        warnings=prediction.warnings,
        grids=lambda: [grid],
    )


def prediction_stream(predictions: Iterator[RunPrediction]) -> Stream:
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
        inputs=_prediction_inputs(first.prediction),
        columns=columns,
        blocks=blocks(),
        warnings=notices.all,
        grids_of=partial(_plain_grids, columns),
    )


def frontier_table(frontier: Frontier) -> Table:
    """Optimal runs by budget, law after law."""
    rows: list[Row] = []
    for point in frontier.points:
        published = point.plan.law.published_exponents
        row = plan_row(point.plan) | {
            "params_growth_per_10x": point.params_growth_per_10x,
            "params_nonembedding_growth_per_10x": point.params_nonembedding_growth_per_10x,
            "tokens_growth_per_10x": point.tokens_growth_per_10x,
            "published_params_growth_per_10x": None if published is None else 10**published.params,
            "published_tokens_growth_per_10x": None if published is None else 10**published.tokens,
        }
        rows.append({key: row[key] for key in FRONTIER_COLUMNS})
    first = frontier.points[0].plan
    laws = list({point.plan.law.id: point.plan.law for point in frontier.points}.values())
    inputs = {
        "from": frontier.start,
        "to": frontier.stop,
        "per_decade": frontier.per_decade,
        "level": first.problem.level,
        **accounting_inputs(first.problem.accounting),
        "laws": [law_inputs(law) for law in laws],
    }
    return Table(
        verb="frontier",
        inputs=inputs,
        columns=FRONTIER_COLUMNS,
        rows=rows,
        warnings=frontier.warnings,
        grids=lambda: [_frontier_grid(law, [row for row in rows if row["law"] == law.id]) for law in laws],
    )


def _allocation_grids(plan: Plan) -> list[Grid]:
    row = plan_row(plan)
    level = f"{plan.problem.level * 100:.4g} % band"
    size = "parameters"
    lines = [_line(row, size, "params", count)]
    if plan.law.counts_params is ParamCount.NONEMBEDDING:
        lines.append(("  without embeddings", count(row["params_nonembedding"]), "-"))
    lines += [
        _line(row, "tokens", "tokens", count),
        _line(row, "tokens per parameter", "tokens_per_param", ratio),
        _line(row, f"loss [{plan.law.measure.unit}]", "loss", loss),
    ]
    budget = _line(row, "training FLOP", "train_flop", flop)
    grids = [
        Grid(
            title=f"{plan.law.id}: {plan.method}",
            headers=("", "plan", level),
            rows=[budget, *lines],
            numeric=(False, True, True),
        )
    ]
    if plan.cross_check:
        grids.append(_cross_check_grid(plan))
    return grids


def _cross_check_grid(plan: Plan) -> Grid:
    """The other laws; the budget is a column only where it differs between them."""
    given_loss = plan.problem.loss is not None
    headers = ("law", *(("FLOP",) if given_loss else ()), "N", "D", "D/N", "loss", "on")
    rows: list[Sequence[str]] = []
    for other in plan.cross_check:
        row = plan_row(other)
        cells = [count(row["params"]), count(row["tokens"]), ratio(row["tokens_per_param"]), loss(row["loss"])]
        flops = [flop(row["train_flop"])] if given_loss else []
        rows.append([other.law.id, *flops, *cells, "-" if row["loss"] is None else other.law.measure.corpus])
    numeric = [False, *[True] * (len(headers) - 2), False]
    return Grid(title="what other laws say", headers=headers, rows=rows, numeric=numeric)


def _line(row: Row, label: str, key: str, write: Callable[[float | None], str]) -> tuple[str, str, str]:
    return label, write(row[key]), band(row[f"{key}_low"], row[f"{key}_high"], write)


def _frontier_grid(law: Law, rows: Sequence[Row]) -> Grid:
    nonembedding = law.counts_params is ParamCount.NONEMBEDDING
    size = "params_nonembedding" if nonembedding else "params"
    headers = ("FLOP", "N w/o emb." if nonembedding else "N", "D", "D/N", "loss", "N x", "D x")
    cells = [
        (
            flop(row["train_flop"]),
            count(row[size]),
            count(row["tokens"]),
            ratio(row["tokens_per_param"]),
            loss(row["loss"]),
            f"{row[f'{size}_growth_per_10x']:.2f}",
            f"{row['tokens_growth_per_10x']:.2f}",
        )
        for row in rows
    ]
    published = law.published_exponents
    text = f"{law.id}: growth (N x, D x) for ten times the compute"
    if published is not None:
        text += f"; by the printed exponents {10**published.params:.2f} and {10**published.tokens:.2f}"
    return Grid(title=text, headers=headers, rows=cells, numeric=[True] * len(headers))


def _prediction_inputs(prediction: Prediction) -> dict[str, Any]:
    single = not hasattr(prediction.params, "dtype")
    return {
        "params": prediction.params if single else None,
        "tokens": prediction.tokens if single else None,
        "level": prediction.level,
        **accounting_inputs(prediction.accounting),
        "laws": [law_inputs(prediction.law)],
    }


def _plain_grids(columns: Sequence[str], rows: Sequence[Row]) -> list[Grid]:
    """Stream rows as a grid, each column written by what it is."""
    write: dict[str, Callable[[Any], str]] = {"law": str, "run": str}
    for key in columns:
        if key.startswith("loss"):
            write[key] = loss
        elif key.startswith("tokens_per_param"):
            write[key] = ratio
        elif key.startswith("train_flop"):
            write[key] = flop
    short = {"params": "N", "tokens": "D", "tokens_per_param": "D/N", "train_flop": "FLOP"}
    shown = [key for key in columns if key != "params_nonembedding"]
    return [
        Grid(
            title=None,
            headers=[_header(key, short) for key in shown],
            rows=[[write.get(key, count)(row[key]) for key in shown] for row in rows],
            numeric=[key not in ("law", "run") for key in shown],
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
        reach = float(cast("Any", train_flop).max())
        for notice in notices:
            if notice.code not in self._kept or reach > self._kept[notice.code][0]:
                self._kept[notice.code] = (reach, notice)

    def all(self) -> list[Notice]:
        """The notices of the whole stream."""
        return [notice for _, notice in self._kept.values()]
