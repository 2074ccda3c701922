"""Lines of text that look like the one before, many at once: the same numbers as line by line.

A line that was read shows which fields its like have; one pattern then takes what is looked for out of each that has
the same fields in the same order. Lines that differ in anything but numbers are read by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from scaleplan.specs.log_bars import Bars, Cell, take_bars
from scaleplan.specs.log_names import COLUMNS, scale_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogRows
from scaleplan.specs.log_values import as_number

if TYPE_CHECKING:
    from scaleplan.specs.log_rows import Floats

NUMBER = r"([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf|NaN|NAN|Inf|INF))"
_STAMP = r"\[(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?)\]"
STAMP = re.compile(_STAMP)
"""The time at the beginning of Megatron-LM's lines."""
_ITERATION = re.compile(r"[^|\x1b\n]*?\biteration\s+\d{1,15}\s*/\s*\d{1,15}\s*\|")
_MEGATRON, _NANO = "Megatron-LM text", "nanoGPT text"
_NANO_ROW = re.compile(rf"^iter (\d{{1,15}}): loss {NUMBER}, time {NUMBER}ms(?:, mfu [-+.\d]{{1,20}}%)?$", re.MULTILINE)


class Template:
    """What lines of one shape have in their groups: numbers by role; ``total`` is no column. ``bars``: in a table."""

    def __init__(
        self,
        form: str,
        pattern: re.Pattern[str],
        roles: tuple[str, ...],
        scales: Mapping[str, float],
        bars: Bars | None = None,
    ) -> None:
        self.form = form
        self.bars = bars
        self.match = pattern.fullmatch
        self.all_in = pattern.findall
        self._roles = roles
        self._scales = scales

    def fill(self, found: list[tuple[str, ...]], rows: LogRows) -> bool:
        """Put lines into rows; whether all of them had numbers where they should."""
        columns = dict(zip(self._roles, zip(*found, strict=True), strict=True))
        try:
            numbers = {role: _READ.get(role, _floats)(each) for role, each in columns.items()}
        except ValueError:
            return False
        for role, scale in self._scales.items():
            numbers[role] *= scale
        if "total" in numbers:
            rows.facts["total_steps"] = float(numbers.pop("total")[-1])
        step = numbers.pop("step")
        rows.extend(step, numbers)
        return True


def _floats(texts: tuple[str, ...]) -> Floats:
    import numpy as np

    return np.array(list(map(float, texts)))


def _stamps(texts: tuple[str, ...]) -> Floats:
    import numpy as np

    return np.array(texts, dtype="datetime64[us]").astype(np.int64) / 1e6


_READ: Mapping[str, Callable[[tuple[str, ...]], Floats]] = {"time": _stamps}


class Batch:
    """Lines that are alike, put into rows together.

    Args:
        found: the rows by format.
        slow: reads a line by itself.
    """

    def __init__(self, found: Mapping[str, LogRows], slow: Callable[[str], object]) -> None:
        self._found = found
        self._slow = slow
        self._template: Template | None = None
        self._groups: list[tuple[str, ...]] = []
        self._lines: list[str] = []
        self._taken: dict[str, int] = {}

    def take(self, line: str) -> bool:
        """Whether a line is like the one learned from, to be put into rows later; if not, all before it are now."""
        if self._template is not None:
            match = self._template.match(line)
            if match is not None:
                self._groups.append(match.groups())
                self._lines.append(line)
                return True
            self._flush()
        return False

    def learn(self, line: str) -> None:
        """A line that was read by itself: what those like it look like."""
        self._template = _learned(line, self._found) or self._template

    @property
    def ready(self) -> bool:
        """Whether a line was learned from."""
        return self._template is not None

    def all_of(self, lines: Sequence[str], *, by_polars: bool) -> str:
        """Puts lines into rows if all of them are like the one learned from: the format."""
        template = self._template
        assert template is not None
        rows = self._found[template.form]
        if not lines or (by_polars and template.bars is not None and take_bars(lines, template.bars, rows)):
            return template.form
        found: list[tuple[str, ...]] = template.all_in("\n".join(lines))
        return template.form if len(found) == len(lines) and template.fill(found, rows) else ""

    def done(self) -> Mapping[str, int]:
        """The end of the lines: how many were taken by format."""
        self._flush()
        taken, self._taken = self._taken, {}
        return taken

    def _flush(self) -> None:
        if self._template is None or not self._groups:
            return
        form, groups, lines = self._template.form, self._groups, self._lines
        self._groups, self._lines = [], []
        if self._template.fill(groups, self._found[form]):
            self._taken[form] = self._taken.get(form, 0) + len(groups)
            return
        for line in lines:
            self._slow(line)


