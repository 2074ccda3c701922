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
    """Which training FLOPs C counts."""

    SIX_ND = "6ND"
    """Six a parameter and token, embeddings counted."""
    SIX_ND_NONEMBEDDING = "6ND-nonembedding"
    """Six a parameter and token, without embeddings (Kaplan et al., eq. 2.2)."""
    C_MIN = "C_min"
    """Kaplan's C_min, half of that: training at the critical batch costs C = 2 C_min (eq. 5.5)."""

    @property
    def param_count(self) -> ParamCount:
        """The parameters this convention multiplies by tokens."""
        return ParamCount.TOTAL if self is FlopConvention.SIX_ND else ParamCount.NONEMBEDDING

    @property
    def per_param_token(self) -> float:
        """FLOPs counted for each parameter and token trained on, at the critical batch."""
        return 3.0 if self is FlopConvention.C_MIN else 6.0

    @property
    def text(self) -> str:
        """The convention in words."""
        if self is FlopConvention.SIX_ND:
            return "C = 6 N D, N with embeddings"
        if self is FlopConvention.SIX_ND_NONEMBEDDING:
            return "C = 6 N D, N without embeddings"
        return "C_min = C / 2, C = 6 N D at the critical batch, N without embeddings"


class LossMeasure(NamedTuple):
    """What a loss is measured in. Two losses compare only when all of this agrees."""

    unit: str
    corpus: str
    tokenizer: str
    context: int | None = None
