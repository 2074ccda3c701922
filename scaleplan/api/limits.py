"""Problems with more than a budget: limits and serving in words to a problem, its plan, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from scaleplan import units
from scaleplan.api.speeds import MUCH_LEFT, at_speed, costing_within
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.ops import extremes
from scaleplan.planning.beside import with_beside
from scaleplan.planning.cross_check import cross_checked
from scaleplan.planning.limits import Limits, without_machine
from scaleplan.planning.notices import with_notice
from scaleplan.planning.repeats import UnvaluedRepeatsError
from scaleplan.specs.laws import DEFAULT_LAW, load_law
from scaleplan.specs.limits import LimitWords, check_limits, given, merged, read_limits

if TYPE_CHECKING:
    from scaleplan.compute.bill import Assumption
    from scaleplan.compute.costing import Costing
    from scaleplan.compute.serving import Service
    from scaleplan.laws.law import Law
    from scaleplan.planning.plan import Plan
    from scaleplan.planning.problem import Problem
    from scaleplan.specs.budget import BudgetDocument
    from scaleplan.specs.machines import Machine

REPEATS_LAW = "muennighoff-2023"
"""The preset that says what repeated tokens are worth."""
EXPERTS_LAW = "ludziejewski-2025"
"""The preset that plans mixtures of experts."""
_OF_MACHINE = ("max_usd", "max_mwh", "memory")
_MOST_FLOP = 1e200
"""Our choice: of more neither squares nor products of FLOPs are numbers here."""
_CROWDED = 1.5
"""Our choice: with two thirds of the requests a token takes up to half as many accelerator-seconds more."""


class Asked(NamedTuple):
    """What was asked beside the budget: limits, serving, and where the numbers of serving come from.

    ``resources``: the machine's own time, hours or money are the budget.
    """

    limits: LimitWords
    service: Service | None
    assumptions: tuple[Assumption, ...]
    resources: bool = False


def mapping(name: str, words: object) -> Mapping[str, Any]:
    """Words by key, empty where there are none.

    Raises:
        UsageError: something else.
    """
    if words is None:
        return {}
    given_words: Any = words
    if not isinstance(words, Mapping) or not all(isinstance(key, str) for key in given_words):
        raise UsageError(f"{name} must map keys of a budget file to values, such as {_EXAMPLES[name]} (got {words!r})")
    return given_words


_EXAMPLES = {"pilots": "{'share': '1%'}", "limits": "{'max_params': '80B'}", "serving": "{'tokens': '2T'}"}
NOTHING = Asked(LimitWords(), None, ())
"""Nothing asked beside the budget."""


def asked_of(
    limits: Mapping[str, Any] | None,
    serving: Mapping[str, Any] | None,
    spec: BudgetDocument | None,
    fixed: Mapping[str, Any],
) -> Asked | None:
    """Limits and serving of a call and of a budget file, the call's in front; ``None`` where neither says any.

    Args:
        limits: words by the keys of the file's heading ``limits``.
        serving: words by those of ``serving``.
        spec: the budget file.
        fixed: ``params`` and ``tokens`` of the call, numbers already.

    Raises:
        UsageError: a word that cannot be read, limits that leave nothing to plan.
        InfeasibleError: limits that no plan meets.
    """
    own = LimitWords() if spec is None or spec.limits is None else spec.limits.words
    flags = read_limits(mapping("limits", limits))
    for key, value in fixed.items():
        if value is not None and getattr(flags, key) is not None:
            raise UsageError(f"{key} is given twice, by itself and among the limits: keep one")
    flags = flags._replace(**{key: value for key, value in fixed.items() if value is not None})
    words = merged(own, flags)
    check_limits(words)
    service, assumptions = _service(mapping("serving", serving), spec)
    # A deadline alone is the machine's, and a size that the call fixes itself is fixed in the problem.
    rest = words._replace(params=None, tokens=None, deadline_days=None)
    by_limits = [key for key in ("params", "tokens") if getattr(words, key) is not None and fixed.get(key) is None]
    return Asked(words, service, assumptions) if service is not None or given(rest) or by_limits else None


def _service(serving: Mapping[str, Any], spec: BudgetDocument | None) -> tuple[Service | None, tuple[Assumption, ...]]:
    own = None if spec is None else spec.serving
    if own is None and not serving:
        return None, ()
    from scaleplan.specs.serving import ServingWords, read_serving, service_of

    flags = read_serving(dict(serving))
    words = ServingWords() if own is None else own.words
    return service_of(words._replace(**{k: v for k, v in flags._asdict().items() if v is not None}))


def plan_within(
    laws: Sequence[Law], problem: Problem, asked: Asked, machine: Machine | None, *, leave_out: bool
) -> Plan:
    """The plan of a problem under limits, with the bill of the machine where there is one, and its cross-check.

    Args:
        laws: the first plans, the others cross-check.
        problem: with its FLOPs or its loss where that is the budget.
        asked: limits and serving.
        machine: where it trains.
        leave_out: leave out laws behind the first that cannot answer, with a notice. The first may then be replaced by
            one that values repeats, where the default law does not.

    Raises:
        UsageError: as for ``with_limits``.
        InfeasibleError: limits that clash.
    """
    try:
        bounded = with_limits(problem, asked, machine, laws[0])
        plan = cross_checked(laws, bounded, leave_out=leave_out, others=without_layout(bounded))
    except UnvaluedRepeatsError:
        if not leave_out or laws[0].id != DEFAULT_LAW:
            raise
        return _by_law_of_repeats(problem, asked, machine)
    plan = with_notice(with_beside(plan, serving_assumptions=asked.assumptions), _notices(bounded, plan))
    return plan if machine is None else with_bill(plan, machine, asked)


def without_layout(problem: Problem) -> Problem:
    """The problem of laws that cross-check: the layout at whose edge a size stays is that of the first law's plan."""
    limits = problem.limits
    return problem if limits is None else replace(problem, limits=limits._replace(layout=None))


