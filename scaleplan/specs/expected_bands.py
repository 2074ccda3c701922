"""The band that a run's loss is expected in, from a file: what ``scaleplan forecast`` prints, or one's own table."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from scaleplan.errors import InputFileError, nearest, quoted
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_files import open_regular

if TYPE_CHECKING:
    from scaleplan.forecasting.readings import Floats

COLUMNS = ("step", "loss_low", "loss_high")
_FORECAST = "scaleplan.forecast/1"
_WANTED = "a table of step, loss_low, loss_high, or what `scaleplan forecast --format json` prints"


class ExpectedBand(NamedTuple):
    """The band of the loss by rising step, as ``name`` has it: arrays of one length."""

    step: Floats
    low: Floats
    high: Floats
    name: str


def read_expected(path: str) -> ExpectedBand:
    """The band that a file holds.

    Args:
        path: JSON of ``scaleplan forecast``, CSV with a header, or JSON lines; columns ``step``, ``loss_low``,
            ``loss_high``.

    Raises:
        InputFileError: no such file, another format, no such columns, fewer than two rows, a value that is no finite
            number, steps that do not rise, or a lower end above the upper.
    """
    name = shown(path)
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise unreadable(name, error) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputFileError(f"{name}: not UTF-8 text; wanted {_WANTED}") from None
    if not text.strip():
        raise InputFileError(f"{name}: empty; wanted {_WANTED}")
    rows = _json_rows(text, name) if text.lstrip().startswith(("{", "[")) else _csv_rows(text, name)
    values = [_values(place, row) for place, row in rows]
    if len(values) < 2:
        raise InputFileError(f"{name}: {_many(len(values))}; a band has two steps at least; wanted {_WANTED}")
    band = ExpectedBand(*np.array(values, dtype=np.float64).T, name=name)
    falls = np.flatnonzero(np.diff(band.step) <= 0)
    if falls.size:
        at = int(falls[0]) + 1
        raise InputFileError(f"{name}: step {band.step[at]:.10g} follows {band.step[at - 1]:.10g}; steps must rise")
    return band


def _csv_rows(text: str, name: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    _require(list(reader.fieldnames or ()), f"{name}:1")
    return [(f"{name}:{reader.line_num}", row) for row in reader]


def _json_rows(text: str, name: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The rows of an envelope, of a list of objects, or of an object a line."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        found = _each_line(text, name)
    else:
        found = _of_document(document, name)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for place, row in found:
        if not isinstance(row, dict):
            raise InputFileError(f"{place}: no object with {', '.join(COLUMNS)}")
        _require(list(cast("dict[str, Any]", row)), place)
        rows.append((place, cast("dict[str, Any]", row)))
    return rows


def _each_line(text: str, name: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append((f"{name}:{number}", json.loads(line)))
            except (ValueError, RecursionError):
                raise InputFileError(f"{name}:{number}: not JSON; wanted {_WANTED}") from None
    return found


def _of_document(document: Any, name: str) -> list[tuple[str, Any]]:
    """The rows of a forecast: its curve where it has one, else its rows."""
    if not isinstance(document, dict):
        return [(f"{name}, row {i}", row) for i, row in enumerate(cast("list[Any]", document), 1)]
    envelope = cast("dict[str, Any]", document)
    if "schema" not in envelope:
        return [(f"{name}, row 1", envelope)]
    if envelope["schema"] != _FORECAST:
        raise InputFileError(f"{name}: schema: must be {_FORECAST} (got {quoted(str(envelope['schema']))})")
    inputs: Any = envelope.get("inputs")
    curve: Any = cast("dict[str, Any]", inputs).get("curve") if isinstance(inputs, dict) else None
    key, rows = ("inputs.curve", curve) if curve else ("rows", envelope.get("rows"))
    if not isinstance(rows, list):
        raise InputFileError(f"{name}: {key}: must be a list of rows")
    return [(f"{name}: {key}[{i}]", row) for i, row in enumerate(cast("list[Any]", rows))]


def _require(columns: list[str], place: str) -> None:
    for column in COLUMNS:
        if column not in columns:
            named = ", ".join(quoted(each) for each in columns[:20]) or "nothing"
            raise InputFileError(f"{place}: no {column!r} (got {named}).{nearest(column, columns)} Wanted {_WANTED}")


def _values(place: str, row: Mapping[str, Any]) -> tuple[float, float, float]:
    step, low, high = (_number(place, key, row[key]) for key in COLUMNS)
    if low > high:
        raise InputFileError(f"{place}: loss_low {low:.10g} is above loss_high {high:.10g}")
    return step, low, high


def _number(place: str, key: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputFileError(f"{place}: {key}: must be a finite number (got {quoted(str(value))})")
    return number


def _many(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
