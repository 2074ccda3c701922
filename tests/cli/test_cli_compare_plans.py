"""``scaleplan compare`` with a plan among the options: it keeps its tokens beside models and optima of its FLOPs."""

from __future__ import annotations

import json

import pytest

from scaleplan import UsageError, allocate, compare

HEAD = "schema: scaleplan.budget/1\nname: ours\n"
BOUND = f"{HEAD}law: besiroglu-2024\nbudget: {{flops: 1e24}}\nlimits: {{max_params: 30B}}\n"


def rows_of(result):
    return {row["option"]: row for row in result.succeeded().envelope["rows"]}


def test_the_plan_of_a_bounded_budget_file_stands_in_front(call, tmp_path):
    (tmp_path / "b.yaml").write_text(BOUND)
    result = call("compare", "b.yaml", "-f", "json", "-q")
    rows = rows_of(result)
    assert [(row["option"], row["role"]) for row in result.envelope["rows"]] == [
        ("ours", "plan"),
        ("gopher-280b", "option"),
        ("chinchilla-70b", "option"),
        ("besiroglu-2024 optimum", "optimum"),
    ]
    plan = call("allocate", "b.yaml", "-f", "json", "-q").envelope["rows"][0]
    assert {key: rows["ours"][key] for key in ("params", "tokens", "loss")} == {
        key: plan[key] for key in ("params", "tokens", "loss")
    }
    for row in rows.values():
        assert 6 * row["params"] * row["tokens"] == pytest.approx(1e24, rel=1e-9)
    best = rows["besiroglu-2024 optimum"]
    assert best["loss"] == min(row["loss"] for row in rows.values())
    # 30B at equal FLOPs is in fact behind both models, and takes far less to serve.
    assert rows["chinchilla-70b"]["loss"] < rows["gopher-280b"]["loss"] < rows["ours"]["loss"]
    assert rows["gopher-280b"]["inference_relative"] == pytest.approx(280 / 30, rel=1e-9)
    assert result.envelope["inputs"]["name"] == "ours"


def test_the_others_get_the_flops_of_a_plan_that_ends_before_its_budget(call, tmp_path):
    (tmp_path / "b.yaml").write_text(
        f"{HEAD}law: besiroglu-2024\nbudget: {{flops: 1e24, on: 512xh100-sxm, mfu: 0.4}}\n"
        "limits: {deadline_days: 10}\n"
    )
    rows = rows_of(call("compare", "b.yaml", "-f", "json", "-q"))
    # 0.4 of 989.4 TFLOP/s on 512 for ten days, of which 85 % move the run on.
    flop = 0.4 * 989.4e12 * 512 * 10 * 86_400 * 0.85
    for row in rows.values():
        assert row["train_flop"] == pytest.approx(flop, rel=1e-9)
    assert rows["ours"]["loss"] == pytest.approx(rows["besiroglu-2024 optimum"]["loss"], rel=1e-9)


def test_a_served_plan_keeps_its_tokens(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}law: besiroglu-2024\nbudget: {{flops: 1e24}}\nserving: {{tokens: 10T}}\n")
    rows = rows_of(call("compare", "b.yaml", "-f", "json", "-q"))
    ours = rows["ours"]
    assert 6 * ours["params"] * ours["tokens"] + 2 * ours["params"] * 1e13 == pytest.approx(1e24, rel=1e-6)
    assert rows["gopher-280b"]["train_flop"] == pytest.approx(ours["train_flop"], rel=1e-9)


def test_repeated_tokens_count_as_such_where_the_law_knows_them(call, tmp_path):
    (tmp_path / "b.yaml").write_text(
        f"{HEAD}law: muennighoff-2023\nbudget: {{flops: 1e24}}\nlimits: {{unique_tokens: 100B}}\n"
    )
    rows = rows_of(call("compare", "b.yaml", "-f", "json", "-q"))
    plan = call("allocate", "b.yaml", "-f", "json", "-q").envelope["rows"][0]
    assert rows["ours"]["loss"] == pytest.approx(plan["loss"], rel=1e-12)
    assert rows["ours"]["loss"] > rows["muennighoff-2023 optimum"]["loss"]


