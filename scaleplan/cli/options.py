"""The options that commands share, so that one name means one thing everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scaleplan.errors import UsageError
from scaleplan.views.formats import Format

if TYPE_CHECKING:
    from scaleplan.views.table import Table

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")]
OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="Write here instead of stdout, whole or not at all."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No warnings on stderr (JSON keeps them).")]
GetOption = Annotated[
    str | None,
    typer.Option(
        "--get",
        metavar="KEY",
        help="Print only the value of KEY: a key of the JSON rows, in the first, or a field of one entry.",
    ),
]
LevelOption = Annotated[str, typer.Option("--level", metavar="FRACTION", help="Coverage of the bands.")]
BandOption = Annotated[
    Literal["forecast", "sampling"],
    typer.Option("--band", help="With the allowances for misfit, or sampling error alone."),
]
LawsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--law",
        metavar="LAW",
        help="A preset, NAME:VARIANT, or a law file; repeatable; all for every preset.",
    ),
]

OnOption = Annotated[str | None, typer.Option("--on", metavar="[Nx]NAME", help="Accelerators, e.g. 2048xh100-sxm.")]
DaysOption = Annotated[
    str | None,
    typer.Option("--days", metavar="DAYS", help="The time of --on; beside anything else to spend or do, the deadline."),
]
GpuHoursOption = Annotated[
    str | None, typer.Option("--gpu-hours", metavar="H", help="Accelerator-hours of --on to plan for, e.g. 3M.")
]
UsdOption = Annotated[str | None, typer.Option("--usd", metavar="USD", help="Money to plan for, e.g. 5M.")]
PrecisionOption = Annotated[
    str | None, typer.Option("--precision", metavar="NAME", help="Of the products: bf16 (default), fp16, fp8, ...")
]
MfuOption = Annotated[
    str | None, typer.Option("--mfu", metavar="SHARE", help="Utilisation, 6 N a token; estimated if left out.")
]
GoodputOption = Annotated[
    str | None, typer.Option("--goodput", metavar="SHARE", help="Of paid hours that move the run on; default 0.85.")
]
PriceOption = Annotated[str | None, typer.Option("--price", metavar="USD", help="Of an accelerator-hour.")]
NetworkOption = Annotated[
    str | None, typer.Option("--network", metavar="GBIT", help="Beyond a node, Gbit/s an accelerator.")
]
BatchOption = Annotated[
    str | None, typer.Option("--batch", metavar="TOKENS", help="Tokens of a step; default Step Law's.")
]
CalibrateOption = Annotated[
    str | None, typer.Option("--calibrate", metavar="STEPS.csv", help="Measured steps that correct the estimate.")
]
ClusterOption = Annotated[
    str | None, typer.Option("--cluster", metavar="TYPE", help="Of links: hgx-a100, hgx-h100, nvl72, ...")
]

# Limits and serving: headings of the budget file, a flag a key.
MinParamsOption = Annotated[str | None, typer.Option("--min-params", metavar="N", help="At least so many parameters.")]
MaxParamsOption = Annotated[str | None, typer.Option("--max-params", metavar="N", help="At most so many parameters.")]
TokensPerParamOption = Annotated[
    str | None, typer.Option("--tokens-per-param", metavar="RATIO", help="Fix the tokens a parameter, e.g. 20.")
]
UniqueTokensOption = Annotated[
    str | None, typer.Option("--unique-tokens", metavar="D", help="Tokens that there are, e.g. 12T.")
]
MaxEpochsOption = Annotated[
    str | None, typer.Option("--max-epochs", metavar="X", help="How often each may be seen at most, e.g. 4.")
]
MaxUsdOption = Annotated[str | None, typer.Option("--max-usd", metavar="USD", help="At most so much money, e.g. 8M.")]
MaxMwhOption = Annotated[str | None, typer.Option("--max-mwh", metavar="MWH", help="At most so much energy.")]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", metavar="fit|SIZE", help="The run must fit --on, or e.g. 80GB each.")
]
CriticalBatchOption = Annotated[bool, typer.Option("--critical-batch", help="A batch at or below the critical one.")]
ExpertsOption = Annotated[
    str | None, typer.Option("--experts", metavar="E|free", help="Experts of a mixture; free plans them.")
]
ServeOption = Annotated[
    str | None, typer.Option("--serve", metavar="TOKENS", help="Serve so many over the model's life, e.g. 2T.")
]
ServeOnOption = Annotated[
    str | None, typer.Option("--serve-on", metavar="NAME", help="What serves: h100-sxm, or a replica, 8xh100-sxm.")
]
ServePrecisionOption = Annotated[
    str | None, typer.Option("--serve-precision", metavar="NAME", help="Of serving: bf16 (default), fp8, ...")
]
ServeMfuOption = Annotated[
    str | None, typer.Option("--serve-mfu", metavar="SHARE", help="Utilisation of prompts; default 0.5.")
]
PromptOption = Annotated[str | None, typer.Option("--prompt", metavar="TOKENS", help="Length of a prompt.")]
AnswerOption = Annotated[str | None, typer.Option("--answer", metavar="TOKENS", help="Length of an answer.")]
ServeDaysOption = Annotated[
    str | None, typer.Option("--serve-days", metavar="DAYS", help="How long it serves; default 365.")
]
DiscountOption = Annotated[
    str | None, typer.Option("--discount", metavar="RATE", help="Of money paid later, a year, e.g. 10%.")
]
RobustOption = Annotated[
    Literal["mean", "worst"] | None,
    typer.Option("--robust", help="The plan of least expected or least worst regret over the laws."),
]
SeedOption = Annotated[str, typer.Option("--seed", metavar="S", help="Seed of the draws.")]
DrawsOption = Annotated[
    str | None, typer.Option("--draws", metavar="N", help="Plan under so many draws of each law, for bands.")
]


FormatInOption = Annotated[
    str | None, typer.Option("--format-in", metavar="NAME", help="What the log is, where that is not seen.")
]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", metavar="OURS=THEIRS", help="loss=val_loss; repeatable.")
]
RunOption = Annotated[str | None, typer.Option("--run", metavar="NAME", help="Of a log with several, this one.")]


def refuse_filters(name: str, filters: Mapping[str, str | None]) -> None:
    """Refuse filters of a list beside the name of one entry, which they would not touch.

    Raises:
        UsageError: one of them is given.
    """
    given = [flag for flag, value in filters.items() if value is not None]
    if given:
        raise UsageError(f"{' and '.join(given)} filter the list: leave out {name} or them")


def columns_of(words: Sequence[str]) -> dict[str, str]:
    """What ``--column OURS=THEIRS`` names, ours to theirs.

    Raises:
        UsageError: without an equals sign, or one of ours twice.
    """
    found: dict[str, str] = {}
    for each in words:
        ours, equals, theirs = each.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(f"--column takes OURS=THEIRS, such as loss=val_loss (got {each!r})")
        if ours in found:
            raise UsageError(f"--column names {ours} twice")
        found[ours] = theirs
    return found


def explained(result: Table, kind: str, filters: Mapping[str, str | None]) -> Table:
    """A list; where it is empty, with the warning that its filters match nothing.

    Args:
        result: the list.
        kind: what it lists: laws, models, accelerators or abilities.
        filters: its flags and what was given to them, ``None`` where nothing was.
    """
    if result.rows:
        return result
    from scaleplan.specs.matching import nothing_matches

    return result._replace(warnings=(*result.warnings, nothing_matches(kind, filters)))
