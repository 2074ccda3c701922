"""``scaleplan sweep``: a plan for every scenario of a grid."""

import sys
from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, OutputOption, QuietOption


def sweep(
    file: Annotated[
        str, typer.Argument(metavar="SWEEP.yaml", help="A budget file in which any value may be a list or a range.")
    ],
    workers: Annotated[str, typer.Option("--workers", metavar="N", help="Processes that share the work.")] = "1",
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Address of a running Dask scheduler: tcp://host:8786."),
    ] = None,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Plan every scenario of a grid of budgets, laws, prices and limits."""
    from scaleplan.api.sweeps import sweep as plan_all
    from scaleplan.specs.files import require_apart
    from scaleplan.views.progress import progress_on_stderr
    from scaleplan.views.sweeps import sweep_stream
    from scaleplan.views.write import write

    require_apart(file, {"-o": output})
    # Rows that run over the terminal show how far they are by themselves.
    running = output in (None, "-") and sys.stdout.isatty() and form in ("ndjson", "csv", "json")
    with progress_on_stderr("rows", quiet=quiet or running) as progress:
        result = plan_all(file, workers=workers, scheduler=scheduler, progress=progress)
        write(sweep_stream(result), form=form, get=get, output=output, quiet=quiet)
