"""The words and files of a planned learning rate: what is read, what is assumed aloud, what is refused."""

import numpy as np
import polars as pl
import pytest

from scaleplan.errors import InputFileError, UsageError
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.schedules import Schedule
from scaleplan.specs.schedule_words import Words
from scaleplan.specs.schedules import require_whole, schedule_of

ROWS = "step,lr\n0,0\n10,1e-3\n100,1e-4\n"


def written(folder, text, name="plan.csv"):
    path = folder / name
    path.write_text(text)
    return str(path)


def log(lr, spacing=10.0):
    lr = np.asarray(lr, dtype=float)
    step = spacing * np.arange(1.0, len(lr) + 1)
    return Readings(step=step, loss=np.full(len(lr), 3.0), lr=lr)


def codes(planned):
    return [notice.code for notice in planned.notices]


def test_a_name_with_all_its_numbers():
    words = Words(warm_up="2K", peak="3e-4", floor="10%")
    planned = schedule_of("Cosine", words, total_steps=24000)
    assert planned.schedule.text == "cosine from 0.0003 to 3e-05 over 24,000 steps, warm-up 2,000"
    assert planned.notices == ()
    same = schedule_of("cosine", Words(warm_up=2000, peak=3e-4, floor=3e-5), total_steps=24000).schedule
    assert (same.lr == planned.schedule.lr).all()
    assert schedule_of("cosine", words._replace(warm_up="1%"), total_steps=24000).schedule.warm_up == 240


def test_what_nobody_gave_is_said():
    planned = schedule_of("wsd", Words(peak=1.0), total_steps=1000)
    assert planned.schedule.lr_at([799, 900, 1000]).tolist() == pytest.approx([1, 0.5, 0])
    (notice,) = planned.notices
    assert notice == (
        "schedule_assumed",
        "--schedule wsd: taken as --warm-up 0, --floor 0, --decay linear, --decay-share 20% (Hagele et al. 2024).",
    )
    (notice,) = schedule_of("cosine", Words(peak=1.0, warm_up=0), total_steps=1000).notices
    assert notice.message == "--schedule cosine: taken as --floor 10% (Hoffmann et al. 2022)."


def test_peak_and_warm_up_are_the_logs():
    """The rise is in proportion to steps: it ends at 250, which no row says."""
    rise = log(np.minimum(10.0 * np.arange(1, 40) / 250, 1) * 2e-3)
    planned = schedule_of("linear", total_steps=1000, log=rise)
    assert (planned.schedule.peak, planned.schedule.warm_up) == pytest.approx((2e-3, 250))
    assert "--peak 0.002, the log's, --warm-up 250, as the log's learning rate rises" in planned.notices[0].message
    late = schedule_of("linear", total_steps=1000, log=log([2e-3] * 5))
    assert (late.schedule.peak, late.schedule.warm_up) == (2e-3, 0.0)


@pytest.mark.parametrize("so_far", [None, log([1e-3, 2e-3, 3e-3]), Readings(step=np.ones(2), loss=np.ones(2))])
def test_a_peak_that_nobody_knows_does_not_matter_for_the_shape(so_far):
    planned = schedule_of("cosine", total_steps=100, log=so_far)
    assert planned.schedule.peak == 1.0
    assert "--peak 1, as only its shape counts" in planned.notices[0].message
    assert schedule_of("cosine", Words(floor="10%"), total_steps=100, log=so_far).schedule.final == pytest.approx(0.1)
    with pytest.raises(UsageError, match="--schedule cosine --floor 3e-5: needs --peak, such as 3e-4"):
        schedule_of("cosine", Words(floor="3e-5"), total_steps=100, log=so_far)


