"""The ``scaleplan`` program: its commands, its exit codes, and the one place where errors become lines on stderr."""

import os
import re
import signal
import sys
from typing import Annotated, NoReturn

import typer

from scaleplan.cli import (
    abilities,
    accelerators,
    allocate,
    check,
    compare,
    cost,
    fit,
    forecast,
    frontier,
    hyper,
    init,
    laws,
    layout,
    models,
    pilot,
    predict,
    schema,
    shape,
    sweep,
    tradeoff,
    watch,
)
from scaleplan.errors import InputFileError, ScaleplanError, UsageError, brief
from scaleplan.version import __version__
from scaleplan.views.screen import for_stderr

INTERRUPTED = 130
_ENDLESS = re.compile(r"\S{1000,}")
"""Our choice: a word so long is neither a name nor a path that anybody wrote."""

app = typer.Typer(
    name="scaleplan",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Plan a training run: a compute budget in; parameters, tokens, loss and their bands out.",
    epilog="Exit codes: 0 ok, 1 unexpected, 2 usage, 3 bad input file, 4 infeasible, 5 not converged, 6 a watched run "
    "diverged, 130 interrupted.",
)
app.command("allocate")(allocate.allocate)
app.command("compare")(compare.compare)
app.command("predict")(predict.predict)
app.command("frontier")(frontier.frontier)
app.command("tradeoff")(tradeoff.tradeoff)
app.command("sweep")(sweep.sweep)
app.command("fit")(fit.fit)
app.command("pilot")(pilot.pilot)
app.command("forecast")(forecast.forecast)
app.command("watch")(watch.watch)
app.command("hyper")(hyper.hyper)
app.command("cost")(cost.cost)
app.command("shape")(shape.shape)
app.command("layout")(layout.layout)
app.command("laws")(laws.laws)
app.command("models")(models.models)
app.command("accelerators")(accelerators.accelerators)
app.command("abilities")(abilities.abilities)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("schema")(schema.schema)


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(  # pyright: ignore[reportUnusedFunction] # typer calls it
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Plan a training run: a compute budget in; parameters, tokens, loss and their bands out."""


def main() -> NoReturn:
    """Run the program; every way it can end is here."""
    if hasattr(signal, "SIGPIPE"):
        # A closed pipe ends the program as it ends cat, without a word.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:
            _complain("scaleplan: interrupted", INTERRUPTED)
    except typer.TyperException as error:
        code = _complain(_usage_line(error), error.exit_code)
    except InputFileError as error:
        code = _complain(error.message, error.exit_code)
    except ScaleplanError as error:
        code = _complain(f"scaleplan: {error.message}", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("scaleplan: interrupted", INTERRUPTED)
    except OSError as error:
        # What reads and writes files says so itself; only a result that stdout does not take has no name.
        what = "cannot write the result" if error.filename is None else f"cannot use {brief(str(error.filename))}"
        code = _complain(f"scaleplan: {what}: {(error.strerror or str(error)).lower()}", 1)
    except Exception as error:
        if os.environ.get("SCALEPLAN_DEBUG"):
            raise
        name = type(error).__name__
        text = f"scaleplan: unexpected {name}: {error}; set SCALEPLAN_DEBUG=1 for the traceback and report it"
        code = _complain(text, ScaleplanError.exit_code)
    sys.exit(code or 0)


def _complain(message: str, code: int) -> int:
    for line in message.split("\n"):
        print(for_stderr(_ENDLESS.sub(_beginning, line)), file=sys.stderr)
    return code


def _beginning(word: re.Match[str]) -> str:
    """The beginning of a word that nobody typed, and how long it was."""
    return f"{word[0][:60]}... ({len(word[0]):,} characters)"


def _usage_line(error: typer.TyperException) -> str:
    """typer's complaint on one line, or the help where nothing was asked at all."""
    text = error.format_message()
    if text.startswith("Usage:"):
        return text
    return f"scaleplan: {' '.join(text.replace('Value error, ', '').split())}"


assert UsageError.exit_code == 2  # typer's own usage errors end with 2 as well: one code for both
