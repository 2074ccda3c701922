"""Tables of measured runs."""

import io
import math
import os
import re
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.run_columns import column
from scaleplan.specs.run_tables import LEAST_LOSS, MOST_LOSS, read_runs
from scaleplan.specs.runs import run_blocks

GOOD = "params,tokens,loss\n1e9,2e10,2.5\n70B,1.4T,1.9\n"
LINE = '{"params": 1e9, "tokens": 2e10, "loss": 2.5}\n'


@pytest.fixture
def read(tmp_path):
    def from_text(text, name="runs.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_runs(path, **options)

    return from_text


def codes(table):
    return [notice.code for notice in table.notices]


def frame(n=40):
    numbers = np.random.default_rng(3)
    size, tokens = 10 ** numbers.uniform(7, 10, n), 10 ** numbers.uniform(9, 12, n)
    return pl.DataFrame(
        {
            "run": [f"run {i // 4}" for i in range(n)],
            "params": size,
            "tokens": tokens,
            "loss": 1.8 + 482 / size**0.348 + 2085 / tokens**0.366,
            "weight": numbers.uniform(0.1, 3, n),
            "unique_tokens": tokens / 3,
        }
    )


def test_params_tokens_and_loss_with_the_lines_they_stand_on(read):
    table = read(GOOD)
    runs = table.runs
    assert (runs.params.tolist(), runs.tokens.tolist(), runs.loss.tolist()) == ([1e9, 7e10], [2e10, 1.4e12], [2.5, 1.9])
    assert (runs.weight.tolist(), runs.run.tolist(), runs.row.tolist()) == ([1, 1], [0, 1], [2, 3])
    assert (runs.names, runs.flop, runs.unique_tokens) == (None, None, None)
    assert runs.counts_params is ParamCount.TOTAL
    assert (table.notices, table.rows_read) == ((), 2)


def test_the_same_table_is_the_same_runs_from_every_source(tmp_path):
    table = frame()
    table.write_csv(tmp_path / "runs.csv")
    table.write_ndjson(tmp_path / "runs.ndjson")
    table.write_parquet(tmp_path / "runs.parquet")
    want = read_runs(table).runs
    sources = [tmp_path / "runs.csv", str(tmp_path / "runs.ndjson"), tmp_path / "runs.parquet", table.lazy()]
    for source in sources:
        runs = read_runs(source).runs
        assert runs.digest() == want.digest()
        assert runs.names == want.names == tuple(f"run {i}" for i in range(10))


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_other_dataframes_are_the_same_runs(library):
    module = pytest.importorskip(library)
    columns = frame().to_dict(as_series=False)
    native = module.DataFrame(columns) if library == "pandas" else module.table(columns)
    assert read_runs(native).runs.digest() == read_runs(frame()).runs.digest()


@pytest.mark.parametrize("text", [GOOD, LINE * 2, "\ufeff" + LINE + "\n" + LINE, f"[{LINE.strip()}, {LINE.strip()}]"])
def test_a_dash_is_standard_input_of_csv_or_json(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    runs = read_runs("-").runs
    assert (runs.source, len(runs), runs.loss[0]) == ("<stdin>", 2, 2.5)


def test_compute_stands_in_for_tokens_or_params_and_is_then_no_record(read):
    table = read("params,flops,loss\n1e9,6e19,3\n")
    assert (table.runs.tokens.tolist(), table.runs.flop, codes(table)) == ([1e10], None, ["derived_tokens"])
    table = read("tokens,train_flop,loss\n1e10,6e19,3\n")
    assert (table.runs.params.tolist(), table.runs.flop, codes(table)) == ([1e9], None, ["derived_params"])
    table = read("params,tokens,flops,loss\n1e9,1e10,7e19,3\n")
    assert (table.runs.flop.tolist(), codes(table)) == ([7e19], [])


def test_parameters_without_embeddings_are_taken_where_there_are_no_others(read):
    runs = read("params_nonembedding,tokens,loss\n1e9,2e10,3\n").runs
    assert (runs.params.tolist(), runs.counts_params) == ([1e9], ParamCount.NONEMBEDDING)
    table = read("params_nonembedding,params,tokens,loss\n1e9,2e9,2e10,3\n")
    assert (table.runs.params.tolist(), table.runs.counts_params) == ([2e9], ParamCount.TOTAL)
    assert "params_nonembedding, since params is there" in table.notices[0].message


def test_rows_of_a_run_share_its_index_and_other_columns_are_named(read):
    table = read("run,params,tokens,loss,lr,seed\n007,1e9,1e9,3,1,\nb,1e9,1e9,3,1,\n007,1e9,2e9,2.9,1,\n")
    assert (table.runs.run.tolist(), table.runs.names) == ([0, 1, 0], ("007", "b"))
    assert table.notices[0] == ("ignored_columns", "columns not used: lr, seed.")


def test_columns_by_another_name(read):
    text = "N,D,val_loss,loss\n1e9,2e10,2.5,9\n"
    table = read(text, columns={"params": "N", "tokens": "D", "loss": "val_loss"}, where=["params < 1e10"])
    assert table.runs.loss.tolist() == [2.5]
    assert table.notices[0].message == "columns not used: loss."


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (["flops < 1e21"], [2, 4]),
        (["train_flop < 1e21", "val_data = 'c4_val'"], [2]),
        (["val_data IN ('c4_val', 'rpj')", "lr IS NOT NULL"], [2, 3]),
        (["loss IS NOT NULL"], [2, 3, 4]),
        (["lr < 0.01"], [2, 3]),
        ("params <= 1e9", [2, 4]),
        (["decayed = true"], [2, 4]),
    ],
)
def test_conditions_choose_rows_and_the_rest_are_counted(read, where, rows):
    text = (
        "params,tokens,loss,flops,val_data,lr,decayed\n"
        "1e9,2e10,2.5,1.2e20,c4_val,0.001,true\n"
        "70B,1.4T,1.9,5.88e23,c4_val,0.002,false\n"
        "1e9,3e10,2.4,1.8e20,rpj,,TRUE\n"
    )
    table = read(text, where=where)
    assert table.runs.row.tolist() == rows
    assert table.rows_read == 3
    assert ("rows_filtered" in codes(table)) == (len(rows) < 3)
    if len(rows) < 3:
        assert f"{3 - len(rows)} of 3 rows left out by --where" in " ".join(notice.message for notice in table.notices)


