"""``scaleplan forecast``: where a run is going."""

from typing import Annotated

import typer

from scaleplan.cli.options import (
    ColumnOption,
    FormatInOption,
    FormatOption,
    GetOption,
    LevelOption,
    OutputOption,
    QuietOption,
    RunOption,
    columns_of,
)


def forecast(
    log: Annotated[str, typer.Argument(metavar="LOG", help="Of the run so far: CSV, JSON, text, TensorBoard, ...; -.")],
    total_steps: Annotated[
        str | None, typer.Option("--total-steps", metavar="N", help="Of the whole run; read from the log if there.")
    ] = None,
    total_tokens: Annotated[
        str | None,
        typer.Option("--total-tokens", metavar="D", help="In its place, where the log counts tokens; or for --law."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="Learning rate: step, lr; or cosine, wsd, linear, constant, ..."),
    ] = None,
    warm_up: Annotated[
        str | None, typer.Option("--warm-up", metavar="STEPS", help="Of a named schedule; or 1% of the run.")
    ] = None,
    peak: Annotated[str | None, typer.Option(metavar="LR", help="Of a named schedule.")] = None,
    floor: Annotated[str | None, typer.Option(metavar="LR", help="Where it ends; or 10% of the peak.")] = None,
    decay: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of wsd: linear, cosine, exponential, 1-sqrt.")
    ] = None,
    decay_share: Annotated[
        str | None, typer.Option("--decay-share", metavar="X", help="Of wsd: of the run, default 20%.")
    ] = None,
    donor: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Log of a finished run of the same kind; repeatable.")
    ] = None,
    any_loss: Annotated[
        bool, typer.Option("--any-loss", help="Take donors that look like another tokeniser or unit.")
    ] = False,
    law: Annotated[
        str | None, typer.Option(metavar="LAW", help="Compare with what this law promised; needs --params.")
    ] = None,
    params: Annotated[str | None, typer.Option(metavar="N", help="Parameters of the run, for --law.")] = None,
    level: LevelOption = "0.95",
    form_in: FormatInOption = None,
    column: ColumnOption = None,
    run: RunOption = None,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Forecast a run's final loss, its band and its date from the curve so far."""
    from scaleplan.api.forecasts import forecast as forecast_run
    from scaleplan.views.forecasts import forecast_table
    from scaleplan.views.write import write

    result = forecast_run(
        log,
        total_steps=total_steps,
        total_tokens=total_tokens,
        schedule=schedule,
        donors=donor or (),
        any_loss=any_loss,
        law=law,
        params=params,
        level=level,
        form=form_in,
        columns=columns_of(column or []),
        run=run,
        warm_up=warm_up,
        peak=peak,
        floor=floor,
        decay=decay,
        decay_share=decay_share,
    )
    write(forecast_table(result), form=form, get=get, output=output, quiet=quiet)
