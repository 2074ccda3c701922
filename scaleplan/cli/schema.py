"""``scaleplan schema``: the JSON Schema of a kind of file, for editors."""

from typing import Annotated

import typer

from scaleplan.cli.options import OutputOption


def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="law, budget, options, sweep, model, accelerator ...")],
    output: OutputOption = None,
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from scaleplan.api import catalogue
    from scaleplan.views.write import write_json

    write_json(catalogue.json_schema(kind), output=output)
