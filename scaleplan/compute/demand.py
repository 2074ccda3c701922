"""What is asked of a model over its life: tokens, in requests of some length, over some time, in money of today.

A request of s_in tokens of prompt and s_out of answer takes, beside 2 FLOPs a token and parameter, those of causal
attention in L layers of width d:

    prompt: 2 L d s_in^2        answer: 4 L d s_out (s_in + s_out / 2)

L, d and the keys and values of a token are those of the typical shape of as many parameters as a token passes
(``family``): a mixture of experts has about the attention of a dense model of that size. Checked on DeepSeek-V3, whose
37B of 671B give 60 layers of 6,990, where it has 61 of 7,168 (Liu et al. 2024, arXiv 2412.19437, sec. 4.2).

Money paid evenly over X years, discounted continuously at r = ln(1 + discount), is worth the share (1 - e^(-rX)) / (rX)
of its sum today: the integral of e^(-rx) over [0, X], over X.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.family import generic_shape
from scaleplan.ops import Real, exp, log, where

DAYS_PER_YEAR = 365.0


class Request(NamedTuple):
    """What one request takes of models of some sizes.

    ``prompt`` and ``answer`` [tokens], FLOPs of each one's attention, keys and values ``cached`` of a token.
    """

    prompt: float
    answer: float
    prompt_attention: Real
    answer_attention: Real
    cached: Real

    @property
    def tokens(self) -> float:
        """Of prompt and answer, as many as the cache holds in the end."""
        return self.prompt + self.answer

    @property
    def context(self) -> float:
        """Tokens in the cache while the answer is written, on average."""
        return self.prompt + self.answer / 2


class Demand(NamedTuple):
    """What is asked of a model over its life.

    ``tokens`` of prompts and answers together; ``prompt`` and ``answer`` [tokens] of a request, both or neither;
    ``days`` over which they come evenly; ``discount`` of money, a share a year.
    """

    tokens: Real
    prompt: float | None = None
    answer: float | None = None
    days: float = DAYS_PER_YEAR
    discount: Real = 0.0

    @property
    def present_share(self) -> Real:
        """What a sum paid evenly over the days is worth today, as a share of it: 1 without a discount."""
        rate_years = log(1 + self.discount) * (self.days / DAYS_PER_YEAR)
        left = exp(-rate_years)
        # Dividing by the logarithm of the rounded e^-x rather than by x keeps small x exact (Higham, Accuracy and
        # Stability of Numerical Algorithms, sec. 1.14.1).
        divisor = where(rate_years > 1, rate_years, -log(left))
        some = divisor > 0
        return where(some, (1 - left) / where(some, divisor, 1.0), 1.0)

    def request(self, active_params: Real) -> Request | None:
        """What one request takes of models of which a token passes so many parameters; ``None`` without its lengths."""
        if self.prompt is None or self.answer is None:
            return None
        shape = generic_shape(active_params)
        size = shape.layers * shape.width
        return Request(
            prompt=self.prompt,
            answer=self.answer,
            prompt_attention=2 * size * (self.prompt * self.prompt),
            answer_attention=4 * size * self.answer * (self.prompt + self.answer / 2),
            cached=2 * shape.layers * shape.kv_heads * shape.head_size,
        )
