"""Results as tables, and tables and streams to standard output or a file."""

import csv
import io
import json

import numpy as np
import pytest

import scaleplan
from scaleplan.api import plans
from scaleplan.errors import Notice, UsageError
from scaleplan.specs.checking import FileCheck
from scaleplan.views.checks import check_table
from scaleplan.views.comparisons import comparison_table
from scaleplan.views.frontiers import frontier_table
from scaleplan.views.laws import law_table, laws_table
from scaleplan.views.models import model_table, models_table
from scaleplan.views.plans import allocation_table
from scaleplan.views.predictions import prediction_table
from scaleplan.views.streams import allocation_stream, prediction_stream
from scaleplan.views.table import Grid, Stream, Table
from scaleplan.views.terminal import render
from scaleplan.views.text import json_envelope, markdown
from scaleplan.views.write import write

TABLES = {
    "allocate": lambda: allocation_table(scaleplan.allocate(flops=1e24)),
    "allocate loss": lambda: allocation_table(scaleplan.allocate(loss=1.95)),
    "allocate km": lambda: allocation_table(scaleplan.allocate(flops=1e21, law="km")),
    "allocate open": lambda: allocation_table(scaleplan.allocate(loss=1.83)),
    "compare": lambda: comparison_table(scaleplan.compare()),
    "compare as trained": lambda: comparison_table(scaleplan.compare(as_trained=True)),
    "predict": lambda: prediction_table(scaleplan.predict(params=7e10, tokens=1.4e12)),
    "frontier": lambda: frontier_table(scaleplan.frontier(start=1e20, stop=1e22, law=["chinchilla", "km"])),
    "laws": lambda: laws_table(scaleplan.list_laws(), "besiroglu-2024"),
    "law": lambda: law_table(scaleplan.law_record("km")),
    "models": lambda: models_table(scaleplan.list_models()),
    "model": lambda: model_table(scaleplan.load_model("gopher")),
    "check": lambda: check_table(FileCheck(path="f.yaml", schema="scaleplan.budget/1", holds=(("name", "x"),))),
}


@pytest.fixture(params=TABLES, scope="module")
def table(request):
    return TABLES[request.param]()


def simple(warnings=()):
    grid = Grid(title=None, headers=("a", "b"), rows=[("x", "1.5")], numeric=(False, True))
    return Table(
        verb="try",
        inputs={},
        columns=("a", "b", "c"),
        rows=[{"a": "x", "b": 1.5, "c": None}],
        warnings=warnings,
        grids=lambda: [grid],
    )


def simple_stream():
    return Stream(
        verb="try",
        inputs={},
        columns=("a", "b"),
        blocks=iter([{"a": "x", "b": np.array([1.5, np.nan])}, {"a": "x", "b": np.array([2.5])}]),
        warnings=lambda: [Notice("code", "text")],
        grids_of=lambda rows: [
            Grid(
                title=None, headers=("a", "b"), rows=[(row["a"], str(row["b"])) for row in rows], numeric=(False, True)
            )
        ],
    )


def test_every_result_is_a_sound_envelope_with_the_columns_as_keys(table):
    document = json.loads(json_envelope(table))
    assert document["schema"] == f"scaleplan.{table.verb}/1"
    assert document["rows"]
    for row in document["rows"]:
        assert tuple(row) == tuple(table.columns)


def test_every_result_is_readable_at_any_width_and_as_markdown(table, monkeypatch):
    grids = table.grids()
    numbers = [
        cell for grid in grids for row in grid.rows for cell, numeric in zip(row, grid.numeric, strict=True) if numeric
    ]
    for width in (60, 80, 132):
        monkeypatch.setenv("COLUMNS", str(width))
        text = render(grids, terminal=False)
        assert max(map(len, text.splitlines())) <= width
        squeezed = " ".join(text.split())
        for number in numbers:
            assert number in squeezed
    assert markdown(grids).count("---") >= len(grids)


