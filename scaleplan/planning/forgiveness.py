"""How much a size other than the best costs: the extra compute that reaches the same loss.

    extra(N) = C(N, D(N, L)) / C_min(L) - 1,   with D(N, L) the tokens at which N parameters reach L,

and C_min(L) the least training FLOPs that reach L. Near its optimum a plan is forgiving: for the additive law of
Besiroglu et al. 2024 (arXiv 2404.10102) N 30 % above the best costs 2.3 %, 30 % below 5.4 %, whatever the budget,
since there (derived from Hoffmann et al. 2022, eq. 4)

    extra(k N*) = k [1 + (beta/alpha)(1 - k^-alpha)]^(-1/beta) - 1.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.laws.form import LossSurface
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.optimum import finite_or_none, least_flop

ABOVE, BELOW = 1.3, 0.7
"""Our choice: about what the best size is unsure by at the end of the runs behind a law."""


class Forgiveness(NamedTuple):
    """Extra compute at equal loss with ``ABOVE`` and ``BELOW`` times the best parameters; ``None``: out of reach.

    ``at_low`` and ``at_high`` are the same at the ends of the band of the parameters, where there is one.
    """

    above: Real | None
    below: Real | None
    at_low: Real | None = None
    at_high: Real | None = None


def extra_compute(
    law: Law,
    accounting: Accounting,
    params: Real,
    loss: Real,
    *,
    surface: LossSurface | None = None,
    flop: Real | None = None,
) -> Real | None:
    """Training FLOPs of reaching ``loss`` with ``params``, over the least that reach it, less one.

    Args:
        law: whose loss.
        accounting: how FLOPs are counted.
        params: the size, embeddings counted.
        loss: what to reach, such as a plan's loss.
        surface: the surface, where it is another than the law's own (repeated data).
        flop: what to measure against, such as a plan's own FLOPs; the least that reach ``loss`` where left out.

    Returns:
        0.023 for 2.3 % more. ``None`` where no number of tokens reaches the loss, NaN in arrays.

    Raises:
        UsageError: the law has no surface.
    """
    surface = surface or law.require_surface("the price of another size")
    size = accounting.size(params, ParamCount.TOTAL)
    least = least_flop(law, surface, accounting, loss) if flop is None else flop
    tokens = surface.tokens_for_loss(size.counted(law.counts_params), loss)
    return finite_or_none(accounting.train_flop(size, tokens) / least - 1)


def forgiveness(
    law: Law,
    accounting: Accounting,
    params: Real,
    loss: Real,
    *,
    surface: LossSurface | None = None,
    flop: Real | None = None,
    band: tuple[Real | None, Real | None] = (None, None),
) -> Forgiveness | None:
    """What 30 % more and 30 % fewer parameters than ``params`` cost at equal loss; ``None`` without a surface.

    ``params`` and ``loss`` are a plan's whose size is free, ``band`` the ends of its band; for the rest see
    ``extra_compute``.
    """
    if surface is None and law.surface is None:
        return None
    sizes = (ABOVE * params, BELOW * params, *band)
    return Forgiveness(
        *(
            None if size is None else extra_compute(law, accounting, size, loss, surface=surface, flop=flop)
            for size in sizes
        )
    )
