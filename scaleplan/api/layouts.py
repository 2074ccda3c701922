"""The verb ``layout``: how a model lies on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scaleplan.compute.divisions import ROUNDING, Asked, near_sequences, require_divisible, shared_sequences
from scaleplan.compute.layout import Recompute, in_words
from scaleplan.compute.layout_search import Found, Laid, enough_accelerators, search
from scaleplan.compute.layouts import Candidate, Task, lacking
from scaleplan.compute.memory import FIT_SHARE
from scaleplan.compute.traps import traps
from scaleplan.errors import InfeasibleError, Notice, UsageError, nearest, quoted
from scaleplan.specs.accelerators import cluster, device, load_accelerator
from scaleplan.specs.conditions import read_part
from scaleplan.specs.numbers import Number, scalar, whole

if TYPE_CHECKING:
    from scaleplan.compute.transformer import Transformer


def layout(
    model: str | None = None,
    *,
    on: str,
    global_batch: Number,
    shape: str | None = None,
    context: int | str | None = None,
    precision: str = "bf16",
    network: float | str | None = None,
    tensor: int | str | None = None,
    pipeline: int | str | None = None,
    data: int | str | None = None,
    context_parallel: int | str | None = None,
    expert: int | str | None = None,
    zero: int | str | None = None,
    micro_batch: int | str | None = None,
    interleave: int | str | None = None,
    recompute: str | None = None,
    calibrate: str | None = None,
    cluster_type: str | None = None,
    fill: float | str = FIT_SHARE,
    top: int | str = 10,
) -> Laid:
    """The layouts of a model on a cluster that fit, fastest first.

    Args:
        model: a catalogue model or the path of a model file.
        on: the cluster, ``512xh100-sxm``.
        global_batch: tokens of a step.
        shape: in place of ``model``, words such as ``layers=80,width=8192,...``.
        context: tokens of a sequence, where not those of the shape.
        precision: of the matrix products.
        network: [Gbit/s an accelerator] beyond its node or rack, where not the accelerator's.
        tensor: a degree that is given; so are the seven that follow. What is left out is searched.
        pipeline: stages.
        data: data-parallel ranks.
        context_parallel: ranks that share a sequence.
        expert: ranks that share the experts.
        zero: stage of ZeRO; 3 is fully sharded data parallelism.
        micro_batch: sequences.
        interleave: chunks of layers a stage.
        recompute: none, selective, selective_op or full.
        calibrate: path of a table (CSV) of measured steps, whose time factor the estimates then carry.
        cluster_type: in place of the accelerator's usual one.
        fill: the share of the memory that an estimate may take.
        top: how many layouts.

    Raises:
        UsageError: a word that cannot be read, an unknown model, a shape that is not known, a layout that does not
            divide, an accelerator without the precision.
        InputFileError: a file that cannot be used.
        InfeasibleError: nothing fits, by how much it is short, and what would help.
    """
    name, found = _model(model, shape)
    if context is not None:
        found = found._replace(context=_positive("context", context))
    degrees = {
        "tensor": tensor,
        "pipeline": pipeline,
        "data": data,
        "context": context_parallel,
        "expert": expert,
        "zero": zero,
        "micro_batch": micro_batch,
        "interleave": interleave,
    }
    numbers = {key: None if word is None else whole(key.replace("_", "-"), word) for key, word in degrees.items()}
    asked = Asked(**numbers, recompute=_recompute(recompute))
    rows = _positive("top", top)
    task, notices = _task(
        found, on, scalar("global-batch", global_batch, "tokens"), precision, network, asked, calibrate, cluster_type
    )
    task = task._replace(fill=read_part("fill", fill))
    require_divisible(task.shape, task.device, task.accelerators, task.sequences, asked)
    result = search(task, asked, top=rows)
    if not result.best:
        raise InfeasibleError(_advice(name, task, asked, result))
    return Laid(name, task, asked, result, (*notices, *traps(task.shape, result.best[0].layout)))


def _model(model: str | None, words: str | None) -> tuple[str, Transformer]:
    if (model is None) == (words is None):
        raise UsageError("name a model or give a shape, one of them: --model llama3-70b or --shape layers=80,...")
    if words is not None:
        from scaleplan.specs.shape_words import shape_from_words

        return "shape", shape_from_words(words)
    assert model is not None
    from scaleplan.specs.models import load_model

    found = load_model(model)
    if found.shape is None:
        raise UsageError(f"the shape of {found.id} is not known: give one with --shape layers=...,width=...")
    return found.id, found.shape


def _task(
    shape: Transformer,
    on: str,
    tokens: float,
    precision: str,
    network: float | str | None,
    asked: Asked,
    steps: str | None,
    kind: str | None,
) -> tuple[Task, tuple[Notice, ...]]:
    from scaleplan.specs.calibration import calibration_for

    accelerators, name = cluster(on)
    if accelerators is None:
        raise UsageError(f"how many of {name}? Write --on 512x{name}")
    accelerator = load_accelerator(name)
    used = device(accelerator, precision, network_gbit=None if network is None else _gbit(network))
    calibrated = calibration_for(used, steps=steps, cluster=kind)
    sequences, rounded = _sequences(tokens, int(shape.context), accelerators, asked)
    task = Task(shape, used, calibrated.calibration, accelerators, sequences)
    return task, (*calibrated.notices, *rounded)


def _sequences(tokens: float, context: int, accelerators: int, asked: Asked) -> tuple[int, tuple[Notice, ...]]:
    """Whole sequences of a batch; where it has a part of one, near by those that the accelerators share best."""
    exact = tokens / context
    if exact < 1 - ROUNDING:
        raise UsageError(
            f"global-batch: {tokens:,.0f} tokens are less than one sequence of {context:,}: "
            "give more, or a shorter --context"
        )
    if exact == round(exact):
        return round(exact), ()
    given = (asked.data or 1) * (asked.micro_batch or 1)
    taken = near_sequences(exact, given) if given > 1 else shared_sequences(exact, accelerators, given=True)
    text = (
        f"{tokens:,.0f} tokens are {exact:,.1f} sequences of {context:,}; taken are {taken:,} of them, "
        f"{taken * context:,} tokens; a multiple of {context:,} is taken as it is"
    )
    return taken, (Notice("batch_rounded", text),)


def _advice(name: str, task: Task, asked: Asked, found: Found) -> str:
    """What is missing, and what would help."""
    closest = found.nearest
    assert closest is not None  # what divides and does not fit lacks something
    free = Asked(tensor=asked.tensor, pipeline=asked.pipeline, context=asked.context, expert=asked.expert)
    helps: list[str] = []
    if asked != Asked():
        other = _first(task, free) or _first(task, Asked())
        helps += [f"{in_words(other.layout)} fits"] if other is not None else []
    if not helps:
        more = enough_accelerators(task)
        helps += [f"it fits on {more:,} of them"] if more else ["it fits on no number of them with such a batch"]
    return f"{name}: {lacking(task, closest)}; {' or '.join(helps)}"


def _first(task: Task, asked: Asked) -> Candidate | None:
    best = search(task, asked, top=1).best
    return best[0] if best else None


def _recompute(word: str | None) -> Recompute | None:
    if word is None:
        return None
    known = {each.value: each for each in Recompute} | {"some": Recompute.SELECTIVE_OP}
    chosen = known.get(word.lower().replace("-", "_"))
    if chosen is None:
        raise UsageError(f"recompute {quoted(word)}.{nearest(word, known)} It takes {', '.join(known)}")
    return chosen


def _positive(name: str, word: int | str) -> int:
    value = whole(name, word)
    if value < 1:
        raise UsageError(f"{name} must be at least 1 (got {value})")
    return value


def _gbit(word: Any) -> float:
    try:
        return float(word)
    except (TypeError, ValueError):
        raise UsageError(f"network must be a number of Gbit/s, such as 400 (got {quoted(str(word))})") from None
