"""What a call may spend, in whatever words: a budget file, FLOPs, or what a cluster, hours or money pay for.

What a plain budget of FLOPs does not need, ``resources``, is loaded only where the words ask for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scaleplan.errors import Notice, UsageError
from scaleplan.specs.numbers import Number, number, scalar

if TYPE_CHECKING:
    from scaleplan.laws.law import Law
    from scaleplan.specs.budget import BudgetDocument
    from scaleplan.specs.conditions import Conditions
    from scaleplan.specs.machines import Machine


def budget_file(budget: str | os.PathLike[str], beside: Mapping[str, Any]) -> tuple[BudgetDocument, str]:
    """A budget file, no other budget beside it, and its path.

    Raises:
        UsageError: another budget beside it.
        InputFileError: the file cannot be used.
    """
    if not isinstance(budget, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a clear word
        raise UsageError(f"the first argument is the path of a budget file; write flops={budget}")
    twice = [name for name, value in beside.items() if value is not None]
    if twice:
        raise UsageError(f"two budgets: the file gives one and so does {' and '.join(twice)}; keep one")
    from scaleplan.specs.budget import read_budget

    path = os.fspath(budget)
    return read_budget(path), path


def machine_for(
    words: Mapping[str, Any], spec: BudgetDocument | None, flops: Any, loss: Any
) -> tuple[Machine | None, Any]:
    """The machine that words and a file name, ``None`` where they name none, and FLOPs that are FLOPs.

    Raises:
        UsageError: two budgets, an accelerator without one, words that mean nothing without an accelerator.
        InputFileError: the accelerator's file cannot be used.
    """
    worth_a_look = isinstance(flops, str) and _may_be_resources(flops)
    if not worth_a_look and spec is None and all(word is None for word in words.values()):
        return None, flops
    from scaleplan.api.resources import conditions_from, is_budget, looks_like_resources, machine_of, unused_words

    resources = looks_like_resources(flops)
    conditions = conditions_from(words, None if spec is None else spec.conditions, flops)
    budget = is_budget(conditions)
    others = [name for name, value in (("flops", None if resources else flops), ("loss", loss)) if value is not None]
    if others and (conditions.gpu_hours is not None or conditions.usd is not None):
        raise UsageError(f"two budgets: {others[0]} and {'usd' if conditions.usd else 'gpu_hours'}; keep one")
    if not budget and conditions.on is None:
        unused = unused_words(words, None if spec is None else conditions)
        if unused and flops is not None:
            number("flops", flops, "flop")  # what is no number at all is said first
        if unused:
            from scaleplan.planning.limits import without_machine

            raise without_machine(unused)
        return None, flops
    if not budget and not others:
        raise UsageError("an accelerator without a budget: add days, gpu_hours, usd, flops or a loss to reach")
    return machine_of(conditions), None if resources else flops


def unpaid_pilots(spec: BudgetDocument) -> tuple[Notice, ...]:
    """That pilot runs come on top of a budget of FLOPs or a loss, whose plan has no bill without an accelerator."""
    if spec.pilots is None:
        return ()
    extra = spec.pilots.extra
    what = f"{extra.share:.3g} of its FLOPs" if extra.share else f"{extra.gpu_hours:,.6g} accelerator-hours"
    text = f"pilot runs, {what}, come on top of the plan; name an accelerator in budget.on, and its bill has them."
    return (Notice("pilots_on_top", text),)


def common_flop(
    law: Law, flops: Number | None, conditions: Conditions | None = None, name: str = "flops"
) -> tuple[float, tuple[Notice, ...]]:
    """FLOPs as given, or those that a cluster, hours or money pay for under ``law``; what to notice of them.

    Raises:
        UsageError: neither a number nor a cluster, hours or money.
        InfeasibleError: they pay for no plan.
    """
    if flops is None or (isinstance(flops, str) and _may_be_resources(flops)):
        from scaleplan.api.resources import conditions_from, looks_like_resources, paid_flop

        if looks_like_resources(flops):
            conditions = conditions_from({}, flops=flops)
        if conditions is not None:
            return paid_flop(law, conditions)
    assert flops is not None
    return scalar(name, flops, "flop"), ()


def _may_be_resources(flops: str) -> bool:
    """Whether words given as FLOPs are worth a look: ``$5M``, ``2048xh100-sxm for 60d``, but ``10 PF-days`` too."""
    return "$" in flops or " " in flops