def test_a_condition_without_a_value_to_judge_by_is_counted_apart(read):
    table = read("params,tokens,loss,lr\n1e9,2e10,2.5,\n1e9,2e10,2.5,1\n", where=["lr > 0"])
    assert "1 of them for want of a value to judge by" in table.notices[0].message


def test_missing_losses_are_left_out_when_asked_and_reported_otherwise(read):
    text = GOOD + "1e9,2e10,\n1e9,2e10,nan\n"
    assert read(text, where=["loss IS NOT NULL"]).runs.row.tolist() == [2, 3]
    with pytest.raises(InputFileError) as caught:
        read(text, where=["loss < 14"])
    assert [problem.partition("runs.csv")[2] for problem in caught.value.problems] == [
        ":4: loss: an empty value where a number should be",
        ":5: loss: must be a finite number (got nan)",
        ': rows without a value can be left out by --where "loss IS NOT NULL"',
    ]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("flop < 1e21", "no column 'flop'. Did you mean loss? Columns: params, tokens, loss"),
        ("corpus = c4", "no column"),
        ("loss = c4", "no column 'c4'. Columns: params, tokens, loss; text stands in single quotes: 'c4'"),
        ("loss <", "unable to parse 'loss <' as Expr; write a condition such as \"flops < 1e21\""),
        ("", "write a condition such as"),
        ("loss < 3; DROP TABLE runs", "unexpected token ';'"),
        ("loss + 1", "not a yes or no for each row"),
        ("SUM(loss) > 1", "not a yes or no for each row"),
        ("1 = 1", "on no column"),
        ("loss < '3'", "numbers stand without quotes, text in single quotes"),
        ("params < 70B", "a name where a number should end; write 7e10 for 70B"),
        ("sinus(loss) > 1", "unsupported function 'sinus'"),
    ],
)
def test_conditions_that_cannot_be_used(read, where, words):
    with pytest.raises(UsageError) as caught:
        read(GOOD, where=[where])
    assert caught.value.message.startswith("--where ")
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"los": "loss"}, "no column is called 'los' here. Did you mean loss"),
        ({"loss": "vloss"}, "no column 'vloss'. Did you mean loss? Columns: params, tokens, loss"),
        ({"loss": "loss", "params": "loss"}, "loss is named for two columns"),
    ],
)
def test_columns_that_are_not_there(read, columns, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        read(GOOD, columns=columns)


BAD_TABLES = [
    ("params,tokens,loss\n1e9,2e10,\n", ":2: loss: an empty value where a number should be"),
    ("params,tokens,loss\n1e9,2e10,x\n", ":2: loss: not a number: 'x'; write 2.1"),
    ("params,tokens,loss\n1e9,2e10,-2\n", ":2: loss: must be > 0 (got -2)"),
    ("params,tokens,loss\n1e9,2e10,0\n", ":2: loss: must be > 0 (got 0)"),
    ("params,tokens,loss\n1e9,2e10,NaN\n", ":2: loss: must be a finite number (got NaN)"),
    ("params,tokens,loss\n1e9,2e10,-inf\n", ":2: loss: must be a finite number (got -inf)"),
    ("params,tokens,loss\n\n0,2e10,2\n", ":3: params: must be > 0 (got 0)"),
    ("params,tokens,loss\n0.5,2e10,2\n", ":2: params: must be at least 1 (got 0.5)"),
    ("params,tokens,loss\n-1e9,2e10,2\n", ":2: params: must be > 0 (got -1e9)"),
    ("params,tokens,loss\n1e9,1e400,2\n", ":2: tokens: must be a finite number (got 1e400)"),
    ("params,tokens,loss\n1e9,0.9,2\n", ":2: tokens: must be at least 1 (got 0.9)"),
    ("params,tokens,loss\n1e9,,2\n", ":2: tokens: an empty value where a number should be"),
    ("params,tokens,loss,flops\n1e9,1e9,2,70B tokens\n", ":2: flops: not a number of flops"),
    ("params,tokens,loss,flops\n1e9,1e9,2,\n", ":2: flops: an empty value where a number should be"),
    ("params,tokens,loss,weight\n1e9,1e9,2,0\n", ":2: weight: must be > 0"),
    ("params,tokens,loss,weight\n1e9,1e9,2,much\n", ":2: weight: not a number: 'much'; write 1 or 0.5"),
    ("params,tokens,loss,unique_tokens\n1e9,1e9,2,nan\n", ":2: unique_tokens: must be a finite number"),
    ("params,tokens,loss,unique_tokens\n1e9,1e9,2,2e9\n", ":2: unique_tokens: more than the tokens trained on"),
    ("params,flops,loss,unique_tokens\n1e9,6e18,2,2e9\n", ":2: unique_tokens: more than the tokens trained on"),
    ("params,flops,loss\n1e9,6,2\n", ":2: flops: less than 6 a parameter"),
    ("tokens,flops,loss\n1e9,6,2\n", ":2: flops: less than 6 a token"),
    ("run,params,tokens,loss\n,1e9,1e9,2\n", ":2: run: an empty value where a name should be"),
    ("params,tokens,loss\n", ": a header and no rows"),
    ("params,tokens,loss", ": a header and no rows"),
    ("", ": empty; the first line must name the columns"),
    ("params,tokens\n1e9,1e9\n", ":1: no column 'loss'; got params, tokens. --column loss=NAME names it"),
    ("params,tokens,val_loss\n1e9,1e9,2\n", "Did you mean val_loss? --column loss=NAME names it"),
    ("parms,tokens,loss\n1e9,1e9,2\n", ":1: no column 'params'; needs two of params, tokens and flops"),
    ("params,loss\n1e9,2\n", ":1: no column 'tokens'; needs two of params, tokens and flops"),
    ("params;tokens;loss\n1;2;3\n", "write commas between them"),
    ("params,tokens,loss,loss\n1,2,3,4\n", ":1: column 'loss' stands twice"),
    ("params,tokens,loss,flops,train_flop\n1,2,3,4,5\n", ":1: flops and train_flop are the same column; keep one"),
    ("params,tokens,loss\n1e9,1e9\n", ":2: 2 values, 3 columns in the header"),
    ("params,tokens,loss\n1e9,1e9,2,3\n", ":2: 4 values, 3 columns in the header"),
    ("params,tokens,loss,note\n1e9,1e9,2,\n\n1e9,1e9,2\n", ":4: 3 values, 4 columns in the header"),
    ("params,tokens,loss\n1e9,1e9,2\r1e9,1e9,2\n", ":2: "),
    (b"params,tokens,loss\n1e9,1e9,\xff\n", ":2: not UTF-8 text"),
    (b"\xff\xfep\n", ":1: not UTF-8 text"),
    (b"PK\x03\x04\x00\x00", ": a binary file, not CSV text"),
    (
        LINE + '{"params": null, "tokens": 2e10, "loss": 2.5}',
        ", row 2: params: an empty value where a number should be",
    ),
    (LINE + '{"params": "x", "tokens": 2e10, "loss": 2.5}', ", row 2: params: not a number: 'x'"),
    (LINE + '{"params": true, "tokens": 2e10, "loss": 2.5}', ", row 2: params: not a number: 'true'"),
    (LINE + '{"params": [1], "tokens": 2e10, "loss": 2.5}', ", row 2: params: not a number: '[1]'"),
    (LINE + '{"params": 1e9, "tokens": 2e10, "loss": NaN}', ", row 2: loss: must be a finite number"),
    (LINE + '{"params": 1e9, "tokens": 2e10, "loss": -3}', ", row 2: loss: must be > 0 (got -3"),
    (LINE + '{"params": 1e9, "tokens": 2e10, "loss": 2.5, "loss": 3}', ":2: column 'loss' stands twice"),
    (LINE + '{"params": 1e9, "tok', ":2: not JSON, one object a line"),
    (LINE + "[1]\n", ":2: not a JSON object such as"),
    ("{}\n", ": no column 'loss'; got nothing"),
    ("[]", ": no column 'loss'; got nothing"),
    (b'{"params": "\xff"}\n', ":1: not UTF-8 text"),
    ("[" * 100_000, ":1: not"),
    (GOOD.replace("1.9", "35.2"), "(line 3: 35.2); it looks like bits, percent or perplexity"),
    (GOOD.replace("1.9", "0.16"), "loss: outside 0.17 to 13.86 nats a token"),
    (LINE + LINE.replace("2.5", "16"), "(row 2: 16); it looks like bits, percent or perplexity"),
    (
        "params,tokens,loss,tokenizer\n1e9,1e9,2,gpt2\n1e9,1e9,2,l'ama\n",
        "do not compare; keep one with --where \"tokenizer = 'gpt2'\"",
    ),
]


@pytest.mark.parametrize(("text", "words"), BAD_TABLES)
def test_a_table_that_cannot_be_fitted_is_named_by_line_or_row(read, text, words):
    with pytest.raises(InputFileError) as caught:
        read(text)
    assert words in caught.value.message
    assert all("runs.csv" in problem and "\n" not in problem for problem in caught.value.problems)


def test_every_problem_is_named_at_once_in_the_order_of_the_rows(read):
    with pytest.raises(InputFileError) as caught:
        read("params,tokens,loss\n1e9,x,2\n0,1e9,-1\n1e9,2e10,2\n1e9,inf,2\n")
    assert [problem.partition("runs.csv")[2][:11] for problem in caught.value.problems[:4]] == [
        ":2: tokens:",
        ":3: params:",
        ":3: loss: m",
        ":5: tokens:",
    ]


def test_of_many_problems_twenty_are_named_and_the_rest_counted(read):
    with pytest.raises(InputFileError) as caught:
        read("params,tokens,loss\n" + "1e9,2e10,-1\n" * 1030)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1].endswith("runs.csv: and 1,010 more such values")


