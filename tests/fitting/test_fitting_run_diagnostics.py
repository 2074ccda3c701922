"""Every notice on a table has a table that raises it and one that does not."""

from dataclasses import replace

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.row_diagnostics import replicate_noise, rows_named
from scaleplan.fitting.run_diagnostics import run_notices, tokens_per_param_decades
from scaleplan.fitting.runs import runs_of

A, B, E, ALPHA, BETA = 482.01, 2085.43, 1.8172, 0.3478, 0.3658  # Besiroglu et al. 2024


def law(params, tokens):
    return E + A * params**-ALPHA + B * tokens**-BETA


def grid(budgets=6, sizes=6, low=1e19, high=1e21, span=8.0, sd=0.003, seed=0):
    """IsoFLOP runs: sizes up to ``span`` times either side of the best for the budget."""
    flop = np.repeat(np.geomspace(low, high, budgets), sizes)
    params = (flop / 6 / 20) ** 0.5 * np.tile(np.geomspace(1 / span, span, sizes), budgets)
    tokens = flop / 6 / params
    noise = np.exp(sd * np.random.default_rng(seed).standard_normal(len(flop)))
    return runs_of(params, tokens, law(params, tokens) * noise, source="pilots.csv")


def condition_by_differences(runs):
    """Of J'J at Besiroglu et al.'s law, J by central differences, levels at the mean ln N and ln D."""
    x, y = np.log(runs.params), np.log(runs.tokens)
    x0, y0 = x.mean(), y.mean()

    def ln_loss(t):
        return np.log(np.exp(t[0] - t[3] * (x - x0)) + np.exp(t[1] - t[4] * (y - y0)) + np.exp(t[2]))

    at = np.array([np.log(A) - ALPHA * x0, np.log(B) - BETA * y0, np.log(E), ALPHA, BETA])
    step = 1e-5 * np.eye(5)
    columns = np.stack([(ln_loss(at + s) - ln_loss(at - s)) / 2e-5 for s in step], axis=1)
    return np.linalg.cond(columns / np.linalg.norm(columns, axis=0)) ** 2


def codes(runs, form="additive"):
    return [notice.code for notice in run_notices(runs, find_fit_form(form))]


def message(runs, code, form="additive"):
    found = [notice.message for notice in run_notices(runs, find_fit_form(form)) if notice.code == code]
    assert len(found) == 1, f"{code} once among {codes(runs, form)}"
    assert found[0].startswith("pilots.csv: ")
    assert found[0].endswith(".")
    return found[0]


def stacked(*tables):
    """Tables one under the other, every row a run of its own."""
    joined = [np.concatenate([getattr(t, name) for t in tables]) for name in ("params", "tokens", "loss")]
    return runs_of(*joined, source="pilots.csv")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("form", ["additive", "tied", "over-training", "kaplan-joint", "compute-only", "one-break"])
def test_a_good_grid_raises_nothing(form, seed):
    assert run_notices(grid(seed=seed), find_fit_form(form)) == ()


def test_one_size_is_an_error_except_for_forms_of_compute():
    tokens = np.geomspace(1e9, 1e12, 40)
    runs = runs_of(np.full(40, 1e9), tokens, law(1e9, tokens), source="pilots.csv")
    with pytest.raises(UsageError, match=r"pilots\.csv: every run has 1B parameters.*\(alpha\).*compute-only"):
        run_notices(runs)
    assert codes(runs, "compute-only") == []


def test_one_token_count_is_an_error():
    params = np.geomspace(1e8, 1e11, 40)
    runs = runs_of(params, np.full(40, 2e10), law(params, 2e10), source="pilots.csv")
    with pytest.raises(UsageError, match=r"every run has 20B tokens.*\(beta\)"):
        run_notices(runs)


def test_one_budget_is_an_error_for_forms_of_compute():
    runs = grid(budgets=1, sizes=36)
    with pytest.raises(UsageError, match="every run has 1e19 FLOP"):
        run_notices(runs, find_fit_form("compute-only"))
    assert "narrow_compute" in codes(runs)


