"""The verb ``shape``: real shapes near a size."""

from __future__ import annotations

from scaleplan.api.budgets import common_flop
from scaleplan.compute.accounting import Accounting
from scaleplan.compute.family import CONTEXT, VOCABULARY
from scaleplan.errors import Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.notices import with_notice
from scaleplan.planning.optimum import Point, surface_optimum
from scaleplan.planning.shape_rules import shape_rules
from scaleplan.planning.shapes import ShapeSearch, optimum_of_size, search_shapes
from scaleplan.specs.laws import DEFAULT_LAW, Laws, is_all, resolve_laws
from scaleplan.specs.numbers import Number, scalar, whole


def shape(
    params: Number | None = None,
    *,
    flops: Number | None = None,
    law: Laws = None,
    tensor: int | str | None = None,
    vocabulary: int | str = VOCABULARY,
    context: int | str = CONTEXT,
    tied: bool | None = None,
    gated: bool = True,
    head_size: int | str | None = None,
    kv_heads: int | str | None = None,
    experts: int | str | None = None,
    active: int | str | None = None,
    top: int | str = 10,
) -> ShapeSearch:
    """Real shapes nearest to a size, best first, each with the loss it gives away against the optimum.

    Args:
        params: total parameters, embeddings counted; of a mixture of experts those of all experts.
        flops: in place of ``params``, a budget [FLOP, as the law counts them]: its optimum's size is asked for.
        law: one law with a loss surface; the default law when left out.
        tensor: tensor-parallel degree that heads, widths and vocabulary divide by.
        vocabulary: tokens, padded to whole tiles.
        context: tokens of a training sequence.
        tied: whether the embedding serves as output head too; by size when left out.
        gated: three matrices in the feed-forward part rather than two.
        head_size: by size when left out.
        kv_heads: heads with keys and values of their own; by size when left out.
        experts: routed experts of a layer; ``active`` of them serve a token.
        active: see ``experts``.
        top: how many shapes at most.

    Raises:
        UsageError: a number out of range, neither size nor budget or both, an unknown law or one without a loss.
        InfeasibleError: no shape obeys the rules, or no budget makes the size the best.
    """
    chosen = _one_law(law)
    accounting = Accounting(flop=chosen.counts_flop)
    dense = experts is None and active is None
    size, optimum, notices = _size(params, flops, chosen, accounting, dense=dense)
    optional = {"tensor": tensor, "head-size": head_size, "kv-heads": kv_heads, "experts": experts, "active": active}
    numbers = {name: None if value is None else whole(name, value) for name, value in optional.items()}
    rules = shape_rules(
        size,
        tensor=numbers["tensor"],
        vocabulary=whole("vocab", vocabulary),
        context=whole("context", context),
        tied=tied,
        gated=gated,
        head_size=numbers["head-size"],
        kv_heads=numbers["kv-heads"],
        experts=numbers["experts"],
        active=numbers["active"],
        top=whole("top", top),
    )
    if not dense:
        return search_shapes(rules, None, None, accounting)
    found = search_shapes(rules, chosen, optimum or optimum_of_size(chosen, accounting, size), accounting)
    return with_notice(found, notices)


def _size(
    params: Number | None, flops: Number | None, law: Law, accounting: Accounting, *, dense: bool
) -> tuple[float, Point | None, tuple[Notice, ...]]:
    """The size asked for, with the optimum of the budget where that was given and what is to be said of it."""
    if params is not None and flops is not None:
        raise UsageError("params and flops are both given: keep the size or the budget whose optimum has it")
    if params is not None:
        return scalar("params", params), None, ()
    if flops is None:
        raise UsageError("no size: give params, or flops for the size that a budget is best spent on")
    if not dense:
        raise UsageError("flops gives the size of a dense model; give params for a mixture of experts")
    law.require_allowed("allocate")
    surface = law.require_surface("the size that a budget is best spent on")
    budget, notices = common_flop(law, flops)
    optimum = surface_optimum(law, surface, accounting, budget)
    return float(optimum.size.total), optimum, notices


def _one_law(law: Laws) -> Law:
    if is_all(law):
        raise UsageError("what a shape gives away is by one law, not by all of them: name it")
    laws = resolve_laws(law, (DEFAULT_LAW,))
    if len(laws) > 1:
        raise UsageError(f"one law at a time weighs shapes (got {', '.join(each.id for each in laws)})")
    return laws[0]