def test_losses_beyond_any_law_are_taken_when_confirmed_and_limits_are_inside(read):
    assert read(GOOD.replace("1.9", "35.2"), any_loss=True).runs.loss[1] == 35.2
    edges = f"params,tokens,loss\n1e9,1e9,{MOST_LOSS!r}\n1e9,1e9,{LEAST_LOSS!r}\n"
    assert read(edges).runs.loss.tolist() == [MOST_LOSS, LEAST_LOSS]


def test_no_row_left_is_an_error(read):
    with pytest.raises(InputFileError, match=r"none of 2 rows passes --where 'loss < 1'"):
        read(GOOD, where=["loss < 1"])


def test_a_condition_picks_one_tokenizer_and_it_is_kept(read):
    text = "params,tokens,loss,tokenizer,corpus\n1e9,1e9,2,gpt2,c4\n1e9,1e9,2,llama,c4\n"
    runs = read(text, where=["tokenizer = 'llama'"]).runs
    assert (runs.tokenizer, runs.corpus) == ("llama", "c4")


@pytest.mark.parametrize("name", ["corpus", "val_data", "dataset", "train_data"])
def test_several_corpora_are_a_notice(read, name):
    table = read(f"params,tokens,loss,{name}\n1e9,1e9,2,c4\n1e9,1e9,2,rpj\n")
    assert codes(table) == ["mixed_corpora"]
    assert f"{name} has 2 values (c4, rpj)" in table.notices[0].message
    assert f"--where \"{name} = 'c4'\"" in table.notices[0].message
    assert codes(read(f"params,tokens,loss,{name}\n1e9,1e9,2,c4\n1e9,1e9,2,c4\n")) == []


