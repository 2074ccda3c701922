"""Comparisons as tables."""

from __future__ import annotations

from collections.abc import Sequence

from scaleplan.planning.comparison import ComparedOption, Comparison
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.marks import LEGEND, MARKS, marked
from scaleplan.views.table import Grid, Table, count, flop, loss, ratio, share

COMPARISON_COLUMNS = (
    "law",
    "option",
    "role",
    "params",
    "params_nonembedding",
    "tokens",
    "tokens_per_param",
    "train_flop",
    "loss",
    "loss_low",
    "loss_high",
    "optimal_flop_same_loss",
    "wasted_share",
    "inference_flop_per_token",
    "inference_relative",
    "params_status",
    "tokens_status",
)
ODDS_COLUMNS = ("p_best", "p_beats_first")
"""Only where draws were asked for."""

_NOTE = "best C: least FLOP for the same loss; wasted: 1 - best C / FLOP; infer.: FLOP per token against the first"
_ODDS_NOTE = (
    "wasted: 1 - least FLOP for the same loss / FLOP; p best: share of {:,} draws of the law in which it is the best "
    "option; p > 1st: in which it beats the first"
)


def comparison_table(comparison: Comparison) -> Table:
    """Options and optima, law after law."""
    columns = COMPARISON_COLUMNS if comparison.draws is None else (*COMPARISON_COLUMNS, *ODDS_COLUMNS)
    rows = [{key: getattr(row, key) for key in columns} | {"law": row.law.id} for row in comparison.rows]
    laws = list({row.law.id: row.law for row in comparison.rows}.values())
    inputs = {
        "name": comparison.name,
        "file": comparison.file,
        "flops": comparison.train_flop,
        "as_trained": comparison.as_trained,
        "options": [
            {"name": o.name, "params": o.params, "params_nonembedding": o.params_nonembedding, "tokens": o.tokens}
            for o in comparison.options
        ],
        "level": comparison.level,
        **({} if comparison.draws is None else {"draws": comparison.draws, "seed": comparison.seed}),
        **accounting_inputs(comparison.accounting),
        "laws": [law_inputs(law) for law in laws],
    }
    return Table(
        verb="compare",
        inputs=inputs,
        columns=columns,
        rows=rows,
        warnings=comparison.warnings,
        grids=lambda: [
            _grid(comparison, law.id, [row for row in comparison.rows if row.law.id == law.id]) for law in laws
        ],
    )


def _grid(comparison: Comparison, law: str, rows: Sequence[ComparedOption]) -> Grid:
    """FLOPs are a column only where they differ; bands and odds only where the law has them. Fits 80 columns."""
    equal = not comparison.as_trained
    likely = any(row.p_best is not None for row in rows)
    banded = any(row.loss_low is not None for row in rows)
    headers = ["option", "N", "D", "D/N"]
    headers += [] if equal else ["FLOP"]
    headers += ["loss"] + (["band"] if banded else [])
    # What odds take of the width, the least compute and the inference leave; they are in the rows.
    headers += ["wasted", "p best", "p > 1st"] if likely else ["best C", "wasted", "infer."]
    cells: list[list[str]] = []
    for row in rows:
        name = row.option.removeprefix(f"{law} ")
        size, data = marked(count(row.params), row.params_status), marked(count(row.tokens), row.tokens_status)
        line = [name, size, data, ratio(row.tokens_per_param)]
        line += [] if equal else [flop(row.train_flop)]
        line += [loss(row.loss)] + ([_half_width(row)] if banded else [])
        wasted = share(row.wasted_share)
        if likely:
            line += [wasted, _probability(row.p_best), _probability(row.p_beats_first)]
        else:
            line += [flop(row.optimal_flop_same_loss), wasted, f"{row.inference_relative:.3g}x"]
        cells.append(line)
    at = "as trained" if comparison.as_trained else f"at {flop(comparison.train_flop)} FLOP"
    note = _ODDS_NOTE.format(comparison.draws) if likely else _NOTE
    if any(row.params_status in MARKS or row.tokens_status in MARKS for row in rows):
        note += f"; {LEGEND}"
    numeric = [False, *[True] * (len(headers) - 1)]
    name = f"{comparison.name}, " if comparison.name else ""
    title = f"{name}{law}: {at}; {comparison.accounting.flop.text}"
    return Grid(title=title, headers=headers, rows=cells, numeric=numeric, note=note)


def _half_width(row: ComparedOption) -> str:
    """The band in per cent of the loss; its ends, at full precision, are in the rows."""
    return "-" if row.loss_high is None else f"±{100 * (row.loss_high / row.loss - 1):.1f}%"


def _probability(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"
