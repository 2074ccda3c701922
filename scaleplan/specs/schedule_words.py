"""The words that say what a named schedule is: warm-up, peak, floor and decay, as people write them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scaleplan import units
from scaleplan.errors import UsageError, brief, nearest, quoted
from scaleplan.forecasting.schedule_shapes import DECAYS, SHAPES, Decay, Shape

Given = str | float | None
"""A number as somebody wrote it; ``None`` where nobody did."""
TAKES: dict[Shape, tuple[str, ...]] = {
    "cosine": ("warm_up", "peak", "floor"),
    "linear": ("warm_up", "peak", "floor"),
    "wsd": ("warm_up", "peak", "floor", "decay", "decay_share"),
    "constant": ("warm_up", "peak"),
    "inverse-sqrt": ("warm_up", "peak"),
}


class Words(NamedTuple):
    """What was given beside the schedule.

    ``warm_up`` in steps or as a share of the run, ``peak`` a learning rate, ``floor`` a learning rate or a share of the
    peak (``10%``), ``decay`` one of ``DECAYS``, ``decay_share`` of the run.
    """

    warm_up: Given = None
    peak: Given = None
    floor: Given = None
    decay: str | None = None
    decay_share: Given = None


def refuse(name: str, words: Words, takes: tuple[str, ...]) -> None:
    """Refuse numbers that mean nothing for a schedule.

    Raises:
        UsageError: the first of them.
    """
    for field, value in words._asdict().items():
        if value is None or field in takes:
            continue
        flag = f"--{field.replace('_', '-')}"
        fitting = ", ".join(shape for shape in SHAPES if field in TAKES[shape])
        means = f"it goes with {fitting}" + ("" if name in SHAPES else ", and rows say it themselves")
        raise UsageError(f"{flag} {brief(str(value))}: does not apply to --schedule {name}; {means}")


def decay_named(given: str | None) -> Decay | None:
    """The decay of that name.

    Raises:
        UsageError: no such decay.
    """
    if given is None:
        return None
    for each in DECAYS:
        if given.strip().lower() == each:
            return each
    raise UsageError(f"--decay {quoted(given)}: no such decay.{nearest(given, DECAYS)} There are {', '.join(DECAYS)}")


def steps(flag: str, given: Given, total_steps: float | None) -> float | None:
    """Steps, or a share of the run: ``1%`` and anything below 1.

    Raises:
        UsageError: neither, or a share of a run whose steps are not known.
    """
    if given is None:
        return None
    wrong = UsageError(
        f"{flag}: must be steps such as 2000, or a share of the run such as 1% (got {quoted(str(given))})"
    )
    try:
        if isinstance(given, str) and given.strip().endswith("%"):
            value = units.share(given)
        else:
            value = float(given) if _is_number(given) else units.parse(given, "tokens")
    except UsageError:
        raise wrong from None
    if not 0 <= value < math.inf:
        raise wrong
    if 0 < value < 1 and total_steps is None:
        raise UsageError(f"{flag} {given}: a share of the run needs --total-steps")
    return value * (total_steps or 1.0) if value < 1 else value


def share(flag: str, given: Given) -> float | None:
    """A share, the whole among them.

    Raises:
        UsageError: no share.
    """
    try:
        return None if given is None else 1.0 if str(given).strip() in ("1", "1.0", "100%") else units.share(given)
    except UsageError as error:
        raise UsageError(f"{flag}: {error.message}") from None


def rate(flag: str, given: str | float, least: float | None = None) -> float:
    """A learning rate above zero, or the least that may be.

    Raises:
        UsageError: not such a number.
    """
    value = float(given) if _is_number(given) else math.nan
    if not (0 < value < math.inf or value == least):
        raise UsageError(f"{flag}: must be a learning rate above 0, such as 3e-4 (got {quoted(str(given))})")
    return value


def _is_number(given: Any) -> bool:
    try:
        float(given)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
