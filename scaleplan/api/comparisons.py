"""The verb ``compare``: options, plans among them, side by side at equal FLOPs or as trained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.api.budgets import common_flop
from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.ops import is_array
from scaleplan.planning.comparison import Comparison, Option
from scaleplan.planning.comparison import compare as compare_options
from scaleplan.planning.notices import with_notice
from scaleplan.planning.plan import Plan
from scaleplan.specs.laws import DEFAULT_LAW, Laws, is_all, resolve_laws
from scaleplan.specs.numbers import Number, fraction, whole

if TYPE_CHECKING:
    from scaleplan.specs.conditions import Conditions

COMPARE_FLOP = 5.76e23
"""Chinchilla's budget, which Hoffmann et al. 2022 call Gopher's (table 3); Gopher's own paper counts 6.31e23."""
COMPARE_OPTIONS = ("gopher", "chinchilla")
COMPARE_LAWS = (DEFAULT_LAW, "kaplan-2020")


def compare(
    *options: str | Option | Plan,
    file: str | None = None,
    flops: Number | None = None,
    as_trained: bool = False,
    law: Laws = None,
    level: float | str = 0.95,
    draws: int | str | None = None,
    seed: int | str = 0,
) -> Comparison:
    """Options side by side at equal FLOPs, each law with its own optimum.

    Args:
        options: catalogue models (``"gopher"``), model files (``"./mine.yaml"``), words (``"name=ours,params=30B"``)
            or ``Option``s, or plans; Gopher and Chinchilla when neither these nor a file lists any.
        file: an options file, or a budget file, whose plan stands in front where limits or serving bound it.
        flops: the budget; when left out that of the file, or the FLOPs of the first plan, or 5.76e23, that of Gopher
            and Chinchilla.
        as_trained: keep each option's published tokens instead of setting them by the budget.
        law: laws with a loss surface; the default law and Kaplan's when left out.
        level: coverage of the bands.
        draws: how many draws of each law say how likely an option is the best; none when left out.
        seed: of the draws.

    Raises:
        UsageError: an unknown model or law, an option without what the comparison needs.
        InputFileError: the file cannot be used.
    """
    chosen = [_option(option) for option in options]
    listed = _Listed([], flops, None, law or None, None)
    if file is not None:
        listed = _of_file(file, flops, law)
        chosen = [*listed.options, *chosen]
    if all(option.planned for option in chosen):
        chosen += [_option(name) for name in COMPARE_OPTIONS]
    laws, notices = _able(resolve_laws(listed.law, COMPARE_LAWS), some=is_all(law) or (file is not None and not law))
    flops = listed.flops
    if flops is None and listed.conditions is None and not as_trained:
        flops = _flop_of_plan(chosen, laws[0])
    train_flop: float | None = None
    if flops is not None or listed.conditions is not None:
        train_flop, noticed = common_flop(laws[0], flops, listed.conditions)
        notices += noticed
    if train_flop is None and not as_trained:
        train_flop = COMPARE_FLOP
    comparison = compare_options(
        laws,
        chosen,
        train_flop=train_flop,
        as_trained=as_trained,
        level=fraction(level),
        accounting=Accounting(flop=laws[0].counts_flop),
        draws=None if draws is None else whole("draws", draws),
        seed=whole("seed", seed),
    )
    return with_notice(replace(comparison, name=listed.name, file=file), notices)


class _Listed(NamedTuple):
    """What a file lists: its options, its budget as FLOPs or as conditions, its laws, its name."""

    options: list[Option]
    flops: Number | None
    conditions: Conditions | None
    law: Laws
    name: str | None


def _of_file(file: str, flops: Number | None, law: Laws) -> _Listed:
    """The options of a file, and what of its budget and its laws the call did not give.

    The plan of a budget file that limits or serving bound is its first option, and sets the FLOPs of the others.
    """
    from scaleplan.specs.budget import BudgetDocument, laws_of, read_comparison

    spec, options = read_comparison(file)
    law = law or laws_of(file, spec.law)
    if isinstance(spec, BudgetDocument) and (spec.limits is not None or spec.serving is not None):
        from scaleplan.api.plans import allocate_document

        plan = allocate_document(spec, file, {}, {}, law=law)
        if plan.problem.constrained and flops is not None:
            raise UsageError(f"{file} is bounded, and its plan has a budget of its own: leave --flops out")
        if plan.problem.constrained:
            return _Listed([_option(plan), *options], flops, None, law, spec.name)
    if spec.budget is None or flops is not None:
        return _Listed(options, flops, None, law, spec.name)
    if spec.budget.loss is not None:
        raise UsageError(f"{file} gives a loss as its budget; a comparison needs FLOPs: add --flops")
    return _Listed(options, spec.budget.flops, spec.conditions, law, spec.name)


def _able(laws: list[Law], *, some: bool) -> tuple[list[Law], tuple[Notice, ...]]:
    """The laws that compare, where ``some`` of those asked for will do, with a notice of the others."""
    able = [each for each in laws if each.surface is not None and "compare" not in each.refuses]
    if not able or len(able) == len(laws) or not some:
        return laws, ()
    # A budget file's laws also serve its allocation; those that only allocate have nothing to compare with.
    lossless = [each.id for each in laws if each.surface is None]
    refusing = [each.id for each in laws if each.surface is not None and each not in able]
    parts = [f"having no loss to compare by: {', '.join(lossless)}"] if lossless else []
    parts += [f"refused for comparison (ask for one to see why): {', '.join(refusing)}"] if refusing else []
    return able, (Notice("cannot_answer", f"left out, {'; '.join(parts)}."),)


def _flop_of_plan(options: list[Option], law: Law) -> float:
    """The FLOPs of the first plan among options, as the law counts them; without one those of the default."""
    for option in options:
        if option.planned:
            assert option.params is not None
            assert option.tokens is not None
            accounting = Accounting(flop=law.counts_flop)
            return float(accounting.train_flop(accounting.size(option.params, ParamCount.TOTAL), option.tokens))
    return COMPARE_FLOP


def _option(option: str | Option | Plan) -> Option:
    from scaleplan.specs.options import option_from_word

    if isinstance(option, Option):
        return option
    if isinstance(option, Plan):
        return _planned(option)
    if isinstance(option, str):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a clear word
        return option_from_word(option)
    raise UsageError(f"an option is a name, a word such as name=ours,params=30B, a plan, or an Option (got {option!r})")


def _planned(plan: Plan) -> Option:
    """The run of a plan as an option that keeps its tokens."""
    if plan.experts is not None:
        raise UsageError("a plan with experts does not compare: the laws here are of dense models")
    if is_array(plan.params) or is_array(plan.tokens):
        raise UsageError("a plan of arrays is many options; compare them one by one")
    limits = plan.problem.limits
    unique = None if limits is None or limits.unique_tokens is None else float(limits.unique_tokens)
    name = plan.problem.name or f"{plan.law.id} plan"
    return Option(name=name, params=float(plan.params), tokens=float(plan.tokens), planned=True, unique_tokens=unique)
