"""CPU time of designing pilot runs, of scoring a set of them, and of a whole proposal.

    python tests/benchmarks/bench_pilots.py

36 runs for 1 % of 1e24 FLOP, averaged over 20 laws; the bars are 2 s for a design over 400 candidates or more, and
50 ms for scoring one. Least and median of ten calls in one process, whose first call is printed beside.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

from score_pilots import asked

import scaleplan.pilots.candidates as lattice
from scaleplan.api.pilot_target import PLAUSIBLE
from scaleplan.pilots.ask import Ask
from scaleplan.pilots.candidates import Candidates, candidates
from scaleplan.pilots.design import Problem, design
from scaleplan.pilots.plausible import DRAWS, published
from scaleplan.pilots.proposal import propose
from scaleplan.pilots.scoring import score
from scaleplan.specs.laws import load_law

DESIGN_BAR, SCORE_BAR = 2.0, 0.05


def seconds(call: Callable[[], object], repeats: int = 10) -> tuple[float, float, float]:
    """CPU seconds of the first call, and the least and the median of those after it."""
    spent: list[float] = []
    for _ in range(repeats + 1):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return spent[0], min(spent[1:]), statistics.median(spent[1:])


def problem(ask: Ask, found: Candidates) -> Problem:
    """The bare design, without further seeds."""
    return Problem(ask.plausible, ask.target, found.points, ask.noise, ask.runs, ask.flop)


def finer(ask: Ask) -> Candidates:
    """More candidates than a proposal has: those of a lattice of 26 sizes and ratios."""
    lattice.STEPS = 26
    found = candidates(ask.kind, ask.reach)
    lattice.STEPS = 16
    return found


def main() -> None:
    """Print the times, and their ratios to the bars."""
    laws = published([load_law(name) for name in PLAUSIBLE], DRAWS, 0)
    print("| | first [s] | least [s] | median [s] | median / bar |")
    print("|---|---|---|---|---|")
    for vocabulary in (32_000, 128_256):
        ask = asked(laws, vocabulary)
        found = candidates(ask.kind, ask.reach)
        points = propose(ask, "bench").scored.points
        bare, many = problem(ask, found), problem(ask, finer(ask))
        line(f"design of {ask.runs} of {len(found)} candidates", lambda bare=bare: design(bare), DESIGN_BAR)
        line(f"design of {ask.runs} of {len(many.points)} candidates", lambda many=many: design(many), DESIGN_BAR)
        line("score of a design", lambda ask=ask, points=points: score(ask, "own", points), SCORE_BAR)
        line(f"the candidates, vocabulary {vocabulary:,}", lambda ask=ask: candidates(ask.kind, ask.reach))
        line("the whole proposal, templates and savings too", lambda ask=ask: propose(ask, "bench"))


def line(name: str, call: Callable[[], object], bar: float | None = None) -> None:
    """A line of the table."""
    first, least, median = seconds(call)
    ratio = "" if bar is None else f"{median / bar:.2f}"
    print(f"| {name} | {first:.4f} | {least:.4f} | {median:.4f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
