"""A plan under limits as people read it and as data: what binds, what serving takes, epochs and experts."""

import pytest

from scaleplan import allocate
from scaleplan.views.limits import (
    LIMITS_COLUMNS,
    SERVING_COLUMNS,
    limits_columns,
    limits_grids,
    limits_inputs,
    limits_row,
)
from scaleplan.views.plans import FORGIVING_COLUMNS, allocation_table

BOUND = {"flops": 1e24, "law": "chinchilla", "limits": {"max_params": "30B"}}
PRICED = {
    "usd": 1e6,
    "on": "512xh100-sxm",
    "mfu": 0.4,
    "law": "chinchilla",
    "serving": {"tokens": "1T", "on": "h100-sxm", "prompt": 1000, "answer": 300, "discount": 0.1},
}


@pytest.fixture(scope="module")
def priced():
    return allocate(**PRICED)


def cells(grid):
    return {row[0]: row[1] for row in grid.rows}


def test_a_row_has_what_binds_and_every_constraint():
    plan = allocate(**BOUND)
    row = limits_row(plan)
    assert tuple(row) == LIMITS_COLUMNS == limits_columns(plan)
    assert (row["binding"], row["relax_first"]) == ("flops+max_params", "max_params")
    assert (row["epochs"], row["experts"], row["params_active"]) == (None, None, None)
    assert [each["name"] for each in row["constraints"]] == ["flops", "max_params"]


def test_the_rows_of_a_served_plan_have_what_serving_takes(priced):
    row = limits_row(priced)
    assert tuple(row) == (*LIMITS_COLUMNS, *SERVING_COLUMNS) == limits_columns(priced)
    served = priced.serving
    assert row["serving_flop"] == served.flop
    assert row["lifetime_flop"] == priced.train_flop + served.flop
    assert row["lifetime_usd"] == priced.cost_usd + served.cost_usd
    assert row["serving_usd_per_day"] == served.usd_per_day > served.cost_usd / 365
    assert row["serving_mwh_per_day"] * 365 == pytest.approx(served.energy_mwh, rel=1e-12)


def test_without_an_accelerator_serving_is_of_flops_alone():
    plan = allocate(flops=1e24, law="chinchilla", serving={"tokens": "2T"})
    row = limits_row(plan)
    assert row["serving_flop"] == 2 * plan.params * 2e12
    assert {row[key] for key in SERVING_COLUMNS if key.endswith(("usd", "mwh", "hours", "day"))} == {None}
    grid = limits_grids(plan)[-1]
    assert grid.title == "serving over its life"
    assert list(cells(grid)) == ["tokens served", "serving FLOP", "with training"]
    assert cells(grid)["with training"] == "1e24"


def test_the_grid_of_serving_names_its_accelerator_and_its_time(priced):
    grid = limits_grids(priced)[-1]
    assert grid.title == "serving on h100-sxm in bf16 over 365 days"
    assert set(cells(grid)) >= {"accelerator-hours", "USD, present value", "USD a day", "MWh", "USD with training"}
    assert cells(grid)["tokens served"] == "1T"
    assert cells(grid)["USD with training"] == "1M"


def test_inputs_have_the_limits_as_numbers_and_where_serving_comes_from(priced):
    assert limits_inputs(allocate(**BOUND)) == {"limits": {"max_params": 30e9}}
    inputs = limits_inputs(priced)
    assert inputs["limits"] == {"usd": 1e6}
    serving = inputs["serving"]
    assert (serving["tokens"], serving["prompt"], serving["answer"], serving["discount"]) == (1e12, 1000, 300, 0.1)
    server = serving["server"]
    assert server["accelerator"] == "h100-sxm"
    assert server["price"] == sorted(server["price"])
    assert len(server["price"]) == 3
    assert all(each["source"] for each in serving["assumptions"])


def test_a_table_has_epochs_and_experts_where_there_are_any():
    repeated = allocate(flops=1e24, law="muennighoff-2023", limits={"unique_tokens": "100B", "max_epochs": 4})
    first, *_ = allocation_table(repeated).grids()
    assert cells(first)["epochs of its unique tokens"] == "4"
    mixture = allocate(flops=1e22, law="ludziejewski-2025", limits={"experts": 8})
    first, *_ = allocation_table(mixture).grids()
    assert cells(first)["experts"] == "8"
    assert "active parameters" in cells(first)
    assert limits_inputs(mixture)["experts"] == 8
    row = limits_row(mixture)
    assert row["params_active"] < mixture.params


def test_a_table_without_limits_has_none_of_their_columns():
    table = allocation_table(allocate(flops=1e24, law="chinchilla"))
    assert not {*LIMITS_COLUMNS, *SERVING_COLUMNS} & {*table.columns}
    assert {*FORGIVING_COLUMNS} <= {*table.columns}
    bound = allocation_table(allocate(**BOUND))
    assert {*LIMITS_COLUMNS} <= {*bound.columns}
    assert not {*SERVING_COLUMNS} & {*bound.columns}


def test_what_another_size_costs_is_said_where_the_size_is_free():
    free, *_ = allocation_table(allocate(flops=1e24, law="chinchilla")).grids()
    assert "30 % more parameters" in free.note
    # Of the law: N x1.3 costs 2.3 % and N x0.7 5.4 % more compute at equal loss, whatever the budget.
    assert "2.27 %" in free.note
    assert "5.36 %" in free.note
    bound, why, *_ = allocation_table(allocate(**BOUND)).grids()
    assert bound.note is None
    assert why.title == "what holds the plan back"
