"""How far off the extrapolation of a learning curve is, beside the last value and each power law alone.

    SCALEPLAN_DATA=... python -m tests.benchmarks.score_extrapolation

The benchmark of Alabdulmohsin et al. 2022 (arXiv 2209.06640), 92 curves of four domains, fitted and tested as there:
root mean square error of ln L, mean over the curves of a domain; exact duplicates of rows count once. ``past``: the
same curves seen to half of the fitted part, tested on its other half. Language model runs: Muennighoff et al. 2023
(arXiv 2305.16264), and Luo et al. 2025 (arXiv 2503.12811) at a constant learning rate, from 30 and 50 % to the end.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scaleplan.forecasting.extrapolation import CANDIDATES, extrapolate
from scaleplan.forecasting.power_laws import fit_m2


class Case(NamedTuple):
    """A curve in two parts, (n, 2) x and loss each."""

    group: str
    seen: np.ndarray
    rest: np.ndarray


def table(name: str) -> dict[str, list[dict[str, str]]]:
    """The rows of each run of a file."""
    found: dict[str, list[dict[str, str]]] = {}
    with (Path(os.environ["SCALEPLAN_DATA"]) / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row["run"], []).append(row)
    return found


def benchmark() -> Iterator[Case]:
    """The 92 curves."""
    for rows in table("alabdulmohsin_curves").values():
        parts = [
            np.array(
                sorted({(float(row["seen_examples"]), float(row["loss"])) for row in rows if row["split"] == split})
            )
            for split in ("fit", "test")
        ]
        yield Case(rows[0]["domain"], *parts)


def past() -> Iterator[Case]:
    """The fitted parts of the 92, halved in examples."""
    for group, seen, _ in benchmark():
        half = seen[:, 0] <= seen[-1, 0] / 2
        if half.sum() >= 5:
            yield Case(f"{group} past", seen[half], seen[~half])


def language_models() -> Iterator[Case]:
    """Runs of two laboratories without their first hundredth."""
    for name, column, kind in (("datablations_curves", "tokens", ""), ("mpl_curves", "step", "constant")):
        for run, rows in table(name).items():
            if kind not in run:
                continue
            curve = np.array(sorted((float(row[column]), float(row["loss"])) for row in rows))
            curve = curve[curve[:, 0] > 0.01 * curve[-1, 0]]
            for share in (0.3, 0.5):
                seen = curve[:, 0] <= share * curve[-1, 0]
                yield Case(f"{name} {share}", curve[seen], curve[~seen])


def errors(case: Case) -> dict[str, float]:
    """Root mean square error of ln L by way."""
    at, loss = case.rest.T
    found = extrapolate(*case.seen.T, at)
    said = {
        "chosen": found.values,
        "last row": np.full(len(at), case.seen[-1, 1]),
        "M2 alone": fit_m2(*case.seen.T).predict(at),
        **{name: found.by_candidate[name] for name in CANDIDATES},
    }
    return {way: float(np.sqrt(np.mean(np.log(values / loss) ** 2))) for way, values in said.items()}


def scores(cases: Iterator[Case]) -> dict[str, dict[str, float]]:
    """Mean error by group and way."""
    found: dict[str, list[dict[str, float]]] = {}
    for case in cases:
        found.setdefault(case.group, []).append(errors(case))
    return {
        group: {way: float(np.mean([each[way] for each in rows])) for way in rows[0]} for group, rows in found.items()
    }


if __name__ == "__main__":
    for cases in (benchmark(), past(), language_models()):
        began = time.perf_counter()
        for group, means in scores(cases).items():
            better = min(means["last row"], means["M2 alone"])
            verdict = "" if means["chosen"] <= better else "  WORSE than the better of both"
            print(f"{group:26}" + "".join(f"  {way} {value:.5f}" for way, value in means.items()) + verdict)
        print(f"{time.perf_counter() - began:.1f} s")
