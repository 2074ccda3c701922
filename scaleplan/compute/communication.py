"""Seconds of collectives on a cluster of nodes with fast links inside and a network between.

A ring over n ranks moves (n - 1) / n of the bytes past every rank at the bandwidth w of its slowest hop:

    gather, or reduce and scatter:   (n - 1) / n * bytes / w + n - 1 hops;   all-reduce: twice that

(Thakur, Rabenseifner & Gropp 2005). Where the ranks of a group stand ``stride`` apart, a node of ``domain``
accelerators holds domain / stride of them, and the group has as many of the node's network ports. Latencies are those
of NCCL's own tuning model for rings with its Simple protocol (github.com/NVIDIA/nccl, src/graph/tuning.cc).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from scaleplan.compute.device import Calibration, Device
from scaleplan.ops import Real, where

_START = 8.4e-6
_LINK_HOP = 3.4e-6
_NETWORK_HOP = 14e-6
"""[s] to start, and for a hop inside a node and between nodes: baseLat and hwLat of tuning.cc."""


class Cluster(NamedTuple):
    """What collectives reach of the links and of an accelerator's share of the network [B/s], and links' domain."""

    link: float
    network: float
    domain: int


def cluster(device: Device, calibration: Calibration) -> Cluster:
    """The bandwidths that a calibration leaves."""
    share = calibration.link_share
    return Cluster(device.link * share, device.network * share, device.domain)


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
    """Ranks of a group in one node, at least one."""
    near = larger(on.domain / stride, 1.0)
    return where(near < ranks, near, ranks)
