"""The quick ways through a log against reading every line by itself: the same log, whatever stands in it."""

import itertools
import json
import math
import random

import numpy as np
import pytest

from scaleplan.specs import log_chunks
from scaleplan.specs.log_names import COLUMNS
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_sources import Wanted, rows_of_file
from scaleplan.specs.training_logs import read_log

ODD_CELLS = ["", " ", "nan", "NaN", "inf", "-Infinity", "1e400", "-1e400", "1_000", " 2.5", "2.5 ", "+2", "1e-400"]
ODD_CELLS += ["x", "1.5.2", "true", "None", "0x10", "1,5", '"2.5"', '"a,b"', '"open', "\u0661", "\ud7ff", "\t"]
ODD_LINES = [
    "",
    "   ",
    "garbage",
    "step,loss,lr,run",
    "lr,step,loss,note",
    ",,,",
    "1,2",
    "1,2,3,4,5",
    '"',
    "\r",
    "\0\0",
]
ODD_VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "true",
    '"2.5"',
    '"x"',
    "1e400",
    "-0.0",
    "12345678901234567890123",
]
ODD_VALUES += ["[1]", '{"loss": 3}', "1e-400", '"2026-11-22T03:00:01Z"', "1.", "01", "10000000000000000000000e400"]
ODD_OBJECTS = ["", "{", "[]", "3", "null", '{"step": 1, "loss": 2', '{"loss": 2.5}', '{"message": "saved \\"loss\\":"}']
ODD_OBJECTS += [
    '{"step": 5, "loss": 1, "loss": 2}',
    '{"params": 1e9, "run": "a"}',
    '{"step": 3}',
    "\0",
    '{"loss": NaN}',
]
ODD_OBJECTS += [
    '{"train": {"loss": 9, "step": 7}, "step": 2}',
    '{"total_flos": 1, "train_loss": 3, "step": 9}',
    "\ud7ff",
]
ODD_OBJECTS += [
    '{"step": 4, "val_loss": 2.5}',
    '{"step": 4, "train_loss": 2.5, "loss": null}',
    '{"step": 1, "loss": 1}{}',
]


@pytest.fixture
def both(tmp_path, monkeypatch):
    """Reads a text quickly and carefully; small blocks, so that odd lines stand in blocks of their own."""
    monkeypatch.setattr(log_chunks, "SMALLEST", 300)
    monkeypatch.setattr(log_chunks, "WORTH_POLARS", 0)

    def read(text, form=None, run=None):
        path = tmp_path / "log"
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        logs = []
        for careful in (False, True):
            with open(path, "rb") as file:
                rows = rows_of_file(file, Wanted("log", form, Roles(), run, careful=careful))
            logs.append((rows, rows.log("log")))
        return logs

    return read


def assert_same(logs):
    (quick_rows, quick), (careful_rows, careful) = logs
    for role in ("step", *COLUMNS):
        for one, other in ((quick, careful), (quick.written, careful.written)):
            mine, theirs = getattr(one, role), getattr(other, role)
            assert (mine is None) == (theirs is None), role
            if mine is not None:
                np.testing.assert_array_equal(mine, theirs, err_msg=role)
    np.testing.assert_array_equal(quick.eval_step, careful.eval_step)
    np.testing.assert_array_equal(quick.eval_loss, careful.eval_loss)
    assert repr(quick.facts) == repr(careful.facts)
    assert (quick.format, quick.ignored, quick.unreadable) == (careful.format, careful.ignored, careful.unreadable)
    assert quick.notices == careful.notices
    assert quick_rows.runs == careful_rows.runs
    assert quick_rows.stepless == careful_rows.stepless
    assert quick_rows.first_unreadable == careful_rows.first_unreadable


def noise(seed):
    return random.Random(seed)  # noqa: S311 - the same noise each time


def number(chance):
    return chance.choice([f"{chance.uniform(0, 9):.6g}", f"{chance.uniform(0, 9):.17e}", str(chance.randint(0, 10**6))])


