"""Shapes of a size as a table, best first."""

from __future__ import annotations

from typing import Any

from scaleplan.compute.family import (
    ASPECT_EXPONENT,
    ASPECT_FACTOR,
    ASPECT_SCATTER,
    FEED_FORWARD_SCATTER,
)
from scaleplan.planning.shapes import SIZE_SCALE, ShapeRow, ShapeSearch
from scaleplan.specs.shape_words import shape_in_words
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Table, count, flop

SHAPES_COLUMNS = (
    "rank",
    "params",
    "params_active",
    "params_embedding",
    "params_nonembedding",
    "params_error_percent",
    "layers",
    "width",
    "heads",
    "kv_heads",
    "head_size",
    "feed_forward",
    "vocabulary",
    "experts",
    "experts_active",
    "expert_feed_forward",
    "width_per_layer",
    "pipeline",
    "tokens",
    "loss_given_away",
    "loss_given_away_percent",
    "score",
    "shape",
)
SCORE_IS = (
    f"(ln(N / asked) / {SIZE_SCALE})^2 + (ln(w/l over typical) / {ASPECT_SCATTER})^2 + (ln(ffn over typical) / "
    f"{FEED_FORWARD_SCATTER})^2 + 2 - p / 2, with p of the pipeline degrees 2, 4, 8, 16 that divide the layers"
)
TYPICAL_IS = (
    f"w/l {ASPECT_FACTOR} P^{ASPECT_EXPONENT}, P = 12 layers width^2, as of 59 published gated decoders; ffn such that "
    "a layer has 12 width^2 weights"
)
VOCABULARY_IS = "128,256 unless given: Llama 3's; the middle one of 59 decoders since 2024 has 151,936"


def shapes_table(search: ShapeSearch) -> Table:
    """Every shape, one a row, with its exact counts; ``shape`` is what other commands take."""
    rows = [_row(place, row) for place, row in enumerate(search.rows, 1)]
    return Table(
        verb="shape",
        inputs=_inputs(search),
        columns=SHAPES_COLUMNS,
        rows=rows,
        warnings=search.warnings,
        grids=lambda: [_grid(search)],
    )


def _row(place: int, row: ShapeRow) -> dict[str, Any]:
    shape, moe = row.shape, row.shape.experts
    params, share = shape.params, row.loss_given_away_share
    return {
        "rank": place,
        "params": params.total,
        "params_active": params.active,
        "params_embedding": params.embedding,
        "params_nonembedding": params.nonembedding,
        "params_error_percent": 100 * row.params_error,
        "layers": shape.layers,
        "width": shape.width,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
        "head_size": shape.head_size,
        "feed_forward": shape.feed_forward if moe is None else None,
        "vocabulary": shape.vocabulary,
        "experts": None if moe is None else moe.count,
        "experts_active": None if moe is None else moe.active,
        "expert_feed_forward": None if moe is None else moe.feed_forward,
        "width_per_layer": shape.width / shape.layers,
        "pipeline": " ".join(map(str, row.pipeline)),
        "tokens": row.tokens,
        "loss_given_away": row.loss_given_away,
        "loss_given_away_percent": None if share is None else 100 * share,
        "score": row.score,
        "shape": shape_in_words(shape),
    }


def _inputs(search: ShapeSearch) -> dict[str, Any]:
    rules, optimum, dense = search.rules, search.optimum, search.law is not None
    return {
        "params": rules.params,
        "train_flop": None if optimum is None else optimum.train_flop,
        "tokens": None if optimum is None else optimum.tokens,
        "loss": None if optimum is None else optimum.loss,
        "law": None if search.law is None else law_inputs(search.law),
        **(accounting_inputs(search.accounting) if dense else {}),
        "tensor": rules.tensor,
        "tile": rules.tile,
        "vocabulary": rules.vocabulary_asked,
        "vocabulary_padded": rules.vocabulary,
        "vocabulary_default": VOCABULARY_IS,
        "context": rules.context,
        "tied": rules.tied,
        "gated": rules.gated,
        "head_size": rules.head_size,
        "kv_heads": rules.kv_heads,
        "experts": rules.experts,
        "experts_active": rules.active,
        "score": SCORE_IS,
        "typical": TYPICAL_IS,
    }


def _grid(search: ShapeSearch) -> Grid:
    rules, dense = search.rules, search.law is not None
    ffn, last = ("ffn", "loss") if dense else ("expert", "active")
    headers = ("params", "off", "layers", "width", "heads", "kv", ffn, "w/l", "pipeline", last, "score")
    tied = "tied" if rules.tied else "untied"
    kind = "" if dense else f" in {rules.experts} experts a layer, {rules.active} active"
    title = f"{count(rules.params)} parameters{kind} (tensor {rules.tensor}, vocabulary {rules.vocabulary:,} {tied})"
    note = f"pipeline: degrees that divide the layers; score: {SCORE_IS}"
    if search.optimum is not None and search.law is not None:
        budget = flop(float(search.optimum.train_flop))
        note = f"loss: what its size gives away against the optimum of {budget} FLOP under {search.law.id}; {note}"
    else:
        note = f"expert: feed-forward width of one; active: parameters that a token passes; {note}"
    return Grid(
        title=title,
        headers=headers,
        rows=[_cells(row) for row in search.rows],
        numeric=(True, True, True, True, True, True, True, True, False, True, True),
        note=note,
    )


def _cells(row: ShapeRow) -> tuple[str, ...]:
    shape, moe = row.shape, row.shape.experts
    share = row.loss_given_away_share
    return (
        count(float(shape.params.total)),
        f"{100 * row.params_error:+.2f}%",
        f"{shape.layers}",
        f"{shape.width}",
        f"{shape.heads}",
        f"{shape.kv_heads}",
        f"{shape.feed_forward if moe is None else moe.feed_forward}",
        f"{shape.width / shape.layers:.0f}",
        " ".join(str(degree) for degree in row.pipeline if degree in (2, 4, 8, 16)) or "-",
        count(float(shape.params.active)) if share is None else _given_away(share),
        f"{row.score:.2f}",
    )


def _given_away(share: float) -> str:
    """A share in per cent to one digit, and below a millionth of one only that it is."""
    return f"{100 * share:.1g}%" if share >= 1e-6 else "<1e-4%"
