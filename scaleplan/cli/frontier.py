"""``scaleplan frontier``: the optimal run of every budget of a range."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, LawsOption, LevelOption, OutputOption, QuietOption


def frontier(
    start: Annotated[str, typer.Option("--from", metavar="C", help="First budget [FLOP].")] = "1e18",
    stop: Annotated[str, typer.Option("--to", metavar="C", help="Last budget [FLOP].")] = "1e26",
    per_decade: Annotated[str, typer.Option("--per-decade", help="Budgets to a factor of ten.")] = "1",
    law: LawsOption = None,
    level: LevelOption = "0.95",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Trace the optimal run by budget, and how it grows."""
    from scaleplan.api import plans
    from scaleplan.views.frontiers import frontier_table
    from scaleplan.views.write import write

    result = frontier_table(plans.frontier(start=start, stop=stop, per_decade=per_decade, law=law, level=level))
    write(result, form=form, get=get, output=output, quiet=quiet)
