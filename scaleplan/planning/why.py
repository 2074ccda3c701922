"""Why a plan is as it is: what binds it, how far off the rest is, and what a little more of each would give.

The price of a constraint is found by solving again with it relaxed by one per cent: the fall of the loss, or for a
loss to reach the fall of what is spent. The same gain in compute is the extra training FLOPs that would buy it: where
a ceiling binds, within this very problem (the ceilings that bind make room for 1 % more training); elsewhere along the
law's own frontier, C(L - gain) / C(L) - 1. Prices: finite differences of 1 %, our choice, for it is what people ask
("what does one per cent more buy?") and far above what the search leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple, cast

from scaleplan.planning.constraints import Ceiling, Constraint, Range
from scaleplan.planning.optimum import least_flop
from scaleplan.planning.solver import Solution, Task, solve

LOSS, UNIQUE, EPOCHS = "loss", "unique_tokens", "max_epochs"
"""Names of constraints that say more than a ceiling or a range: the loss to reach, the data and its repeats."""
_MORE = 1.01
BINDS = 1e-6
"""Our choice: closer than this, relative, a bound is reached; the search leaves 1e-8 of N where the loss is flat."""
_NOTHING = 1e-9
"""Our choice: gains below this, relative, are what the search leaves open; 1 % of anything that counts gives 1e-5."""
_UNITS = {
    "flops": "FLOP",
    "usd": "USD",
    "max_usd": "USD",
    "days": "days",
    "deadline_days": "days",
    "gpu_hours": "GPU-hours",
    "mwh": "MWh",
    "max_mwh": "MWh",
}


class Held(NamedTuple):
    """One constraint at a plan.

    ``of`` is what is limited, in its unit; ``slack`` the share of the limit that is not used (of a least value: by
    what share it is exceeded), zero where it binds. What relaxing it by 1 % gives: ``loss_per_percent`` the fall of
    the loss (``None`` for a loss to reach); ``flop_per_percent`` the same gain as per cent of the training FLOPs (for
    a loss to reach: per cent saved of what is spent), ``None`` where no compute buys it; ``usd_per_percent`` that
    compute in dollars, ``None`` without a price.
    """

    name: str
    of: str
    limit: float
    used: float
    slack: float
    binding: bool
    loss_per_percent: float | None
    flop_per_percent: float | None
    usd_per_percent: float | None


class Why(NamedTuple):
    """What holds a plan back: every constraint, the names of those that bind, and which to relax first.

    ``relax_first`` has the largest gain per cent, the loss to reach left aside; ``None`` where none alone gives
    anything. ``together`` are such as give nothing alone and something only when all of them are relaxed.
    """

    held: tuple[Held, ...]
    binding: tuple[str, ...]
    relax_first: str | None
    together: tuple[str, ...]


def why(task: Task, solution: Solution, usd_per_flop: float | None = None) -> Why:
    """What holds the solution of a task of plain numbers back.

    Args:
        task: what was solved.
        solution: its best run, which must be feasible.
        usd_per_flop: what a training FLOP costs, where a price is known.
    """
    prices = _Prices(task, solution, usd_per_flop)
    held = tuple(prices.held(name) for name in constraint_names(task))
    gains = {each.name: prices.gain(each.name) for each in held if each.name != LOSS}
    first = max(gains, key=gains.__getitem__, default=None)
    binding = tuple(each.name for each in held if each.binding)
    useless = [name for name in binding if name != LOSS and gains[name] == 0]
    return Why(
        held=held,
        binding=binding,
        relax_first=None if first is None or gains[first] == 0 else first,
        together=prices.together(useless),
    )


def constraint_names(task: Task) -> tuple[str, ...]:
    """The constraints of a task by name, in their order, each once; data that repeat and a loss to reach among them."""
    names = [c.name for c in task.constraints if _limits(c)]
    if task.unique_tokens is not None and task.law.repeated is not None:
        names.append(UNIQUE)
    if task.loss is not None:
        names.append(LOSS)
    return tuple(dict.fromkeys(names))


def relaxed(task: Task, names: Iterable[str], factor: float) -> Task:
    """The task with the named constraints ``factor`` times wider; more unique tokens are more of every epoch too."""
    wider = {*names}
    unique = task.unique_tokens
    if UNIQUE in wider:
        wider.add(EPOCHS)
        unique = None if unique is None else unique * factor
    loss = task.loss * factor if LOSS in wider and task.loss is not None else task.loss
    constraints = tuple(c.relaxed(factor) if c.name in wider else c for c in task.constraints)
    return task._replace(constraints=constraints, unique_tokens=unique, loss=loss)


def unit_of(task: Task, name: str) -> str:
    """What a constraint limits, in its unit: FLOP, USD, days, params, tokens, ...; of a loss the law's unit."""
    if name == LOSS:
        return task.law.measure.unit
    found = next((c for c in task.constraints if c.name == name), None)
    if isinstance(found, Ceiling):
        return _UNITS.get(name, name)
    return "tokens" if found is None else found.of


class _Position(NamedTuple):
    limit: float
    used: float
    slack: float


