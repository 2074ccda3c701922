"""What pilot runs take on a machine: each as it is costed by itself, and all of them in time, or what would do."""

from __future__ import annotations

import math
import re

import pytest

import scaleplan
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.pilots.manifest import PilotRun
from scaleplan.pilots.schedule import Job, makespan
from scaleplan.specs.conditions import read_conditions
from scaleplan.specs.machines import machine_of
from scaleplan.specs.pilot_costs import costed
from scaleplan.specs.pilot_widths import DAYS_A_RUN

SMALL, MIDDLE, LARGE, HUGE = (8, 512), (16, 1024), (24, 2048), (48, 8192)


def run_of(size, ratio=20, *, name="pilot", batch=256, role="design", seed=0):
    """A run of so many tokens a parameter, in steps of so many sequences of 2,048 tokens."""
    layers, width = size
    heads = width // 64
    shape = Transformer(layers, width, heads, heads, 64, 64 * round(width / 24), 50_304, 2048)
    tokens_a_step = batch * 2048.0
    steps = max(1, round(ratio * shape.params.total / tokens_a_step))
    return PilotRun(
        id=name,
        stage=1,
        role=role,
        params=float(shape.params.total),
        params_nonembedding=float(shape.params.nonembedding),
        tokens=steps * tokens_a_step,
        shape=shape,
        batch_tokens=tokens_a_step,
        steps=steps,
        learning_rate=1e-3,
        seed=seed,
        train_flop=6 * shape.params.total * steps * tokens_a_step,
    )


LADDER = [
    run_of(size, ratio, name=f"pilot-{i}")
    for i, (size, ratio) in enumerate([(SMALL, 20), (SMALL, 80), (MIDDLE, 20), (MIDDLE, 80), (LARGE, 20), (LARGE, 80)])
]


def machine(on="64xh100-sxm", **words):
    return machine_of(read_conditions({"on": on, **words}))


@pytest.mark.parametrize(
    "words", [{}, {"goodput": 0.7, "price": 2.0}, {"mfu": 0.35, "price": 3.0}, {"precision": "fp8"}], ids=str
)
def test_a_run_takes_what_cost_says_of_it(words):
    found = costed(LADDER, machine(evaluation="2%", pilots="20k gpu-hours", **words))
    for run in found.runs:
        of_step = {} if "mfu" in words else {"batch": run.batch_tokens, "context": float(run.shape.context)}
        on = f"{run.accelerators}xh100-sxm"
        alone = scaleplan.cost(shape=run.shape, tokens=run.tokens, on=on, **words, **of_step)
        assert (run.accelerator, alone.accelerators) == ("h100-sxm", run.accelerators)
        assert run.days == pytest.approx(alone.days, rel=1e-12)
        assert run.gpu_hours == pytest.approx(alone.gpu_hours, rel=1e-12)
        assert run.cost_usd == pytest.approx(alone.cost_usd, rel=1e-12)
        assert run.gpu_hours == pytest.approx(24 * run.days * run.accelerators, rel=1e-12)
    assert found.runs == tuple(
        run._replace(
            **{key: getattr(new, key) for key in ("accelerator", "accelerators", "days", "gpu_hours", "cost_usd")}
        )
        for run, new in zip(LADDER, found.runs, strict=True)
    )


@pytest.mark.parametrize("days", [None, 8, 3, 1])
def test_each_run_goes_on_the_least_accelerators_that_are_fast_enough(days):
    """Against trying each number in turn; what is given is halved, for the dearest waits for the others."""
    share = DAYS_A_RUN if days is None else days / 2
    found = costed(LADDER, machine("h100-sxm"), days=days)
    for run in found.runs:
        widths = [1, 2, 4, 8, 16, 32, 64, 128, 256]
        alone = (
            scaleplan.cost(
                shape=run.shape, tokens=run.tokens, on=f"{n}xh100-sxm", batch=run.batch_tokens, context=2048.0
            )
            for n in widths
        )
        assert run.accelerators == next(each.accelerators for each in alone if each.days <= share)


