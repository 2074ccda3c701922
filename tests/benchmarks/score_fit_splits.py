"""Measured runs parted by compute, cheap ones to fit and dearer ones to predict; for ``score_fit_extrapolation.py``.

The sets are read from the folder that SCALEPLAN_DATA names: loss tables of Hoffmann et al. 2022 as digitised by
Besiroglu et al. 2024 (2404.10102), Gadre et al. 2024 (2403.08540), Muennighoff et al. 2023 (2305.16264), Luo et al.
2025 (2503.12811), Alabdulmohsin et al. 2022 (2209.06640) and Porian et al. 2024 (2406.19146). Every row counts as a run
of its own, with C = 6 N D; a split needs six rows to fit, and predicts what is at least 1.15 and at most 72 times as
dear as the dearest row fitted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from scaleplan.fitting.runs import Runs, runs_of

LEAST_REACH, MOST_REACH, LEAST_FITTED = 1.15, 72.0, 6
LADDER = ("params", "tokens", "loss")


class Split(NamedTuple):
    """Runs to fit and runs to predict; scores are averaged over splits, then origins, then families."""

    family: str
    origin: str
    name: str
    fitted: Runs
    predicted: Runs


def read(name: str) -> pl.DataFrame:
    """A table of the measured runs."""
    return pl.read_csv(Path(os.environ["SCALEPLAN_DATA"]) / name, infer_schema_length=20_000)


def columns(table: pl.DataFrame, names: tuple[str, ...] = LADDER) -> Runs:
    """Its runs, by the names of the columns of params, tokens and loss."""
    return runs_of(*(table[name].cast(pl.Float64).to_numpy() for name in names))


def splits() -> list[Split]:
    """All of them; the small tables are drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    return [
        *chinchilla(rng),
        *gadre(),
        *single_epoch(),
        *schedules(),
        *language_curves(),
        *isoflops(rng),
        *sweeps(),
    ]


def part(
    label: tuple[str, str, str],
    runs: Runs,
    cut: float,
    *,
    fit: np.ndarray | bool = True,
    test: np.ndarray | bool = True,
    least: int = 2,
) -> Iterator[Split]:
    """The split at ``cut`` FLOP among the rows that ``fit`` and ``test`` allow, if there are enough of both."""
    flop = runs.train_flop
    cheap = (flop <= cut * (1 + 1e-6)) & fit
    if cheap.sum() < LEAST_FITTED:
        return
    dearest = flop[cheap].max()
    dear = (flop > LEAST_REACH * max(cut, dearest)) & (flop <= MOST_REACH * dearest) & test
    if dear.sum() >= least:
        yield Split(*label, runs.subset(cheap), runs.subset(dear))


def chinchilla(rng: np.random.Generator) -> Iterator[Split]:
    """With and without the five highest losses, and small tables drawn from the latter."""
    runs = columns(read("chinchilla_epoch.csv"))
    sound = np.ones(len(runs), dtype=bool)
    sound[np.argsort(runs.loss)[-5:]] = False
    for log_cut in (19.1, 19.5, 20.0, 20.5, 21.0):
        cut = 10**log_cut
        yield from part(("chinchilla", "240 runs", f"chinchilla 240 @{log_cut}"), runs.subset(sound), cut)
        yield from part(("chinchilla", "245 runs", f"chinchilla 245 @{log_cut}"), runs, cut)
    for count in (10, 16, 24):
        for log_cut in (19.5, 20.5):
            for number in range(2):
                drawn = np.zeros(len(runs), dtype=bool)
                cheap = np.flatnonzero(sound & (runs.train_flop <= 10**log_cut))
                drawn[rng.choice(cheap, count, replace=False)] = True
                label = ("chinchilla", "small tables", f"chinchilla {count} @{log_cut} {number}")
                yield from part(label, runs, 10**log_cut, fit=drawn, test=sound)


def gadre() -> Iterator[Split]:
    """Three corpora by four validation sets: all runs, and those of 15 tokens a parameter or more."""
    table = read("gadre_loss.csv").filter(pl.col("loss").is_not_null())
    for corpus in ("c4_original", "rpj", "rw_original"):
        for validation in ("c4_val", "paloma_c4_en", "paloma_redpajama", "paloma_refinedweb"):
            runs = columns(table.filter(pl.col("train_data") == corpus, pl.col("val_data") == validation))
            label = ("gadre", corpus, f"{corpus} {validation}")
            for cut in (1e18, 5e18, 2.1e19, 9.5e19, 2.0e20, 7e20):
                yield from part(label, runs, cut)
            trained = runs.subset(runs.tokens / runs.params >= 15)
            for cut in (2.1e19, 2.0e20):
                yield from part(label, trained, cut)


