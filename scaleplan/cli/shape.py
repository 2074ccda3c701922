"""``scaleplan shape``: real shapes near a size."""

from typing import Annotated

import typer

from scaleplan.cli.options import FormatOption, GetOption, LawsOption, OutputOption, QuietOption


def shape(
    params: Annotated[
        str | None, typer.Option(metavar="N", help="Parameters, embeddings and all experts counted, e.g. 70B.")
    ] = None,
    flops: Annotated[
        str | None, typer.Option(metavar="C", help="Instead, a budget: the size that it is best spent on.")
    ] = None,
    law: LawsOption = None,
    tensor: Annotated[
        str | None, typer.Option(metavar="T", help="Tensor-parallel degree. Default: 8, below 5B 1.")
    ] = None,
    vocab: Annotated[
        str, typer.Option(metavar="V", help="Vocabulary, padded to whole tiles and an equal share a rank.")
    ] = "128256",
    context: Annotated[str, typer.Option(metavar="S", help="Tokens of a training sequence.")] = "8192",
    tied: Annotated[
        bool | None, typer.Option("--tied/--untied", help="One matrix as embedding and output head. Default: below 5B.")
    ] = None,
    ungated: Annotated[bool, typer.Option("--ungated", help="Two feed-forward matrices, not three.")] = False,
    head_size: Annotated[
        str | None, typer.Option(metavar="K", help="Size of a head. Default: 128, below 1B 64.")
    ] = None,
    kv_heads: Annotated[
        str | None,
        typer.Option(metavar="H", help="Heads with keys and values. Default: 8 or T, whichever is more; below 1B all."),
    ] = None,
    experts: Annotated[
        str | None, typer.Option(metavar="E", help="A mixture of so many experts a layer; with --active.")
    ] = None,
    active: Annotated[str | None, typer.Option(metavar="A", help="Experts that a token passes.")] = None,
    top: Annotated[str, typer.Option(metavar="ROWS", help="Shapes to list at most.")] = "10",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Find real shapes of a size, and the loss each gives away."""
    from scaleplan.api import shapes
    from scaleplan.errors import UsageError
    from scaleplan.views.shapes import shapes_table
    from scaleplan.views.write import write

    if params is None and flops is None:
        raise UsageError("no size: give --params, or --flops for the size that a budget is best spent on")
    found = shapes.shape(
        params,
        flops=flops,
        law=law,
        tensor=tensor,
        vocabulary=vocab,
        context=context,
        tied=tied,
        gated=not ungated,
        head_size=head_size,
        kv_heads=kv_heads,
        experts=experts,
        active=active,
        top=top,
    )
    write(shapes_table(found), form=form, get=get, output=output, quiet=quiet)
