"""``scaleplan models``: the published models, and where each of their numbers comes from."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, OutputOption, QuietOption, explained, refuse_filters


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show one model, or the one of a file, with its sources.")
    ] = None,
    year: Annotated[str | None, typer.Option(metavar="YEAR", help="Only those announced in it.")] = None,
    org: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those of such an organisation.")] = None,
    min_params: Annotated[str | None, typer.Option(metavar="N", help="Only those of at least N parameters.")] = None,
    sort: Annotated[
        str,
        typer.Option(metavar="KEY", help="By announced or model, or by params, tokens or train_flop, largest first."),
    ] = "announced",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the published models, or show one with its sources."""
    from scaleplan.api import catalogue
    from scaleplan.views.models import model_table, models_table
    from scaleplan.views.write import write

    filters = {"--year": year, "--org": org, "--min-params": min_params}
    if name is None:
        found = catalogue.list_models(year=year, organisation=org, min_params=min_params, sort=sort)
        result = explained(models_table(found), "models", filters)
    else:
        refuse_filters(name, filters)
        result = model_table(catalogue.load_model(name))
    write(result, form=form, get=get, output=output, quiet=quiet)
