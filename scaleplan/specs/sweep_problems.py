"""What is wrong with a sweep file as a whole: its laws, its keys, and axes that do not go together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaleplan.errors import InputFileError, UsageError, nearest
from scaleplan.specs.axes import MOST_ROWS, Axis, is_number, told
from scaleplan.specs.budget import BUDGET_SCHEMA, BudgetDocument, beside, read_parsed
from scaleplan.specs.conditions import RESOURCES
from scaleplan.specs.laws import load_law
from scaleplan.specs.limits import OF_MACHINE, LimitWords, clashes
from scaleplan.specs.pilots_schema import DESIGN
from scaleplan.specs.yaml12 import Document

_SAID_OF_MACHINE = (("budget", "precision"), ("pilots", "share"), ("pilots", "gpu_hours"))
"""What a budget file may say of no accelerator in particular; without any it changes no plan."""


def law_problems(document: Document) -> list[str]:
    """What is wrong with the law or the list of them, by the rules and in the words of a budget file."""
    data = {"schema": BUDGET_SCHEMA, "law": document.data["law"], "budget": {"flops": 1.0}}
    try:
        read_parsed(document._replace(data=data))
    except InputFileError as error:
        return list(error.problems)
    return []


def unknown_keys(document: Document, headings: Sequence[str]) -> list[str]:
    """Keys of the file that no sweep has."""
    known = ("schema", "name", *headings)
    return [
        f"{document.where((key,))}: {key}: unknown key in a sweep.{nearest(key, known)} There are {', '.join(known)}"
        for key in document.data
        if key not in known
    ]


def problems_together(document: Document, held: BudgetDocument, axes: tuple[Axis, ...]) -> list[str]:
    """What is wrong with axes each of which is sound.

    Args:
        document: the file.
        held: the budget document with the first values of the axes, without limits that are axes.
        axes: the axes.
    """
    checks = (_clashes, _unbounded, _without_machine)
    found = [problem for check in checks for problem in check(document, held, axes)]
    return [*found, *_of_design(document, axes), *_too_many(document, axes)]


def _clashes(document: Document, held: BudgetDocument, axes: tuple[Axis, ...]) -> list[str]:
    """Limits that leave nothing to plan or mean nothing together; such as no plan meets make rows that say so."""
    words = LimitWords() if held.limits is None else held.limits.words
    first = {axis.key: axis.first for axis in axes if axis.heading == "limits" and is_number(axis.path)}
    found = clashes(words._replace(**first))
    return [f"{told(document, ('limits', each.key))}: {each.text}" for each in found if not each.infeasible]


def _unbounded(document: Document, held: BudgetDocument, axes: tuple[Axis, ...]) -> list[str]:
    """Laws that give no loss from parameters and tokens, which is what a sweep plans by."""
    listed = next((axis.raw for axis in axes if axis.path == ("law",)), tuple(held.law))
    problems: list[str] = []
    for i, name in enumerate(listed):
        try:
            load_law(beside(document.name, name)).require_surface("a sweep")
        except UsageError as error:
            problems.append(f"{told(document, ('law', i), ('law',))}: {error.message}")
    return problems


def _without_machine(document: Document, held: BudgetDocument, axes: tuple[Axis, ...]) -> list[str]:
    """Limits that are of an accelerator, and axes along which no row changes, where there is no accelerator."""
    said = held.conditions
    if said.on is not None or any(getattr(said, name) is not None for name in RESOURCES):
        return []
    limits = [key for key in OF_MACHINE if key in (document.data.get("limits") or ())]
    found = [f"{told(document, ('limits', key))}: needs an accelerator: name one with budget.on" for key in limits]
    text = "changes no row without an accelerator: name one with budget.on"
    return [*found, *(f"{told(document, axis.path)}: {text}" for axis in axes if axis.path in _SAID_OF_MACHINE)]


def _of_design(document: Document, axes: tuple[Axis, ...]) -> list[str]:
    """Axes of what pilot runs are designed by, along which no plan changes."""
    found = [axis for axis in axes if axis.heading == "pilots" and axis.key in DESIGN]
    return [f"{told(document, axis.path)}: is of `scaleplan pilot`, and changes no row" for axis in found]


def _too_many(document: Document, axes: tuple[Axis, ...]) -> list[str]:
    rows = math.prod(axis.size for axis in axes)
    if rows <= MOST_ROWS:
        return []
    sizes = " x ".join(f"{axis.size:,}" for axis in axes)
    return [f"{document.name}: {sizes} = {rows:,} rows are more than 1e9: take fewer points"]
