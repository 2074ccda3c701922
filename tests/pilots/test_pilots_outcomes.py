"""What became of pilot runs: which ended, which stopped early, and which loss is not to be fitted to."""

import math

import numpy as np
import pytest

from scaleplan.pilots.outcomes import Evidence, contradictions, judge
from scaleplan.pilots.rises import rise_above_minimum


def run(name="a", **values):
    start = {"status": "finished", "planned_params": 1e8, "planned_tokens": 2e9, "loss": 3.2, "vocabulary": 50_000.0}
    return Evidence(run_id=name, **(start | values))


def only(**values):
    (outcome,) = judge([run(**values)])
    return outcome


def test_a_sound_run_is_finished_with_the_numbers_of_the_manifest():
    outcome = only(params=1.004e8, tokens=1.99e9, how="last evaluation loss", seed=3)
    assert outcome == ("a", "finished", 1e8, 2e9, 3.2, "last evaluation loss", "", 3)


@pytest.mark.parametrize("status", ["missing", "unfinished", "failed"])
def test_what_did_not_end_is_not_judged_further(status):
    outcome = only(status=status, loss=math.nan, detail="exit code 9")
    assert (outcome.status, outcome.detail) == (status, "exit code 9")


def test_an_end_without_a_loss_is_a_failure_with_its_reason():
    assert only(loss=None, detail="a.json: cut off").detail == "a.json: cut off"
    assert only(loss=None)[1] == "failed"
    assert only(loss=None).detail == "no loss could be read"


@pytest.mark.parametrize("loss", [0.0, -1.3, 9e-4])
def test_a_loss_that_is_no_cross_entropy_is_a_failure(loss):
    outcome = only(loss=loss)
    assert outcome.status == "failed"
    assert "no cross-entropy" in outcome.detail


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_diverged_however_far_the_run_came(loss):
    outcome = only(loss=loss, tokens=1e8)
    assert (outcome.status, outcome.detail) == ("diverged", f"loss {loss} is not finite")


def test_no_better_than_a_uniform_guess_diverged():
    at = math.log(50_000)
    assert only(loss=at * 0.999).status == "finished"
    outcome = only(loss=at + 0.25)
    assert outcome.status == "diverged"
    assert outcome.detail == "loss 11.07 is 0.25 above the 10.82 of a uniform guess over 50000 tokens"
    assert only(loss=at + 0.25, vocabulary=None).status == "finished"


def test_a_training_loss_that_ends_above_its_minimum_diverged():
    assert only(rise=0.0999).status == "finished"
    outcome = only(rise=0.1375)
    assert outcome.status == "diverged"
    assert outcome.detail == "its log ends 13.8 % above its own minimum (limit 10 %)"


def test_loss_above_that_of_a_run_with_less_of_both_diverged():
    small = run("small", planned_params=1e7, planned_tokens=1e9, loss=3.0)
    assert [each.status for each in judge([run(loss=3.14), small])] == ["finished", "finished"]
    big, same = judge([run(loss=3.3), small])
    assert (big.status, same.status) == ("diverged", "finished")
    assert big.detail == (
        "loss 3.3 is 10 % above the 3 of run small, which has no more params and no more tokens (limit 5 %)"
    )


@pytest.mark.parametrize("other", [{"planned_params": 2e8}, {"planned_tokens": 3e9}, {"status": "failed"}])
def test_a_run_with_more_of_either_or_that_is_not_sound_is_no_measure(other):
    assert judge([run(loss=4.0), run("b", loss=3.0, **other)])[0].status == "finished"


def test_a_run_that_diverged_by_itself_accuses_no_other():
    outcomes = judge([run("a", loss=3.2), run("b", loss=2.5, rise=0.3), run("c", loss=3.25)])
    assert [each.status for each in outcomes] == ["finished", "diverged", "finished"]


def test_replicates_are_measured_against_each_other():
    outcomes = judge([run("a", loss=3.2), run("b", loss=3.21), run("c", loss=3.6)])
    assert [each.status for each in outcomes] == ["finished", "finished", "diverged"]
    assert "run a" in outcomes[2].detail


def test_a_run_that_stopped_before_its_tokens_is_unfinished():
    assert only(tokens=1.981e9).status == "finished"
    outcome = only(tokens=1.2e9)
    assert (outcome.status, outcome.detail, outcome.tokens) == ("unfinished", "stopped at 1.2B of 2B tokens", 1.2e9)
    assert only(tokens=1.9e9, tokens_between=1e8).status == "finished"


