"""The ``shape`` block of a model document to a decoder.

``context`` is the length of a sequence in the main part of pre-training, on which FLOPs depend; the length that is
advertised, reached by a short last part of training or never trained at, is another number and not kept. Where only
that was published, ``context_source`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scaleplan.compute.transformer import Experts, LatentAttention, Transformer, Window


class SourcedShape(NamedTuple):
    """A decoder, how sure its numbers are and where they come from: the context may come from elsewhere."""

    transformer: Transformer
    status: str
    source: str
    context_status: str
    context_source: str


_SOURCED = ("status", "source", "context_status", "context_source")


def build_shape(data: Mapping[str, Any]) -> SourcedShape:
    """The shape of a ``shape`` block."""
    parts: dict[str, Any] = {key: value for key, value in data.items() if key not in _SOURCED}
    for key, part in (("experts", Experts), ("latent", LatentAttention), ("window", Window)):
        if parts.get(key) is not None:
            parts[key] = part(**parts[key])
    return SourcedShape(
        transformer=Transformer(**parts),
        status=data["status"],
        source=data["source"],
        context_status=data.get("context_status", data["status"]),
        context_source=data.get("context_source", data["source"]),
    )
