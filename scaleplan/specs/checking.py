"""Reading any file of ours to say whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from scaleplan import units
from scaleplan.compute.bill import Extra
from scaleplan.errors import InputFileError
from scaleplan.specs.conditions import RESOURCES
from scaleplan.specs.files import read_document, shown
from scaleplan.specs.yaml12 import Document, merged, parse_parts, schema_of

if TYPE_CHECKING:
    from scaleplan.specs.budget import BudgetDocument, OptionsDocument
    from scaleplan.specs.budget_schema import BudgetSpec

Holds: TypeAlias = tuple[tuple[str, str], ...]

_SWEEP = "scaleplan.sweep/1"
_CATALOGUE = {
    "scaleplan.model/1": "models",
    "scaleplan.accelerator/1": "accelerators",
    "scaleplan.ability/1": "abilities",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """A sound file: its path, its schema, and what was read from it by name."""

    path: str
    schema: str
    holds: Holds


def check_file(path: str) -> FileCheck:
    """Read a file by its own schema, laws and models it names included.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    if path.lower().endswith(".csv"):
        return _check_runs(path)
    from scaleplan.specs.budget import BUDGET_SCHEMA, OPTIONS_SCHEMA

    parts = parse_parts(read_document(path), shown(path))
    document = merged(parts)
    schema = schema_of(document)
    if schema == "scaleplan.law/1":
        return FileCheck(path=path, schema=schema, holds=_law(document))
    if len(parts) > 1 and schema != "scaleplan.model/1":
        raise InputFileError(f"{parts[1].where(())}: a second YAML document; only a law or a model file has one")
    if isinstance(schema, str) and schema in _CATALOGUE:
        return FileCheck(path=path, schema=schema, holds=_entry(document, _CATALOGUE[schema]))
    if schema == _SWEEP:
        return FileCheck(path=path, schema=schema, holds=_sweep(document))
    if schema not in (BUDGET_SCHEMA, OPTIONS_SCHEMA):
        got = "missing" if schema is None else f"got {schema!r}"
        *others, last = (BUDGET_SCHEMA, OPTIONS_SCHEMA, _SWEEP, "scaleplan.law/1", *_CATALOGUE)
        known = f"{', '.join(others)} or {last}"
        raise InputFileError(f"{document.where(('schema',))}: schema: must be {known} ({got})")
    return FileCheck(path=path, schema=schema, holds=_budget(document))


def _law(document: Document) -> Holds:
    from scaleplan.specs.law_document import validate_own
    from scaleplan.specs.records import build_record

    record = build_record(validate_own(document))
    lines = [("law", record.id), ("kind", record.kind), ("gives", record.gives)]
    for role, names in record.roles.items():
        for group in (record.groups[name] for name in names):
            constants = ", ".join(f"{c.symbol} = {c.value:g}" for c in group.constants)
            lines += [(role, f"{group.name}: {group.equation}"), ("constants", constants)]
    labels = {"params": "N counts", "flop": "C counts", "loss": "loss"}
    lines += [(label, record.counts[key]) for key, label in labels.items() if key in record.counts]
    if record.law is not None:
        lines.append(("bands", "yes" if record.law.uncertainty else "no"))
    if record.checks:
        lines.append(("checks", f"{len(record.checks)} published values as recorded"))
    return tuple(lines)


def _sweep(document: Document) -> Holds:
    from scaleplan.specs.sweep import sweep_of

    spec = sweep_of(document)
    axes = ((axis.name, f"{axis.size:,} values") for axis in spec.axes)
    return (("name", spec.name or "-"), ("rows", f"{spec.rows:,}"), *axes)