def test_parquet_that_is_cut_short_damaged_or_something_else(tmp_path):
    path = tmp_path / "runs.parquet"
    frame().write_parquet(path)
    whole = path.read_bytes()
    for data, words in [
        (whole[:-60], "a truncated Parquet file: its end is missing"),
        (whole[:4], "a truncated Parquet file"),
        (whole[:40] + b"\0" * 400 + whole[440:], "damaged Parquet: "),
        (GOOD.encode(), "not Parquet, which begins with PAR1"),
        (b"", "not Parquet, which begins with PAR1; the file is empty"),
    ]:
        path.write_bytes(data)
        with pytest.raises(InputFileError, match=re.escape(f"runs.parquet: {words}")):
            read_runs(path)


def test_values_of_a_dataframe_are_named_by_row(tmp_path):
    bad = frame().with_columns(loss=pl.when(pl.int_range(pl.len()) == 7).then(-1.0).otherwise("loss"))
    bad.write_parquet(tmp_path / "runs.parquet")
    for source, name in [(bad, "dataframe"), (tmp_path / "runs.parquet", "runs.parquet")]:
        with pytest.raises(InputFileError, match=re.escape(f"{name}, row 8: loss: must be > 0 (got -1.0)")):
            read_runs(source)
    with pytest.raises(InputFileError, match="dataframe: no rows"):
        read_runs(frame(0))


