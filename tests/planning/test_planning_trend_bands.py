"""Laws without a surface, as isoFLOP and compute-only fits give them: their bands, and what they predict."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.planning.allocation import allocate
from scaleplan.planning.prediction import predict
from scaleplan.planning.problem import Problem
from scaleplan.specs.laws import load_law

K, A = 0.09, 0.5
FLOOR, C_0, SLOPE = 1.7, 2e20, 0.16
S_RULE = np.array([[4e-2, -8e-4], [-8e-4, 1.7e-5]])
S_TREND = np.array([[1e-2, 2e-4, 2.2e-4], [2e-4, 1e-5, 5e-6], [2.2e-4, 5e-6, 5e-6]])
SD, DOF = 0.004, 20
T = stdtrit(DOF, 0.975)
DOCUMENT = """
schema: scaleplan.law/1
id: grid
title: Own grid
year: 2026
authors: us
paper: own runs
kind: allocation
counts:
  params: total
  flop: 6ND
  tokens: training tokens
  loss: {{unit: nats/token, corpus: web, tokenizer: ours}}
fitted: {{params: [1e7, 1e9], tokens: [1e9, 1e11], train_flop: [1e17, 1e20], source: grid.csv}}
groups:
  split:
    form: power-rule
    source: own
    constants: {{k: {{value: 0.09, unit: parameters/FLOP^a}}, a: {{value: 0.5, unit: "1"}}}}
  line:
    form: compute-trend
    source: own
    constants:
      L_inf: {{value: 1.7, unit: nats/token}}
      C_0: {{value: 2e20, unit: FLOP}}
      alpha: {{value: 0.16, unit: "1"}}
default: {{allocation: split, trend: line}}
{blocks}
"""
TREND = """
uncertainty:
  parameters: [ln_K, ln_L_inf, alpha]
  covariance: [[1e-2, 2e-4, 2.2e-4], [2e-4, 1e-5, 5e-6], [2.2e-4, 5e-6, 5e-6]]
  residual_sd: 0.004
  dof: 20
  source: own
"""
RULE = """
allocation_uncertainty:
  parameters: [ln_k, a]
  covariance: [[4e-2, -8e-4], [-8e-4, 1.7e-5]]
  residual_sd: 0.05
  dof: 20
  source: own
