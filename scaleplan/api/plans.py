"""The verbs of planning: allocate, predict, frontier, hyper.

A law may be given by preset id or alias, ``id:variant``, the path of a law file, or as a ``Law``; numbers as floats,
as text such as ``70B``, or as arrays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from scaleplan.api.budgets import budget_file, common_flop, machine_for, unpaid_pilots
from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.ops import Real, is_array
from scaleplan.planning.cross_check import cross_checked
from scaleplan.planning.notices import with_notice
from scaleplan.planning.plan import Plan
from scaleplan.planning.problem import Problem
from scaleplan.specs.laws import CROSS_CHECK, DEFAULT_LAW, Laws, is_all, resolve_laws
from scaleplan.specs.numbers import Number, fraction, number, scalar, whole

if TYPE_CHECKING:
    from scaleplan.api.limits import Asked
    from scaleplan.planning.frontier import Frontier
    from scaleplan.planning.hyper import Hyperparameters
    from scaleplan.planning.prediction import Prediction, RunPrediction
    from scaleplan.specs.budget import BudgetDocument
    from scaleplan.specs.machines import Machine


def allocate(
    budget: str | os.PathLike[str] | None = None,
    *,
    flops: Number | None = None,
    loss: Number | None = None,
    params: Number | None = None,
    tokens: Number | None = None,
    law: Laws = None,
    level: float | str = 0.95,
    hyper: bool = False,
    limits: Mapping[str, Any] | None = None,
    serving: Mapping[str, Any] | None = None,
    robust: str | None = None,
    draws: int | str | None = None,
    seed: int | str = 0,
    on: str | None = None,
    days: float | str | None = None,
    gpu_hours: float | str | None = None,
    usd: float | str | None = None,
    **conditions: Any,
) -> Plan:
    """The best use of a budget: training FLOPs, a loss to reach, a cluster for a time, accelerator-hours or money.

    With ``limits`` or ``serving`` the least loss, or the least that a loss costs, under all of them.

    Args:
        budget: path of a budget file, in place of ``flops``, ``loss`` and the other budgets.
        flops: training FLOPs, counted as the first law counts them, or words: ``"2048xh100-sxm for 60d"``, ``"$5M"``.
        loss: the loss to reach [nats/token], in the first law's measure.
        params: fixed parameters, embeddings counted.
        tokens: fixed training tokens.
        law: one law or several, or ``"all"``; the first makes the plan, the others its cross-check. Left out, the
            default law plans and, for a single budget, the laws around it cross-check.
        level: coverage of the bands.
        hyper: learning rate and batch of each plan by the default rule; for a single budget.
        limits: by the keys of a budget file's heading ``limits``: ``{"max_params": "80B", "unique_tokens": "12T"}``.
        serving: by those of ``serving``: ``{"tokens": "2T", "on": "h100-sxm"}``; FLOPs and money pay for it too.
        robust: the plan of least regret over the laws: ``"mean"`` of them, or the ``"worst"``.
        draws: how many draws of a law make its bands, and stand for it in the regret; the delta method where left out.
        seed: of the draws.
        on: where it runs, ``"h100-sxm"`` or ``"2048xh100-sxm"``; the plan then comes with its bill.
        days: how long the cluster ``on`` is there; beside another budget the deadline.
        gpu_hours: accelerator-hours of ``on``.
        usd: money [USD].
        conditions: what else the bill takes: ``mfu``, ``goodput``, ``price``, ``precision`` and the other fields of
            ``specs.conditions.Conditions``.

    Returns:
        The plan; its numbers are arrays where an argument was one.

    Raises:
        UsageError: no budget or two, a number out of range, an unknown law, a law that cannot answer.
        InputFileError: the budget file cannot be used.
        InfeasibleError: the loss is out of reach, the budget buys less than a parameter or a token, or limits clash.
    """
    numbers = {"flops": flops, "loss": loss, "params": params, "tokens": tokens}
    words = {"on": on, "days": days, "gpu_hours": gpu_hours, "usd": usd, **conditions}
    spec: BudgetDocument | None = None
    if budget is not None:
        spec, budget = budget_file(budget, {"flops": flops, "loss": loss, "gpu_hours": gpu_hours, "usd": usd})
    doubt = (robust, draws, seed)
    return allocate_document(
        spec, budget, numbers, words, law=law, level=level, hyper=hyper, limits=limits, serving=serving, doubt=doubt
    )


def allocate_document(
    spec: BudgetDocument | None,
    path: str | None,
    numbers: Mapping[str, Any],
    words: Mapping[str, Any],
    *,
    law: Laws = None,
    level: float | str = 0.95,
    hyper: bool = False,
    limits: Mapping[str, Any] | None = None,
    serving: Mapping[str, Any] | None = None,
    doubt: tuple[str | None, int | str | None, int | str] = (None, None, 0),
) -> Plan:
    """The plan of a budget file that was read already, or of none, and of the words of a call; see ``allocate``.

    Args:
        spec: the file's content.
        path: where it was read from.
        numbers: ``flops``, ``loss``, ``params`` and ``tokens`` of the call.
        words: its words about the machine.
        law: as for ``allocate``, like all that follows.
        level: coverage of the bands.
        hyper: learning rate and batch.
        limits: words by the keys of ``limits``.
        serving: words by those of ``serving``.
        doubt: ``robust``, ``draws`` and ``seed``.

    Raises:
        UsageError, InputFileError, InfeasibleError: as for ``allocate``.
    """
    numbers = dict(numbers)
    if spec is not None:
        assert path is not None
        numbers |= {"flops": spec.budget.flops, "loss": spec.budget.loss}
        from scaleplan.specs.budget import laws_of

        law = law or laws_of(path, spec.law)
    words = _with_deadline(words, limits)
    machine, numbers["flops"] = machine_for(words, spec, numbers.get("flops"), numbers.get("loss"))
    given = {key: number(key, value) for key, value in numbers.items() if value is not None}
    single = not any(is_array(value) for value in given.values())
    asked: Asked | None = None
    if limits or serving or (spec is not None and (spec.limits is not None or spec.serving is not None)):
        from scaleplan.api.limits import asked_of

        asked = asked_of(limits, serving, spec, {key: given.get(key) for key in ("params", "tokens")})
        if asked is not None:
            single = single and not any(is_array(value) for value in asked.limits)
            given |= {key: value for key in ("params", "tokens") if (value := getattr(asked.limits, key)) is not None}
    laws = resolve_laws(law, (DEFAULT_LAW, *CROSS_CHECK) if single else (DEFAULT_LAW,))
    resources = machine is not None and "flops" not in given and "loss" not in given
    narrowed: tuple[Notice, ...] = ()
    if machine is None and spec is not None:
        narrowed = unpaid_pilots(spec)
    if machine is not None:
        from scaleplan.planning.precision import laws_at_precision

        laws, narrowed = laws_at_precision(laws, machine.conditions.precision)
    problem = Problem(
        name=None if spec is None else spec.name,
        file=path,
        # The machine's budget takes its place with the other limits below.
        train_flop=1.0 if resources else given.get("flops"),
        loss=given.get("loss"),
        params=given.get("params"),
        tokens=given.get("tokens"),
        level=fraction(level),
        accounting=Accounting(flop=laws[0].counts_flop),
    )
    if machine is not None and not single:
        raise UsageError("a cluster is planned for one budget at a time; leave on out for arrays")
    if asked is not None or (machine is not None and (resources or machine.ends_by_time)):
        from scaleplan.api.limits import NOTHING, plan_within

        if resources:
            asked = (asked or NOTHING)._replace(resources=True)
        plan = plan_within(laws, problem, asked or NOTHING, machine, leave_out=law is None or is_all(law))
        plan = with_notice(plan, narrowed)
        plan = _in_doubt(plan, machine, doubt, asked, single=single)
        return _with_hyper(plan, single=single) if hyper else plan
    plan = cross_checked(laws, problem, leave_out=law is None or is_all(law))
    if machine is not None:
        from scaleplan.api.resources import with_costing

        plan = with_costing(plan, machine)
    plan = with_notice(plan, narrowed)
    plan = _in_doubt(plan, machine, doubt, asked, single=single)
    return _with_hyper(plan, single=single) if hyper else plan


def _with_deadline(words: Mapping[str, Any], limits: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The words about the machine with the deadline of a call's limits among them.

    Raises:
        UsageError: two times.
    """
    deadline = limits.get("deadline_days") if isinstance(limits, Mapping) else None
    if deadline is None:
        return words
    if words.get("days") is not None:
        raise UsageError("days and deadline_days are two times for one plan: keep one")
    return {**words, "days": deadline}


