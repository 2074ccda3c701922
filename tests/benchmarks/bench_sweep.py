"""A million fully constrained scenarios from the command line, and two million, on one worker and on two.

    python tests/benchmarks/bench_sweep.py [WORKERS ...]

The bars: a million rows in under 15 s and 1 GB on two cores, linear beyond. Memory is that of the largest process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

SWEEP = """\
schema: scaleplan.sweep/1
law: muennighoff-2023
budget:
  flops: {{from: 1e21, to: 1e26, points: {points}}}
  on: 2048xh100-sxm
  mfu: 40%
  price: [2, 2.5, 3, 3.5]
limits:
  deadline_days: {{from: 5, to: 200, points: 10}}
  unique_tokens: {{from: 1e11, to: 1e13, points: 10}}
  max_params: {{from: 1e10, to: 1e12, points: 5}}   # as memory bounds them
  max_epochs: [4, 16]
serving: {{tokens: {{from: 1e10, to: 1e14, points: 5}}}}
"""
ROWS_A_POINT = 4 * 10 * 10 * 5 * 2 * 5

LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "scaleplan", *sys.argv[1:]]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""
"""A small process in between: a child's peak memory counts that of the process it was forked from."""


def swept(points: int, workers: int, form: str) -> None:
    """Wall time, processor time and peak memory of a sweep."""
    with tempfile.TemporaryDirectory() as folder:
        file, rows = Path(folder) / "sweep.yaml", Path(folder) / "rows"
        file.write_text(SWEEP.format(points=points))
        words = ["sweep", str(file), "--format", form, "-q", "-o", str(rows), "--workers", str(workers)]
        start = time.perf_counter()
        launcher = [sys.executable, "-c", LAUNCHER, *words]
        done = subprocess.run(launcher, stderr=subprocess.PIPE, check=True)
        wall = time.perf_counter() - start
        code, cpu, peak = done.stderr.split()
        with rows.open("rb") as lines:
            count = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b"")) - (form == "csv")
        size = rows.stat().st_size / 2**20
    assert count == points * ROWS_A_POINT
    print(
        f"{count:>9,} rows of {form}, {workers} worker(s): {wall:.2f} s wall, {float(cpu):.2f} s cpu, "
        f"{int(peak) / 1024:.0f} MiB peak, {size:.0f} MiB written, exit {int(code)}",
        flush=True,
    )


if __name__ == "__main__":
    for workers in map(int, sys.argv[1:] or ("1", "2")):
        for points in (50, 100):
            swept(points, workers, "csv")
        swept(50, workers, "ndjson")
