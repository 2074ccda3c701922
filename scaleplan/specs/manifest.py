"""The manifest of pilot runs as CSV: a line a run, which a cluster runs by and results are matched to.

Numbers are written so that they are read back exactly. What stands twice must agree: the parameters with the shape's,
the tokens with steps times batch. The name of a manifest is not in it: it is that of its folder.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from scaleplan.errors import InputFileError, UsageError, nearest, quoted
from scaleplan.pilots.manifest import Manifest, PilotRun, Role
from scaleplan.specs.shape_words import shape_from_words, shape_in_words

if TYPE_CHECKING:
    from scaleplan.compute.transformer import Transformer

COLUMNS = (
    "id", "stage", "role", "params", "params_nonembedding", "tokens", "tokens_per_param", "shape", "batch_tokens",
    "steps", "learning_rate", "seed", "train_flop", "accelerator", "accelerators", "days", "gpu_hours", "cost_usd",
)  # fmt: skip
ROLES: tuple[str, ...] = get_args(Role)
FILE = "manifest.csv"
"""What a manifest is called in the folder of its jobs."""
RESULTS_FOLDER = "results"
"""Where in that folder the results are."""
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_WHAT_ID = "1 to 100 of A-Z a-z 0-9 . _ - and begin with none of . and -: files are named by it"
_ROUNDED = 0.005
"""Our choice: three significant digits, as a spreadsheet shows numbers, are within half a per cent."""
_SAME = 1e-6
"""Our choice: of steps times batch, which are whole numbers, no digit is lost."""
_TAKEN = ("accelerator", "accelerators", "days", "gpu_hours")
"""What a run takes is known as a whole or not at all; a price may be missing."""


def manifest_rows(manifest: Manifest) -> list[dict[str, Any]]:
    """A row a run with the keys ``COLUMNS``, numbers at full precision, ``None`` for absent; the shape in words.

    Raises:
        UsageError: a shape for which there are no words.
    """
    return [
        {key: shape_in_words(run.shape) if key == "shape" else getattr(run, key) for key in COLUMNS}
        for run in manifest.runs
    ]


def manifest_csv(manifest: Manifest) -> str:
    """The text of the file, which ``read_manifest`` reads back to the same runs.

    Raises:
        UsageError: no runs, an id that is no file name or stands twice, several accelerators, a shape without words.
    """
    check_manifest(manifest)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in row.values()] for row in manifest_rows(manifest))
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Counts as plain digits, which scripts compare and shells add; other floats as ``repr`` has them."""
    if value is None:
        return ""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def check_manifest(manifest: Manifest) -> None:
    """Refuse what cannot be written or run.

    Raises:
        UsageError: no runs, an id that is no file name or stands twice, several accelerators.
    """
    if not manifest.runs:
        raise UsageError("a manifest needs at least one run")
    seen: dict[str, str] = {}
    for run in manifest.runs:
        if not _ID.fullmatch(run.id):
            raise UsageError(f"a run's id must be {_WHAT_ID} (got {quoted(run.id)})")
        if run.id.lower() in seen:
            raise UsageError(f"two runs are called {run.id}{_but_for_case(run.id, seen)}")
        seen[run.id.lower()] = run.id
    names = list(dict.fromkeys(run.accelerator for run in manifest.runs))
    if len(names) > 1:
        said = " and ".join("none" if name is None else quoted(name) for name in names[:2])
        raise UsageError(f"all runs of a manifest take the same accelerator (got {said})")
    if names[0] is not None and not _ID.fullmatch(names[0]):
        raise UsageError(f"an accelerator's id must be {_WHAT_ID} (got {quoted(names[0])})")


def read_manifest(path: str) -> Manifest:
    """The runs of a file, in its order; ``-`` is standard input.

    Called ``manifest.csv`` it has its folder's name, otherwise its own.

    Raises:
        InputFileError: a file that cannot be read, a missing or unknown column, and of the cells all that are wrong,
            each with line, column, what was got and what would be right.
    """
    from scaleplan.specs.tables import read_table

    table = read_table(path, _columns)
    if not table.by_line:
        raise InputFileError(f"{table.name}: a manifest is CSV, as `scaleplan pilot` writes it")
    problems: list[str] = []
    runs: list[PilotRun] = []
    for i, values in enumerate(table.frame.iter_rows(named=True)):
        row = _Row(table.at(i), {key: (value or "").strip() for key, value in values.items()}, problems)
        run = row.run()
        if run is not None:
            _beside(run, runs, row)
            runs.append(run)
    if problems:
        raise InputFileError(problems)
    return Manifest(_name_of(path), tuple(runs))


def _name_of(path: str) -> str:
    place = Path(path)
    if path == "-":
        return "pilots"
    return (place.resolve().parent.name if place.name == FILE else place.stem) or "pilots"


def _columns(header: list[str], place: str) -> Sequence[str]:
    unknown = [column for column in header if column not in COLUMNS]
    if unknown:
        raise InputFileError(f"{place}: {unknown[0]!r} is no column of a manifest.{nearest(unknown[0], COLUMNS)}")
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputFileError(f"{place}: no column {missing[0]}; a manifest has {','.join(COLUMNS)}")
    return COLUMNS


