"""Whether the constants of a law file plan at all: each set is tried at an ordinary run and an ordinary budget.

Signs, units and single values can all be in order while a law gives no finite number, or a loss that rises with size.
"""

from __future__ import annotations

import math
from typing import Any

from scaleplan.errors import ScaleplanError
from scaleplan.laws.form import AllocationRule, LossSurface, LossTrend, SolvedSurface
from scaleplan.laws.hyperparameters import Run
from scaleplan.specs.laws import build_law, group_form, plans
from scaleplan.specs.yaml12 import Document

_PARAMS, _TOKENS, _FLOP, _LOSS = 1e9, 2e10, 1.2e20, 2.5
"""Our choice: a run that every law of language models speaks about, what it costs and about what it reaches."""


def trial_problems(document: Document, data: dict[str, Any]) -> list[str]:
    """What is wrong with each set of constants that plans."""
    sets = [("default", "", data.get("default", {}))]
    sets += [(f"variants.{name}", name, roles) for name, roles in data.get("variants", {}).items()]
    problems: list[str] = []
    for label, variant, roles in sets:
        problem = (_mixture(data, roles) or _problem(data, variant)) if plans(roles) else None
        problem = problem or _hyper(data, roles)
        if problem is not None:
            problems.append(f"{document.where(tuple(label.split('.', 1)))}: {label}: {problem}")
    return problems


def _mixture(data: dict[str, Any], roles: dict[str, Any]) -> str | None:
    """Why a mixture of experts does not plan: its N is not that of a dense model."""
    from scaleplan.specs.forms import find_form

    if "surface" not in roles:
        return None
    form = data["groups"][roles["surface"]]["form"]
    planned: tuple[tuple[str, float], ...] | None = getattr(find_form(form), "planned_at", None)
    if planned is None or (planned and dict(planned) == roles.get("at", {})):
        return None
    hold = ", ".join(f"{name} at {value:g}" for name, value in planned)
    how = f"; hold {hold}, which is a dense model" if hold else ""
    return f"{form} is a law of mixtures of experts, and these are not planned{how}"


def _problem(data: dict[str, Any], variant: str) -> str | None:
    """Why a set of constants gives no plan: at most one reason."""
    try:
        law = build_law(data, variant)
        problem = None if law.surface is None else _surface(law.surface)
        problem = problem or (None if law.allocation is None else _rule(law.allocation))
        return problem or (None if law.trend is None else _trend(law.trend))
    except ScaleplanError as error:
        return error.message
    except (ArithmeticError, TypeError, ValueError) as error:
        return f"its constants give no plan ({error})"


def _hyper(data: dict[str, Any], roles: dict[str, Any]) -> str | None:
    """Which hyper-parameter rule gives no finite number for an ordinary run."""
    run = Run(_PARAMS, _TOKENS, _FLOP, _LOSS)
    for name in roles.get("hyper", ()):
        rule: Any = group_form(data["groups"][name])
        asked = [
            method for method in ("learning_rate", "batch", "critical_batch", "timescale") if hasattr(rule, method)
        ]
        try:
            values = [getattr(rule, method)(run) for method in asked]
            values += rule.growth(10.0) if hasattr(rule, "growth") else ()
        except (ArithmeticError, ValueError):
            values = [math.nan]
        if not all(_is_sound(value) for value in values):
            return f"the group {name} gives no finite hyper-parameters for 1B parameters on 20B tokens"
    return None


def _surface(surface: LossSurface) -> str | None:
    loss, larger, longer = (
        surface.loss(n, d) for n, d in ((_PARAMS, _TOKENS), (2 * _PARAMS, _TOKENS), (_PARAMS, 2 * _TOKENS))
    )
    if not all(_is_sound(value) for value in (loss, larger, longer)):
        return f"its constants give no finite loss for 1B parameters on 20B tokens (got {loss})"
    if larger > loss or longer > loss:
        return "its constants give a loss that rises with parameters or tokens; are their signs right?"
    if isinstance(surface, SolvedSurface) and not all(_is_sound(value) for value in surface.optimum(_FLOP)):
        return f"its constants give no finite optimum at {_FLOP:g} FLOP"
    return None


def _rule(rule: AllocationRule) -> str | None:
    params = rule.params(_FLOP)
    back = rule.flop_for_params(params) if _is_sound(params) else math.nan
    if not _is_sound(back) or abs(back / _FLOP - 1) > 1e-6:
        return f"its constants allocate no finite number of parameters that grows with the budget (got {params})"
    return None


def _trend(trend: LossTrend) -> str | None:
    loss, dearer = trend.loss(_FLOP), trend.loss(2 * _FLOP)
    if not _is_sound(loss) or not _is_sound(dearer):
        return f"its constants give no finite loss at {_FLOP:g} FLOP (got {loss})"
    return "its constants give a loss that rises with compute; are their signs right?" if dearer > loss else None


def _is_sound(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0
