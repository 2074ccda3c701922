"""What public tools call their numbers, in rows of CSV, JSON lines and Parquet: the names in their sources."""

import json

import numpy as np
import polars as pl
import pytest

from scaleplan.specs.log_names import NAMES, role_of
from scaleplan.specs.training_logs import read_log

TOOLS = {
    "Lightning": {"step": "step", "loss": "train_loss_step", "lr": "lr-AdamW", "eval_loss": "val_loss"},
    "Lightning's groups": {"step": "trainer/global_step", "loss": "train_loss", "lr": "lr-AdamW/pg1"},
    "Transformers in W&B": {
        "step": "train/global_step", "loss": "train/loss", "lr": "train/learning_rate", "grad_norm": "train/grad_norm",
        "eval_loss": "eval/loss", "tokens": "train/num_input_tokens_seen", "time": "_timestamp",
    },
    "torchtitan": {
        "step": "_step", "loss": "loss_metrics/global_avg_loss", "grad_norm": "grad_norm", "tokens": "n_tokens_seen",
        "step_time": "time_metrics/end_to_end(s)", "eval_loss": "validation_metrics/loss",
    },
    "OLMo": {
        "step": "_step", "loss": "train/CrossEntropyLoss", "lr": "optim/learning_rate_group0",
        "grad_norm": "optim/total_grad_norm", "tokens": "throughput/total_tokens",
    },
    "OLMo-core": {
        "step": "_step", "loss": "train/CE loss", "lr": "optim/LR (group 0)", "grad_norm": "optim/total grad norm",
        "tokens": "throughput/total tokens",
    },
    "litgpt": {
        "step": "step", "loss": "loss", "lr": "learning_rate", "tokens": "total_tokens", "step_time": "iter_time",
        "eval_loss": "val_loss",
    },
    "NeMo": {
        "step": "global_step", "loss": "reduced_train_loss", "lr": "lr", "grad_norm": "grad_norm",
        "step_time": "train_step_timing in s", "eval_loss": "val_loss",
    },
    "Composer": {
        "step": "time/batch", "loss": "loss/train/total", "lr": "lr-DecoupledAdamW/group0", "tokens": "time/token",
        "eval_loss": "metrics/eval/LanguageCrossEntropy",
    },
    "levanter": {
        "step": "_step", "loss": "train/loss", "lr": "optim/learning_rate", "grad_norm": "grad/norm/total",
        "tokens": "throughput/total_tokens", "step_time": "throughput/duration", "eval_loss": "eval/loss",
    },
    "nanochat": {"step": "step", "loss": "train/loss", "step_time": "train/dt"},
    "nanoGPT in W&B": {"step": "iter", "loss": "train/loss", "lr": "lr", "eval_loss": "val/loss"},
}  # fmt: skip
BESIDE = {
    "litgpt": ["tokens", "iter"],
    "nanochat": ["train/lrm", "val/bpb"],
    "Lightning": ["epoch", "train_loss_epoch"],
}
"""What stands beside them and is not to be taken for them."""


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_the_names_of_a_tool(tool, form, tmp_path):
    names = TOOLS[tool]
    rows = [
        {name: 10 * step + place for place, name in enumerate(names.values())}
        | dict.fromkeys(BESIDE.get(tool, []), 7000 + step)
        for step in range(1, 6)
    ]
    path = tmp_path / f"log.{form}"
    if form == "ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        frame = pl.DataFrame(rows)
        frame.write_csv(path) if form == "csv" else frame.write_parquet(path)
    log = read_log(path)
    for role in ("loss", "tokens", "grad_norm", "lr", "step_time", "eval_loss"):
        expected = None if role not in names else [row[names[role]] for row in rows]
        found = getattr(log, role)
        assert (
            found.tolist() or None if role == "eval_loss" else found if found is None else found.tolist()
        ) == expected
    assert log.step.tolist() == [row[names["step"]] for row in rows]


def test_each_name_has_one_role_and_is_plain():
    every = [name for names in NAMES.values() for name in names]
    assert len(set(every)) == len(every)
    assert all(role_of(name) == (role, rank) for role, names in NAMES.items() for rank, name in enumerate(names))


@pytest.mark.parametrize("name", ["lr_mult", "lr/muon", "train/lrm", "lr-adamw", "x-lr-AdamW/pg1/more"])
def test_what_is_no_rate_of_an_optimiser(name):
    assert role_of(name) is None


def test_an_optimiser_s_first_group_counts(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,lr-AdamW/pg2,lr-AdamW/pg1,train_loss\n0,2,1,3\n1,4,3,3\n")
    assert read_log(path).lr.tolist() == [1, 3]


def test_a_mean_over_an_epoch_is_no_row_beside_losses_of_steps(tmp_path):
    path = tmp_path / "log.jsonl"
    epochs = [{"step": 4, "train_loss_epoch": 8.0}, {"step": 9, "train_loss_epoch": 7.0}]
    steps = [{"step": step, "train_loss_step": 3.0} for step in range(10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*steps[:5], epochs[0], *steps[5:], epochs[1]]))
    log = read_log(path)
    assert (log.loss.tolist(), log.written.step.size, log.ignored) == ([3.0] * 10, 10, 2)
    path.write_text("".join(json.dumps(row) + "\n" for row in epochs))
    assert read_log(path).loss.tolist() == [8, 7]


ROWS = [
    {"step": 0, "lr-AdamW": 0.5}, {"step": 0, "train_loss": 3.0}, {"step": 1, "lr-AdamW": 0.25},
    {"step": 1, "train_loss": 2.5}, {"step": 1, "val_loss": 2.75}, {"step": 2, "lr-AdamW": 0.125},
    {"step": 3, "train_loss": 2.25}, {"step": 3, "lr-AdamW": 0.0625}, {"step": 4, "train_loss": 2.0},
]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "json"])
def test_columns_of_one_step_in_rows_of_their_own(form, tmp_path):
    path = tmp_path / f"log.{form}"
    frame = pl.DataFrame(ROWS, infer_schema_length=None)
    if form == "csv":
        frame.write_csv(path)
    elif form == "parquet":
        frame.write_parquet(path)
    else:
        lines = [json.dumps(row) for row in ROWS]
        path.write_text("\n".join(lines) if form == "ndjson" else f"[{','.join(lines)}]")
    log = read_log(path)
    assert (log.step.tolist(), log.loss.tolist()) == ([0, 1, 3, 4], [3, 2.5, 2.25, 2])
    np.testing.assert_array_equal(log.lr, [0.5, 0.25, 0.0625, np.nan])
    assert (log.eval_step.tolist(), log.eval_loss.tolist()) == ([1], [2.75])