@pytest.mark.parametrize(
    ("shape", "words", "text"),
    [
        ("constant", {"floor": "10%"}, "--floor 10%: does not apply to --schedule constant; it goes with cosine"),
        ("cosine", {"decay": "linear"}, "--decay linear: does not apply to --schedule cosine; it goes with wsd"),
        ("linear", {"decay_share": 0.1}, "--decay-share 0.1: does not apply to --schedule linear"),
        ("wsd", {"decay": "expo"}, "no such decay. Did you mean exponential?"),
        ("wsd", {"decay": "exponential"}, "never reaches 0; give --floor"),
        ("wsd", {"decay_share": "120%"}, "--decay-share: must be a share"),
        ("cosine", {"floor": 2}, "--floor 2: above the peak of 1; a share of it is written 10%"),
        ("cosine", {"floor": "-1"}, "--floor: must be a learning rate"),
        ("cosine", {"peak": "nan"}, "--peak: must be a learning rate above 0"),
        ("cosine", {"peak": -1}, "--peak: must be a learning rate above 0"),
        ("cosine", {"warm_up": "soon"}, "--warm-up: must be steps such as 2000, or a share"),
        ("cosine", {"warm_up": -5}, "--warm-up: must be steps"),
        ("cosine", {"warm_up": 100}, "the warm-up of 100 steps must end before step 100"),
        ("inverse-sqrt", {}, "give --warm-up"),
    ],
)
def test_numbers_that_a_name_does_not_take(shape, words, text):
    with pytest.raises(UsageError) as caught:
        schedule_of(shape, Words(**{"peak": 1.0, **words}), total_steps=100)
    assert text in caught.value.message


def test_a_name_needs_the_steps_of_the_run():
    with pytest.raises(UsageError, match="give --total-steps"):
        schedule_of("cosine", Words(peak=1.0))
    with pytest.raises(UsageError, match="--total-steps must be a number of steps, 1 or more"):
        schedule_of("cosine", Words(peak=1.0), total_steps=float("nan"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("cosin", "Did you mean cosine?"), ("a\0.b", "no file and no"), ("y" * 5000, "(5,000 characters)")],
)
def test_a_name_that_is_none(name, text):
    with pytest.raises(UsageError) as caught:
        schedule_of(name, total_steps=100)
    assert text in caught.value.message
    assert "There are cosine, wsd, linear, constant, inverse-sqrt" in caught.value.message


def test_files_of_every_form(tmp_path):
    """CSV, NDJSON, Parquet, the Hugging Face Trainer's state and a log of Megatron-LM, names as tools write them."""
    pl.DataFrame({"global_step": [0, 10, 100], "train/lr": [0.0, 1e-3, 1e-4]}).write_parquet(tmp_path / "plan.parquet")
    line = " [2026-11-22 03:00:01] iteration {:8d}/ 100 | learning rate: {:.6E} | lm loss: 7.4E+00 |\n"
    state = ", ".join(
        f'{{"step": {s}, "loss": 2.0, "learning_rate": {r}}}' for s, r in ((0, 0), (10, 1e-3), (100, 1e-4))
    )
    paths = [
        written(tmp_path, ROWS),
        written(tmp_path, ROWS.replace("step,lr", "iteration,Learning Rate"), "names.csv"),
        written(tmp_path, '{"step":0,"lr":0}\n{"step":10,"lr":1e-3}\n{"step":100,"lr":1e-4}\n', "plan.ndjson"),
        str(tmp_path / "plan.parquet"),
        written(tmp_path, f'{{"best_metric": null, "log_history": [{state}]}}', "trainer_state.json"),
        written(tmp_path, "".join(line.format(*row) for row in ((0, 0.0), (10, 1e-3), (100, 1e-4))), "run.log"),
    ]
    for path in paths:
        planned = schedule_of(path)
        assert planned.notices == (), path
        assert planned.schedule.step.tolist() == [0, 10, 100], path
        assert planned.schedule.lr.tolist() == pytest.approx([0, 1e-3, 1e-4]), path
        assert planned.schedule.name == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty; a schedule has columns step and lr"),
        ("step,lr\n", "a header and no rows"),
        ("step,lr\n5,1\n", "one row; a schedule has two at least"),
        ("step,loss\n1,2\n2,2\n", "plan.csv:1: no column 'lr' (read as one: lr, learning_rate"),
        ("stop,lr\n1,2\n2,2\n", "no column 'step'"),
        ("stop,lr\n1,2\n2,2\n", "Did you mean stop?"),
        ("step;lr\n1;2\n2;2\n", "write commas between them"),
        ("step,lr\n1,1\n3,1\n2,1\n", "plan.csv:4: step: steps must rise from row to row (got 2 after 3)"),
        ("step,lr\n1,1\n1,1\n", "plan.csv:3: step: steps must rise from row to row (got 1 after 1)"),
        ("step,lr\n1,1\n2,-1\n", "plan.csv:3: lr: must be a finite number, 0 or above (got '-1')"),
        ("step,lr\n1,1\n2,nan\n", "plan.csv:3: lr: must be a finite number, 0 or above (got 'nan')"),
        ("step,lr\n1,1\n2,inf\n", "plan.csv:3: lr: must be a finite number"),
        ("step,lr\n1,1\n2,\n", "plan.csv:3: lr: an empty value where a number should be"),
        ("step,lr\nsoon,1\n2,1\n", "plan.csv:2: step: must be a finite number, 0 or above (got 'soon')"),
        ("step,lr\n0,0\n9,0\n", "the learning rate is zero at every step"),
        ('{"step":1,"lr":true}\n{"step":2,"lr":1}\n', "plan.csv, row 1: lr: must be a finite number"),
        ('{"step":1,"lr":[1]}\n{"step":2,"lr":[1]}\n', "lr: one number a row, not List"),
        ("step,lr\n" + "1,x\n" * 9, "plan.csv: and 4 more such values"),
        ("\0\0\0", "a binary file"),
        ("iteration 1/ 10 | lm loss: 7.4E+00 |\niteration 2/ 10 | lm loss: 7.4E+00 |\n", "without a learning rate"),
    ],
)
def test_files_that_are_no_schedule(tmp_path, text, said):
    with pytest.raises(InputFileError) as caught:
        schedule_of(written(tmp_path, text))
    assert said in caught.value.message


