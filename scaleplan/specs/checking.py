"""Reading any file of ours to say whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from scaleplan import units
from scaleplan.errors import InputFileError
from scaleplan.specs.files import read_document, shown
from scaleplan.specs.yaml12 import merged, parse_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """A sound file: its path, its schema, and what was read from it by name."""

    path: str
    schema: str
    holds: tuple[tuple[str, str], ...]


def check_file(path: str) -> FileCheck:
    """Read a file by its own schema, laws and models it names included.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    if path.lower().endswith(".csv"):
        return _check_runs(path)
    from scaleplan.specs.budget import BUDGET_SCHEMA, OPTIONS_SCHEMA, read_parsed, schema_of

    parts = parse_parts(read_document(path), shown(path))
    document = merged(parts)
    schema = schema_of(document)
    if schema == "scaleplan.law/1":
        from scaleplan.specs.law_document import validate_own
        from scaleplan.specs.laws import build_law

        law = build_law(validate_own(document))
        form = law.surface or law.allocation
        assert form is not None
        constants = ", ".join(f"{symbol} = {value:g}" for symbol, value in cast("Any", form)._asdict().items())
        lines = [("law", law.id), ("form", form.equation), ("constants", constants)]
        lines += [("N counts", law.counts_params.value), ("C counts", law.counts_flop.text)]
        lines += [
            ("loss", f"{law.measure.unit} on {law.measure.corpus}"),
            ("bands", "yes" if law.uncertainty else "no"),
        ]
        return FileCheck(path=path, schema=schema, holds=tuple(lines))
    if len(parts) > 1:
        raise InputFileError(f"{parts[1].where(())}: a second YAML document; only a law file has one")
    if schema not in (BUDGET_SCHEMA, OPTIONS_SCHEMA):
        got = "missing" if schema is None else f"got {schema!r}"
        known = f"{BUDGET_SCHEMA}, {OPTIONS_SCHEMA} or scaleplan.law/1"
        raise InputFileError(f"{document.where(('schema',))}: schema: must be {known} ({got})")
    spec, options = read_parsed(document)
    budget = spec.budget
    lines = [("name", spec.name or "-"), ("laws", ", ".join(spec.law) or "the default")]
    if budget is not None:
        flops = budget.flops
        lines.append(("loss", f"{budget.loss:g}") if flops is None else ("flops", units.flop(flops)))
    lines.append(("compare", ", ".join(option.name for option in options) or "-"))
    return FileCheck(path=path, schema=schema, holds=tuple(lines))


def _check_runs(path: str) -> FileCheck:
    from scaleplan.compute.accounting import Accounting
    from scaleplan.specs.runs import run_blocks

    rows, ignored = 0, ()
    for block in run_blocks(path, Accounting()):
        rows += len(block.params)
        ignored = block.ignored
    holds = (("rows", f"{rows:,}"), ("columns not used", ", ".join(ignored) or "-"))
    return FileCheck(path=path, schema="table of runs", holds=holds)