def _by_law_of_repeats(problem: Problem, asked: Asked, machine: Machine | None) -> Plan:
    """The plan of the law that values repeats, where nobody named a law and the default one does not."""
    law = load_law(REPEATS_LAW)
    problem = replace(problem, accounting=Accounting(flop=law.counts_flop))
    plan = plan_within([law], problem, asked, machine, leave_out=False)
    text = f"{law.id} plans in place of {DEFAULT_LAW}, which does not say what repeated tokens are worth."
    return replace(plan, warnings=(Notice("law_of_repeats", text), *plan.warnings))


def _notices(problem: Problem, plan: Plan) -> tuple[Notice, ...]:
    """What is to be said of serving and of experts."""
    notices = _serving_beside(problem)
    service, served = problem.service, plan.serving
    server = None if service is None else service.server
    if service is not None and server is not None and service.demand.prompt is None:
        text = (
            "every token served counts as one of a prompt: without the lengths of prompts and answers (--prompt, "
            "--answer) serving looks several times cheaper than it is, since answers wait for memory."
        )
        notices += (Notice("serving_lengths", text),)
    if server is not None and served is not None and served.batch is not None and served.replica is not None:
        batch, _ = extremes(served.batch)
        if batch < server.batch / _CROWDED:
            text = (
                f"a replica of {extremes(served.replica)[0]:g} {server.accelerator} has room for {batch:.3g} requests "
                f"at once, not {server.batch:g}: serving it is slow and dear; more accelerators a replica, or money "
                "(usd, max_usd) as a limit, which sees that."
            )
            notices += (Notice("crowded_replica", text),)
    if plan.experts is not None:
        from scaleplan.planning.experts import notices as of_experts

        notices += tuple(of_experts(plan.experts))
    return notices


def _serving_beside(problem: Problem) -> tuple[Notice, ...]:
    """A notice of what the budget has to do with serving."""
    limits = problem.limits
    if problem.service is None or limits is None or problem.loss is not None:
        return ()
    if problem.train_flop is not None or limits.usd is not None:
        what = "FLOPs" if problem.train_flop is not None else "money"
        return (Notice("lifetime_budget", f"the budget of {what} pays for training and for serving together."),)
    if limits.max_usd is not None or limits.max_mwh is not None:
        return ()
    moves = "does not move the plan" if problem.service.largest() is None else "bounds the plan by its replica alone"
    text = f"the budget is time of the machine that trains: serving is paid beside it and {moves}."
    return (Notice("serving_beside", f"{text} Money (usd, max_usd) pays for both."),)


def with_limits(problem: Problem, asked: Asked, machine: Machine | None, law: Law) -> Problem:
    """The problem with its limits, its serving and what training takes of the machine.

    Args:
        problem: the problem, with its FLOPs or its loss where that is the budget.
        asked: limits and serving.
        machine: where it runs.
        law: the law that plans, whose model sets the speed.

    Raises:
        UsageError: a limit that needs a machine, a law that cannot express one.
        InfeasibleError: limits that clash, a model that fits in no layout.
    """
    words = asked.limits
    limits = Limits(
        tokens_per_param=words.tokens_per_param,
        min_params=words.min_params,
        max_params=words.max_params,
        unique_tokens=words.unique_tokens,
        max_epochs=words.max_epochs,
        max_usd=words.max_usd,
        max_mwh=words.max_mwh,
    )
    if machine is not None:
        limits = limits._replace(**_times(machine, budget=asked.resources))
    elif any(getattr(words, key) is not None for key in _OF_MACHINE):
        named = [key for key in _OF_MACHINE if getattr(words, key) is not None]
        raise without_machine(named)
    if words.experts is not None and "experts" not in law.held:
        raise UsageError(f"{law.id} says nothing of experts: name a law that does, --law {EXPERTS_LAW}")
    if words.batch is not None:
        limits = limits._replace(batch=_least_tokens(machine))
    flop = None if asked.resources else problem.train_flop
    problem = replace(problem, train_flop=flop, limits=limits, service=asked.service, experts=words.experts)
    if machine is None:
        return problem
    if words.memory is not None:
        problem = _within_memory(problem, machine, words)
    return at_speed(problem, machine, law)


