"""``scaleplan layout``: how a model lies on a cluster."""

from typing import Annotated

import typer

from scaleplan.cli.options import (
    CalibrateOption,
    ClusterOption,
    FormatOption,
    GetOption,
    NetworkOption,
    OutputOption,
    QuietOption,
)


def layout(
    on: Annotated[str, typer.Option(metavar="CLUSTER", help="So many of an accelerator, e.g. 512xh100-sxm.")],
    global_batch: Annotated[str, typer.Option(metavar="D", help="Tokens of a step, e.g. 4M.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="A catalogue model, or a model file by its path.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Instead, a shape: layers=80,width=8192,heads=64,...")
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="S", help="Tokens of a sequence. Default: those of the model.")
    ] = None,
    precision: Annotated[str, typer.Option(metavar="NAME", help="Of the matrix products: bf16, fp8, ...")] = "bf16",
    network: NetworkOption = None,
    tensor: Annotated[str | None, typer.Option(metavar="N", help="Tensor-parallel degree, given.")] = None,
    pipeline: Annotated[str | None, typer.Option(metavar="N", help="Pipeline stages, given.")] = None,
    data: Annotated[str | None, typer.Option(metavar="N", help="Data-parallel ranks, given.")] = None,
    context_parallel: Annotated[
        str | None, typer.Option(metavar="N", help="Ranks that share a sequence, given.")
    ] = None,
    expert: Annotated[str | None, typer.Option(metavar="N", help="Ranks that share the experts, given.")] = None,
    zero: Annotated[str | None, typer.Option(metavar="0|1|2|3", help="ZeRO stage, given; 3 is FSDP.")] = None,
    micro_batch: Annotated[str | None, typer.Option(metavar="N", help="Sequences a micro-batch, given.")] = None,
    interleave: Annotated[
        str | None, typer.Option(metavar="N", help="Chunks of layers a pipeline stage, given.")
    ] = None,
    recompute: Annotated[
        str | None, typer.Option(metavar="WHAT", help="none, selective, selective_op or full, given.")
    ] = None,
    calibrate: CalibrateOption = None,
    cluster: ClusterOption = None,
    fill: Annotated[str, typer.Option(metavar="SHARE", help="Of the memory that an estimate may take.")] = "0.8",
    top: Annotated[str, typer.Option(metavar="ROWS", help="Layouts to list at most.")] = "10",
    form: FormatOption = "table",
    get: GetOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the layouts of a model on a cluster that fit, fastest first."""
    from scaleplan.api import layouts
    from scaleplan.views.layouts import layouts_table
    from scaleplan.views.write import write

    found = layouts.layout(
        model,
        on=on,
        global_batch=global_batch,
        shape=shape,
        context=context,
        precision=precision,
        network=network,
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        context_parallel=context_parallel,
        expert=expert,
        zero=zero,
        micro_batch=micro_batch,
        interleave=interleave,
        recompute=recompute,
        calibrate=calibrate,
        cluster_type=cluster,
        fill=fill,
        top=top,
    )
    write(layouts_table(found), form=form, get=get, output=output, quiet=quiet)
