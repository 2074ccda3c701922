"""The search for layouts: seconds of the whole command and of the searches inside, and what the quick one misses.

    python tests/benchmarks/bench_layout.py [RUNS]

The bar: ``layout`` for 1,024 accelerators in under 1 s, the process started and ended. Beside it stand the times of
the search alone and of the quick one that ``cost`` uses; times are of the machine they are taken on. The last table
compares the two for every model of ``MODELS`` on every number of accelerators of ``SIZES`` with every batch of
``BATCHES``: how much longer a step takes in the layout that the quick one finds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from scaleplan.compute.layout_search import search
from scaleplan.compute.layouts import Task, quick_best
from scaleplan.errors import InfeasibleError
from scaleplan.specs.accelerators import device, load_accelerator
from scaleplan.specs.calibration import load_calibration
from scaleplan.specs.models import load_model

BAR_SECONDS = 1.0
COMMANDS = (
    "layout --model llama3-70b --on 1024xh100-sxm --global-batch 4194304",
    "layout --model llama31-405b --on 1024xh100-sxm --global-batch 16777216 --format json",
    "layout --model deepseek-v3 --on 1024xh100-sxm --global-batch 62914560",
)
MODELS = (
    "llama31-8b",
    "llama31-70b",
    "llama31-405b",
    "gpt3-175b",
    "bloom-176b",
    "palm-540b",
    "mixtral-8x22b",
    "qwen3-235b-a22b",
    "deepseek-v3",
)
ACCELERATORS = ("h100-sxm", "a100-sxm-80")
SIZES = (64, 96, 128, 192, 256, 512, 768, 1024, 2048, 4096)
BATCHES = (1536, 2048)
"""Sequences."""


def seconds_of(action: Callable[[], object], runs: int) -> float:
    """Median seconds of an action, once warmed up."""
    action()
    taken: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def command(words: str) -> None:
    """One run of the program."""
    program = [sys.executable, "-c", "from scaleplan.__main__ import main; main()", *words.split()]
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tasks(model: str) -> list[Task]:
    """What the two searches are compared on."""
    shape = load_model(model).shape
    assert shape is not None
    found: list[Task] = []
    for name in ACCELERATORS:
        used, calibration = device(load_accelerator(name), "bf16"), load_calibration(name, "bf16").calibration
        found += [Task(shape, used, calibration, size, batch) for size in SIZES for batch in BATCHES]
    return found


def compared(task: Task) -> tuple[float, float] | None:
    """How much slower the quick search's layout is, and the seconds it took; ``None`` where nothing fits by either."""
    best = search(task, top=1).best
    start = time.perf_counter()
    try:
        quick = quick_best(task)
    except InfeasibleError:
        assert not best
        return None
    taken = time.perf_counter() - start
    return float(quick.time.seconds / best[0].time.seconds) - 1, taken


def share(values: list[float], at: float) -> float:
    """The value at a share of them, sorted."""
    return sorted(values)[min(int(at * len(values)), len(values) - 1)]


def print_gaps() -> None:
    """What the quick search misses, by model and in all."""
    heads = f"{'slower [%]: worst':>17} {'p90':>5} {'median':>6} {'ms: p90':>8} {'median':>6}"
    print(f"\n{'quick search':<18} {'cases':>5} {heads}")
    every: list[tuple[float, float]] = []
    for model in (*MODELS, "all"):
        rows = every if model == "all" else [row for task in tasks(model) if (row := compared(task)) is not None]
        every = every if model == "all" else every + rows
        gaps, taken = [100 * gap for gap, _ in rows], [1e3 * seconds for _, seconds in rows]
        slower = f"{max(gaps):17.1f} {share(gaps, 0.9):5.1f} {share(gaps, 0.5):6.1f}"
        print(f"{model:<18} {len(rows):5} {slower} {share(taken, 0.9):8.1f} {share(taken, 0.5):6.1f}")


def main() -> None:
    """Time every command of ``COMMANDS`` and both searches, and compare the two."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{'whole process':<90} {'s':>6} {'bar':>5}")
    for words in COMMANDS:
        print(f"{words:<90} {seconds_of(lambda words=words: command(words), runs):6.3f} {BAR_SECONDS:5.1f}")
    print(f"\n{'1,024 h100-sxm, 2,048 sequences':<40} {'layouts':>8} {'ms':>7} {'quick ms':>9}")
    for name in MODELS:
        task = next(each for each in tasks(name) if each[3:5] == (1024, 2048))
        full = seconds_of(lambda task=task: search(task), runs)
        quick = seconds_of(lambda task=task: quick_best(task), runs)
        print(f"{name:<40} {search(task).tried:8} {1e3 * full:7.1f} {1e3 * quick:9.1f}")
    print_gaps()


if __name__ == "__main__":
    main()