@pytest.mark.parametrize("source", [None, 3, [1], {"params": [1]}])
def test_what_is_no_table(source):
    with pytest.raises(UsageError, match="runs are a path or a dataframe that narwhals knows"):
        read_runs(source)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputFileError, match=r"gone\.csv: no such file"):
        read_runs(tmp_path / "gone.csv")
    with pytest.raises(InputFileError, match="a folder, not a file"):
        read_runs(tmp_path)


# A busy machine draws slowly, which says nothing of the code.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=30))
def test_numbers_are_read_exactly_from_text_as_from_floats(values):
    text = column(pl.Series("loss", [repr(value) for value in values]), "loss")
    typed = column(pl.Series("loss", values), "loss")
    assert text.values.tolist() == typed.values.tolist() == values
    assert not text.bad.any()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.floats(), st.none(), st.integers(-5, 5)), min_size=1, max_size=30))
def test_exactly_what_is_no_positive_number_is_bad(values):
    wrong = [value is None or not (0 < value < math.inf) for value in values]
    text = [None if value is None else repr(value) for value in values]
    assert column(pl.Series("loss", text, dtype=pl.String), "loss").bad.tolist() == wrong
    assert column(pl.Series("loss", values, dtype=pl.Float64, strict=False), "loss").bad.tolist() == wrong


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 999), st.sampled_from("KMBT"))
def test_suffixes_are_powers_of_a_thousand(number, suffix):
    values = column(pl.Series("tokens", [f"{number}{suffix}", f" {number} ", "x"]), "tokens")
    assert values.values[:2].tolist() == [number * 1000.0 ** ("KMBT".index(suffix) + 1), number]
    assert values.bad.tolist() == [False, False, True]