def _but_for_case(name: str, seen: Mapping[str, str]) -> str:
    other = seen[name.lower()]
    return "" if other == name else f" and {other}: files of some systems do not tell these apart"


def _beside(run: PilotRun, runs: Sequence[PilotRun], row: _Row) -> None:
    seen = {each.id.lower(): each.id for each in runs}
    if run.id.lower() in seen:
        row.wrong("id", f"stands twice: {run.id}{_but_for_case(run.id, seen)}")
    if runs and run.accelerator != runs[0].accelerator:
        row.wrong("accelerator", f"must be that of the first run, {runs[0].accelerator or 'none'}")


class _Row:
    """The cells of a line; what is wrong with them goes to the problems of the whole file."""

    def __init__(self, place: str, cells: Mapping[str, str], problems: list[str]) -> None:
        self._place, self._cells, self._problems = place, cells, problems

    def run(self) -> PilotRun | None:
        """The run, or ``None`` where a cell is wrong."""
        before = len(self._problems)
        values: dict[str, Any] = {"id": self._identifier("id"), "shape": self._shape(), "role": self._role()}
        values |= {key: self._whole(key, least) for key, least in (("stage", 1), ("steps", 1), ("seed", 0))}
        floats = ("params", "params_nonembedding", "tokens", "batch_tokens", "learning_rate", "train_flop")
        values |= {key: self._number(key) for key in floats} | self._taken()
        ratio = self._number("tokens_per_param")
        if len(self._problems) > before:
            return None
        run = PilotRun(**values)
        self._agree(run, ratio)
        return run if len(self._problems) == before else None

    def wrong(self, column: str, what: str) -> None:
        """Note what is wrong with a cell."""
        self._problems.append(f"{self._place}: {column}: {what}")

    def _agree(self, run: PilotRun, ratio: float) -> None:
        counted = run.shape.params
        for column, had, wanted, whose, tolerance in (
            ("params", run.params, counted.total, "the shape's", _ROUNDED),
            ("params_nonembedding", run.params_nonembedding, counted.nonembedding, "the shape's", _ROUNDED),
            ("tokens", run.tokens, run.steps * run.batch_tokens, "steps x batch_tokens", _SAME),
            ("tokens_per_param", ratio, run.tokens_per_param, "tokens / params", _ROUNDED),
        ):
            if not math.isclose(had, float(wanted), rel_tol=tolerance):
                self.wrong(column, f"must be {whose}, {float(wanted):.15g} (got {self._cells[column]})")

    def _taken(self) -> dict[str, Any]:
        given = [key for key in _TAKEN if self._cells[key]]
        for key in _TAKEN if given else ():
            if key not in given:
                self.wrong(key, f"empty, though {given[0]} is given: write {', '.join(_TAKEN)} or none of them")
        if len(given) == len(_TAKEN):
            accelerator, count = self._identifier("accelerator"), self._whole("accelerators", 1)
            days, hours = self._number("days"), self._number("gpu_hours")
            cost = self._number("cost_usd", zero=True) if self._cells["cost_usd"] else None
            return dict(zip((*_TAKEN, "cost_usd"), (accelerator, count, days, hours, cost), strict=True))
        if not given and self._cells["cost_usd"]:
            self.wrong("cost_usd", f"given without {', '.join(_TAKEN)}: leave it empty")
        return {}

    def _identifier(self, column: str) -> str:
        if not _ID.fullmatch(self._cells[column]):
            self.wrong(column, f"must be {_WHAT_ID} (got {quoted(self._cells[column])})")
        return self._cells[column]

    def _role(self) -> str:
        role = self._cells["role"]
        if role not in ROLES:
            self.wrong("role", f"must be one of {', '.join(ROLES)} (got {quoted(role)}).{nearest(role, ROLES)}")
        return role

    def _shape(self) -> Transformer | None:
        try:
            return shape_from_words(self._cells["shape"])
        except UsageError as error:
            self.wrong("shape", error.message.removeprefix("shape "))
            return None

    def _number(self, column: str, *, zero: bool = False) -> float:
        text = self._cells[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (0 < value < math.inf or (zero and value == 0)):
            self.wrong(column, f"must be a number {'of at least' if zero else 'above'} zero (got {quoted(text)})")
        return value

    def _whole(self, column: str, least: int) -> int:
        value = _whole_number(self._cells[column])
        if value is None or value < least:
            self.wrong(column, f"must be a whole number of at least {least} (got {quoted(self._cells[column])})")
            return least
        return value


def _whole_number(text: str) -> int | None:
    """A whole number of at most 64 bits; 1e4 and 4.0 are such too."""
    try:
        value = float(text)
        exact = int(text) if text.isdecimal() and len(text) < 20 else int(value) if value.is_integer() else None
    except (ValueError, OverflowError):
        return None
    return exact if exact is not None and abs(exact) < 2**63 else None
