"""Which layouts divide: the degrees of parallelism that a model, a cluster and a batch allow.

Their product is the number of accelerators, with

    tensor     dividing heads, keys' heads, width and feed-forward width, and a node or rack
    pipeline   no stage empty, and the fullest with at most ``UNEVEN`` times the mean's layers
    context    a power of two that leaves ``LEAST_CHUNK`` tokens a rank, of sequences of ``LONG`` tokens or more
    expert     dividing the experts, within data times context
    data       the rest, dividing the batch; micro-batches of up to ``MOST_SEQUENCES`` sequences
    interleave where the layers divide into chunks, the first and last perhaps empty, and micro-batches by the pipeline

The bounds are our choice, after published runs: tensor within a node and micro-batches of 1 to 8 (Narayanan et al.
2021, arXiv 2104.04473, sec. 3 and 5.4), 126 layers on 16 stages and context parallel for 131,072 tokens (Grattafiori
et al. 2024, arXiv 2407.21783, table 4). A degree that is asked for need only divide.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, gcd, log2, prod
from typing import NamedTuple

from scaleplan.compute.device import Device
from scaleplan.compute.layout import Recompute, stage_layers
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import UsageError
from scaleplan.ops import Real

UNEVEN = 1.25
LONG = 16_384
LEAST_CHUNK = 4_096
MOST_SEQUENCES = 16
MOST_CHUNKS = 12
MOST_EMPTY = 2


class Asked(NamedTuple):
    """Degrees that are given instead of searched; ``None`` where they are free."""

    tensor: int | None = None
    pipeline: int | None = None
    data: int | None = None
    context: int | None = None
    expert: int | None = None
    zero: int | None = None
    micro_batch: int | None = None
    interleave: int | None = None
    recompute: Recompute | None = None


class Place(NamedTuple):
    """How the accelerators are shared out; what else a layout has lies within that."""

    tensor: int
    pipeline: int
    data: int
    context: int


class Degrees(NamedTuple):
    """The whole numbers of a layout."""

    tensor: int
    pipeline: int
    data: int
    context: int
    expert: int
    micro_batch: int
    interleave: int


def require_divisible(shape: Transformer, device: Device, accelerators: int, sequences: int, asked: Asked) -> None:
    """Say what does not divide in a layout that was asked for.

    Raises:
        UsageError: the first thing that does not.
    """
    if asked.zero not in (None, 0, 1, 2, 3):
        raise UsageError(f"ZeRO has stages 0 to 3 (got {asked.zero})")
    for name, value in asked._replace(zero=None)._asdict().items():
        if isinstance(value, int) and value < 1:
            raise UsageError(f"{name.replace('_', '-')} must be at least 1 (got {value})")
    if asked.tensor is not None:
        _require_tensor(shape, asked.tensor)
    if asked.pipeline is not None and asked.pipeline > shape.layers:
        raise UsageError(f"pipeline {asked.pipeline} has more stages than the model's {shape.layers:g} layers")
    if asked.context is not None and shape.context % asked.context:
        raise UsageError(f"context-parallel {asked.context} does not divide sequences of {shape.context:g} tokens")
    _require_experts(shape, asked.expert)
    _require_product(accelerators, asked)
    _require_batch(sequences, asked)
    _require_interleave(shape, sequences, asked)
    if not any(True for _ in divisions(shape, device, accelerators, sequences, asked)):
        raise UsageError(_nothing_divides(shape, accelerators, sequences, asked))


def _require_tensor(shape: Transformer, t: int) -> None:
    keys = shape.kv_heads if shape.kv_heads > 1 else shape.heads
    sizes = {
        "heads": shape.heads,
        "heads of keys and values": keys,
        "columns of the width": shape.width,
        "columns of the feed-forward width": shape.feed_forward,
    }
    for what, size in sizes.items():
        if size % t:
            fit = ", ".join(str(n) for n in divisors(gcd(*(int(each) for each in sizes.values()))))
            raise UsageError(f"tensor {t} does not divide the {size:g} {what}; it takes {fit}")


def _require_interleave(shape: Transformer, sequences: int, asked: Asked) -> None:
    p, v = asked.pipeline or 1, asked.interleave or 1
    if v == 1:
        return
    if asked.pipeline == 1:
        raise UsageError(f"interleave {v} needs a pipeline of 2 stages or more")
    if asked.pipeline is not None and not _chunks_fit(shape.layers, p, v):
        raise UsageError(f"{shape.layers:g} layers do not divide into pipeline {p} x interleave {v} = {p * v} chunks")
    a_rank = sequences / ((asked.data or 1) * (asked.micro_batch or 1))
    if asked.data and asked.micro_batch and a_rank % p:
        raise UsageError(f"interleaved, {a_rank:g} micro-batches of a rank must be a multiple of pipeline {p}")


def _require_experts(shape: Transformer, e: int | None) -> None:
    if e is None or e == 1:
        return
    if shape.experts is None:
        raise UsageError(f"expert {e}: the model has no experts; leave it out")
    count = int(shape.experts.count)
    if count % e:
        fit = ", ".join(map(str, divisors(count)))
        raise UsageError(f"expert {e} ranks cannot share the {count} experts of a layer evenly; it takes {fit}")


def _require_product(accelerators: int, asked: Asked) -> None:
    degrees = {
        "tensor": asked.tensor,
        "pipeline": asked.pipeline,
        "context-parallel": asked.context,
        "data": asked.data,
    }
    given = {name: n for name, n in degrees.items() if n is not None}
    product = prod(given.values())
    words = " x ".join(f"{name} {n}" for name, n in given.items())
    if accelerators % product:
        raise UsageError(f"{accelerators} accelerators do not divide into {words} = {product}")
    if len(given) == 4 and product != accelerators:
        raise UsageError(f"{words} = {product} accelerators, not the {accelerators} there are")
    e = asked.expert
    if e is None or e == 1:
        return
    room = accelerators // ((asked.tensor or 1) * (asked.pipeline or 1))
    if asked.data is not None:
        room = min(room, asked.data * (asked.context or room // asked.data))
    if room % e:
        raise UsageError(f"expert {e} ranks must divide data x context-parallel, at most {room} here: lower expert")


def _require_batch(sequences: int, asked: Asked) -> None:
    d, b = asked.data or 1, asked.micro_batch or 1
    if sequences % (d * b):
        words = " x ".join(f"{k} {v}" for k, v in (("data", asked.data), ("micro-batch", asked.micro_batch)) if v)
        below = sequences // (d * b) * d * b
        fit = f"{below} or {below + d * b}" if below else f"{d * b}"
        raise UsageError(f"a batch of {sequences} sequences is no multiple of {words} = {d * b}; take {fit} sequences")


def _nothing_divides(shape: Transformer, accelerators: int, sequences: int, asked: Asked) -> str:
    given = ", ".join(f"{name} {value}" for name, value in asked._asdict().items() if isinstance(value, int))
    odd = odd_part(accelerators)
    near = max(1, round(sequences / odd)) * odd
    shared = (
        f"a batch of {near} sequences, {near * shape.context:,.0f} tokens," if sequences % odd else "a power of two"
    )
    return (
        f"no layout divides{f' with {given}' if given else ''}: {accelerators} accelerators, {sequences} sequences a "
        f"step, {shape.layers:g} layers, {shape.heads:g} heads; {shared} would be shared more easily"
    )


def divisions(shape: Transformer, device: Device, accelerators: int, sequences: int, asked: Asked) -> Iterator[Degrees]:
    """Every layout that divides, of those asked for."""
    for place in places(shape, device, accelerators, sequences, asked):
        t, p, d, c = place
        for b in micro_batches(sequences // d, asked):
            for e in expert_ranks(shape, d * c, asked):
                for v in interleaves(shape, p, sequences // (d * b), asked):
                    yield Degrees(t, p, d, c, e, b, v)


def places(shape: Transformer, device: Device, accelerators: int, sequences: int, asked: Asked) -> Iterator[Place]:
    """Tensor, pipeline, data and context degrees."""
    for t in _tensors(shape, device, accelerators, asked):
        for p in _pipelines(shape, accelerators // t, asked):
            for c in _contexts(shape, accelerators // (t * p), asked):
                d = accelerators // (t * p * c)
                if sequences % d == 0 and asked.data in (None, d):
                    yield Place(t, p, d, c)


def micro_batches(a_rank: int, asked: Asked) -> list[int]:
    """Sequences a micro-batch that divide those of a data-parallel rank."""
    if asked.micro_batch is not None:
        return [asked.micro_batch] if a_rank % asked.micro_batch == 0 else []
    return [b for b in range(1, MOST_SEQUENCES + 1) if a_rank % b == 0]


def expert_ranks(shape: Transformer, room: int, asked: Asked) -> list[int]:
    """Ranks that share the experts, of so many data- and context-parallel ones."""
    if shape.experts is None:
        return [1]
    if asked.expert is not None:
        return [asked.expert] if room % asked.expert == 0 else []
    return [e for e in divisors(int(shape.experts.count)) if room % e == 0]


def interleaves(shape: Transformer, p: int, m: int, asked: Asked) -> list[int]:
    """Chunks of layers a stage, of p stages and m micro-batches; one first."""
    if asked.interleave is not None:
        fits = asked.interleave == 1 or (p > 1 and m % p == 0 and _chunks_fit(shape.layers, p, asked.interleave))
        return [asked.interleave] if fits else []
    if p == 1 or m % p:
        return [1]
    return [v for v in range(1, MOST_CHUNKS + 1) if v == 1 or _chunks_fit(shape.layers, p, v)]


def _tensors(shape: Transformer, device: Device, accelerators: int, asked: Asked) -> list[int]:
    if asked.tensor is not None:
        return [asked.tensor] if accelerators % asked.tensor == 0 else []
    keys = shape.kv_heads if shape.kv_heads > 1 else shape.heads  # a single head of keys is on every rank
    sizes = (shape.heads, keys, shape.width, shape.feed_forward)
    whole = [size for size in sizes if size % 1 == 0]  # of a family's mean shape they may be between whole numbers
    room = min(device.domain, accelerators)  # a cluster within one node or rack may be of any size
    return [t for t in divisors(accelerators) if room % t == 0 and not any(size % t for size in whole)]


def _pipelines(shape: Transformer, ranks: int, asked: Asked) -> list[int]:
    if asked.pipeline is not None:
        return [asked.pipeline] if ranks % asked.pipeline == 0 else []
    layers = shape.layers
    fit = [p for p in divisors(ranks) if p <= layers]
    return [p for p in fit if (n := stage_layers(layers, p)) * (p - 1) < layers and n * p <= UNEVEN * layers]


def _contexts(shape: Transformer, ranks: int, asked: Asked) -> list[int]:
    if asked.context is not None:
        return [asked.context] if ranks % asked.context == 0 else []
    if shape.context < LONG:
        return [1]
    most = shape.context / LEAST_CHUNK
    return [c for c in divisors(ranks) if c <= most and not c & (c - 1) and shape.context % c == 0]


def _chunks_fit(layers: Real, p: int, v: int) -> bool:
    """Whether all chunks have layers, but for the first and the last, and no stage has more than without chunks."""
    if layers % 1:
        return bool(p * v <= layers)
    each = -(-layers // (p * v))
    return bool(p * v + layers // -each <= MOST_EMPTY and each * v <= stage_layers(layers, p))


ROUNDING = 0.05
"""Our choice: how far a batch may move to one that divides well."""


def near_sequences(wanted: float, unit: int) -> int:
    """The multiple of ``unit`` within ``ROUNDING`` that the largest power of two divides, of those the nearest."""
    step = unit << max(0, int(wanted).bit_length() - unit.bit_length())
    while step > unit and abs(max(1, round(wanted / step)) * step - wanted) > ROUNDING * wanted:
        step //= 2
    return max(1, round(wanted / step)) * step


def shared_sequences(wanted: float, accelerators: int, *, given: bool) -> int:
    """Sequences of a step, near ``wanted``, that so many accelerators can share.

    Tensor degrees and pipelines are mostly powers of two, so that data-parallel ranks keep the odd part of the number
    of accelerators. A batch that was given moves by ``ROUNDING`` at most; one that is assumed becomes the next larger
    one that divides well, which is less than twice as large.

    Raises:
        UsageError: an assumed batch that would have to be more than twice as large.
    """
    odd = odd_part(accelerators)
    if given:
        taken = near_sequences(wanted, odd)
        return taken if abs(taken - wanted) <= ROUNDING * wanted else near_sequences(wanted, 1)
    if odd > 2 * max(wanted, 1.0):
        raise UsageError(f"{accelerators:,} accelerators share no step of about {wanted:,.0f} sequences evenly")
    return odd * 2 ** max(0, ceil(log2(wanted / odd)))


def odd_part(n: int) -> int:
    """What is left of a number without its factors of two."""
    return n // (n & -n)


def divisors(n: int) -> list[int]:
    """All of them, in order."""
    small = [i for i in range(1, int(n**0.5) + 1) if n % i == 0]
    return small + [n // i for i in reversed(small) if i * i != n]
