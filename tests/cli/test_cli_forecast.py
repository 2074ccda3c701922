"""``forecast``: every format, what is refused, bad input, the plan, and text of users that must stay inert."""

import gzip
import json
import math
import re

import numpy as np
import pytest

from scaleplan.forecasting.annealing import track
from scaleplan.forecasting.schedule_shapes import named
from scaleplan.views.forecasts import COLUMNS

TOTAL = 20_000
COSINE = named("cosine", total_steps=TOTAL, peak=3e-4, warm_up=500, floor=3e-5)
WORDS = ("--schedule", "cosine", "--total-steps", "20000", "--peak", "3e-4", "--warm-up", "500", "--floor", "10%")
STEP = np.arange(50.0, TOTAL + 1, 50.0)
NOW = 6_000


def losses(seed):
    """Of a run of the annealing law."""
    S, D = track(COSINE).at(STEP)
    return (2.4 + 30 / np.sqrt(S) - 0.14 * D) * np.exp(np.random.default_rng(seed).normal(0, 0.002, len(STEP)))


def write_rows(path, upto=TOTAL, **columns):
    """Columns as CSV, those rows up to a step."""
    rows = zip(*[column[columns["step"] <= upto] for column in columns.values()], strict=True)
    path.write_text(",".join(columns) + "\n" + "".join(",".join(f"{x:.9g}" for x in row) + "\n" for row in rows))


@pytest.fixture
def files(tmp_path):
    """A run at 30 %, a finished one, and a schedule file."""
    write_rows(tmp_path / "run.csv", NOW, step=STEP, loss=losses(0))
    write_rows(tmp_path / "donor.csv", step=STEP, loss=losses(1), lr=COSINE.lr_at(STEP))
    write_rows(tmp_path / "plan.csv", step=np.r_[0.0, STEP], lr=COSINE.lr_at(np.r_[0.0, STEP]))
    return tmp_path


FORECAST = ("forecast", "run.csv", *WORDS, "--donor", "donor.csv")


@pytest.mark.usefixtures("files")
def test_json_holds_the_forecast_its_band_and_all_that_is_to_be_drawn(call):
    result = call(*FORECAST, "-f", "json").succeeded()
    envelope = result.envelope
    assert list(envelope) == ["schema", "version", "inputs", "rows", "warnings"]
    assert envelope["schema"] == "scaleplan.forecast/1"
    (row,) = envelope["rows"]
    assert tuple(row) == COLUMNS
    assert row["loss"] == pytest.approx(losses(0)[-1], rel=0.01)
    assert row["loss_low"] < row["loss"] < row["loss_high"] < row["loss_now"]
    assert (row["log"], row["step"], row["total_steps"], row["share"]) == ("run.csv", NOW, TOTAL, 0.3)
    assert row["refused"] is row["ends"] is row["days_left"] is row["status"] is None
    inputs = envelope["inputs"]
    assert (inputs["log"], inputs["format"], inputs["level"]) == ("run.csv", "CSV", 0.95)
    assert "20,000 steps" in inputs["schedule"]
    assert sum(way["weight"] for way in inputs["ways"]) == pytest.approx(1)
    assert [way["weight"] for way in inputs["ways"]] == sorted((way["weight"] for way in inputs["ways"]), reverse=True)
    assert inputs["curve"][-1] == {
        "step": TOTAL,
        "loss": row["loss"],
        "loss_low": row["loss_low"],
        "loss_high": row["loss_high"],
    }
    assert inputs["seen"][-1]["step"] == NOW
    assert [donor["name"] for donor in inputs["donors"]] == ["donor.csv"]
    assert all(each["step"] < NOW and set(each) == {"step", "forecast", "actual"} for each in inputs["earlier"])


@pytest.mark.usefixtures("files")
def test_every_format_says_the_same(call):
    row = call(*FORECAST, "-f", "json").envelope["rows"][0]
    (line,) = call(*FORECAST, "-f", "ndjson").succeeded().lines
    assert line == row
    (record,) = call(*FORECAST, "-f", "csv").succeeded().table
    assert tuple(record) == COLUMNS
    assert float(record["loss"]) == row["loss"]
    assert record["refused"] == ""
    for form in ("table", "markdown"):
        text = call(*FORECAST, "-f", form).succeeded().stdout
        assert "forecast of run.csv" in text
        assert f"{row['loss']:.4f}" in text
        assert f"{row['loss_low']:.4f} to {row['loss_high']:.4f}" in text
        assert "donor.csv fell" in text