def _budget(document: Document) -> Holds:
    from scaleplan.specs.budget import BudgetDocument, read_parsed

    spec, options = read_parsed(document)
    budget = spec.budget
    lines = [("name", spec.name or "-"), ("laws", ", ".join(spec.law) or "the default")]
    if budget is not None:
        lines.append(_spent(budget))
        lines += [(name, _said(value)) for name, value in _conditions(spec) if name not in RESOURCES]
    if isinstance(spec, BudgetDocument) and spec.needs_accelerator:
        lines.append(("needs", "an accelerator for its limits: budget.on, or --on"))
    lines.append(("compare", ", ".join(option.name for option in options) or "-"))
    return tuple(lines)


def _spent(budget: BudgetSpec) -> tuple[str, str]:
    """The budget itself: which, and how much."""
    if budget.flops is not None:
        return "flops", units.flop(budget.flops)
    name = next(name for name in ("loss", *RESOURCES) if getattr(budget, name) is not None)
    return name, _said(getattr(budget, name))


def _conditions(spec: BudgetDocument | OptionsDocument) -> list[tuple[str, Any]]:
    """What the file says of the cluster, its pilots, its limits and its serving."""
    from scaleplan.specs.budget import OptionsDocument

    found = spec.conditions._asdict()
    if spec.budget is None or spec.budget.precision is None:
        found["precision"] = None
    listed = [(name, getattr(spec.conditions, name)) for name, value in found.items() if value is not None]
    if isinstance(spec, OptionsDocument):
        return listed
    limits = {} if spec.limits is None else spec.limits.words._asdict()
    serving = {} if spec.serving is None else spec.serving.words._asdict()
    listed += [(name, _counted(name, value)) for name, value in limits.items() if value is not None]
    return [
        *listed,
        *((f"serving {name}", _counted(name, value)) for name, value in serving.items() if value is not None),
    ]


_COUNTS = ("params", "min_params", "max_params", "tokens", "unique_tokens", "prompt", "answer")


def _counted(name: str, value: Any) -> Any:
    """Parameters and tokens with their suffix, memory in GB; the rest as it is."""
    if name == "memory" and isinstance(value, float):
        return f"{value / 1e9:g} GB"
    return units.count(value) if name in _COUNTS else value


def _said(value: Any) -> str:
    if isinstance(value, Extra):
        return f"{100 * value.share:g}%" if value.share else f"{value.gpu_hours:,.6g} accelerator-hours"
    return value if isinstance(value, str) else f"{value:,.10g}"


def _entry(document: Document, kind: str) -> Holds:
    """A model, accelerator or ability: what it is called, and which numbers it has."""
    from scaleplan.specs.catalogue_document import validate_own

    data = validate_own(document, kind)
    lines = [("id", data["id"]), ("name", data["name"])]
    if kind == "models":
        from scaleplan.specs.models import build_model

        found = {field: units.count(value.value) for field, value in build_model(data).values.items()}
    elif kind == "accelerators":
        from scaleplan.specs.accelerators import build_accelerator

        values = build_accelerator(data).values
        found = {field: f"{_written(value.value)} {value.unit}" for field, value in values.items()}
        found = {name: f"{text} (indicative)" if name == "launch_price" else text for name, text in found.items()}
    else:
        from scaleplan.specs.abilities import build_ability

        ability = build_ability(data)
        lines.append(("kind", ability.kind))
        numbers = {**ability.scale, **ability.figures}
        found = {name: f"{_written(each.value)} {each.unit}" for name, each in numbers.items()}
    return (*lines, *found.items())


def _written(value: float) -> str:
    return units.flop(value) if value >= 1e9 else f"{value:g}"


def _check_runs(path: str) -> FileCheck:
    from scaleplan.compute.accounting import Accounting
    from scaleplan.specs.runs import run_blocks

    rows, ignored = 0, ()
    for block in run_blocks(path, Accounting()):
        rows += len(block.params)
        ignored = block.ignored
    holds = (("rows", f"{rows:,}"), ("columns not used", ", ".join(ignored) or "-"))
    return FileCheck(path=path, schema="table of runs", holds=holds)
