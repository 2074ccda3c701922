"""Tables of measured runs, to fit a law to: CSV, NDJSON, Parquet or a dataframe, checked row by row.

Columns: ``params`` or ``params_nonembedding``, ``tokens``, ``loss`` [nats/token]; ``flops`` (or ``train_flop``) stands
in for params or tokens by C = 6 N D (Hoffmann et al. 2022, sec. 3; Kaplan et al. 2020, sec. 2.1); ``run``, ``weight``,
``unique_tokens``, ``tokenizer``, ``corpus``. A bad row is an error that names it; no row is left out but by ``where``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.conventions import ParamCount
from scaleplan.errors import InputFileError, Notice, quoted
from scaleplan.fitting.runs import Runs, relative
from scaleplan.specs import run_conditions
from scaleplan.specs.raw_table import Table
from scaleplan.specs.run_columns import QUANTITIES, Column, column, explain
from scaleplan.specs.run_roles import Roles, roles
from scaleplan.specs.tables import read_table

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

MOST_LOSS = math.log(2**20)
"""[nats/token] A uniform guess over a vocabulary of a million, more than any tokenizer has; our choice."""
LEAST_LOSS = 0.17
"""[nats/token] The least floor E above zero of a law of text in ``presets/laws``: Sardana et al. (arXiv 2401.00448),
table 1, runs of at most 100 tokens a parameter. Henighan et al. 2020, table 1, print 0 for language: no bound."""
NATS_PER_BIT = 0.6931
_ADVICE = 'rows without a value can be left out by --where "loss IS NOT NULL"'
_FEW = 5
"""Our choice: so many values or rows are named in one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOfRuns:
    """Runs as a table has them, what there is to say of reading it, and how many rows it had before any filter."""

    runs: Runs
    notices: tuple[Notice, ...]
    rows_read: int


class _Read(NamedTuple):
    """The rows that passed every condition, and their numbers by our names."""

    table: Table
    roles: Roles
    numbers: Mapping[str, Column]


def read_runs(
    source: Any, *, columns: Mapping[str, str] | None = None, where: Sequence[str] = (), any_loss: bool = False
) -> TableOfRuns:
    """The measured runs of a table, in its order.

    Args:
        source: the path of a CSV, NDJSON or Parquet file, ``-`` for standard input, or a dataframe of polars, pandas,
            pyarrow or another that narwhals knows.
        columns: the table's names by ours, such as ``{"loss": "val_loss"}``, where they differ.
        where: conditions in SQL, such as ``flops < 1e21``; a row has to pass all of them.
        any_loss: take losses that look like bits, percent or perplexity as nats.

    Raises:
        InputFileError: a table that cannot be used; every problem with its line or row, the first 20 by name.
        UsageError: an unknown column in ``columns`` or ``where``, or a condition that cannot be read.
    """
    conditions = (where,) if isinstance(where, str) else tuple(where)
    found: list[Roles] = []

    def choose(names: list[str], place: str) -> Sequence[str]:
        found.append(roles(names, columns or {}, conditions, place))
        return found[0].wanted

    table = read_table(source, choose)
    rows_read = table.frame.height
    for name in (found[0].theirs.get("run"), found[0].theirs.get("tokenizer"), *found[0].corpora):
        _plain(table, name)
    read, notices = _filtered(table, found[0], conditions)
    explain(read.table, list(read.numbers.values()), _contradictions(read), advice=_ADVICE)
    _one_tokenizer(read)
    if not any_loss:
        _sane_losses(read)
    runs, derived = _runs(read)
    notices = (*found[0].notices, *notices, *derived, *_mixtures(read))
    return TableOfRuns(runs=runs, notices=notices, rows_read=rows_read)


def _plain(table: Table, name: str | None) -> None:
    import polars as pl

    if name is None:
        return
    dtype = table.frame[name].dtype
    if dtype.is_nested() or dtype == pl.Binary:
        raise InputFileError(f"{table.name}: {name}: one text or number a row, not {table.frame[name].dtype}")


def _filtered(table: Table, chosen: Roles, conditions: Sequence[str]) -> tuple[_Read, tuple[Notice, ...]]:
    numbers = {
        ours: column(table.frame[theirs], QUANTITIES[ours])
        for ours, theirs in chosen.theirs.items()
        if ours in QUANTITIES
    }
    if not conditions:
        return _Read(table, chosen, numbers), ()
    given = {each.name: each for each in numbers.values()}
    mask, untold = run_conditions.passing(table, conditions, given, chosen.aliases)
    kept, total = int(mask.sum()), len(mask)
    asked = " and ".join(f"--where {quoted(condition)}" for condition in conditions)
    if not kept:
        raise InputFileError(f"{table.name}: none of {total:,} rows passes {asked}")
    if kept == total:
        return _Read(table, chosen, numbers), ()
    no_value = f", {untold:,} of them for want of a value to judge by" if untold else ""
    notice = Notice("rows_filtered", f"{total - kept:,} of {total:,} rows left out by {asked}{no_value}.")
    return _Read(table.keep(mask), chosen, {ours: each.keep(mask) for ours, each in numbers.items()}), (notice,)


