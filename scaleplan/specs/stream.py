"""Streams of numbers on standard input, one a line, read in blocks as they arrive."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from scaleplan import units
from scaleplan.errors import InputFileError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_READ_BYTES = 2**19
"""Our choice: some 60,000 lines a block keep numpy's arrays in cache and the process small."""
_MAX_LINE_BYTES = 2**20
"""Our choice: a line of a megabyte is no number and no row of a table."""


def line_blocks(source: BinaryIO, name: str = "<stdin>") -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines as they become available, each with the number of its first line (from 1).

    A producer that pauses gets its finished lines through at once; a last line without a newline counts.
    """
    descriptor = source.fileno()
    line, rest = 1, b""
    while chunk := os.read(descriptor, _READ_BYTES):
        whole, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest += chunk
            if len(rest) > _MAX_LINE_BYTES:
                raise InputFileError(f"{name}:{line}: longer than a megabyte: not text of one row a line")
            continue
        block = rest + whole + newline
        yield line, block
        line += block.count(b"\n")
        rest = tail
    if rest:
        yield line, rest


def number_blocks(source: BinaryIO, quantity: str) -> Iterator[NDArray[np.float64]]:
    """Arrays of the numbers on the lines of ``source``, checked, in order.

    Raises:
        InputFileError: a line that is not a number in range, with its line number; or no line at all.
    """
    import numpy as np

    empty = True
    for first, block in line_blocks(source):
        empty = False
        lines = block.splitlines()
        try:
            values = np.array([float(text) for text in lines])
        except ValueError:
            values = np.array([_number(text, first + i, quantity) for i, text in enumerate(lines)])
        bad = ~((values > 0) & (values < math.inf))
        if bad.any():
            i = int(bad.argmax())
            _number(lines[i], first + i, quantity)
        yield values
    if empty:
        raise InputFileError("<stdin>: empty; write one number a line")


def _number(text: bytes, line: int, quantity: str) -> float:
    shown = text.decode("utf-8", "backslashreplace").strip()
    try:
        if not shown:
            raise UsageError("an empty line where a number should be")
        return units.parse(shown, quantity)
    except UsageError as error:
        name = "flops" if quantity == "flop" else quantity
        raise InputFileError(f"<stdin>:{line}: {name}: {error.message}") from None
