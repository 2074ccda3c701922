"""How fast draws of a law go through one constrained problem, in one sitting.

    python tests/benchmarks/bench_draws.py [--draws 4000] [--repeats 9]

The law of Besiroglu et al. 2024 under a budget in FLOPs, a deadline that allows 90 % of them, lifetime serving that
shares the money with training, and a memory that allows about the best size, so that under different draws different
constraints bind:

1. 4,000 draws solved (bar: 50 ms), the drawing included;
2. the bands at 95 % of the same, within the runs behind the law and beyond them, where the best size is solved for
   a second time with its misfit;
3. the same without constraints but the FLOPs.

numpy runs its elementwise functions on one thread. Each figure is the least of several repeats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from scaleplan.ops import Real
from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.draw_bands import bands_by_draws
from scaleplan.planning.draws import law_draws
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
DOLLARS_PER_FLOP = 2.0 / (3600 * 0.4 * 989e12)
"""An H100 at 2 dollars an hour and 40 % of its 989 TFLOP/s (NVIDIA's data sheet, bf16 dense)."""
BAR = 0.050


def constrained(flop: float, largest: float, served: float) -> Task:
    """FLOPs, a deadline, money that serving shares at the price and speed of training, memory."""

    def serving(params: Real) -> Real:
        return DOLLARS_PER_FLOP * 2 * params * served

    days = Ceiling("deadline_days", limit=60.0, per_flop=60.0 / (0.9 * flop))
    money = Ceiling("max_usd", limit=DOLLARS_PER_FLOP * flop, per_flop=DOLLARS_PER_FLOP, beside=serving)
    return Task(LAW, (Ceiling("flops", flop), days, money, Range("memory", "params", None, largest)))


def least_seconds(run: Callable[[], object], repeats: int) -> float:
    """Of several runs."""
    seconds: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    n: int = given.draws
    within, beyond = constrained(1e22, 9e9, 6e10), constrained(1e25, 3e11, 2e12)
    plain = Task(LAW, (Ceiling("flops", 1e22),))
    cases: dict[str, Callable[[], object]] = {
        "constrained, drawn and solved": lambda: solve(beyond._replace(law=law_draws(LAW, n))),
        "constrained, bands within the runs": lambda: bands_by_draws(within, n),
        "constrained, bands beyond the runs": lambda: bands_by_draws(beyond, n),
        "FLOPs alone, drawn and solved": lambda: solve(plain._replace(law=law_draws(LAW, n))),
    }
    for name, run in cases.items():
        seconds = least_seconds(run, given.repeats)
        print(f"{name}: {n:,} draws in {1e3 * seconds:.1f} ms ({n / seconds:,.0f} a second; bar {1e3 * BAR:.0f} ms)")


if __name__ == "__main__":
    main()
