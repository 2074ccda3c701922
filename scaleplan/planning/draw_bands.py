"""Bands on the numbers of a plan by draws of its law, whatever constrains the plan.

Every draw of the law (``draws``) is solved under the same constraints, and the percentiles of what comes out are the
bands: a side that is fixed or at its bound has none, a day or a dollar has one where it follows from the law. Losses
and what a run takes come from the drawn constants, parameters and tokens with the best size shifted as well; the
runs' scatter and the misfit of the loss are a factor on it, or on the loss that was asked for. Where nothing
constrains the plan but its FLOPs the ends agree with the delta method of ``bands``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from scaleplan.errors import UsageError
from scaleplan.ops import is_array
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.draws import Draws, draws, loss_misfit, size_misfit, uncertainty_of
from scaleplan.planning.solver import Solution, Task, solve

BLOCK = 4096
"""Our choice: arrays of so many doubles stay in a core's cache."""
_ALIKE = 1e-6
"""Our choice: ends nearer than that, relative, are one number and what the solver's search left of its digits."""


class Percentiles(NamedTuple):
    """Low end, median and high end; ``None`` where draws that do not reach the loss make the end infinite."""

    low: float | None
    median: float | None
    high: float | None

    @property
    def exact(self) -> bool:
        """Whether the law leaves it where it is: given, or at a bound."""
        if self.low is None or self.high is None:
            return False
        return abs(self.high - self.low) <= _ALIKE * abs(self.high)


class Spread(NamedTuple):
    """Percentiles by quantity at a coverage, over ``draws`` of the law.

    ``reached`` is the share of the draws under which there is a plan at all; ``redrawn`` how many draws were out of the
    form's range. ``of`` has the keys params (embeddings counted), tokens, tokens_per_param, loss, train_flop and the
    names of the ceilings asked for; tokens_per_param is of the draws that have a plan.
    """

    level: float
    draws: int
    seed: int
    reached: float
    redrawn: int
    of: Mapping[str, Percentiles]

    def ends(self) -> dict[str, float | None]:
        """``params_low``, ``params_high`` and so on of all that the law moves."""
        named: dict[str, float | None] = {}
        for name, found in self.of.items():
            if not found.exact:
                named |= {f"{name}_low": found.low, f"{name}_high": found.high}
        return named


class _Solved(NamedTuple):
    """What the draws of one block give."""

    priced: Solution
    sized: Solution
    train_flop: Any
    spent: dict[str, Any]


def bands_by_draws(
    task: Task, n: int | Draws, *, seed: int = 0, level: float = 0.95, ceilings: Sequence[Ceiling] = ()
) -> Spread:
    """The bands of a plan by ``n`` draws of its law.

    Args:
        task: one problem, its numbers no arrays.
        n: how many draws, or the draws themselves.
        seed: of the random numbers.
        level: coverage of the bands.
        ceilings: what else a run takes that has a band, such as days and dollars (their limits are not looked at).

    Raises:
        UsageError: the law has no covariance of its surface; the task itself has no solution.
    """
    import numpy as np

    plan = solve(task)
    if is_array(plan.params) or not plan.feasible:
        raise UsageError("bands by draws are of one problem that has a solution")
    drawn = n if isinstance(n, Draws) else draws(task.law, n, seed)
    many = len(drawn.deviates)
    blocks = [_block(task, plan, drawn.part(slice(start, start + BLOCK)), ceilings) for start in range(0, many, BLOCK)]

    def joined(read: Callable[[_Solved], Any]) -> Any:
        return np.concatenate([np.broadcast_to(read(block), _shape(block)) for block in blocks])

    feasible = joined(lambda block: block.priced.feasible)
    total = joined(lambda block: block.sized.size(task).total)
    tokens = joined(lambda block: block.sized.tokens)
    values = {
        "params": _or_infinite(total),
        "tokens": _or_infinite(tokens),
        "tokens_per_param": (tokens / total)[np.isfinite(tokens)],
        "loss": joined(lambda block: block.priced.loss)[feasible],
        "train_flop": _or_infinite(joined(lambda block: block.train_flop)),
    }
    for ceiling in ceilings:
        values[ceiling.name] = _or_infinite(joined(lambda block, name=ceiling.name: block.spent[name]))
    found = {name: _percentiles(value, level) for name, value in values.items()}
    return Spread(level, many, seed, float(feasible.mean()), drawn.redrawn, found)


def _block(task: Task, plan: Solution, drawn: Draws, ceilings: Sequence[Ceiling]) -> _Solved:
    import numpy as np

    own = uncertainty_of(task.law)
    flop, ratio = _own_flop(task, plan)
    noise = np.exp(loss_misfit(own, flop, ratio) * drawn.loss_noise)
    target = None if task.loss is None else task.loss / noise
    moved = size_misfit(own, flop) > 0
    priced_law = drawn.constants(own.kappa)
    priced = solve(task._replace(law=priced_law, loss=target))
    # Of the best size a back-test says nothing: its errors are never taken for smaller than they are.
    sized = priced
    if moved or own.kappa < 1:
        sized = solve(task._replace(law=drawn.tilted(flop), loss=target))
    # What the size decides goes with the size: all of it but the FLOPs that a loss takes, which a tilt leaves alone.
    taken = priced if task.loss is not None and task.spending.beside is None else sized
    flops = taken.spent(task, Ceiling("flops", flop=task.accounting.flop))
    spent = {ceiling.name: taken.spent(task, ceiling) for ceiling in ceilings}
    loss = priced.loss * noise if task.loss is None else np.where(priced.feasible, task.loss, math.nan)
    return _Solved(priced._replace(loss=loss), sized, flops, spent)


def _own_flop(task: Task, plan: Solution) -> tuple[float, float]:
    """FLOPs of a plan as its law counts them, and its tokens a parameter."""
    counts = task.law.counts_flop
    params = plan.size(task).counted(counts.param_count)
    return float(counts.per_param_token * params * plan.tokens), float(plan.tokens / plan.params)


def _shape(block: _Solved) -> tuple[int, ...]:
    losses: Any = block.priced.loss
    return tuple(losses.shape)


def _or_infinite(values: Any) -> Any:
    """Draws without a plan would take more than any limit."""
    import numpy as np

    return np.where(np.isnan(values), math.inf, values)


def _percentiles(values: Any, level: float) -> Percentiles:
    import numpy as np

    if not len(values):
        return Percentiles(None, None, None)
    tail = (1 - level) / 2
    # Of the values themselves: between two infinite ones there is nothing to interpolate.
    found = np.quantile(values, [tail, 0.5, 1 - tail], method="inverted_cdf")
    low, median, high = (float(each) if math.isfinite(each) else None for each in found)
    return Percentiles(low, median, high)