@pytest.mark.parametrize("kind", ["ndjson", "parquet"])
def test_runs_to_predict_are_read_from_ndjson_and_parquet_in_order(tmp_path, kind):
    table = pl.DataFrame({"run": ["b", "a"], "params": [7e10, 1e9], "tokens": [1.4e12, 2e10], "lr": [1, 2]})
    path = tmp_path / f"points.{kind}"
    table.write_ndjson(path) if kind == "ndjson" else table.write_parquet(path)
    (block,) = run_blocks(str(path), Accounting())
    assert (block.params.tolist(), block.tokens.tolist()) == ([7e10, 1e9], [1.4e12, 2e10])
    assert (block.names, block.ignored) == (["b", "a"], ("lr",))


def test_runs_to_predict_come_as_ndjson_on_standard_input(monkeypatch):
    reading, writing = os.pipe()
    os.write(writing, LINE.encode() * 2)
    os.close(writing)
    with io.TextIOWrapper(open(reading, "rb")) as source:
        monkeypatch.setattr(sys, "stdin", source)
        (block,) = run_blocks("-", Accounting())
    assert (block.params.tolist(), block.ignored) == ([1e9, 1e9], ("loss",))


def test_a_bad_row_of_ndjson_to_predict_is_named(tmp_path):
    path = tmp_path / "points.ndjson"
    path.write_text(LINE + LINE.replace("1e9", "-1"))
    with pytest.raises(InputFileError, match=r"points\.ndjson, row 2: params: must be > 0"):
        list(run_blocks(str(path), Accounting()))


@pytest.mark.skipif("SCALEPLAN_DATA" not in os.environ, reason="SCALEPLAN_DATA names the folder of measured runs")
def test_measured_tables_are_read_whole():
    folder = os.environ["SCALEPLAN_DATA"]
    table = read_runs(f"{folder}/gadre_loss.csv", where=["val_data = 'c4_val'"])
    assert (len(table.runs), table.rows_read, table.runs.count) == (104, 832, 104)
    assert codes(table) == ["ignored_columns", "rows_filtered", "mixed_corpora"]
    assert len(read_runs(f"{folder}/chinchilla_epoch.csv").runs) == 245
    data = read_runs(f"{folder}/datablations_final.csv").runs
    assert data.unique_tokens is not None
    assert len(data) == 296