@pytest.mark.parametrize("seed", range(8))
def test_csv(both, seed):
    chance = noise(seed)
    odd = [0, 0.002, 0.05, 0.5][seed % 4]
    names = ["step", "loss", "lr", chance.choice(["time", "note", "val_loss", "iter_time_ms"]), "total_steps"]
    lines = [",".join(names)]
    for step in range(250):
        cells = [str(step + 1 - 50 * (step > 200)), *(number(chance) for _ in names[1:])]
        cells = [chance.choice(ODD_CELLS) if chance.random() < odd else each for each in cells]
        # A zero byte at the beginning would be a binary file.
        lines.append(chance.choice(ODD_LINES) if chance.random() < odd and step > 60 else ",".join(cells))
    end = chance.choice(["\n", "\r\n"])
    assert_same(both(end.join(lines) + chance.choice(["", end])))


@pytest.mark.parametrize("seed", range(8))
def test_json_lines(both, seed):
    chance = noise(seed)
    odd = [0, 0.002, 0.05, 0.5][seed % 4]
    names = ["step", "loss", chance.choice(["lr", "train/loss"]), chance.choice(["time", "run", "Loss"]), "grad norm"]
    colon = chance.choice([":", ": "])
    lines = []
    for step in range(250):
        values = [str(step), *(number(chance) for _ in names[1:])]
        values = [chance.choice(ODD_VALUES) if chance.random() < odd else each for each in values]
        if names[3] == "run":
            values[3] = chance.choice(['"a"', '"b"']) if seed != 5 else chance.choice(["1", '"a"', "null"])
        pairs = [f'"{name}"{colon}{value}' for name, value in zip(names, values, strict=True)]
        if odd and chance.random() < 0.1:
            pairs.pop(chance.randrange(1, 5))
        lines.append(
            chance.choice(ODD_OBJECTS) if chance.random() < odd and step > 60 else "{" + ", ".join(pairs) + "}"
        )
    lines[0] = '{"step": 0, "loss": 5}' if seed % 3 else lines[0]
    run = chance.choice([None, "a"])
    assert_same(both("\n".join(lines) + chance.choice(["", "\n"]), "ndjson", run))


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.parametrize("seed", range(6))
def test_rows_of_one_step_with_different_columns(both, form, seed):
    chance = noise(seed)
    rows = []
    for step in range(0, 240, 1 + seed % 2 * 7):
        lr, loss = {"lr-AdamW": number(chance)}, {"train_loss": number(chance), "grad_norm": number(chance)}
        parts = [lr, loss] if seed < 4 else chance.choice([[lr, loss], [loss, lr], [lr | loss], [lr], [lr, loss, lr]])
        if chance.random() < 0.1:
            parts = [*parts, {"val_loss": number(chance), "grad_norm": "7"}]
        if chance.random() < 0.1 * (seed % 3):
            parts = [{**each, "grad_norm": "NaN"} for each in parts]
        rows += [{"step": str(step - 60 * (step > 120)), **each} for each in parts]
    names = ["step", "lr-AdamW", "train_loss", "grad_norm", "val_loss"]
    if form == "csv":
        text = "\n".join([",".join(names), *(",".join(row.get(name, "") for name in names) for row in rows)])
    else:
        text = "\n".join("{" + ", ".join(f'"{key}": {value}' for key, value in row.items()) + "}" for row in rows)
    logs = both(text, form)
    assert_same(logs)
    log = logs[0][1]
    assert not np.isnan(log.lr[log.step < 60]).any() or seed >= 4
    assert log.eval_loss.size == len({row["step"] for row in rows if "val_loss" in row})


def test_values_that_wait_for_losses_in_another_block(both):
    rates = [f"{step},0.{step + 1},              \n" for step in range(40)]
    losses = [f"{step},,2.500000000000\n" for step in range(40)]
    logs = both("".join(("step,lr,loss\n", *rates, "garbage\n", *losses)))
    assert_same(logs)
    assert logs[0][1].lr.tolist() == [float(f"0.{step + 1}") for step in range(40)]


def test_nan_where_a_key_stands_twice_and_another_lacks_it(both, monkeypatch):
    """All pairs of objects of three keys, each there once, twice or not at all, as a number or NaN."""
    monkeypatch.setattr(log_chunks, "SMALLEST", 0)
    choices = list(itertools.product(*([[], ["1"], ["NaN"], ["NaN", "2"], ["2", "NaN"]] for _ in range(2))))
    objects = [
        "{"
        + ", ".join(
            ['"step": 1', *(f'"{key}": {v}' for key, each in zip(("loss", "lr"), row, strict=True) for v in each)]
        )
        + "}"
        for row in choices
    ]
    chance = noise(1)
    for first in ('{"step": 1, "loss": 1, "lr": 1}', '{"step": 1, "lr": NaN, "loss": 1}'):
        for one, other in chance.sample(list(itertools.combinations(objects, 2)), 20):
            assert_same(both("\n".join((first, one, other)), "ndjson"))