@pytest.mark.usefixtures("files")
def test_in_a_terminal_of_80_columns_nothing_is_cut(terminal):
    result = terminal(*FORECAST)
    assert result.code == 0
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in result.stdout.splitlines())
    assert "6,000 of 20,000 (30.0%)" in result.stdout
    assert "…" not in result.stdout


def test_get_and_output_and_level(call, files):
    row = call(*FORECAST, "-f", "json").envelope["rows"][0]
    for key in ("loss", "loss_low", "loss_high"):
        assert float(call(*FORECAST, "--get", key).succeeded().stdout) == row[key]
    done = call(*FORECAST, "-f", "json", "-o", "out.json")
    assert (done.code, done.stdout) == (0, "")
    assert json.loads((files / "out.json").read_text())["rows"] == [row]
    narrow = call(*FORECAST, "-f", "json", "--level", "0.5").envelope["rows"][0]
    assert narrow["loss"] == row["loss"]
    wide, half = (math.log(each["loss_high"] / each["loss_low"]) for each in (row, narrow))
    assert wide / half == pytest.approx(1.959964 / 0.674490, rel=1e-4)
    call(*FORECAST, "--get", "nothing").failed(2, "no key 'nothing'", "loss")
    for level in ("0", "1", "95", "x"):
        call(*FORECAST, "--level", level).failed(2, "level", "0.95", f"got {level}")


@pytest.mark.usefixtures("files")
def test_what_was_assumed_is_said_on_stderr_and_in_the_envelope_unless_quiet(call):
    words = ("forecast", "run.csv", "--schedule", "cosine", "--total-steps", "20000", "--donor", "donor.csv")
    result = call(*words, "-f", "json").succeeded("schedule_assumed")
    assert [each["code"] for each in result.envelope["warnings"]] == ["schedule_assumed"]
    assert "--floor 10%" in result.notices[0][1]
    quiet = call(*words, "-q", "-f", "json")
    assert quiet.stderr == ""
    assert quiet.envelope["rows"] == result.envelope["rows"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [(("--total-steps", "20000"), "give --schedule"), (WORDS, "give --donor")],
    ids=["no schedule", "no donor"],
)
@pytest.mark.usefixtures("files")
def test_without_schedule_or_donor_there_is_a_range_and_no_point(call, words, reason):
    row = call("forecast", "run.csv", *words, "-q", "-f", "json").succeeded().envelope["rows"][0]
    assert row["loss"] is None
    assert row["loss_low"] < losses(0)[-1] < row["loss_high"]
    assert reason in row["refused"]
    table = call("forecast", "run.csv", *words, "-q").stdout
    assert "range, from full decay to a learning rate held" in table
    assert row["refused"] in " ".join(table.split())


@pytest.mark.usefixtures("files")
def test_a_finished_run_is_what_it_came_to(call):
    row = call("forecast", "donor.csv", "--schedule", "plan.csv", "-f", "json").succeeded().envelope["rows"][0]
    assert row["loss"] == row["loss_now"] == pytest.approx(losses(1)[-8:].mean(), rel=0.003)
    assert (row["share"], row["refused"]) == (1, None)


@pytest.mark.usefixtures("files")
def test_the_schedule_file_is_the_named_schedule_and_says_the_total(call):
    named_one = float(call(*FORECAST, "--get", "loss").stdout)
    of_file = call("forecast", "run.csv", "--schedule", "plan.csv", "--donor", "donor.csv", "--get", "loss").succeeded()
    assert float(of_file.stdout) == pytest.approx(named_one, rel=1e-4)