class _Prices(NamedTuple):
    task: Task
    solution: Solution
    usd_per_flop: float | None

    def held(self, name: str) -> Held:
        task = self.task
        limit, used, slack = self._position(name)
        # All unique tokens used is no bound where they may repeat.
        binding = name == LOSS or (slack <= BINDS and any(c.name == name for c in task.constraints))
        gain = self.gain(name)
        if task.loss is None:
            flop_share = self._compute_for(gain)
            train_flop = float(task.accounting.train_flop(self.solution.size(task), self.solution.tokens))
            usd = None if flop_share is None else self._usd_of(flop_share * train_flop)
        else:
            flop_share = gain / self._value(self.solution)
            usd = gain if unit_of_spending(task) == "USD" else self._usd_of(gain)
        return Held(
            name=name,
            of=unit_of(task, name),
            limit=limit,
            used=used,
            slack=0.0 if binding else max(slack, 0.0),
            binding=binding,
            loss_per_percent=gain if task.loss is None else None,
            flop_per_percent=None if flop_share is None else 100 * flop_share,
            usd_per_percent=usd,
        )

    def gain(self, *names: str) -> float:
        """What relaxing constraints together by 1 % gives: fall of the loss, or of what is spent to reach it."""
        if not any(self._matters(name) for name in names):
            return 0.0
        value = self._value(self.solution)
        gain = value - self._value(solve(relaxed(self.task, names, _MORE)))
        return gain if gain > _NOTHING * value else 0.0

    def together(self, names: list[str]) -> tuple[str, ...]:
        """The fewest of ``names`` that give something when relaxed at once."""
        sets = (each for size in range(2, len(names) + 1) for each in combinations(names, size))
        return next((each for each in sets if self.gain(*each) > 0), ())

    def _matters(self, name: str) -> bool:
        """Whether relaxing it may give something: it binds, or there are repeats which more data would replace."""
        return name == LOSS or (name == UNIQUE and self._repeats()) or self._position(name).slack <= BINDS

    def _repeats(self) -> bool:
        unique = self.task.unique_tokens
        return unique is not None and self.task.law.repeated is not None and self._tokens > float(unique)

    def _position(self, name: str) -> _Position:
        """That of what comes closest under that name; tokens of several epochs as the unique tokens they call for."""
        task = self.task
        if name == LOSS:
            asked = float(cast("float", task.loss))
            return _Position(asked, float(self.solution.loss), 1 - float(self.solution.loss) / asked)
        ends = [end for c in task.constraints if c.name == name and _limits(c) for end in self._ends(c)]
        unique = float(task.unique_tokens or 0.0)
        if not ends:
            used = min(self._tokens, unique)
            return _Position(unique, used, 1 - used / unique)
        closest = min(ends, key=lambda end: end.slack)
        if name == UNIQUE and unique:
            return _Position(unique, closest.used / closest.limit * unique, closest.slack)
        return closest

    def _ends(self, constraint: Constraint) -> list[_Position]:
        if isinstance(constraint, Ceiling):
            used, limit = float(self.solution.spent(self.task, constraint)), float(constraint.limit)
            return [_Position(limit, used, 1 - used / limit)]
        total = float(self.solution.size(self.task).total)
        used = {"params": total, "tokens": self._tokens, "tokens_per_param": self._tokens / total}[constraint.of]
        ends: list[_Position] = []
        if constraint.most is not None:
            ends.append(_Position(float(constraint.most), used, 1 - used / float(constraint.most)))
        if constraint.least is not None:
            ends.append(_Position(float(constraint.least), used, used / float(constraint.least) - 1))
        return ends

    @property
    def _tokens(self) -> float:
        return float(self.solution.tokens)

    def _value(self, solution: Solution) -> float:
        if self.task.loss is None:
            return float(solution.loss)
        return float(solution.spent(self.task, self.task.spending))

    def _usd_of(self, flop: float) -> float | None:
        return None if self.usd_per_flop is None else flop * self.usd_per_flop

    def _compute_for(self, gain: float) -> float | None:
        """The share by which training FLOPs would have to grow for the same fall of the loss."""
        if gain == 0:
            return 0.0
        loss = float(self.solution.loss)
        by_compute = loss - float(solve(self._with_more_compute()).loss)
        if by_compute > _NOTHING * loss:
            return (_MORE - 1) * gain / by_compute
        law = self.task.law
        surface = law.require_surface("the price of a constraint")
        now, then = (float(least_flop(law, surface, self.task.accounting, each)) for each in (loss, loss - gain))
        return then / now - 1 if then < math.inf else None

    def _with_more_compute(self) -> Task:
        """The task with room for 1 % more training FLOPs under every ceiling that binds."""

        def roomier(constraint: Constraint) -> Constraint:
            if (
                isinstance(constraint, Range)
                or not _limits(constraint)
                or self._position(constraint.name).slack > BINDS
            ):
                return constraint
            training = self.solution.spent(self.task, constraint._replace(beside=None, fixed=0.0))
            return constraint._replace(limit=constraint.limit + (_MORE - 1) * training)

        return self.task._replace(constraints=tuple(map(roomier, self.task.constraints)))


def unit_of_spending(task: Task) -> str:
    """The unit of what a task that has a loss to reach spends least of."""
    return _UNITS.get(task.spending.name, task.spending.name)


def _limits(constraint: Constraint) -> bool:
    if isinstance(constraint, Ceiling):
        return bool(constraint.limit < math.inf)
    return constraint.least is not None or constraint.most is not None
