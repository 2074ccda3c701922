"""Seconds of collectives on a cluster of nodes with fast links inside and a network between.

A ring over n ranks moves (n - 1) / n of the bytes past every rank at the bandwidth w of its slowest hop:

    gather, or reduce and scatter:   (n - 1) / n * bytes / w + n - 1 hops;   all-reduce: twice that

(Thakur, Rabenseifner & Gropp 2005). Groups of ``ranks`` that stand ``stride`` apart cover ranks x stride accelerators,
one after the other. Where that divides the ``domain`` of a node, groups lie within nodes. Elsewhere some group covers
only gcd(ranks x stride, domain) accelerators of a node, with a rank and a network port every ``stride`` of them, and
everybody waits for it. Latencies are those of NCCL's own tuning model for rings with its Simple protocol
(github.com/NVIDIA/nccl, src/graph/tuning.cc).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

from scaleplan.compute.device import Calibration, Device
from scaleplan.ops import Real, is_array, where

_START = 8.4e-6
_LINK_HOP = 3.4e-6
_NETWORK_HOP = 14e-6
"""[s] to start, and for a hop inside a node and between nodes: baseLat and hwLat of tuning.cc."""


class Cluster(NamedTuple):
    """What collectives reach of the links and of an accelerator's share of the network [B/s], and links' domain."""

    link: float
    network: float
    domain: Real


def cluster(device: Device, calibration: Calibration, accelerators: Real) -> Cluster:
    """The bandwidths that a calibration leaves, and how many of so many accelerators lie together.

    They fill the nodes or racks that they divide into. Of others a job takes a power of two, 64 of a rack's 72: our
    choice, since published runs on such racks are of 64 and 256 (NVIDIA-NeMo/Megatron-Bridge, performance summary).
    """
    share, domain = calibration.link_share, device.domain
    even = where(accelerators % domain == 0, domain, 2 ** (domain.bit_length() - 1))
    together = where(accelerators <= domain, accelerators, even)
    return Cluster(device.link * share, device.network * share, together)


def larger(x: Real, y: Real) -> Real:
    """The larger of two."""
    return where(x > y, x, y)


def gather(bytes_: Real, ranks: Real, stride: Real, on: Cluster) -> Real:
    """Seconds of an all-gather of ``bytes_`` in all, or of their reduction and scattering, over a ring."""
    near = _near(ranks, stride, on)
    ports = near * on.network
    within = near >= ranks
    bandwidth = where(within | (ports > on.link), on.link, ports)
    hop = where(within, _LINK_HOP, _LINK_HOP + (_NETWORK_HOP - _LINK_HOP) / near)
    return where(ranks > 1, (ranks - 1) * (bytes_ / (ranks * bandwidth) + hop) + _START, 0.0)


def exchange(bytes_: Real, copies: Real, ranks: Real, stride: Real, on: Cluster) -> Real:
    """Seconds of an all-to-all in which every rank has rows of ``bytes_`` in all, each for ``copies`` random ranks.

    A row crosses the network once for each other node that wants it, (1 - (1 - 1/n)^copies) of n - 1 nodes, and the
    links once for each rank (DeepSeek-AI 2024, arXiv 2412.19437, sec. 3.2.2); one after the other is our choice, up to
    twice the least possible.
    """
    near = _near(ranks, stride, on)
    nodes = ranks / near
    reached = (nodes - 1) * (1 - (1 - 1 / nodes) ** copies)
    seconds = bytes_ * (copies * (1 - 1 / ranks) / on.link + reached / on.network)
    return where(ranks > 1, seconds + _START, 0.0)


def send(bytes_: Real, inside: Any, on: Cluster) -> Real:
    """Seconds of sending ``bytes_`` to one other rank, in the same node where ``inside``."""
    return bytes_ / where(inside, on.link, on.network) + _START


def _near(ranks: Real, stride: Real, on: Cluster) -> Real:
    """Ranks of a group in one node, at least one, of the group that has the fewest in some node."""
    return larger(_gcd(ranks * stride, on.domain) / stride, 1.0)


def _gcd(x: Real, y: Real) -> Real:
    """The greatest common divisor of whole numbers."""
    if not (is_array(x) or is_array(y)):
        return math.gcd(int(x), int(y))
    import numpy as np

    return cast("Real", np.gcd(np.asarray(x, dtype=np.int64), np.asarray(y, dtype=np.int64)))
