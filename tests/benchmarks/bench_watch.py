"""Steps a second of the watch, all at once and row by row.

    python tests/benchmarks/bench_watch.py [ROWS]

The bars: 2e6 steps a second on a log of losses read at once; ten lines a second at under 1 % of a core, 1 ms a row.
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np

from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.watch import Watcher

PART = 65_536


def made(rows: int, *, full: bool) -> Readings:
    """A run of so many steps with t(5) noise, with every column or the loss alone."""
    rng = np.random.default_rng(0)
    step = np.arange(rows, dtype=float)
    loss = (2.3 + 8.5 * (1 + step / 30) ** -0.35) * (1 + 0.012 * rng.standard_t(5, rows))
    if not full:
        return Readings(step=step, loss=loss)
    grad_norm = np.exp(0.2 * rng.standard_normal(rows) - 1)
    seconds = 1 + 0.02 * rng.standard_normal(rows)
    return Readings(
        step=step, loss=loss, grad_norm=grad_norm, lr=np.minimum(step / 2000, 1), step_time=seconds, tokens=step * 4e6
    )


def main() -> None:
    """Print the rates."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    for full in (False, True):
        name = "every column" if full else "loss alone"
        log = made(rows, full=full)
        for part in (rows, PART):
            best = 1e9
            for _ in range(3):
                watcher, start = Watcher(), time.process_time()
                for at in range(0, rows, part):
                    watcher.feed(log.part(slice(at, at + part)))
                found = watcher.close()
                best = min(best, time.process_time() - start)
            print(f"{name}, parts of {part}: {rows / best:,.0f} steps/s, {len(found)} events")
        watcher, single = Watcher(), 20_000
        start = time.process_time()
        for at in range(single):
            watcher.feed(log.part(slice(at, at + 1)))
        print(f"{name}, row by row: {1e6 * (time.process_time() - start) / single:.0f} us a row")
        tracemalloc.start()
        for at in range(single, min(rows, 500_000), 1000):
            watcher.feed(log.part(slice(at, at + 1000)))
        print(f"{name}: {tracemalloc.get_traced_memory()[0] / 1e6:.2f} MB grown over 480,000 rows")
        tracemalloc.stop()


if __name__ == "__main__":
    main()
