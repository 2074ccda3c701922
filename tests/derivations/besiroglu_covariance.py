"""Where the covariance in ``presets/laws/besiroglu-2024.yaml`` comes from; docs/decisions/0003 has the reasons.

Delta method on ln L over the 240 digitised Chinchilla runs (245 less the five of highest loss, as in Besiroglu et
al. 2024, arXiv 2404.10102), evaluated at the coefficients that ship: S = s^2 (J'J)^-1, s^2 = RSS / (n - 5), with J
the derivatives of ln L by ln A, ln B, ln E, alpha, beta. Prints the block of the preset:

    SCALEPLAN_DATA=... python -m tests.derivations.besiroglu_covariance
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scaleplan.laws.additive import Additive

OUTLIERS = 5


class Runs(NamedTuple):
    """Parameters, tokens, FLOPs and loss of each run."""

    params: np.ndarray
    tokens: np.ndarray
    flops: np.ndarray
    loss: np.ndarray


def read_runs(folder: Path) -> Runs:
    """The 240 runs."""
    with open(folder / "chinchilla_epoch.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [np.array([float(row[key]) for row in rows]) for key in Runs._fields]
    keep = np.sort(np.argsort(columns[3])[:-OUTLIERS])
    return Runs(*(column[keep] for column in columns))


def theta_of(law: Additive) -> np.ndarray:
    """The constants as fitted: ln A, ln B, ln E, alpha, beta."""
    return np.array([np.log(law.A), np.log(law.B), np.log(law.E), law.alpha, law.beta])


def residuals(theta: np.ndarray, runs: Runs) -> np.ndarray:
    """ln L of the law less ln L measured."""
    a, b, e, alpha, beta = theta
    terms = np.exp(e) + np.exp(a - alpha * np.log(runs.params)) + np.exp(b - beta * np.log(runs.tokens))
    return np.log(terms) - np.log(runs.loss)


def jacobian(theta: np.ndarray, runs: Runs) -> np.ndarray:
    """Derivatives of ``residuals`` by ``theta``, one row a run."""
    a, b, e, alpha, beta = theta
    x, y = np.log(runs.params), np.log(runs.tokens)
    u, w = np.exp(a - alpha * x), np.exp(b - beta * y)
    total = np.exp(e) + u + w
    return np.stack([u, w, np.full_like(u, np.exp(e)), -u * x, -w * y], axis=1) / total[:, None]


def covariance(law: Additive, runs: Runs) -> tuple[np.ndarray, float, int]:
    """The covariance, the residual standard deviation of ln L, and the degrees of freedom."""
    theta = theta_of(law)
    dof = len(runs.loss) - len(theta)
    variance = float(np.sum(residuals(theta, runs) ** 2) / dof)
    j = jacobian(theta, runs)
    inverse = np.linalg.inv(j.T @ j)
    return variance * (inverse + inverse.T) / 2, variance**0.5, dof


def main() -> None:
    """Print the YAML block."""
    from scaleplan.specs.laws import load_law

    law = load_law("besiroglu-2024").surface
    assert isinstance(law, Additive)
    matrix, sd, dof = covariance(law, read_runs(Path(os.environ["SCALEPLAN_DATA"])))
    print(f"  residual_sd: {sd!r}\n  dof: {dof}\n  covariance:")
    for row in matrix:
        print(f"  - [{', '.join(repr(float(x)) for x in row)}]")


if __name__ == "__main__":
    main()