def test_the_plan_is_at_full_precision_with_all_that_was_resolved():
    plan = scaleplan.allocate(flops=1e24)
    document = json.loads(json_envelope(allocation_table(plan)))
    first, *others = document["rows"]
    assert first["params"] == plan.params
    assert first["loss_high"] == plan.loss_high
    assert first["law"] == "besiroglu-2024"
    assert [row["law"] for row in others] == [other.law.id for other in plan.cross_check]
    inputs = document["inputs"]
    assert (inputs["flops"], inputs["loss"], inputs["level"]) == (1e24, None, 0.95)
    assert inputs["flop_convention"] == "6ND"
    assert [law["id"] for law in inputs["laws"]] == [row["law"] for row in document["rows"]]
    assert document["warnings"] == [{"code": n.code, "message": n.message} for n in plan.warnings]


def test_the_comparison_has_the_keys_of_the_house():
    rows = json.loads(json_envelope(comparison_table(scaleplan.compare())))["rows"]
    keys = "params tokens tokens_per_param train_flop loss loss_low loss_high law option role"
    shares = "optimal_flop_same_loss wasted_share inference_flop_per_token inference_relative"
    for key in f"{keys} {shares}".split():
        assert key in rows[0]
    assert {row["role"] for row in rows} == {"option", "optimum"}


def test_what_a_model_never_published_is_null_and_says_so():
    rows = json.loads(json_envelope(models_table(scaleplan.list_models())))["rows"]
    missing = [row for row in rows if row["train_flop"] is None or row["tokens"] is None]
    for row in missing:
        for field in ("train_flop", "tokens"):
            assert (row[field] is None) == (row[f"{field}_status"] == "unpublished")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("ndjson", '{"a": "x", "b": 1.5, "c": null}\n'),
        ("csv", "a,b,c\nx,1.5,\n"),
        ("markdown", "| a | b |\n| --- | ---: |\n| x | 1.5 |\n"),
    ],
)
def test_a_table_on_standard_output(form, expected, capsysbinary):
    write(simple(), form=form, output=None, quiet=False)
    out, err = capsysbinary.readouterr()
    assert out.decode() == expected
    assert err == b""


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv", "markdown"])
@pytest.mark.parametrize("make", [lambda: simple([Notice("code", "text")]), simple_stream], ids=["table", "stream"])
def test_notices_go_to_stderr_unless_quiet_and_a_file_holds_what_the_screen_would(form, make, tmp_path, capsysbinary):
    write(make(), form=form, output=None, quiet=False)
    out, err = capsysbinary.readouterr()
    assert err == b"warning: code: text\n"
    path = tmp_path / "out"
    write(make(), form=form, output=str(path), quiet=True)
    assert capsysbinary.readouterr() == (b"", b"")
    assert path.read_bytes() == out
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_dash_is_standard_output(capsysbinary):
    write(simple(), form="csv", output="-", quiet=True)
    assert capsysbinary.readouterr().out == b"a,b,c\nx,1.5,\n"


def test_a_failing_stream_leaves_the_old_file(tmp_path):
    def blocks():
        yield {"a": "x", "b": np.array([1.5])}
        raise UsageError("broken")

    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(UsageError):
        write(simple_stream()._replace(blocks=blocks()), form="csv", output=str(path), quiet=True)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(("key", "shown"), [("a", b"x\n"), ("b", b"1.5\n"), ("c", b"null\n")])
def test_one_bare_value(key, shown, capsysbinary):
    write(simple(), form="table", output=None, quiet=True, get=key)
    assert capsysbinary.readouterr().out == shown


@pytest.mark.parametrize(("value", "shown"), [(True, b"true\n"), (False, b"false\n"), (7, b"7\n"), ("True", b"True\n")])
def test_a_bare_value_is_written_as_json_writes_it(value, shown, capsysbinary):
    table = simple()._replace(rows=[{"a": value, "b": 1.5, "c": None}])
    write(table, form="table", output=None, quiet=True, get="a")
    assert capsysbinary.readouterr().out == shown


