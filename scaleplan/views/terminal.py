"""Grids for the terminal, by rich: as wide as the terminal, in colour where it has colour, never cutting a number.

A grid that does not fit even with its words wrapped is printed as one small list a row instead.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from scaleplan.views.screen import clean
from scaleplan.views.table import Grid

_UNBOUNDED = 100_000
_LONGEST_WORD = 24
"""Our choice: a word longer than that, a path or address, may be broken."""


def render(grids: Sequence[Grid], *, terminal: bool) -> str:
    """The grids as text, one below the other.

    Args:
        grids: what to show.
        terminal: whether it goes to standard output, so that its width and colours count; text for a pipe or a
            file is as wide as it needs to be, unless COLUMNS says otherwise.
    """
    live = terminal and sys.stdout.isatty()
    styled = live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "utf-8") if terminal else "utf-8"
    width = None if live else _columns() or _UNBOUNDED
    buffer = _Buffer(encoding)
    console = Console(file=buffer, width=width or _live_width(), force_terminal=styled, highlight=False, emoji=False)
    for i, grid in enumerate(grids):
        if i:
            console.print()
        _print_grid(console, grid)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in buffer.getvalue().split("\n")))
    return _encodable(text.strip("\n") + "\n", encoding)


def _encodable(text: str, encoding: str) -> str:
    """The text with what the terminal cannot show spelt out."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("±", "+-").encode(encoding, "replace").decode(encoding)
    return text


class _Buffer(StringIO):
    """Text in memory that tells rich the encoding of where it will end up."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override] # StringIO declares it a plain attribute
        return self._encoding


def _columns() -> int | None:
    """The width that COLUMNS asks for, where it is one."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _live_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _print_grid(console: Console, grid: Grid) -> None:
    if grid.title:
        console.print(_clean(grid.title), style="bold")
    if not any(grid.headers) and len(grid.headers) == 1:
        for (line,) in grid.rows:
            console.print(Text.assemble("- ", _clean(line)))
        return
    if _least_width(grid) <= console.width:
        _print_table(console, grid)
    elif _least_width(flipped := _flipped(grid)) <= console.width:
        _print_table(console, flipped)
    else:
        _print_records(console, grid)
    if grid.note:
        console.print(_clean(grid.note), style="dim")


def _print_table(console: Console, grid: Grid) -> None:
    table = RichTable(
        box=box.SIMPLE_HEAD, show_header=any(grid.headers), pad_edge=False, padding=(0, 1, 0, 0), header_style="dim"
    )
    for header, numeric, least in zip(grid.headers, grid.numeric, _least_widths(grid), strict=True):
        if numeric:
            table.add_column(_clean(header), justify="right", no_wrap=True)
        else:
            table.add_column(_clean(header), overflow="fold", min_width=least)
    for row in grid.rows:
        table.add_row(*(_clean(cell) for cell in row))
    console.print(table)


def _least_widths(grid: Grid) -> list[int]:
    """The width of each column below which rich would have to cut a number or break an identifier."""
    widths: list[int] = []
    for i, numeric in enumerate(grid.numeric):
        cells = [grid.headers[i], *(row[i] for row in grid.rows)]
        if numeric:
            widths.append(max(len(cell) for cell in cells))
        else:
            words = (len(word) for cell in cells for word in cell.split())
            widths.append(min(max(words, default=0), _LONGEST_WORD))
    return widths


def _least_width(grid: Grid) -> int:
    return sum(_least_widths(grid)) + 2 * (len(grid.headers) - 1) + 2


def _flipped(grid: Grid) -> Grid:
    """The grid with its rows as columns, under the names in its first column."""
    headers = [grid.headers[0], *(row[0] for row in grid.rows)]
    rows = [[grid.headers[i], *(row[i] for row in grid.rows)] for i in range(1, len(grid.headers))]
    return Grid(title=grid.title, headers=headers, rows=rows, numeric=[False, *[True] * len(grid.rows)])


def _print_records(console: Console, grid: Grid) -> None:
    console.print()
    label = max(len(header) for header in grid.headers) + 2
    for i, row in enumerate(grid.rows):
        if i:
            console.print()
        for header, cell in zip(grid.headers, row, strict=True):
            console.print(Text.assemble((_clean(header).plain.ljust(label), "dim"), _clean(cell)), soft_wrap=False)


def _clean(text: str) -> Text:
    """User text as it is, never as markup, without control characters that a terminal would obey."""
    return Text(clean(text))