def single_epoch() -> Iterator[Split]:
    """Muennighoff's runs without repetition: all, those below 4 nats, those of 4 tokens a parameter or more."""
    runs = columns(read("datablations_final.csv").filter(pl.col("epochs") <= 1.01))
    for cut in (1.3e19, 1e20, 4e20, 1e21):
        yield from part(("datablations", "all", f"datablations @{cut:g}"), runs, cut)
        low = runs.subset(runs.loss < 4)
        yield from part(("datablations", "loss < 4", f"datablations low @{cut:g}"), low, cut)
        trained = runs.subset(runs.tokens / runs.params >= 4)
        yield from part(("datablations", "D/N >= 4", f"datablations trained @{cut:g}"), trained, cut)


def schedules() -> Iterator[Split]:
    """Luo's last losses under several schedules, 0.5M tokens a step: all, and cosine, constant and plain decays."""
    table = read("mpl_curves.csv").group_by("run", maintain_order=True).last()
    params = np.array([1e6 * float(name.removesuffix("M")) for name in table["model"]])
    runs = runs_of(params, 5e5 * table["step"].to_numpy(), table["loss"].to_numpy())
    usual = np.array([name.startswith(("cos", "wsd_", "const")) for name in table["schedule"]])
    for name, use in (("all", np.ones(len(runs), dtype=bool)), ("usual", usual)):
        for cut in (6 * 1e8 * 24_100 * 5e5, 6 * 4e8 * 16_100 * 5e5):
            yield from part(("mpl", name, f"mpl {name} @{cut:g}"), runs.subset(use), cut, least=1)


def language_curves() -> Iterator[Split]:
    """Alabdulmohsin's language models: seven checkpoints of each of five curves; not in nats a token."""
    table = read("alabdulmohsin_curves.csv").filter(pl.col("domain") == "LM").unique(["run", "seen_examples"])
    rows: list[tuple[float, float, float]] = []
    for (run,), curve in table.sort("run").group_by("run", maintain_order=True):
        seen, loss = (curve.sort("seen_examples")[name].to_numpy() for name in ("seen_examples", "loss"))
        nearest = [int(np.argmin(np.abs(seen - at))) for at in np.geomspace(seen.max() / 40, seen.max(), 7)]
        rows += [(float(str(run).split("|")[-1]), float(seen[i]), float(loss[i])) for i in nearest]
    runs = runs_of(*np.array(rows).T)
    flop = np.sort(runs.train_flop)
    for share in (0.4, 0.6, 0.75):
        yield from part(("alabdulmohsin", "LM", f"alabdulmohsin @{share}"), runs, float(flop[int(share * len(flop))]))


def isoflops(rng: np.random.Generator) -> Iterator[Split]:
    """Porian's grids by recipe and way of counting, all rows, D >= N and D >= 4 N, and small tables of 12 runs."""
    table = read("porian_isoflop.csv")
    recipe = ("dataset", "hparams", "warmup", "decay", "param_count", "split")
    for key, rows in table.group_by(*recipe, maintain_order=True):
        name = " ".join(map(str, key))
        budget = rows["flops"].to_numpy()
        params = rows["params"].cast(pl.Float64).to_numpy()
        runs = runs_of(params, budget / 6 / params, rows["loss"].to_numpy())
        ratio, budgets = runs.tokens / params, np.unique(budget)
        for count in (3, 4, 6, 8, 10):
            if count >= len(budgets):
                continue
            cut = 1.05 * float(budgets[count - 1])
            for origin, fit, test in (("all", ratio > 0, ratio >= 2), ("D >= N", *2 * [ratio >= 1])):
                if count > 3:
                    label = ("porian", f"{key[0]} {origin}", f"{name} @{count}")
                    yield from part(label, runs, cut, fit=fit, test=test)
            label = ("porian", f"{key[0]} D >= 4 N", f"{name} @{count}")
            yield from part(label, runs, cut, fit=ratio >= 4, test=ratio >= 4)
        if key[4] == "kaplan":
            continue
        for count in (4, 7):
            drawn = np.zeros(len(runs), dtype=bool)
            for of in budgets[count - 4 : count]:
                there = np.flatnonzero((budget == of) & (ratio >= 3))
                drawn[rng.choice(there, min(3, len(there)), replace=False)] = True
            label = ("porian", "small tables", f"{name} 12 runs @{count}")
            yield from part(label, runs, 1.05 * float(budgets[count - 1]), fit=drawn, test=ratio >= 3)