def test_a_million_identical_rows_are_an_error():
    with pytest.raises(UsageError, match="every run has 1B parameters"):
        run_notices(runs_of(np.full(10**6, 1e9), np.full(10**6, 2e10), np.full(10**6, 2.5)))


def test_few_sizes():
    params, tokens = np.repeat([1e8, 1e9], 15), np.tile(np.geomspace(1e9, 1e11, 15), 2)
    assert "only 2 different sizes (100M, 1B)" in message(
        runs_of(params, tokens, law(params, tokens), source="pilots.csv"), "few_sizes"
    )
    params, tokens = np.repeat([1e8, 3e8, 1e9, 3e9], 15), np.tile(np.geomspace(1e9, 1e11, 15), 4)
    assert "few_sizes" not in codes(runs_of(params, tokens, law(params, tokens)))


def test_a_narrow_spread_of_tokens_per_parameter_is_said_with_its_condition_number():
    narrow = grid(span=1.5)
    assert tokens_per_param_decades(narrow) == pytest.approx(2 * np.log10(1.5**2))
    text = message(narrow, "ratio_spread_narrow")
    assert "span 0.7 decades, less than 1.5" in text
    assert f"(condition number {condition_by_differences(narrow):,.0f};" in text
    assert "ratio_spread_narrow" not in codes(grid(span=3))
    assert "ratio_spread_narrow" not in codes(narrow, "compute-only")


def test_runs_along_a_ray_have_an_enormous_condition_number():
    params = np.geomspace(1e8, 1e10, 40)
    text = message(runs_of(params, 20 * params, law(params, 20 * params), source="pilots.csv"), "ratio_spread_narrow")
    assert "e+1" in text or "infinite" in text


def test_few_runs():
    assert "20 training runs for the 5 parameters of the form additive, where 25 tell the noise well" in message(
        grid(budgets=5, sizes=4), "few_runs"
    )
    assert "few_runs" not in codes(grid(budgets=5, sizes=5))
    assert "few_runs" not in codes(grid(budgets=5, sizes=4), "tied"), "four parameters take 20"


def test_checkpoints_do_not_count_as_runs():
    runs = grid(budgets=10, sizes=10)
    assert "few_runs" in codes(replace(runs, run=np.tile(np.arange(10), 10)))


def test_narrow_compute():
    assert "spans 1 decades, less than 1.5" in message(grid(high=1e20), "narrow_compute")
    assert "narrow_compute" not in codes(grid(high=4e20))


def test_duplicates_are_named_by_their_rows():
    runs = grid()
    assert "row 37 repeats" in message(stacked(runs, runs.subset(np.array([3]))), "duplicate_rows")
    assert "rows 37, 38, 39, 40, 41 and 31 more repeat" in message(stacked(runs, runs), "duplicate_rows")


def test_another_loss_at_the_same_place_is_a_replicate_and_no_duplicate():
    runs = stacked(grid(seed=0), grid(seed=1))
    assert codes(runs) == []
    sd, dof = replicate_noise(runs)
    assert dof == 36
    assert sd == pytest.approx(0.003, rel=0.4)  # 36 differences: 12 % standard error


def test_replicates_count_by_hand():
    runs = runs_of(np.array([1e8, 1e8, 1e8, 1e9]), np.array([1e9, 1e9, 1e9, 1e9]), np.exp([1.0, 1.1, 1.2, 1.0]))
    assert replicate_noise(runs) == (pytest.approx(0.1), 2)
    assert replicate_noise(grid()) is None
    assert replicate_noise(stacked(grid(), grid())) is None, "copies say nothing of noise"
    assert replicate_noise(replace(runs, run=np.array([0, 0, 0, 1]))) is None, "nor do rows of one run"
    assert replicate_noise(replace(runs, unique_tokens=np.array([1e8, 2e8, 3e8, 1e9]))) is None


