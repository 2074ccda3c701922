"""The runs that a law is fitted to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.conventions import FlopConvention, ParamCount

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Measured losses, one a row; every array has the shape (n,).

    ``params`` as ``counts_params`` says, ``tokens`` trained on, ``loss`` [nats/token], ``weight`` [1] how much a row
    counts, ``run`` the index of the training run that a row belongs to (checkpoints of one run share it),
    ``row`` its number in the source, the first row being 1. ``flop`` is what the table records, where it does;
    ``train_flop`` is always 6 N D. ``unique_tokens`` are the different ones among ``tokens``, where they are known.
    """

    params: Floats
    tokens: Floats
    loss: Floats
    weight: Floats
    run: Indices
    row: Indices
    counts_params: ParamCount = ParamCount.TOTAL
    flop: Floats | None = None
    unique_tokens: Floats | None = None
    names: tuple[str, ...] | None = None
    """Of the training runs, by their index; ``None`` where every row is a run of its own."""
    source: str = "runs"
    """What messages call the table: ``runs.csv``."""
    row_word: str = "row"
    """What ``row`` counts: rows, or the lines of a text file."""
    corpus: str | None = None
    tokenizer: str | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def train_flop(self) -> Floats:
        """C = 6 N D of each row, N as the table counts it."""
        return 6 * self.params * self.tokens

    @property
    def flop_convention(self) -> FlopConvention:
        """What ``train_flop`` counts."""
        return FlopConvention.SIX_ND if self.counts_params is ParamCount.TOTAL else FlopConvention.SIX_ND_NONEMBEDDING

    @property
    def count(self) -> int:
        """How many training runs there are."""
        return int(self.run.max()) + 1 if len(self) else 0

    @property
    def clustered(self) -> bool:
        """Whether some run has more than one row."""
        return self.count < len(self)

    def where(self, row: int) -> str:
        """``runs.csv, line 7``: the name of a row for messages."""
        return f"{self.source}, {self.row_word} {int(self.row[row])}"

    def subset(self, keep: NDArray[np.bool_] | Indices) -> Runs:
        """Some of the rows, their runs numbered anew in the order of their old numbers."""
        kept, run = np.unique(self.run[keep], return_inverse=True)
        return replace(
            self,
            params=self.params[keep],
            tokens=self.tokens[keep],
            loss=self.loss[keep],
            weight=self.weight[keep],
            run=run.astype(np.int64),
            row=self.row[keep],
            flop=None if self.flop is None else self.flop[keep],
            unique_tokens=None if self.unique_tokens is None else self.unique_tokens[keep],
            names=None if self.names is None else tuple(self.names[int(i)] for i in kept),
        )

    def evenly(self, most: int) -> Runs:
        """All rows, or an even choice of ``most`` along compute; rows of equal compute go by their other numbers."""
        if len(self) <= most:
            return self
        order = np.lexsort((self.loss, self.tokens, self.params, self.train_flop))
        return self.subset(order[np.linspace(0, len(order) - 1, most).astype(np.int64)])

    def digest(self) -> str:
        """SHA-256 of the numbers fitted to, in their order: little-endian doubles, one column after the other."""
        total = hashlib.sha256()
        for column in (self.params, self.tokens, self.loss, self.weight, self.run, self.unique_tokens):
            if column is not None:
                total.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
        return total.hexdigest()


def relative(weight: Floats) -> Floats:
    """Weights of mean one: what they are in is nobody's business, and priors must not depend on it."""
    return weight / weight.mean()


def runs_of(
    params: Floats,
    tokens: Floats,
    loss: Floats,
    *,
    weight: Floats | None = None,
    run: Indices | None = None,
    unique_tokens: Floats | None = None,
    source: str = "runs",
) -> Runs:
    """Runs from arrays that are known to be sound; every row is a run of its own unless ``run`` says otherwise."""
    n = len(loss)
    given = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
    return Runs(
        params=np.asarray(params, dtype=float),
        tokens=np.asarray(tokens, dtype=float),
        loss=np.asarray(loss, dtype=float),
        weight=relative(given),
        run=np.arange(n) if run is None else np.asarray(run, dtype=np.int64),
        row=np.arange(1, n + 1),
        unique_tokens=None if unique_tokens is None else np.asarray(unique_tokens, dtype=float),
        source=source,
    )