def test_json_lines_that_are_not_a_number_from_somewhere_on(both):
    lines = [json.dumps({"step": i, "loss": 2.0 if i < 50 else math.nan, "lr": 1e-3}) for i in range(200)]
    logs = both("\n".join(lines))
    assert_same(logs)
    assert int(np.isnan(logs[0][1].loss).sum()) == 150


def megatron(chance, step, *, odd):
    fields = {
        "consumed samples": str(step * 256),
        "elapsed time per iteration (ms)": chance.choice(["412.7", "412.7", "12.3/12.1"]) if odd else "412.7",
        "learning rate": "1.5E-04",
        "lm loss": f"{chance.uniform(2, 9):.6E}",
        "mtp_1 loss": "7.0E+00",
        "grad norm": "1.204",
    }
    if chance.random() < odd:
        key = chance.choice(list(fields))
        fields[key] = chance.choice(["nan", "NAN", "", "x", "1 2", "inf", "1e400", "a|b", "-"])
    if chance.random() < odd:
        fields.pop(chance.choice(list(fields)))
    if chance.random() < odd:
        fields["loss"] = "3.5"
    if chance.random() < 0.5 * odd:
        fields.pop("lm loss", None)
        fields |= {"number of skipped iterations": chance.choice("001x"), "number of nan iterations": "0"}
    stamp = chance.choice(["", "[2026-13-01 10:00:01]", "[default0]:", "\x1b[32m"]) if chance.random() < odd else None
    stamp = f"[2026-03-01 10:{step // 60 % 60:02d}:{step % 60:02d}]" if stamp is None else stamp
    return f" {stamp} iteration {step:8d}/     400 | " + " | ".join(f"{k}: {v}" for k, v in fields.items()) + " |"


NOISE = [
    "saving checkpoint",
    "",
    "loss of nothing",
    " validation loss at iteration 20 on x | lm loss value: 6.5E+00 | ",
]
NOISE += [" validation loss at the end of training for val | lm loss value: 6E+00 | x\r{'loss': 3}", "iter 3: loss 4.5"]
NOISE += ["step 5: train loss 4.5, val loss 4.75", "iteration 5/ 10 | lm loss: 3", "\r 10%|##| 1/2\r"]


@pytest.mark.parametrize("seed", range(6))
def test_megatron_text(both, seed):
    chance = noise(seed)
    odd = [0, 0.002, 0.05, 0.5][seed % 4]
    lines = []
    for step in range(80):
        lines.append(megatron(chance, step, odd=odd))
        if chance.random() < odd:
            lines.append(chance.choice(NOISE))
    assert_same(both("\n".join(lines) + "\n"))


@pytest.mark.parametrize("seed", range(4))
def test_nanogpt_text(both, seed):
    chance = noise(seed)
    odd = [0, 0.01, 0.1, 0.5][seed % 4]
    lines = []
    for step in range(300):
        time = chance.choice([", time 251.17ms, mfu 38.40%", ", time 251.17ms, mfu -100.00%", ", time 9.5ms", ""])
        loss = chance.choice(["nan", "inf", "1_0", "1e400", "2.5.1"]) if chance.random() < odd else number(chance)
        lines.append(f"iter {step}: loss {loss}{time if odd else ', time 251.17ms, mfu 38.40%'}")
        if chance.random() < odd:
            lines.append(chance.choice(NOISE))
    assert_same(both("\n".join(lines)))


def test_a_large_plain_file_goes_the_quick_way(tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("read line by line")

    monkeypatch.setattr(log_chunks, "WORTH_POLARS", 0)
    monkeypatch.setattr("scaleplan.specs.log_csv.CsvParser._slow", never)
    monkeypatch.setattr("scaleplan.specs.log_lines.JsonLinesParser._slow", never)
    rows = [{"step": i, "loss": 2.5, "lr": 1e-3} for i in range(3000)]
    (tmp_path / "log.csv").write_text("step,loss,lr\n" + "".join(f"{i},2.5,1e-3\n" for i in range(3000)))
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    assert read_log(tmp_path / "log.csv").step.tolist() == list(range(3000))
    assert read_log(tmp_path / "log.jsonl").lr.tolist() == [1e-3] * 3000