def test_a_budget_file_comes_by_stdin(call):
    by_stdin = call("compare", "-", "-f", "json", "-q", stdin=BOUND)
    assert rows_of(by_stdin)["ours"]["role"] == "plan"


def test_the_options_of_the_file_stand_beside_its_plan_and_without_limits_alone(call, tmp_path):
    options = "compare: [{name: small, params: 8B}, gopher]\n"
    (tmp_path / "b.yaml").write_text(BOUND + options)
    rows = rows_of(call("compare", "b.yaml", "-f", "json", "-q"))
    assert [(name, row["role"]) for name, row in rows.items()][:3] == [
        ("ours", "plan"),
        ("small", "option"),
        ("gopher-280b", "option"),
    ]
    (tmp_path / "b.yaml").write_text(f"{HEAD}law: besiroglu-2024\nbudget: {{flops: 1e24}}\n{options}")
    rows = rows_of(call("compare", "b.yaml", "-f", "json", "-q"))
    assert {row["role"] for row in rows.values()} == {"option", "optimum"}


def test_a_file_with_neither_limits_nor_options_has_nothing_to_compare(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}law: besiroglu-2024\nbudget: {{flops: 1e24}}\n")
    call("compare", "b.yaml").failed(3, "b.yaml: compare: missing; list the options to compare under it")


@pytest.mark.parametrize("form", ["table", "csv", "ndjson", "markdown"])
def test_every_format_has_the_plan(call, tmp_path, form):
    (tmp_path / "b.yaml").write_text(BOUND)
    result = call("compare", "b.yaml", "-f", form, "-q").succeeded()
    if form == "csv":
        assert (result.table[0]["option"], result.table[0]["role"]) == ("ours", "plan")
    elif form == "ndjson":
        assert json.loads(result.stdout.splitlines()[0])["role"] == "plan"
    else:
        assert "ours" in result.stdout


def test_a_file_whose_limits_clash_says_so(call, tmp_path):
    (tmp_path / "b.yaml").write_text(
        f"{HEAD}law: besiroglu-2024\nbudget: {{flops: 1e22}}\nlimits: {{min_params: 100B, tokens: 1T}}\n"
    )
    call("compare", "b.yaml").failed(4, "flops 1e22, min_params 100B and tokens 1T cannot all hold")


def test_plans_are_options_in_python():
    small = allocate(flops=1e24, law="chinchilla", limits={"max_params": "30B"})
    found = compare(small, "chinchilla", law="chinchilla")
    assert [(row.option, row.role) for row in found.rows] == [
        ("besiroglu-2024 plan", "plan"),
        ("chinchilla-70b", "option"),
        ("besiroglu-2024 optimum", "optimum"),
    ]
    assert found.rows[0].tokens == pytest.approx(1e24 / 6 / 30e9, rel=1e-9)
    assert found.train_flop == pytest.approx(1e24, rel=1e-9)
    alone = compare(small, law="chinchilla")
    assert [row.option for row in alone.rows][1:3] == ["gopher-280b", "chinchilla-70b"]


def test_plans_of_arrays_and_of_experts_are_refused():
    with pytest.raises(UsageError, match="a plan of arrays is many options"):
        compare(allocate(flops=[1e21, 1e22], law="chinchilla"), law="chinchilla")
    mixture = allocate(flops=1e22, law="ludziejewski-2025", limits={"experts": 8})
    with pytest.raises(UsageError, match="a plan with experts does not compare"):
        compare(mixture, law="chinchilla")
    with pytest.raises(UsageError, match="an option is a name"):
        compare(3.0, law="chinchilla")
