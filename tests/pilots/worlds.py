"""What the tests of pilot designs share: laws that may be true, a rule of batches, what is asked."""

from __future__ import annotations

from functools import cache

import numpy as np

from scaleplan.pilots.ask import Ask
from scaleplan.pilots.candidates import Kind
from scaleplan.pilots.certainty import Points, Target
from scaleplan.pilots.plausible import Plausible, published
from scaleplan.specs.laws import load_law

NAMES = ("besiroglu-2024", "gadre-2024", "hoffmann-2022-a3", "ludziejewski-2025", "muennighoff-2023")
TARGET = 1e24


@cache
def laws():
    return tuple(load_law(name) for name in NAMES)


@cache
def plausible(n=10, seed=0):
    return published(laws(), n, seed)


def rule(bare, tokens):
    """Step Law's learning rate and batch (Li et al. 2025, arXiv 2503.04715, eq. 1)."""
    return 1.79 * bare**-0.713 * tokens**0.307, 0.58 * tokens**0.571


def kind(vocabulary=32_000, context=2048, **more):
    return Kind(vocabulary, context, rule, **more)


def ask(share=0.01, target=TARGET, vocabulary=32_000, **more):
    return Ask(more.pop("laws", plausible()), Target(target), kind(vocabulary), share * target, **more)


def points(params, tokens):
    params, tokens = np.asarray(params, dtype=float), np.asarray(tokens, dtype=float)
    return Points(params, tokens, 6 * params * tokens)


def grid(rows=6, columns=6, low=1e8, high=1e10, spread=64.0):
    """Best sizes from ``low`` to ``high`` at 20 tokens a parameter, each budget with sizes ``spread`` apart in all."""
    best = np.repeat(np.geomspace(low, high, rows), columns)
    size = np.tile(np.geomspace(spread**-0.5, spread**0.5, columns), rows)
    return points(best * size, 20 * best / size)


def single(law):
    """A law that is sure."""
    columns = [np.array([[value]]) for value in law]
    return Plausible(type(law)(*columns), ("one",))
