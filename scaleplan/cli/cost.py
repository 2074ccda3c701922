"""``scaleplan cost``: what a run takes in accelerator-hours, days, money and energy."""

from typing import Annotated

import typer

from scaleplan.cli.options import (
    BatchOption,
    CalibrateOption,
    ClusterOption,
    DaysOption,
    FormatOption,
    GetOption,
    GoodputOption,
    GpuHoursOption,
    LawsOption,
    MfuOption,
    NetworkOption,
    OnOption,
    OutputOption,
    PrecisionOption,
    PriceOption,
    QuietOption,
    UsdOption,
)


def cost(
    what: Annotated[
        str | None, typer.Argument(metavar="[MODEL|BUDGET.yaml]", help="A model, a model file or a budget file.")
    ] = None,
    params: Annotated[str | None, typer.Option(metavar="N", help="Parameters of a run, with --tokens.")] = None,
    active: Annotated[
        str | None, typer.Option(metavar="N", help="Of them those a token passes, in a mixture of experts.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(metavar="D", help="Tokens; a model's own if left out.")] = None,
    shape: Annotated[str | None, typer.Option(metavar="WORDS", help="layers=80,width=8192,...; with --tokens.")] = None,
    flops: Annotated[str | None, typer.Option(metavar="C", help="The plan of so many FLOPs.")] = None,
    law: LawsOption = None,
    on: OnOption = None,
    days: DaysOption = None,
    gpu_hours: GpuHoursOption = None,
    usd: UsdOption = None,
    precision: PrecisionOption = None,
    mfu: MfuOption = None,
    goodput: GoodputOption = None,
    price: PriceOption = None,
    watts: Annotated[
        str | None, typer.Option(metavar="W", help="Average power of an accelerator; default its TDP.")
    ] = None,
    pue: Annotated[
        str | None, typer.Option(metavar="X", help="Power of the site over its machines', or a fleet; default 1.12.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="X", help="Emissions: kg CO2e/kWh, or a country (usa, fra).")
    ] = None,
    water: Annotated[str | None, typer.Option(metavar="L", help="Water, litres a kWh.")] = None,
    network: NetworkOption = None,
    batch: BatchOption = None,
    context: Annotated[str | None, typer.Option(metavar="TOKENS", help="Tokens of a sequence.")] = None,
    evaluation: Annotated[
        str | None, typer.Option(metavar="X", help="Evaluation: 2% of the hours, or 20k gpu-hours.")
    ] = None,
    pilots: Annotated[
        str | None, typer.Option(metavar="X", help="Runs before the run: 1% of the hours, or 20k gpu-hours.")
    ] = None,
    calibrate: CalibrateOption = None,
    cluster: ClusterOption = None,
    published: Annotated[bool, typer.Option("--published", help="What was published of MODEL beside it.")] = False,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say what a run takes: hours, days, money, energy."""
    from scaleplan.api import costs
    from scaleplan.errors import UsageError
    from scaleplan.views.costs import costing_table
    from scaleplan.views.write import write

    conditions = {
        "on": on,
        "days": days,
        "gpu_hours": gpu_hours,
        "usd": usd,
        "precision": precision,
        "mfu": mfu,
        "goodput": goodput,
        "price": price,
        "watts": watts,
        "pue": pue,
        "grid": grid,
        "water": water,
        "network": network,
        "batch": batch,
        "context": context,
        "evaluation": evaluation,
        "pilots": pilots,
        "calibrate": calibrate,
        "cluster": cluster,
    }
    if published:
        if what is None:
            raise UsageError("--published is of a model: scaleplan cost llama31-405b --published")
        from scaleplan.views.published import published_table

        run = {"params": params, "active": active, "shape": shape, "flops": flops, "law": law, "gpu-hours": gpu_hours}
        unused = [f"--{name}" for name, word in (run | {"usd": usd}).items() if word]
        if unused:
            raise UsageError(f"--published is of the run of {what}: leave {', '.join(unused)} out")
        result = published_table(costs.published(what, tokens=tokens, **conditions))
    else:
        costing = costs.cost(
            what, params=params, active=active, tokens=tokens, shape=shape, flops=flops, law=law, **conditions
        )
        result = costing_table(costing)
    write(result, form=form, get=get, output=output, quiet=quiet)
