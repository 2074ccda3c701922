"""Tables of runs (CSV): ``params`` and ``tokens``, or one of them with ``flops``; an optional ``run`` name."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import InputFileError
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.stream import line_blocks

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_NUMBERS = ("params", "tokens", "train_flop")
_MOST_PROBLEMS = 20
_NAMES = {"params": "params", "tokens": "tokens", "flops": "train_flop", "train_flop": "train_flop", "run": "run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBlock:
    """Some rows of a table: parameters (embeddings counted), tokens, and the ``run`` column where there is one."""

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    names: list[str] | None
    ignored: tuple[str, ...]


def run_blocks(path: str, accounting: Accounting) -> Iterator[RunBlock]:
    """The rows of a CSV file, or of standard input for ``-``, in blocks and in order.

    Where ``flops`` stands in for params or tokens, the missing one follows from it by the accounting.

    Raises:
        InputFileError: no such file, no usable header, or a value that is not a number in range, with its line.
    """
    name = shown(path)
    if path == "-":
        import sys

        yield from _blocks(sys.stdin.buffer, name, accounting)
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, the try holds the opening alone
    except OSError as error:
        raise unreadable(name, error) from None
    with file:
        try:
            yield from _blocks(file, name, accounting)
        except OSError as error:
            raise unreadable(name, error) from None


def _blocks(source: BinaryIO, name: str, accounting: Accounting) -> Iterator[RunBlock]:
    header: list[str] | None = None
    count = 0
    for line, block in line_blocks(source, name):
        if b"\0" in block:
            raise InputFileError(f"{name}: a binary file, not CSV text")
        first, body = line, block
        if header is None:
            head, _, body = block.partition(b"\n")
            header = _header(head, name)
            first += 1
        rows = _rows(body, name, first)
        if rows.lines:
            count += len(rows.lines)
            yield _run_block(_frame(rows, header), rows, header, accounting)
    if header is None:
        raise InputFileError(f"{name}: empty; the first line must name the columns, such as params,tokens")
    if not count:
        raise InputFileError(f"{name}: a header and no rows")


def _header(line: bytes, name: str) -> list[str]:
    import csv

    try:
        text = line.decode("utf-8-sig")
        columns = [column.strip() for column in next(csv.reader([text]), list[str]())]
    except UnicodeDecodeError:
        raise InputFileError(f"{name}:1: not UTF-8 text") from None
    except csv.Error:
        raise InputFileError(f"{name}:1: not CSV with a line feed after each row") from None
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled:
        raise InputFileError(f"{name}:1: column {doubled[0]!r} stands twice")
    if "flops" in columns and "train_flop" in columns:
        raise InputFileError(f"{name}:1: flops and train_flop are the same column; keep one")
    known = [_NAMES[column] for column in columns if column in _NAMES]
    if len([column for column in _NUMBERS if column in known]) < 2:
        missing = [c for c in ("params", "tokens") if c not in known]
        raise InputFileError(
            f"{name}:1: no column {missing[0]!r}; needs params and tokens (or one of them and flops), "
            f"got {', '.join(columns) or 'nothing'}{'; write commas between them' if ';' in text else ''}"
        )
    return columns


class _Rows(NamedTuple):
    """Rows of a table as text, one a line, with the number of each one's line in the file."""

    name: str
    text: bytes
    lines: Sequence[int]

    def where(self, row: int) -> str:
        """``file:line`` of a row."""
        return f"{self.name}:{self.lines[row]}"


def _rows(body: bytes, name: str, first: int) -> _Rows:
    """The lines of a block that are not blank.

    Raises:
        InputFileError: text that is not UTF-8, or a quoted value with a line break in it.
    """
    texts = body.split(b"\n")
    if not texts[-1].strip():
        texts.pop()
    if b'"' in body:
        for i, text in enumerate(texts):
            if text.count(b'"') % 2:
                raise InputFileError(f"{name}:{first + i}: a quoted value must end on its own line")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        line = first + body[: error.start].count(b"\n")
        raise InputFileError(f"{name}:{line}: not UTF-8 text") from None
    if all(text.strip() for text in texts):
        return _Rows(name, body, range(first, first + len(texts)))
    kept = [i for i, text in enumerate(texts) if text.strip()]
    return _Rows(name, b"\n".join(texts[i] for i in kept) + b"\n", [first + i for i in kept])


