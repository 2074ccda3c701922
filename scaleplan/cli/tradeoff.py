"""``scaleplan tradeoff``: training compute against serving cost."""

from typing import Annotated

import typer

from scaleplan.cli.options import (
    AnswerOption,
    DiscountOption,
    FormatOption,
    GetOption,
    LawsOption,
    OutputOption,
    PromptOption,
    QuietOption,
    ServeDaysOption,
    ServeMfuOption,
    ServeOnOption,
    ServeOption,
    ServePrecisionOption,
)


def tradeoff(
    plans: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLAN PLAN]",
            help="Two models, model files or name=ours,params=30B,tokens=5T, to break even; none for the curve.",
        ),
    ] = None,
    flops: Annotated[
        str | None,
        typer.Option(metavar="C", help="The optimum whose loss is kept. Default: 5.76e23, Chinchilla's."),
    ] = None,
    loss: Annotated[str | None, typer.Option(metavar="L", help="Or the loss to keep, in nats a token.")] = None,
    serve: ServeOption = None,
    serve_on: ServeOnOption = None,
    serve_precision: ServePrecisionOption = None,
    serve_mfu: ServeMfuOption = None,
    serve_days: ServeDaysOption = None,
    prompt: PromptOption = None,
    answer: AnswerOption = None,
    discount: DiscountOption = None,
    law: LawsOption = None,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Trade training compute for cheaper serving: runs of equal loss, the front, the break-even of two plans."""
    from scaleplan.api import tradeoffs
    from scaleplan.errors import UsageError
    from scaleplan.views.tradeoffs import tradeoff_table
    from scaleplan.views.write import write

    two = plans or []
    if len(two) > 2:
        raise UsageError(f"two plans break even (got {len(two)}); compare takes any number of them")
    words = {
        "tokens": serve,
        "on": serve_on,
        "precision": serve_precision,
        "mfu": serve_mfu,
        "days": serve_days,
        "prompt": prompt,
        "answer": answer,
        "discount": discount,
    }
    given = {key: word for key, word in words.items() if word is not None}
    found = tradeoffs.tradeoff(*two, flops=flops, loss=loss, law=law, serving=given or None)
    write(tradeoff_table(found), form=form, get=get, output=output, quiet=quiet)
