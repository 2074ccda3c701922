"""Tables of runs."""

import io
import os
import sys

import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention
from scaleplan.errors import InputFileError
from scaleplan.specs.runs import run_blocks


@pytest.fixture
def read(tmp_path):
    def from_text(text, accounting=None):
        path = tmp_path / "runs.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        params, tokens, names, ignored = [], [], [], ()
        for block in run_blocks(str(path), accounting or Accounting()):
            params += block.params.tolist()
            tokens += block.tokens.tolist()
            names += block.names or []
            ignored = block.ignored
        return params, tokens, names, ignored

    return from_text


@pytest.mark.parametrize(
    ("text", "params", "tokens"),
    [
        ("params,tokens\n1e9,2e10\n70B,1.4T\n", [1e9, 7e10], [2e10, 1.4e12]),
        ("tokens,params\n2e10,1e9", [1e9], [2e10]),
        ("params,tokens\r\n1e9,2e10\r\n7e10,1.4T\r\n", [1e9, 7e10], [2e10, 1.4e12]),
        ("\ufeffparams,tokens\n1e9,2e10\n", [1e9], [2e10]),
        ("params, tokens\n 1e9 , 2e10 \n", [1e9], [2e10]),
        ('"params","tokens"\n"1e9","2e10"\n', [1e9], [2e10]),
        ("params,tokens\n1,1\n", [1.0], [1.0]),
    ],
)
def test_parameters_and_tokens(read, text, params, tokens):
    assert read(text)[:2] == (params, tokens)


@pytest.mark.parametrize("column", ["flops", "train_flop"])
def test_compute_stands_in_for_the_missing_side(read, column):
    assert read(f"params,{column}\n1e9,6e19\n")[:2] == ([1e9], [1e10])
    assert read(f"tokens,{column}\n1e10,6e19\n")[:2] == ([1e9], [1e10])
    assert read(f"params,{column}\n7e10,10 PF-days\n")[1] == pytest.approx([8.64e20 / 4.2e11])


def test_compute_without_embeddings_is_read_as_such(read):
    accounting = Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING)
    (params,), (tokens,), _, _ = read("tokens,flops\n1e10,6e19\n", accounting)
    assert tokens == 1e10
    assert params == pytest.approx(accounting.embeddings.total(1e9), rel=1e-12)


def test_all_three_are_taken_as_parameters_and_tokens(read):
    assert read("params,tokens,flops\n1e9,2e10,1.2e20\n")[:2] == ([1e9], [2e10])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('run,params,tokens\n"a, b",1e9,2e10\n"c ""d""",1e9,2e10\n', ["a, b", 'c "d"']),
        ("params,tokens,run\r\n1e9,2e10,last\r\n", ["last"]),
        ("run,params,tokens\n007,1e9,2e10\nNA,1e9,2e10\nnull,1e9,2e10\n", ["007", "NA", "null"]),
        ("run,params,tokens\n大模型,1e9,2e10\n", ["大模型"]),
    ],
)
def test_names_of_runs_are_kept_as_written(read, text, names):
    assert read(text)[2] == names


def test_other_columns_are_left_out_and_named(read):
    assert read("params,tokens,seed,lr\n1e9,2e10,1,3e-4\n")[3] == ("seed", "lr")


def test_many_rows_come_in_order_over_several_blocks(tmp_path):
    path = tmp_path / "runs.csv"
    rows = [f"{i},{2 * i}" for i in range(1, 100_001)]
    path.write_text("params,tokens\n" + "\n".join(rows))
    blocks = list(run_blocks(str(path), Accounting()))
    assert len(blocks) > 1
    params = [value for block in blocks for value in block.params.tolist()]
    assert params == list(range(1, 100_001))


