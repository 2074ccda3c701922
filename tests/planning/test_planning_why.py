"""What binds a plan, what 1 % more of each constraint gives, and what to relax first."""

import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention
from scaleplan.planning.constraints import Ceiling, Range, fixed
from scaleplan.planning.solver import Task, solve
from scaleplan.planning.why import constraint_names, relaxed, why
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
SURFACE = LAW.surface
REPEATS = load_law("muennighoff-2023")
FLOPS = Ceiling("flops", 1e24)
BEST = SURFACE.optimum(1e24)


def reasons(*constraints, price=None, law=LAW, **given):
    task = Task(law, constraints, **given)
    return why(task, solve(task), price)


def by_name(found):
    return {each.name: each for each in found.held}


def test_the_price_of_compute_is_that_of_the_closed_form():
    found = reasons(FLOPS, price=2e-18)
    (held,) = found.held
    assert (held.of, held.limit, held.slack, held.binding) == ("FLOP", 1e24, 0.0, True)
    assert held.used == pytest.approx(1e24, rel=1e-12)
    assert held.loss_per_percent == pytest.approx(BEST.loss - SURFACE.optimum(1.01e24).loss, rel=1e-6)
    assert held.flop_per_percent == pytest.approx(1.0, rel=1e-9)
    assert held.usd_per_percent == pytest.approx(0.01 * 1e24 * 2e-18, rel=1e-9)
    assert (found.binding, found.relax_first, found.together) == (("flops",), "flops", ())


def test_a_slack_constraint_has_its_slack_and_no_price():
    found = by_name(
        reasons(
            FLOPS,
            Range("max_params", "params", most=2 * BEST.params),
            Range("min_params", "params", least=BEST.params / 4),
            Ceiling("deadline_days", 80.0, per_flop=6e-23),
        )
    )
    slack = {"max_params": 0.5, "min_params": 3.0, "deadline_days": 0.25}
    for name, share in slack.items():
        held = found[name]
        assert held.slack == pytest.approx(share, rel=1e-6)
        assert (held.binding, held.loss_per_percent, held.flop_per_percent, held.usd_per_percent) == (False, 0, 0, None)
    assert found["deadline_days"].of == "days"
    assert found["deadline_days"].used == pytest.approx(60)


def test_the_price_of_data_and_of_size_is_the_slope_of_the_law():
    """With N and D both short the loss is L(N, D) itself, and the budget is not what holds it."""
    found = by_name(
        reasons(FLOPS, Range("max_params", "params", most=2e10), Range("unique_tokens", "tokens", most=5e11))
    )
    loss = SURFACE.loss(2e10, 5e11)
    assert found["max_params"].loss_per_percent == pytest.approx(loss - SURFACE.loss(2.02e10, 5e11), rel=1e-6)
    assert found["unique_tokens"].loss_per_percent == pytest.approx(loss - SURFACE.loss(2e10, 5.05e11), rel=1e-6)
    assert found["flops"].loss_per_percent == 0
    # No ceiling binds, so the same gain in compute is read off the law's own frontier.
    gained = loss - found["max_params"].loss_per_percent
    share = SURFACE.flop_for_loss(gained) / SURFACE.flop_for_loss(loss) - 1
    assert found["max_params"].flop_per_percent == pytest.approx(100 * share, rel=1e-6)


def test_a_bound_of_the_size_is_priced_in_the_compute_that_makes_up_for_it():
    found = by_name(reasons(FLOPS, Range("max_params", "params", most=4e10), price=1e-18))
    size, compute = found["max_params"], found["flops"]
    same = size.loss_per_percent / compute.loss_per_percent
    assert size.flop_per_percent == pytest.approx(same, rel=1e-9)
    assert size.usd_per_percent == pytest.approx(same / 100 * 1e6, rel=1e-9)
    bought = solve(
        Task(LAW, (Ceiling("flops", 1e24 * (1 + same / 100)), Range("max_params", "params", most=4e10)))
    ).loss
    relieved = solve(Task(LAW, (FLOPS, Range("max_params", "params", most=4.04e10)))).loss
    assert bought == pytest.approx(relieved, abs=1e-6)


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_a_fixed_size_is_relaxed_towards_the_optimum(share):
    held = by_name(reasons(FLOPS, fixed("params", "params", share * BEST.params)))["params"]
    towards = share * BEST.params * (1.01 if share < 1 else 1 / 1.01)
    after = SURFACE.loss(towards, 1e24 / 6 / towards)
    now = SURFACE.loss(share * BEST.params, 1e24 / 6 / (share * BEST.params))
    assert held.binding
    assert held.loss_per_percent == pytest.approx(now - after, rel=1e-5)


def test_what_serving_takes_is_not_relaxed_with_the_training():
    """1 % more of a ceiling that serving shares is more than 1 % of the training FLOPs."""
    shared = Ceiling("flops", 1e24, beside=lambda params: 4e12 * params)
    held = by_name(reasons(shared))["flops"]
    solution = solve(Task(LAW, (shared,)))
    training = 6 * solution.params * solution.tokens
    assert training < 0.8e24
    assert held.flop_per_percent == pytest.approx(1e24 / training, rel=0.02)