def test_packed_logs_json_lines_and_standard_input_are_read_alike(call, files):
    want = call(*FORECAST, "--get", "loss").stdout
    text = (files / "run.csv").read_text()
    (files / "run.csv.gz").write_bytes(gzip.compress(text.encode()))
    rows = [line.split(",") for line in text.splitlines()[1:]]
    lines = "".join(json.dumps({"step": float(a), "loss": float(b)}) + "\n" for a, b in rows)
    (files / "run.ndjson").write_text(lines)
    for name in ("run.csv.gz", "run.ndjson"):
        assert call("forecast", name, *FORECAST[2:], "--get", "loss").stdout == want
    assert call("forecast", "-", *FORECAST[2:], "--get", "loss", stdin=text).stdout == want
    (files / "run.csv").write_text(text.replace("loss", "mine"))
    call(*FORECAST).failed(3, "run.csv", "no column 'loss'", "mine")
    assert call(*FORECAST, "--column", "loss=mine", "--get", "loss").code == 3  # the donor has no such column
    table = (files / "donor.csv").read_text()
    (files / "donor.csv").write_text(table.replace("loss", "mine"))
    assert call(*FORECAST, "--column", "loss=mine", "--get", "loss").stdout == want


def test_a_folder_of_tensorboard_is_a_log(call, files):
    writer = pytest.importorskip("tensorboardX", reason="tensorboardX writes the event file")
    with writer.SummaryWriter(str(files / "tb")) as events:
        for step, loss in zip(STEP[STEP <= NOW], losses(0), strict=False):
            events.add_scalar("train/loss", loss, int(step))
    want = float(call(*FORECAST, "--get", "loss").stdout)
    result = call("forecast", "tb", *FORECAST[2:], "--get", "loss")
    assert float(result.stdout) == pytest.approx(want, rel=1e-5)