def test_the_makespan_is_that_of_the_runs_one_beside_the_other():
    found = costed(LADDER, machine(), available=16)
    jobs = [Job(run.accelerators, run.days) for run in found.runs]
    assert max(job.accelerators for job in jobs) <= 16
    assert found.makespan_days == makespan(jobs, 16).days
    assert costed(LADDER, machine("16xh100-sxm")).makespan_days == found.makespan_days


def test_without_a_number_of_accelerators_there_is_no_schedule_but_a_longest_run():
    found = costed(LADDER, machine("h100-sxm"))
    longest = max(found.runs, key=lambda run: run.days)
    assert found.makespan_days is None
    notice = next(each for each in found.notices if each.code == "unscheduled")
    assert f"the longest, {longest.id}, takes {longest.days:.3g} days on {longest.accelerators}" in notice.message
    assert notice.message.endswith("name them, as in 64xh100-sxm.")


def test_all_end_in_the_time_given_on_more_accelerators_than_they_would_else_take():
    unhurried = costed(LADDER, machine())
    days = 0.6 * unhurried.makespan_days
    hurried = costed(LADDER, machine(), days=days)
    assert hurried.makespan_days <= days
    assert sum(run.accelerators for run in hurried.runs) > sum(run.accelerators for run in unhurried.runs)


@pytest.mark.parametrize("mfu", [None, 0.4])
def test_too_little_time_says_in_what_time_and_on_how_many_it_would_do(mfu):
    words = {} if mfu is None else {"mfu": mfu}
    where = machine("8xh100-sxm", **words)
    with pytest.raises(InfeasibleError) as caught:
        costed(LADDER, where, days=2)
    said = re.fullmatch(
        r"the pilots take ([\d.]+) days on 8 h100-sxm, not 2: allow ([\d.]+) days, or take ([\d,]+) accelerators",
        caught.value.message,
    )
    assert said is not None
    assert 2 < float(said[1]) <= float(said[2]) * 1.001
    assert costed(LADDER, where, days=float(said[2])).makespan_days <= float(said[2])
    assert costed(LADDER, where, days=2, available=int(said[3])).makespan_days <= 2


def test_where_no_number_of_accelerators_helps_only_time_is_named():
    """Steps of two sequences are shared by two accelerators, however many there are."""
    runs = [run_of(MIDDLE, name="a", batch=2), run_of(MIDDLE, 40, name="b", batch=2)]
    for on, where in (("h100-sxm", "however many h100-sxm there are"), ("64xh100-sxm", "on 64 h100-sxm")):
        with pytest.raises(InfeasibleError, match=rf"^the pilots take \S+ days {where}, not 0.01: allow \S+ days$"):
            costed(runs, machine(on), days=0.01)


@pytest.mark.parametrize("mfu", [None, 0.4])
def test_a_run_that_does_not_fit_is_named_with_how_many_hold_it(mfu):
    words = {} if mfu is None else {"mfu": mfu}
    runs = [run_of(SMALL, name="small"), run_of(HUGE, name="huge", batch=1024)]
    with pytest.raises(InfeasibleError) as caught:
        costed(runs, machine("4xh100-sxm", **words))
    said = re.fullmatch(r"huge: .*\b(?:GB|takes)\b.*; it fits on (\d+)", caught.value.message)
    assert said is not None
    costed(runs, machine(f"{said[1]}xh100-sxm", **words))
    with pytest.raises(InfeasibleError, match="huge"):
        costed(runs, machine(f"{int(said[1]) // 2}xh100-sxm", **words))


