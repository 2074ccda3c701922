"""Training logs as CSV with a header, commas or tabs between values: Lightning's ``metrics.csv``, exports, own tables.

A cell without a value says nothing: Lightning writes evaluations as rows of their own. A header that stands again in
the middle (a restarted run that appends) is one of the unreadable lines; the columns below are what it says. A quoted
value ends on its own line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaleplan.errors import InputFileError, brief, nearest, quoted
from scaleplan.specs.log_blocks import lines_of
from scaleplan.specs.log_chunks import count_of, in_halves, worth_polars
from scaleplan.specs.log_csv_chunks import csv_chunk
from scaleplan.specs.log_names import known_names, scale_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows
from scaleplan.specs.log_values import as_number, as_time

FORM = "CSV"


class Header(NamedTuple):
    """The names of the columns and what stands between them."""

    names: list[str]
    delimiter: str


class Columns(NamedTuple):
    """Where each role stands in a row, by what its numbers are multiplied with, and where the name of the run."""

    places: Mapping[str, int]
    scales: Mapping[str, float]
    run: int | None


def header_of(line: str, roles: Roles) -> Header | None:
    """The header of a log, if a line is one: of its names at least one is of steps or losses."""
    header = _cells_of_header(line)
    known = {role[0] for role in map(roles.of, header.names) if role is not None}
    return header if len(header.names) > 1 and known & {"step", "loss", "eval_loss"} else None


def _cells_of_header(line: str) -> Header:
    delimiter = "," if "," in line else "\t"
    try:
        names = next(csv.reader([line.strip()], delimiter=delimiter), list[str]())
    except csv.Error:
        names = [line]
    return Header([name.strip() for name in names], delimiter)


class CsvParser:
    """Rows below a header, which is the first line that is not blank.

    Args:
        name: of the log, for messages.
        rows: to be filled.
        careful: read every line by itself, to compare with.
    """

    def __init__(self, name: str, rows: LogRows, *, careful: bool = False) -> None:
        self.name = name
        self.rows = rows
        self._careful = careful
        self._header: Header | None = None
        self._columns = Columns({}, {}, None)
        self._line = 0
        self._fresh = True

    def take(self, block: bytes) -> None:
        """The next lines.

        Raises:
            LogContentError: a header without a column of steps or of losses, or two columns of one name.
        """
        while self._fresh and block:
            line, _, rest = block.partition(b"\n")
            text = line.decode("utf-8", errors="replace")
            if text.strip():
                self._fresh = False
                header = header_of(text, self.rows.roles)
                if header is None and self._header is not None:
                    break  # the same log goes on without a header
                self._use(header or _cells_of_header(text))
            self._line += 1
            block = rest
        if self._careful or not worth_polars(block):
            self._slow(block)
        elif block:
            in_halves(block, self._quick, self._slow)

    def restart(self) -> None:
        """What follows is the beginning of a file, with a header or without."""
        self._fresh, self._line = True, 0

    def _use(self, header: Header) -> None:
        self._columns = columns_of(header.names, self.rows.roles, self.name)
        self._header = header

    def _quick(self, block: bytes) -> bool:
        header = self._header
        assert header is not None
        if not csv_chunk(block, header.delimiter, len(header.names), *self._columns, self.rows):
            return False
        self._line += count_of(block, b"\n")
        return True

    def _slow(self, block: bytes) -> None:
        for line in lines_of(block):
            self._line += 1
            if line.strip(" \r"):
                self._row(line)

    def _row(self, line: str) -> None:
        header = self._header
        assert header is not None
        values = _cells(line, header.delimiter)
        if values is None or len(values) != len(header.names) or not self._numbers(values):
            self.rows.bad(f"line {self._line}", line)
            again = header_of(line, self.rows.roles)
            if again is not None and not any(as_number(each) is not None for each in again.names):
                self._use(again)

    def _numbers(self, values: Sequence[str]) -> bool:
        """Takes a row of as many cells as there are columns; whether there are numbers where they must be."""
        columns, rows = self._columns, self.rows
        places, odd = columns.places, False
        try:
            found = {role: float(values[place]) for role, place in places.items() if values[place]}
        except ValueError:
            cells = {role: values[place] for role, place in places.items() if values[place].strip()}
            numbers = {role: as_time(cell) if role == "time" else as_number(cell) for role, cell in cells.items()}
            odd = numbers.get("time", math.nan) is None
            found = {role: number for role, number in numbers.items() if number is not None}
            if len(found) + odd < len(cells):
                return False
        for role, scale in columns.scales.items():
            if role in found:
                found[role] *= scale
        step = found.pop("step", math.nan)
        if not math.isfinite(step):
            return False
        rows.roles.odd_times += odd
        if (columns.run is None or rows.of_run((values[columns.run],))) and not rows.place(step, found):
            rows.ignored += 1
        return True


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The values of a line; ``None`` where a quoted one does not end."""
    if '"' not in line:
        return line.rstrip("\r").split(delimiter)
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=delimiter, strict=True), None)
    except csv.Error:
        return None


def columns_of(names: Sequence[str], roles: Roles, name: str) -> Columns:
    """Where each role stands.

    Raises:
        LogContentError: steps or losses stand nowhere, or two columns have one name.
        InputFileError: a name that was given is none of them.
    """
    doubled = next((each for each in names if each and names.count(each) > 1 and roles.of(each)), None)
    if doubled is not None:
        raise LogContentError(f"{name}: column {quoted(doubled)} stands twice")
    for role, each in roles.given.items():
        if each not in names:
            raise absent(name, role, each, names)
    found: dict[str, tuple[int, int]] = {}
    for place, each in enumerate(names):
        role = roles.of(each)
        if role is not None and (role[0] not in found or role[1] < found[role[0]][0]):
            found[role[0]] = role[1], place
    for wanted, others in (("step", ("step",)), ("loss", ("loss", "eval_loss"))):
        if not found.keys() & set(others):
            near = nearest(wanted, [each for each in names if roles.of(each) is None])
            known = known_names(wanted)
            got = brief(", ".join(names))
            raise LogContentError(f"{name}: no column {wanted!r} (also read: {known}); got {got!r}.{near}")
    places = {role: place for role, (_, place) in found.items()}
    scales = {role: scale for role, place in places.items() if (scale := scale_of(names[place], role)) != 1}
    run = next((list(names).index(each) for each in roles.run_names if each in names), None)
    return Columns(places, scales, run)


def absent(name: str, role: str, given: str, names: Sequence[str]) -> InputFileError:
    """The error for a column that was asked for and is not there."""
    got = brief(", ".join(names))
    return InputFileError(f"{name}: no column {quoted(given)}, given for {role}; got {got!r}.{nearest(given, names)}")
