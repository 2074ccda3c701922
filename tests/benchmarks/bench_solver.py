"""Constrained solves a second and core: repetition, serving, a deadline and memory at once, on arrays.

    python tests/benchmarks/bench_solver.py

The bar: 250,000 a second and core. Beside it by how many problems are solved at once, which is what the block of a
sweep was chosen by; other laws and limits at that block; the dearest serving, by accelerator with attention and caches;
and the answers against those of the finer search that a single problem gets.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from dataclasses import replace

import numpy as np

from scaleplan.compute.demand import Demand
from scaleplan.compute.serving import Server, Service
from scaleplan.planning.constrained import task_of
from scaleplan.planning.limits import Effort, Limits
from scaleplan.planning.problem import Problem
from scaleplan.planning.solver import solve
from scaleplan.planning.sweep import BLOCK_ROWS, solve_block
from scaleplan.specs.laws import load_law

PEAK = 989.4e12
"""Of an H100 SXM in bf16, dense [FLOP/s] (NVIDIA's data sheet)."""
EFFORT = Effort(1 / (0.85 * 3600 * PEAK * 0.4), 0.0, 2048, 2.5, 7.84e-4)
SERVER = Server("h100-sxm", "bf16", PEAK, 3.35e12, 80e9, 2, 2, 0.4, 0.6, 64)


def problems(count: int) -> Problem:
    """Random problems in which each of the limits binds somewhere."""
    rng = np.random.default_rng(0)

    def between(low: float, high: float):
        return 10 ** rng.uniform(low, high, count)

    limits = Limits(
        unique_tokens=between(9, 13.5), max_epochs=4.0, deadline_days=between(0.5, 2.5), memory=between(9, 12)
    )
    return Problem(train_flop=between(20, 26), limits=limits, effort=EFFORT, service=Service(Demand(between(9, 14))))


def rate(function, count: int, repeats: int = 7) -> float:
    """The highest rate of some calls, in problems a second of this process."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return count / best


def main() -> None:
    """Print the rates."""
    repeats = load_law("muennighoff-2023")
    for count in (256, 1024, 4096, 8192, 16_384, 65_536):
        task = task_of(repeats, problems(count))
        print(f"{count:>7,} at once: {rate(lambda t=task: solve(t), count):>9,.0f} solves/s")
    many = problems(BLOCK_ROWS)
    served = replace(many, service=Service(many.service.demand._replace(prompt=1000.0, answer=300.0), SERVER))
    plain = replace(many, limits=Limits(), service=None)
    for name, law, problem in (
        ("repetition + serving + deadline + memory", repeats, many),
        ("the same, every column of a sweep", repeats, many),
        ("without repetition", load_law("besiroglu-2024"), replace(many, limits=many.limits._replace(max_epochs=1.0))),
        ("parameters without embeddings", load_law("kaplan-2020"), plain),
        ("serving with attention and caches", repeats, served),
        ("FLOPs alone", repeats, plain),
    ):
        columns = "column" in name
        task = task_of(law, problem)
        work = (lambda law=law, p=problem: solve_block(law, p, BLOCK_ROWS)) if columns else (lambda t=task: solve(t))
        print(f"{rate(work, BLOCK_ROWS):>9,.0f} solves/s: {name}, {law.id}")
    losses(repeats, problems(2000))


def losses(law, many: Problem) -> None:
    """How far the losses of arrays lie from those of single problems, which are searched for more finely."""
    together = solve(task_of(law, many))
    worst = 0.0
    for i in range(2000):
        limits = Limits(*(float(x[i]) if isinstance(x, np.ndarray) else x for x in many.limits))
        service = Service(Demand(float(many.service.demand.tokens[i])))
        one = replace(many, train_flop=float(many.train_flop[i]), limits=limits, service=service)
        alone = solve(task_of(law, one))
        assert bool(alone.feasible) == bool(together.feasible[i])
        if alone.feasible:
            worst = max(worst, abs(float(together.loss[i]) / float(alone.loss) - 1))
    print(f"losses of 2,000 of them against one by one: at most {worst:.1e} apart, relative")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main()
