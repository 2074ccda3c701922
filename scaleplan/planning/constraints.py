"""What bounds a run: ceilings on what it takes, and ranges of its size and its tokens.

At a fixed number of parameters N every one of them bounds the tokens D. A ceiling says

    per_flop C(N, D) + beside(N) + fixed <= limit,   so   D <= (limit - fixed - beside(N)) / (per_flop C(N, 1)),

with ``beside`` what serving the model takes, and covers FLOPs, hours, days, money and energy alike. A range bounds N,
D or D / N themselves: memory, unique tokens and epochs, sizes that were fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.ops import Real, greater, lower

OfParams = Callable[[Real], Real]
"""Of all parameters, embeddings counted."""
Quantity = Literal["params", "tokens", "tokens_per_param"]


class Ceiling(NamedTuple):
    """At most ``limit`` of something that training takes by the FLOP and serving by the size of the model.

    ``name`` is the key of the budget file that sets it; ``per_flop`` what a training FLOP takes of it, FLOPs counted
    by ``flop``; ``beside`` what serving takes; ``fixed`` what is taken whatever the run is.
    """

    name: str
    limit: Real = math.inf
    per_flop: Real = 1.0
    flop: FlopConvention = FlopConvention.SIX_ND
    beside: OfParams | None = None
    fixed: Real = 0.0

    def spent(self, counted: Callable[[ParamCount], Real], tokens: Real) -> Real:
        """What a run takes; ``counted`` gives its parameters by any count."""
        spent = self.per_flop * self.flop.per_param_token * counted(self.flop.param_count) * tokens + self.fixed
        return spent if self.beside is None else spent + self.beside(counted(ParamCount.TOTAL))

    def relaxed(self, factor: float) -> Ceiling:
        """The same with ``factor`` times the limit."""
        return self._replace(limit=self.limit * factor)


class Range(NamedTuple):
    """Parameters (embeddings counted), tokens or their ratio between ``least`` and ``most``; ``None``: no bound.

    Both ends alike fix it.
    """

    name: str
    of: Quantity
    least: Real | None = None
    most: Real | None = None

    @property
    def fixes(self) -> bool:
        """Whether it leaves one value only."""
        return self.least is not None and self.least is self.most

    def relaxed(self, factor: float) -> Range:
        """The same with ends ``factor`` times wider; one that fixes a value becomes a bound on both sides."""
        least = None if self.least is None else self.least / factor
        return self._replace(least=least, most=None if self.most is None else self.most * factor)


Constraint: TypeAlias = Ceiling | Range


def fixed(name: str, of: Quantity, value: Real) -> Range:
    """The range of one value."""
    return Range(name, of, value, value)


class Size(NamedTuple):
    """A model by the parameters that a law counts, converted to other counts where they are asked for."""

    accounting: Accounting
    params: Real
    by: ParamCount

    def counted(self, count: ParamCount) -> Real:
        """The parameters by a count."""
        if count is self.by or {count, self.by} == _ALIKE:
            return self.params
        return self.accounting.size(self.params, self.by).counted(count)


_ALIKE = {ParamCount.TOTAL, ParamCount.HEAD}
"""Counted alike where the shape is not known: the assumed family ties the output head to the embedding."""


class Bounds:
    """Constraints made ready: the range of ln N, and at any N the least and the most tokens.

    ``count`` is how the law counts the parameters that ln N is of.
    """

    def __init__(self, constraints: Sequence[Constraint], accounting: Accounting, count: ParamCount) -> None:
        self.accounting, self.count = accounting, count
        self._ceilings = [c for c in constraints if isinstance(c, Ceiling) and not _endless(c.limit)]
        self._ranges = [c for c in constraints if isinstance(c, Range)]
        self._least_tokens = _most(1.0, [r.least for r in self._ranges if r.of == "tokens"])
        self._most_tokens = _least(math.inf, [r.most for r in self._ranges if r.of == "tokens"])
        self._least_ratio = _most(0.0, [r.least for r in self._ranges if r.of == "tokens_per_param"])
        self._most_ratio = _least(math.inf, [r.most for r in self._ranges if r.of == "tokens_per_param"])
        self._has_ratio = any(r.of == "tokens_per_param" and r.least is not None for r in self._ranges)
        # Ceilings that count alike and have nothing beside them are one: that which leaves the fewest N D.
        self._rooms: dict[ParamCount, Real] = {}
        self._shared: list[tuple[ParamCount, Real, Real, OfParams]] = []
        for c in self._ceilings:
            per, counted = c.per_flop * c.flop.per_param_token, c.flop.param_count
            if c.beside is None:
                room = (c.limit - c.fixed) / per
                self._rooms[counted] = _least(room, [self._rooms.get(counted)])
            else:
                self._shared.append((counted, c.limit - c.fixed, per, c.beside))
        self.has_least = any(r.least is not None and r.of != "params" for r in self._ranges)

    def size(self, params: Real) -> Size:
        """A model of so many parameters as the law counts them."""
        return Size(self.accounting, params, self.count)

    def params_range(self) -> tuple[Real, Real]:
        """The least and most parameters that may come into question, as the law counts them."""
        low = _most(1.0, [r.least for r in self._ranges if r.of == "params"])
        low = _most(low, [self._least_tokens / self._most_ratio] if not _endless(self._most_ratio) else [])
        high = _least(LARGEST, [r.most for r in self._ranges if r.of == "params"])
        rooms = [*self._rooms.items(), *((count, room / per) for count, room, per, _ in self._shared)]
        tops = [self.accounting.size(_most(_SMALL, [room / self._least_tokens]), c).total for c, room in rooms]
        ends = (low, _least(high, tops))
        if self.count in _ALIKE:
            return ends
        low, high = (self.accounting.size(end, ParamCount.TOTAL).counted(self.count) for end in ends)
        return low, high

    def tokens(self, params: Real) -> tuple[Real, Real]:
        """The least and the most tokens at so many parameters; the most may lie below the least."""
        size = self.size(params)
        most = self._most_tokens
        for count, room in self._rooms.items():
            most = lower(most, room / size.counted(count))
        for count, room, per, beside in self._shared:
            left = room - beside(size.counted(ParamCount.TOTAL))
            most = lower(most, left / (per * size.counted(count)))
        least = self._least_tokens
        if not _endless(self._most_ratio):
            most = lower(most, self._most_ratio * size.counted(ParamCount.TOTAL))
        if self._has_ratio:
            least = greater(least, self._least_ratio * size.counted(ParamCount.TOTAL))
        return least, most


LARGEST = 1e30
"""Our choice: parameters that no budget here pays for."""
_SMALL = 1e-30


def _endless(value: Real) -> bool:
    return isinstance(value, float) and value == math.inf


def _least(start: Real, values: Sequence[Real | None]) -> Real:
    for value in values:
        start = start if value is None else lower(start, value)
    return start


def _most(start: Real, values: Sequence[Real | None]) -> Real:
    for value in values:
        start = start if value is None else greater(start, value)
    return start
