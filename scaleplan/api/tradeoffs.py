"""The verb ``tradeoff``: what a smaller model costs in training, and from how many served tokens it pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scaleplan.api.budgets import common_flop
from scaleplan.api.comparisons import COMPARE_FLOP
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import UsageError
from scaleplan.planning.comparison import Option
from scaleplan.planning.notices import with_notice
from scaleplan.planning.tradeoff import Tradeoff, between
from scaleplan.planning.tradeoff import tradeoff as trade
from scaleplan.specs.laws import DEFAULT_LAW, Laws, is_all, resolve_laws
from scaleplan.specs.numbers import Number, scalar
from scaleplan.specs.options import option_from_word

if TYPE_CHECKING:
    from scaleplan.compute.bill import Assumption
    from scaleplan.compute.serving import Service


def tradeoff(
    first: str | Option | None = None,
    second: str | Option | None = None,
    *,
    flops: Number | None = None,
    loss: Number | None = None,
    law: Laws = None,
    serving: Mapping[str, Any] | None = None,
) -> Tradeoff:
    """The over-training curve at equal loss and the front of training, serving and loss; or two plans' break-even.

    Args:
        first: a plan to hold against ``second``: a catalogue model, a model file, ``"name=ours,params=30B,tokens=5T"``
            or an ``Option``, with its parameters and tokens.
        second: the other one.
        flops: training FLOPs of the optimum whose loss is kept, counted as the law counts them;
            ``COMPARE_FLOP`` where nothing is given.
        loss: or the loss to keep, in the law's measure.
        law: one law with a loss surface.
        serving: what is served, by the keys of the budget file's heading: ``tokens``, ``on``, ``prompt``, ``answer``
            and the others.

    Returns:
        The trade-off; its ``rows`` are the curve and the front, or the two plans.

    Raises:
        UsageError: one plan without the other, plans beside a budget, a law without a surface, several laws.
        InputFileError: a file cannot be used.
        InfeasibleError: a loss at or below the floor, or a budget below a parameter or a token.
    """
    chosen = resolve_laws(law, (DEFAULT_LAW,))
    if is_all(law) or len(chosen) > 1:
        raise UsageError("a trade-off is by one law at a time: name one")
    by, accounting = chosen[0], Accounting(flop=chosen[0].counts_flop)
    service, assumptions = (None, ()) if serving is None else _served(serving)
    if first is not None or second is not None:
        if first is None or second is None:
            raise UsageError("one plan has nothing to break even with: give two, or none for the curve of an optimum")
        if flops is not None or loss is not None:
            raise UsageError("two plans bring their own training and losses: leave out flops and loss")
        found, notices = between(by, _option(first), _option(second), accounting=accounting, service=service), ()
    elif loss is not None:
        if flops is not None:
            raise UsageError("two budgets, training FLOPs and a loss to keep: keep one")
        found, notices = trade(by, loss=scalar("loss", loss), accounting=accounting, service=service), ()
    else:
        train_flop, notices = common_flop(by, COMPARE_FLOP if flops is None else flops)
        found = trade(by, train_flop=train_flop, accounting=accounting, service=service)
    return with_notice(replace(found, assumptions=assumptions), notices)


def _option(option: str | Option) -> Option:
    return option if isinstance(option, Option) else option_from_word(option)


def _served(serving: Mapping[str, Any]) -> tuple[Service, tuple[Assumption, ...]]:
    from scaleplan.specs.serving import read_serving, service_of

    return service_of(read_serving(dict(serving)))
