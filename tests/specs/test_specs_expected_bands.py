"""Bands that a loss is expected in, from files."""

from __future__ import annotations

import json

import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.expected_bands import read_expected

ROWS = [{"step": step, "loss_low": 3 - step / 100, "loss_high": 3.5 - step / 100, "more": "x"} for step in (10, 20, 30)]
CSV = "step,loss_low,loss_high\n" + "".join(f"{r['step']},{r['loss_low']},{r['loss_high']}\n" for r in ROWS)
ENVELOPE = {"schema": "scaleplan.forecast/1", "version": "0", "inputs": {}, "rows": ROWS, "warnings": []}
TEXTS = {
    "csv": CSV,
    "csv with a mark": "\ufeff" + CSV,
    "lines": "".join(f"{json.dumps(row)}\n" for row in ROWS),
    "list": json.dumps(ROWS),
    "envelope": json.dumps(ENVELOPE),
    "curve": json.dumps(ENVELOPE | {"rows": ROWS[-1:], "inputs": {"curve": ROWS}}),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_band_is_read_from_every_format(tmp_path, text):
    path = tmp_path / "band"
    path.write_text(text, encoding="utf-8")
    band = read_expected(str(path))
    assert band.step.tolist() == [10, 20, 30]
    assert band.low.tolist() == [2.9, 2.8, 2.7]
    assert band.high.tolist() == [3.4, 3.3, 3.2]
    assert band.name == str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("step,loss_low\n1,2\n", ":1: no 'loss_high' (got 'step', 'loss_low')"),
        (CSV[:24], "0 rows"),
        (CSV + "x,1,2\n", ":5: step: must be a finite number (got 'x')"),
        (CSV + "40,1\n", ":5: loss_high: must be a finite number"),
        (CSV + "30,1,2\n", "step 30 follows 30; steps must rise"),
        (CSV + "40,2,1\n", ":5: loss_low 2 is above loss_high 1"),
        ("{]", ":1: not JSON"),
        ("[1]", "row 1: no object"),
        ('{"schema": "scaleplan.plan/1", "rows": []}', "schema: must be scaleplan.forecast/1"),
        ('{"schema": "scaleplan.forecast/1", "rows": {}}', "rows: must be a list"),
        (json.dumps(ENVELOPE | {"rows": ROWS[:1]}), "1 row; a band has two steps"),
        (json.dumps([ROWS[0] | {"loss_low": None}]), "row 1: loss_low: must be a finite number (got 'None')"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_what_is_no_band_is_refused_with_its_place(tmp_path, text, said):
    path = tmp_path / "band"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputFileError) as error:
        read_expected(str(path))
    assert str(path) in error.value.message
    assert said in error.value.message
    assert "\n" not in error.value.message


def test_a_band_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputFileError, match="no such file"):
        read_expected(str(tmp_path / "none"))
