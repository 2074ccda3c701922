"""``scaleplan sweep``: a plan for every scenario of a grid."""

import errno
import os
import signal
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, OutputOption, QuietOption

_ENDED_BY_PIPE = 141
"""What a shell says of a program that a closed pipe ended: 128 and the number of the signal."""


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
    from scaleplan.views.sweeps import require_readable, sweep_stream
    from scaleplan.views.write import write

    require_apart(file, {"-o": output})
    # Rows that run over the terminal show how far they are by themselves.
    running = output in (None, "-") and sys.stdout.isatty() and form in ("ndjson", "csv", "json")
    with progress_on_stderr("rows", quiet=quiet or running) as progress:
        result = plan_all(file, workers=workers, scheduler=scheduler, progress=progress)
        if get is None:
            require_readable(result, form)
        with _closed_pipe_ends_quietly(), closing(result.blocks):
            write(sweep_stream(result), form=form, get=get, output=output, quiet=quiet)


@contextmanager
def _closed_pipe_ends_quietly() -> Generator[None]:
    """A reader that goes away, as ``head`` does, ends the program without a word, and its workers before it.

    To be ended by the signal itself would leave them and what they share behind, which Python then complains of.
    """
    if not hasattr(signal, "SIGPIPE"):  # Windows
        yield
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    except OSError as error:
        # polars tells it by its text alone.
        if error.errno != errno.EPIPE and f"os error {errno.EPIPE}" not in str(error):
            raise
        # What is still to be flushed goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(_ENDED_BY_PIPE) from None
    finally:
        signal.signal(signal.SIGPIPE, before)
