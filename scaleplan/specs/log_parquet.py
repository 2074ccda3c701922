"""Training logs as Parquet: a table of one run with a column of steps and one of losses, others by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError, brief, nearest, quoted
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_names import known_names, scale_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import JOINED, LogContentError, LogRows
from scaleplan.specs.log_series import chosen, joined
from scaleplan.specs.log_values import as_time

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FORM = "Parquet"
_MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does.

    Raises:
        InputFileError: the system does not open it.
    """
    if path.is_dir():
        return False
    with open_regular(path) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read_parquet(path: Path, name: str, columns: Mapping[str, str], run: str | None = None) -> LogRows:
    """The rows of a table; only the columns that say something are read.

    Args:
        path: the file.
        name: for messages.
        columns: the column by role, where it is not one of those that tools use.
        run: the only run of which rows are taken.

    Raises:
        LogContentError: no column of steps or of losses, text where numbers must be, not Parquet or cut off.
        InputFileError: a file that cannot be read.
    """
    import polars as pl

    rows = LogRows(FORM, Roles(columns), run)
    open_regular(path).close()
    try:
        with open_regular(path) as file:
            names = list(pl.read_parquet_schema(file))
            file.seek(0)
            frame = pl.read_parquet(file, columns=wanted(names, rows.roles, name))
    except InputFileError:
        raise
    except BaseException as error:
        if not isinstance(error, pl.exceptions.PolarsError) and type(error).__name__ != "PanicException":
            raise
        raise LogContentError(f"{name}: not Parquet, or cut off: {brief(str(error).partition(chr(10))[0])}") from None
    add_frame(rows, frame, name)
    return rows


def wanted(names: list[str], roles: Roles, name: str) -> list[str]:
    """The columns that are read: by role, and those that name a run.

    Raises:
        LogContentError: no column of steps or of losses.
    """
    found = [step_column(names, roles, name), *chosen(names, roles, name, "column").values()]
    return list(dict.fromkeys((*found, *(each for each in roles.run_names if each in names))))


def step_column(names: list[str], roles: Roles, name: str) -> str:
    """The column of steps.

    Raises:
        LogContentError: there is none.
    """
    ranked = [(role[1], place) for place, each in enumerate(names) if (role := roles.of(each)) and role[0] == "step"]
    if ranked:
        return names[min(ranked)[1]]
    known = roles.given.get("step") or known_names("step")
    got = brief(", ".join(names))
    raise LogContentError(f"{name}: no column 'step' (read as one: {known}); got {got!r}.{nearest('step', names)}")


def add_frame(rows: LogRows, frame: pl.DataFrame, name: str) -> None:
    """Fill rows from a table.

    A cell without a value says nothing: where the loss has none there is no row of training. A loss without a step is
    one of the unreadable rows.

    Raises:
        LogContentError: a column of steps or losses holds something else than numbers.
    """
    import numpy as np

    for each in (column for column in rows.roles.run_names if column in frame.columns):
        runs = frame[each].drop_nulls().unique(maintain_order=True).to_list()
        rows.runs |= {str(run) for run in runs}
        if rows.run is not None:
            frame = frame.filter([str(run) == rows.run for run in frame[each].to_list()])
    names = chosen(frame.columns, rows.roles, name, "column")
    step, _ = _numbers(frame, step_column(frame.columns, rows.roles, name), "step", name)
    columns = {role: _numbers(frame, each, role, name) for role, each in names.items()}
    placed = np.isfinite(step)
    used = np.zeros(step.size, dtype=np.bool_)
    for role, add in (("loss", rows.extend), ("eval_loss", None)):
        if role not in columns:
            continue
        values, there = columns[role]
        used |= there
        here = there & placed
        if add is None:
            rows.extend_evaluations(step[here], values[here])
        else:
            alone = ~there & ~columns["eval_loss"][1] if "eval_loss" in columns else ~there
            others = {
                each: joined(step, here, alone, column) if each in JOINED else column[here]
                for each, (column, _) in columns.items()
                if each != "eval_loss"
            }
            add(step[here], others)
    rows.unreadable += int((used & ~placed).sum())
    rows.ignored += int((~used).sum())


def _numbers(frame: pl.DataFrame, column: str, role: str, name: str) -> tuple[Floats, NDArray[np.bool_]]:
    """A column as numbers, NaN where it has none, and where it has a value.

    Raises:
        LogContentError: steps or losses that are no numbers.
    """
    import polars as pl

    values = frame[column]
    kind = values.dtype
    if isinstance(kind, (pl.Datetime, pl.Date)):
        values = values.dt.timestamp("us") / 1e6
    elif isinstance(kind, pl.Duration):
        values = values.dt.total_microseconds() / 1e6
    elif role == "time" and isinstance(kind, pl.String):
        values = pl.Series(column, [as_time(each) for each in values.to_list()], dtype=pl.Float64)
    elif not (kind.is_numeric() or isinstance(kind, (pl.String, pl.Null))):
        raise LogContentError(f"{name}: column {quoted(column)} holds {kind}, not numbers, but is read as {role}")
    elif isinstance(kind, pl.String):
        values = values.str.strip_chars().replace("", None)
    found = values.cast(pl.Float64, strict=False)
    wrong = values.filter(found.is_null() & values.is_not_null())
    if role in ("step", "loss") and len(wrong):
        raise LogContentError(
            f"{name}: column {quoted(column)} is no number in {len(wrong):,} rows (first {wrong[0]!r})"
        )
    there = found.is_not_null().to_numpy()
    return found.fill_null(float("nan")).to_numpy() * scale_of(column, role), there
