"""What training in few bits does to the loss, where the law knows.

A law of precision (Kumar et al. 2024, arXiv 2411.04330) is held at the bits of weights, activations and key-value
cache; training in 8 or 4 bits sets the first two. The cache stays at what the law is held at: published recipes of
training in 8 bits keep attention in 16 (DeepSeek-AI 2024, arXiv 2412.19437, sec. 3.3.1). Other laws give the same loss
at any precision, and it is said that only speed, memory and money change.
"""

from __future__ import annotations

from collections.abc import Sequence

from scaleplan.errors import Notice, UsageError, nearest, quoted
from scaleplan.laws.law import Law

BITS = {"fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "fp4": 4}
"""Of a value in training, by the name of the precision; tf32 stores 32."""
FULL = 16
"""Our choice: laws were fitted on runs in 16 bits, and no run shows a loss from 16 instead of 32."""
_NARROWED = ("weights", "activations")


def law_at_precision(law: Law, precision: str) -> tuple[Law, tuple[Notice, ...]]:
    """A law at the bits of a training precision, and what is to be said where it knows nothing of them.

    Args:
        law: any.
        precision: such as ``fp8``; 16 bits and more count alike.

    Raises:
        UsageError: an unknown precision, or bits at which the law leaves no parameters that count.
    """
    if precision not in BITS:
        raise UsageError(
            f"unknown precision {quoted(precision)}.{nearest(precision, BITS)} There are {', '.join(BITS)}"
        )
    bits = min(BITS[precision], FULL)
    taken = {name: float(bits) for name in _NARROWED if name in law.held}
    if taken:
        return law.at(**taken), ()
    if bits >= FULL:
        return law, ()
    text = (
        f"{law.id} says nothing of {precision}: the loss is taken as that of training in {FULL} bits; speed, memory "
        "and money are those of the precision."
    )
    return law, (Notice("precision", text),)


def laws_at_precision(laws: Sequence[Law], precision: str) -> tuple[list[Law], tuple[Notice, ...]]:
    """Several laws at a training precision, and what is to be said of the first of them.

    Raises:
        UsageError: as for ``law_at_precision``.
    """
    found = [law_at_precision(law, precision) for law in laws]
    return [law for law, _ in found], found[0][1]
