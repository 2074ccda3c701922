"""How fast ``scaleplan fit`` is, beside the procedures in use, in one sitting.

    SCALEPLAN_DATA=FOLDER SCALEPLAN_PEERS=FOLDER python tests/benchmarks/bench_fit.py [--ssl-python PATH] [--stride 45]

1. 240 runs (Besiroglu et al. 2024, arXiv 2404.10102, less the five highest losses) under Huber 1e-3: the objective
   reached and the milliseconds of a fit from no starting point (bar: 10 ms); bootstrap refits a second and core (bar:
   10,000).
2. The same with 4,000 resamples from the command line (bar: 1.5 s), against the scripts in SCALEPLAN_PEERS: the 4,500
   starts of Hoffmann et al. by scipy with an analytic gradient and 4,000 resamples; Besiroglu et al.'s notebook, whose
   starts have numeric gradients (every STRIDE-th start is run, the rest extrapolated; its resamples differentiate
   automatically, which takes more than the analytic gradient counted here: a lower bound; bar: 100 times our processor
   time); simple-scaling-laws 0.2.0 with 4,000 draws, if --ssl-python names a Python 3.12 that has it (bar: 4 times).
3. Growth, on simulated tables: a fit of 2,000, 20,000 (bar: 1 s) and 200,000 runs; a million checkpoints of 5,000 runs
   read, thinned and fitted from the command line (bars: 10 s, 1.5 GB).

Linear algebra has one thread, but for the command line. Our figures are the least of several repeats, the peers' those
of one run: what the machine does beside can only flatter us.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from scaleplan.fitting.bootstrap import bootstrap
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import Runs, runs_of

FORM = find_fit_form("additive")
RESAMPLES = 4000
# Least values of Huber's sum, delta 1e-3, of the table as it is published: with D = C / (6 N) and with its tokens.
# scipy's least_squares with Huber's loss, started beside them, agrees with both to 1e-14.
OPTIMUM_FROM_FLOPS, OPTIMUM_FROM_TOKENS = 1.0182742050e-3, 1.0182741716e-3
UNROUNDED = 1.01827401781e-3
"""Of the runs with all their digits, which the published table rounds."""
LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run([sys.executable, "-m", "scaleplan", *sys.argv[1:]], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, time.perf_counter() - start, used.ru_utime, used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""
"""A small process in between: a child's peak memory counts that of the process it was forked from."""


class Used(NamedTuple):
    """Seconds on the clock, of the processor for the program and for the system, and MiB at the peak."""

    wall: float
    user: float
    system: float
    peak: float


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="How fast a fit is.")
    parser.add_argument("--ssl-python", help="a Python 3.12 that has simple-scaling-laws 0.2.0")
    parser.add_argument("--stride", type=int, default=45, help="of the starts with numeric gradients")
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    folder = os.environ.get("SCALEPLAN_DATA")
    if folder:
        measured = Path(folder) / "chinchilla_epoch.csv"
        with threadpool_limits(1):
            in_process(measured)
        end_to_end(measured, options.ssl_python, options.stride)
    else:
        print("SCALEPLAN_DATA is not set: the measured runs are not here, parts 1 and 2 are left out")
    with threadpool_limits(1):
        growth()
    checkpoints()
    print(f"load average {os.getloadavg()[0]:.2f}")


def best_of(function, repeats: int, clock=time.perf_counter) -> float:
    """The least seconds of some calls."""
    seconds = []
    for _ in range(repeats):
        start = clock()
        function()
        seconds.append(clock() - start)
    return min(seconds)


def in_process(measured: Path) -> None:
    """The objective reached, milliseconds a fit, refits a second."""
    table = pl.read_csv(measured).sort("loss").head(-5)
    params, loss = table["params"].to_numpy(), table["loss"].to_numpy()
    by_flops = runs_of(params, table["flops"].to_numpy() / (6 * params), loss)
    by_tokens = runs_of(params, table["tokens"].to_numpy(), loss)
    start = time.perf_counter()
    fit = fit_form(by_flops, FORM, objective=Objective.HOFFMANN)
    first = time.perf_counter() - start
    print(f"\n{len(by_flops)} runs, Huber 1e-3, in process")
    for name, found, optimum in (
        ("D = C / (6 N)", fit, OPTIMUM_FROM_FLOPS),
        ("the tokens column", fit_form(by_tokens, FORM, objective=Objective.HOFFMANN), OPTIMUM_FROM_TOKENS),
    ):
        print(
            f"  {name}: objective {found.value:.13e}, the table's optimum {optimum:.10e}, {found.agree} of "
            f"{found.starts} starts agree, {found.status}"
        )
    print(f"  (runs with all their digits: {UNROUNDED:.11e})")
    ways = {
        "Huber 1e-3": lambda: fit_form(by_flops, FORM, objective=Objective.HOFFMANN),
        "adaptive Huber": lambda: fit_form(by_flops, FORM),
        "forecast": lambda: fit_forecast(by_flops, FORM),
    }
    print(f"  first call {1e3 * first:.1f} ms; least of 40 calls: ", end="")
    print(", ".join(f"{name} {1e3 * best_of(way, 40):.2f} ms" for name, way in ways.items()))
    for name, some in (("Huber 1e-3", fit), ("forecast", fit_forecast(by_flops, FORM))):
        seconds = best_of(lambda f=some: bootstrap(f, RESAMPLES), 7, time.process_time)
        print(f"  bootstrap, {name}: {RESAMPLES / seconds:,.0f} refits a second and core")


