"""Tables of runs to predict: ``params`` and ``tokens``, or one of them with ``flops``; an optional ``run`` name.

CSV is read in blocks, as it arrives; NDJSON and Parquet whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import InputFileError
from scaleplan.specs.csv_text import csv_header, csv_table
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.raw_table import Table
from scaleplan.specs.run_columns import QUANTITIES, Column, column, comma_hint, explain, one_flop_column
from scaleplan.specs.stream import line_blocks
from scaleplan.specs.tables import EMPTY, is_csv, table_of_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMBERS = ("params", "tokens", "train_flop")
_NAMES = {"params": "params", "tokens": "tokens", "flops": "train_flop", "train_flop": "train_flop", "run": "run"}
_START_BYTES = 1000
"""Our choice: enough to tell what a file is, past a byte-order mark and blank lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBlock:
    """Some rows of a table: parameters (embeddings counted), tokens, and the ``run`` column where there is one."""

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    names: list[str] | None
    ignored: tuple[str, ...]


def run_blocks(path: str, accounting: Accounting) -> Iterator[RunBlock]:
    """The rows of a CSV, NDJSON or Parquet file, or of standard input for ``-``, in blocks and in order.

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
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed below, the try holds the opening alone
    except OSError as error:
        raise unreadable(name, error) from None
    with file:
        try:
            start = b""
            if file.seekable():
                start = file.read(_START_BYTES)
                file.seek(0)
            if start and not is_csv(start):
                yield _whole(file.read(), name, accounting)
            else:
                yield from _blocks(file, name, accounting)
        except OSError as error:
            raise unreadable(name, error) from None


def _whole(data: bytes, name: str, accounting: Accounting) -> RunBlock:
    header: list[str] = []

    def choose(columns: list[str], place: str) -> list[str]:
        header.extend(columns)
        _check_names(columns, place)
        return [column for column in columns if column in _NAMES]

    return _run_block(table_of_bytes(data, name, choose), header, accounting)


def _blocks(source: BinaryIO, name: str, accounting: Accounting) -> Iterator[RunBlock]:
    header: list[str] | None = None
    count = 0
    blocks = line_blocks(source, name)
    for line, block in blocks:
        first, body = line, block
        if header is None:
            if not is_csv(block[:_START_BYTES]):
                yield _whole(block + b"".join(rest for _, rest in blocks), name, accounting)
                return
            if b"\0" in block:
                raise InputFileError(f"{name}: a binary file, not CSV text")
            head, _, body = block.partition(b"\n")
            header = csv_header(head, name)
            _check_names(header, f"{name}:1")
            first += 1
        table = csv_table(body, header, name, first)
        if table.frame.height:
            count += table.frame.height
            yield _run_block(table, header, accounting)
    if header is None:
        raise InputFileError(f"{name}: {EMPTY}")
    if not count:
        raise InputFileError(f"{name}: a header and no rows")


def _check_names(columns: list[str], place: str) -> None:
    one_flop_column(columns, place)
    known = [_NAMES[column] for column in columns if column in _NAMES]
    if len([column for column in _NUMBERS if column in known]) < 2:
        missing = [c for c in ("params", "tokens") if c not in known]
        raise InputFileError(
            f"{place}: no column {missing[0]!r}; needs params and tokens (or one of them and flops), "
            f"got {', '.join(columns) or 'nothing'}{comma_hint(columns)}"
        )


def _run_block(table: Table, header: list[str], accounting: Accounting) -> RunBlock:
    import polars as pl

    numbers: dict[str, Column] = {
        _NAMES[c]: column(table.frame[c], QUANTITIES[c]) for c in header if _NAMES.get(c) in _NUMBERS
    }
    explain(table, list(numbers.values()))
    params, tokens, flop = (numbers[key].values if key in numbers else None for key in _NUMBERS)
    ignored = [column for column in header if column not in _NAMES]
    if params is None:
        assert flop is not None
        assert tokens is not None
        params = accounting.size_for(flop, tokens).total
        _at_least_one(cast("NDArray[np.float64]", params), "params", table)
    elif tokens is None:
        assert flop is not None
        tokens = accounting.tokens(accounting.size(params, ParamCount.TOTAL), flop)
        _at_least_one(cast("NDArray[np.float64]", tokens), "tokens", table)
    elif flop is not None:
        ignored.append("flops, since params and tokens are there")
    return RunBlock(
        params=cast("NDArray[np.float64]", params),
        tokens=cast("NDArray[np.float64]", tokens),
        names=table.frame["run"].cast(pl.String).to_list() if "run" in header else None,
        ignored=tuple(ignored),
    )


def _at_least_one(values: NDArray[np.float64], name: str, table: Table) -> None:
    small = values < 1
    if small.any():
        i = int(small.argmax())
        raise InputFileError(f"{table.at(i)}: {name}: must be at least 1 (got {values[i]:g})")
