"""Logs that the real tools wrote, read by the one function that a command calls.

``real_logs`` holds what tools too large for the tests wrote in runs of ten steps on a CPU, with PyTorch 2.15.0:
Transformers 5.23.0 of Hugging Face (``trainer_state.json`` of its ``Trainer`` with ``include_num_input_tokens_seen``,
and what that printed), and Lightning 2.6.6 (``metrics.csv`` of its ``CSVLogger`` with a ``LearningRateMonitor``). The
training loops of Megatron-LM and nanoGPT are in no package, so none of them wrote a line here: lines are made with the
format strings in their public sources, against which these were checked.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scaleplan.specs.training_logs import read_log

REAL = Path(__file__).parent / "real_logs"


def test_the_state_that_a_trainer_saved():
    log = read_log(REAL / "trainer_state.json")
    state = json.loads((REAL / "trainer_state.json").read_text())
    rows = [row for row in state["log_history"] if "loss" in row]
    assert log.format == "Hugging Face trainer state"
    assert log.step.tolist() == list(range(1, 11))
    assert log.loss.tolist() == [row["loss"] for row in rows]
    assert log.lr.tolist() == [row["learning_rate"] for row in rows]
    assert log.grad_norm.tolist() == [row["grad_norm"] for row in rows]
    assert log.tokens.tolist() == list(range(64, 641, 64))
    assert log.eval_step.tolist() == [5, 10]
    assert log.fact("total_steps") == 10


def test_what_a_trainer_printed():
    """Without steps: the rows are numbered. Numbers are rounded to four digits."""
    log = read_log(REAL / "trainer_output.txt")
    saved = read_log(REAL / "trainer_state.json")
    assert log.counted
    assert log.step.tolist() == saved.step.tolist()
    np.testing.assert_allclose(log.loss, saved.loss, rtol=5e-4)
    np.testing.assert_allclose(log.lr, saved.lr, rtol=5e-4)
    np.testing.assert_allclose(log.eval_loss, saved.eval_loss, rtol=5e-4)


def test_what_lightning_s_csv_logger_wrote():
    log = read_log(REAL / "lightning_metrics.csv")
    table = pl.read_csv(REAL / "lightning_metrics.csv")
    assert log.format == "CSV"
    assert log.step.tolist() == list(range(10))
    assert log.loss.tolist() == table["train_loss"].drop_nulls().to_list()
    assert log.grad_norm.tolist() == table["grad_norm"].drop_nulls().to_list()
    assert log.lr.tolist() == table["lr-AdamW"].drop_nulls().to_list()
    assert (log.eval_step.tolist(), log.eval_loss.tolist()) == ([4, 9], table["val_loss"].drop_nulls().to_list())


def test_a_state_that_transformers_saves_here(tmp_path):
    """``TrainerState`` needs no PyTorch; ``Trainer.log`` puts its rows in just so (trainer.py)."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    history = [{"loss": 3.0 - step / 8, "grad_norm": 1.5, "learning_rate": 1e-3, "step": step} for step in range(1, 9)]
    history[4]["loss"] = float("nan")
    history += [
        {"eval_loss": 2.25, "eval_runtime": 1.0, "step": 8},
        {"train_loss": 2.5, "train_runtime": 9.0, "step": 8},
    ]
    state = transformers.TrainerState(max_steps=16, global_step=8, log_history=history)
    state.save_to_json(str(tmp_path / "trainer_state.json"))
    log = read_log(tmp_path / "trainer_state.json")
    np.testing.assert_array_equal(log.loss, [row["loss"] for row in history[:8]])
    assert (log.eval_step.tolist(), log.eval_loss.tolist(), log.fact("total_steps")) == ([8], [2.25], 16)


def test_what_lightning_writes_here(tmp_path):
    loggers = pytest.importorskip(
        "lightning.pytorch.loggers", reason="lightning, which needs PyTorch, is not installed"
    )
    logger = loggers.CSVLogger(str(tmp_path), name="", version="")
    for step in range(6):
        logger.log_metrics({"train_loss": 3.0 - step / 8}, step)
        if step % 3 == 2:
            logger.log_metrics({"val_loss": 2.5}, step)
    logger.save()
    log = read_log(next(tmp_path.rglob("metrics.csv")))
    assert log.loss.tolist() == [3 - step / 8 for step in range(6)]
    assert log.eval_step.tolist() == [2, 5]


