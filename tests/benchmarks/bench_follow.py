"""Processor time of ``scaleplan watch --follow`` while a log grows by ten lines a second.

    python tests/benchmarks/bench_follow.py [SECONDS] [LINES_A_SECOND]

The bar: under 1 % of a core. A small real training run (``tests/training.py``) writes the log; the time is that of the
watching process alone, start-up left out, read from /proc (Linux). Beside it stands what starting cost.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.training import train, write_log

_SETTLED = 5.0
"""Seconds after which the program has started and read what was there."""


def cpu_seconds(process: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Watch a run for a while and print what that cost."""
    length = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run.csv"
        steps = train(round((length + _SETTLED + 2) * rate), lambda step: 0.5 * min(1.0, step / 100))
        writer = threading.Thread(target=write_log, args=(log, steps), kwargs={"pause": 1 / rate}, daemon=True)
        writer.start()
        program = [sys.executable, "-m", "scaleplan", "watch", str(log), "--follow", "--format", "ndjson"]
        with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as watching:
            time.sleep(_SETTLED)
            before, start = cpu_seconds(watching.pid), time.monotonic()
            time.sleep(length)
            used, passed = cpu_seconds(watching.pid) - before, time.monotonic() - start
            watching.kill()
    print(f"{rate:g} lines a second for {passed:.0f} s: {used:.2f} s, {used / passed:.3%} of a core (bar 1 %)")
    print(f"start-up and the first seconds: {before:.2f} s")


if __name__ == "__main__":
    main()
