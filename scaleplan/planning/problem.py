"""The question a plan answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting
from scaleplan.errors import UsageError
from scaleplan.ops import Real, any_true, first_where, is_array

if TYPE_CHECKING:
    from collections.abc import Callable

    from scaleplan.compute.serving import Service
    from scaleplan.planning.limits import Effort, Limits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A budget (``train_flop``, or the ``loss`` to reach), one side perhaps fixed (``params``, ``tokens``), limits.

    ``name`` and ``file`` are of the budget file, where the problem comes from one. ``params`` counts embeddings.
    ``level`` is the coverage of the bands asked for. ``accounting`` names the convention of ``train_flop``. Every
    number may be an array; arrays broadcast against each other.

    ``limits`` is what else bounds the run, a budget of time, hours or money among it; ``effort`` what training takes of
    the machine, where the limits are of one; ``service`` what serving the model takes, out of the same budget of FLOPs
    or money; ``experts`` of a mixture: their number, or ``"free"``; ``memory_of`` the most parameters that memory holds
    of a mixture of so many.
    """

    name: str | None = None
    file: str | None = None
    train_flop: Real | None = None
    loss: Real | None = None
    params: Real | None = None
    tokens: Real | None = None
    level: float = 0.95
    accounting: Accounting = DEFAULT_ACCOUNTING
    limits: Limits | None = None
    effort: Effort | None = None
    service: Service | None = None
    experts: float | Literal["free"] | None = None
    memory_of: Callable[[int], float] | None = None

    @property
    def constrained(self) -> bool:
        """Whether more than the budget bounds the run, so that no closed form holds."""
        return self.limits is not None or self.service is not None or self.experts is not None

    def __post_init__(self) -> None:
        if self.train_flop is None and self.loss is None and not self._other_budget:
            raise UsageError("no budget: give training FLOPs or the loss to reach")
        if self.train_flop is not None and self.loss is not None:
            raise UsageError("two budgets, training FLOPs and a loss to reach: keep one")
        if self.params is not None and self.tokens is not None:
            raise UsageError("params and tokens are both fixed, which leaves nothing to plan; use predict for the loss")
        check_level(self.level)
        for name in ("train_flop", "loss", "params", "tokens"):
            check_quantity(name, getattr(self, name))
        check_shapes(self.train_flop, self.loss, self.params, self.tokens)

    @property
    def _other_budget(self) -> bool:
        """Whether time, hours or money is the budget."""
        limits = self.limits
        return limits is not None and any(b is not None for b in (limits.usd, limits.days, limits.gpu_hours))


def check_level(level: float) -> None:
    """Check that a band's coverage is a fraction.

    Raises:
        UsageError: not between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"level must be a fraction between 0 and 1, such as 0.95 (got {level})")


def check_shapes(*values: Real | None) -> None:
    """Check that arrays fit each other.

    Raises:
        UsageError: with their shapes.
    """
    shapes: list[tuple[int, ...]] = [cast("Any", value).shape for value in values if is_array(value)]
    if len(shapes) > 1:
        import numpy as np

        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            raise UsageError(f"arrays of shapes {' and '.join(map(str, shapes))} do not fit each other") from None


def check_quantity(name: str, value: Real | None) -> None:
    """Check that every element of a quantity is finite and above zero (at least one for counts).

    Raises:
        UsageError: with the first value that is not.
    """
    if value is None:
        return
    least = 1.0 if name in ("params", "tokens") else 5e-324
    good = (value >= least) & (value < float("inf"))
    bad = not good if isinstance(good, bool) else ~good
    if any_true(bad):
        rule = "at least 1" if least == 1.0 else "> 0"
        raise UsageError(f"{name} must be finite and {rule} (got {first_where(bad, value):g})")