def _in_doubt(
    plan: Plan,
    machine: Machine | None,
    doubt: tuple[str | None, int | str | None, int | str],
    asked: Asked | None,
    *,
    single: bool,
) -> Plan:
    """The plan with bands by draws, and the plan of least regret before it, where they are asked for."""
    robust, draws, seed = doubt
    start = whole("seed", seed)
    if robust is None and draws is None:
        return plan
    if not single:
        raise UsageError("draws and regret are for one budget at a time; leave robust and draws out for arrays")
    if robust not in (None, "mean", "worst"):
        raise UsageError(f"robust is mean or worst (got {robust!r})")
    from scaleplan.api.doubt import with_draws, with_regret

    many = None if draws is None else whole("draws", draws)
    if robust is None:
        assert many is not None
        return with_draws(plan, many, start)
    laws = [each.law for each in (plan, *plan.cross_check)]
    return with_regret(plan, laws, machine, cast("Any", robust), many, start, asked)


def _with_hyper(plan: Plan, *, single: bool) -> Plan:
    if not single:
        raise UsageError("learning rate and batch are for one budget at a time; leave hyper out for arrays")
    from scaleplan.planning.hyper import with_hyper
    from scaleplan.specs.records import DEFAULT_HYPER, load_record

    return with_hyper(plan, load_record(DEFAULT_HYPER))


