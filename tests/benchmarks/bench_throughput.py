"""Closed-form allocations a second, and a million budgets through ``allocate --flops -``.

    python tests/benchmarks/bench_throughput.py

The bars: 2e7 closed-form allocations (N*, D* and L*) a second and core on arrays; one million budgets to CSV in
under 4 s and 400 MB, growing linearly (four million beside it).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from scaleplan import allocate, load_law


def best_rate(function, count: int, repeats: int) -> float:
    """The highest rate of ``repeats`` calls, in items a second."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return count / best


def in_process() -> None:
    """Rates on arrays."""
    law = load_law("chinchilla").surface
    for size in (16_384, 1_000_000):
        budgets = 10 ** np.random.default_rng(0).uniform(17, 27, size)
        closed = best_rate(lambda b=budgets: law.optimum(b), size, 20)
        banded = best_rate(lambda b=budgets: allocate(flops=b), size, 5)
        print(f"{size:>9,} budgets: {closed:.3g} closed-form allocations/s, {banded:.3g} plans with bands/s")


LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "scaleplan", *sys.argv[1:]]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""
"""A small process in between: a child's peak memory counts that of the process it was forked from."""


def streamed(count: int) -> None:
    """Wall time, processor time and peak memory of a stream of ``count`` budgets."""
    budgets = 10 ** np.random.default_rng(1).uniform(17, 27, count)
    with tempfile.TemporaryDirectory() as folder:
        source, plans = Path(folder) / "budgets.txt", Path(folder) / "plans.csv"
        source.write_text("\n".join(map(repr, budgets.tolist())) + "\n")
        words = ["allocate", "--flops", "-", "--format", "csv", "-q"]
        start = time.perf_counter()
        with source.open("rb") as stdin, plans.open("wb") as stdout:
            launcher = [sys.executable, "-c", LAUNCHER, *words]
            done = subprocess.run(launcher, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=True)
        wall = time.perf_counter() - start
        code, cpu, peak = done.stderr.split()
        rows = sum(block.count(b"\n") for block in iter_blocks(plans)) - 1
    print(
        f"{count:>9,} budgets: {wall:.2f} s wall, {float(cpu):.2f} s cpu, {int(peak) / 1024:.0f} MiB peak, "
        f"{rows:,} rows, exit {int(code)}"
    )


def iter_blocks(path: Path):
    """A file in blocks."""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


if __name__ == "__main__":
    in_process()
    for budgets in (1_000_000, 2_000_000, 4_000_000):
        streamed(budgets)
