"""``scaleplan allocate``: a budget in, a plan out."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleplan.cli.options import (
    AnswerOption,
    BatchOption,
    CalibrateOption,
    CriticalBatchOption,
    DaysOption,
    DiscountOption,
    DrawsOption,
    ExpertsOption,
    FormatOption,
    GetOption,
    GoodputOption,
    GpuHoursOption,
    LawsOption,
    LevelOption,
    MaxEpochsOption,
    MaxMwhOption,
    MaxParamsOption,
    MaxUsdOption,
    MemoryOption,
    MfuOption,
    MinParamsOption,
    NetworkOption,
    OnOption,
    OutputOption,
    PrecisionOption,
    PriceOption,
    PromptOption,
    QuietOption,
    RobustOption,
    SeedOption,
    ServeDaysOption,
    ServeMfuOption,
    ServeOnOption,
    ServeOption,
    ServePrecisionOption,
    TokensPerParamOption,
    UniqueTokensOption,
    UsdOption,
)

if TYPE_CHECKING:
    from scaleplan.planning.plan import Plan


def allocate(
    budget: Annotated[str | None, typer.Argument(metavar="[BUDGET.yaml]", help="A budget file; - is stdin.")] = None,
    flops: Annotated[
        str | None,
        typer.Option(metavar="C", help="Training FLOPs, e.g. 1e24 or '2048xh100-sxm for 60d'; - reads stdin."),
    ] = None,
    loss: Annotated[str | None, typer.Option(metavar="L", help="The loss to reach, in nats a token.")] = None,
    on: OnOption = None,
    days: DaysOption = None,
    gpu_hours: GpuHoursOption = None,
    usd: UsdOption = None,
    mfu: MfuOption = None,
    goodput: GoodputOption = None,
    price: PriceOption = None,
    precision: PrecisionOption = None,
    network: NetworkOption = None,
    batch: BatchOption = None,
    calibrate: CalibrateOption = None,
    params: Annotated[str | None, typer.Option(metavar="N", help="Fix the parameters, e.g. 30B.")] = None,
    tokens: Annotated[str | None, typer.Option(metavar="D", help="Fix the tokens, e.g. 5T.")] = None,
    tokens_per_param: TokensPerParamOption = None,
    min_params: MinParamsOption = None,
    max_params: MaxParamsOption = None,
    unique_tokens: UniqueTokensOption = None,
    max_epochs: MaxEpochsOption = None,
    max_usd: MaxUsdOption = None,
    max_mwh: MaxMwhOption = None,
    memory: MemoryOption = None,
    critical_batch: CriticalBatchOption = False,
    experts: ExpertsOption = None,
    serve: ServeOption = None,
    serve_on: ServeOnOption = None,
    serve_precision: ServePrecisionOption = None,
    serve_mfu: ServeMfuOption = None,
    serve_days: ServeDaysOption = None,
    prompt: PromptOption = None,
    answer: AnswerOption = None,
    discount: DiscountOption = None,
    law: LawsOption = None,
    level: LevelOption = "0.95",
    robust: RobustOption = None,
    draws: DrawsOption = None,
    seed: SeedOption = "0",
    hyper: Annotated[bool, typer.Option("--hyper", help="Add learning rate and batch by the default rule.")] = False,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Split a budget into parameters and tokens."""
    from scaleplan.api import plans
    from scaleplan.errors import UsageError
    from scaleplan.views.write import write

    where = {
        "on": on,
        "days": days,
        "gpu_hours": gpu_hours,
        "usd": usd,
        "mfu": mfu,
        "goodput": goodput,
        "price": price,
        "precision": precision,
        "network": network,
        "batch": batch,
        "calibrate": calibrate,
    }
    limits = _given(
        tokens_per_param=tokens_per_param,
        min_params=min_params,
        max_params=max_params,
        unique_tokens=unique_tokens,
        max_epochs=max_epochs,
        max_usd=max_usd,
        max_mwh=max_mwh,
        memory=memory,
        batch="critical" if critical_batch else None,
        experts=experts,
    )
    serving = _given(
        tokens=serve,
        on=serve_on,
        precision=serve_precision,
        mfu=serve_mfu,
        days=serve_days,
        prompt=prompt,
        answer=answer,
        discount=discount,
    )
    if all(word is None for word in (budget, flops, loss, on, days, gpu_hours, usd)):
        text = "--flops, --loss, --on with --days or --gpu-hours, --usd, or a budget file (scaleplan init writes one)"
        raise UsageError(f"no budget: give {text}")
    if flops == "-":
        one = {"--hyper": hyper, "--robust": robust is not None, "--draws": draws is not None}
        _check_stream(
            twice=budget is not None or loss is not None,
            cluster=any(word is not None for word in where.values()),
            for_one=[flag for flag, is_given in one.items() if is_given],
        )
        from scaleplan.views.streams import allocation_stream

        beside = _given(limits=limits or None, serving=serving or None)
        result = allocation_stream(_stream(params, tokens, law, level, beside))
    else:
        from scaleplan.views.plans import allocation_table

        plan = plans.allocate(
            budget,
            flops=flops,
            loss=loss,
            params=params,
            tokens=tokens,
            law=law,
            level=level,
            hyper=hyper,
            limits=limits or None,
            serving=serving or None,
            robust=robust,
            draws=draws,
            seed=seed,
            **where,
        )
        result = allocation_table(plan)
    write(result, form=form, get=get, output=output, quiet=quiet)


def _check_stream(*, twice: bool, cluster: bool, for_one: list[str]) -> None:
    """Refuse beside a stream of budgets what is for one of them.

    Raises:
        UsageError: any of it.
    """
    from scaleplan.errors import UsageError

    if twice:
        raise UsageError("two budgets: --flops - reads them from stdin; give no file and no --loss beside it")
    if cluster:
        raise UsageError("--flops - plans many budgets; a cluster, hours or money are one: leave them out")
    if "--hyper" in for_one:
        raise UsageError("--hyper is for one budget; `scaleplan hyper` takes any run")
    if for_one:
        raise UsageError(f"{' and '.join(for_one)}: for one budget; leave out beside --flops -, which plans many")


def _given(**words: Any) -> dict[str, Any]:
    """Words by key, those that were not given left out."""
    return {key: word for key, word in words.items() if word is not None}


def _stream(
    params: str | None, tokens: str | None, law: list[str] | None, level: str, beside: dict[str, Any]
) -> "Iterator[Plan]":
    from scaleplan.api import plans
    from scaleplan.specs.stream import number_blocks

    blocks = number_blocks(sys.stdin.buffer, "flop")
    return plans.allocate_stream(blocks, params=params, tokens=tokens, law=law, level=level, **beside)
