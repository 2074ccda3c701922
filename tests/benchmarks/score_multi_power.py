"""How well the multi-power law foretells schedules it was not fitted to, on the runs of Luo et al. 2025.

    SCALEPLAN_DATA=... python tests/benchmarks/score_multi_power.py

For 25M, 100M and 400M parameters (``mpl_curves.csv``, from thu-yao-01-luo/MultiPowerLaw): MAE [nats], PredE and WorstE
(mean and largest relative error) and R2, the mean over six schedules of the law fitted to the three others, as in their
README, with their constants and with those of the fit here; then the error of every schedule by itself, the time of a
fit, and of 500 predictions for a run of 72,000 steps given as a row a step.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleplan.forecasting.multi_power import PUBLISHED, MultiPower
from scaleplan.forecasting.multi_power_fit import fit_multi_power, shared_drop
from scaleplan.forecasting.schedule_shapes import named
from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]
Run = tuple[Schedule, Floats, Floats]
FITTED = ("cosine_24000", "constant_24000", "wsdcon_9")
README = {
    "25M": (0.00376, 0.00110, 0.00409, 0.9988),
    "100M": (0.00435, 0.00142, 0.00583, 0.9983),
    "400M": (0.00484, 0.00168, 0.00995, 0.9978),
}
PEAK, WARM_UP, FLOOR, STABLE = 3e-4, 2160, 3e-5, 20_000


def schedule_of(name: str, last: float) -> Schedule:
    """The schedule behind a name of the table; ``last`` is the last step logged."""
    shape, _, rest = name.partition("_")
    whole: dict[str, Any] = {"peak": PEAK, "warm_up": WARM_UP}
    if shape == "wsdcon":
        low = int(rest) * 1e-5
        return Schedule.from_rows([WARM_UP, 7999, 8000, last], [PEAK, PEAK, low, low], warm_up=WARM_UP, name=name)
    if shape == "constant":
        return named("constant", total_steps=int(rest), **whole)
    if shape == "cosine":
        return named("cosine", total_steps=int(rest), floor=FLOOR, **whole)
    total = int(rest.split("_")[1])
    return named(
        "wsd",
        total_steps=total,
        floor=FLOOR,
        decay_share=1 - STABLE / total,
        decay="linear" if shape == "wsdld" else "exponential",
        **whole,
    )


def read() -> dict[str, dict[str, Run]]:
    """Runs by model and schedule."""
    rows: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with (Path(os.environ["SCALEPLAN_DATA"]) / "mpl_curves.csv").open() as file:
        for row in csv.DictReader(file):
            rows.setdefault((row["model"], row["schedule"]), []).append((float(row["step"]), float(row["loss"])))
    found: dict[str, dict[str, Run]] = {}
    for (model, name), points in rows.items():
        step, loss = np.array(points, dtype=np.float64).T
        found.setdefault(model, {})[name] = (schedule_of(name, float(step[-1])), step, loss)
    return found


def errors(law: MultiPower, run: Run) -> Floats:
    """MAE, PredE, WorstE and R2 on one run."""
    schedule, step, loss = run
    off = np.abs(law.predict(schedule, step) - loss)
    r2 = 1 - (off**2).sum() / ((loss - loss.mean()) ** 2).sum()
    return np.array([off.mean(), (off / loss).mean(), (off / loss).max(), r2])


def line(title: str, values: Floats | tuple[float, ...]) -> str:
    """One row of the table."""
    return f"  {title:<22}" + "".join(f"{value:>10.5f}" for value in values)


def score(model: str, runs: Mapping[str, Run]) -> None:
    """Prints the scores of one model."""
    start = time.perf_counter()
    found = fit_multi_power([runs[name] for name in FITTED])
    took = time.perf_counter() - start
    unseen = [name for name in runs if name not in FITTED]
    print(f"{model}: fitted in {took:.2f} s, residual {found.sd:.5f}, {found.law}")
    print(f"  {'mean of six':<22}" + "".join(f"{title:>10}" for title in ("MAE", "PredE", "WorstE", "R2")))
    print(line("README", README[model]))
    for title, law in (("published constants", PUBLISHED[model]), ("fit", found.law)):
        print(line(title, np.mean([errors(law, runs[name]) for name in unseen], axis=0)))
    for name in unseen:
        print(line(f"{name}, published", errors(PUBLISHED[model], runs[name])))
        print(line(f"{name}, fit", errors(found.law, runs[name])))


def main() -> None:
    """Prints all scores."""
    models = read()
    for model, runs in models.items():
        score(model, runs)
    donors = [models["25M"][name] for name in ("cosine_24000", "wsdcon_9", "wsd_20000_24000")]
    donors += [models["100M"]["cosine_24000"], models["100M"]["constant_24000"]]
    start = time.perf_counter()
    print(f"shared drop of five donors: {shared_drop(donors)}")
    print(f"  in {time.perf_counter() - start:.2f} s")
    whole = models["25M"]["cosine_72000"][0]
    step = np.arange(0.0, 72001.0)
    dense = Schedule.from_rows(step, whole.lr_at(step))
    start = time.perf_counter()
    PUBLISHED["25M"].predict(dense, np.linspace(WARM_UP, 72000, 500))
    print(f"500 predictions of a run of 72,000 rows: {1e3 * (time.perf_counter() - start):.1f} ms")


if __name__ == "__main__":
    main()
