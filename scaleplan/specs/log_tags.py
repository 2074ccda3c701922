"""Names that training tools give to numbers in TensorBoard, MLflow and Weights & Biases, beyond those of ``log_names``.

Each tool groups its numbers in its own way (``loss/train/total``). The names are those in the public sources of Hugging
Face Transformers, Lightning, Megatron-LM and Megatron-DeepSpeed, NeMo, torchtitan, OLMo, Composer, levanter, MaxText
and Keras; their order is our choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from scaleplan.specs.log_names import Roles

TAGS: Mapping[str, tuple[str, ...]] = {
    "loss": (
        "train_loss_step", "loss_train_total", "loss_metrics_global_avg_loss", "lm_loss_training_lm_loss",
        "reduced_train_loss", "learning_loss", "train_loss_epoch", "epoch_loss",
    ),
    "eval_loss": (
        "lm_loss_validation", "lm_loss_validation_lm_loss_validation", "validation_metrics_loss", "eval_avg_loss",
        "val_loss_epoch", "evaluation_loss_vs_iterations",
    ),
    "grad_norm": (
        "grad_norm_grad_norm", "optim_total_grad_norm", "l2_norm_grad_global", "grad_norm_total", "learning_grad_norm",
    ),
    "lr": (
        "learning_rate_learning_rate", "optim_lr", "optim_learning_rate", "optim_learning_rate_group0",
        "learning_current_learning_rate", "epoch_learning_rate",
    ),
    "tokens": ("train_num_input_tokens_seen", "time_token", "n_tokens_seen"),
    "step_time": (
        "iteration_time_iteration_time", "train_step_timing_in_s", "time_metrics_end_to_end_s",
        "perf_step_time_seconds",
    ),
}  # fmt: skip
_ROLES = {name: (role, rank) for role, names in TAGS.items() for rank, name in enumerate(names)}
_OF_OPTIMISER = re.compile(r"lr_[a-z0-9]+(?:_(?:pg[12]|group0))?")
"""``lr-AdamW``, ``lr-AdamW/pg1`` (Lightning counts groups from 1), ``lr-DecoupledAdamW/group0`` (Composer, from 0)."""
_LATER = 100
"""Behind every name of ``log_names``."""


def role_of_tag(name: str, roles: Roles) -> tuple[str, int] | None:
    """The role of a name and its rank among the names of that role; ``None`` for any other name.

    Args:
        name: as the log has it.
        roles: what the user and text logs call the roles; that counts first.
    """
    known = roles.of(name)
    if known is not None or name in roles.given.values():
        return known
    found = _role(name)
    return None if found is None or found[0] in roles.given else found


@lru_cache(maxsize=4096)
def _role(name: str) -> tuple[str, int] | None:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    found = _ROLES.get(plain)
    if found is None and _OF_OPTIMISER.fullmatch(plain):
        return "lr", 2 * _LATER
    return None if found is None else (found[0], found[1] + _LATER)
