"""Processor time of whole ``allocate`` commands under limits against the same without, as ratios of runs made in turn.

    python tests/benchmarks/bench_constrained.py [RUNS]

The bar: 1.5. Each command stands beside one that differs by its limits alone: the same law, the same machine, its
utilisation found the same way. Run it on an installed package with its bytecode compiled (``pip install .``), outside
the checkout, as users have it. Times of single runs wander with the machine; read the median of the ratios of
neighbouring runs, and the ratio of the minima.
"""

from __future__ import annotations

import statistics
import sys
from typing import NamedTuple

from bench_start_up import cpu_seconds

BAR = 1.5
BUDGET = "allocate --flops 1e24 --format json"
MACHINE = f"{BUDGET} --law besiroglu-2024 --on 512xh100-sxm"


class Pair(NamedTuple):
    """A command without limits, and the words that limit it."""

    name: str
    free: str
    limits: str


PAIRS = (
    Pair("size and data", f"{BUDGET} --law muennighoff-2023", "--max-params 30B --unique-tokens 1T"),
    Pair("serving", f"{BUDGET} --law besiroglu-2024", "--serve 2T"),
    Pair("serving, priced", f"{BUDGET} --law besiroglu-2024", "--serve 2T --serve-on h100-sxm"),
    Pair("deadline, memory", MACHINE, "--days 30 --memory fit"),
    # The layout jumps just where this deadline ends the run, which the search for the speed has to close in on.
    Pair("deadline at a jump", MACHINE, "--days 10"),
    Pair("deadline, mfu given", f"{MACHINE} --mfu 0.4", "--days 30"),
)


def main() -> None:
    """Measure every pair and print its ratios."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    program = [sys.executable, "-c", "from scaleplan.__main__ import main; main()"]
    print(f"{'limits':<20} {'with s':>8} {'free s':>8} {'median ratio':>13} {'of minima':>10} {'bar':>6}")
    for pair in PAIRS:
        free = [*program, *pair.free.split()]
        limited = [*free, *pair.limits.split()]
        cpu_seconds(limited), cpu_seconds(free)
        times = [(cpu_seconds(limited), cpu_seconds(free)) for _ in range(runs)]
        mine, base = [a for a, _ in times], [b for _, b in times]
        ratio = statistics.median(a / b for a, b in times)
        print(
            f"{pair.name:<20} {statistics.median(mine):8.3f} {statistics.median(base):8.3f} {ratio:13.3f} "
            f"{min(mine) / min(base):10.3f} {BAR:6.2f}"
        )


if __name__ == "__main__":
    main()
