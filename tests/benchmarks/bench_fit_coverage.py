"""How often the 95 % intervals of a fit hold the truth, on simulated tables.

    python tests/benchmarks/bench_fit_coverage.py [DATA SETS = 2000] [WORKERS = 2] [BOOTSTRAPPED = 200]

Truth: Hoffmann et al.'s approach 3 as corrected by Besiroglu et al. 2024 (arXiv 2404.10102). Designs: 36 IsoFLOP runs
(6 budgets of 1e19 to 1e21 by 6 sizes within a factor of 8 of the best) and 240 (12 of 6e18 to 3e21 by 20). Noise of
ln L: Gaussian; Student's t with 2.5 degrees of freedom; or "uneven", Gaussian but exp(0.6) times larger for each
standard deviation of ln C towards the cheap runs, some sixfold from end to end. All have about the standard deviation
given. Quantities: the exponents, ln E, ln L at the median run, and at 1e24 FLOPs ln L* and ln N*. "plain" is the fit to
the runs alone, "default" the one to forecast by. The bar: 93 to 97 % in range for the plain fit; priors that are right
may only add to it. A share of 2,000 has a standard error of 0.5 points.
"""

from __future__ import annotations

import math
import sys
import time
from typing import NamedTuple

import numpy as np

from scaleplan.executors import run_chunks
from scaleplan.fitting.bootstrap import bootstrap
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import Runs, runs_of
from scaleplan.laws.student import two_sided_quantile

TRUTH = np.array([math.log(482.01), math.log(2085.43), math.log(1.8172), 0.3478, 0.3658])
DESIGNS = {"36 IsoFLOP": (np.geomspace(1e19, 1e21, 6), 6), "240 runs": (np.geomspace(6e18, 3e21, 12), 20)}
NOISES = ("gaussian", "t(2.5)", "uneven")
SIZES = (0.003, 0.01)
QUANTITIES = ("alpha", "beta", "ln E", "ln L in", "ln L*", "ln N*")
LEVEL, FAR, CHUNK, RESAMPLES = 0.95, 1e24, 50, 1000


class Cell(NamedTuple):
    """One kind of table, and which of the data sets of this kind a chunk makes."""

    design: str
    noise: str
    size: float
    prior: bool
    resamples: int
    first: int
    count: int


def main() -> None:
    """Print a table of coverages by the delta method, and one by the bootstrap's percentiles."""
    counts = [int(each) for each in sys.argv[1:]]
    data_sets, workers, bootstrapped = [*counts, *(2000, 2, 200)[len(counts) :]]
    start = time.perf_counter()
    for title, number, resamples in (
        ("delta method, Student t", data_sets, 0),
        (f"bootstrap of {RESAMPLES}, percentiles", bootstrapped, RESAMPLES),
    ):
        if not number:
            continue
        print(f"\n{title}: % of {number} intervals at {LEVEL:.0%} that hold the truth; median half-width of ln N*")
        print(f"{'':<34}" + "".join(f"{name:>9}" for name in QUANTITIES) + f"{'+-':>9}")
        for design in DESIGNS:
            for noise in NOISES:
                for size in SIZES:
                    for prior in (False, True):
                        held, half = _covered(Cell(design, noise, size, prior, resamples, 0, number), workers)
                        name = f"{design}, {noise} {size:.1%}, {'default' if prior else 'plain'}"
                        print(f"{name:<34}" + "".join(f"{100 * x:>9.1f}" for x in held) + f"{half:>9.3f}", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s on {workers} processes")


def _covered(cell: Cell, workers: int) -> tuple[np.ndarray, float]:
    """Shares (6,) of the data sets whose interval holds the truth, and how wide the last one is."""
    chunks = [cell._replace(first=first, count=min(CHUNK, cell.count - first)) for first in range(0, cell.count, CHUNK)]
    ends = np.concatenate(run_chunks(simulated, chunks, workers=workers))
    truth = quantities(TRUTH, table(cell, 0))
    held = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return held.mean(axis=0), float(np.median(ends[:, 1, -1] - ends[:, 0, -1]) / 2)


def simulated(cell: Cell) -> np.ndarray:
    """Ends (count, 2, 6) of the intervals of a chunk's data sets."""
    form = find_fit_form("additive")
    ends = []
    for number in range(cell.first, cell.first + cell.count):
        runs = table(cell, number)
        fit = fit_forecast(runs, form) if cell.prior else fit_form(runs, form)
        if cell.resamples:
            found = bootstrap(fit, cell.resamples, seed=number)
            ends.append(found.interval_of(lambda theta, r=runs: quantities(theta.T, r).T, LEVEL))
            continue
        # The complex step: d q / d theta_k = Im q(theta + i h e_k) / h.
        moved = fit.theta[:, None] + 1e-30j * np.eye(5)
        jacobian = np.imag(quantities(moved, runs)) / 1e-30
        half = two_sided_quantile(LEVEL, fit.dof) * np.sqrt(
            np.einsum("qi,ij,qj->q", jacobian, fit.covariance, jacobian)
        )
        centre = quantities(fit.theta, runs)
        ends.append((centre - half, centre + half))
    return np.array(ends)


def table(cell: Cell, number: int) -> Runs:
    """Data set ``number`` of a cell; the plain fit and the default see the same ones."""
    seed = [list(DESIGNS).index(cell.design), NOISES.index(cell.noise), SIZES.index(cell.size), number]
    rng = np.random.default_rng(seed)
    budgets, sizes = DESIGNS[cell.design]
    flop = np.repeat(budgets, sizes)
    params = _best_params(TRUTH, flop) * np.tile(np.geomspace(1 / 8, 8, sizes), len(budgets))
    tokens = flop / (6 * params)
    draws = rng.standard_t(2.5, len(flop)) / math.sqrt(5) if cell.noise == "t(2.5)" else rng.normal(size=len(flop))
    if cell.noise == "uneven":
        standing = (np.log(flop) - np.log(flop).mean()) / np.log(flop).std()
        draws *= np.exp(-0.6 * standing)
    return runs_of(params, tokens, np.exp(_ln_loss(TRUTH, params, tokens) + cell.size * draws))


def quantities(theta: np.ndarray, runs: Runs) -> np.ndarray:
    """(6, ...) of natural parameters (5, ...), real or complex."""
    middle = len(runs) // 2  # by budget, then by size
    params = _best_params(theta, FAR)
    return np.stack(
        [
            theta[3],
            theta[4],
            theta[2],
            _ln_loss(theta, runs.params[middle], runs.tokens[middle]),
            _ln_loss(theta, params, FAR / 6 / params),
            np.log(params),
        ]
    )


def _ln_loss(theta: np.ndarray, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    ln_a, ln_b, ln_e, alpha, beta = theta
    return np.log(np.exp(ln_e) + np.exp(ln_a - alpha * np.log(params)) + np.exp(ln_b - beta * np.log(tokens)))


def _best_params(theta: np.ndarray, flop: np.ndarray | float) -> np.ndarray:
    """N* of Hoffmann et al. 2022, eq. 4: G (C/6)^(b / (a + b)), G = (a A / b B)^(1 / (a + b)), of exponents a and b."""
    ln_a, ln_b, _, alpha, beta = theta
    share = np.log(alpha) + ln_a - np.log(beta) - ln_b + beta * np.log(flop / 6)
    return np.exp(share / (alpha + beta))


if __name__ == "__main__":
    main()
