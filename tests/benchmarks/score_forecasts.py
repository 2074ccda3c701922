"""How far forecasts of measured runs are off, and how often their bands cover, beside simpler ways.

    SCALEPLAN_DATA=FOLDER python tests/benchmarks/score_forecasts.py

Runs: mpl_curves (three sizes, nine schedules; Luo et al. 2025) and datablations_curves (three sizes of 2.8 to 8.7
billion parameters, cosine, 1 to 44 epochs; Muennighoff et al. 2023). Each is forecast from a share of its steps with
one donor of its own size, one of another, or three of any, chosen by a seed; a donor is never the run itself. Errors
are of the final loss in per cent, mean and median; bands of 90 %; the interval score (Gneiting and Raftery 2007) is of
ln L in per cent, beside that of the donor ratio with a band of the errors that it had on the same set (which it could
not know beforehand). ``healthy``: runs and donors of datablations of at most seven epochs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import csv
import time
import zlib
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from scaleplan.forecasting.forecast import forecast
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import FinishedRun
from scaleplan.forecasting.schedule_shapes import named
from scaleplan.forecasting.schedules import Schedule

LEVEL = 0.9
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
TOKENS_A_STEP = 2**20
PLANNED = {2.8e9: 55e9, 4.2e9: 84e9, 8.7e9: 178e9}
HEALTHY_EPOCHS = 7


class Run(NamedTuple):
    """A measured run."""

    name: str
    size: str
    readings: Readings
    schedule: Schedule
    healthy: bool

    @property
    def final(self) -> float:
        return float(self.readings.loss[-1])


class Score(NamedTuple):
    """One forecast: relative error, covered or not, interval score, errors of other ways."""

    error: float
    inside: bool
    interval: float
    ratio: float | None
    last: float


def columns(name: str, *keys: str) -> dict[str, np.ndarray]:
    """The rows of a file of the folder by run."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    with open(os.path.join(os.environ["SCALEPLAN_DATA"], name)) as file:  # noqa: PTH118
        for row in csv.DictReader(file):
            found[row["run"]].append([float(row[key]) for key in keys])
    return {run: np.array(rows).T for run, rows in found.items()}


def luo() -> list[Run]:
    """Runs that say their learning rate; rows begin after warm-up."""
    found = columns("mpl_curves.csv", "step", "loss", "lr")
    return [
        Run(name, name.partition("-")[0], Readings(step=step, loss=loss), Schedule.from_rows(step, lr), True)
        for name, (step, loss, lr) in found.items()
    ]


def muennighoff() -> list[Run]:
    """Runs on a cosine to a tenth with 1 % of warm-up."""
    runs: list[Run] = []
    for name, (tokens, loss, unique, params) in columns(
        "datablations_curves.csv", "tokens", "loss", "unique_tokens", "params"
    ).items():
        order = np.argsort(tokens, kind="stable")
        total = PLANNED[params[0]] / TOKENS_A_STEP
        schedule = named("cosine", total_steps=total, peak=2e-4, warm_up=total / 100, floor=2e-5)
        readings = Readings(step=tokens[order] / TOKENS_A_STEP, loss=loss[order])
        healthy = unique[0] * HEALTHY_EPOCHS >= tokens.max()
        runs.append(Run(name, f"{params[0]:g}", readings, schedule, bool(healthy)))
    return runs


def donors_of(run: Run, runs: list[Run], which: str) -> list[Run]:
    """Donors by a seed of their own."""
    rest = [each for each in runs if each.name != run.name]
    cosine = [each for each in rest if "cosine_24000" in each.name] or rest
    kind = {"same": [e for e in cosine if e.size == run.size], "other": [e for e in cosine if e.size != run.size]}
    chosen = kind.get(which, rest)
    order = np.random.default_rng(zlib.crc32((run.name + which).encode())).permutation(len(chosen))
    return [chosen[place] for place in order[: 3 if which == "any" else 1]]


def scored(run: Run, share: float, donors: list[Run]) -> Score | None:
    """One forecast against what came."""
    step = run.readings.step
    seen = run.readings.part(step <= step[0] + share * (step[-1] - step[0]))
    if len(seen) < 9:
        return None
    finished = [FinishedRun(each.name, each.readings, each.schedule) for each in donors]
    made = forecast(seen, float(step[-1]), run.schedule, finished, level=LEVEL)
    if made.loss is None:
        return None
    truth = np.log(run.final)
    low, high = np.log(made.loss_low), np.log(made.loss_high)
    off = max(low - truth, truth - high, 0.0)
    ratios = [each.loss for each in made.ways if each.way.startswith("ratio")]
    last = next(each.loss for each in made.ways if each.way == "last")
    return Score(
        error=100 * abs(made.loss / run.final - 1),
        inside=bool(off == 0),
        interval=100 * (high - low + 2 / (1 - LEVEL) * off),
        ratio=100 * (float(np.median(ratios)) / run.final - 1) if ratios else None,
        last=100 * abs(last / run.final - 1),
    )


def line(scores: list[Score]) -> str:
    """Errors, coverage and interval scores of a set."""
    errors, ratios = [s.error for s in scores], np.array([s.ratio for s in scores if s.ratio is not None])
    half = np.quantile(np.abs(ratios), LEVEL)
    beside = np.mean(2 * half + 2 / (1 - LEVEL) * np.maximum(np.abs(ratios) - half, 0))
    return (
        f"{len(scores):4d}  {np.mean(errors):6.2f} {np.median(errors):6.2f}"
        f"  {100 * np.mean([s.inside for s in scores]):5.0f}"
        f"  {np.mean([s.interval for s in scores]):7.2f} {beside:7.2f}  {np.mean(np.abs(ratios)):6.2f}"
        f"  {np.mean([s.last for s in scores]):6.2f}"
    )


def main() -> None:
    """Print a table a set."""
    begun, count = time.perf_counter(), 0
    everything: list[Score] = []
    print(f"{'':34s}   n    mean median  cover  interval  of ratio  ratio   last")
    for title, runs in (("Luo et al.", luo()), ("Muennighoff et al.", muennighoff())):
        for which in ("same", "other", "any"):
            by_share: dict[float, list[tuple[bool, Score]]] = defaultdict(list)
            for run in runs:
                donors = donors_of(run, runs, which)
                for share in SHARES if donors else ():
                    score = scored(run, share, donors)
                    if score is not None:
                        by_share[share].append((run.healthy and all(each.healthy for each in donors), score))
                        count += 1
            for share, scores in sorted(by_share.items()):
                everything += [score for _, score in scores]
                print(f"{title:18s} {which:5s} {share:4.0%}        {line([score for _, score in scores])}", flush=True)
                healthy = [score for sound, score in scores if sound]
                if 0 < len(healthy) < len(scores):
                    print(f"{'':18s} {which:5s} {share:4.0%} healthy{line(healthy)}", flush=True)
    print(f"{'everything':34s}{line(everything)}")
    print(f"{1000 * (time.perf_counter() - begun) / count:.1f} ms a forecast")


if __name__ == "__main__":
    main()
