"""How fast training logs are read, and in how much memory: rows a second of processor time, by format.

    python tests/benchmarks/bench_logs.py [ROWS]

Writes a log of ROWS steps (1e6 unless given) in each format to a temporary folder and reads each in a process of its
own on one core: ``read_log`` at once, and ``LogStream`` to the end. The bars are those of the issue for 1e7 rows of CSV
and JSON lines (well under 10 s, under 1.2 GB); text has a tenth of the rows. ``idle`` is the time of a look at a log
in which nothing is new.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHILD = """
import json, resource, sys, time
begun = time.process_time()
import numpy
imported = time.process_time()
path, how = sys.argv[1:]
if how == "read_log":
    from scaleplan.specs.training_logs import read_log
    rows = len(read_log(path).written)
else:
    from scaleplan.specs.log_stream import LogStream
    rows = 0
    with LogStream(path) as stream:
        while (readings := stream.read()) is not None:
            rows += len(readings)
        done = time.process_time()
        idle = time.perf_counter()
        for _ in range(1000):
            stream.read()
        idle = time.perf_counter() - idle
seconds = (time.process_time() if how == "read_log" else done) - imported
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([rows, seconds, peak, None if how == "read_log" else idle * 1e3]))
"""


def csv_lines(rows: int) -> Iterator[str]:
    """Rows of five columns."""
    yield "step,loss,lr,grad_norm,time\n"
    for i in range(1, rows + 1):
        yield f"{i},{2 + 7 / i**0.3:.6f},0.0003,{1 + i % 977 / 1000:.5f},{1.7e9 + 0.3 * i:.1f}\n"


def json_lines(rows: int) -> Iterator[str]:
    """The same as objects."""
    keys = ("step", "loss", "lr", "grad_norm", "time")
    lines = csv_lines(rows)
    next(lines)
    for line in lines:
        yield (
            "{" + ", ".join(f'"{key}": {cell}' for key, cell in zip(keys, line.strip().split(","), strict=True)) + "}\n"
        )


def megatron(rows: int) -> Iterator[str]:
    """Lines as Megatron-LM prints them, every tenth followed by one of something else."""
    for i in range(1, rows + 1):
        yield (
            f" [2026-11-{1 + i // 86400 % 28:02d} {i // 3600 % 24:02d}:{i // 60 % 60:02d}:{i % 60:02d}] iteration "
            f"{i:8d}/{rows:8d} | consumed samples: {i * 256:12d} | elapsed time per iteration (ms): {400 + i % 7}.0 "
            f"| throughput per GPU (TFLOP/s/GPU): 389.2 | learning rate: 1.500000E-04 | global batch size:   256 | "
            f"lm loss: {2 + 7 / i**0.3:.6E} | loss scale: 1.0 | grad norm: 1.204 | number of skipped iterations:   0 | "
            f"number of nan iterations:   0 |\n"
        )
        if i % 10 == 0:
            yield "saving nothing at present\n"


def nanogpt(rows: int) -> Iterator[str]:
    """Lines as nanoGPT prints them."""
    for i in range(1, rows + 1):
        yield f"iter {i}: loss {2 + 7 / i**0.3:.4f}, time {251 + i % 7}.17ms, mfu 38.40%\n"


def printed(rows: int) -> Iterator[str]:
    """Rows as the Hugging Face Trainer prints them."""
    for i in range(1, rows + 1):
        yield f"{{'loss': {2 + 7 / i**0.3:.4f}, 'grad_norm': 1.5, 'learning_rate': 0.0003, 'epoch': {i / rows:.2f}}}\n"


FORMATS = {"CSV": csv_lines, "JSON lines": json_lines, "Megatron-LM": megatron, "nanoGPT": nanogpt, "printed": printed}


def main() -> None:
    """Write, read and print a row for each format."""
    rows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    one_core = {**os.environ, "POLARS_MAX_THREADS": "1"}
    print(f"{'format':<12} {'how':<9} {'rows':>11} {'MB':>6} {'cpu s':>7} {'rows/s':>10} {'peak MB':>8} {'idle us':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in FORMATS.items():
            path = Path(folder) / "log"
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(lines(rows if name in ("CSV", "JSON lines") else rows // 10))
            for how in ("read_log", "LogStream"):
                program = [sys.executable, "-c", CHILD, str(path), how]
                found = subprocess.run(program, env=one_core, capture_output=True, text=True, check=True).stdout
                count, seconds, peak, idle = json.loads(found)
                print(
                    f"{name:<12} {how:<9} {count:>11,} {path.stat().st_size / 1e6:>6.0f} {seconds:>7.2f} "
                    f"{count / seconds:>10,.0f} {peak:>8.0f} {'' if idle is None else f'{idle:8.1f}'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