BAD = {
    "empty": ("", "empty"),
    "header only": ("step,loss\n", "no rows below it"),
    "one row": ("step,loss\n1,3.2\n", "a forecast needs 8 or more"),
    "all NaN": ("step,loss\n" + "".join(f"{i},nan\n" for i in range(1, 30)), "rows with a finite loss: 0"),
    "no step": ("loss\n3\n2\n", "step, loss"),
    "text steps": ("step,loss\n" + "".join(f"x{i},3\n" for i in range(9)), "'x0,3'"),
    "no loss": ("step,other\n1,3\n2,2\n", "no column 'loss'"),
    "negative": ("step,loss\n" + "".join(f"{i},-{i}\n" for i in range(1, 30)), "a loss of -29"),
    "binary": ("\0\1" * 99, "binary"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_log_that_cannot_be_used_is_one_clear_line(call, files, kind):
    text, said = BAD[kind]
    (files / "bad.csv").write_text(text)
    call("forecast", "bad.csv", *WORDS).failed(3, "bad.csv", said)


def test_files_that_are_not_there_or_go_in_circles(call, files):
    (files / "loop").mkdir()
    (files / "loop/again").symlink_to(".")
    (files / "round.csv").symlink_to("round.csv")
    for name, said in (("missing.csv", "no such file"), ("loop", "a link to a folder"), ("round.csv", "links")):
        call("forecast", name, *FORECAST[2:]).failed(3, name, said)
        call("forecast", "run.csv", *WORDS, "--donor", name).failed(3, name, said)
    call("forecast", "run.csv", "--schedule", "missing.csv").failed(3, "missing.csv", "no such file")
    call("forecast", "run.csv", "--schedule", "loop/").failed(3, "loop", "a folder")


def test_a_schedule_that_is_none_or_too_short(call, files):
    words = ("forecast", "run.csv", "--donor", "donor.csv", "--schedule")
    for text, said in (
        ("step,lr\n0,1\n5000,0\n", "ends at step 5000, and the log is at step 6000"),
        ("step,lr\n0,1\n0,0.5\n20000,0\n", ":3: step: steps must rise"),
        ("step,lr\n0,1\n20000,-1\n", ":3: lr: must be"),
        ("step,lr\n0,0\n20000,0\n", "zero at every step"),
        ("step,lr\n", "no rows"),
        ("epoch,rate\n1,2\n", "no column 'step'"),
    ):
        (files / "bad.csv").write_text(text)
        call(*words, "bad.csv").failed(3, "bad.csv", said)
    call(*words, "plan.csv", "--total-steps", "30000").failed(3, "plan.csv", "ends at step 20000")
    call(*words, "cosin", "--total-steps", "20000").failed(2, "'cosin'", "Did you mean cosine?")
    call(*words, "cosine").failed(2, "give --total-steps")
    call(*words, "cosine", "--total-steps", "5000").failed(2, "--total-steps 5000", "6000")


@pytest.mark.usefixtures("files")
def test_how_long_the_run_is_must_be_known(call):
    call("forecast", "run.csv").failed(2, "--total-steps is needed")
    call("forecast", "run.csv", "--total-steps", "100").failed(2, "run.csv is at step 6000")
    for wrong in ("nan", "inf", "-5", "0", "many"):
        call("forecast", "run.csv", "--total-steps", wrong).failed(2, "--total-steps")
    call("forecast", "run.csv", "--total-tokens", "1B").failed(2, "counts no tokens", "--total-steps")
    call("forecast", "run.csv", "--total-steps", "20000", "--warm-up", "5").failed(2, "--warm-up", "--schedule")


def test_tokens_say_how_long_the_run_is(call, files):
    write_rows(files / "run.csv", NOW, step=STEP, loss=losses(0), tokens=STEP * 1e6)
    words = [word for word in FORECAST if word not in ("--total-steps", "20000")]
    row = call(*words, "--total-tokens", "20B", "-f", "json").succeeded().envelope["rows"][0]
    assert row["total_steps"] == TOTAL


def test_a_donor_in_another_unit_is_asked_for(call, files):
    for factor, said in ((1 / math.log(2), "look like bits"), (2.2, "another unit")):
        write_rows(files / "donor.csv", step=STEP, loss=losses(1) * factor, lr=COSINE.lr_at(STEP))
        call(*FORECAST).failed(3, "donor.csv", said, "--any-loss")
        assert call(*FORECAST, "--any-loss", "--get", "loss").succeeded().stdout != "null\n"


def state(files, name, upto, **facts):
    rows = [{"step": int(s), "loss": float(x)} for s, x in zip(STEP, losses(1), strict=True) if s <= upto]
    (files / name).mkdir()
    document = {"max_steps": TOTAL, "global_step": int(upto), "log_history": rows, **facts}
    (files / name / "trainer_state.json").write_text(json.dumps(document))
    return f"{name}/trainer_state.json"


def test_a_donor_is_another_run_that_has_finished(call, files):
    call("forecast", "run.csv", *WORDS, "--donor", "run.csv").failed(2, "run.csv", "the run itself")
    early, done = state(files, "early", 9_000), state(files, "done", TOTAL)
    call("forecast", "run.csv", *WORDS, "--donor", early).failed(3, early, "step 9,000 of 20,000")
    call("forecast", "run.csv", *WORDS, "--donor", done).succeeded("donor_schedule")
    call("forecast", "run.csv", *WORDS, "--donor", done, "--donor", f"./{done}").failed(2, done, "given twice")
    (files / "ends.csv").write_text(
        (files / "donor.csv").read_text() + "".join(f"{s},nan,0\n" for s in (40_000, 50_000))
    )
    call("forecast", "run.csv", *WORDS, "--donor", "ends.csv").failed(3, "ends.csv", "its last finite loss is at step")


def test_the_name_of_a_file_stays_on_one_line(call, files):
    name = "a\nb.csv"
    (files / name).write_text((files / "run.csv").read_text())
    call("forecast", name, *WORDS, "--donor", name).failed(2, "the run itself")


@pytest.mark.parametrize(("loss", "said"), [(-1.0, "a loss of -1"), (0.0, "a loss of 0"), (1e300, "a loss of 1e+300")])
def test_losses_that_are_none_are_refused(call, files, loss, said):
    values = losses(0)
    values[70] = loss
    write_rows(files / "run.csv", NOW, step=STEP, loss=values)
    call(*FORECAST).failed(3, "run.csv", said)


def test_a_spike_in_the_last_row_is_not_where_the_run_is(call, files):
    clean = call(*FORECAST, "-f", "json").succeeded().envelope["rows"][0]["loss"]
    text = (files / "run.csv").read_text().rstrip("\n").split("\n")
    cells = text[-1].split(",")
    place = text[0].split(",").index("loss")
    cells[place] = str(float(cells[place]) + 2)
    (files / "run.csv").write_text("\n".join([*text[:-1], ",".join(cells)]) + "\n")
    assert call(*FORECAST, "-f", "json").succeeded("event_open").envelope["rows"][0]["loss"] == pytest.approx(
        clean, rel=0.01
    )


def test_a_donor_that_is_no_use_is_left_out_and_said(call, files):
    write_rows(files / "worse.csv", step=STEP, loss=losses(1) + np.clip(STEP - 15_000, 0, None) / 2_000)
    result = call(*FORECAST, "--donor", "worse.csv", "-f", "json").succeeded("donor_schedule", "donor_left_out")
    assert "worse.csv" in result.notices[1][1]
    assert [each["name"] for each in result.envelope["inputs"]["donors"]] == ["donor.csv"]


def test_rows_that_are_no_number_are_left_out_and_counted(call, files):
    loss = losses(0)
    loss[[60, 61]] = np.nan, np.inf
    write_rows(files / "run.csv", NOW, step=STEP, loss=loss)
    result = call(*FORECAST, "-f", "json").succeeded("not_finite")
    assert "2 losses" in result.notices[0][1]
    assert {each["kind"] for each in result.envelope["inputs"]["events"]} == {"nan"}


def test_a_log_off_its_schedule_is_said(call, files):
    write_rows(files / "run.csv", NOW, step=STEP, loss=losses(0), lr=COSINE.lr_at(STEP) * 0.7)
    assert "0.00" in call(*FORECAST, "-f", "json").succeeded("schedule_differs").stderr


@pytest.mark.parametrize(("params", "status"), [("1B", "on_track"), ("100M", "below_band"), ("30B", "above_band")])
def test_against_what_a_law_promised(call, files, params, status):
    """The law of 100M parameters is beaten, that of 30B at a few tokens each is out of reach."""
    end = {"1B": 2.52, "100M": 2.4, "30B": 2.9}[params]
    factor = end / losses(0)[-1]
    write_rows(files / "run.csv", NOW, step=STEP, loss=losses(0) * factor, tokens=STEP * 1e6)
    write_rows(files / "donor.csv", step=STEP, loss=losses(1) * factor, lr=COSINE.lr_at(STEP))
    words = (*FORECAST, "--law", "chinchilla", "--params", params)
    row = call(*words, "-q", "-f", "json").succeeded().envelope["rows"][0]
    assert row["status"] == status
    assert row["gap"] == pytest.approx(row["loss"] - row["promised_loss"])
    if status == "above_band":
        assert row["gap"] > 0
    assert "against the plan" in call(*words, "-q").stdout


@pytest.mark.usefixtures("files")
def test_a_law_needs_its_words(call):
    call(*FORECAST, "--law", "chinchilla").failed(2, "--law and --params go together")
    call(*FORECAST, "--params", "1B").failed(2, "--law and --params go together")
    call(*FORECAST, "--law", "chinchilla", "--params", "1B").failed(2, "run.csv counts no tokens", "--total-tokens")
    call(*FORECAST, "--law", "chinchila", "--params", "1B").failed(2, "unknown law", "Did you mean chinchilla")


def test_the_date_where_rows_have_times(call, files):
    write_rows(files / "run.csv", NOW, step=STEP, loss=losses(0), time=1.75e9 + STEP * 2)
    row = call(*FORECAST, "-f", "json").succeeded().envelope["rows"][0]
    assert row["days_left"] == pytest.approx(14_000 * 2 / 86_400)
    assert row["ends"] == "2025-06-16T02:13:20+00:00"
    assert "2025-06-16 02:13 UTC" in call(*FORECAST).stdout
    write_rows(files / "run.csv", NOW, step=STEP, loss=losses(0), time=STEP * 2)
    row = call(*FORECAST, "-f", "json").succeeded().envelope["rows"][0]
    assert (row["days_left"], row["ends"]) == (pytest.approx(14_000 * 2 / 86_400), None)


@pytest.mark.parametrize("name", ["=cmd|[red]x\x1b[31m.csv", "@SUM(1)[bold]\x1b]0;owned\x07.csv"])
def test_names_of_users_are_inert(call, files, name):
    (files / name).write_bytes((files / "run.csv").read_bytes())
    (files / f"donor{name}").write_bytes((files / "donor.csv").read_bytes())
    for form in ("table", "markdown", "csv", "json", "ndjson"):
        result = call("forecast", name, *WORDS, "--donor", f"donor{name}", "-f", form).succeeded()
        assert not {"\x1b", "\x07"} & set(result.stdout + result.stderr)
        if form == "csv":
            assert result.table[0]["log"][0] not in "=+-@"
    for words in (("--donor", name), ("--schedule", name), ("--donor", f"{name}.missing")):
        result = call("forecast", name, "--total-steps", "20000", *words)
        assert result.code in (2, 3)
        assert not {"\x1b", "\x07"} & set(result.stdout + result.stderr)