@pytest.mark.parametrize(
    ("table", "key", "shown"),
    [
        ("model", "params", b"280000000000.0\n"),
        ("model", "params_active", b"null\n"),
        ("model", "field", b"params\n"),
        ("model", "value", b"280000000000.0\n"),
        ("law", "joint_nd.alpha_N", b"0.076\n"),
        ("law", "symbol", b"C_c\n"),
    ],
)
def test_a_field_of_one_entry_is_a_key_too(table, key, shown, capsysbinary):
    write(TABLES[table](), form="table", output=None, quiet=True, get=key)
    assert capsysbinary.readouterr().out == shown


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ("model", "parms", "no key 'parms' in the rows of models. Did you mean params or "),
        ("model", "valu", "Did you mean value? It has field, value, status, source; fields: params, params_active, "),
        ("law", "alpha_N", "Did you mean "),
        ("law", "x" * 5000, f"no key '{'x' * 60}'... (5,000 characters) in the rows of laws. It has group, "),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_fields_too(table, key, said, capsysbinary):
    with pytest.raises(UsageError) as caught:
        write(TABLES[table](), form="table", output=None, quiet=True, get=key)
    assert said in caught.value.message
    assert len(caught.value.message) < 1000
    assert capsysbinary.readouterr().out == b""


def test_a_value_of_no_rows_is_refused_and_says_why_there_are_none(tmp_path):
    empty = simple([Notice("nothing_matches", "no model matches.")])._replace(rows=[])
    with pytest.raises(UsageError, match=r"try has no rows to read a from: no model matches\.$"):
        write(empty, form="table", output=str(tmp_path / "out"), quiet=True, get="a")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match=r"try has no rows to read a from$"):
        write(empty._replace(warnings=()), form="table", output=None, quiet=True, get="a")
    with pytest.raises(UsageError, match="no key 'aa'"):
        write(empty, form="table", output=None, quiet=True, get="aa")


def test_one_bare_value_a_row_of_a_stream(capsysbinary):
    write(simple_stream(), form="table", output=None, quiet=True, get="b")
    assert capsysbinary.readouterr().out == b"1.5\nnull\n2.5\n"


def test_an_unknown_key_is_refused_with_the_nearest(capsysbinary):
    table = TABLES["predict"]()
    with pytest.raises(UsageError, match=r"no key 'parms' in the rows of predict\. Did you mean params"):
        write(table, form="table", output=None, quiet=True, get="parms")
    assert capsysbinary.readouterr().out == b""


def test_a_stream_of_plans_has_a_row_a_budget_with_bands(capsysbinary):
    flops = np.array([1e20, 1e24])
    write(allocation_stream(plans.allocate_stream(iter([flops, flops * 2]))), form="csv", output=None, quiet=False)
    out, err = capsysbinary.readouterr()
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert [float(row["train_flop"]) for row in rows] == [1e20, 1e24, 2e20, 2e24]
    for row in rows:
        plan = scaleplan.allocate(flops=float(row["train_flop"]), law="chinchilla")
        for key in (
            "params",
            "params_low",
            "params_high",
            "tokens_low",
            "tokens_high",
            "loss",
            "loss_low",
            "loss_high",
        ):
            assert float(row[key]) == pytest.approx(getattr(plan, key), rel=1e-12)
    assert err.count(b"warning: extrapolation") == 1
    assert b"2e24 FLOP" in err


def test_a_stream_under_several_laws_names_the_law(capsysbinary):
    stream = plans.allocate_stream(iter([np.array([1e20, 1e21])]), law=["chinchilla", "hoffmann-2022-a1"])
    write(allocation_stream(stream), form="ndjson", output=None, quiet=True)
    rows = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [row["law"] for row in rows] == ["besiroglu-2024", "hoffmann-2022-a1"] * 2
    assert rows[1]["loss"] is None
    assert rows[1]["params_low"] is None


def test_a_stream_of_predictions_keeps_names_and_order(tmp_path, capsysbinary):
    path = tmp_path / "runs.csv"
    path.write_text('run,params,tokens,seed\n"a, b",1e9,2e10,1\nc,7e10,1.4e12,2\n')
    write(prediction_stream(plans.predict_runs(str(path)), str(path)), form="json", output=None, quiet=False)
    out, err = capsysbinary.readouterr()
    document = json.loads(out)
    assert [row["run"] for row in document["rows"]] == ["a, b", "c"]
    assert document["rows"][1]["loss"] == pytest.approx(scaleplan.predict(params=7e10, tokens=1.4e12).loss, rel=1e-13)
    assert "ignored_columns" in [warning["code"] for warning in document["warnings"]]
    assert b"columns not used: seed" in err