def test_a_sweep_left_in_the_table():
    runs = grid()
    sweep = stacked(*(replace(runs, loss=runs.loss * factor) for factor in (1.0, 1.02, 1.06)))
    text = message(sweep, "replicate_spread")
    assert "(72 degrees of freedom)" in text
    assert "keep the best of each" in text
    seeds = stacked(*(grid(seed=seed, sd=0.005) for seed in range(3)))
    assert "replicate_spread" not in codes(seeds)


def test_one_far_pair_is_not_yet_a_sweep():
    runs = grid()
    pair = runs.subset(np.array([0]))
    assert "replicate_spread" not in codes(stacked(runs, replace(pair, loss=pair.loss * 1.02)))


def with_flop(ratio):
    runs = grid()
    return replace(runs, flop=runs.train_flop * ratio)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (4 / 3, "recorded FLOPs are 1.33 times 6 N D in rows 1, 2, 3, 4, 5 and 31 more, as if they were activations"),
        (1 / 3, "forward passes alone, 2 N D"),
        (0.5, "3 N D"),
        (1e-18, "units of 1e18 FLOP"),
        (1 / 8.64e19, "PF-days"),
    ],
)
def test_recorded_flops_of_another_convention(ratio, text):
    assert text in message(with_flop(ratio), "flops_disagree")


def test_recorded_flops_with_attention_fall_towards_six_nd():
    runs = grid()
    ratio = 1 + 0.4 * (runs.params / runs.params.min()) ** -0.3
    assert "as if they counted attention" in message(with_flop(ratio), "flops_disagree")
    assert "left out the embeddings" in message(with_flop(1 / ratio), "flops_disagree")


def test_single_rows_of_other_flops_are_named():
    ratio = np.ones(36)
    ratio[[4, 9]] = 2.5
    assert "2.5 times 6 N D in rows 5 and 10;" in message(with_flop(ratio), "flops_disagree")


def test_flops_that_agree_or_are_not_logged_raise_nothing():
    ratio = np.full(36, 1.04)
    ratio[3] = np.nan
    assert "flops_disagree" not in codes(with_flop(ratio))
    assert "flops_disagree" not in codes(with_flop(np.full(36, np.nan)))
    ratio[5] = 1.15
    assert "flops_disagree" not in codes(with_flop(ratio)), "one row by less than 20 %"


def test_repeated_data():
    runs = grid()
    unique = runs.tokens.copy()
    unique[:2] /= 4
    repeated = replace(runs, unique_tokens=unique)
    text = message(repeated, "repeated_data")
    assert "rows 1 and 2 repeat their data, up to 4 epochs" in text
    assert "--form repetition" in text
    assert "repeated_data" not in codes(repeated, "repetition")
    assert "repeated_data" not in codes(replace(runs, unique_tokens=runs.tokens / 1.01))


def test_unannealed_checkpoints():
    runs = grid()
    text = message(replace(runs, run=np.arange(36) // 2), "unannealed_checkpoints")
    assert text.startswith("pilots.csv: 18 of 18 runs have rows at several token counts (rows 2, 4, 6, 8, 10 and 13")
    assert "unannealed_checkpoints" not in codes(runs)


def test_several_losses_of_one_run():
    runs = grid()
    both = replace(stacked(runs, replace(runs, loss=runs.loss * 1.1)), run=np.tile(np.arange(36), 2))
    assert "several validation sets" in message(both, "several_losses")
    assert "replicate_spread" not in codes(both), "rows of one run are no replicates"
    assert "several_losses" not in codes(replace(runs, run=np.arange(36) // 2))


def test_rows_are_named_by_their_numbers_in_the_source():
    runs = replace(grid(), row=np.arange(100, 136))
    assert rows_named(runs, np.array([0])) == "row 100"
    assert rows_named(runs, np.array([0, 2])) == "rows 100 and 102"
    assert rows_named(replace(runs, row_word="line"), np.array([0, 2])) == "lines 100 and 102"
    assert rows_named(runs, np.arange(5)) == "rows 100, 101, 102, 103 and 104"
    assert rows_named(runs, np.arange(36) >= 0) == "rows 100, 101, 102, 103, 104 and 31 more"
