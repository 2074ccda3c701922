"""``scaleplan check``: is a file sound, and what does it say."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, OutputOption, QuietOption


def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Any file of ours, or a table of runs.")],
    form: FormatOption = "table",
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check a file: every problem is named with its line."""
    from scaleplan.api import catalogue
    from scaleplan.views.checks import check_table
    from scaleplan.views.write import write

    write(check_table(catalogue.check(file)), form=form, output=output, quiet=quiet)
