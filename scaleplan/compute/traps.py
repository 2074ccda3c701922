"""What a layout suffers from that the step-time model does not count, in words.

Tiles: matrix products run in tiles of 64 to 256 rows and columns; where a size divided by the tensor degree is no
multiple of 64 the rest of a tile idles. BLOOM's trials on A100 (bigscience, tr11-176B-ml/chronicles-prequel.md) reached
21 % fewer FLOP/s at a width of 14,400 on 8 ranks than at 13,824. Heads: fused attention pads sizes that are no multiple
of 8 and does not take more than 256 (Dao et al. 2022, arXiv 2205.14135, and its repository).
"""

from __future__ import annotations

from scaleplan.compute.layout import Layout, stage_layers
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import Notice

TILE = 64
HEAD_STEP = 8
LARGEST_HEAD = 256


def traps(shape: Transformer, layout: Layout) -> tuple[Notice, ...]:
    """The traps of one layout, in words."""
    found = (_tiles(shape, layout), _heads(shape, layout), _stages(shape, layout))
    return tuple(each for each in found if each is not None)


def _tiles(shape: Transformer, layout: Layout) -> Notice | None:
    t = layout.tensor
    sizes = {"width": shape.width, "feed-forward width": shape.feed_forward}
    odd = [f"{name} {size:g} / tensor {t:g} = {size / t:g}" for name, size in sizes.items() if size / t % TILE]
    if not odd:
        return None
    cost = "a fifth of the speed was lost to that in BLOOM's trials, and no estimate here counts it"
    return Notice("tile_alignment", f"{' and '.join(odd)}: no multiple of {TILE}; {cost}")


def _heads(shape: Transformer, layout: Layout) -> Notice | None:
    size = shape.head_size
    if not layout.stack.flash or not (size % HEAD_STEP or size > LARGEST_HEAD):
        return None
    limit = f"no multiple of {HEAD_STEP}" if size % HEAD_STEP else f"above {LARGEST_HEAD}"
    return Notice("head_size", f"heads of {size:g} are {limit}: fused attention pads them or does not take them")


def _stages(shape: Transformer, layout: Layout) -> Notice | None:
    p, layers = layout.pipeline, shape.layers
    most = stage_layers(layers, p, layout.interleave)
    if p == 1 or most * p == layers:
        return None
    text = f"{layers:g} layers on {p:g} stages: {most:g} on the fullest, {layers / p:.2f} in the mean"
    return Notice("uneven_stages", f"{text}; the estimate counts the fullest")
