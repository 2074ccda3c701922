"""Laws that may be true: how far published ones are moved, draws of a fitted one, their middle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from scaleplan.errors import UsageError
from scaleplan.laws.additive import Additive
from scaleplan.pilots.plausible import is_additive, of_fit, published
from scaleplan.specs.laws import load_law
from tests.pilots.worlds import laws, plausible


def flat(law):
    return np.array([np.ravel(value) for value in law])


def test_draws_are_of_each_law_in_turn_and_repeat_with_their_seed():
    drawn = published(laws(), 7, 3)
    assert [len(np.ravel(value)) for value in drawn.law] == [7] * 5
    assert drawn.sources == tuple(law.id for law in laws())
    again, other = published(laws(), 7, 3), published(laws(), 7, 4)
    assert np.array_equal(flat(drawn.law), flat(again.law))
    assert not np.any(flat(drawn.law) == flat(other.law))
    longer = published(laws(), 12, 3)
    assert np.array_equal(flat(longer.law)[:, :7], flat(drawn.law)), "more draws begin with those of fewer"


def test_each_draw_is_its_own_law_moved():
    drawn = flat(published(laws(), 12, 3).law)
    for i in range(12):
        assert drawn[:, i] == pytest.approx(flat(published([laws()[i % 5]], 12, 3).law)[:, i], rel=1e-12)


def test_a_law_is_moved_by_the_spreads_that_are_stated():
    law = load_law("besiroglu-2024")
    own, n = law.surface, 4000
    assert isinstance(own, Additive)
    drawn = published([law], n, 1).law
    best = own.optimum(1e21)
    of_size = np.ravel(drawn.A * best.params**-drawn.alpha) * best.params**own.alpha / own.A
    of_data = np.ravel(drawn.B * best.tokens**-drawn.beta) * best.tokens**own.beta / own.B
    ratios = (np.ravel(drawn.alpha) / own.alpha, np.ravel(drawn.beta) / own.beta, of_size, of_data)
    logs = np.log(np.array([*ratios, np.ravel(drawn.E) / own.E]))
    assert np.std(logs, axis=1) == pytest.approx([0.06, 0.06, 0.10, 0.10, 0.03], rel=0.05)
    assert np.abs(np.mean(logs, axis=1) / np.std(logs, axis=1)).max() < 4 / math.sqrt(n)
    apart = np.corrcoef(logs) - np.eye(5)
    assert np.abs(apart).max() < 5 / math.sqrt(n), "each is moved by itself"


@pytest.mark.parametrize("flop", [1e20, 1e24])
def test_the_best_size_of_each_is_where_its_loss_is_least(flop):
    found = plausible(5).best_size(flop)
    for each, *constants in zip(np.log(found), *flat(plausible(5).law), strict=True):
        E, A, B, alpha, beta = constants
        least = minimize_scalar(
            lambda x, A=A, B=B, a=alpha, b=beta: A * math.exp(-a * x) + B * (math.exp(x) * 6 / flop) ** b,
            bounds=(math.log(1e6), math.log(1e14)),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert each == pytest.approx(least.x, abs=1e-5)
        assert E > 0


def test_the_middle_is_of_geometric_means():
    constants = flat(plausible(10).law)
    assert np.array(plausible(10).centre) == pytest.approx(constants.prod(axis=1) ** 0.1, rel=1e-12)
    assert np.array(published(laws()[:1], 1, 0).centre) == pytest.approx(flat(published(laws()[:1], 1, 0).law)[:, 0])


def test_of_a_fitted_law_its_covariance_is_drawn_from():
    law = load_law("besiroglu-2024")
    doubt = law.uncertainty
    assert doubt is not None
    drawn = of_fit(law, 3000, 0)
    E, A, B, alpha, beta = flat(drawn.law)
    theta = dict(zip(Additive.covariance_of, (np.log(A), np.log(B), np.log(E), alpha, beta), strict=True))
    got = np.cov([theta[name] for name in doubt.parameters])
    want = max(1.0, doubt.kappa) ** 2 * np.array(doubt.covariance)
    # Student's t with dof degrees of freedom is wider by dof / (dof - 2).
    want *= doubt.dof / (doubt.dof - 2)
    scale = np.sqrt(np.diag(want))
    assert got / np.outer(scale, scale) == pytest.approx(want / np.outer(scale, scale), abs=0.1)
    assert drawn.sources == ("besiroglu-2024",)


def test_a_law_without_a_covariance_is_moved_as_published_ones_are():
    law = load_law("besiroglu-2024")._replace(uncertainty=None)
    assert np.array_equal(flat(of_fit(law, 6, 2).law), flat(published([law], 6, 2).law))


def test_laws_of_other_forms_are_left_out_or_refused():
    other = load_law("kaplan-2020")
    assert not is_additive(other)
    assert np.array_equal(flat(published([other, *laws()], 6, 0).law), flat(published(laws(), 6, 0).law))
    assert published([other, *laws()], 6, 0).sources == tuple(law.id for law in laws())
    with pytest.raises(UsageError, match=r"no law of the form .* besiroglu-2024 is one"):
        published([other], 6, 0)
    with pytest.raises(UsageError, match=r"kaplan-2020 is not of the form|no law of the form"):
        of_fit(other, 6, 0)
