"""What a functional form can be asked, and the register of the forms that exist.

A form is a named tuple of the paper's constants. Adding a form takes one file in this
folder and one line in ``_FORMS``; adding a law of a known form takes only a YAML file in the presets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

from scaleplan.errors import UsageError, nearest

if TYPE_CHECKING:
    from scaleplan.ops import Real

_FORMS = {
    "additive": "scaleplan.laws.additive:Additive",
    "power-rule": "scaleplan.laws.rule:PowerRule",
    "kaplan-joint-nd": "scaleplan.laws.kaplan_joint:JointND",
    "kaplan-joint-ns": "scaleplan.laws.kaplan_trends:JointNS",
    "kaplan-params": "scaleplan.laws.kaplan_trends:ParamsTrend",
    "kaplan-tokens": "scaleplan.laws.kaplan_trends:TokensTrend",
    "kaplan-compute": "scaleplan.laws.kaplan:ComputeTrend",
    "kaplan-frontier": "scaleplan.laws.kaplan:Frontier",
    "kaplan-critical-batch": "scaleplan.laws.kaplan_trends:CriticalBatch",
}


class Optimum(NamedTuple):
    """The best split of a budget under one law, in the law's own counts."""

    params: Real
    tokens: Real
    loss: Real


class Form(Protocol):
    """Any functional form: it can say its equation."""

    equation: str


@runtime_checkable
class LossSurface(Form, Protocol):
    """Loss as a function of parameters and tokens, in the law's own counts."""

    floor: float
    """The loss that no run goes below, E (zero where the form has none)."""

    def loss(self, params: Real, tokens: Real) -> Real:
        """Loss reached by ``params`` parameters on ``tokens`` tokens."""
        ...

    def tokens_for_loss(self, params: Real, loss: Real) -> Real:
        """Tokens at which ``params`` parameters reach ``loss``; infinite where they never do."""
        ...

    def params_for_loss(self, tokens: Real, loss: Real) -> Real:
        """Parameters that reach ``loss`` on ``tokens`` tokens; infinite where none do."""
        ...


@runtime_checkable
class SolvedSurface(LossSurface, Protocol):
    """A surface whose optimum under C = 6ND, in its own count of N, has a closed form."""

    def optimum(self, train_flop: Real) -> Optimum:
        """Compute-optimal parameters, tokens and loss of a budget."""
        ...

    def flop_for_loss(self, loss: Real) -> Real:
        """Least training FLOPs that reach ``loss``; infinite at or below the floor."""
        ...


@runtime_checkable
class AllocationRule(Form, Protocol):
    """Parameters and tokens as functions of the budget, without a loss surface behind them."""

    def params(self, train_flop: Real) -> Real:
        """Compute-optimal parameters, in the law's own count."""
        ...

    def flop_for_params(self, params: Real) -> Real:
        """The budget whose optimum has ``params`` parameters."""
        ...


@runtime_checkable
class LossTrend(Form, Protocol):
    """Loss along a law's own frontier, as a function of the budget alone."""

    def loss(self, train_flop: Real) -> Real:
        """Loss that the best use of a budget reaches."""
        ...

    def flop_for_loss(self, loss: Real) -> Real:
        """Budget at which the frontier reaches ``loss``."""
        ...


def build_form(name: str, constants: dict[str, float]) -> Form:
    """The form called ``name`` with its constants.

    Raises:
        UsageError: no such form, or the constants are not exactly the form's.
    """
    form_class = find_form(name)
    expected: tuple[str, ...] = cast("Any", form_class)._fields
    missing = [key for key in expected if key not in constants]
    unknown = [key for key in constants if key not in expected]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has no {', '.join(unknown)}"] if unknown else []
        raise UsageError(f"form {name} takes the constants {', '.join(expected)}; this one {' and '.join(parts)}")
    return form_class(**constants)


def find_form(name: str) -> type[Form]:
    """The class of the form called ``name``.

    Raises:
        UsageError: no such form.
    """
    if name not in _FORMS:
        raise UsageError(f"unknown form {name!r}.{nearest(name, _FORMS)} Known: {', '.join(_FORMS)}")
    module, _, attribute = _FORMS[name].partition(":")
    return getattr(import_module(module), attribute)