def sweeps() -> Iterator[Split]:
    """Porian's recipes of one corpus in one table, as a sweep leaves it: all rows, or the best of each (N, D)."""
    table = read("porian_isoflop.csv").filter(pl.col("param_count") == "standard", pl.col("split") == "val")
    for corpus in ("rw", "owt2"):
        rows = table.filter(pl.col("dataset") == corpus)
        budget, params = rows["flops"].to_numpy(), rows["params"].cast(pl.Float64).to_numpy()
        runs = runs_of(params, budget / 6 / params, rows["loss"].to_numpy())
        trained = runs.tokens / runs.params >= 2
        runs, budgets = runs.subset(trained), np.unique(budget[trained])
        best = lowest(runs)
        for count in (4, 6, 8, 10):
            cut = 1.05 * float(budgets[count - 1])
            yield from part(("sweep", f"{corpus} all", f"sweep {corpus} @{count}"), runs, cut)
            yield from part(("sweep", f"{corpus} best", f"sweep {corpus} best @{count}"), runs.subset(best), cut)


def lowest(runs: Runs) -> np.ndarray:
    """(n,) whether a row has the least loss of those at its N and C, which agree to a part in a thousand or better."""
    place = np.stack([np.round(50 * np.log(runs.train_flop)), np.round(1e3 * np.log(runs.params))])
    index = np.unique(place, axis=1, return_inverse=True)[1].ravel()
    least = np.full(index.max() + 1, np.inf)
    np.minimum.at(least, index, runs.loss)
    return runs.loss <= least[index] + 1e-12


def named() -> Iterator[Split]:
    """The four sets' usual splits, fitted to the cheap and small runs, on the dear or large ones."""
    table = read("chinchilla_epoch.csv").sort("loss").head(-5)
    cheap = (table["flops"] < 1e21).to_numpy()
    runs = columns(table)
    yield Split("chinchilla", "", "chinchilla 240, below 1e21 -> rest", runs.subset(cheap), runs.subset(~cheap))
    table = read("gadre_loss.csv").filter(pl.col("loss").is_not_null(), pl.col("val_data") == "c4_val")
    for corpus in ("c4_original", "rpj", "rw_original"):
        rows = table.filter(pl.col("train_data") == corpus)
        large = rows["arch"].is_in(["open_lm_1b", "open_lm_7b"]).to_numpy()
        runs = columns(rows)
        name = f"gadre {corpus}, up to 0.4B -> 1.4B, 6.9B"
        yield Split("gadre", "", name, runs.subset(~large), runs.subset(large))
    table = read("porian_isoflop.csv").filter(pl.col("param_count") == "standard", pl.col("decay") == "const")
    for corpus in ("rw", "owt2"):
        rows = table.filter(pl.col("dataset") == corpus)
        budget, params = rows["flops"].to_numpy(), rows["params"].cast(pl.Float64).to_numpy()
        runs = runs_of(params, budget / 6 / params, rows["loss"].to_numpy())
        trained = runs.tokens / runs.params >= 4
        last = float(budget.max())
        cheap, dear = trained & (budget <= last / 9), trained & (budget > last / 1.01)
        name = f"porian {corpus} tuned, D >= 4 N, up to {budget[cheap].max():.3g} -> {last:.3g}"
        yield Split("porian", "", name, runs.subset(cheap), runs.subset(dear))
    runs = columns(read("datablations_final.csv").filter(pl.col("epochs") <= 1.01))
    for cut in (1e20, 1e21):
        cheap = runs.train_flop <= cut
        yield Split(
            "datablations", "", f"datablations, one epoch, up to {cut:g} -> rest", *map(runs.subset, (cheap, ~cheap))
        )