def test_a_table_of_pandas_in_every_format(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame(
        {"_step": range(5), "_timestamp": np.arange(5) + 1.7e9, "train/loss": [3, 2.5, None, 2, 1]}
    )
    table.to_csv(tmp_path / "history.csv")
    table.to_json(tmp_path / "history.jsonl", orient="records", lines=True)
    table.to_json(tmp_path / "history.json", orient="records")
    for path in sorted(tmp_path.iterdir()):
        log = read_log(path)
        assert log.step.tolist() == [0, 1, 3, 4], path
        assert log.loss.tolist() == [3, 2.5, 2, 1], path
        assert log.time.tolist() == [1.7e9, 1.7e9 + 1, 1.7e9 + 3, 1.7e9 + 4], path


def test_lines_as_megatron_formats_them(tmp_path):
    """``training_log`` and ``evaluate_and_print_results`` of NVIDIA/Megatron-LM, megatron/training/training.py, as they
    stand at commit 001b00c: the loss is printed where ``avg >= 0.0``, so that one which is not a number is left out."""
    lines = ["training ..."]
    for iteration in (10, 20, 30, 40):
        line = f" [{datetime(2026, 3, 1, 10, 0, iteration):%Y-%m-%d %H:%M:%S.%f}]"
        line += " iteration {:8d}/{:8d} |".format(iteration, 100)  # noqa: UP032 - as it stands there
        line += f" consumed samples: {iteration * 256:12d} |"
        line += f" elapsed time per iteration (ms): {412.7:.1f} |"
        line += f" throughput per GPU (TFLOP/s/GPU): {389.2:.1f} |"
        line += f" learning rate: {3e-4 / iteration:.6E} |"
        line += f" global batch size: {256:5d} |"
        avg = 9 - iteration / 10 if iteration < 40 else math.nan
        if avg >= 0.0:
            line += " {}: {:.6E} |".format("lm loss", avg)
        line += f" loss scale: {1.0:.1f} |"
        line += f" grad norm: {iteration / 8:.3f} |"
        line += f" number of skipped iterations: {0:3d} |"
        lines.append(f"{line} number of nan iterations: {0:3d} |")
    for place, prefix in (("", "iteration 30"), ("-0", "iteration 40 on validation set"), ("-1", "iteration 40")):
        evaluation = f" validation{place} loss at {prefix} | "
        evaluation += "{} value: {:.6E} | ".format("lm loss", 6.5)
        evaluation += "{} PPL: {:.6E} | ".format("lm loss", math.exp(6.5))
        lines += ["-" * (len(evaluation) + 1), evaluation, "-" * (len(evaluation) + 1)]
    (tmp_path / "out.log").write_text("\n".join(lines))
    log = read_log(tmp_path / "out.log")
    assert log.format == "Megatron-LM text"
    assert log.step.tolist() == [10, 20, 30, 40]
    np.testing.assert_array_equal(log.loss, [8, 7, 6, np.nan])
    assert log.grad_norm.tolist() == [1.25, 2.5, 3.75, 5]
    np.testing.assert_allclose(log.lr, [3e-5, 1.5e-5, 1e-5, 7.5e-6], rtol=1e-6)
    np.testing.assert_allclose(log.step_time, 0.4127, rtol=1e-12)
    assert (log.eval_step.tolist(), log.eval_loss.tolist(), log.fact("total_steps")) == ([30, 40], [6.5, 6.5], 100)


def test_lines_as_nanogpt_formats_them(tmp_path):
    """The two lines that ``train.py`` of karpathy/nanoGPT prints of losses, with its format strings."""
    lines = ["tokens per iteration will be: 491,520", "number of parameters: 123.59M"]
    losses, running_mfu = {"train": 10.98765, "val": 10.99021}, -1.0
    for iter_num in range(0, 40, 10):
        lossf, dt = 9.0 - iter_num / 16, 0.25117
        if iter_num % 20 == 0:
            lines.append(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        lines.append(f"iter {iter_num}: loss {lossf:.4f}, time {dt * 1000:.2f}ms, mfu {running_mfu * 100:.2f}%")
    (tmp_path / "out.log").write_text("\n".join(lines))
    log = read_log(tmp_path / "out.log")
    assert log.format == "nanoGPT text"
    assert (log.step.tolist(), log.loss.tolist()) == ([0, 10, 20, 30], [9, 8.375, 7.75, 7.125])
    assert (log.eval_step.tolist(), log.eval_loss.tolist()) == ([0, 20], [10.9902] * 2)