def allocate_stream(
    blocks: Iterator[Real],
    *,
    params: Number | None = None,
    tokens: Number | None = None,
    law: Laws = None,
    level: float | str = 0.95,
    limits: Mapping[str, Any] | None = None,
    serving: Mapping[str, Any] | None = None,
) -> Iterator[Plan]:
    """Plans for blocks of budgets, one plan of arrays a block; see ``allocate``."""
    given: dict[str, Any] = {"params": params, "tokens": tokens, "level": level, "limits": limits, "serving": serving}
    laws = resolve_laws(law, (DEFAULT_LAW,))
    if is_all(law):
        # Limits are weighed by a loss.
        bounded = bool(limits or serving)
        laws = [each for each in laws if "allocate" not in each.refuses and (each.surface is not None or not bounded)]
    line = 1
    for block in blocks:
        try:
            yield allocate(flops=block, law=laws, **given)
        except InfeasibleError:
            # The arrays say that some budget fails; asking one by one says which.
            for i, flop in enumerate(cast("Any", block).tolist()):
                try:
                    allocate(flops=flop, law=laws, **given)
                except InfeasibleError as error:
                    raise InfeasibleError(f"<stdin>:{line + i}: {error.message}") from None
            raise
        line += cast("Any", block).size


def predict(
    *, params: Number, tokens: Number, law: Laws = None, level: float | str = 0.95, band: str = "forecast"
) -> Prediction:
    """The loss of a run of ``params`` parameters (embeddings counted) on ``tokens`` tokens; arrays broadcast.

    ``band`` is ``forecast``, with the law's allowances for misfit, or ``sampling``, without them.

    Raises:
        UsageError: a number out of range, an unknown law, or a law without a loss surface.
    """
    from scaleplan.planning.prediction import predict as predict_loss

    chosen = _banded(_one_law(law), band)
    accounting = Accounting(flop=chosen.counts_flop)
    return predict_loss(
        chosen,
        number("params", params),
        number("tokens", tokens),
        level=fraction(level),
        accounting=accounting,
    )


