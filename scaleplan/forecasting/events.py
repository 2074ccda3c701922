"""What the watch reports: an event of a run, with its step, its kind, its size and what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

EventKind = Literal[
    "nan", "spike", "grad_spike", "divergence", "plateau", "transient", "off_band", "low", "stall", "throughput"
]
"""``nan``: a loss or gradient that is no number. ``spike``, ``grad_spike``: far above its surroundings for some steps.
``divergence``: the loss rises and does not come back. ``plateau``: it does not fall where it should. ``transient``: a
rise during warm-up that recovers. ``off_band``: outside of what was forecast or planned. ``low``: lower than is
credible. ``stall``: the log or its values stand still. ``throughput``: steps take longer."""


class Event(NamedTuple):
    """Something that happened to a run.

    ``step``: where it began. ``seen``: the step at which it was known. ``end``: the step at which it was over, ``None``
    while it lasts. ``size`` in ``unit``: ``nats`` above the level before, ``rows``, ``share`` (0.3: 30 %), ``times``
    the level before, ``s`` without a new row, ``sd``. ``detail``: what was seen, ``advice``: what to do, a sentence
    each.
    """

    step: float
    kind: EventKind
    seen: float
    end: float | None
    size: float
    unit: str
    detail: str
    advice: str
