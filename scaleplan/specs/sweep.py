"""The sweep file (``scaleplan.sweep/1``): a budget file in which any value may be an axis.

A list is an axis, and so is a range ``{from: 1e21, to: 1e26, points: 1000}``, whose points are equal ratios apart, or
equal steps with ``scale: linear``. The rows are the product of the axes in the order of the file, the last one fastest.

Every value is checked by the budget file's own rules: a document of one value each first, then every other value of
each axis in its place.
"""

from __future__ import annotations

import json
import math
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from scaleplan.errors import InputFileError
from scaleplan.specs.axes import Axis, Span, is_axis, is_number, range_problems, told, value_at
from scaleplan.specs.budget import BUDGET_SCHEMA, BudgetDocument, beside, read_parsed
from scaleplan.specs.document import by_line, require_schema
from scaleplan.specs.files import read_document, shown
from scaleplan.specs.laws import DEFAULT_LAW, load_law, planning_ids
from scaleplan.specs.sweep_problems import law_problems, problems_together, unknown_keys
from scaleplan.specs.yaml12 import Document, Path, parse

if TYPE_CHECKING:
    from scaleplan.laws.law import Law

SWEEP_SCHEMA = "scaleplan.sweep/1"
HEADINGS = ("law", "budget", "limits", "serving", "pilots")
"""Of a budget file, those whose values may be axes."""