def predict_runs(
    path: str, *, law: Laws = None, level: float | str = 0.95, band: str = "forecast"
) -> Iterator[RunPrediction]:
    """The loss of every run of a CSV, NDJSON or Parquet table (``-`` is standard input), in the order of its rows.

    Raises:
        InputFileError: the table cannot be used.
        UsageError: as for ``predict``.
    """
    from scaleplan.planning.prediction import RunPrediction
    from scaleplan.specs.runs import run_blocks

    chosen = _one_law(law)
    chosen.require_loss("a prediction of the loss")
    for block in run_blocks(path, Accounting(flop=chosen.counts_flop)):
        prediction = predict(params=block.params, tokens=block.tokens, law=chosen, level=level, band=band)
        notices: tuple[Notice, ...] = ()
        if block.ignored:
            notices = (Notice("ignored_columns", f"columns not used: {', '.join(block.ignored)}."),)
        if "unique_tokens" in block.ignored:
            notices += (Notice("repeats_ignored", "every token counts as new: predictions know no repeated data."),)
        yield RunPrediction(prediction=with_notice(prediction, notices), names=block.names)


def frontier(
    *,
    start: Number = 1e18,
    stop: Number = 1e26,
    per_decade: int | str = 1,
    law: Laws = None,
    level: float | str = 0.95,
) -> Frontier:
    """The optimal run of every budget from ``start`` to ``stop`` FLOPs, and its growth for ten times the compute.

    Raises:
        UsageError: an empty range, an unknown law.
    """
    from scaleplan.planning.frontier import frontier as trace

    laws = resolve_laws(law, (DEFAULT_LAW,))
    low, notices = common_flop(laws[0], start, name="from")
    high, more = common_flop(laws[0], stop, name="to")
    found = trace(
        laws,
        low,
        high,
        per_decade=whole("per-decade", per_decade),
        level=fraction(level),
        accounting=Accounting(flop=laws[0].counts_flop),
        leave_out=is_all(law),
    )
    return with_notice(found, tuple(dict.fromkeys(notices + more)))


def hyper(*, params: Number, tokens: Number, law: str | Sequence[str] | None = None) -> Hyperparameters:
    """Learning rate, batch and weight decay of a run of ``params`` parameters (embeddings counted) on ``tokens``.

    Args:
        params: one size.
        tokens: one number of tokens.
        law: laws with hyper-parameters; the default rule and then all others when left out or ``"all"``.

    Raises:
        UsageError: a number out of range, an unknown law or one without hyper-parameters.
    """
    from scaleplan.planning.hyper import suggest
    from scaleplan.specs.records import hyper_records

    size = Accounting().size(scalar("params", params), ParamCount.TOTAL)
    return suggest(hyper_records(law), size, scalar("tokens", tokens), accounting=Accounting())


def _banded(law: Law, band: str) -> Law:
    """The law with the kind of band that is wanted."""
    if band not in ("forecast", "sampling"):
        raise UsageError(f"band is forecast or sampling (got {band!r})")
    return law if band == "forecast" else law.sampling()


def _one_law(law: Laws) -> Law:
    if is_all(law):
        raise UsageError("a prediction is by one law, not by all of them: name it")
    laws = resolve_laws(law, (DEFAULT_LAW,))
    if len(laws) > 1:
        raise UsageError(f"one law at a time predicts a loss (got {', '.join(each.id for each in laws)})")
    return laws[0]