def test_a_run_that_stopped_before_its_own_last_step_is_unfinished():
    assert only(steps=90, total_steps=100, steps_between=10).status == "finished"
    outcome = only(steps=60, total_steps=100, steps_between=10)
    assert (outcome.status, outcome.detail) == ("unfinished", "stopped at step 60 of 100")
    assert only(steps=60, total_steps=100, tokens=2e9).status == "finished"


def test_what_was_trained_counts_where_the_manifest_says_otherwise():
    evidence = run(params=1.3e8, tokens=2.4e9)
    (outcome,) = judge([evidence])
    assert (outcome.status, outcome.params, outcome.tokens) == ("finished", 1.3e8, 2.4e9)
    assert contradictions(evidence) == ("params 130M, manifest 100M", "tokens 2.4B, manifest 2B")
    assert contradictions(run(params=1.009e8, tokens=1.2e9)) == ()


def test_runs_without_a_manifest_are_what_they_say():
    (outcome,) = judge([Evidence("a", "finished", params=1e8, tokens=2e9, loss=3.0)])
    assert (outcome.status, outcome.params, outcome.tokens) == ("finished", 1e8, 2e9)


def test_no_runs_no_outcomes():
    assert judge([]) == ()


def test_the_rise_of_a_curve_is_that_of_its_moving_mean():
    falling = 3 + 5 / np.arange(1, 2001)
    assert rise_above_minimum(falling) == pytest.approx(0)
    numbers = np.random.default_rng(5)
    assert rise_above_minimum(falling * numbers.normal(1, 0.03, falling.size)) < 0.05
    risen = np.concatenate([falling, np.linspace(falling[-1], 4.5, 200), np.full(200, 4.5)])
    assert rise_above_minimum(risen) == pytest.approx(4.5 / falling[-20:].mean() - 1, rel=1e-3)


def test_one_high_batch_at_the_end_is_no_rise():
    flat = np.full(1000, 3.0)
    flat[999] = 3.8
    assert rise_above_minimum(flat) == pytest.approx(0.8 / 10 / 3)


def test_what_is_not_finite_is_left_out_of_the_rise():
    curve = np.array([5.0, 4.0, math.nan, 3.0, math.inf, 3.0, 3.6])
    assert rise_above_minimum(curve) == pytest.approx(0.2)


@pytest.mark.parametrize("curve", [[], [3.0], [math.nan, math.nan], [3.0, 0.0], [3.0, -1.0]])
def test_no_rise_where_none_can_be_told(curve):
    assert rise_above_minimum(np.array(curve)) is None


def ladder(losses):
    return [
        run(f"r{i}", planned_params=1e7 * 2**i, planned_tokens=1e9 * 2**i, loss=loss) for i, loss in enumerate(losses)
    ]


def test_one_loss_that_is_too_low_condemns_itself_not_all_others():
    outcomes = judge(ladder([4.0, 1.2, 3.6, 3.4, 3.2]))
    assert [each.status for each in outcomes] == ["finished", "failed", "finished", "finished", "finished"]
    assert outcomes[1].detail.startswith("loss 1.2 is too low: by it alone 3 runs ")
    assert [each.status for each in judge(ladder([4.0, 1.2, 3.6, 9.0, 3.2]))] == [
        "finished", "failed", "finished", "diverged", "finished",
    ]  # fmt: skip


def test_two_runs_above_one_diverged():
    assert [each.status for each in judge(ladder([3.5, 4.5, 5.0]))] == ["finished", "diverged", "diverged"]


def test_runs_that_are_too_high_by_several_others_diverged():
    assert [each.status for each in judge(ladder([3.6, 3.5, 3.4, 9.0, 8.0]))] == [
        "finished", "finished", "finished", "diverged", "diverged",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [math.inf, math.nan, 0.0, -1.0])
def test_a_size_that_is_no_number_above_zero_is_a_failure(value):
    outcome = only(params=value)
    assert (outcome.status, outcome.params) == ("failed", 1e8)
    assert outcome.detail == f"its files say params {value:g}, not a number above zero"
    assert contradictions(run(params=value)) == ()


def test_batches_of_one_sequence_are_no_rise():
    numbers = np.random.default_rng(7)
    rises = [rise_above_minimum(numbers.normal(3.0, 0.5, 1000)) for _ in range(50)]
    assert all(rise is not None and 0 <= rise < 0.1 for rise in rises)
    risen = np.concatenate([numbers.normal(3.0, 0.5, 1000), numbers.normal(6.0, 0.5, 200)])
    found = rise_above_minimum(risen)
    assert found is not None
    assert found > 0.5
