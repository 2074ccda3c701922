"""The verb ``cost``: what a run takes in hours, days, money, energy; and beside a model what was published of it."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from scaleplan import units
from scaleplan.api.resources import conditions_from
from scaleplan.compute.bill import Assumption
from scaleplan.compute.costing import Costing, Workload
from scaleplan.errors import Notice, UsageError
from scaleplan.specs.conditions import RESOURCES
from scaleplan.specs.machines import Subject, costing_of, machine_of
from scaleplan.specs.numbers import Number, scalar
from scaleplan.specs.presets import looks_like_path

if TYPE_CHECKING:
    from scaleplan.compute.transformer import Transformer
    from scaleplan.specs.laws import Laws
    from scaleplan.specs.models import CatalogueModel
    from scaleplan.specs.published_comparison import PublishedComparison

_PUBLISHED = ("published", "what it was trained on, as published")
"""Where the name of an accelerator comes from that nobody gave."""


def cost(
    what: str | os.PathLike[str] | None = None,
    *,
    params: Number | None = None,
    active: Number | None = None,
    tokens: Number | None = None,
    flops: Number | None = None,
    law: Laws = None,
    shape: str | Transformer | None = None,
    **conditions: Any,
) -> Costing:
    """What a run takes.

    Args:
        what: a catalogue model, the path of a model file, or that of a budget file, whose plan is costed.
        params: parameters, embeddings counted; of a mixture of experts all of them.
        active: of a mixture of experts, those that a token passes.
        tokens: training tokens; a model's own where left out.
        flops: training FLOPs (or ``"$5M"`` and the like), whose plan under the law is costed, in place of ``what``.
        law: the law that plans.
        shape: layers, width and so on, as a ``Transformer`` or in words; its parameters are those of the run.
        conditions: ``on`` (an accelerator, or ``"512xh100-sxm"``), ``days`` (a deadline), ``precision``, ``mfu``,
            ``goodput``, ``price``, ``watts``, ``pue``, ``grid``, ``water``, ``network``, ``batch``, ``context``,
            ``evaluation``, ``pilots``, ``calibrate``, ``cluster``: see ``specs.conditions.Conditions``.

    Raises:
        UsageError: nothing to cost, or two things; an unknown name; a number out of range; no accelerator named.
        InputFileError: a file cannot be used.
        InfeasibleError: the model fits in no layout, or misses its deadline.
    """
    name = None if what is None else os.fspath(what)
    if name is not None and is_budget_file(name):
        _refuse({"params": params, "tokens": tokens, "active": active, "flops": flops, "shape": shape}, name)
        return _of_plan(name, None, law, conditions)
    run = {"params": params, "tokens": tokens, "active": active, "shape": shape}
    nothing = name is None and all(value is None for value in run.values())
    if flops is not None or (nothing and any(conditions.get(key) is not None for key in RESOURCES)):
        _refuse({"what": name, **run}, "flops, which plan a run")
        return _of_plan(None, flops, law, conditions)
    planned = {key: conditions.get(key) for key in ("gpu_hours", "usd")} | {"law": law or None}
    _refuse(planned, f"{name or 'a run'}, which is not planned")
    subject, published_on = _subject(name, params, active, tokens, shape)
    own = {key: word for key, word in conditions.items() if word is not None}
    trained = {} if "on" in own else {"on": published_on, "precision": _precision_of(published_on)}
    where = conditions_from({**trained, **own})
    if where.on is None:
        raise _no_accelerator()
    # A bill multiplies by little more: prices, watts.
    if not math.isfinite(subject.workload.train_flop * 1e6):
        raise UsageError("a run of so many parameters and tokens costs more FLOPs than numbers here can hold")
    machine = machine_of(where) if "on" in own else machine_of(where, _PUBLISHED)
    return costing_of(subject, machine, deadline_days=where.days)


def published(name: str, *, tokens: Number | None = None, **conditions: Any) -> PublishedComparison:
    """What was published of a model's run beside the estimate of it, or alone where its size or tokens are not known.

    Args:
        name: a catalogue model, or the path of a model file.
        tokens: in place of the model's own.
        conditions: as for ``cost``; without ``on`` the accelerators that trained it.

    Raises:
        UsageError: an unknown model, one of which nothing was published; as for ``cost``.
        InputFileError: the file cannot be used.
    """
    from scaleplan.specs.models import load_model
    from scaleplan.specs.published_comparison import compare_published, without_estimate

    model = load_model(name)
    if model.run is None:
        raise UsageError(f"nothing was published of the run of {model.id}: leave --published out")
    lacking = _lacking(model, None if tokens is None else scalar("tokens", tokens))
    if lacking is not None:
        return without_estimate(model.id, model.run, lacking)
    try:
        return compare_published(model.id, model.run, cost(name, tokens=tokens, **conditions))
    except UsageError as error:
        if any(word is not None for word in conditions.values()):
            raise
        return without_estimate(model.id, model.run, error.message)


def _precision_of(published_on: str | None) -> str | None:
    """fp16 where the accelerator that trained a model has no bf16; which it was is seldom published."""
    if published_on is None:
        return None
    from scaleplan.specs.accelerators import cluster, load_accelerator

    known = load_accelerator(cluster(published_on)[1]).values
    return "fp16" if "peak_bf16" not in known and "peak_fp16" in known else None


def is_budget_file(name: str) -> bool:
    """Whether a word is the path of a budget file, rather than a model or the path of its file; ``-`` is stdin.

    Raises:
        InputFileError: the file cannot be read.
    """
    if name == "-" or not looks_like_path(name):
        return name == "-"
    from scaleplan.specs.files import read_document, shown
    from scaleplan.specs.yaml12 import parse_parts, schema_of

    return schema_of(parse_parts(read_document(name, "budget"), shown(name), 1)[0]) != "scaleplan.model/1"


def _of_plan(budget: str | None, flops: Number | None, law: Laws, conditions: dict[str, Any]) -> Costing:
    from scaleplan.api.plans import allocate
    from scaleplan.specs.laws import DEFAULT_LAW

    # Without a law of its own the budget file's laws plan; a plan from FLOPs alone needs no cross-check here.
    plan = allocate(budget, flops=flops, law=law or (None if budget else DEFAULT_LAW), **conditions)
    if plan.costing is None:
        raise _no_accelerator()
    if plan.serving is None:
        return plan.costing
    usd: Any = plan.serving.cost_usd
    worth = "" if usd is None else f" (worth ${units.count(usd)} today)"
    text = f"the bill is that of training; serving is paid beside it{worth}, and `scaleplan allocate` shows it."
    return plan.costing._replace(warnings=(Notice("serving_beside", text), *plan.costing.warnings))


def _subject(
    name: str | None,
    params: Number | None,
    active: Number | None,
    tokens: Number | None,
    shape: str | Transformer | None,
) -> tuple[Subject, str | None]:
    """The run of a model, of a shape or of numbers; and the accelerators that trained the model, where known."""
    given_tokens = None if tokens is None else scalar("tokens", tokens)
    if name is not None:
        _refuse({"params": params, "active": active, "shape": shape}, name)
        from scaleplan.specs.models import load_model

        model = load_model(name)
        return _of_model(model, given_tokens), _trained_on(model)
    if given_tokens is None:
        raise UsageError("nothing to cost: name a model, a budget file, --flops, or --params and --tokens")
    if shape is not None:
        _refuse({"params": params, "active": active}, "a shape, which has its own parameters")
        return _of_shape(shape, given_tokens), None
    if params is None:
        raise UsageError("so many tokens through which model? Add --params or --shape")
    total = scalar("params", params)
    each = total if active is None else scalar("active", active, "params")
    if each > total:
        text = f"{units.count(each)} of {units.count(total)}"
        raise UsageError(f"active parameters are part of the parameters (got {text})")
    return Subject(workload=Workload("run", each, total, given_tokens)), None


def _size_of(model: CatalogueModel) -> str:
    """The field of the parameters that a token passes."""
    return "params_active" if model.mixture_of_experts else "params"


def _lacking(model: CatalogueModel, tokens: float | None) -> str | None:
    """What was never published of a model without which it cannot be costed, ``None`` where nothing is."""
    lacking = [field for field in dict.fromkeys(("params", _size_of(model))) if field not in model.values]
    if not lacking and (tokens is not None or "tokens" in model.values):
        return None
    hint = "" if lacking else ": give --tokens"
    return f"its {' and '.join(lacking or ['tokens'])} were never published{hint}"


def _of_model(model: CatalogueModel, tokens: float | None) -> Subject:
    size, lacking = _size_of(model), _lacking(model, tokens)
    if lacking is not None:
        raise UsageError(f"{model.id}: {lacking}")
    used = [("params", model.values["params"], "parameters")]
    if size != "params":
        used.append((size, model.values[size], "parameters a token"))
    if tokens is None:
        used.append(("tokens", model.values["tokens"], "tokens"))
    listed = [Assumption(name, value.value, unit, value.status, value.source) for name, value, unit in used]
    found = model.sourced_shape
    if found is not None:
        text = f"{found.transformer.layers} layers of {found.transformer.width}"
        listed.append(Assumption("shape", text, "", found.status, found.source))
    trained = tokens if tokens is not None else model.values["tokens"].value
    run = Workload(model.id, model.values[size].value, model.values["params"].value, trained)
    return Subject(workload=run, shape=model.shape, assumptions=tuple(listed))


def _of_shape(shape: str | Transformer, tokens: float) -> Subject:
    from scaleplan.specs.shape_words import shape_from_words

    found = shape_from_words(shape) if isinstance(shape, str) else shape
    counts = found.params
    run = Workload("shape", float(counts.active), float(counts.total), tokens)
    listed = (Assumption("shape", f"{found.layers:g} layers of {found.width:g}", "", "given", "given"),)
    return Subject(workload=run, shape=found, assumptions=listed)


def _trained_on(model: CatalogueModel) -> str | None:
    run = model.run
    if run is None or run.accelerator is None:
        return None
    many = run.number("accelerators")
    return run.accelerator if many is None else f"{many:.0f}x{run.accelerator}"


def _no_accelerator() -> UsageError:
    return UsageError("on which accelerator? Add --on 512xh100-sxm, or --on h100-sxm (`scaleplan accelerators`)")


def _refuse(given: dict[str, Any], beside: str) -> None:
    twice = [name for name, value in given.items() if value is not None]
    if twice:
        raise UsageError(f"{' and '.join(twice)} beside {beside}: keep one")