def _contradictions(read: _Read) -> list[tuple[Mask, str]]:
    """Rows whose numbers do not go together, though each is one."""
    values = {ours: each.values for ours, each in read.numbers.items()}
    size, tokens, flop, unique = (values.get(name) for name in (read.roles.size, "tokens", "flops", "unique_tokens"))
    found: list[tuple[Mask, str]] = []
    if size is None and flop is not None and tokens is not None:
        found.append((flop < 6 * tokens, "flops: less than 6 a token, so that C / (6 D) is below one parameter"))
    if tokens is None and flop is not None and size is not None:
        found.append((flop < 6 * size, "flops: less than 6 a parameter, so that C / (6 N) is below one token"))
        tokens = flop / (6 * size)
    if unique is not None and tokens is not None:
        found.append((unique > tokens * (1 + 1e-9), "unique_tokens: more than the tokens trained on"))
    if "run" in read.roles.theirs:
        names = read.table.frame[read.roles.theirs["run"]]
        found.append((names.is_null().to_numpy(), "run: an empty value where a name should be"))
    return found


def _sane_losses(read: _Read) -> None:
    import numpy as np

    loss = read.numbers["loss"].values
    odd = np.flatnonzero((loss > MOST_LOSS) | (loss < LEAST_LOSS))
    if not len(odd):
        return
    named = ", ".join(f"{read.table.word} {read.table.rows[i]}: {loss[i]:g}" for i in odd[:_FEW].tolist())
    more = f" and {len(odd) - _FEW:,} more" if len(odd) > _FEW else ""
    raise InputFileError(
        f"{read.table.name}: {read.numbers['loss'].name}: outside {LEAST_LOSS:g} to {MOST_LOSS:.2f} nats a token, "
        f"where no law of text goes ({named}{more}); it looks like bits, percent or perplexity: multiply bits by "
        f"{NATS_PER_BIT}, take the logarithm of perplexity, or confirm with --any-loss"
    )


def _one_tokenizer(read: _Read) -> None:
    theirs = read.roles.theirs.get("tokenizer")
    values = [] if theirs is None else _values(read.table.frame[theirs])
    if len(values) > 1:
        raise InputFileError(
            f"{read.table.name}: {theirs} has {len(values)} values ({_listed(values)}), and losses a token under two "
            f"tokenizers do not compare; keep one with {_keep(str(theirs), values)}"
        )


def _mixtures(read: _Read) -> list[Notice]:
    """A word on every column that says the loss is not of one corpus."""
    notices: list[Notice] = []
    for name in read.roles.corpora:
        values = _values(read.table.frame[name])
        if len(values) > 1:
            text = f"{name} has {len(values)} values ({_listed(values)}), and one law is fitted to all of them"
            notices.append(Notice("mixed_corpora", f"{text}; keep one with {_keep(name, values)}."))
    return notices


def _values(series: pl.Series) -> list[str | None]:
    import polars as pl

    return series.unique(maintain_order=True).cast(pl.String).to_list()


def _listed(values: Sequence[str | None]) -> str:
    shown = ", ".join("none" if value is None else value for value in values[:_FEW])
    return f"{shown} and {len(values) - _FEW:,} more" if len(values) > _FEW else shown


def _keep(name: str, values: Sequence[str | None]) -> str:
    value = next(value for value in values if value is not None)
    text = value if all(_is_number(each) for each in values) else "'" + value.replace("'", "''") + "'"
    column_name = name if name.isidentifier() else f'\\"{name}\\"'
    return f'--where "{column_name} = {text}"'


def _is_number(text: str | None) -> bool:
    try:
        return text is None or math.isfinite(float(text))
    except ValueError:
        return False


def _runs(read: _Read) -> tuple[Runs, tuple[Notice, ...]]:
    import numpy as np

    values = {ours: each.values for ours, each in read.numbers.items()}
    size, tokens, flop = values.get(read.roles.size), values.get("tokens"), values.get("flops")
    notices: tuple[Notice, ...] = ()
    if size is None:
        assert flop is not None
        assert tokens is not None
        size, flop = flop / (6 * tokens), None
        notices = (Notice("derived_params", "params are taken from flops: N = C / (6 D), embeddings counted."),)
    elif tokens is None:
        assert flop is not None
        tokens, flop = flop / (6 * size), None
        without = "" if read.roles.size == "params" else ", N without embeddings"
        notices = (Notice("derived_tokens", f"tokens are taken from flops: D = C / (6 N){without}."),)
    run, names = _run_index(read)
    n = read.table.frame.height
    runs = Runs(
        params=size,
        tokens=tokens,
        loss=values["loss"],
        weight=relative(values.get("weight", np.ones(n))),
        run=run,
        row=np.asarray(read.table.rows, dtype=np.int64),
        counts_params=ParamCount.NONEMBEDDING if read.roles.size == "params_nonembedding" else ParamCount.TOTAL,
        flop=flop,
        unique_tokens=values.get("unique_tokens"),
        names=names,
        source=read.table.name,
        row_word=read.table.word,
        corpus=_only(read, "corpus"),
        tokenizer=_only(read, "tokenizer"),
    )
    return runs, notices


def _run_index(read: _Read) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """The runs that the rows belong to, numbered as they come, and their names."""
    import numpy as np
    import polars as pl

    n = read.table.frame.height
    if "run" not in read.roles.theirs:
        return np.arange(n, dtype=np.int64), None
    rows = read.table.frame[read.roles.theirs["run"]].cast(pl.String).alias("run").to_frame()
    names = rows.unique(maintain_order=True).with_row_index("index")
    index = rows.join(names, on="run", how="left", maintain_order="left")["index"]
    return index.to_numpy().astype(np.int64), tuple(names["run"].to_list())


def _only(read: _Read, ours: str) -> str | None:
    """The one value of a column, where it is there and has one."""
    theirs = read.roles.theirs.get(ours)
    values = [] if theirs is None else _values(read.table.frame[theirs])
    return values[0] if len(values) == 1 else None
