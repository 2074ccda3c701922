"""A law as the planner uses it: its forms, what they count, where they were fitted, how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scaleplan.conventions import FlopConvention, LossMeasure, ParamCount
from scaleplan.errors import UsageError
from scaleplan.laws.form import AllocationRule, LossSurface, LossTrend, UniqueTokensForm
from scaleplan.laws.uncertainty import Uncertainty


class FittedRange(NamedTuple):
    """The runs behind a law: (low, high) of parameters as the law counts them, tokens, FLOPs, D/N."""

    params: tuple[float, float] | None = None
    tokens: tuple[float, float] | None = None
    train_flop: tuple[float, float] | None = None
    tokens_per_param: tuple[float, float] | None = None
    source: str = ""


class PublishedExponents(NamedTuple):
    """N* ~ C^params and D* ~ C^tokens as the paper prints them."""

    params: float
    tokens: float
    source: str


class Law(NamedTuple):
    """A scaling law as the planner uses it.

    ``surface`` gives loss from parameters and tokens, ``allocation`` the best split of a budget where the paper
    publishes one apart from its surface, ``trend`` the loss along that allocation. At least one is there.
    ``refuses`` maps a verb to the reason why these constants must not serve it.
    """

    id: str
    title: str
    year: int
    authors: str
    paper: str
    counts_params: ParamCount
    counts_flop: FlopConvention
    measure: LossMeasure
    fitted: FittedRange
    surface: LossSurface | None
    allocation: AllocationRule | None
    trend: LossTrend | None
    uncertainty: Uncertainty | None
    published_exponents: PublishedExponents | None
    refuses: Mapping[str, str] = {}
    """Verb to the reason why these constants must not serve it."""
    held: Mapping[str, float] = {}
    """Further variables of the surface's form, and what they are held at: ``{"experts": 1}``."""
    file: str | None = None
    """The law file it was read from; ``None`` for a shipped law."""
    allocation_uncertainty: Uncertainty | None = None
    """Of ``allocation``'s constants. ``uncertainty`` is of the surface's, or where there is none of the trend's."""
    repeated: UniqueTokensForm | None = None
    """The same law with repeated data: a surface once the unique tokens are held."""
    family: Any = None
    """The form of more variables that ``surface`` is at ``held``; ``None`` where it has no more."""

    def counts_as(self, flop: FlopConvention) -> bool:
        """Whether C = 6ND of this convention is 6 times the parameters as the law counts them, times tokens."""
        return self.counts_flop is flop and self.counts_params is flop.param_count and flop.per_param_token == 6

    def at(self, **values: float) -> Law:
        """The same law with further variables of its form held elsewhere, such as ``experts=8``.

        Raises:
            UsageError: the form has no such variable, or not such a value.
        """
        unknown = [name for name in values if name not in self.held]
        if unknown:
            raise UsageError(f"{self.id} says nothing of {' or '.join(unknown)}: choose a law that does")
        held = {**self.held, **values}
        return self._replace(surface=self.family.at(**held), held=held)

    def sampling(self) -> Law:
        """The same law with bands of sampling error alone, without the allowances for misfit."""
        own, split = self.uncertainty, self.allocation_uncertainty
        return self._replace(
            uncertainty=None if own is None else own.sampling(),
            allocation_uncertainty=None if split is None else split.sampling(),
        )

    def require_surface(self, purpose: str) -> LossSurface:
        """The loss surface.

        Raises:
            UsageError: this law is an allocation rule only.
        """
        if self.surface is None:
            gives = "no loss" if self.trend is None else "the loss along them alone"
            raise UsageError(
                f"{self.id} is an allocation rule: it gives parameters and tokens for a budget but {gives}, "
                f"so it cannot serve {purpose}; a law with a loss surface can, such as besiroglu-2024"
            )
        return self.surface

    def require_loss(self, purpose: str) -> None:
        """Check that the law says what loss a run reaches: by its surface, or by compute alone.

        Raises:
            UsageError: it has neither a surface nor a trend.
        """
        if self.trend is None:
            self.require_surface(purpose)

    def require_allowed(self, verb: str) -> None:
        """Check that these constants may serve ``verb``.

        Raises:
            UsageError: the preset refuses it, with the reason.
        """
        if verb in self.refuses:
            raise UsageError(f"{self.id} is refused for {verb}: {self.refuses[verb]}")
