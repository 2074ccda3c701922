"""The search for layouts: seconds of the whole command, and of the searches inside.

    python tests/benchmarks/bench_layout.py [RUNS]

The bar: ``layout`` for 1,024 accelerators in under 1 s, the process started and ended. Beside it stand the time of the
search alone and of the quick one that ``cost`` uses, with round numbers in place of a fitted calibration, and how many
layouts each looks at; these are of this machine and moment.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.divisions import Asked, divisions
from scaleplan.compute.layouts import Task, quick_best, search
from scaleplan.compute.transformer import Experts, Transformer

BAR_SECONDS = 1.0
COMMANDS = (
    "layout --model llama3-70b --on 1024xh100-sxm --global-batch 4194304",
    "layout --model llama31-405b --on 1024xh100-sxm --global-batch 16777216 --format json",
    "layout --model deepseek-v3 --on 1024xh100-sxm --global-batch 62914560",
)
H100 = Device("h100-sxm", "bf16", 989e12, 80e9, 3.35e12, 450e9, 50e9, 8)
ROUND = Calibration(0.55, 1.4, 0.7, "none", "round numbers")
SHAPES = {
    "llama3-70b": Transformer(80, 8192, 64, 8, 128, 28672, 128256, 8192),
    "llama31-405b": Transformer(126, 16384, 128, 8, 128, 53248, 128256, 8192),
    "qwen3-30b-a3b": Transformer(48, 2048, 32, 4, 128, 6144, 151936, 4096, experts=Experts(128, 8, 768)),
}


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


def main() -> None:
    """Time every command of ``COMMANDS`` and both searches for every shape of ``SHAPES``."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{'whole process':<90} {'s':>6} {'bar':>5}")
    for words in COMMANDS:
        print(f"{words:<90} {seconds_of(lambda words=words: command(words), runs):6.3f} {BAR_SECONDS:5.1f}")
    print(
        f"\n{'1,024 accelerators, 2,048 sequences':<40} {'layouts':>8} {'ms':>7} {'quick':>6} {'ms':>7} {'slower':>7}"
    )
    for name, shape in SHAPES.items():
        task = Task(shape, H100, ROUND, 1024, 2048)
        few = sum(1 for _ in divisions(shape, H100, 1024, 2048, Asked(), quick=True))
        full = seconds_of(lambda task=task: search(task), runs)
        quick = seconds_of(lambda task=task: quick_best(*task), runs)
        best, found = search(task).best[0].time.seconds, quick_best(*task).time.seconds
        slower = f"{100 * (found / best - 1):.1f} %"
        print(f"{name:<40} {search(task).tried:8} {1e3 * full:7.1f} {few:6} {1e3 * quick:7.1f} {slower:>7}")


if __name__ == "__main__":
    main()