def test_paths_that_are_no_file(tmp_path):
    with pytest.raises(InputFileError, match=r"none\.csv: no such file"):
        schedule_of(str(tmp_path / "none.csv"))
    with pytest.raises(InputFileError, match="a folder, not a file"):
        schedule_of(tmp_path)
    with pytest.raises(UsageError, match="standard input is the log's"):
        schedule_of("-")


def test_a_file_takes_the_steps_that_were_asked_for(tmp_path):
    path = written(tmp_path, "step,lr\n0,1\n90,1\n100,0.5\n")
    cut = schedule_of(path, total_steps=95)
    assert (cut.schedule.total_steps, cut.schedule.final, codes(cut)) == (95.0, 0.75, ["schedule_cut"])
    held = schedule_of(path, total_steps=110)
    assert (held.schedule.total_steps, held.schedule.final, codes(held)) == (110.0, 0.5, ["schedule_held"])
    with pytest.raises(InputFileError, match=r"plan\.csv: ends at step 100, before --total-steps 111"):
        schedule_of(path, total_steps=111)


def test_a_warm_up_before_the_first_row(tmp_path):
    path = written(tmp_path, "step,lr\n2160,3e-4\n2288,3e-4\n24000,3e-5\n")
    late = schedule_of(path)
    assert codes(late) == ["schedule_start"]
    assert "taken to have risen to there from 0" in late.notices[0].message
    risen, held = (schedule_of(path, Words(warm_up=steps)) for steps in (2160, 0))
    assert risen.notices == held.notices == ()
    sums = [float(each.schedule.cumulative(2160)) for each in (late, risen, held)]
    assert sums == pytest.approx([0.324, 0.324, 0.648])
    with pytest.raises(UsageError, match=r"has rows from step 2160, which say it themselves"):
        schedule_of(path, Words(warm_up=2500))
    with pytest.raises(UsageError, match="--peak 1: does not apply to --schedule"):
        schedule_of(path, Words(peak=1))


def test_a_schedule_ends_with_the_run_or_after_the_log(tmp_path):
    file = schedule_of(written(tmp_path, ROWS)).schedule
    name = schedule_of("constant", Words(peak=1.0, warm_up=0), total_steps=100).schedule
    for schedule in (file, name):
        require_whole(schedule, 100)
    with pytest.raises(InputFileError, match=r"plan\.csv: ends at step 100, and the log is at step 101 already"):
        require_whole(file, 101)
    with pytest.raises(UsageError, match="--total-steps 100: the log is at step 101 already"):
        require_whole(name, 101)


def test_a_schedule_is_taken_as_it_is():
    schedule = Schedule.from_rows([0, 100], [1.0, 0.0])
    assert schedule_of(schedule) == (schedule, ())
    assert schedule_of(schedule, total_steps=50).schedule.final == 0.5
