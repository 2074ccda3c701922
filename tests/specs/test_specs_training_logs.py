"""Training logs in every format that is read: what they say, and what is wrong with those that say nothing."""

import json
import math
import os

import numpy as np
import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.training_logs import LogContentError, final_loss, old_evaluation, read_log

STATE = {
    "best_metric": None,
    "epoch": 1.0,
    "global_step": 20,
    "max_steps": 40,
    "train_batch_size": 8,
    "num_input_tokens_seen": 0,
    "total_flos": 2.1e13,
    "log_history": [
        {"epoch": 0.25, "grad_norm": 2.5, "learning_rate": 3e-4, "loss": 5.5, "step": 10},
        {"epoch": 0.5, "eval_loss": 5.1, "eval_runtime": 1.2, "step": 10},
        {"epoch": 1.0, "grad_norm": 1.25, "learning_rate": 1e-4, "loss": 4.25, "step": 20},
        {"epoch": 1.0, "eval_loss": 4.5, "eval_runtime": 1.2, "step": 20},
        {"epoch": 1.0, "step": 20, "total_flos": 2.1e13, "train_loss": 4.875, "train_runtime": 9.5},
    ],
}
MEGATRON = """\
using world size: 8, data-parallel size: 8 | loss of nothing yet
 [2026-03-01 10:00:01] iteration       10/      40 | consumed samples:         2560 | elapsed time per iteration (ms): \
412.7 | learning rate: 1.500000E-04 | global batch size:   256 | lm loss: 8.500000E+00 | loss scale: 1.0 | grad norm: \
2.500 | number of skipped iterations:   0 | number of nan iterations:   0 |
[default0]: iteration 20/ 40 | elapsed time per iteration (ms): 12.3/12.1 | consumed tokens: 5242880 | learning rate: \
1.0E-04 | lm loss: 6.25E+00 | mtp_1 loss: 7.0E+00 | grad norm: 1.125 |
 iteration       30/      40 | learning rate: 5.0E-05 | loss scale: 1.0 | number of skipped iterations:   1 |
 validation loss at iteration 20 on validation set | lm loss value: 6.500000E+00 | lm loss PPL: 6.651416E+02 |
 validation loss at iteration 20 on test set | lm loss value: 9.900000E+00 | lm loss PPL: 1.993037E+04 |
 [2026-03-01 10:00:09] iteration 40/ 40 | learning rate: 1.0E-05 | lm loss: 5.7
"""
NANO = """\
tokens per iteration will be: 491,520
number of parameters: 123.59M
step 0: train loss 10.9881, val loss 10.9902
iter 0: loss 10.9857, time 29941.22ms, mfu -100.00%
iter 10: loss 9.5000, time 251.17ms, mfu 38.40%
/usr/lib/python3/warn.py:3: UserWarning: lossy conversion
iter 20: loss nan, time 251.17ms
step 20: train loss 6.2500, val loss 6.5000
saving checkpoint to out
"""
PRINTED = (
    "  0%|          | 0/20 [00:00<?, ?it/s]\r 10%|█         | 2/20 [00:01<00:09,  1.9it/s]\r"
    "                                              \r{'loss': 5.5, 'grad_norm': 2.5, 'learning_rate': 0.0003, "
    "'epoch': 0.5}\n"
    "\x1b[32mINFO\x1b[0m {'eval_loss': 5.25, 'eval_runtime': 1.25, 'epoch': 0.5}\n"
    "{'loss': nan, 'grad_norm': nan, 'learning_rate': 0.0001, 'epoch': 1.0}\n"
    "{'loss': '4.5', 'epoch': '1.5'}\n"
    "{'train_runtime': 9.5, 'train_samples_per_second': 3.1, 'train_loss': 4.9, 'epoch': 1.5}\n"
)


@pytest.fixture
def read(tmp_path):
    def from_text(text, name="run.log"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path)

    return from_text


def refused(read, text, kind=LogContentError):
    with pytest.raises(kind) as caught:
        read(text)
    assert "\n" not in caught.value.message
    return caught.value.message


