"""What a number counts. Types, so that two numbers under different conventions never meet unconverted.

Sources: Kaplan et al. 2020 (arXiv 2001.08361) sec. 1.3 and 2.1 for the non-embedding counts; Hoffmann et
al. 2022 (arXiv 2203.15556) sec. 3 for total parameters and C = 6ND.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class ParamCount(Enum):
    """Which parameters N counts."""

    TOTAL = "total"
    """Every parameter, embeddings included (Hoffmann et al. and their refits)."""
    NONEMBEDDING = "nonembedding"
    """Without vocabulary and position embeddings (Kaplan et al.)."""


class FlopConvention(Enum):
    """Which training FLOPs C counts: six a parameter and token, by either count of N."""

    SIX_ND = "6ND"
    SIX_ND_NONEMBEDDING = "6ND-nonembedding"

    @property
    def param_count(self) -> ParamCount:
        """The parameters this convention multiplies by 6D."""
        return ParamCount.TOTAL if self is FlopConvention.SIX_ND else ParamCount.NONEMBEDDING

    @property
    def text(self) -> str:
        """The convention in words."""
        if self is FlopConvention.SIX_ND:
            return "C = 6 N D, N with embeddings"
        return "C = 6 N D, N without embeddings"


class LossMeasure(NamedTuple):
    """What a loss is measured in. Two losses compare only when all of this agrees."""

    unit: str
    corpus: str
    tokenizer: str
    context: int | None = None
