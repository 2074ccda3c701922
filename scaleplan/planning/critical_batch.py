"""The critical batch: beyond it, more data in a step saves few steps and costs tokens.

    B_crit(D) = k D^p  [tokens],   k = 20.4,   p = 0.463

Zhang et al. 2024 (arXiv 2410.21676) call critical the batch that takes 1.2 times the steps of a batch of 256 sequences
times 256 over it, and find that it grows with the training tokens and hardly with the parameters: their exponent is
0.46 to 0.47 (``zhang-cbs-2024``). The prefactor is ours, from the steps to one loss that they publish (repository
hlzhang109/critical-batch-size, plots/chinchilla.ipynb): for each of five sizes steps = a + b / B by least squares of
the logarithm over nine batches of 64 to 16,384 sequences of 512 tokens, B_crit where that is 1.2 times (a + b / 256)
256 / B, and a line through ln B_crit over ln D. It meets the five, 754 to 2,535 sequences, within 3 %.

A batch at or below the critical one then bounds the tokens from below, D >= (B / k)^(1 / p), whatever the size.

Kaplan et al. 2020 (arXiv 2001.08361, eq. 1.4) have B_crit by the loss instead, which under their law depends on size
more than on data; ``scaleplan hyper`` shows theirs beside the others. Zhang et al. raised each while they kept the
other fixed, so that theirs decides here.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan import units
from scaleplan.errors import Notice
from scaleplan.ops import Real, extremes, power

_ROUNDING = 1e-9
"""Our choice: what powers and logarithms of a batch at its bound leave, and more of an excess is meant."""


class CriticalBatch(NamedTuple):
    """B_crit(D) = k D^p: ``k`` [tokens^(1-p)], ``p`` [1], and the (low, high) training tokens that it was fitted on."""

    k: float
    p: float
    fitted: tuple[float, float]

    equation = "B_crit(D) = k D^p"

    def batch(self, tokens: Real) -> Real:
        """B_crit [tokens] of a run of D training tokens."""
        return self.k * power(tokens, self.p)

    def least_tokens(self, batch_tokens: Real) -> Real:
        """The least training tokens for which a batch [tokens] is at most the critical one."""
        return power(batch_tokens / self.k, 1 / self.p)

    def excess(self, tokens: Real, batch_tokens: Real) -> Real:
        """A batch over the critical one of a run; above 1 where it is larger."""
        return batch_tokens / self.batch(tokens)


MEASURED = CriticalBatch(k=20.4, p=0.463, fitted=(1.74e9, 2.46e10))
"""From the published steps of Zhang et al. 2024, as above; models of 85M to 1.2B on C4, 20 tokens a parameter."""


def notices(tokens: Real, batch_tokens: Real, rule: CriticalBatch = MEASURED) -> list[Notice]:
    """What is to be said of a run's batch: that it is above the critical one, or that the rule is extrapolated.

    Args:
        tokens: of training.
        batch_tokens: of a step.
        rule: what is critical.
    """
    found: list[Notice] = []
    most = extremes(rule.excess(tokens, batch_tokens))[1]
    if most > 1 + _ROUNDING:
        text = (
            f"the batch is {most:.3g} times the critical one, {_range(rule.batch(tokens))} tokens: more steps of a "
            f"smaller one would need fewer tokens; from {_range(rule.least_tokens(batch_tokens))} training tokens on "
            "it is not."
        )
        found.append(Notice("large_batch", text))
    low, high = extremes(tokens)
    if high > rule.fitted[1] * (1 + _ROUNDING) or low < rule.fitted[0] * (1 - _ROUNDING):
        ends = " to ".join(units.count(end) for end in rule.fitted)
        text = f"the critical batch was measured on runs of {ends} tokens (Zhang et al. 2024): elsewhere it is a guess."
        found.append(Notice("extrapolation", text))
    return found


def _range(x: Real) -> str:
    low, high = extremes(x)
    return units.count(low) if low == high else f"{units.count(low)} to {units.count(high)}"
