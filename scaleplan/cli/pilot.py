"""``scaleplan pilot``: which runs to make before the run."""

from typing import Annotated, Literal

import typer

from scaleplan.cli.options import (
    FormatOption,
    GetOption,
    GoodputOption,
    MfuOption,
    NetworkOption,
    OnOption,
    OutputOption,
    PrecisionOption,
    PriceOption,
    QuietOption,
    SeedOption,
    UniqueTokensOption,
)


def pilot(
    budget: Annotated[str | None, typer.Argument(metavar="[BUDGET.yaml]", help="Its plan is the target.")] = None,
    flops: Annotated[str | None, typer.Option(metavar="C", help="Training FLOPs of the target.")] = None,
    law: Annotated[
        str | None, typer.Option(metavar="LAW", help="The law that plans the target: a preset or a law file.")
    ] = None,
    share: Annotated[
        str | None, typer.Option(metavar="X", help="All pilots: 1% of the target's FLOPs (default), or 20k gpu-hours.")
    ] = None,
    runs: Annotated[str | None, typer.Option(metavar="R", help="How many runs; default 36.")] = None,
    goal: Annotated[
        Literal["both", "loss", "params"] | None,
        typer.Option("--goal", help="Make certain the loss, the best size (params), or both (default)."),
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="K", help="Seeds of one of them; default 3.")] = None,
    noise: Annotated[str | None, typer.Option(metavar="X", help="Of the loss between seeds; default 0.3%.")] = None,
    misfit: Annotated[
        str | None, typer.Option(metavar="X", help="Of the law's form, a decade of compute; default 0.2%.")
    ] = None,
    max_run: Annotated[
        str | None, typer.Option("--max-run", metavar="X", help="Of one run, of all pilots' FLOPs; default 35%.")
    ] = None,
    ratios: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH", help="Tokens a parameter of single runs; default 0.3:1000.")
    ] = None,
    unique_tokens: UniqueTokensOption = None,
    vocab: Annotated[str | None, typer.Option(metavar="V", help="Vocabulary of the tokenizer; default 128256.")] = None,
    context: Annotated[str | None, typer.Option(metavar="TOKENS", help="Of a sequence; default 8192.")] = None,
    on: OnOption = None,
    within: Annotated[str | None, typer.Option(metavar="DAYS", help="All pilots are to be done in so long.")] = None,
    precision: PrecisionOption = None,
    mfu: MfuOption = None,
    goodput: GoodputOption = None,
    price: PriceOption = None,
    network: NetworkOption = None,
    score: Annotated[str | None, typer.Option(metavar="RUNS.csv", help="Judge runs of your own instead.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="FINISHED.csv", help="Refit to these runs, and propose the next.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="MANIFEST.csv", help="With --after: whether its runs left pay.")
    ] = None,
    collect: Annotated[
        str | None, typer.Option(metavar="DIR", help="Gather the results of a job folder into a table of runs.")
    ] = None,
    emit: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write a job folder: manifest, shell, Slurm, SkyPilot, Ray.")
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="What trains, with {params} {tokens} {lr} {batch} {shape} {result} ..."),
    ] = None,
    at_once: Annotated[
        str | None, typer.Option("--at-once", metavar="N", help="Runs of a Slurm array at the same time.")
    ] = None,
    gpus_per_node: Annotated[
        str | None,
        typer.Option(
            "--gpus-per-node", metavar="N", help="Of the cluster of --emit; default the accelerator's node, at most 8."
        ),
    ] = None,
    seed: SeedOption = "0",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Design the runs before the run: those that make its forecast most certain for their compute."""
    from scaleplan.views import pilot_scores, pilots
    from scaleplan.views.table import Table
    from scaleplan.views.write import write

    asked = {
        "share": share,
        "runs": runs,
        "goal": goal,
        "seeds": seeds,
        "noise": noise,
        "misfit": misfit,
        "max_run": max_run,
        "ratios": ratios,
        "unique_tokens": unique_tokens,
        "vocab": vocab,
        "context": context,
        "on": on,
        "within": within,
    }
    conditions = {"precision": precision, "mfu": mfu, "goodput": goodput, "price": price, "network": network}
    folder = {"command": command, "at_once": at_once, "gpus_per_node": gpus_per_node}
    target = {"budget": budget, "flops": flops, "law": law}
    _one_way(
        {"score": score, "after": after, "collect": collect},
        {**target, **asked, **conditions, "judge": judge, "seed": None if seed == "0" else seed},
        {"emit": emit, **folder},
    )
    result: Table
    if collect is not None:
        from scaleplan.api.pilot_folders import collect_pilots

        result = pilots.collected_table(collect_pilots(collect))
    elif score is not None:
        from scaleplan.api.pilots import score_pilots

        result = pilot_scores.score_table(score_pilots(score, **target, seed=seed, pilots=asked))
    else:
        from scaleplan.api.pilots import pilot as design

        plan = design(**target, after=after, judge=judge, seed=seed, pilots=asked, **conditions)
        if emit is not None:
            from scaleplan.api.pilot_folders import write_pilots

            plan = write_pilots(plan, emit, **folder)
        result = pilots.pilot_table(plan)
    write(result, form=form, get=get, output=output, quiet=quiet)


def _one_way(modes: dict[str, str | None], design: dict[str, str | None], folder: dict[str, str | None]) -> None:
    """Refuse words that a way of using the command does not look at.

    Raises:
        UsageError: two ways at once, or such words.
    """
    from scaleplan.errors import UsageError

    def flags(words: dict[str, str | None]) -> list[str]:
        return [f"--{name.replace('_', '-')}" for name, word in words.items() if word is not None]

    chosen = flags(modes)
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} are different things to do: keep one")
    unused: list[str] = []
    if modes["collect"] is not None:
        unused = flags(design | folder)
    elif modes["score"] is not None:
        of_runs = (
            "judge",
            "share",
            "runs",
            "seeds",
            "max_run",
            "on",
            "within",
            *("precision", "mfu", "goodput", "price"),
        )
        unused = flags({name: design[name] for name in (*of_runs, "network")} | folder)
    elif folder["emit"] is None:
        unused = flags(folder)
        if unused:
            raise UsageError(f"{' and '.join(unused)} of which job folder? Add --emit DIR")
    if unused:
        raise UsageError(f"{chosen[0]} does not look at {', '.join(unused)}: leave them out")
