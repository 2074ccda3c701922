"""Training logs as CSV with a header, commas or tabs between values: Lightning's ``metrics.csv``, exports, own tables.

A cell without a value says nothing: Lightning writes evaluations as rows of their own. A header that stands again in
the middle (a restarted run that appends) is one of the unreadable lines.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scaleplan.errors import brief, nearest, quoted
from scaleplan.specs.log_rows import NAMES, LogContentError, LogRows, as_number, role_of

FORM = "CSV"


class Header(NamedTuple):
    """The names of the columns and what stands between them."""

    names: list[str]
    delimiter: str


def header_of(line: str) -> Header | None:
    """The header of a log, if a line is one: of its names at least one is of steps or losses."""
    delimiter = "," if "," in line else "\t"
    try:
        names = [name.strip() for name in next(csv.reader([line.strip()], delimiter=delimiter), list[str]())]
    except csv.Error:
        return None
    known = {role[0] for role in map(role_of, names) if role is not None}
    return Header(names, delimiter) if len(names) > 1 and known & {"step", "loss", "eval_loss"} else None


def read_csv(lines: Iterable[str], header: Header, name: str) -> LogRows:
    """The rows below a header.

    Args:
        lines: of the whole file, the header the first that is not blank.
        header: what it says.
        name: of the file, for messages.

    Raises:
        LogContentError: no column of steps or of losses, or two columns of one name.
    """
    places = _places(header.names, name)
    rows = LogRows(FORM)
    reader = csv.reader(lines, delimiter=header.delimiter)
    run = next((header.names.index(each) for each in ("run", "run_id") if each in header.names), None)
    below = False
    try:
        for values in reader:
            if below and values:
                _row(rows, values, places, len(header.names))
                if run is not None and run < len(values):
                    rows.runs.add(values[run])
            below = below or bool("".join(values).strip())
    except csv.Error as error:
        raise LogContentError(f"{name}:{reader.line_num}: not CSV: {error}") from None
    return rows


def _row(rows: LogRows, values: Sequence[str], places: dict[str, int], width: int) -> None:
    if len(values) != width:
        rows.unreadable += 1
        return
    try:
        found = {role: float(values[place]) for role, place in places.items() if values[place]}
        known = len(found)
    except ValueError:
        cells = {role: values[place] for role, place in places.items() if values[place].strip()}
        found = {role: number for role, cell in cells.items() if (number := as_number(cell)) is not None}
        known = len(cells)
    step = found.pop("step", math.nan)
    if len(found) + 1 < known or not math.isfinite(step):
        rows.unreadable += 1
    elif not rows.place(step, found):
        rows.ignored += 1


def _places(names: list[str], name: str) -> dict[str, int]:
    """Where each role stands.

    Raises:
        LogContentError: steps or losses stand nowhere, or two columns have one name.
    """
    doubled = next((each for each in names if each and names.count(each) > 1 and role_of(each)), None)
    if doubled is not None:
        raise LogContentError(f"{name}: column {quoted(doubled)} stands twice")
    found: dict[str, tuple[int, int]] = {}
    for place, each in enumerate(names):
        role = role_of(each)
        if role is not None and (role[0] not in found or role[1] < found[role[0]][0]):
            found[role[0]] = role[1], place
    for wanted, others in (("step", ("step",)), ("loss", ("loss", "eval_loss"))):
        if not found.keys() & set(others):
            near = nearest(wanted, [each for each in names if role_of(each) is None])
            known = ", ".join(NAMES[wanted])
            got = brief(", ".join(names))
            raise LogContentError(f"{name}: no column {wanted!r} (also read: {known}); got {got!r}.{near}")
    return {role: place for role, (_, place) in found.items()}