def listed(column):
    return None if column is None else column.tolist()


def lines_of(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_csv_with_every_column(read):
    log = read("Step,train/loss,tokens,lr,grad norm,note\n1,5.5,100,1e-3,2,x\n2,4.5,200,5e-4,1,\n")
    assert log.format == "CSV"
    assert (listed(log.step), listed(log.loss)) == ([1, 2], [5.5, 4.5])
    assert (listed(log.tokens), listed(log.lr), listed(log.grad_norm)) == ([100, 200], [1e-3, 5e-4], [2, 1])
    assert (listed(log.eval_step), log.ignored, log.unreadable) == ([], 0, 0)


def test_csv_with_evaluations_in_rows_of_their_own(read):
    log = read(
        "\ufeffepoch,step,train_loss,val_loss\r\n0,9,5.5,\r\n0,9,,5.75\r\n1,19,4.5,\r\n1,19,,4.625\r\n1,20,,\r\n"
    )
    assert (listed(log.step), listed(log.loss)) == ([9, 19], [5.5, 4.5])
    assert (listed(log.eval_step), listed(log.eval_loss)) == ([9, 19], [5.75, 4.625])
    assert (log.tokens, log.ignored, log.unreadable) == (None, 1, 0)


def test_csv_with_tabs_blank_lines_and_a_run_that_was_started_again(read):
    log = read("\nstep\tloss\n1\t5\n2\t4\n\nstep\tloss\n2\t3.5\n3\t3\nx\t2\n4\n")
    assert (listed(log.step), listed(log.loss)) == ([1, 2, 3], [5, 3.5, 3])
    assert log.unreadable == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch,loss\n1,2\n", "no column 'step' (also read: step, iteration, iter,"),
        ("stepp,loss\n1,2\n", "Did you mean stepp?"),
        ("step,accuracy\n1,2\n", "no column 'loss'"),
        ("step,loss,loss\n1,2,3\n", "column 'loss' stands twice"),
        ("step,loss\n", "a header and no rows below it: nothing was logged yet"),
        ("step,loss\nfirst,2\nsecond,1\n", "no line of 2 could be read"),
        (
            "step,loss,run\n1,2,a\n1,3,b\n",
            "rows of 2 runs ('a', 'b' ...); a log is of one: name it with --run NAME, or split the file",
        ),
    ],
)
def test_csv_that_is_no_log_of_one_run(read, text, words):
    assert words in refused(read, text)


def test_json_lines_with_what_stands_for_the_whole_run(read):
    log = read(
        lines_of(
            {"run": "x", "params": 1.5e8, "vocab_size": 32000},
            {"step": 1, "loss": 5.5, "num_tokens": 100},
            {"step": 2, "loss": math.nan, "num_tokens": 200, "lr": 0.5},
            {"step": 2, "valid_loss": "4.5"},
            {"message": "saved"},
            {"final_loss": 4.25, "tokens": 210},
        )
    )
    assert log.format == "JSON lines"
    assert listed(log.tokens) == [100, 200]
    assert log.loss[0] == 5.5
    assert math.isnan(log.loss[1])
    assert math.isnan(log.lr[0])
    assert (log.fact("params"), log.fact("vocabulary"), log.fact("tokens")) == (1.5e8, 32000, 210)
    assert (log.facts["id"], log.fact("final_loss"), log.fact("id")) == ("x", 4.25, None)
    assert (log.ignored, log.unreadable) == (2, 0)
    assert final_loss(log) == (4.5, "last evaluation loss", "evaluation")


def test_json_lines_cut_off_in_the_last_line(read):
    log = read(lines_of({"step": 1, "loss": 5.5}, {"step": 2, "loss": 5.25}) + '{"step": 3, "lo')
    assert (listed(log.loss), log.unreadable) == ([5.5, 5.25], 1)


def test_json_lines_cut_off_in_the_first_line(read):
    log = read('{"step": 0, "loss": 6\n' + lines_of({"step": 1, "loss": 5.5}, {"step": 2, "loss": 5.25}))
    assert (log.format, listed(log.loss), log.unreadable) == ("JSON lines", [5.5, 5.25], 1)


