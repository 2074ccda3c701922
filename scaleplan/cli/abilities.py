"""``scaleplan abilities``: what is claimed of models at some scale, and what to hold against it."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, OutputOption, QuietOption, explained, refuse_filters


def abilities(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show one, or the one of a file, with its caveats.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="Only emergent, inverse-scaling, loss-threshold, metric, predictable or data."
        ),
    ] = None,
    family: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those of such a family of models.")] = None,
    sort: Annotated[
        str,
        typer.Option(metavar="KEY", help="Within a kind by ability, or by train_flop, params or loss, smallest first."),
    ] = "ability",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """List emergent abilities and inverse scaling, or show one claim."""
    from scaleplan.api import catalogue
    from scaleplan.views.abilities import abilities_table, ability_table
    from scaleplan.views.write import write

    filters = {"--kind": kind, "--family": family}
    if name is None:
        found = catalogue.list_abilities(kind=kind, family=family, sort=sort)
        result = explained(abilities_table(found), "abilities", filters)
    else:
        refuse_filters(name, filters)
        result = ability_table(catalogue.load_ability(name))
    write(result, form=form, get=get, output=output, quiet=quiet)
