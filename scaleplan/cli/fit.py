"""``scaleplan fit``: a law from one's own runs."""

from typing import Annotated, Literal

import typer

from scaleplan.cli.options import (
    BandOption,
    ColumnOption,
    FormatOption,
    GetOption,
    LevelOption,
    OutputOption,
    QuietOption,
    columns_of,
)


def fit(
    runs: Annotated[str, typer.Argument(metavar="RUNS", help="CSV, NDJSON or Parquet: params, tokens, loss; - stdin.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="LAW.yaml", help="The law file to write; other commands take it.")
    ] = None,
    form_name: Annotated[
        Literal["additive", "tied", "kaplan-joint", "compute-only", "repetition", "over-training", "one-break"] | None,
        typer.Option("--form", help="What the law looks like; additive unless --compare finds a better one."),
    ] = None,
    method: Annotated[
        Literal["parametric", "isoflop", "envelope", "all"],
        typer.Option("--method", help="Hoffmann's approach: 3, 2, 1 or all."),
    ] = "parametric",
    objective: Annotated[
        Literal["huber", "hoffmann", "mse"],
        typer.Option("--objective", help="Of ln L: Huber's by the noise, with 1e-3, least squares."),
    ] = "huber",
    no_prior: Annotated[
        bool, typer.Option("--no-prior", help="The plain fit, without priors and weights for forecasting.")
    ] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Fit every form that the table allows, and rank.")] = False,
    bootstrap: Annotated[
        str | None, typer.Option("--bootstrap", metavar="N", help="Resamples of the runs behind the intervals.")
    ] = None,
    seed: Annotated[str, typer.Option("--seed", metavar="S", help="Seed of the resamples.")] = "0",
    column: ColumnOption = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="CONDITION", help="Rows to use: 'flops < 1e21'.")
    ] = None,
    any_loss: Annotated[bool, typer.Option("--any-loss", help="Take losses that look like bits or percent.")] = False,
    level: LevelOption = "0.95",
    band: BandOption = "forecast",
    workers: Annotated[str, typer.Option("--workers", metavar="N", help="Processes for the resamples.")] = "1",
    executor: Annotated[
        Literal["processes", "dask"], typer.Option("--executor", help="Who computes the resamples.")
    ] = "processes",
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Address of a running Dask scheduler: tcp://host:8786."),
    ] = None,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Fit a law to your own runs."""
    from scaleplan.api.fits import fit as fit_law
    from scaleplan.errors import UsageError
    from scaleplan.specs.files import require_apart
    from scaleplan.views.fits import fit_table
    from scaleplan.views.progress import progress_on_stderr
    from scaleplan.views.write import write

    if (executor == "dask") != (scheduler is not None):
        raise UsageError("a Dask cluster is --executor dask with --scheduler ADDRESS: give both or neither")
    require_apart(runs, {"--out": out, "-o": output})
    columns = columns_of(column or [])
    with progress_on_stderr("chunks of resamples", quiet=quiet) as progress:
        result = fit_law(
            runs,
            out=out,
            form=form_name,
            method=method,
            objective=objective,
            prior=not no_prior,
            bootstrap=bootstrap,
            seed=seed,
            level=level,
            band=band,
            columns=columns,
            where=where or (),
            any_loss=any_loss,
            compare=compare,
            workers=workers,
            scheduler=scheduler,
            progress=progress,
        )
    write(fit_table(result), form=form, get=get, output=output, quiet=quiet)