def test_json_rows_with_a_loss_and_no_step_are_no_curve(read):
    message = refused(read, lines_of({"run": "a", "loss": 3.0}, {"run": "b", "loss": 2.5}))
    assert "2 rows with a loss and none with a step" in message
    assert "`scaleplan fit` reads the file as it is" in message


def test_rows_of_two_runs_are_not_mixed(read):
    message = refused(read, lines_of({"run": "$(id)\n", "step": 1, "loss": 3.0}, {"run": "b", "step": 1, "loss": 2.5}))
    assert r"rows of 2 runs ('$(id)\n', 'b' ...)" in message


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_object_is_a_result(read, indent):
    log = read(json.dumps({"id": 7, "params": 1e8, "tokens": 2e9, "step": 40, "loss": 3.5, "ok": True}, indent=indent))
    assert (log.format, log.step.size) == ("JSON object", 0)
    assert (log.fact("params"), log.fact("tokens"), log.facts["id"]) == (1e8, 2e9, "7")
    assert final_loss(log) == (3.5, "loss of the result", "result")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"loss": 3.0, "val_loss": 2.5, "final_loss": 2.25}, 2.25),
        ({"loss": 3.0, "val_loss": 2.5}, 2.5),
        ({"loss": 3.0, "eval/loss": 2.75, "validation loss": 2.5}, 2.75),
        ({"train_loss": 3.25, "loss": 3.0}, 3.0),
        ({"loss": "2.5"}, 2.5),
        ({"loss": "diverged", "final_loss": None}, None),
        ({"loss": True}, None),
        ({"params": 10**400, "seed": 1}, None),
        ({"metrics": {"loss": 3.0}, "lr": 1}, None),
        ({"epoch": 1.0, "train_loss": 4.9, "train_runtime": 9.5, "total_flos": 2e13}, None),
        ({"train_loss": 4.9, "train_runtime": 9.5, "eval_loss": 4.5}, 4.5),
        ({"loss": 4.5, "train_loss": 4.9, "train_runtime": 9.5}, 4.5),
    ],
)
def test_which_loss_of_a_result_counts(read, result, expected):
    found = final_loss(read(json.dumps(result)))
    assert (None if found is None else found.value) == expected


def test_a_loss_that_is_not_finite_is_a_fact(read):
    assert math.isnan(final_loss(read('{"loss": NaN}')).value)
    assert final_loss(read('{"loss": "Infinity"}')).value == math.inf


def test_a_json_list_of_rows(read):
    log = read(' [\n{"iter": 2, "loss": 4.5},\n {"iter": 1, "loss": 5.5}, 3]')
    assert (log.format, listed(log.step), listed(log.loss), log.unreadable) == ("JSON list", [1, 2], [5.5, 4.5], 1)


@pytest.mark.parametrize("indent", [None, 2])
def test_hugging_face_trainer_state(read, indent):
    log = read(json.dumps(STATE, indent=indent), "trainer_state.json")
    assert log.format == "Hugging Face trainer state"
    assert (listed(log.step), listed(log.loss)) == ([10, 20], [5.5, 4.25])
    assert (listed(log.grad_norm), listed(log.lr)) == ([2.5, 1.25], [3e-4, 1e-4])
    assert (listed(log.eval_step), listed(log.eval_loss)) == ([10, 20], [5.1, 4.5])
    assert (log.fact("total_steps"), log.fact("step"), log.fact("tokens"), log.ignored) == (40, 20, None, 1)
    counted = read(json.dumps(STATE | {"num_input_tokens_seen": 5000}))
    assert counted.fact("tokens") == 5000


def test_megatron_text_among_other_lines(read):
    log = read(MEGATRON)
    assert log.format == "Megatron-LM text"
    assert (listed(log.step), listed(log.loss)) == ([10, 20], [8.5, 6.25])
    assert (listed(log.lr), listed(log.grad_norm)) == ([1.5e-4, 1e-4], [2.5, 1.125])
    assert math.isnan(log.tokens[0])
    assert (log.tokens[1], log.fact("total_steps")) == (5242880, 40)
    assert (listed(log.eval_step), listed(log.eval_loss)) == ([20], [6.5])
    assert log.ignored == 4  # the first line, the skipped iteration, the test set, and the line that was cut off


