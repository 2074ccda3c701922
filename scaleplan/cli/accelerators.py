"""``scaleplan accelerators``: the devices, and where each of their numbers comes from."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, OutputOption, QuietOption, explained, refuse_filters


def accelerators(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show one, or the one of a file, with its sources.")
    ] = None,
    year: Annotated[str | None, typer.Option(metavar="YEAR", help="Only those announced in it.")] = None,
    org: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those of such a vendor.")] = None,
    min_memory: Annotated[str | None, typer.Option(metavar="GB", help="Only those of at least so much memory.")] = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="By announced or accelerator; by bf16, fp8, memory, memory_bandwidth or tdp, largest first; or by "
            "price, lowest first.",
        ),
    ] = "announced",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the accelerators, or show one with its sources."""
    from scaleplan.api import catalogue
    from scaleplan.views.accelerators import accelerator_table, accelerators_table
    from scaleplan.views.write import write

    filters = {"--year": year, "--org": org, "--min-memory": min_memory}
    if name is None:
        found = catalogue.list_accelerators(year=year, organisation=org, min_memory=min_memory, sort=sort)
        result = explained(accelerators_table(found), "accelerators", filters)
    else:
        refuse_filters(name, filters)
        result = accelerator_table(catalogue.load_accelerator(name))
    write(result, form=form, get=get, output=output, quiet=quiet)
