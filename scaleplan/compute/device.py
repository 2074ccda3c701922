"""The hardware numbers that time and memory depend on: one accelerator at one precision, in one kind of cluster."""

from __future__ import annotations

from typing import NamedTuple


class Device(NamedTuple):
    """One accelerator.

    ``peak`` [FLOP/s] dense at ``precision``; ``memory`` [bytes] and its ``memory_bandwidth`` [B/s]; ``link`` [B/s, one
    way] to each of the ``domain`` devices of its node or rack; ``network`` [B/s, one way, its share] beyond them.
    """

    id: str
    precision: str
    peak: float
    memory: float
    memory_bandwidth: float
    link: float
    network: float
    domain: int


class Calibration(NamedTuple):
    """What was fitted to measured steps, and with which software.

    ``efficiency`` is the share of the peak that large matrix products reach, ``traffic`` what memory-bound work takes
    over its bytes at full bandwidth: these two belong to an accelerator at a precision. ``link_share`` is the share of
    the links' bandwidth that collectives reach: it belongs to a type of cluster.
    """

    efficiency: float
    traffic: float
    link_share: float
    release: str
    source: str
    time_factor: float = 1.0
    """Measured over estimated time of a step on a user's own cluster and software."""
    error: float = 0.3
    """Nine in ten steps of dense models take between 1 / (1 + error) and 1 + error times the estimate. It is
    exp(b) - 1, b the 90th percentile of |ln(estimated / measured)|."""
    expert_range: tuple[float, float] = (0.73, 1.82)
    """Mixtures of experts take between these multiples of the estimate: the printed range, a factor of 2.5 wide."""
