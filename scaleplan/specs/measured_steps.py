"""Tables of measured training steps (CSV), for one time factor: ``--calibrate steps.csv``.

A row names its shape (``model`` of the catalogue, or ``layers width heads kv_heads head_size feed_forward vocabulary``
and ``gated``), ``context`` [tokens], ``accelerators`` and the layout (``tensor pipeline data context_parallel expert
zero micro_batch interleave recompute``), ``global_batch`` [tokens], and ``seconds`` of a step or
``tokens_per_second_per_accelerator``. What a layout column does not say is what ``Layout`` starts from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from scaleplan.compute.layout import Layout, Recompute
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import InputFileError, UsageError, brief, quoted
from scaleplan.specs.files import read_document, shown

_SHAPE = ("layers", "width", "heads", "kv_heads", "head_size", "feed_forward", "vocabulary")
_DEGREES = {
    "tensor": "tensor",
    "pipeline": "pipeline",
    "data": "data",
    "context_parallel": "context",
    "expert": "expert",
    "micro_batch": "micro_batch",
    "interleave": "interleave",
}
_RESULTS = ("seconds", "tokens_per_second_per_accelerator")
_COLUMNS = (
    "model", *_SHAPE, "gated", "context", "accelerators", *_DEGREES, "zero", "recompute", "global_batch", *_RESULTS
)  # fmt: skip
_MOST_PROBLEMS = 20
_MOST_DIGITS = 15
"""Of a whole number: our choice, beyond every size and within what a float holds exactly."""


class MeasuredStep(NamedTuple):
    """One row: its line, shape and layout, sequences of a step, the seconds it took, and the value given for them."""

    line: int
    shape: Transformer
    layout: Layout
    sequences: int
    seconds: float
    column: str
    given: float


def read_steps(path: str) -> tuple[MeasuredStep, ...]:
    """The rows of a CSV file, or of standard input for ``-``.

    Raises:
        InputFileError: no such file, an unusable header, or bad values, each with its line and column.
    """
    import csv

    name = shown(path)
    lines = csv.reader(read_document(path).splitlines())
    problems: list[str] = []
    steps: list[MeasuredStep] = []
    try:
        header = _header(next(lines), name)
        for values in lines:
            if not "".join(values).strip():
                continue
            where = f"{name}:{lines.line_num}"
            if len(values) != len(header):
                problems.append(f"{where}: {len(values)} values, {len(header)} columns in the header")
                continue
            row = {key: value.strip() for key, value in zip(header, values, strict=True) if value.strip()}
            found = _Row(row, where, problems).step(lines.line_num)
            if found is not None:
                steps.append(found)
    except csv.Error:
        problems.append(f"{name}:{lines.line_num}: not CSV with a line feed after each row")
    refuse(problems, name)
    if not steps:
        raise InputFileError(f"{name}: a header and no rows")
    return tuple(steps)


def refuse(problems: list[str], name: str) -> None:
    """Raises the problems of a file, of very many the first ones.

    Raises:
        InputFileError: there are any.
    """
    more = len(problems) - _MOST_PROBLEMS
    if problems:
        raise InputFileError(
            [*problems[:_MOST_PROBLEMS], f"{name}: and {more} more problems"] if more > 0 else problems
        )


def _header(values: list[str], name: str) -> list[str]:
    """The columns.

    Raises:
        InputFileError: an unknown one, one twice, or one that is needed missing.
    """
    from scaleplan.errors import nearest

    header = [value.strip() for value in values]
    for column in header:
        if column not in _COLUMNS:
            raise InputFileError(
                f"{name}:1: unknown column {quoted(column)}.{nearest(column, _COLUMNS)} There are {', '.join(_COLUMNS)}"
            )
        if header.count(column) > 1:
            raise InputFileError(f"{name}:1: column {quoted(column)} stands twice")
    missing = [] if "model" in header else [column for column in (*_SHAPE, "context") if column not in header]
    missing += [] if "global_batch" in header else ["global_batch"]
    missing += [] if any(column in header for column in _RESULTS) else [" or ".join(_RESULTS)]
    missing += [] if any(column in header for column in ("accelerators", "data")) else ["accelerators"]
    if missing:
        raise InputFileError(f"{name}:1: no column {', '.join(missing)}")
    return header


class _Row:
    """One row while it is read: what is wrong with it goes to ``problems``."""

    def __init__(self, row: Mapping[str, str], where: str, problems: list[str]) -> None:
        self.row, self.where, self.problems = row, where, problems
        self.before = len(problems)

    def step(self, line: int) -> MeasuredStep | None:
        """The step; ``None`` where something is wrong with the row."""
        shape, layout = self._shape(), self._layout()
        batch, result = self._number("global_batch", "tokens"), self._result()
        if self.failed or shape is None or layout is None:
            return None
        context, tokens = int(shape.context), batch
        sequences = round(tokens / context)
        if sequences * context != tokens:
            given = brief(self.row["global_batch"])
            self._problem("global_batch", f"must be a multiple of the context of {context} (got {given} tokens)")
            return None
        self._divides(shape, layout, sequences)
        if self.failed:
            return None
        column, value = result
        seconds = value if column == "seconds" else tokens / float(layout.accelerators) / value
        if seconds == math.inf:
            self._problem(column, f"is too small: the step would never end (got {brief(self.row[column])})")
            return None
        return MeasuredStep(line, shape, layout, sequences, seconds, column, value)

    @property
    def failed(self) -> bool:
        """Whether anything is wrong so far."""
        return len(self.problems) > self.before

    def _shape(self) -> Transformer | None:
        context = self._whole("context", 1) if "context" in self.row else None
        if "model" in self.row:
            shape = self._catalogued(self.row["model"])
            given = [column for column in (*_SHAPE, "gated") if column in self.row]
            if given:
                self._problem(given[0], "a shape given beside a model: keep one of them")
            return shape if shape is None or context is None else shape._replace(context=context)
        missing = [column for column in (*_SHAPE, "context") if column not in self.row]
        if missing:
            self._problem("model", f"empty, and no value of {', '.join(missing)}: give a model, or a whole shape")
            return None
        sizes: dict[str, Any] = {column: self._whole(column, 1) for column in (*_SHAPE, "context")}
        gated = self.row.get("gated", "true").lower()
        if gated not in ("true", "false"):
            self._problem("gated", f"must be true or false (got {quoted(gated)})")
        return None if self.failed else Transformer(**sizes, gated=gated == "true")

    def _catalogued(self, name: str) -> Transformer | None:
        from scaleplan.specs.models import load_model

        try:
            shape = load_model(name).shape
        except UsageError as error:
            self._problem("model", error.message)
            return None
        if shape is None:
            self._problem("model", f"the shape of {name} is not known: give {', '.join(_SHAPE)}")
        return shape

    def _layout(self) -> Layout | None:
        degrees: dict[str, Any] = {
            field: self._whole(column, 1) for column, field in _DEGREES.items() if column in self.row
        }
        zero = self._whole("zero", 0) if "zero" in self.row else 1
        if zero > 3:
            self._problem("zero", f"must be 0, 1, 2 or 3 (got {zero})")
        recompute = self.row.get("recompute", "none").lower()
        kinds = [kind.value for kind in Recompute]
        if recompute not in kinds:
            self._problem("recompute", f"must be one of {', '.join(kinds)} (got {quoted(recompute)})")
        count = self._whole("accelerators", 1) if "accelerators" in self.row else None
        if self.failed:
            return None
        layout = Layout(**degrees, zero=zero, recompute=Recompute(recompute))
        rest = int(layout.tensor) * int(layout.pipeline) * int(layout.context)
        if count is not None and "data" not in degrees:
            layout = layout._replace(data=max(1, count // rest))
        if count is not None and layout.accelerators != count:
            self._problem("accelerators", f"the degrees multiply to {layout.accelerators} (got {count})")
        return None if self.failed else layout

    def _divides(self, shape: Transformer, layout: Layout, sequences: int) -> None:
        """What a layout must divide."""
        moe = shape.experts
        checks = (
            ("micro_batch", sequences, int(layout.data) * int(layout.micro_batch), "sequences", "data x micro_batch"),
            ("tensor", int(shape.heads), int(layout.tensor), "heads", "tensor"),
            ("expert", 1 if moe is None else int(moe.count), int(layout.expert), "experts", "expert"),
        )
        for column, whole, part, what, by in checks:
            if whole % part:
                self._problem(column, f"{whole} {what} do not divide by {by} = {part}")
        chunks = int(layout.pipeline) * int(layout.interleave)
        if shape.layers < chunks:
            self._problem("pipeline", f"{int(shape.layers)} layers are fewer than pipeline x interleave = {chunks}")

    def _result(self) -> tuple[str, float]:
        given = [column for column in _RESULTS if column in self.row]
        if len(given) != 1:
            self._problem(_RESULTS[0], f"give either seconds or {_RESULTS[1]}")
            return _RESULTS[0], 1.0
        return given[0], self._number(given[0], "loss")

    def _number(self, column: str, quantity: str) -> float:
        """A number above zero."""
        from scaleplan import units

        try:
            return units.parse(self.row.get(column, ""), quantity)
        except UsageError as error:
            self._problem(column, error.message if column in self.row else "an empty value where a number should be")
            return 1.0

    def _whole(self, column: str, least: int) -> int:
        text = self.row.get(column, "")
        if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) >= least:
            return int(text)
        self._problem(column, f"must be a whole number from {least} (got {quoted(text)})")
        return max(least, 1)

    def _problem(self, column: str, text: str) -> None:
        self.problems.append(f"{self.where}: {column}: {text}")
