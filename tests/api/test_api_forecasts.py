"""The verb ``forecast`` in Python: what the command line says, and types that it takes."""

from pathlib import Path

import numpy as np
import pytest

from scaleplan.api.forecasts import forecast
from scaleplan.errors import InputFileError, UsageError
from scaleplan.forecasting.annealing import track
from scaleplan.forecasting.schedule_shapes import named
from tests.program import run_inside

COSINE = named("cosine", total_steps=20_000, peak=3e-4, warm_up=500, floor=3e-5)
STEP = np.arange(100.0, 20_001.0, 100.0)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    S, D = track(COSINE).at(STEP)
    loss = 2.4 + 30 / np.sqrt(S) - 0.14 * D
    for name, size, scale in (("run", 60, 1.0), ("a", 200, 1.02), ("b", 200, 0.98), ("c", 200, 1.04)):
        noise = np.random.default_rng(size + int(100 * scale)).normal(0, 0.002, len(STEP))
        rows = zip(STEP[:size], (loss * scale * np.exp(noise))[:size], COSINE.lr_at(STEP)[:size], strict=True)
        (folder / f"{name}.csv").write_text("step,loss,lr\n" + "".join(f"{a:g},{b:.6f},{c:.9g}\n" for a, b, c in rows))
    return folder


def test_python_and_the_command_line_say_the_same(logs):
    made = forecast(logs / "run.csv", schedule=COSINE, donors=[logs / "a.csv"], level=0.9)
    words = ("--schedule", "cosine", "--total-steps", "20000", "--peak", "3e-4", "--warm-up", "500", "--floor", "3e-5")
    for key in ("loss", "loss_low", "loss_high"):
        printed = run_inside(
            "forecast", "run.csv", *words, "--donor", "a.csv", "--level", "0.9", "--get", key, folder=logs
        )
        assert float(printed.stdout) == getattr(made.forecast, key)


def test_numbers_are_numbers_or_words(logs):
    spelled = forecast(logs / "run.csv", total_steps="20k", schedule="cosine", donors=[str(logs / "a.csv")])
    plain = forecast(logs / "run.csv", total_steps=20_000, schedule="cosine", donors=[Path(logs / "a.csv")])
    assert spelled.forecast.loss == plain.forecast.loss
    assert spelled.schedule == plain.schedule
    assert {each.code for each in plain.warnings} == {"schedule_assumed"}


def test_the_ladder_is_checked_from_three_donors_on(logs):
    paths = [logs / f"{name}.csv" for name in "abc"]
    assert forecast(logs / "run.csv", schedule=COSINE, donors=paths[:2]).collapse is None
    found = forecast(logs / "run.csv", schedule=COSINE, donors=paths).collapse
    assert found is not None
    assert len(found.ladder) == 3
    assert found.verdict != "leaves"


def test_a_forecast_that_cannot_be_made_raises(logs):
    with pytest.raises(UsageError, match="--total-steps is needed"):
        forecast(logs / "run.csv")
    with pytest.raises(UsageError, match="the run itself"):
        forecast(logs / "run.csv", schedule=COSINE, donors=[logs / "run.csv"])
    with pytest.raises(InputFileError, match="no such file"):
        forecast(logs / "gone.csv", total_steps=5)
    with pytest.raises(UsageError, match="one law"):
        forecast(logs / "run.csv", schedule=COSINE, law=["chinchilla", "kaplan"], params=1e9)
    with pytest.raises(UsageError, match="level"):
        forecast(logs / "run.csv", schedule=COSINE, level=2)


def test_what_a_run_left_behind_when_it_went_back_is_not_its_curve(tmp_path):
    """It diverges from step 7,000 on, and goes back to 6,000."""
    healthy = [(step, 2.4 + 30 * (step + 50) ** -0.5) for step in range(20, 7_001, 20)]
    wild = [(step, 3.0 + (step - 7_000) / 300) for step in range(7_020, 8_001, 20)]
    again = [(step, 2.4 + 30 * (step + 50) ** -0.5) for step in range(6_000, 6_501, 20)]
    path = tmp_path / "run.csv"
    rows = [*healthy, *wild, *again]
    path.write_text("step,loss\n" + "".join(f"{step},{loss:.5f}\n" for step, loss in rows))
    made = forecast(path, total_steps=20_000, schedule="constant")
    assert made.forecast.step == 6_500
    assert made.forecast.now == pytest.approx(again[-1][1], rel=0.01)
    assert made.forecast.loss == pytest.approx(2.4 + 30 * 20_050**-0.5, rel=0.03)
    assert "restart" in {each.code for each in made.warnings}