def _frame(rows: _Rows, header: list[str]) -> pl.DataFrame:
    """The rows as columns of text.

    Raises:
        InputFileError: a row with more or fewer values than the header has columns.
    """
    import csv

    import polars as pl

    frame: pl.DataFrame | None = None
    with contextlib.suppress(pl.exceptions.PolarsError):
        frame = pl.read_csv(io.BytesIO(rows.text), has_header=False, infer_schema=False, quote_char='"')
    # Polars fills short rows in silence: only a last column without a gap shows that there are none.
    if frame is None or frame.width != len(header) or frame[frame.columns[-1]].has_nulls():
        for i, values in enumerate(csv.reader(rows.text.decode().splitlines())):
            if len(values) != len(header):
                text = f"{len(values)} values, {len(header)} columns in the header"
                raise InputFileError(f"{rows.where(i)}: {text}")
        frame = pl.DataFrame(
            list(csv.reader(rows.text.decode().splitlines())), schema=dict.fromkeys(header, pl.String), orient="row"
        )
    return frame.rename(dict(zip(frame.columns, header, strict=True)))


def _run_block(frame: pl.DataFrame, rows: _Rows, header: list[str], accounting: Accounting) -> RunBlock:
    numbers = {_NAMES[c]: _numbers(frame, c, rows) for c in header if _NAMES.get(c) in _NUMBERS}
    params, tokens, flop = (numbers.get(key) for key in _NUMBERS)
    ignored = [column for column in header if column not in _NAMES]
    if params is None:
        assert flop is not None
        assert tokens is not None
        params = accounting.size_for(flop, tokens).total
    elif tokens is None:
        assert flop is not None
        tokens = accounting.tokens(accounting.size(params, ParamCount.TOTAL), flop)
    elif flop is not None:
        ignored.append("flops, since params and tokens are there")
    return RunBlock(
        params=_at_least_one(cast("NDArray[np.float64]", params), "params", rows),
        tokens=_at_least_one(cast("NDArray[np.float64]", tokens), "tokens", rows),
        names=frame["run"].to_list() if "run" in header else None,
        ignored=tuple(ignored),
    )


def _numbers(frame: pl.DataFrame, column: str, rows: _Rows) -> NDArray[np.float64]:
    """A column as numbers; text such as 70B is read value by value only where the fast cast fails."""
    import polars as pl

    from scaleplan import units
    from scaleplan.errors import UsageError

    text = frame[column].str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    quantity = "flop" if _NAMES[column] == "train_flop" else column
    bad = (values.is_null() | values.is_nan() | values.is_infinite() | (values <= 0)).fill_null(True)
    if not bad.any():
        return values.to_numpy()
    numbers = values.to_list()
    problems: list[str] = []
    for i in bad.arg_true().to_list():
        given = text[i]
        try:
            if given is None or given == "":
                raise UsageError("an empty value where a number should be")
            numbers[i] = units.parse(given, quantity)
        except UsageError as error:
            problems.append(f"{rows.where(i)}: {column}: {error.message}")
    if problems:
        shown = problems[:_MOST_PROBLEMS]
        more = len(problems) - len(shown)
        raise InputFileError([*shown, f"{rows.name}: and {more} more such values"] if more else shown)
    import numpy as np

    return np.array(numbers)


def _at_least_one(values: NDArray[np.float64], column: str, rows: _Rows) -> NDArray[np.float64]:
    small = values < 1
    if small.any():
        i = int(small.argmax())
        raise InputFileError(f"{rows.where(i)}: {column}: must be at least 1 (got {values[i]:g})")
    return values
