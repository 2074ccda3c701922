"""What the numbers of a training log are called: the role of a name, in every format.

Tools call one number by many names (``train/loss``, ``lm loss``, ``num_input_tokens_seen``): here each has one role. A
name is compared in lower case with everything but letters and digits as ``_``. The names are those that the public
tools write, in their sources: Hugging Face Transformers, Megatron-LM, Megatron-DeepSpeed, GPT-NeoX, nanoGPT, nanochat,
Lightning, litgpt, NeMo, torchtitan, OLMo and OLMo-core, Composer, levanter, MaxText, Keras, and the exports of Weights
& Biases, TensorBoard and MLflow. Their order is our choice but where a comment says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

# litgpt's ``tokens`` are those of one process, its ``total_tokens`` those of all (pretrain.py): those count first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "step": (
        "step", "iteration", "iter", "global_step", "trainer_global_step", "train_global_step", "num_updates",
        "time_batch",
    ),
    "loss": (
        "loss", "train_loss", "training_loss", "lm_loss", "loss_train", "train_lm_loss", "train_ce_loss",
        "train_crossentropyloss", "ce_loss", "train_loss_step", "loss_train_total", "loss_metrics_global_avg_loss",
        "lm_loss_training_lm_loss", "reduced_train_loss", "learning_loss", "train_loss_epoch", "epoch_loss",
    ),
    "eval_loss": (
        "eval_loss", "val_loss", "valid_loss", "validation_loss", "loss_eval", "loss_val", "loss_validation",
        "evaluation_loss", "lm_loss_validation", "lm_loss_validation_0", "lm_loss_validation_lm_loss_validation",
        "validation_metrics_loss", "eval_avg_loss", "val_loss_epoch", "evaluation_loss_vs_iterations",
        "metrics_eval_languagecrossentropy",
    ),
    "final_loss": ("final_loss", "final_eval_loss", "final_val_loss"),
    "tokens": (
        "total_tokens", "tokens", "num_tokens", "tokens_seen", "num_input_tokens_seen", "consumed_tokens",
        "train_tokens", "throughput_total_tokens", "train_num_input_tokens_seen", "train_tokens_seen", "time_token",
        "n_tokens_seen",
    ),
    "grad_norm": (
        "grad_norm", "gradient_norm", "train_grad_norm", "gnorm", "grad_norm_grad_norm", "optim_total_grad_norm",
        "l2_norm_grad_global", "grad_norm_total", "learning_grad_norm",
    ),
    "lr": (
        "lr", "learning_rate", "train_lr", "train_learning_rate", "learning_rate_learning_rate", "optim_lr",
        "optim_learning_rate", "optim_learning_rate_group0", "optim_lr_group_0", "learning_current_learning_rate",
        "epoch_learning_rate",
    ),
    "time": (
        "time", "timestamp", "wall_time", "created_at", "walltime", "datetime", "date", "elapsed", "elapsed_time",
        "runtime",
    ),
    "step_time": (
        "step_time", "elapsed_time_per_iteration", "elapsed_time_per_iteration_ms", "iter_time", "iteration_time",
        "time_per_step", "time_per_iteration", "sec_per_step", "seconds_per_step", "step_time_s", "step_time_ms",
        "iter_time_ms", "iteration_time_ms", "time_per_step_ms", "train_step_time", "perf_step_time",
        "iteration_time_iteration_time", "train_step_timing_in_s", "time_metrics_end_to_end_s",
        "perf_step_time_seconds", "throughput_duration", "train_dt",
    ),
    "params": ("params", "n_params", "num_params", "parameters", "num_parameters"),
    "vocabulary": ("vocabulary", "vocab_size", "vocabulary_size"),
    "total_steps": ("total_steps", "max_steps"),
    "seed": ("seed",),
}  # fmt: skip
"""Names by role, the first that a row has counts."""
COLUMNS = ("loss", "tokens", "grad_norm", "lr", "time", "step_time")
"""What a row of training may have beside its step."""
GIVEN = ("step", *COLUMNS, "eval_loss", "run")
"""The roles of which a user may say what they are called."""
RUN_NAMES = ("run", "run_id")
"""What a row calls its run; ``id`` may be its own."""
SUMMARY = ("train_runtime", "total_flos")
"""Keys of the row that the Hugging Face Trainer logs last, and of ``train_results.json``, which has the same: their
``train_loss`` is a mean over all of training."""
_EPOCH_MEANS = ("train_loss_epoch", "epoch_loss")
"""Means over an epoch (Lightning, Keras), which are the loss of a log that has no other."""
_ROLES = {name: (role, rank) for role, names in NAMES.items() for rank, name in enumerate(names)}
_MILLI = {name for name in NAMES["step_time"] if name.endswith("_ms")}
_OF_OPTIMISER = re.compile(r"(?:.*/)?lr-[A-Z]\w*(?:-\d{1,3})?(?:/(?:pg|group)(\d{1,3}))?")
"""``lr-AdamW``, ``lr-AdamW/pg1`` (Lightning counts groups from 1), ``lr-DecoupledAdamW/group0`` (Composer, from 0)."""
_LATER = 100
"""Rank of those names: behind every other."""
_FEW = 7
"""Our choice: so many names are told in a message."""


def role_of(name: str) -> tuple[str, int] | None:
    """The role of a name and its rank among the names of that role, 0 first; ``None`` for any other name."""
    found = _ROLES.get(_plain(name))
    if found is None and "lr-" in name:
        of_optimiser = _OF_OPTIMISER.fullmatch(name)
        return None if of_optimiser is None else ("lr", _LATER + int(of_optimiser[1] or 0))
    return found


def is_epoch_mean(name: str) -> bool:
    """Whether a loss of this name is a mean over an epoch."""
    return _plain(name) in _EPOCH_MEANS


def scale_of(name: str, role: str) -> float:
    """What a number of this name is multiplied with: a time of a step that is called so stands in milliseconds."""
    return 1e-3 if role == "step_time" and _plain(name) in _MILLI else 1.0


def known_names(role: str) -> str:
    """Some names of a role, for messages."""
    names = NAMES[role]
    return ", ".join(names[:_FEW]) + (" ..." if len(names) > _FEW else "")


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
