"""A real training run, small enough for a test: a language model of characters in numpy that writes a log as it goes.

Bengio et al. 2003 (JMLR 3, equation 1) without the direct connections: embeddings of the characters before, one hidden
layer of tanh, a softmax over the next character; plain stochastic gradient descent. It learns the text of a module of
Python's library.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

CONTEXT, EMBEDDING, HIDDEN, BATCH = 4, 8, 32, 64


class Step(NamedTuple):
    """What a step of training has to say."""

    step: int
    loss: float
    grad_norm: float
    lr: float


def train(steps: int, lr: Callable[[int], float], seed: int = 0) -> Iterator[Step]:
    """Train, and say of every step how it went; ``lr`` is asked for the learning rate of each."""
    rng = np.random.default_rng(seed)
    characters, text = np.unique(list(Path(argparse.__file__).read_text(encoding="utf-8")), return_inverse=True)
    vocabulary = len(characters)
    weights = [
        rng.normal(0, 0.1, (vocabulary, EMBEDDING)),
        rng.normal(0, (CONTEXT * EMBEDDING) ** -0.5, (CONTEXT * EMBEDDING, HIDDEN)),
        np.zeros(HIDDEN),
        rng.normal(0, HIDDEN**-0.5, (HIDDEN, vocabulary)),
        np.zeros(vocabulary),
    ]
    for step in range(1, steps + 1):
        at = rng.integers(CONTEXT, len(text), BATCH)
        loss, gradients = _pass(weights, text[at[:, None] - np.arange(CONTEXT, 0, -1)], text[at])
        norm = float(np.sqrt(sum(float((each**2).sum()) for each in gradients)))
        rate = lr(step)
        for weight, gradient in zip(weights, gradients, strict=True):
            np.subtract(weight, rate * gradient, out=weight)
        yield Step(step, loss, norm, rate)


def _pass(weights, before, after):
    """The mean loss [nats a character] of a batch, and its gradients."""
    table, into, into_bias, out, out_bias = weights
    embedded = table[before].reshape(BATCH, -1)
    hidden = np.tanh(embedded @ into + into_bias)
    scores = hidden @ out + out_bias
    scores -= scores.max(axis=1, keepdims=True)
    odds = np.exp(scores)
    chances = odds / odds.sum(axis=1, keepdims=True)
    rows = np.arange(BATCH)
    loss = float(np.mean(np.log(odds.sum(axis=1)) - scores[rows, after]))
    chances[rows, after] -= 1
    wrong = chances / BATCH
    back = (wrong @ out.T) * (1 - hidden**2)
    table_gradient = np.zeros_like(table)
    np.add.at(table_gradient, before, (back @ into.T).reshape(BATCH, CONTEXT, EMBEDDING))
    return loss, (table_gradient, embedded.T @ back, back.sum(axis=0), hidden.T @ wrong, wrong.sum(axis=0))


def write_log(path: Path, steps: Iterator[Step], *, pause: float = 0.0) -> None:
    """Write a log of CSV line by line, as training does, with a pause [s] after each."""
    with path.open("w", encoding="utf-8") as file:
        print("step,loss,grad_norm,lr,time", file=file, flush=True)
        for each in steps:
            values = f"{each.step},{each.loss:.6f},{each.grad_norm:.5f},{each.lr:.4g},{time.time():.3f}"
            print(values, file=file, flush=True)
            if pause:
                time.sleep(pause)
