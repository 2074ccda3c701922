"""What holds a plan back, as people read it and as data."""

from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.solver import Task, solve
from scaleplan.planning.why import why
from scaleplan.specs.laws import load_law
from scaleplan.views.constraints import constraints_grid, constraints_rows

LAW = load_law("besiroglu-2024")
FLOPS = Ceiling("flops", 1e24)


def reasons(*constraints, price=None, **given):
    task = Task(LAW, constraints, **given)
    return why(task, solve(task), price)


def test_a_grid_has_limits_slack_and_prices():
    found = reasons(
        FLOPS, Range("max_params", "params", most=8e10), Ceiling("max_usd", 4e6, per_flop=2e-18), price=2e-18
    )
    grid = constraints_grid(found)
    assert grid.title == "what holds the plan back"
    assert grid.headers == ("constraint", "limit", "used", "slack", "loss", "compute", "USD")
    assert grid.rows == [
        ["flops", "1e24", "1e24", "binds", "0.00024", "1.00%", "$20K"],
        ["max_params", "80B", "80B", "binds", "0.00003", "0.14%", "$2.709K"],
        ["max_usd", "$4M", "$2M", "50.0%", "-", "-", "-"],
    ]
    assert grid.numeric == [False, *[True] * 6]
    assert grid.note == (
        "last columns: what 1 % more of it gives, the fall of the loss and the extra compute that buys it, in USD too; "
        "relax flops first"
    )


def test_without_a_price_there_is_no_column_of_money():
    assert constraints_grid(reasons(FLOPS)).headers[-1] == "compute"


def test_for_a_loss_to_reach_the_grid_says_what_is_saved():
    grid = constraints_grid(reasons(Range("max_params", "params", most=3e10), loss=2.0))
    assert grid.headers == ("constraint", "limit", "used", "slack", "saved")
    assert [row[0] for row in grid.rows] == ["max_params", "loss"]
    assert "what is saved of the expense" in grid.note
    assert grid.note.endswith("relax max_params first")


def test_what_binds_together_is_said():
    note = constraints_grid(reasons(FLOPS, Ceiling("days", 60.0, per_flop=60 / 1e24))).note
    assert note.endswith("flops and days bind together: relaxing one of them alone gives nothing")


def test_rows_have_every_field_at_full_precision():
    found = reasons(FLOPS, Range("max_params", "params", most=8e10))
    first, second = constraints_rows(found)
    assert list(first) == [*found.held[0]._fields, "relax_first", "together"]
    assert (first["relax_first"], second["relax_first"]) == (True, False)
    assert first["loss_per_percent"] == found.held[0].loss_per_percent
    assert (second["usd_per_percent"], second["together"]) == (None, False)
