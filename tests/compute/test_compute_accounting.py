import numpy as np
import pytest

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting, ModelSize
from scaleplan.conventions import FlopConvention, ParamCount

TOTAL = Accounting()
WITHOUT = Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING)
CHINCHILLA = ModelSize(total=7e10, nonembedding=69_793_218_560.0)


def test_the_default_counts_embeddings():
    assert DEFAULT_ACCOUNTING.flop is FlopConvention.SIX_ND


@pytest.mark.parametrize(
    ("params", "tokens", "flop"), [(2.8e11, 3e11, 5.04e23), (7e10, 1.4e12, 5.88e23), (1.0, 1.0, 6.0)]
)
def test_six_flops_a_parameter_and_token(params, tokens, flop):
    size = TOTAL.size(params, ParamCount.TOTAL)
    assert TOTAL.train_flop(size, tokens) == pytest.approx(flop, rel=1e-14)
    assert TOTAL.tokens(size, flop) == pytest.approx(tokens, rel=1e-14)


def test_a_convention_multiplies_its_own_count():
    assert TOTAL.train_flop(CHINCHILLA, 1e12) == pytest.approx(6 * 7e10 * 1e12, rel=1e-14)
    assert WITHOUT.train_flop(CHINCHILLA, 1e12) == pytest.approx(6 * 69_793_218_560.0 * 1e12, rel=1e-14)
    assert WITHOUT.tokens(CHINCHILLA, 5.76e23) == pytest.approx(5.76e23 / (6 * 69_793_218_560.0), rel=1e-14)
    assert CHINCHILLA.counted(ParamCount.TOTAL) == 7e10
    assert CHINCHILLA.counted(ParamCount.NONEMBEDDING) == 69_793_218_560.0


@pytest.mark.parametrize("accounting", [TOTAL, WITHOUT])
def test_a_size_known_by_one_count_has_the_other(accounting):
    by_total = accounting.size(7e10, ParamCount.TOTAL)
    by_other = accounting.size(by_total.nonembedding, ParamCount.NONEMBEDDING)
    assert by_total.total == 7e10
    assert by_other.total == pytest.approx(7e10, rel=1e-13)
    assert by_total.nonembedding == pytest.approx(7e10 - 47_491 * (7e10) ** (1 / 3), rel=1e-4)


@pytest.mark.parametrize("accounting", [TOTAL, WITHOUT])
@pytest.mark.parametrize(("flop", "tokens"), [(1e21, 1e10), (5.76e23, 1.4e12)])
def test_the_size_for_a_budget_and_tokens_costs_the_budget(accounting, flop, tokens):
    size = accounting.size_for(flop, tokens)
    assert accounting.train_flop(size, tokens) == pytest.approx(flop, rel=1e-13)
    assert size.total == pytest.approx(accounting.embeddings.total(size.nonembedding), rel=1e-12)


def test_arrays_and_numbers_mix():
    flops = np.array([1e21, 1e24])
    size = TOTAL.size_for(flops, 1e11)
    np.testing.assert_allclose(TOTAL.train_flop(size, 1e11), flops, rtol=1e-14)
    np.testing.assert_allclose(TOTAL.tokens(TOTAL.size(1e9, ParamCount.TOTAL), flops), flops / 6e9, rtol=1e-14)