def _learned(line: str, found: Mapping[str, LogRows]) -> Template | None:
    """What lines like this one look like; ``None`` where it is no row, or not sure."""
    template = _nano(line) if _NANO in found else None
    if template is None and _MEGATRON in found:
        template = _megatron(line, found[_MEGATRON].roles)
    return template if template is not None and template.match(line) is not None else None


def _nano(line: str) -> Template | None:
    if _NANO_ROW.fullmatch(line) is None:
        return None
    return Template(_NANO, _NANO_ROW, ("step", "loss", "step_time"), {"step_time": 1e-3})


def _megatron(line: str, roles: Roles) -> Template | None:
    start = _ITERATION.match(line)
    if start is None:
        return None
    fields = {key.strip(): value.strip() for key, _, value in _fields(line[start.end() :])}
    best = _best(fields, roles)
    if "loss" not in best or len(fields) < line.count("|", start.end()) or not set(best) <= set(COLUMNS):
        return None
    stamped = STAMP.search(line, 0, start.end()) is not None and "time" not in roles.given
    if stamped:
        pattern = [rf"[^|\x1b\n\[]*(?:\[(?!\d{{4}}-)[^|\x1b\n\[]*)*{_STAMP}[^|\x1b\n]*?"]
        best.pop("time", None)
    else:
        pattern = [rf"(?![^|\n]*{_STAMP.replace('(', '(?:', 1)})[^|\x1b\n]*?"]
    pattern.append(r"\biteration[^\S\n]+(\d{1,15})[^\S\n]*/[^\S\n]*(\d{1,15})[^\S\n]*\|")
    order = ["time"] * stamped + ["step", "total"]
    cells: list[Cell] = []
    spelt = {key.strip(): key + colon for key, colon, _ in _fields(line[start.end() :])}
    looked_at = {name: role for role, name in best.items()}
    for name, value in fields.items():
        pattern.append(re.escape(spelt[name]))
        cells.append(Cell(spelt[name], looked_at.get(name), name in looked_at and as_number(value) is None))
        if name not in looked_at:
            pattern.append(r"[^|\x1b\n]*+\|")
        elif as_number(value) is not None:
            pattern.append(r" *+([^\s|\x1b]++) *+\|")
            order.append(looked_at[name])
        else:  # two times with a slash: no number here, nor in lines like it
            pattern.append(r"[^|\x1b\n/]*+/[^|\x1b\n]*+\|")
    pattern.append(r"[^|\x1b\n]*+$")
    scales = {role: scale for role, name in best.items() if role in order and (scale := scale_of(name, role)) != 1}
    whole = re.compile("^" + "".join(pattern), re.MULTILINE)
    return Template(_MEGATRON, whole, tuple(order), scales, Bars(stamped, cells, scales))


def _fields(text: str) -> list[tuple[str, str, str]]:
    return [part.partition(":") for part in text.split("|")[:-1]]


def _best(fields: Mapping[str, str], roles: Roles) -> dict[str, str]:
    """By role the name that counts; nothing where another might count in the next line."""
    best: dict[str, tuple[int, str]] = {}
    several: set[str] = set()
    for name in fields:
        found = roles.of(name)
        if found is not None:
            several |= {found[0]} & best.keys()
            if found[0] not in best or found[1] <= best[found[0]][0]:
                best[found[0]] = found[1], name
    if any(as_number(fields[best[role][1]]) is None for role in several):
        return {}
    return {role: name for role, (_, name) in best.items()}