def test_megatron_at_the_end_of_training(read):
    text = " iteration 5/ 5 | lm loss: NAN | grad norm: nan |\n"
    text += " validation loss at the end of training for val data | lm loss value: 6.5E+00 | lm loss PPL: 6.6E+02 |\n"
    log = read(text)
    assert math.isnan(log.loss[0])
    assert (listed(log.eval_step), listed(log.eval_loss)) == ([5], [6.5])


def test_nanogpt_text_among_other_lines(read):
    log = read(NANO)
    assert log.format == "nanoGPT text"
    assert listed(log.step) == [0, 10, 20]
    assert listed(log.loss)[:2] == [10.9857, 9.5]
    assert math.isnan(log.loss[2])
    assert (listed(log.eval_step), listed(log.eval_loss), log.ignored) == ([0, 20], [10.9902, 6.5], 4)


def test_rows_printed_as_python_are_counted_where_they_have_no_step(read):
    log = read(PRINTED)
    assert (log.format, log.counted) == ("text with printed rows", True)
    assert [each.code for each in log.notices] == ["rows_numbered"]
    assert listed(log.step) == [1, 2, 3]
    assert log.loss[0] == 5.5
    assert math.isnan(log.loss[1])
    assert log.loss[2] == 4.5
    assert (listed(log.eval_step), listed(log.eval_loss)) == ([1], [5.25])
    assert listed(log.lr)[:2] == [3e-4, 1e-4]
    assert log.ignored == 3


def test_json_rows_in_text_keep_their_steps_and_the_last_speaks_of_the_run(read):
    log = read('starting\n{"step": 5, "loss": 4.5}\n{"step": 10, "loss": 4.0}\n{"loss": 3.75, "params": 1e6}\n')
    assert (listed(log.step), log.counted, log.fact("params")) == ([5, 10], False, 1e6)
    assert final_loss(log) == (3.75, "loss of the result", "result")


def test_the_format_of_most_lines_is_that_of_the_log(read):
    log = read(NANO + "{'loss': 1.0}\n")
    assert (log.format, log.ignored) == ("nanoGPT text", 5)


def test_a_restart_that_goes_back_counts_the_later_line(read):
    text = "".join(f"iter {step}: loss {loss}, time 1ms\n" for step, loss in [(0, 9), (1, 8), (2, 7), (1, 6), (2, 5)])
    log = read(text)
    assert (listed(log.step), listed(log.loss)) == ([0, 1, 2], [9, 6, 5])


def test_the_last_per_cent_of_steps_stands_in_for_an_evaluation(read):
    rows = "".join(f"{step},{2 if step > 9900 else 4}\n" for step in range(1, 10_001))
    assert final_loss(read("step,loss\n" + rows)) == (
        2.0,
        "mean training loss of the last 100 rows (1 % of the steps)",
        "training",
    )
    few = "".join(f"{step},{2 if step > 90 else 4}\n" for step in range(1, 101))
    assert final_loss(read("step,loss\n" + few)) == (2.0, "mean training loss of the last 10 rows", "training")
    assert final_loss(read("step,loss\n1,4\n2,3\n")).value == 3.5


