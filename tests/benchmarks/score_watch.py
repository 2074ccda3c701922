"""How many anomalies the watch finds, how soon, and what it reports on healthy runs.

    SCALEPLAN_DATA=... python tests/benchmarks/score_watch.py [ROWS_A_RUN]

Measured runs: ``lumi_blowups`` (8 diverge, 5 of 8 rows and more do not), ``k2_65b_curve`` and its labels,
``mamba3b_curve``, ``mpl_curves`` and ``datablations_curves``, healthy but where data is repeated often. Made ones: the
48 curves of ``datablations_curves`` read at ROWS_A_RUN steps with normal or t(5) noise of 1 to 2 % of the loss on each,
one spike of 20 steps of 0.1 to 0.6 nats in every 1500; and the shapes of ``shapes``.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np

from scaleplan.forecasting.events import Event
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.watch import Watcher, WatchSettings

SPACED, LASTS = 1500, 20


def runs(name: str) -> dict[str, list[dict[str, str]]]:
    """The rows of each run of a file."""
    found: dict[str, list[dict[str, str]]] = {}
    with (Path(os.environ["SCALEPLAN_DATA"]) / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row["run"], []).append(row)
    return found


def readings(rows: list[dict[str, str]]) -> Readings:
    """The columns of a run; steps are tokens where it has none."""

    def column(key: str) -> np.ndarray | None:
        return np.array([float(row[key] or "nan") for row in rows]) if key in rows[0] else None

    step, loss = column("step" if "step" in rows[0] else "tokens"), column("loss")
    assert step is not None
    assert loss is not None
    return Readings(step=step, loss=loss, lr=column("lr"), grad_norm=column("grad_norm"), tokens=column("tokens"))


def events(rows: Readings, settings: WatchSettings | None = None) -> list[Event]:
    """All events of a run."""
    watcher = Watcher(settings)
    watcher.feed(rows)
    return watcher.close()


def print_measured(name: str) -> None:
    """The events of every run of a file."""
    kinds: dict[str, int] = {}
    lines: list[str] = []
    each = runs(name)
    for run, rows in each.items():
        found = events(readings(rows))
        for event in found:
            kinds[event.kind] = kinds.get(event.kind, 0) + 1
        if found:
            lines.append(f"  {run[-45:]} ({len(rows)} rows): " + ", ".join(f"{e.kind}@{e.step:g}" for e in found))
    print(f"{name}: {len(each)} runs, {kinds}")
    print("\n".join(lines), end="\n" if lines else "")


def print_injected(rows: int) -> None:
    """Detection and false alarms on curves with noise and spikes."""
    curves = [readings(each) for each in runs("datablations_curves").values()]
    for noise in ("normal", "t(5)"):
        rng = np.random.default_rng(5)
        delays: list[float] = []
        false = clean_false = 0
        missed = total = 0
        others: dict[str, int] = {}
        for curve in curves:
            step = np.arange(rows, dtype=float)
            loss = np.interp(np.linspace(curve.step[3], curve.step[-1], rows), curve.step, curve.loss)
            drawn = rng.standard_normal(rows) if noise == "normal" else rng.standard_t(5, rows) / np.sqrt(5 / 3)
            noisy = loss * (1 + rng.uniform(0.01, 0.02) * drawn)
            for event in events(Readings(step=step, loss=noisy)):
                clean_false += event.kind in {"spike", "transient"}
                others[event.kind] = others.get(event.kind, 0) + 1
            starts = np.arange(SPACED, rows - 100, SPACED)
            starts += rng.integers(-200, 200, len(np.arange(SPACED, rows - 100, SPACED)))
            spiked = noisy.copy()
            for start in starts:
                spiked[start : start + LASTS] += rng.uniform(0.1, 0.6)
            seen = [(e.step, e.seen) for e in events(Readings(step=step, loss=spiked)) if e.kind == "spike"]
            used = set()
            for start in starts:
                hit = [(at, known) for at, known in seen if start <= known < start + LASTS]
                total += 1
                if hit:
                    delays.append(hit[0][1] - start)
                    used.update(hit)
                else:
                    missed += 1
            false += len(seen) - len(used)
        late = np.array(delays)
        steps = rows * len(curves) / 1e4
        print(
            f"injected, {noise}: {total} spikes, found {len(late) / total:.3f}, within 3 steps "
            f"{(late <= 3).sum() / total:.3f} (within the first 3: {(late <= 2).sum() / total:.3f}), mean delay "
            f"{late.mean():.2f}; false in 10,000 steps "
            f"{clean_false / steps:.3f} without spikes, {false / steps:.3f} with; all events without: {others}"
        )


def shapes(noise: float, gap: int) -> dict[str, tuple[Readings, str]]:
    """Made runs with t(5) noise, a row each ``gap`` steps, and what should be said of them."""
    rng = np.random.default_rng(gap)
    found: dict[str, tuple[Readings, str]] = {}
    step = np.arange(1, 40_001, gap, dtype=float)
    n = len(step)
    base = 2.3 + 8.5 * (1 + step / 30) ** -0.35

    def say(label: str, loss: np.ndarray, told: str, lr: np.ndarray | None = None, at: np.ndarray = step) -> None:
        noisy = loss * (1 + noise * rng.standard_t(5, len(loss)) / np.sqrt(5 / 3))
        found[f"{label}, noise {noise}, each {gap}"] = (Readings(step=at, loss=noisy, lr=lr), told)

    def then(loss: np.ndarray | float, at: float = 20_000) -> np.ndarray:
        return np.where(step < at, base, loss)

    warm = np.minimum(step / 1000, 1) * 3e-4
    bump = np.exp(-0.5 * ((step - 600) / 120) ** 2)
    say("healthy", base, "")
    say("healthy, cosine", base - 0.2 * (1 - np.cos(np.pi * step / 40_000)) / 2, "", warm)
    say("wsd", base - 0.25 * np.clip((step - 34_000) / 6000, 0, 1) ** 0.7, "")
    say("lr drop by 10", base - 0.15 * (1 - np.exp(-np.maximum(step - 20_000, 0) / 1000)), "")
    say("transient, lr known", base + 3 * bump, "transient", warm)
    say("transient, lr unknown", base + 2 * bump, "transient")
    say("plateau at ln V", np.full(n, 10.8), "plateau")
    say("plateau at 7.4", 7.4 + 3.4 * np.exp(-step / 60), "plateau")
    say("drift 2%/1000", base * (1 + 0.02 * np.maximum(step - 20_000, 0) / 1000), "divergence")
    say("blow-up to 7.5", then(7.5), "divergence")
    say("mixture +5%", then(base * 1.05), "spike")
    say("mixture -5%", then(base * 0.95), "")
    say("leak", then(base * 0.6), "low")
    say("spike 100 steps", base + np.where((step >= 20_000) & (step < 20_100), 3.0, 0), "spike")
    first, again = slice(0, n // 2), slice(n // 2 - n // 20, None)
    back = np.concatenate((step[first], step[again]))
    say("restart", np.concatenate((base[first], base[again])), "", None, back)
    say("blow-up, restart", np.concatenate((then(7.0, 18_900)[first], base[again])), "divergence", None, back)
    return found


def print_shapes() -> None:
    """What is said of the made runs; ``!``: not what was expected."""
    for noise in (0.015, 0.003):
        for gap in (1, 10, 100):
            for name, (rows, told) in shapes(noise, gap).items():
                found = events(rows)
                mark = "  " if {e.kind for e in found} == ({told} if told else set()) else "! "
                said = ", ".join(f"{e.kind}@{e.step:g} seen {e.seen:g} end {e.end}" for e in found[:6])
                print(f"{mark}{name}: expected {told or 'nothing'}; {len(found)}: {said}")


def main() -> None:
    """Print all of it."""
    for name in ("lumi_blowups", "k2_65b_curve", "mamba3b_curve", "mpl_curves", "datablations_curves"):
        print_measured(name)
    print_injected(int(sys.argv[1]) if len(sys.argv) > 1 else 31_000)
    print_shapes()


if __name__ == "__main__":
    main()
