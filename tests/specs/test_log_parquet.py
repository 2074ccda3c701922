"""Training logs as Parquet, written by polars and pyarrow: types of columns, several runs, and what is no log."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from scaleplan.specs.log_parquet import is_parquet, read_parquet
from scaleplan.specs.log_rows import LogContentError

TABLE = {
    "Step": [0, 10, 20, 30],
    "train/loss": [4.5, None, float("nan"), 3.0],
    "eval_loss": [None, 3.5, None, 3.25],
    "learning_rate": [1, 2, 3, 4],
    "timestamp": [datetime(2026, 3, 1, 10, 0, second, tzinfo=UTC) for second in range(4)],
    "step_time_ms": ["250", " 500 ", "", None],
    "tags": [["a"], ["b"], [], None],
}


@pytest.fixture
def written(tmp_path):
    def write(table, **given):
        path = tmp_path / "log.parquet"
        pl.DataFrame(table).write_parquet(path, **given)
        assert is_parquet(path)
        return path

    return write


def read(path, columns=None, run=None):
    return read_parquet(path, "log.parquet", columns or {}, run).log("log")


def refused(path, columns=None):
    with pytest.raises(LogContentError) as caught:
        read(path, columns)
    assert "\n" not in caught.value.message
    return caught.value.message


def expect_table(log):
    assert log.step.tolist() == [0, 20, 30]
    np.testing.assert_array_equal(log.loss, [4.5, np.nan, 3])
    assert (log.eval_step.tolist(), log.eval_loss.tolist()) == ([10, 30], [3.5, 3.25])
    assert log.lr.tolist() == [1, 3, 4]
    assert log.time.tolist() == [1772359200, 1772359202, 1772359203]
    np.testing.assert_array_equal(log.step_time, [0.25, np.nan, np.nan])
    assert (log.format, log.ignored, log.unreadable) == ("Parquet", 0, 0)


def test_columns_have_their_role_whatever_their_type(written):
    expect_table(read(written(TABLE)))
    expect_table(read(written({**TABLE, "Step": ["0", "10", "20", "30"]})))
    narrow = pl.DataFrame(TABLE).cast({"Step": pl.UInt16, "eval_loss": pl.Float32, "learning_rate": pl.Decimal(10, 2)})
    expect_table(read(written(narrow)))


def test_a_table_of_pyarrow_is_read(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = pa.table({key: value for key, value in TABLE.items() if key != "tags"})
    for compression in ("snappy", "zstd", "none"):
        parquet.write_table(table, tmp_path / "a.parquet", compression=compression, row_group_size=2)
        expect_table(read(tmp_path / "a.parquet"))


def test_a_column_that_is_named_counts(written):
    path = written({"n": [1, 2], "loss": [9.0, 9.0], "ce": [2.0, 1.0]})
    assert read(path, {"step": "n", "loss": "ce"}).loss.tolist() == [2, 1]


def test_rows_without_a_step_are_counted_and_steps_may_go_back(written):
    log = read(written({"step": [5, None, 4], "loss": [3.0, 2.0, 1.0]}))
    assert log.written.step.tolist() == [5, 4]
    assert (log.step.tolist(), log.unreadable) == ([4, 5], 1)


def test_rows_of_other_runs_are_passed_over(written):
    path = written({"step": [1, 1, 2], "loss": [3.0, 2.0, 1.0], "run": ["a", "b", "a"]})
    assert read_parquet(path, "x", {}).runs == {"a", "b"}
    assert read(path, run="a").loss.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"stepp": [1], "loss": [1.0]}, "no column 'step' (read as one: step, iteration"),
        ({"stepp": [1], "loss": [1.0]}, "Did you mean stepp?"),
        ({"step": [1], "accuracy": [1.0]}, "no column is a loss"),
        ({"step": ["one"], "loss": [1.0]}, "column 'step' is no number in 1 rows (first 'one')"),
        ({"step": [1], "loss": [[1.0]]}, "column 'loss' holds List(Float64), not numbers, but is read as loss"),
    ],
)
def test_tables_that_are_no_logs_are_refused(written, table, words):
    assert words in refused(written(table))


def test_a_file_that_is_cut_off_is_refused(written, tmp_path):
    data = written(TABLE).read_bytes()
    for part in (data[:-1], data[: len(data) // 2], b"PAR1", data[:200] + b"\xff" * 300 + data[500:]):
        path = tmp_path / "cut.parquet"
        path.write_bytes(part)
        assert is_parquet(path)
        assert "not Parquet, or cut off" in refused(path)
