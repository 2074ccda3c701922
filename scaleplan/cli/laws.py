"""``scaleplan laws``: the scaling laws, and where each of their numbers comes from."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, OutputOption, QuietOption, explained


def laws(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show one law with its constants.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only those of a kind, e.g. moe.")] = None,
    year: Annotated[str | None, typer.Option(metavar="YEAR", help="Only those published in it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Run the published checks, of all laws or of NAME.")] = False,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the scaling laws, or show one with its sources."""
    from scaleplan.api import catalogue
    from scaleplan.errors import UsageError
    from scaleplan.specs.laws import DEFAULT_LAW
    from scaleplan.views.law_checks import checks_table
    from scaleplan.views.laws import law_table, laws_table
    from scaleplan.views.write import write

    if name is not None and (kind is not None or year is not None):
        raise UsageError("--kind and --year choose among all laws; leave them out beside a name")
    records = catalogue.list_laws(kind=kind, year=year) if name is None else (catalogue.law_record(name),)
    if check:
        result = checks_table(records)
    else:
        result = laws_table(records, DEFAULT_LAW) if name is None else law_table(records[0])
    changed = check and result.warnings
    if not records:
        result = explained(result, "laws", {"--kind": kind, "--year": year})
    write(result, form=form, get=get, output=output, quiet=quiet)
    if changed:
        raise typer.Exit(1)
