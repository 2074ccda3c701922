"""Infeasible problems name the smallest set that clashes, and how far each would have to give."""

import pytest

from scaleplan.planning.clash import clash, clash_text, written
from scaleplan.planning.constraints import Ceiling, Range, fixed
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
SURFACE = LAW.surface
REPEATS = load_law("muennighoff-2023")
FLOPS = Ceiling("flops", 1e24)


def at_most(name, value):
    return Range(name, "params", most=value)


def test_two_bounds_that_cross_and_each_gives_way_to_the_other():
    found = clash(Task(LAW, (FLOPS, at_most("max_params", 1e10), Range("min_params", "params", least=2e10))))
    assert found.names == ("max_params", "min_params")
    assert dict(found.nearest) == pytest.approx({"max_params": 2e10, "min_params": 1e10}, rel=1e-9)
    assert clash_text(found) == (
        "max_params 10B and min_params 20B cannot both hold: it takes max_params of at least 20B, "
        "or min_params of at most 10B"
    )


def test_three_that_clash_only_together():
    found = clash(Task(LAW, (FLOPS, fixed("params", "params", 3e10), fixed("tokens", "tokens", 1e13))))
    assert found.names == ("flops", "params", "tokens")
    assert dict(found.nearest) == pytest.approx({"flops": 1.8e24, "params": 1e24 / 6e13, "tokens": 1e24 / 1.8e11})
    text = clash_text(found)
    assert text.startswith("flops 1e24, params 30B and tokens 10T cannot all hold: it takes flops of at least 1.8e24,")
    assert "params of at most 16.66B" in text


def test_a_fixed_value_that_is_too_small_has_to_grow():
    found = clash(Task(LAW, (fixed("params", "params", 1e9), Range("min_params", "params", least=4e9))))
    assert dict(found.nearest) == pytest.approx({"params": 4e9, "min_params": 1e9}, rel=1e-9)
    assert [side.at_least for side in found.sides] == [True, False]


def test_a_loss_and_a_size_that_never_reaches_it():
    form = SURFACE
    found = clash(Task(LAW, (at_most("max_params", 1e9), Ceiling("days", 1e9, 6e-23)), loss=1.9))
    assert found.names == ("max_params", "loss")
    # However many tokens, N has to be at least (A / (L - E))^(1 / alpha).
    least = (form.A / (1.9 - form.E)) ** (1 / form.alpha)
    nearest = dict(found.nearest)
    assert nearest["max_params"] == pytest.approx(least, rel=1e-2)
    best = solve(Task(LAW, (at_most("max_params", 1e9), Ceiling("days", 1e9, 6e-23))))
    assert nearest["loss"] == pytest.approx(best.loss, rel=1e-12)


def test_a_loss_below_the_floor_clashes_with_nothing_but_itself():
    found = clash(Task(LAW, (FLOPS,), loss=1.5))
    assert found.names == ("loss",)
    assert dict(found.nearest)["loss"] == pytest.approx(SURFACE.optimum(1e24).loss, rel=1e-12)
    assert clash_text(found) == "loss 1.5 cannot hold: it takes a loss of at least 1.96"


def test_the_nearest_values_make_the_problem_feasible_and_a_little_less_does_not():
    constraints = (FLOPS, Ceiling("max_usd", 1e5, 2e-18), Range("batch", "tokens", least=1e12))
    task = Task(LAW, constraints, loss=2.05)
    found = clash(task)
    assert not solve(task).feasible
    assert found.names == ("max_usd", "loss")
    money, loss = (value for _, value in found.nearest)
    for given, room in ((money * (1 + 1e-9), True), (money * (1 - 1e-6), False)):
        moved = (FLOPS, constraints[1]._replace(limit=given), constraints[2])
        assert solve(task._replace(constraints=moved)).feasible is room
    assert solve(task._replace(loss=loss * (1 + 1e-9))).feasible
    assert not solve(task._replace(loss=loss * (1 - 1e-6))).feasible


def test_a_side_that_alone_does_not_help_has_no_nearest_value():
    """The deadline stands in the way too, so that more FLOPs change nothing."""
    found = clash(Task(LAW, (FLOPS, Ceiling("deadline_days", 60.0, 60 / 1e23), at_most("max_params", 1e10)), loss=1.95))
    assert found.names == ("flops", "loss")
    assert dict(found.nearest)["flops"] is None
    assert "flops of" not in clash_text(found)


def test_where_nothing_alone_helps_it_says_so():
    apart = (at_most("a", 1e9), Range("b", "params", least=2e9), Range("c", "tokens", most=1e9))
    found = clash(Task(LAW, (*apart, Range("d", "tokens", least=2e9))))
    assert found.names == ("a", "b")
    assert clash_text(found) == "a 1B and b 2B cannot both hold: no change of one of them alone helps"


def test_one_that_nothing_helps_is_told_alone():
    """Serving by so many tokens takes more than any budget, however small the model."""
    served = Ceiling("flops", 1e20, beside=lambda params: 2e40 * params)
    found = clash(Task(LAW, (served,)))
    assert found.nearest == (("flops", None),)
    assert clash_text(found) == "flops 1e20 alone cannot hold: serving takes more than all of it"
    found = clash(Task(LAW, (Ceiling("flops", 1e20, fixed=1e40),)))
    assert clash_text(found) == "flops 1e20 alone cannot hold: no value of it helps"


def test_few_unique_tokens_clash_with_a_loss():
    task = Task(REPEATS, (Ceiling("flops", 1e26),), loss=2.2, unique_tokens=1e9)
    found = clash(task)
    assert found.names == ("unique_tokens", "loss")
    data, loss = (value for _, value in found.nearest)
    assert solve(task._replace(unique_tokens=data * (1 + 1e-9))).feasible
    assert not solve(task._replace(unique_tokens=data * (1 - 1e-6))).feasible
    assert loss == pytest.approx(solve(task._replace(loss=None)).loss, rel=1e-12)


def test_a_feasible_problem_has_no_clash():
    assert clash(Task(LAW, (FLOPS,), loss=2.0)).names == ()


@pytest.mark.parametrize(
    ("value", "of", "text"),
    [
        (1e24, "FLOP", "1e24"),
        (3.25e9, "params", "3.25B"),
        (5e6, "USD", "$5M"),
        (59.994, "days", "59.99"),
        (20.0, "tokens_per_param", "20"),
        (2.1339, "nats/token", "2.134"),
        (4000.0, "MWh", "4K"),
    ],
)
def test_limits_are_written_by_what_they_limit(value, of, text):
    assert written(value, of) == text