class SweepSpec(NamedTuple):
    """A sweep: its axes, and the budget document that holds whatever is no axis, with first values in their places.

    ``text`` is the document, as JSON. Small, hashable and picklable, so that a worker can make any rows of it: laws and
    machines are looked up where they are used.
    """

    name: str | None
    file: str
    text: str
    axes: tuple[Axis, ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return math.prod(axis.size for axis in self.axes)

    def document(self, chosen: Mapping[Path, Any]) -> BudgetDocument:
        """The budget document of some rows.

        Args:
            chosen: values as written by the paths of their axes; what is left out is as ``text`` has it.

        Raises:
            InputFileError: the values do not go together.
        """
        document = Document(self.file, json.loads(self.text), {})
        for path, raw in chosen.items():
            document = _put(document, path, raw, path)
        return _budget_document(document)

    def law(self, document: BudgetDocument) -> Law:
        """The law of a document of this sweep."""
        return load_law(beside(self.file, document.law[0]))


def read_sweep(path: str) -> SweepSpec:
    """A sweep file, or ``-`` for standard input.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    return sweep_of(parse(read_document(path, "sweep"), shown(path)))


def sweep_of(document: Document) -> SweepSpec:
    """A parsed sweep file, the laws and machines it names looked up.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    require_schema(document, SWEEP_SCHEMA)
    data: Any = document.data
    if not isinstance(data, dict):
        raise InputFileError(f"{document.where(())}: must be a mapping of keys to values")
    document = Document(document.name, _with_laws(cast("dict[str, Any]", data)), document.lines)
    problems = law_problems(document)
    if problems:  # the rest is looked at all the same
        document = document._replace(data={**document.data, "law": DEFAULT_LAW})
    try:
        spec = _spec_of(document)
    except InputFileError as error:
        raise InputFileError(by_line([*problems, *error.problems])) from None
    _refuse(problems)
    return spec


def _spec_of(document: Document) -> SweepSpec:
    paths = list(_axis_paths(document.data))
    _refuse([*unknown_keys(document, HEADINGS), *(each for path in paths for each in _shape_problems(document, path))])
    template = _template(document, paths)
    held = _budget_document(template)
    found = [_axis(document, template, path) for path in paths]
    _refuse([text for _, problems in found for text in problems])
    axes = tuple(axis for axis, _ in found)
    _refuse(problems_together(document, held, axes))
    return SweepSpec(document.data.get("name"), document.name, json.dumps(template.data), axes)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InputFileError(by_line(problems))


def _budget_document(document: Document) -> BudgetDocument:
    spec, _ = read_parsed(document)
    assert isinstance(spec, BudgetDocument)
    return spec


def _with_laws(data: dict[str, Any]) -> dict[str, Any]:
    """The data with a law: the default where none is named, every law with a loss surface for ``all``."""
    law = data.get("law", DEFAULT_LAW)
    if law not in ("all", ["all"]):
        return data if "law" in data else {"law": law, **data}
    laws = [load_law(name) for name in planning_ids()]
    able = [each.id for each in laws if each.surface is not None and "allocate" not in each.refuses]
    return {key: able if key == "law" else value for key, value in data.items()}


def _axis_paths(data: Mapping[str, Any]) -> Iterator[Path]:
    """Where the axes stand, in the order of the file."""
    for heading, value in data.items():
        if heading == "law" and is_axis(value):
            yield (heading,)
        elif heading in HEADINGS and isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            yield from ((heading, key) for key in inner if is_axis(inner[key]))


def _shape_problems(document: Document, path: Path) -> list[str]:
    value = value_at(document, path)
    if isinstance(value, dict):
        return range_problems(document, path)
    return [] if value else [f"{told(document, path)}: an axis without values: list one or more"]


def _template(document: Document, paths: list[Path]) -> Document:
    """The budget document with the first value of each axis; limits that are axes wait, for they bound each other.

    Unique tokens do not: a number of epochs means nothing without them.
    """
    template = document._replace(data={**document.data, "schema": BUDGET_SCHEMA})
    for path in paths:
        if path[0] == "limits" and is_number(path) and path[-1] != "unique_tokens":
            rest = {key: value for key, value in template.data["limits"].items() if key != path[-1]}
            template = template._replace(data={**template.data, "limits": rest})
        else:
            template = _put(template, path, *_written(document, path)[0])
    return template


def _put(document: Document, path: Path, raw: Any, place: Path) -> Document:
    """The document with a value at a path, said to stand where ``place`` does."""
    heading, data = str(path[0]), cast("dict[str, Any]", document.data)
    value = raw if len(path) == 1 else {**data.get(heading, {}), path[1]: raw}
    lines = document.lines
    if place in lines:
        lines = ChainMap({path: lines[place], (*path, 0): lines[place]}, cast("dict[Path, int]", lines))
    return document._replace(data={**data, heading: value}, lines=lines)


def _written(document: Document, path: Path) -> list[tuple[Any, Path]]:
    """The values of an axis as written, of a range its ends, and where each stands."""
    value = value_at(document, path)
    parts = ("from", "to") if isinstance(value, dict) else range(len(value))
    return [(value[part], (*path, part)) for part in parts]


def _axis(document: Document, template: Document, path: Path) -> tuple[Axis, list[str]]:
    """An axis, and what is wrong with it."""
    axis = Axis(str(path[0]), str(path[1]) if len(path) > 1 else "")
    written = _written(document, path)
    read, problems = _read(template, path, written)
    if problems:
        return axis, problems
    value = value_at(document, path)
    numbers = all(isinstance(each, float) for each in read)
    if not isinstance(value, dict):
        values = tuple(read) if numbers or path == ("law",) else tuple(str(raw) for raw, _ in written)
        return axis._replace(raw=tuple(raw for raw, _ in written), values=values), []
    linear = cast("dict[str, Any]", value).get("scale") == "linear"
    if not numbers:
        return axis, [f"{told(document, path)}: not a number, which a range is of: list the values"]
    if not linear and min(read) <= 0:
        return axis, [f"{told(document, path)}: there are no equal ratios from zero; add scale: linear"]
    return axis._replace(span=Span(read[0], read[1], int(cast("Any", value)["points"]), linear)), []


def _read(template: Document, path: Path, written: list[tuple[Any, Path]]) -> tuple[list[Any], list[str]]:
    """Values as the budget file reads them, each in its place in the template; and what is wrong with them."""
    read: list[Any] = []
    problems: list[str] = []
    field: TypeAdapter[Any] | None = None
    for raw, place in written:
        if raw is None:
            problems.append(f"{told(template, place, path)}: a value is missing")
            continue
        if field is not None:
            try:
                read.append(field.validate_python(raw))
                continue
            except ValidationError:
                pass  # told below, in the words of the file
        try:
            spec = _budget_document(_put(template, path, raw, place))
        except InputFileError as error:
            problems += error.problems
            continue
        if path == ("law",):
            read.append(load_law(beside(template.name, raw)).id)
            continue
        part: Any = getattr(spec, str(path[0]))
        value = getattr(part, str(path[1]))
        read.append(float(value) if isinstance(value, int) else value)
        if is_number(path):
            field = _field(cast("Any", type(part)), str(path[1]))
    return read, list(dict.fromkeys(problems))


def _field(model: type[BaseModel], key: str) -> TypeAdapter[Any]:
    """What reads one field of a heading; of a number nothing else depends on what it is."""
    info = model.model_fields[key]
    return TypeAdapter(cast("Any", Annotated)[(info.annotation, *info.metadata, None)])  # one that means nothing
