"""Learning-rate schedules by name.

With u from 0 to 1 over the decay, peak P and floor F, the shapes are

    linear F + (P - F)(1 - u), cosine F + (P - F)(1 + cos pi u)/2, exponential P (F/P)^u, 1-sqrt F + (P - F)(1 - sqrt u)

after a warm-up that rises linearly from 0. ``cosine`` and ``linear`` decay from the end of the warm-up to the end of
the run (Loshchilov and Hutter 2016, arXiv 1608.03983, eq. 5, without restarts); ``wsd`` is constant and decays at the
end (Hu et al. 2024, arXiv 2404.06395; 1-sqrt: Hagele et al. 2024, arXiv 2405.18392); ``inverse-sqrt`` is
P sqrt(warm-up / step) (Vaswani et al. 2017, arXiv 1706.03762, eq. 3).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]
Shape = Literal["cosine", "wsd", "linear", "constant", "inverse-sqrt"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
Decay = Literal["linear", "cosine", "exponential", "1-sqrt"]
DECAYS: tuple[Decay, ...] = get_args(Decay)

DECAY_SHARE = 0.2
"""Of the run that ``wsd`` decays over: with about a fifth it is as good as cosine (Hagele et al. 2024); Hu et al. 2024
take a tenth."""
COSINE_FLOOR = 0.1
"""Of the peak: the tenfold decay of Hoffmann et al. 2022 (arXiv 2203.15556)."""
_KNOTS = 2048
"""Of a curved part: a cosine between them is off by at most pi^2 / (16 * 2048^2) = 1.5e-7 of its height."""
_SLACK = 1e-9
"""Our choice, of a step: what rounding may take from it."""


def named(
    shape: Shape,
    *,
    total_steps: float,
    peak: float,
    warm_up: float = 0.0,
    floor: float = 0.0,
    decay_share: float = DECAY_SHARE,
    decay: Decay = "linear",
) -> Schedule:
    """A schedule of a named shape.

    Args:
        shape: one of ``SHAPES``.
        total_steps: of the run.
        peak: the highest learning rate.
        warm_up: steps of the rise from 0.
        floor: the learning rate at the end; ``constant`` and ``inverse-sqrt`` have none.
        decay_share: of the run, at its end, that ``wsd`` decays over.
        decay: the shape of that decay, one of ``DECAYS``.

    Raises:
        UsageError: numbers out of range, an exponential decay to zero, an ``inverse-sqrt`` without warm-up.
    """
    _check(shape, total_steps, peak, warm_up, floor, decay_share, decay)
    start = {"wsd": max(total_steps * (1 - decay_share), warm_up), "constant": total_steps}.get(shape, warm_up)
    knots: dict[float, float] = {0.0: 0.0, warm_up: peak} if warm_up > 0 else {0.0: peak}
    if shape == "inverse-sqrt":
        at = np.geomspace(warm_up, total_steps, _KNOTS + 1)
        knots |= dict(zip(at[1:].tolist(), (peak * np.sqrt(warm_up / at[1:])).tolist(), strict=True))
    else:
        knots[start] = peak
    if start < total_steps and shape != "inverse-sqrt":
        u, height = _decay(decay if shape == "wsd" else "cosine" if shape == "cosine" else "linear", floor / peak)
        at = start + (total_steps - start) * u[1:]
        knots |= dict(zip(at.tolist(), (peak * height[1:]).tolist(), strict=True))
    step = np.array(list(knots))
    step[-1] = total_steps
    text = _said(shape, total_steps, peak, warm_up, floor, decay_share, decay)
    return Schedule(step=step, lr=np.array(list(knots.values())), name=shape, text=text)


def _decay(shape: Decay, low: float) -> tuple[Floats, Floats]:
    """Shares of a decay and its heights over the peak there, from 1 to ``low``."""
    u = np.linspace(0.0, 1.0, _KNOTS + 1)
    if shape == "linear":
        return np.array([0.0, 1.0]), np.array([1.0, low])
    if shape == "cosine":
        return u, low + (1 - low) * (1 + np.cos(np.pi * u)) / 2
    if shape == "exponential":
        return u, low**u
    u = u**4  # the root is vertical at its start: close knots there keep it as near as the others
    return u, low + (1 - low) * (1 - np.sqrt(u))


def _check(
    shape: str, total_steps: float, peak: float, warm_up: float, floor: float, decay_share: float, decay: str
) -> None:
    what = f"schedule {shape}"
    if shape not in SHAPES or decay not in DECAYS:
        raise UsageError(f"{what}: shapes are {', '.join(SHAPES)}, decays {', '.join(DECAYS)} (got {decay})")
    if not 1 <= total_steps < math.inf:
        raise UsageError(f"{what}: total steps must be at least 1 (got {total_steps:g})")
    if not 0 < peak < math.inf:
        raise UsageError(f"{what}: the peak must be above 0 (got {peak:g})")
    if not 0 <= warm_up < total_steps:
        raise UsageError(f"{what}: the warm-up of {warm_up:g} steps must end before step {total_steps:g}")
    if not 0 <= floor <= peak:
        raise UsageError(f"{what}: the floor must be from 0 to the peak of {peak:g} (got {floor:g})")
    if not 0 < decay_share <= 1:
        raise UsageError(f"{what}: the decay takes a share of the run above 0 and up to 1 (got {decay_share:g})")
    if shape == "wsd" and total_steps * (1 - decay_share) < warm_up * (1 - _SLACK):
        raise UsageError(f"{what}: a decay over {decay_share:.4g} of the run begins before its warm-up ends")
    if shape == "wsd" and decay == "exponential" and floor == 0:
        raise UsageError(f"{what}: an exponential decay never reaches 0; give its floor, such as 10%")
    if shape == "inverse-sqrt" and warm_up <= 0:
        raise UsageError(f"{what}: falls from the end of its warm-up; give one")


def _said(
    shape: Shape, total_steps: float, peak: float, warm_up: float, floor: float, decay_share: float, decay: Decay
) -> str:
    text = f"{shape} at {peak:.4g}" if shape == "constant" else f"{shape} from {peak:.4g}"
    if shape not in ("constant", "inverse-sqrt"):
        text += f" to {floor:.4g}"
    text += f" over {total_steps:,.0f} steps, warm-up {warm_up:,.0f}"
    return f"{text}, {decay} decay over the last {decay_share:.4g}" if shape == "wsd" else text
