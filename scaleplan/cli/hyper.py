"""``scaleplan hyper``: learning rate, batch and weight decay of a run."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, LawsOption, OutputOption, QuietOption


def hyper(
    params: Annotated[str, typer.Option(metavar="N", help="Parameters, embeddings counted, e.g. 70B.")],
    tokens: Annotated[str, typer.Option(metavar="D", help="Training tokens, e.g. 15T.")],
    law: LawsOption = None,
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Learning rate, batch and weight decay of a run, by the published rules."""
    from scaleplan.api import plans
    from scaleplan.views.hyper import hyper_table
    from scaleplan.views.write import write

    result = hyper_table(plans.hyper(params=params, tokens=tokens, law=law))
    write(result, form=form, get=get, output=output, quiet=quiet)
