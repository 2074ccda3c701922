"""Pilot runs where the misfit of neighbours is alike: what designs on a fine lattice lose by; for ``score_pilots.py``.

The misfit is a field over (ln N, ln D) of the standard deviations that the noise model says, with correlation
exp(-d^2 / 2 l^2) at distance d. The fit still takes it as independent, so that an estimate W y has the variance
W K W', K the true covariance; l = 0 is what designs are made for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import scaleplan.pilots.candidates as lattice
from scaleplan.pilots.ask import Ask
from scaleplan.pilots.certainty import Points, distinct, gradients, information, target_gradients
from scaleplan.pilots.choice import choose
from scaleplan.pilots.plausible import Plausible
from scaleplan.pilots.scoring import templates_for

LENGTHS = (0.0, 0.2, 0.35, 0.7, 1.5)
SIDES = (10, 13, 16, 24)
"""Of lattices tried."""


def print_alike(title: str, ask: Ask, laws: Plausible, sets: dict[str, Points]) -> None:
    """Standard errors by the reach of likeness, of designs on several lattices and of templates."""
    print(f"### {title}\n\nln L [%], ln N* where misfit is alike within l in ln N and ln D\n")
    print("| runs | " + " | ".join(f"l = {length:g}" for length in LENGTHS) + " |")
    print("|---" * (len(LENGTHS) + 1) + "|")
    every = {f"lattice of {side} by {side}": designed(ask, side) for side in SIDES}
    for name, points in (every | {name: each for name, each in sets.items() if name != "designed"}).items():
        cells = [errors(ask, laws, points, length) for length in LENGTHS]
        print(
            f"| {name} | " + " | ".join(f"{100 * loss:.3g}, {params:.3g}" for loss, params in cells) + " |", flush=True
        )
    print()


def designed(ask: Ask, side: int) -> Points:
    """The design chosen from a lattice of so many sizes and ratios."""
    own = lattice.STEPS, lattice.LARGEST_STEP
    lattice.STEPS, lattice.LARGEST_STEP = side, math.inf
    try:
        found = lattice.candidates(ask.kind, ask.reach)
        return choose(ask, found, templates_for(ask, float(found.points.params.min()))).points
    finally:
        lattice.STEPS, lattice.LARGEST_STEP = own


def errors(ask: Ask, laws: Plausible, points: Points, length: float) -> tuple[float, float]:
    """Standard errors of ln L and ln N*, geometric means over laws."""
    different, seeds = distinct(points)
    variance = ask.noise.variance(different, ask.target.train_flop, seeds)
    misfit = np.sqrt(ask.noise.variance(different, ask.target.train_flop, np.inf))
    gradient, goals = gradients(laws, different), target_gradients(laws, ask.target)
    scale = 1 / np.sqrt(np.sum(gradient**2 / variance[:, None], axis=1))
    rows = gradient * scale[:, None, :]
    inverse: Any = np.linalg.inv(information(rows, 1 / variance))
    weights = (goals * scale[:, None, :]) @ inverse @ (rows / variance[:, None]).transpose(0, 2, 1)
    place = np.stack([np.log(different.params), np.log(different.tokens)])
    apart = np.sum((place[:, :, None] - place[:, None, :]) ** 2, axis=0)
    alike = np.eye(len(different)) if length == 0 else np.exp(-apart / 2 / length**2)
    true = np.outer(misfit, misfit) * alike + np.diag(ask.noise.seed**2 / seeds)
    found = np.einsum("lgi,ij,lgj->lg", weights, true, weights)
    loss, params = np.exp(np.mean(np.log(found), axis=0)) ** 0.5
    return float(loss), float(params)