"""


@pytest.fixture
def law(tmp_path):
    def write(blocks):
        path = tmp_path / "grid.yaml"
        path.write_text(DOCUMENT.format(blocks=blocks))
        return load_law(str(path))

    return write


def loss_at(C):
    return FLOOR + (C / C_0) ** -SLOPE


def loss_half(C, kappa=1.7, tau=0.01):
    above = (C / C_0) ** -SLOPE
    g = np.array([above, FLOOR, -above * math.log(C)]) / loss_at(C)
    beyond = max(0.0, math.log10(C / 1e20))
    return T * math.sqrt(kappa**2 * (g @ S_TREND @ g + SD**2) + (tau * beyond) ** 2)


def params_half(C):
    g = np.array([1.0, math.log(C)])
    return T * math.sqrt(1.7**2 * (g @ S_RULE @ g) + (0.3 * max(0.0, math.log10(C / 1e20))) ** 2)


@pytest.mark.parametrize("C", [1e19, 1e23])
def test_bands_of_a_budget(law, C):
    plan = allocate(law(TREND + RULE), Problem(train_flop=C))
    N, h = K * C**A, params_half(C)
    assert plan.params == pytest.approx(N, rel=1e-12)
    assert plan.params_low == pytest.approx(N * math.exp(-h), rel=1e-9)
    assert plan.params_high == pytest.approx(N * math.exp(h), rel=1e-9)
    assert plan.tokens_high == pytest.approx(C / 6 / N * math.exp(h), rel=1e-9)
    assert plan.tokens_per_param_low == pytest.approx(C / 6 / N**2 * math.exp(-2 * h), rel=1e-9)
    assert plan.loss == pytest.approx(loss_at(C), rel=1e-12)
    assert plan.loss_low == pytest.approx(loss_at(C) * math.exp(-loss_half(C)), rel=1e-9)
    assert plan.loss_high == pytest.approx(loss_at(C) * math.exp(loss_half(C)), rel=1e-9)
    assert plan.train_flop_low is None
    assert "no_interval" not in [notice.code for notice in plan.warnings]


def test_bands_of_a_target_loss(law):
    plan = allocate(law(TREND + RULE), Problem(loss=2.6))
    C = C_0 * (2.6 - FLOOR) ** (-1 / SLOPE)
    h = loss_half(C)
    low, high = (C_0 * (2.6 * math.exp(s * h) - FLOOR) ** (-1 / SLOPE) for s in (1, -1))
    assert plan.train_flop == pytest.approx(C, rel=1e-9)
    assert plan.train_flop_low == pytest.approx(low, rel=1e-9)
    assert plan.train_flop_high == pytest.approx(high, rel=1e-9)
    own = params_half(C)
    assert plan.params_low == pytest.approx(K * C**A * math.exp(-math.hypot(own, A * math.log(C / low))), rel=1e-9)
    assert plan.params_high == pytest.approx(K * C**A * math.exp(math.hypot(own, A * math.log(high / C))), rel=1e-9)


def test_many_budgets_have_the_bands_of_each(law):
    ours = law(TREND + RULE)
    many = allocate(ours, Problem(train_flop=np.array([1e19, 1e23])))
    for i, C in enumerate((1e19, 1e23)):
        one = allocate(ours, Problem(train_flop=C))
        for name in ("params_low", "tokens_high", "tokens_per_param_low", "loss_low", "loss_high"):
            assert getattr(many, name)[i] == pytest.approx(getattr(one, name), rel=1e-12)


def test_where_the_band_of_the_loss_holds_the_floor_the_dear_end_is_open(law):
    plan = allocate(law(TREND + RULE), Problem(loss=1.703))
    assert plan.train_flop_high is None
    assert plan.params_high is None
    assert plan.train_flop_low < plan.train_flop
    assert "open_end" in [notice.code for notice in plan.warnings]


def test_a_covariance_of_one_role_gives_that_roles_bands_alone(law):
    only_trend = allocate(law(TREND), Problem(train_flop=1e19))
    assert only_trend.loss_low == pytest.approx(loss_at(1e19) * math.exp(-loss_half(1e19)), rel=1e-9)
    assert only_trend.params_low is only_trend.tokens_high is only_trend.tokens_per_param_low is None
    only_rule = allocate(law(RULE), Problem(train_flop=1e19))
    assert only_rule.params_low == pytest.approx(K * 1e19**A * math.exp(-params_half(1e19)), rel=1e-9)
    assert only_rule.loss_low is only_rule.loss_high is None
    budget = allocate(law(TREND), Problem(loss=2.6))
    assert budget.train_flop_low < budget.train_flop < budget.train_flop_high
    assert budget.params_low is None
    neither = allocate(law(""), Problem(train_flop=1e19))
    assert neither.loss_low is neither.params_low is None
    assert "no_interval" in [notice.code for notice in neither.warnings]


def run(law, params, tokens):
    return predict(law, params, tokens, level=0.95, accounting=Accounting(flop=law.counts_flop))


def test_a_run_is_predicted_by_its_compute_alone_and_a_notice_says_so(law):
    ours = law(TREND + RULE)
    prediction = run(ours, 1e9, 2e10)
    C = 1.2e20
    assert prediction.loss == pytest.approx(loss_at(C), rel=1e-12)
    assert prediction.loss_low == pytest.approx(loss_at(C) * math.exp(-loss_half(C)), rel=1e-9)
    assert prediction.loss_high == pytest.approx(loss_at(C) * math.exp(loss_half(C)), rel=1e-9)
    (notice,) = [each for each in prediction.warnings if each.code == "compute_only"]
    assert "sees the FLOPs of a run alone" in notice.message
    assert f"{1e9 / (K * C**A):.3g} times the parameters" in notice.message
    # The same FLOPs split otherwise have the same loss; that is what the notice warns of.
    assert run(ours, 1e8, 2e11).loss == pytest.approx(prediction.loss, rel=1e-12)


def test_runs_are_predicted_element_by_element_and_the_notice_gives_the_range(law):
    many = run(law(TREND + RULE), np.array([1e9, 1e8]), np.array([2e10, 2e10]))
    assert many.loss == pytest.approx(np.array([loss_at(1.2e20), loss_at(1.2e19)]), rel=1e-12)
    assert many.loss_low.shape == (2,)
    (notice,) = [each for each in many.warnings if each.code == "compute_only"]
    ends = sorted((1e9 / (K * 1.2e20**A), 1e8 / (K * 1.2e19**A)))
    assert f"these have {ends[0]:.3g} times to {ends[1]:.3g} times the parameters" in notice.message


def test_under_another_convention_the_trend_reads_the_flops_as_the_law_counts_them(law):
    ours = law(TREND + RULE)
    other = predict(ours, 1e9, 2e10, level=0.95, accounting=Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING))
    assert other.loss == pytest.approx(loss_at(1.2e20), rel=1e-12)
    assert other.train_flop < 1.2e20


def test_a_law_with_a_surface_says_nothing_of_compute_alone():
    codes = [notice.code for notice in run(load_law("chinchilla"), 1e9, 2e10).warnings]
    assert "compute_only" not in codes


def test_without_a_surface_and_a_trend_there_is_no_prediction():
    with pytest.raises(UsageError, match="cannot serve a prediction of the loss"):
        run(load_law("hoffmann-2022-a2"), 1e9, 2e10)


def test_a_loss_that_the_trend_does_not_reach_is_refused(law):
    with pytest.raises(InfeasibleError, match="does not go so low"):
        allocate(law(TREND + RULE), Problem(loss=1.6))
