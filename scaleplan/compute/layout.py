"""How a model lies on a cluster: the degrees of parallelism, what is kept and what is computed again."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from scaleplan.ops import Real, clip_low, where


class Recompute(Enum):
    """Which activations the backward pass computes again."""

    NONE = "none"
    SELECTIVE = "selective"
    """The attention core (Korthikanti et al. 2022, arXiv 2205.05198); nothing more where attention is fused."""
    SELECTIVE_OP = "selective_op"
    """Cheap operators and ``SELECTIVE_OP_PRODUCTS`` of the matrix products, as PyTorch's per-operator policies do."""
    FULL = "full"
    """Every layer from its input."""


SELECTIVE_OP_PRODUCTS = 0.5
"""Of a layer's matrix products under ``Recompute.SELECTIVE_OP``: torchtitan's policy saves every second one and the
attention's output, and computes the rest again (pytorch/torchtitan, activation checkpointing ``selective`` by ``op``).
"""


class Stack(NamedTuple):
    """What the training software does, which is not searched over.

    ``flash``: attention fused. ``overlap``: collectives of tensor and data parallelism and sends of the pipeline run
    behind matrix products (those of ZeRO 3 always do). ``fused``: element-wise operations joined by a compiler or
    written as one kernel. ``dropout``: its masks are kept. ``gradient_bytes``: of a gradient between steps, 2, 4, or 6
    where both are kept, as DeepSpeed does in bf16.
    """

    flash: bool = True
    overlap: bool = True
    fused: bool = True
    dropout: bool = False
    gradient_bytes: int = 4


class Layout(NamedTuple):
    """Degrees of parallelism; their product ``tensor * pipeline * context * data`` is the number of accelerators.

    ``expert`` ranks share each layer's experts, within ``data * context`` (``tensor`` is not used inside experts).
    ``zero`` is the stage of ZeRO, 3 also for fully sharded data parallelism. ``micro_batch`` counts sequences;
    ``interleave`` chunks of layers a pipeline stage. Degrees and ``micro_batch`` may be arrays.
    """

    tensor: Real = 1
    pipeline: Real = 1
    data: Real = 1
    context: Real = 1
    expert: Real = 1
    zero: int = 1
    micro_batch: Real = 1
    interleave: Real = 1
    recompute: Recompute = Recompute.NONE
    sequence_parallel: bool = True
    stack: Stack = Stack()

    @property
    def accelerators(self) -> Real:
        """How many it takes."""
        return self.tensor * self.pipeline * self.context * self.data


def in_words(layout: Layout) -> str:
    """A layout on one line; degrees of one are left out."""
    names = ("tensor", "pipeline", "context", "data", "expert", "interleave")
    parts = [f"{name} {degree:g}" for name in names if (degree := getattr(layout, name)) > 1]
    parts += [f"ZeRO {layout.zero}", f"micro-batch {layout.micro_batch:g}"]
    return ", ".join((*parts, f"recompute {layout.recompute.value}"))


def expert_copies(layout: Layout) -> Real:
    """Ranks that hold the same routed experts.

    Experts are whole on a rank, and their ``expert`` ranks stand side by side among all that share a stage, tensor
    ranks included; copies are ``expert`` apart (NVIDIA/Megatron-LM, ``expert-tensor-parallel-size`` 1).
    """
    return clip_low(layout.data * layout.context * layout.tensor / layout.expert, 1.0)


def stage_layers(layers: Real, pipeline: Real, interleave: Real = 1) -> Real:
    """Layers of the fullest pipeline stage; stages are uneven where whole layers do not divide.

    A mean shape of a family has a broken number of layers, a share of which is on every stage.
    """
    return where(layers % 1 == 0, -(-layers // (pipeline * interleave)) * interleave, layers / pipeline)
