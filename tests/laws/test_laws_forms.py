"""What every functional form must do, whatever it says: take floats, arrays and complex numbers, and derive rightly.

The forms are found by their files and their constants come from the presets, so that a new form, or a new method of
one, fails here until ``POINTS`` says where to try it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from scaleplan import list_laws
from scaleplan.laws.hyperparameters import Run
from scaleplan.specs.forms import build_form, find_form, form_names

SIZES = [(1e7,), (7e10,), (1e13,)]
FLOPS = [(1e18,), (5.76e23,), (1e27,)]
LOSSES = [(2.1,), (2.9,), (4.5,)]
RUNS = [(1e9, 2e10, 1.2e20, 2.5), (7e10, 1.4e12, 5.88e23, 1.94)]
PAIRS = [(1e6, 1e8), (7e10, 1.4e12), (1e13, 1e9)]
NONE = [()]

POINTS: dict[str, dict[str, list[tuple[float, ...]]]] = {
    "additive": {
        "loss": PAIRS,
        "optimum": FLOPS,
        "flop_for_loss": LOSSES,
        "tokens_for_loss": [(1e9, 3.0), (7e10, 2.5), (1e9, 1.0)],
        "params_for_loss": [(1e11, 3.0), (7e12, 2.7), (1e9, 1.0)],
        "tokens_for_params": SIZES,
        "log_loss_sensitivity": PAIRS,
        "log_params_sensitivity": PAIRS,
    },
    "batch-growth": {"growth": [(10.0,), (1.5,)]},
    "broken-power": {
        "value": [(1e1,), (3e4,), (1e5,), (2e9,)],
        "loss": [(1e1,), (3e4,), (1e5,), (2e9,)],
        "flop_for_loss": [(2.1,), (0.6,), (0.01,)],
        "log_loss_sensitivity": [(9e2,), (3e4,), (2e9,)],
    },
    "chinchilla-shape": {
        "params": [(8.0, 512.0, 2048.0, 64.0, 8.0), (80.0, 8192.0, 32768.0, 128.0, 64.0)],
        "flop_per_sequence": [(8.0, 512.0, 2048.0, 64.0, 8.0), (80.0, 8192.0, 32768.0, 128.0, 64.0)],
    },
    "compute-trend": {
        "loss": FLOPS,
        "flop_for_loss": [(2.1,), (0.6,), (0.5,)],
        "log_loss_sensitivity": FLOPS,
    },
    "data-constrained": {
        # Parameters below and above those that the unique tokens call for, with and without repeats.
        "loss": [
            (1e8, 1e11, 3e10),
            (1e11, 1e11, 3e9),
            (1e8, 1e11, 2e11),
            (1e12, 1e11, 2e11),
            (7e9, 4e12, 3e10),
            (2e8, 6e12, 3e10),
        ],
        "effective_tokens": [(1e11, 3e10), (1e11, 2e11), (4e12, 3e10)],
        "effective_params": [(1e8, 1e11, 3e10), (1e11, 1e11, 3e9), (1e8, 1e11, 2e11), (1e12, 1e11, 2e11)],
        "matched_params": [(1e9,), (1e12,)],
    },
    "embedding-map": {"total": SIZES, "nonembedding": SIZES},
    "error-of-loss": {"error": [(2.2,), (2.9,), (4.0,)], "loss_for_error": [(0.5,), (0.55,)]},
    "flops-per-token-rule": {"flops_per_token": FLOPS, "params": FLOPS, "tokens": FLOPS, "flop_for_params": SIZES},
    "henighan-compute": {"loss": FLOPS, "flop_for_loss": [(4.5,), (3.6,), (0.01,)]},
    "henighan-frontier": {"params": FLOPS, "tokens": FLOPS, "flop_for_params": SIZES},
    "henighan-params": {"loss": SIZES},
    "hyper-flop": {"learning_rate": RUNS, "batch": RUNS, "learning_rate_of": FLOPS, "batch_of": FLOPS},
    "hyper-params": {"learning_rate": RUNS, "batch": RUNS},
    "hyper-step": {"learning_rate": RUNS, "batch": RUNS, "batch_of": [(1e10,), (1e13,)]},
    "hyper-timescale": {"timescale": RUNS, "timescale_of": [(20.0,), (300.0,)]},
    "kaplan-compute": {"loss": FLOPS, "flop_for_loss": LOSSES},
    "kaplan-critical-batch": {
        "tokens": LOSSES,
        "flop_over_min": [(1e6, 2.1), (5e5, 3.0)],
        "critical_batch": RUNS,
    },
    "kaplan-frontier": {"params": FLOPS, "tokens": FLOPS, "flop_for_params": SIZES},
    "kaplan-joint-nd": {
        "loss": PAIRS,
        "optimum": FLOPS,
        "flop_for_loss": LOSSES,
        "tokens_for_loss": [(1e9, 3.0), (7e10, 2.0), (1e9, 1.0)],
        "params_for_loss": [(1e11, 3.0), (7e12, 2.0), (1e9, 1.0)],
        "log_loss_sensitivity": PAIRS,
        "log_params_sensitivity": PAIRS,
    },
    "kaplan-joint-ns": {"loss": [(1e6, 1e3), (1e9, 1e5), (1e12, 1e6)]},
    "kaplan-params": {"loss": SIZES},
    "kaplan-tokens": {"loss": [(1e8,), (1e12,)]},
    "moe-granular": {"loss": [(1e9, 2e10, 8.0), (1e12, 2e12, 1.0), (7e9, 1e10, 32.0)]},
    "moe-granular-cost": {"train_flop": [(1024.0, 12.0, 8.0, 1e10), (8192.0, 60.0, 1.0, 1e12)]},
    "moe-joint": {"loss": [(1e9, 2e10, 8.0), (1e12, 2e12, 1.0), (7e9, 1e10, 32.5)]},
    "moe-learning-rate": {"peak": [(1e9, 8.0), (3e8, 1.0)], "learning_rate": RUNS},
    "moe-routed": {
        "loss": [(5e6, 8.0), (1.3e9, 512.0), (7e10, 1.0)],
        "dense_params": [(5e6, 8.0), (1.3e9, 512.0)],
        "cutoff": NONE,
    },
    "moe-rule": {
        "active_params": FLOPS,
        "tokens": FLOPS,
        "flop_for_active_params": SIZES,
        "train_flop": PAIRS,
    },
    "moe-shared": {
        "loss": [(1e9, 2e8, 2e10, 6.0, 0.2), (1e11, 2e10, 2e12, 30.0, 0.05), (7e9, 6e9, 1e10, 2.0, 0.9)],
        "best_activated": NONE,
        "best_shared": NONE,
    },
    "moe-sparse": {"loss": [(1e9, 2e10, 0.5), (1e12, 2e12, 0.01), (7e9, 1e10, 0.98)]},
    "overtraining": {"loss": [(1e18, 20.0), (1e21, 640.0), (1e24, 0.5)]},
    "power-rule": {"params": FLOPS, "tokens": FLOPS, "flop_for_params": SIZES, "log_params_sensitivity": FLOPS},
    "precision": {
        "loss": [(1e8, 1e10, 16.0, 16.0, 16.0), (1e9, 2e10, 4.0, 6.0, 5.0), (7e10, 1e10, 8.0, 8.0, 3.0)],
        "kept": [(16.0, 16.0, 16.0), (4.0, 6.0, 5.0)],
        "kept_by_weights": [(3.0,), (8.0,)],
        "post_training_loss": [(1e8, 1e10, 3.0), (7e10, 1e12, 8.0)],
        "best_bits": NONE,
    },
    "token-rule": {"params": FLOPS, "tokens": FLOPS, "flop_for_params": SIZES},
    "transfer": {"transferred": [(3e5, 4e7), (1e9, 1e9)], "multiplier": [(3e5, 4e7), (1e9, 1e9)]},
    "vocabulary": {"loss": [(3e9, 1e8, 1e11), (1e7, 1e6, 1e9)]},
}

OWN_CONSTANTS = {  # of forms that no preset gives constants of
    "broken-power": [
        {"a": 0.3, "b": 12.0, "c_0": 0.2, "c_1": 0.4, "d_1": 1e5, "f_1": 0.5},
        {"a": -0.1, "b": 3.0, "c_0": 0.5, "c_1": -0.8, "d_1": 3e4, "f_1": 1.5},
        {"a": 0.3, "b": 12.0, "c_0": 0.2, "c_1": 0.4, "d_1": 1e3, "f_1": 0.01},
    ]
}
NOT_EVALUATED = {
    "at",  # gives another form, of fixed values
    "apparent_exponent",  # takes a form and the ends of a range
    "gradient",  # compared with the value it is of
}
REAL_ONLY = {
    "flop_for_loss",  # infinite below a floor, which only real numbers can be below
    "tokens_for_loss",  # likewise
    "params_for_loss",  # likewise
}
WITH_GRADIENT = {"loss", "value", "error", "transferred"}
"""What ``gradient`` is the gradient of, in forms that have one."""


class Case(NamedTuple):
    """A form with constants, one of its methods, and where to try it."""

    label: str
    form: object
    method: str
    points: list[tuple[float, ...]]

    def value(self, *point):
        """What the method gives, as a flat tuple of numbers."""
        arguments = (Run(*point),) if self.points is RUNS else point
        found = getattr(self.form, self.method)(*arguments)
        return tuple(found) if isinstance(found, tuple) else (found,)


RECORDS = list_laws()


def instances(name):
    """The form with every set of constants that the presets give it, or with ours where they give none."""
    found = [
        (f"{record.id}-{group.name}", group.form)
        for record in RECORDS
        for group in record.groups.values()
        if group.form_name == name
    ]
    return found or [(f"{name}-{i}", build_form(name, c)) for i, c in enumerate(OWN_CONSTANTS.get(name, []))]


def public_methods(name):
    form = find_form(name)
    return {
        key for key in dir(form) if not key.startswith("_") and callable(getattr(form, key)) and not hasattr(tuple, key)
    }


CASES = [
    Case(f"{name}-{label}-{method}", form, method, points)
    for name in form_names()
    for label, form in instances(name)
    for method, points in POINTS.get(name, {}).items()
]
ASKED = [case for case in CASES if case.points is not NONE]
DERIVED = [case for case in CASES if hasattr(case.form, "gradient") and case.method in WITH_GRADIENT]


def complex_step(case, point, i, h=1e-30):
    """The partial derivative by argument ``i``, times that argument: exact to rounding where the form is analytic."""
    moved = [complex(x, h * x) if j == i else x for j, x in enumerate(point)]
    return [complex(value).imag / h for value in case.value(*moved)]


@pytest.mark.parametrize("name", form_names())
def test_a_form_has_constants_and_points_to_be_tried_at(name):
    """A new form, or a new method, comes with data for the tests below."""
    assert instances(name), f"no preset has constants of {name}: give some in OWN_CONSTANTS"
    missing = public_methods(name) - NOT_EVALUATED - set(POINTS.get(name, {}))
    assert not missing, f"give points for {', '.join(sorted(missing))} of {name} in POINTS"
    assert set(POINTS[name]) <= public_methods(name)


def test_no_points_are_left_of_a_form_that_is_gone():
    assert set(POINTS) == set(form_names())


def test_every_form_with_a_gradient_has_it_compared():
    with_gradient = {name for name in form_names() if hasattr(find_form(name), "gradient")}
    compared = {name for name in form_names() for case in DERIVED if type(case.form) is find_form(name)}
    assert with_gradient == compared


@pytest.mark.parametrize("case", DERIVED, ids=lambda case: case.label)
def test_a_gradient_is_that_of_a_complex_step(case):
    for point in case.points:
        gradient = case.form.gradient(*point)
        assert len(gradient) == len(point)
        for i, (x, slope) in enumerate(zip(point, gradient, strict=True)):
            (expected,) = complex_step(case, point, i)
            assert slope * x == pytest.approx(expected, rel=1e-12, abs=0), (point, i)


@pytest.mark.parametrize("case", DERIVED, ids=lambda case: case.label)
def test_a_gradient_of_arrays_is_that_of_their_elements(case):
    columns = [np.array(column) for column in zip(*case.points, strict=True)]
    many = case.form.gradient(*columns)
    for j, point in enumerate(case.points):
        for one, column in zip(case.form.gradient(*point), many, strict=True):
            assert np.broadcast_to(column, len(case.points))[j] == pytest.approx(one, rel=1e-12, abs=0)


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.label)
def test_arrays_give_element_by_element_what_floats_give(case):
    columns = [np.array(column) for column in zip(*case.points, strict=True)]
    many = case.value(*columns)
    for j, point in enumerate(case.points):
        one = case.value(*point)
        assert all(isinstance(value, float) for value in one), one
        for single, column in zip(one, many, strict=True):
            assert np.broadcast_to(column, len(case.points))[j] == pytest.approx(single, rel=1e-12, abs=0)


@pytest.mark.parametrize("case", [case for case in ASKED if len(case.points[0]) > 1], ids=lambda case: case.label)
def test_one_argument_may_be_an_array_and_the_others_floats(case):
    first, *rest = case.points[0]
    many = case.value(np.array([first, 1.25 * first]), *rest)
    for j, x in enumerate((first, 1.25 * first)):
        for single, column in zip(case.value(x, *rest), many, strict=True):
            assert np.broadcast_to(column, 2)[j] == pytest.approx(single, rel=1e-12, abs=0)


@pytest.mark.parametrize("case", [case for case in ASKED if case.method not in REAL_ONLY], ids=lambda case: case.label)
def test_complex_numbers_give_the_value_and_by_a_complex_step_the_slope(case):
    """Against a central difference, which only agrees to about seven digits; gradients are held to twelve above."""
    step = 1e-6
    for point in case.points:
        at = case.value(*point)
        for i, x in enumerate(point):
            moved = [complex(x) if j == i else y for j, y in enumerate(point)]
            assert [complex(value).real for value in case.value(*moved)] == pytest.approx(list(at), rel=1e-12, abs=0)
            up, down = ([y * (1 + s) if j == i else y for j, y in enumerate(point)] for s in (step, -step))
            pairs = zip(at, case.value(*up), case.value(*down), complex_step(case, point, i), strict=True)
            for value, high, low, slope in pairs:
                assert slope == pytest.approx((high - low) / (2 * step), rel=1e-6, abs=1e-7 * abs(value))


@pytest.mark.parametrize("case", [case for case in CASES if case.points is NONE], ids=lambda case: case.label)
def test_what_takes_nothing_gives_one_number(case):
    (value,) = case.value()
    assert isinstance(value, float)
    assert 0 < value < float("inf")


@pytest.mark.parametrize("name", form_names())
def test_only_constants_that_may_be_negative_are_called_signed(name):
    form = find_form(name)
    assert set(getattr(form, "signed", ())) <= set(form._fields)
    assert set(getattr(form, "in_loss_units", ())) <= set(form._fields)


@pytest.mark.parametrize("name", [name for name in form_names() if RUNS in POINTS.get(name, {}).values()])
def test_a_rule_for_hyper_parameters_takes_of_a_run_what_it_says(name):
    run = Run(*RUNS[0])
    for _, form in instances(name):
        answers = [getattr(form, method) for method, points in POINTS[name].items() if points is RUNS]
        moved = {
            field
            for field in Run._fields
            for answer in answers
            if answer(run._replace(**{field: 1.5 * getattr(run, field)})) != answer(run)
        }
        assert moved == set(form.takes)
