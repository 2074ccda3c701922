"""``scaleplan watch``: what goes wrong in a run, from its log, while it goes on or afterwards."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleplan.cli.options import (
    ColumnOption,
    FormatInOption,
    FormatOption,
    GetOption,
    OutputOption,
    QuietOption,
    RunOption,
    columns_of,
)
from scaleplan.views.formats import Format

if TYPE_CHECKING:
    from scaleplan.api.following import Follower

DIVERGED = 6
"""What the program ends with where a run that it looked at has diverged."""


def watch(
    log: Annotated[
        str, typer.Argument(metavar="LOG", help="A log (CSV, JSON, text, TensorBoard, ...) or a folder of them.")
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on reading; ends at divergence or the last step, else by Ctrl-C.")
    ] = False,
    total_steps: Annotated[
        str | None, typer.Option("--total-steps", metavar="N", help="How long the run is; read from the log if there.")
    ] = None,
    warm_up: Annotated[
        str | None, typer.Option("--warm-up", metavar="STEPS", help="Of the learning rate; rises in it may recover.")
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option(
            "--expected", metavar="FILE", help="The band to be in: of `forecast -f json`, or CSV of your own."
        ),
    ] = None,
    floor: Annotated[
        str | None, typer.Option("--floor", metavar="LOSS", help="Lower is not credible; default 0.3 nats/token.")
    ] = None,
    idle: Annotated[
        str, typer.Option("--idle", metavar="TIME", help="A log stands still after so long: 90s, 30m, 2h.")
    ] = "30m",
    until_idle: Annotated[bool, typer.Option("--until-idle", help="With --follow: end when it stands still.")] = False,
    form_in: FormatInOption = None,
    column: ColumnOption = None,
    run: RunOption = None,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Watch a run for spikes, divergence, plateaus and stalls; exit code 6 where it diverged."""
    from scaleplan.errors import UsageError

    if until_idle and not follow:
        raise UsageError("--until-idle says when --follow ends: add --follow, or leave it out")
    words = {
        "form": form_in,
        "columns": columns_of(column or []),
        "run": run,
        "total_steps": total_steps,
        "warm_up": warm_up,
        "expected": expected,
        "idle": idle,
        **({} if floor is None else {"floor": floor}),
    }
    if follow:
        refused = {"-o": output, "--get": get}
        diverged = _follow(log, words, until_idle=until_idle, form=form, quiet=quiet, refused=refused)
    else:
        diverged = _read(log, words, form=form, get=get, output=output, quiet=quiet)
    if diverged:
        raise typer.Exit(DIVERGED)


def _read(log: str, words: dict[str, Any], *, form: Format, get: str | None, output: str | None, quiet: bool) -> bool:
    """Print what a log or a folder of logs tells as it stands; whether a run diverged."""
    from scaleplan.api.watched_folder import is_folder_of_runs, watch_folder
    from scaleplan.api.watching import watch as watch_log
    from scaleplan.specs.files import require_apart
    from scaleplan.views.watching import folder_table, watch_table
    from scaleplan.views.write import write

    require_apart(log, {"-o": output})
    if is_folder_of_runs(log):
        folder = watch_folder(log, **words)
        write(folder_table(folder), form=form, get=get, output=output, quiet=quiet)
        return folder.diverged
    result = watch_log(log, **words)
    write(watch_table(result), form=form, get=get, output=output, quiet=quiet)
    return result.diverged


def _follow(
    log: str, words: dict[str, Any], *, until_idle: bool, form: Format, quiet: bool, refused: dict[str, str | None]
) -> bool:
    """Print events as they come until the run or the patience ends; whether the run diverged."""
    from scaleplan.api.watched_folder import is_folder_of_runs
    from scaleplan.api.watching import follow
    from scaleplan.errors import UsageError
    from scaleplan.views.following import EventPrinter, ended_line, following_line
    from scaleplan.views.screen import for_stderr

    given = [flag for flag, word in refused.items() if word is not None]
    if given:
        raise UsageError(f"--follow prints events as they come, without an end: leave {' and '.join(given)} out")
    if form in ("json", "markdown"):
        raise UsageError(f"--follow prints events as they come, and {form} is one whole: --format table, ndjson or csv")
    if is_folder_of_runs(log):
        raise UsageError("--follow takes one log; of a folder of runs the status is printed once, without --follow")

    def ready(follower: "Follower") -> None:
        talk(following_line(log, follower.source.form, follower.summary()))

    def talk(line: str) -> None:
        if not quiet:
            print(for_stderr(line), file=sys.stderr, flush=True)

    follower = follow(
        log,
        until_idle=until_idle,
        ready=ready,
        tell=lambda notice: talk(f"warning: {notice.code}: {notice.message}"),
        **words,
    )
    printer = EventPrinter(form)
    seen: set[tuple[str, float]] = set()

    def over() -> None:
        kinds = Counter(kind for kind, _ in seen)
        talk(ended_line(log, follower.ended, follower.summary(), follower.total_steps, kinds))

    with follower:
        try:
            for event in follower:
                seen.add((event.kind, event.step))
                printer.show(event)
        except KeyboardInterrupt:
            over()
            raise
        over()
    return follower.diverged