def _times(machine: Machine, *, budget: bool) -> dict[str, float | None]:
    """The machine's budget of time, hours or money, and its deadline.

    Raises:
        UsageError: money without a price, a time without a number of accelerators.
        InfeasibleError: other work takes all of it, or it buys no plan that numbers here can hold.
    """
    said = machine.conditions
    if not budget:
        return {"deadline_days": said.days}
    from scaleplan.compute.bill import SECONDS_PER_HOUR, training_within

    hours = machine.budget_hours
    most = SECONDS_PER_HOUR * training_within(hours, machine.rates) * machine.part.peak
    if not 1 <= most < _MOST_FLOP:
        advice = "lower" if most > 1 else "raise"
        raise InfeasibleError(f"{hours:.6g} accelerator-hours buy no plan; {advice} the budget")
    if said.usd is None and said.gpu_hours is None:
        return {"days": said.days}
    return {"usd": said.usd, "gpu_hours": said.gpu_hours, "deadline_days": said.days}


def _within_memory(problem: Problem, machine: Machine, words: LimitWords) -> Problem:
    from scaleplan.specs.holdings import most_params

    assert problem.limits is not None
    if words.experts is not None:
        memory_of = partial(_most_params, machine, words.memory)
        return replace(problem, memory_of=memory_of)
    held = most_params(machine, words.memory)
    # Without a number of accelerators memory is no bound, which a notice says.
    return replace(problem, limits=problem.limits._replace(memory=None if held == math.inf else held))


def _most_params(machine: Machine, memory: float | Literal["fit"] | None, experts: int) -> float:
    from scaleplan.specs.holdings import most_params

    return most_params(machine, memory, experts=experts)


def _least_tokens(machine: Machine | None) -> float | None:
    """The least tokens whose critical batch is that which was given."""
    if machine is None:
        raise UsageError("batch critical without an accelerator: name one with on (--on 512xh100-sxm), and a batch")
    if machine.conditions.batch is None:
        return None  # the batch follows the plan, and is looked at there
    from scaleplan.planning.critical_batch import MEASURED

    return cast("float", MEASURED.least_tokens(machine.conditions.batch))


def with_bill(plan: Plan, machine: Machine, asked: Asked = NOTHING) -> Plan:
    """A plan with its bill on the machine that its limits are of, and what is to be said of both."""
    from scaleplan.planning.constrained import Run

    params = float(plan.params)
    active = params if plan.params_active is None else float(plan.params_active)
    experts = None if plan.experts is None else float(plan.experts)
    costing = costing_within(plan.problem, Run(params, active, float(plan.tokens), experts), machine, checked=True)
    plan = replace(plan, costing=costing)
    notices = (*costing.warnings, *_unspent(plan), *_slower(plan, costing))
    layout = None if plan.problem.limits is None else cast("float | None", plan.problem.limits.layout)
    if layout is not None:
        size = units.count(layout)
        text = f"the size is held to {size}: larger models train in a slower layout; --mfu plans by one speed."
        notices += (Notice("layout", text),)
    if asked.limits.batch is not None and costing.speed.batch_tokens is not None:
        from scaleplan.planning.critical_batch import notices as of_batch

        notices += tuple(of_batch(plan.tokens, costing.speed.batch_tokens))
    if asked.limits.memory is not None and machine.accelerators is None:
        text = f"memory bounds no plan without a number of accelerators: name them, as in 512x{machine.part.id}."
        notices += (Notice("unused", text),)
    return replace(plan, warnings=(*notices, *plan.warnings))


def _unspent(plan: Plan) -> tuple[Notice, ...]:
    """A notice where another limit than the budget ends the run."""
    if plan.why is None:
        return ()
    for held in plan.why.held:
        if held.name in _BUDGETS and held.slack > MUCH_LEFT:
            names = plan.why.binding
            ends = f"{' and '.join(names)} end{'' if len(names) > 1 else 's'} the run first"
            text = f"{held.slack:.1%} of the budget, {held.name}, is left: {ends}"
            return (Notice("unspent", f"{text}{_for_all_of_it(plan, held.slack)}."),)
    return ()


def _slower(plan: Plan, costing: Costing) -> tuple[Notice, ...]:
    """A notice where the plan stops short of its limits, since a larger one would train more slowly."""
    effort = plan.problem.effort
    if effort is None:
        return ()
    assumed = float(effort.hours_per_flop * costing.workload.train_flop + effort.fixed_hours)
    left = 1 - costing.gpu_hours / assumed
    of_machine = [name for name in plan.binding if name not in ("flops", "max_params", "min_params")]
    if left <= MUCH_LEFT or not of_machine:
        return ()
    text = f"{left:.1%} of {' and '.join(of_machine)} is left: a larger plan fits only in a slower layout, beyond it."
    return (Notice("unspent", text),)


def _for_all_of_it(plan: Plan, left: float) -> str:
    """How many accelerators would spend all of a budget by the deadline, where that alone ends the run."""
    if plan.binding != ("deadline_days",) or plan.accelerators is None:
        return ""
    return f"; at this speed all of it takes {math.ceil(plan.accelerators / (1 - left) * (1 - 1e-9)):,} accelerators"


_BUDGETS = ("flops", "usd", "days", "gpu_hours")
