import math

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.planning.problem import Problem


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no budget"),
        ({"params": 1e9}, "no budget"),
        ({"train_flop": 1e24, "loss": 2.0}, "two budgets"),
        ({"train_flop": 1e24, "params": 1e9, "tokens": 1e10}, "params and tokens are both fixed"),
        ({"train_flop": 0.0}, "train_flop must be finite and > 0 .got 0."),
        ({"train_flop": -1e24}, r"train_flop must be finite and > 0 \(got -1e\+24\)"),
        ({"train_flop": math.nan}, r"train_flop must be finite and > 0 \(got nan\)"),
        ({"train_flop": math.inf}, r"train_flop must be finite and > 0 \(got inf\)"),
        ({"loss": -1.0}, "loss must be finite and > 0"),
        ({"train_flop": 1e24, "params": 0.5}, r"params must be finite and at least 1 \(got 0.5\)"),
        ({"train_flop": 1e24, "tokens": math.inf}, "tokens must be finite and at least 1"),
        ({"train_flop": np.array([1e24, -3.0, -4.0])}, r"train_flop must be finite and > 0 \(got -3\)"),
        ({"loss": np.array([2.0, math.nan])}, r"loss must be finite and > 0 \(got nan\)"),
        ({"train_flop": 1e24, "level": 0.0}, "level must be a fraction between 0 and 1"),
        ({"train_flop": 1e24, "level": 1.0}, "level must be a fraction between 0 and 1"),
        ({"train_flop": 1e24, "level": 95}, r"such as 0.95 \(got 95\)"),
        ({"train_flop": 1e24, "level": math.nan}, "level must be a fraction"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Problem(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"train_flop": 1e24},
        {"train_flop": 10**24},
        {"loss": 0.3},
        {"train_flop": np.array([1e18, 1e24]), "tokens": 1.0},
        {"loss": 2.0, "params": np.array([1e9, 1e10])},
    ],
)
def test_a_question_that_makes_sense_is_taken_as_given(given):
    problem = Problem(**given)
    for name, value in given.items():
        assert getattr(problem, name) is value


def test_a_problem_cannot_be_changed():
    problem = Problem(train_flop=1e24)
    with pytest.raises(AttributeError):
        problem.train_flop = 1e25
