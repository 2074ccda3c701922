"""Covariances of law files: of which role's constants they are, and which matrices can be ones."""

import numpy as np
import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.law_problems import _semi_definite
from scaleplan.specs.laws import load_law
from tests.planning.test_planning_trend_bands import DOCUMENT, RULE, TREND


def problem_of(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(InputFileError) as caught:
        load_law(str(path))
    return caught.value.message


def test_a_law_without_a_surface_has_a_covariance_of_its_trend_and_one_of_its_allocation(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(DOCUMENT.format(blocks=TREND + RULE))
    law = load_law(str(path))
    assert law.uncertainty.parameters == ("ln_K", "ln_L_inf", "alpha")
    assert law.allocation_uncertainty.parameters == ("ln_k", "a")
    assert law.allocation_uncertainty.flop_max == law.uncertainty.flop_max == 1e20


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (
            TREND.replace("uncertainty:", "allocation_uncertainty:"),
            "allocation_uncertainty.parameters: must be ln_k, a",
        ),
        (RULE.replace("allocation_", ""), "uncertainty.parameters: must be ln_K, ln_L_inf, alpha"),
        (RULE.replace("1.7e-5", "1.0e-5"), "allocation_uncertainty.covariance: must be positive definite"),
    ],
)
def test_a_covariance_of_the_wrong_constants_or_none_is_refused(tmp_path, blocks, words):
    assert words in problem_of(tmp_path, DOCUMENT.format(blocks=blocks))


def test_a_covariance_without_its_role_is_refused(tmp_path):
    text = DOCUMENT.format(blocks=TREND).replace(", trend: line", "")
    assert "needs a default surface or trend whose form takes a covariance" in problem_of(tmp_path, text)


def correlated(rng, n, rank):
    """A covariance of n constants of which n - rank follow from the others, with scales as far apart as a law's."""
    root = rng.normal(size=(n, rank)) * np.geomspace(1, 1e-3, n)[:, None]
    return (root @ root.T).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_constants_may_move_as_one(seed):
    rng = np.random.default_rng(seed)
    for rank in (2, 3, 4, 5):
        assert _semi_definite(correlated(rng, 5, rank))


def test_tied_exponents_are_a_covariance():
    """alpha = beta of the tied form: two equal rows."""
    spread = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=float)
    root = np.random.default_rng(1).normal(size=(4, 4)) * [[0.3], [0.3], [0.01], [0.01]]
    assert _semi_definite((spread @ root @ root.T @ spread.T).tolist())


@pytest.mark.parametrize("seed", range(20))
def test_a_direction_of_negative_variance_is_none(seed):
    """One eigenvalue of the correlations made clearly negative."""
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(np.corrcoef(rng.normal(size=(5, 12))))
    values[0] = -0.01
    scale = np.geomspace(1, 1e-3, 5)
    matrix = (vectors * values) @ vectors.T * np.outer(scale, scale)
    assert not _semi_definite(matrix.tolist())


def test_a_zero_variance_beside_a_covariance_is_none():
    assert not _semi_definite([[1.0, 0.1], [0.1, 0.0]])
    assert not _semi_definite([[1.0, 1.0, 0.0], [1.0, 1.0, 0.5], [0.0, 0.5, 1.0]])


def test_a_trend_that_rises_with_compute_plans_nothing(tmp_path):
    rising = DOCUMENT.format(blocks="")
    start, end = rising.index("    form: compute-trend"), rising.index("default:")
    constants = {"a": 1.7, "b": 0.1, "c_0": -0.01, "c_1": 0.0, "d_1": 1e20, "f_1": 1.0}
    lines = [f'      {key}: {{value: {value}, unit: "1"}}' for key, value in constants.items()]
    group = "\n".join(["    form: broken-power", "    source: own", "    constants:", *lines, ""])
    assert "a loss that rises with compute" in problem_of(tmp_path, rising[:start] + group + rising[end:])
