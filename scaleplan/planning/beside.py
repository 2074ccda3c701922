"""What stands beside the numbers of a plan where more was asked than the split of a budget.

Kept apart from ``Plan``, of which every command pays for every field.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from scaleplan.compute.bill import Assumption
    from scaleplan.compute.serving import Served
    from scaleplan.ops import Real
    from scaleplan.planning.draw_bands import Spread
    from scaleplan.planning.plan import Plan
    from scaleplan.planning.regret import RegretTable
    from scaleplan.planning.why import Why


class Beside(NamedTuple):
    """``None`` for what was not asked.

    ``why`` is what holds a plan under limits back, ``bindings`` the names of the limits that bind, joined by a plus,
    for each of many budgets; ``serving`` what serving it takes and ``serving_assumptions`` what stands behind that;
    ``epochs`` how often its unique tokens are seen; ``params_active`` and ``experts`` are of mixtures; ``regret`` is
    what this plan and others cost if another law is true; ``spread`` the percentiles behind bands by draws.
    """

    why: Why | None = None
    bindings: list[str | None] | None = None
    serving: Served | None = None
    serving_assumptions: tuple[Assumption, ...] = ()
    epochs: Real | None = None
    params_active: Real | None = None
    experts: Real | None = None
    regret: RegretTable | None = None
    spread: Spread | None = None


def with_beside(plan: Plan, **values: Any) -> Plan:
    """The plan with more beside it, by the names of ``Beside``."""
    return replace(plan, beside=(plan.beside or Beside())._replace(**values))