def test_a_dash_is_standard_input(monkeypatch):
    reading, writing = os.pipe()
    os.write(writing, b"params,tokens\n1e9,2e10\n")
    os.close(writing)
    with io.TextIOWrapper(open(reading, "rb")) as source:
        monkeypatch.setattr(sys, "stdin", source)
        (block,) = run_blocks("-", Accounting())
    assert block.params.tolist() == [1e9]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("params,tokens\n1e9,x\n", ":2: tokens: not a number: 'x'"),
        ("params,tokens\n1e9,2e10\n3e9,-4\n", ":3: tokens: must be > 0 (got -4)"),
        ("params,tokens\n1e9,2e10\nnan,4e10\n", ":3: params: must be a finite number (got nan)"),
        ("params,tokens\n1e9,inf\n", ":2: tokens: must be a finite number (got inf)"),
        ("params,tokens\n1e9,\n", ":2: tokens: an empty value where a number should be"),
        ("params,tokens\n0.5,2e10\n", ":2: params: must be at least 1 (got 0.5)"),
        ("params,tokens\n1e9,2e10\n1e9,0.5\n", ":3: tokens: must be at least 1 (got 0.5)"),
        ("params,flops\n1e9,1\n", ":2: tokens: must be at least 1"),
        ("params,flops\n1e9,70B tokens\n", ":2: flops: not a number of flops"),
        ("params,tokens\r\n1e9,2e10\r\n1e9,x\r\n", ":3: tokens: not a number: 'x'"),
        ("params,tokens\n1e9,2e10\n\n3e9,x\n", ":4: tokens: "),
        ("params,tokens\n1e9,2e10,3\n", ":2: "),
        ("params,tokens\n1e9\n", ":2: "),
        ("params,tokens\n1e9,2e10\n1e9,2e10\n1e9,2e10,3\n", ":4: "),
        ("params,tokens\n1e9,2e10\n1e9,2e10\n1e9\n", ":4: "),
        ("params,tokens,run\n1e9,2e10,a\n1e9,2e10,b,c\n", ":3: "),
        ("parms,tokens\n1e9,2e10\n", ":1: no column 'params'"),
        ("params\n1e9\n", ":1: no column 'tokens'"),
        ("flops\n1e21\n", ":1: no column 'params'"),
        ("params,params,tokens\n1,2,3\n", ":1: column 'params' stands twice"),
        ("params,tokens,flops,train_flop\n1,2,3,4\n", ":1: flops and train_flop are the same column; keep one"),
        ("params,flops,train_flop\n1,2,3\n", ":1: flops and train_flop are the same column; keep one"),
        ("params,tokens\n", ": a header and no rows"),
        ("params,tokens", ": a header and no rows"),
        ("", ": empty; the first line must name the columns"),
        (b"params,tokens\n1e9,2\x00e10\n", ": a binary file, not CSV text"),
        (b"\xff\xfe\n1,2\n", ":1: not UTF-8 text"),
        (b"params,tokens,run\n1e9,2e10,a\n1e9,2e10,\xff\n", "utf-8"),
        ("params,tokens\r1e9,2e10\r", ":1: "),
    ],
)
def test_a_table_that_cannot_be_used_is_named_by_line_and_column(read, tmp_path, text, words):
    with pytest.raises(InputFileError) as caught:
        read(text)
    assert caught.value.message.startswith(str(tmp_path / "runs.csv"))
    assert words.lower() in caught.value.message.lower()
    assert "\n" not in caught.value.message


def test_a_quoted_line_break_is_refused_by_its_line(read):
    with pytest.raises(InputFileError, match=":2: a quoted value must end on its own line"):
        read('run,params,tokens\n"a\nb",1e9,2e10\nc,1e9,x\n')


def test_the_line_is_counted_over_blocks(read):
    rows = "1e9,2e10\n" * 100_000
    with pytest.raises(InputFileError, match=r"runs\.csv:100002: tokens: not a number: 'x'"):
        read("params,tokens\n" + rows + "1e9,x\n")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputFileError, match=r"gone\.csv: no such file"):
        list(run_blocks(str(tmp_path / "gone.csv"), Accounting()))
    with pytest.raises(InputFileError, match="a folder, not a file"):
        list(run_blocks(str(tmp_path), Accounting()))
