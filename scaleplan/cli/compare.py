"""``scaleplan compare``: options side by side at equal FLOPs."""

from typing import Annotated

import typer

from scaleplan.cli.options import (
    FormatOption,
    GetOption,
    LawsOption,
    LevelOption,
    OutputOption,
    QuietOption,
    SeedOption,
)


def compare(
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OPTION]...",
            help="Models, model files, name=ours,params=30B, or an options file. Default: gopher chinchilla.",
        ),
    ] = None,
    flops: Annotated[
        str | None, typer.Option(metavar="C", help="The common budget. Default: 5.76e23, Chinchilla's.")
    ] = None,
    as_trained: Annotated[
        bool, typer.Option("--as-trained", help="Keep each option's own tokens instead of equal FLOPs.")
    ] = False,
    draws: Annotated[
        str | None, typer.Option(metavar="N", help="Draws of each law: how likely an option is the best.")
    ] = None,
    seed: SeedOption = "0",
    law: LawsOption = None,
    level: LevelOption = "0.95",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compare models at equal FLOPs, each law's optimum beside them."""
    from scaleplan.api import comparisons
    from scaleplan.errors import UsageError
    from scaleplan.specs.options import is_options_file
    from scaleplan.views.comparisons import comparison_table
    from scaleplan.views.write import write

    words = options or []
    files = [word for word in words if is_options_file(word)]
    if len(files) > 1:
        raise UsageError(f"one options file at a time (got {' and '.join(files)})")
    comparison = comparisons.compare(
        *(word for word in words if word not in files),
        file=files[0] if files else None,
        flops=flops,
        as_trained=as_trained,
        law=law,
        level=level,
        draws=draws,
        seed=seed,
    )
    result = comparison_table(comparison)
    write(result, form=form, get=get, output=output, quiet=quiet)
