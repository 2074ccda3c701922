"""What a functional form can be asked.

A form is a named tuple of the paper's constants, in a file of its own: the form ``kaplan-joint-nd`` is the class
``KaplanJointNd`` of ``kaplan_joint_nd.py``. Adding a form takes that file; adding a law of a known form takes only a
YAML file in the presets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from scaleplan.errors import UsageError

if TYPE_CHECKING:
    from scaleplan.ops import Real


class Optimum(NamedTuple):
    """The best split of a budget under one law, in the law's own counts."""

    params: Real
    tokens: Real
    loss: Real


def require_held(name: str, value: float, least: float, below: float = float("inf")) -> None:
    """Check that a variable held by ``at`` lies in ``[least, below)``.

    Raises:
        UsageError: it does not.
    """
    if not least <= value < below:
        rule = f"at least {least:g}" + ("" if below == float("inf") else f" and below {below:g}")
        raise UsageError(f"{name} must be {rule} (got {value:g})")


class Form(Protocol):
    """Any functional form: it can say its equation, in plain text and as LaTeX, and what the symbols mean.

    Beside these a form may name its constants ``in_loss_units``, those that may be below zero (``signed``), those of a
    fixed unit (``units``, pairs of constant and unit), and those that a covariance is of (``covariance_of``).
    A mixture of experts names in ``planned_at`` the only values at which it plans: those of a dense model.
    """

    equation: str
    symbols: str
    latex: str


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
class UniqueTokensForm(Form, Protocol):
    """A law of parameters, tokens and how many of the tokens are different."""

    def at(self, unique_tokens: Real) -> LossSurface:
        """L(N, D) with so many different tokens, which repeat where D is more."""
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
