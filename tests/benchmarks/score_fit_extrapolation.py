"""How far laws fitted to cheap runs are off on dearer ones, on measured runs of seven families.

    SCALEPLAN_DATA=FOLDER python tests/benchmarks/score_fit_extrapolation.py

``score_fit_splits`` says which runs. Each split is fitted three ways: by the published objective (Huber 1e-3) with the
delta method of least squares and no allowances; plainly, as ``--no-prior`` does; and for forecasting, the default. The
last two have the allowances that their own back-test on the fitted runs gives. Scored are the mean of
|predicted / measured - 1|, the share of measured losses in the 95 % band, and the interval score (Gneiting & Raftery
2007): the band's width plus 40 times what a loss is outside by, in per cent of that loss; a half-width of ln L counts
as at most 3. Then the splits that the sets' users are likely to look at, and the best size N* at compute beyond the
fit against the optima that Porian et al. 2024 found there.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
from score_fit_splits import Split, named, read, splits

from scaleplan.errors import UsageError
from scaleplan.fitting.backtest import Allowances, allowances_of, back_test
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.isoflop import fit_isoflop
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import Runs, runs_of
from scaleplan.fitting.solution import Fit
from scaleplan.laws.uncertainty import Uncertainty

FORM = find_fit_form("additive")
LEVEL, WIDEST = 0.95, 3.0
SAMPLING = Allowances(1.0, 0.0, 0.0, 0.0, 0.0, "none")


class Law(NamedTuple):
    """A fit and its bands."""

    fit: Fit
    bands: Uncertainty


def main() -> None:
    """Print the tables."""
    if not os.environ.get("SCALEPLAN_DATA"):
        sys.exit("SCALEPLAN_DATA is not set: it names the folder of measured runs")
    start = time.perf_counter()
    parts = splits()
    origins = len({(each.family, each.origin) for each in parts})
    families = list(dict.fromkeys(each.family for each in parts))
    scores = {name: np.array([score(way(each.fitted), each) for each in parts]) for name, way in WAYS.items()}
    print(
        f"{len(parts)} splits, {origins} origins, {len(families)} families: mean |error| [%], coverage, interval score"
    )
    print_scores("all splits", parts, scores)
    easy = scores["published"][:, 0] < 2.5
    print_scores(
        "where published errs by less than 2.5 %", choose(parts, easy), {k: v[easy] for k, v in scores.items()}
    )
    wins = np.mean(scores["forecast"][:, 0] < scores["published"][:, 0])
    print(f"\nforecast is nearer than published on {100 * wins:.0f} % of the splits")
    print_named(list(named()))
    print_sizes()
    print(f"\n{time.perf_counter() - start:.0f} s")


def published(runs: Runs) -> Law:
    """Huber 1e-3 without priors, S = s^2 (J'J)^-1, s^2 = sum r^2 / (n - 5)."""
    fit = fit_form(runs, FORM, objective=Objective.HOFFMANN)
    model = FORM.bind(runs)
    jacobian = model.jacobian(np.linalg.solve(model.to_natural, fit.theta)) @ np.linalg.inv(model.to_natural)
    variance = float(fit.residuals @ fit.residuals) / max(len(runs) - 5, 2)
    covariance = variance * np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14)
    return banded(replace(fit, covariance=covariance, sd=variance**0.5), SAMPLING)


def plain(runs: Runs) -> Law:
    """``--no-prior``."""
    return banded(
        fit_form(runs, FORM), allowances_of(back_test(runs, lambda some: fit_form(some, FORM)), forecast=False)
    )


def forecast(runs: Runs) -> Law:
    """The default."""
    tested = back_test(runs, lambda some: fit_forecast(some, FORM))
    return banded(fit_forecast(runs, FORM), allowances_of(tested, forecast=True))


WAYS: dict[str, Callable[[Runs], Law]] = {"published": published, "plain": plain, "forecast": forecast}


def banded(fit: Fit, allowances: Allowances) -> Law:
    """A fit with the bands that a law file of it has."""
    kappa, tau, drift, starvation, size_misfit, source = allowances
    return Law(
        fit,
        Uncertainty(
            parameters=FORM.parameters,
            covariance=tuple(map(tuple, fit.covariance.tolist())),
            residual_sd=fit.sd,
            dof=fit.dof,
            flop_max=float(fit.runs.train_flop.max()),
            source=source,
            kappa=kappa,
            tau=tau,
            drift=drift,
            starvation=starvation,
            size_misfit=size_misfit,
        ),
    )


def score(law: Law, split: Split) -> tuple[float, float, float, float]:
    """Mean |error| [%], coverage, interval score [%], bias [%]."""
    runs = split.predicted
    form = law.fit.law_form
    centre = form.loss(runs.params, runs.tokens)
    sensitivity = form.log_loss_sensitivity(runs.params, runs.tokens)
    ratio = runs.tokens / runs.params
    half = np.minimum(law.bands.log_loss_half_width(sensitivity, runs.train_flop, LEVEL, ratio), WIDEST)
    low, high, middle = (100 * (centre * np.exp(away) / runs.loss - 1) for away in (-half, half, 0.0))
    penalty = 2 / (1 - LEVEL) * (np.maximum(low, 0) + np.maximum(-high, 0))
    inside = (low <= 0) & (high >= 0)
    means = (np.abs(middle), inside, high - low + penalty, middle)
    return tuple(float(np.mean(each)) for each in means)


