"""Trade-offs of training and serving as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from scaleplan.compute.serving import Service
from scaleplan.planning.equal_loss import TradeoffRow
from scaleplan.planning.tradeoff import Tradeoff
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Table, count, flop, loss, ratio, share

TRADEOFF_COLUMNS = tuple(field.name for field in fields(TradeoffRow))
SHOWN_RATIOS = (1.0, 0.75, 0.5, 0.33, 0.25)
"""Our choice: of the front, so many sizes of a loss are read at a glance; the rows have all."""
_MANY = 100.0
"""Our choice: beyond a hundred times, a multiple reads better than a share."""


def tradeoff_table(tradeoff: Tradeoff) -> Table:
    """The curve and the front, or two plans."""
    rows = [{key: getattr(row, key) for key in TRADEOFF_COLUMNS} for row in tradeoff.rows]
    inputs: dict[str, Any] = {
        "flops": tradeoff.train_flop,
        "loss": tradeoff.loss,
        "least_params_ratio": tradeoff.least_params_ratio,
        "options": [
            {"name": o.name, "params": o.params, "params_nonembedding": o.params_nonembedding, "tokens": o.tokens}
            for o in tradeoff.options
        ],
        "serving": None if tradeoff.service is None else _service_inputs(tradeoff.service),
        "assumptions": [each._asdict() for each in tradeoff.assumptions],
        **accounting_inputs(tradeoff.accounting),
        "laws": [law_inputs(tradeoff.law)],
    }
    return Table(
        verb="tradeoff",
        inputs=inputs,
        columns=TRADEOFF_COLUMNS,
        rows=rows,
        warnings=tradeoff.warnings,
        grids=lambda: [_plans_grid(tradeoff)] if tradeoff.options else [_curve_grid(tradeoff), _front_grid(tradeoff)],
    )


def _service_inputs(service: Service) -> dict[str, Any]:
    own: dict[str, Any] = service.demand._asdict()
    server = service.server
    return own if server is None else own | {"on": server.accelerator, "precision": server.precision}


def _of_kind(tradeoff: Tradeoff, kind: str) -> list[TradeoffRow]:
    return [row for row in tradeoff.rows if row.kind == kind]


def _curve_grid(tradeoff: Tradeoff) -> Grid:
    """Runs of one loss, from large to small."""
    served = tradeoff.service is not None
    headers = ["N x", "N", "D", "D/N", "FLOP", "extra", "break-even", *(["life FLOP"] if served else [])]
    cells = [
        [
            _ratio(row),
            count(row.params),
            "endless" if row.tokens is None else count(row.tokens),
            ratio(row.tokens_per_param),
            flop(row.train_flop),
            _extra(row.extra_share),
            count(row.break_even_tokens),
            *([flop(row.lifetime_flop)] if served else []),
        ]
        for row in _of_kind(tradeoff, "equal-loss")
    ]
    note = (
        "N x: parameters over those of the optimum; extra: training FLOP over the optimum's; break-even: served "
        f"tokens beyond which the run has taken fewer FLOP than the optimum{_life_note(tradeoff)}"
    )
    assert tradeoff.loss is not None
    title = f"{tradeoff.law.id}: runs of loss {tradeoff.loss:.4f}; {tradeoff.accounting.flop.text}"
    return Grid(title=title, headers=headers, rows=cells, numeric=[True] * len(headers), note=note)


def _front_grid(tradeoff: Tradeoff) -> Grid:
    """Runs that no other beats in training, serving and loss at once: some sizes of each loss."""
    front = _of_kind(tradeoff, "front")
    rows = [row for row in front if row.params_ratio in SHOWN_RATIOS or row.least_lifetime]
    money = any(row.serving_usd is not None for row in rows)
    serve = "serve USD" if money else "serve FLOP" if tradeoff.service else "FLOP/token"
    headers = ["loss", "N x", "N", "D", "FLOP", serve, *(["life FLOP"] if tradeoff.service else [])]
    cells: list[Sequence[str]] = []
    for i, row in enumerate(rows):
        new = i == 0 or row.loss != rows[i - 1].loss
        serving = 2 * row.params if row.serving_flop is None else row.serving_flop
        cells.append(
            [
                loss(row.loss) if new else "",
                _ratio(row),
                count(row.params),
                count(row.tokens),
                flop(row.train_flop),
                count(row.serving_usd) if money else flop(serving),
                *([flop(row.lifetime_flop)] if tradeoff.service else []),
            ]
        )
    note = f"{len(rows)} of its {len(front)} runs; at a loss no larger model is on it{_life_note(tradeoff)}"
    title = "the front of training compute, serving and loss"
    return Grid(title=title, headers=headers, rows=cells, numeric=[True] * len(headers), note=note)


def _plans_grid(tradeoff: Tradeoff) -> Grid:
    """Two plans, and from where the smaller one has taken less."""
    served = tradeoff.service is not None
    # Two plans fit 80 columns with one of the last two.
    headers = ["plan", "N", "D", "D/N", "FLOP", "loss", "best C", "life FLOP" if served else "extra"]
    cells = [
        [
            str(row.option) + ("*" if row.least_lifetime else ""),
            count(row.params),
            count(row.tokens),
            ratio(row.tokens_per_param),
            flop(row.train_flop),
            loss(row.loss),
            flop(row.optimal_flop_same_loss),
            flop(row.lifetime_flop) if served else _extra(row.extra_share),
        ]
        for row in tradeoff.rows
    ]
    tokens = tradeoff.rows[0].break_even_tokens
    first = "no break-even" if tokens is None else f"break-even at {count(tokens)} served tokens"
    if tokens is not None:
        later = max(tradeoff.rows, key=lambda row: row.train_flop or 0.0)
        first += f", beyond which {later.option} has taken fewer FLOP"
    last = "; extra: FLOP over best C" if tradeoff.service is None else _life_note(tradeoff, "lesser")
    note = f"{first}; best C: least FLOP for the same loss{last}"
    title = f"{tradeoff.law.id}: two plans over their lives; {tradeoff.accounting.flop.text}"
    numeric = [False, *[True] * (len(headers) - 1)]
    return Grid(title=title, headers=headers, rows=cells, numeric=numeric, note=note)


def _life_note(tradeoff: Tradeoff, marked: str = "least of the loss") -> str:
    if tradeoff.service is None:
        return ""
    tokens = float(tradeoff.service.demand.tokens)
    return f"; life FLOP: training and serving {count(tokens)} tokens, *: the {marked}"


def _ratio(row: TradeoffRow) -> str:
    """Parameters over the optimum's, to three digits; the least over the life marked."""
    return f"{'*' if row.least_lifetime else ''}{row.params_ratio:.3g}"


def _extra(value: float | None) -> str:
    """Extra compute: a share, or a multiple where it is many times the optimum's."""
    if value is None:
        return "-"
    return share(value) if value < _MANY else f"{count(value + 1)}x"
