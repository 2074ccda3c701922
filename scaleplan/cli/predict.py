"""``scaleplan predict``: the loss that given runs reach."""

from typing import Annotated

import typer

from scaleplan.cli.options import (
    BandOption,
    FormatOption,
    GetOption,
    LawsOption,
    LevelOption,
    OutputOption,
    QuietOption,
)


def predict(
    params: Annotated[str | None, typer.Option(metavar="N", help="Parameters, embeddings counted.")] = None,
    tokens: Annotated[str | None, typer.Option(metavar="D", help="Training tokens.")] = None,
    runs: Annotated[
        str | None,
        typer.Option(metavar="FILE.csv", help="Runs, one a row: params and tokens, or flops for one; - stdin."),
    ] = None,
    law: LawsOption = None,
    level: LevelOption = "0.95",
    band: BandOption = "forecast",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Predict the loss of a run, or of every run of a table."""
    from scaleplan.api import plans
    from scaleplan.errors import UsageError
    from scaleplan.views.predictions import prediction_table
    from scaleplan.views.streams import prediction_stream
    from scaleplan.views.write import write

    if runs is not None:
        if params is not None or tokens is not None:
            raise UsageError("--runs brings its own params and tokens; leave --params and --tokens out")
        result = prediction_stream(plans.predict_runs(runs, law=law, level=level, band=band), runs)
    elif params is None or tokens is None:
        missing = "--tokens" if params is not None else "--params" if tokens is not None else "--params and --tokens"
        raise UsageError(f"missing {missing}; give both, or a table with --runs")
    else:
        result = prediction_table(plans.predict(params=params, tokens=tokens, law=law, level=level, band=band))
    write(result, form=form, get=get, output=output, quiet=quiet)