@pytest.mark.parametrize(("end", "expected"), [("nan", math.nan), ("inf", math.inf), ("1e308", math.inf)])
def test_a_training_loss_that_is_not_finite_at_the_end_stays_so(read, end, expected):
    rows = "".join(f"{step},{3 if step < 15 else end}\n" for step in range(1, 25))
    assert final_loss(read("step,loss\n" + rows)).value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty; looked for CSV with a header (step, loss), JSON lines,"),
        (b" \n\n", "blank; looked for"),
        (b"PK\x03\x04\x00\x00", "a binary file; looked for"),
        (b"hello\nno loss here\n", "no line of 2 could be read as a training log (Megatron-LM text); looked for CSV"),
        (b"{}", "no line of 1 could be read"),
        (b"[]", "no line of 0 could be read"),
        (b'{"params": 1e8, "tokens": 2e9, "lo', "cut off in the middle: the JSON does not end (column 32)"),
        (b'{"params": 1e8,\n "loss": 2.', ":2: cut off in the middle"),
        (b'{"params": 1e8,', ":1: cut off in the middle"),
        (b'{"loss": 2.5]', ":1: not JSON: expecting ',' delimiter"),
        (b'{"loss": 2.5, "name": "\xff\xfe"\n}', ":1: not UTF-8 text"),
        (b'[{"step": 1, "loss": 3}, {"step":', "cut off in the middle"),
        (b'{"a":' * 100_000, "objects within objects without end"),
        (b'{"loss":\n' + b"9" * 5000 + b"}", "a number of more digits than any number has"),
    ],
)
def test_what_is_no_log_says_what_was_looked_for(read, text, words):
    assert words in refused(read, text)


def test_a_trainer_state_cut_off_in_the_middle_is_no_shorter_log(read):
    assert "cut off in the middle" in refused(read, json.dumps(STATE, indent=2)[:500])


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/loop").symlink_to(tmp_path / "links/loop")
    (tmp_path / "empty").mkdir()
    of_names = {"none": "no such file", "empty": "a folder", "pipe": "not a regular file", "links/loop": "links"}
    for name, words in of_names.items():
        with pytest.raises(InputFileError) as caught:
            read_log(tmp_path / name)
        assert words in caught.value.message
        assert not isinstance(caught.value, LogContentError)


def test_a_hostile_file_name_stays_on_one_line(read):
    with pytest.raises(InputFileError) as caught:
        read_log_named(read, "$(touch x)\n[bold].log")
    assert "\\n" in caught.value.message
    assert "\n" not in caught.value.message


def read_log_named(read, name):
    return read("nothing\n", name)


def test_lines_that_no_log_has_cost_no_more_than_their_length(read):
    text = (
        "loss " + "step 1: " * 200_000 + "\n" + "loss " + "{'a" * 300_000 + "}\n" + "iter " + "9" * 10_000 + ": loss\n"
    )
    log = read(text + "iter 1: loss 2.5, time\n")
    assert (listed(log.loss), log.ignored) == ([2.5], 3)


def test_bytes_that_are_not_utf8_between_lines_are_passed_over(read):
    log = read(b"\xff\xfe loss\niter 1: loss 2.5, time 1ms \xff\n")
    assert listed(log.loss) == [2.5]


def test_what_a_log_holds_are_arrays_of_floats(read):
    log = read(NANO)
    assert all(column.dtype == np.float64 for column in (log.step, log.loss, log.eval_step, log.eval_loss))


def test_a_loss_that_was_not_finite_for_a_while_is_left_out_of_the_mean(read):
    rows = "".join(f"{step},{'nan' if step in (17, 20) else 3}\n" for step in range(1, 25))
    found = final_loss(read("step,loss\n" + rows))
    assert (found.value, found.how) == (3.0, "mean training loss of the last 10 rows, without 2 not finite")
    assert math.isnan(final_loss(read("step,loss\n" + rows + "25,nan\n")).value)


@pytest.mark.parametrize(
    ("evaluated", "last", "old"),
    [
        ((100, 200), 300, ""),
        ((100, 200), 301, "at step 200 of 301"),
        ((500,), 505, ""),
        ((500,), 1000, "at step 500 of 1,000"),
        ((1000,), 500, ""),
    ],
)
def test_an_evaluation_counts_where_it_is_no_older_than_evaluations_are_apart(read, evaluated, last, old):
    rows = [{"step": step, "val_loss": 4.5} for step in evaluated] + [{"step": last, "loss": 4.0}]
    log = read(lines_of({"step": 1, "loss": 9.0}, *rows))
    assert old_evaluation(log) == old
    assert final_loss(log).kind == ("training" if old else "evaluation")
