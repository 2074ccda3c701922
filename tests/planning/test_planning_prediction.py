import math

import numpy as np
import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.errors import UsageError
from scaleplan.planning.allocation import allocate
from scaleplan.planning.prediction import predict
from scaleplan.planning.problem import Problem
from scaleplan.specs.laws import load_law

CHINCHILLA = load_law("chinchilla")
KM = load_law("km")


def run(law, params, tokens, level=0.95):
    return predict(law, params, tokens, level=level, accounting=Accounting(flop=law.counts_flop))


def test_the_loss_of_chinchilla():
    prediction = run(CHINCHILLA, 7e10, 1.4e12)
    expected = 1.8168640400416654 + 482.0057194215438 * 7e10**-0.34781303 + 2085.434195928221 * 1.4e12**-0.36585412
    assert prediction.loss == pytest.approx(expected, rel=1e-13)
    assert prediction.train_flop == pytest.approx(5.88e23, rel=1e-14)
    assert prediction.tokens_per_param == pytest.approx(20.0, rel=1e-14)
    assert (prediction.params, prediction.tokens) == (7e10, 1.4e12)
    assert prediction.loss_low < prediction.loss < prediction.loss_high


def test_kaplans_law_reads_the_size_without_embeddings():
    prediction = run(KM, 1e9, 1e10)
    N = prediction.params_nonembedding
    assert pytest.approx(1e9, rel=1e-3) == N + 32_000 * (39.2 / 12) ** (1 / 3) * N ** (1 / 3)
    assert prediction.loss == pytest.approx(((6.4e13 / N) ** (0.076 / 0.103) + 1.8e13 / 1e10) ** 0.103, rel=1e-12)
    assert prediction.train_flop == pytest.approx(6e10 * N, rel=1e-13)
    assert prediction.loss_low is None
    assert prediction.loss_high is None


def test_the_band_is_that_of_the_plan_at_the_same_run():
    plan = allocate(CHINCHILLA, Problem(train_flop=1e24))
    prediction = run(CHINCHILLA, plan.params, plan.tokens)
    assert prediction.loss == pytest.approx(plan.loss, rel=1e-13)
    assert prediction.loss_low == pytest.approx(plan.loss_low, rel=1e-12)
    assert prediction.loss_high == pytest.approx(plan.loss_high, rel=1e-12)


def test_arrays_are_predicted_element_by_element():
    params, tokens = np.array([1e9, 7e10]), np.array([2e10, 1.4e12])
    many = run(CHINCHILLA, params, tokens)
    for i in range(2):
        one = run(CHINCHILLA, float(params[i]), float(tokens[i]))
        for name in ("loss", "loss_low", "loss_high", "train_flop", "tokens_per_param", "params_nonembedding"):
            assert getattr(many, name)[i] == pytest.approx(getattr(one, name), rel=1e-12)


def test_one_size_on_several_amounts_of_data():
    many = run(CHINCHILLA, 1e9, np.array([1e10, 1e11]))
    assert many.loss[0] > many.loss[1]


@pytest.mark.parametrize(
    ("params", "tokens", "level", "words"),
    [
        (0.0, 1e9, 0.95, "params must be finite and at least 1"),
        (1e9, 0.5, 0.95, "tokens must be finite and at least 1"),
        (math.nan, 1e9, 0.95, "params must be finite"),
        (1e9, np.array([1e9, math.inf]), 0.95, "tokens must be finite"),
        (1e9, 1e9, 1.5, "level must be a fraction"),
    ],
)
def test_runs_out_of_range_are_refused(params, tokens, level, words):
    with pytest.raises(UsageError, match=words):
        run(CHINCHILLA, params, tokens, level)


def test_an_allocation_rule_predicts_no_loss():
    with pytest.raises(UsageError, match="cannot serve a prediction of the loss"):
        run(load_law("hoffmann-2022-a1"), 1e9, 1e10)