def test_unique_tokens_have_a_price_where_they_repeat_though_nothing_bounds_them():
    found = reasons(FLOPS, law=REPEATS, unique_tokens=2e11)
    data = by_name(found)["unique_tokens"]
    assert (data.limit, data.used, data.of, data.binding) == (2e11, 2e11, "tokens", False)
    now, more = (solve(Task(REPEATS, (FLOPS,), unique_tokens=each)).loss for each in (2e11, 2.02e11))
    assert data.loss_per_percent == pytest.approx(now - more, rel=1e-9)
    assert found.binding == ("flops",)


def test_unique_tokens_and_their_epochs_are_relaxed_together():
    epochs = Range("unique_tokens", "tokens", most=4 * 1e11)
    data = by_name(reasons(FLOPS, epochs, law=REPEATS, unique_tokens=1e11))["unique_tokens"]
    assert data.binding
    assert (data.limit, data.used) == pytest.approx((1e11, 1e11), rel=1e-9)
    wider = Task(REPEATS, (FLOPS, epochs._replace(most=4.04e11)), unique_tokens=1.01e11)
    now = solve(Task(REPEATS, (FLOPS, epochs), unique_tokens=1e11))
    assert data.loss_per_percent == pytest.approx(now.loss - solve(wider).loss, rel=1e-9)


def test_data_that_do_not_run_out_have_no_price():
    data = by_name(reasons(FLOPS, law=REPEATS, unique_tokens=1e14))["unique_tokens"]
    assert (data.binding, data.loss_per_percent) == (False, 0)
    assert data.slack > 0.9


def test_ceilings_that_bind_only_together_are_named_together():
    found = reasons(FLOPS, Ceiling("days", 60.0, per_flop=60 / 1e24), Range("max_params", "params", most=1e14))
    assert found.binding == ("flops", "days")
    assert found.relax_first is None
    assert found.together == ("flops", "days")


def test_what_gains_most_by_the_per_cent_is_to_be_relaxed_first():
    small = reasons(Ceiling("flops", 1e27), Range("max_params", "params", most=1e9))
    assert small.relax_first == "max_params"
    scarce = reasons(FLOPS, Range("unique_tokens", "tokens", most=1e10))
    assert scarce.relax_first == "unique_tokens"


def test_for_a_loss_to_reach_prices_are_what_is_saved():
    size = Range("max_params", "params", most=3e10)
    found = reasons(size, price=1e-18, loss=2.0)
    held = by_name(found)
    now, wider = (solve(Task(LAW, (each,), loss=2.0)) for each in (size, size.relaxed(1.01)))
    spent, less = (6 * run.params * run.tokens for run in (now, wider))
    assert held["max_params"].loss_per_percent is None
    assert held["max_params"].flop_per_percent == pytest.approx(100 * (1 - less / spent), rel=1e-6)
    assert held["max_params"].usd_per_percent == pytest.approx((spent - less) * 1e-18, rel=1e-6)
    assert held["loss"].binding
    assert held["loss"].of == "nats/token"
    assert held["loss"].flop_per_percent > held["max_params"].flop_per_percent
    assert found.relax_first == "max_params"


def test_money_spent_for_a_loss_is_saved_in_money():
    expense = Ceiling("usd", per_flop=2e-18, beside=lambda params: 1e-5 * params)
    held = by_name(reasons(Range("max_params", "params", most=2e10), loss=2.0, expense=expense))["max_params"]
    task = Task(LAW, (Range("max_params", "params", most=2e10),), loss=2.0, expense=expense)
    assert held.usd_per_percent == pytest.approx(
        held.flop_per_percent / 100 * solve(task).spent(task, expense), rel=1e-9
    )


def test_a_loss_alone_leaves_nothing_to_relax():
    found = reasons(loss=2.0)
    assert (found.binding, found.relax_first, found.together) == (("loss",), None, ())


def test_the_frontier_counts_as_the_budget_does():
    own = FlopConvention.SIX_ND_NONEMBEDDING
    task = Task(LAW, (Ceiling("flops", 1e22, flop=own),), Accounting(own))
    (held,) = why(task, solve(task)).held
    assert held.flop_per_percent == pytest.approx(1.0, rel=1e-9)


def test_names_come_once_without_those_that_limit_nothing_and_all_of_a_name_is_relaxed():
    ends = (Range("params", "params", least=1e9), Range("params", "params", most=1e10))
    task = Task(REPEATS, (FLOPS, *ends, Ceiling("usd"), Range("none", "tokens")), loss=2.5, unique_tokens=1e11)
    assert constraint_names(task) == ("flops", "params", "unique_tokens", "loss")
    wider = relaxed(task, ("params", "unique_tokens", "loss"), 2.0)
    assert wider.constraints[1:3] == (ends[0]._replace(least=5e8), ends[1]._replace(most=2e10))
    assert (wider.unique_tokens, wider.loss, wider.constraints[0]) == (2e11, 5.0, FLOPS)