def choose(parts: Sequence[Split], which: Iterable[bool]) -> list[Split]:
    """Some of the splits."""
    return [each for each, use in zip(parts, which, strict=True) if use]


def averaged(parts: Sequence[Split], scores: np.ndarray) -> dict[str, np.ndarray]:
    """Scores by family, each origin of it counting alike, and over all families."""
    origins: dict[tuple[str, str], list[np.ndarray]] = {}
    for each, row in zip(parts, scores, strict=True):
        origins.setdefault((each.family, each.origin), []).append(row)
    families: dict[str, list[np.ndarray]] = {}
    for (family, _), rows in origins.items():
        families.setdefault(family, []).append(np.mean(rows, axis=0))
    means = {family: np.mean(rows, axis=0) for family, rows in families.items()}
    return means | {"all": np.mean(list(means.values()), axis=0)}


def print_scores(title: str, parts: Sequence[Split], scores: dict[str, np.ndarray]) -> None:
    """A line a family, and one of all of them."""
    print(f"\n{title:<44}" + "".join(f"{name:>24}" for name in scores))
    means = {name: averaged(parts, values) for name, values in scores.items()}
    for family in means["forecast"]:
        count = sum(each.family == family for each in parts) or len(parts)
        print(f"{family:<38}{count:>6}" + "".join(f"{cells(rows[family]):>24}" for rows in means.values()))
    middle = {name: np.median(values[:, 2]) for name, values in scores.items()}
    print(f"{'median interval score of a split':<44}" + "".join(f"{value:>24.1f}" for value in middle.values()))


def cells(row: np.ndarray) -> str:
    """Error, coverage and interval score."""
    return f"{row[0]:.2f} {100 * row[1]:>5.1f} {row[2]:>7.1f}"


def print_named(parts: Sequence[Split]) -> None:
    """A line a split, with the bias."""
    print(f"\n{'error [%], coverage, interval score, (bias [%])':<56}{'runs':>9}" + "".join(f"{k:>26}" for k in WAYS))
    for each in parts:
        rows = [np.array(score(way(each.fitted), each)) for way in WAYS.values()]
        counts = f"{len(each.fitted)}, {len(each.predicted)}"
        print(f"{each.name:<56}{counts:>9}" + "".join(f"{cells(row) + f' ({row[3]:+.1f})':>26}" for row in rows))


def print_sizes() -> None:
    """Median |ln N* - ln N* measured| by decades of compute beyond the fit, and how many the forecast's band holds."""
    rows = np.array(list(size_errors()))
    names = ("plain", "forecast", "approach 2", "mean of the last two")
    print(
        f"\n{'N*: median |error of ln N*|':<30}{'cases':>6}"
        + "".join(f"{name:>22}" for name in names)
        + f"{'inside':>9}"
    )
    for low, high in ((0, 0.4), (0.4, 0.8), (0.8, 1.3), (1.3, 2.5)):
        some = rows[(rows[:, 0] > low) & (rows[:, 0] <= high)]
        off = np.nanmedian(np.abs(some[:, 1:5]), axis=0)
        inside = 100 * np.mean(some[:, 5])
        print(
            f"{f'{low} to {high} decades':<30}{len(some):>6}"
            + "".join(f"{x:>22.3f}" for x in off)
            + f"{inside:>8.0f} %"
        )


def absent(_: float) -> float:
    """What an approach that found no line says of a budget."""
    return math.nan


def size_errors() -> Iterable[tuple[float, ...]]:
    """Decades beyond the fit, the errors of ln N* four ways, and whether the forecast's band holds the optimum.

    A plain fit that plans nothing counts as infinitely far off; an approach 2 without a line is not counted.
    """
    recipe = ("dataset", "hparams", "warmup", "decay", "param_count")
    optima = read("porian_optima.csv")
    for key, table in read("porian_isoflop.csv").group_by(*recipe, maintain_order=True):
        best = optima.filter(*(pl.col(name) == value for name, value in zip(recipe, key, strict=True)))
        budget, params = table["flops"].to_numpy(), table["params"].cast(pl.Float64).to_numpy()
        runs = runs_of(params, budget / 6 / params, table["loss"].to_numpy())
        for cut in np.unique(budget)[[3, 5, 7]]:
            some = runs.subset((budget <= 1.01 * cut) & (runs.tokens >= params))
            if some.count < 8:
                continue
            law, bare = forecast(some), fit_form(some, FORM)
            values = law.fit.values()
            try:
                approach_2 = fit_isoflop(some, exponents=(values["alpha"], values["beta"])).rule.params
            except UsageError:
                approach_2 = absent
            form = law.fit.law_form
            for flop, size in best.filter(pl.col("flops") > 1.01 * cut).select("flops", "n_star").iter_rows():
                found = form.optimum(flop)
                slope = form.log_params_sensitivity(found.params, found.tokens)
                half = law.bands.log_params_half_width(slope, flop, LEVEL)
                said = (bare.law_form.optimum(flop).params if bare.usable else np.inf, found.params, approach_2(flop))
                errors = np.log(said) - np.log(size)
                mean = (errors[1] + errors[2]) / 2
                yield float(np.log10(flop / cut)), *errors.tolist(), float(mean), float(abs(errors[1]) <= half)


if __name__ == "__main__":
    main()
