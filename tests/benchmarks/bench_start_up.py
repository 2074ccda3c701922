"""Processor time of whole commands against typer alone (``typer_floor.py``), as ratios of runs made in turn.

    python tests/benchmarks/bench_start_up.py [RUNS]

The bars: ``allocate --format json`` 1.25, the table 1.6, ``cost`` 1.4, ``--help`` 1.15. Run it on an installed
package with its bytecode compiled (``pip install .``), as users have it. Times of single runs wander with the
machine; read the median of the ratios of neighbouring runs, and the ratio of the minima.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

FLOOR = "import sys; sys.path.insert(0, sys.argv.pop(1)); from typer_floor import app; app()"
BARS = {
    "allocate --flops 1e24 --format json": 1.25,
    "allocate --flops 1e24": 1.60,
    "cost --params 70B --tokens 1.4T --on 2048xh100-sxm --format json": 1.40,
    "--help": 1.15,
}


def cpu_seconds(command: list[str]) -> float:
    """User and system seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        check=True,
        env=environment,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure every command of ``BARS`` and print its ratios."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    program = [sys.executable, "-c", "from scaleplan.__main__ import main; main()"]
    floor = [sys.executable, "-c", FLOOR, str(Path(__file__).parent)]
    print(f"{'command':<38} {'ours s':>8} {'floor s':>8} {'median ratio':>13} {'of minima':>10} {'bar':>6}")
    for words, bar in BARS.items():
        ours, theirs = [*program, *words.split()], [*floor, *words.split()]
        cpu_seconds(ours), cpu_seconds(theirs)
        pairs = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(runs)]
        mine, base = [a for a, _ in pairs], [b for _, b in pairs]
        ratio = statistics.median(a / b for a, b in pairs)
        print(
            f"{words:<38} {statistics.median(mine):8.3f} {statistics.median(base):8.3f} {ratio:13.3f} "
            f"{min(mine) / min(base):10.3f} {bar:6.2f}"
        )


if __name__ == "__main__":
    main()
