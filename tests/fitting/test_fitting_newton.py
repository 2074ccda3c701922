"""Damped Newton on functions with known minima."""

import numpy as np
import pytest

from scaleplan.fitting.model import Local
from scaleplan.fitting.newton import minimise


def rosenbrock(theta, _):
    x, y = theta[:, 0], theta[:, 1]
    value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    gradient = np.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], axis=1)
    hessian = np.empty((len(theta), 2, 2))
    hessian[:, 0, 0] = 2 - 400 * (y - 3 * x * x)
    hessian[:, 0, 1] = hessian[:, 1, 0] = -400 * x
    hessian[:, 1, 1] = 200.0
    return Local(value, gradient, hessian)


def test_a_curved_valley_is_followed_from_anywhere():
    starts = np.array([[-1.2, 1.0], [3.0, -4.0], [0.0, 0.0], [1.0, 1.0]])
    found = minimise(rosenbrock, starts)
    assert found.converged.all()
    np.testing.assert_allclose(found.theta, np.ones((4, 2)), atol=1e-6)
    assert found.steps[3] == 1
    assert found.steps[:3].min() > 1


def test_each_problem_of_a_batch_sees_its_own_index():
    centres = np.array([3.0, -2.0, 7.5])

    def local(theta, which):
        away = theta - centres[which, None]
        return Local(1 + (away**2).sum(axis=1), 2 * away, np.full((len(theta), 1, 1), 2.0))

    found = minimise(local, np.array([[0.0], [-2.0], [100.0]]))
    np.testing.assert_allclose(found.theta[:, 0], centres, atol=1e-6)
    np.testing.assert_allclose(found.value, 1.0)


def test_a_search_that_cannot_move_says_that_it_did_not_converge():
    def wrong(theta, _):
        # A gradient that points uphill: no step goes down.
        return Local(1 + theta[:, 0] ** 2, -2 * theta, np.full((len(theta), 1, 1), 2.0))

    found = minimise(wrong, np.array([[1.0]]))
    assert not found.converged[0]
    assert found.theta[0, 0] == 1.0


def test_a_point_where_the_objective_is_no_number_does_not_spoil_its_neighbours():
    def local(theta, _):
        value = np.where(theta[:, 0] > 50, np.nan, (theta[:, 0] - 2) ** 2 + 1)
        return Local(value, 2 * (theta - 2), np.full((len(theta), 1, 1), 2.0))

    found = minimise(local, np.array([[60.0], [5.0]]))
    assert not found.converged[0]
    assert found.converged[1]
    assert found.theta[1, 0] == pytest.approx(2.0)


def test_a_singular_system_among_others_is_left_where_it_is_or_solved():
    def local(theta, _):
        value = theta[:, 0] ** 2 + 1
        gradient = np.stack([2 * theta[:, 0], np.zeros(len(theta))], axis=1)
        hessian = np.zeros((len(theta), 2, 2))
        hessian[:, 0, 0] = 2.0
        return Local(value, gradient, hessian)

    found = minimise(local, np.array([[3.0, 1.0], [-1.0, 0.0]]))
    np.testing.assert_allclose(found.theta[:, 0], 0.0, atol=1e-5)
    np.testing.assert_allclose(found.theta[:, 1], [1.0, 0.0])
