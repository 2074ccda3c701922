"""What can be asked of a fit, and what follows from it."""

import pytest

from scaleplan.errors import UsageError
from scaleplan.fitting.forms import FIT_FORMS, find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.settings import Settings


@pytest.mark.parametrize(
    ("objective", "bootstrap", "resamples"),
    [
        (Objective.HUBER, None, 0),
        (Objective.MSE, None, 0),
        (Objective.HOFFMANN, None, 1000),
        (Objective.HOFFMANN, 0, 0),
        (Objective.HOFFMANN, 40, 40),
        (Objective.HUBER, 250, 250),
    ],
)
def test_resamples(objective, bootstrap, resamples):
    assert Settings(objective=objective, bootstrap=bootstrap).resamples == resamples


@pytest.mark.parametrize("bootstrap", [1, 39, -1])
def test_too_few_resamples_are_refused(bootstrap):
    with pytest.raises(UsageError, match=rf"at least 40 resamples \(got {bootstrap}\)"):
        Settings(bootstrap=bootstrap)


def test_no_workers_are_refused():
    with pytest.raises(UsageError, match=r"at least 1 \(got 0\)"):
        Settings(workers=0)


@pytest.mark.parametrize("form", FIT_FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("objective", list(Objective))
def test_only_the_default_objective_forecasts_and_only_forms_with_a_prior(form, objective):
    has = form.name in {"additive", "tied", "repetition", "over-training"}
    assert Settings(objective=objective).forecasts(form) == (has and objective is Objective.HUBER)
    assert not Settings(objective=objective, prior=False).forecasts(form)


def test_the_defaults_are_those_of_the_command_line():
    settings = Settings()
    assert (settings.form, settings.method, settings.objective) == ("additive", "parametric", Objective.HUBER)
    assert (settings.level, settings.band, settings.seed, settings.workers) == (0.95, "forecast", 0, 1)
    assert settings.forecasts(find_fit_form(settings.form))
