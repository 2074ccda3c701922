"""The critical batch: the measured steps it was fitted on, the way back, and what a plan is told of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.critical_batch import MEASURED, notices
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.laws import load_law
from scaleplan.specs.records import load_record

SEQUENCE, REFERENCE = 512, 256
BATCHES = 2.0 ** np.arange(6, 15)
STEPS = [643000, 331000, 176000, 94000, 46500, 25000, 15360, 8900, 6500]
"""Steps to one loss by batch, of 1.2B parameters: Zhang et al. 2024, repository hlzhang109/critical-batch-size,
plots/chinchilla.ipynb."""
CRITICAL = {13_282: 754, 23_438: 968, 46_875: 1394, 93_750: 1889, 187_500: 2535}
"""Critical batches read so from the steps of 85M, 151M, 302M, 604M and 1.2B parameters, by the steps of 256 sequences
that make 20 tokens a parameter."""


def critical_sequences(steps):
    """B where a + b / B is 1.2 times the steps of 256 sequences times 256 / B."""

    def ln_steps(ln_batch, ln_a, ln_b):
        return np.logaddexp(ln_a, ln_b - ln_batch)

    start = (np.log(1500), np.log(REFERENCE * steps[2]))
    (ln_a, ln_b), _ = curve_fit(ln_steps, np.log(BATCHES), np.log(np.array(steps, float)), p0=start)
    a, b = np.exp(ln_a), np.exp(ln_b)
    return (1.2 * (a * REFERENCE + b) - b) / a


def test_the_constants_are_those_of_the_published_steps():
    assert critical_sequences(STEPS) == pytest.approx(CRITICAL[187_500], abs=1)
    tokens = np.array([steps * REFERENCE * SEQUENCE for steps in CRITICAL], float)
    critical = SEQUENCE * np.array(list(CRITICAL.values()), float)
    p, ln_k = np.polyfit(np.log(tokens), np.log(critical), 1)
    assert MEASURED.p == pytest.approx(p, abs=5e-4)
    assert MEASURED.batch(6e9) == pytest.approx(np.exp(ln_k) * 6e9**p, rel=0.003)
    np.testing.assert_allclose(MEASURED.batch(tokens), critical, rtol=0.03)
    assert MEASURED.fitted == pytest.approx((tokens[0], tokens[-1]), rel=0.002)


def test_the_exponent_is_the_one_on_record():
    growth = load_record("zhang-cbs-2024").groups["critical_batch"].form
    assert growth.p_low <= MEASURED.p <= growth.p_high


def test_the_batches_of_published_runs_lie_where_practice_has_them():
    """Llama 3 405B took up to 16M tokens a step for 15T tokens (arXiv 2407.21783, sec. 3.4.1)."""
    assert 1.6e7 < MEASURED.batch(15e12) < 3.2e7


def test_there_and_back_is_where_it_began():
    tokens = np.geomspace(1e8, 1e15, 40)
    np.testing.assert_allclose(MEASURED.least_tokens(MEASURED.batch(tokens)), tokens, rtol=1e-12)
    assert MEASURED.excess(1e12, 2 * MEASURED.batch(1e12)) == pytest.approx(2)


def test_a_batch_that_is_too_large_makes_a_plan_longer_and_smaller():
    law = load_law("besiroglu-2024")
    free = solve(Task(law, (Ceiling("flops", 1e21),)))
    batch = 2 * MEASURED.batch(free.tokens)
    bound = solve(Task(law, (Ceiling("flops", 1e21), Range("batch", "tokens", MEASURED.least_tokens(batch), None))))
    assert MEASURED.excess(bound.tokens, batch) == pytest.approx(1, rel=1e-9)
    assert bound.params < free.params
    assert bound.loss > free.loss
    small = Range("batch", "tokens", MEASURED.least_tokens(0.9 * batch / 2), None)
    assert solve(Task(law, (Ceiling("flops", 1e21), small))).params == pytest.approx(free.params, rel=1e-7)


def test_nothing_is_said_of_a_batch_below_the_critical_one_within_the_runs():
    assert notices(1e10, MEASURED.batch(1e10)) == []


def test_a_batch_above_it_is_told_by_how_much_and_from_when_on_it_is_not():
    (notice,) = notices(1e10, 3 * MEASURED.batch(1e10))
    assert notice.code == "large_batch"
    assert notice.message.startswith("the batch is 3 times the critical one, 870.2K tokens:")
    assert "from 107.3B training tokens on it is not" in notice.message


def test_beyond_the_runs_it_is_a_guess():
    (notice,) = notices(np.array([1e10, 1e13]), 1e5)
    assert notice.code == "extrapolation"
    assert "1.74B to 24.6B tokens" in notice.message