def test_with_a_given_utilisation_memory_decides_where_time_does_not():
    """16 bytes a parameter of weights, gradients and optimizer over 80 GB each."""
    run = run_of(HUGE, 0.01, batch=16)
    (found,) = costed([run], machine("h100-sxm", mfu=0.4)).runs
    least = 16 * run.params / 80e9
    assert found.accelerators == next(n for n in (1, 2, 4, 8, 16, 32) if n >= least) > 4
    flop = 6 * run.params * run.tokens
    assert found.gpu_hours == pytest.approx(flop / (3600 * 0.4 * 9.894e14 * 0.85), rel=1e-4)


def test_a_small_batch_is_shared_by_no_more_than_its_sequences_unless_memory_asks():
    (found,) = costed([run_of(MIDDLE, 4000, batch=4)], machine()).runs
    assert found.days > DAYS_A_RUN
    assert found.accelerators <= 4
    (huge,) = costed([run_of(HUGE, 0.01, batch=2)], machine("h100-sxm", mfu=0.4)).runs
    assert huge.accelerators > 2


def test_runs_that_are_alike_are_searched_for_once(monkeypatch):
    from scaleplan.specs import pilot_widths

    asked = []
    estimate = pilot_widths.estimate
    monkeypatch.setattr(pilot_widths, "estimate", lambda *given: asked.append(given[0].name) or estimate(*given))
    runs = [run_of(SMALL, name=f"seed-{i}", seed=i, role="replicate") for i in range(5)]
    found = costed(runs, machine())
    assert asked == ["seed-0"]
    assert len({run.gpu_hours for run in found.runs}) == 1
    assert [run.id for run in found.runs] == [run.id for run in runs]
    # No more numbers of accelerators are looked at than one below and one above the one that is taken, and the least.
    asked.clear()
    costed(LADDER, machine(), days=6)
    assert max(asked.count(run.id) for run in LADDER) <= 4


def test_no_price_is_no_cost_and_no_runs_are_no_time():
    found = costed(LADDER[:1], machine("8xgb300"))
    assert found.runs[0].cost_usd is None
    assert found.runs[0].gpu_hours > 0
    nothing = costed([], machine())
    assert (nothing.runs, nothing.makespan_days) == ((), 0.0)


def test_what_is_said_of_one_run_names_it_and_what_is_said_of_all_is_said_once():
    odd = [run_of(SMALL, name="odd", batch=251), run_of(MIDDLE, 800, name="odder", batch=251), *LADDER]
    found = costed(odd, machine(precision="fp8", calibrate=None))
    messages = [notice.message for notice in found.notices]
    assert len(messages) == len(set(messages))
    rounded = [notice.message for notice in found.notices if notice.code == "batch_rounded"]
    assert len(rounded) == 1
    assert rounded[0].startswith(("odd: ", "odder: ", "odd and 1 more pilot runs: "))
    unused = costed(LADDER, machine(mfu=0.4, network=400)).notices
    assert [notice.code for notice in unused] == ["unused"]


def test_assumptions_are_those_of_the_bill_without_the_main_run_s_extras():
    found = costed(LADDER, machine(evaluation="2%", pilots="1%", price=2.5))
    names = [each.name for each in found.assumptions]
    assert {"accelerator", "goodput", "price", "network", "time of a pilot", "accelerators at once"} <= set(names)
    assert not {"evaluation", "pilots", "batch", "shape", "context"} & set(names)
    assert len(names) == len(set(names))
    given = costed(LADDER, machine(), days=9).assumptions
    assert ("time of all pilots", 9, "given") in {(each.name, each.value, each.status) for each in given}


def test_a_step_of_more_tokens_than_the_run_is_a_slip_of_that_run():
    run = run_of(SMALL, name="short")
    with pytest.raises(UsageError, match=r"^short: batch: a step of .* is more than the run's"):
        costed([run._replace(tokens=run.batch_tokens / 2)], machine())
    assert math.isclose(costed([run._replace(tokens=run.batch_tokens)], machine()).runs[0].tokens, run.batch_tokens)
