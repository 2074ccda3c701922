"""Step-time evaluations a second, on arrays and one by one.

    python tests/benchmarks/bench_step_time.py

Nothing in it is a matrix product, so that numpy runs on one core. The bar: at least 200,000 a second and core on
arrays of layouts, a single one in about 50 us without numpy.
"""

from __future__ import annotations

import time

import numpy as np

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layout import Layout, Recompute
from scaleplan.compute.step_time import step_time
from scaleplan.compute.transformer import Experts, Transformer

DEVICE = Device("h100-sxm", "bf16", 9.89e14, 80e9, 3.35e12, 450e9, 50e9, 8)
CALIBRATION = Calibration(0.66, 1.1, 0.7, "", "")
DENSE = Transformer(80, 8192, 64, 8, 128, 28672, 128256, 8192)
SPARSE = Transformer(48, 2048, 32, 4, 128, 768, 151936, 4096, experts=Experts(count=128, active=8, feed_forward=768))
SIZES = (1_000, 4_000, 16_000, 64_000)
SECONDS = 1.0


def main() -> None:
    """Print rates for a dense model and for a mixture of experts."""
    for name, shape in (("dense", DENSE), ("experts", SPARSE)):
        for size in SIZES:
            layout = _layouts(size)
            rate = size / _each(lambda s=shape, x=layout: step_time(s, x, DEVICE, CALIBRATION, 512))
            print(f"{name:<8} arrays of {size:>6}: {rate:>10,.0f} evaluations a second")
        one = _each(lambda s=shape: step_time(s, Layout(4, 4, 32), DEVICE, CALIBRATION, 512))
        print(f"{name:<8} one by one: {1e6 * one:.0f} us each")


def _layouts(size: int) -> Layout:
    """Random degrees of parallelism."""
    random = np.random.default_rng(0)
    tensor, pipeline, data, micro = (np.array(2.0 ** random.integers(0, 5, size), dtype=np.float64) for _ in range(4))
    return Layout(tensor=tensor, pipeline=pipeline, data=data, micro_batch=micro, recompute=Recompute.FULL)


def _each(run: object) -> float:
    """Seconds a call, the best of several tries."""
    assert callable(run)
    best = float("inf")
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        for _ in range(5):
            run()
        best = min(best, (time.perf_counter() - start) / 5)
    return best


if __name__ == "__main__":
    main()