def end_to_end(measured: Path, ssl_python: str | None, stride: int) -> None:
    """The command line against the peers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = folder / "runs.csv"
        pl.read_csv(measured).sort("loss").head(-5).select("params", "tokens", "loss").write_csv(runs)
        words = ["fit", str(runs), "--out", str(folder / "law.yaml"), "-q"]
        ours = command([*words, "--objective", "hoffmann", "--bootstrap", str(RESAMPLES)], 7)
        default = command(words, 7)
    print(f"\nend to end, 240 runs, {RESAMPLES:,} resamples")
    print(f"  scaleplan fit: {shown(ours)}; the default, without resamples: {shown(default)}")
    peers = os.environ.get("SCALEPLAN_PEERS")
    if not peers:
        print("  SCALEPLAN_PEERS is not set: the other programs are not here")
        return
    scipy = Path(peers) / "c_scipy.py"
    resampled = peer(sys.executable, scipy, measured, "boot", str(RESAMPLES))["user_s"]
    exact = peer(sys.executable, scipy, measured, "jac", "1", "sum")
    numeric = peer(sys.executable, scipy, measured, "fd", str(stride), "sum")["extrap_full_grid_user_s"]
    compare("scipy, 4,500 starts with analytic gradients, resamples", exact["user_s"] + resampled, ours)
    compare(f"published, starts with numeric gradients (1 in {stride} run)", numeric + resampled, ours)
    if ssl_python is None:
        print("  simple-scaling-laws: --ssl-python is not given")
        return
    found = peer(ssl_python, Path(peers) / "f_ssl.py", measured, "separable-power", str(RESAMPLES))
    compare("simple-scaling-laws, in process alone", found["user_s"], ours)


def peer(python: str, script: Path, measured: Path, *words: str) -> dict:
    """What another program's script says of itself: the last line that is JSON."""
    environment = os.environ | {"EPOCH_CSV": str(measured)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, str(script), *words], env=environment, cwd=folder, capture_output=True, text=True, check=True
        )
    return json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))


def compare(name: str, seconds: float, ours: Used) -> None:
    """Processor seconds of another program, and over ours."""
    print(f"  {name}: {seconds:.1f} s user, {seconds / ours.user:.1f} times ours")


def command(words: list[str], repeats: int) -> Used:
    """Each of the figures at its least over some runs of the command."""
    found: list[Used] = []
    for _ in range(repeats):
        launched = [sys.executable, "-c", LAUNCHER, *words]
        done = subprocess.run(launched, stderr=subprocess.PIPE, text=True, check=True)
        *said, last = done.stderr.splitlines()
        code, wall, user, system, peak = map(float, last.split())
        if code:
            sys.exit(f"scaleplan {' '.join(words)} ended with {code:.0f}:\n" + "\n".join(said))
        found.append(Used(wall, user, system, peak / 1024))
    return Used(*map(min, zip(*found, strict=True)))


def shown(used: Used) -> str:
    """The figures in words."""
    return f"{used.wall:.2f} s wall, {used.user:.2f} s user, {used.system:.2f} s system, {used.peak:.0f} MiB"


def growth() -> None:
    """Seconds of a fit from no starting point, by number of runs."""
    print("\ngrowth, simulated runs, in process, s")
    print(f"{'runs':>10}{'plain':>10}{'forecast':>10}{'Huber 1e-3':>12}")
    for count in (2_000, 20_000, 200_000):
        runs = simulated(count)
        repeats = max(1, min(10, 60_000 // count))
        seconds = (
            best_of(lambda r=runs: fit_form(r, FORM), repeats),
            best_of(lambda r=runs: fit_forecast(r, FORM), repeats),
            best_of(lambda r=runs: fit_form(r, FORM, objective=Objective.HOFFMANN), repeats),
        )
        print(f"{count:>10,}{seconds[0]:>10.3f}{seconds[1]:>10.3f}{seconds[2]:>12.3f}")


def checkpoints() -> None:
    """A million rows, 5,000 runs by 200 checkpoints, from the command line."""
    runs, each = 5000, 200
    ends = simulated(runs)
    share = np.tile(np.geomspace(0.05, 1, each), runs)
    params, tokens = np.repeat(ends.params, each), np.repeat(ends.tokens, each) * share
    loss = law(params, tokens) * np.exp(0.005 * np.random.default_rng(1).normal(size=len(params)))
    table = pl.DataFrame({"run": np.repeat(np.arange(runs), each), "params": params, "tokens": tokens, "loss": loss})
    print(f"\n{len(table):,} rows, {runs:,} runs of {each} checkpoints, from the command line")
    with tempfile.TemporaryDirectory() as name:
        for kind, write in (("csv", table.write_csv), ("parquet", table.write_parquet)):
            path = Path(name) / f"runs.{kind}"
            write(path)
            used = command(["fit", str(path), "--out", str(Path(name) / "law.yaml"), "-q"], 2)
            print(f"  {kind}, {path.stat().st_size / 1e6:.0f} MB: {shown(used)}")


def simulated(count: int) -> Runs:
    """Runs of a law of Hoffmann's kind with 0.5 % of noise in the loss."""
    rng = np.random.default_rng(0)
    params = 10 ** rng.uniform(7, 10, count)
    tokens = params * 10 ** rng.uniform(1, 2.5, count)
    return runs_of(params, tokens, law(params, tokens) * np.exp(0.005 * rng.normal(size=count)))


def law(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Besiroglu et al. 2024, the corrected coefficients."""
    return 1.8172 + 482.01 / params**0.3478 + 2085.43 / tokens**0.3658


if __name__ == "__main__":
    main()
