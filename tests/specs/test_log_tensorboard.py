"""TensorBoard's event files, written by tensorboardX and by TensorBoard itself: whole, damaged, in several folders."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs import log_event_folders, log_records, log_tensorboard
from scaleplan.specs.log_rows import LogContentError
from scaleplan.specs.log_tensorboard import is_tensorboard, read_tensorboard

tensorboardX = pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")  # noqa: N816 - its name
pytest.importorskip("tensorboard", reason="tensorboard is not installed")

from tensorboard.backend.event_processing import event_accumulator  # noqa: E402 - not where it is not installed
from tensorboard.compat.proto.event_pb2 import Event  # noqa: E402
from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: E402
from tensorboard.plugins.scalar import summary_v2  # noqa: E402
from tensorboard.plugins.text import summary_v2 as text_summary  # noqa: E402
from tensorboard.summary.writer.event_file_writer import EventFileWriter  # noqa: E402

STEPS = 60


def write(folder, rows, **given):
    """Scalars by step and tag, written by tensorboardX."""
    with tensorboardX.SummaryWriter(str(folder), **given) as writer:
        for step, values in rows:
            for tag, value in values.items():
                writer.add_scalar(tag, value, step, walltime=1.7e9 + step)
    return folder


def write_by_tensorboard(folder, rows):
    """Summaries by step, written by TensorBoard's own writer, which PyTorch uses."""
    writer = EventFileWriter(str(folder))
    for step, summary in rows:
        writer.add_event(Event(step=step, wall_time=1.7e9 + step, summary=summary))
    writer.close()
    return folder


def scalars(step, values):
    return step, Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


def curve(start=0, end=STEPS, **more):
    """A run's rows: a gradient norm at every other step, an evaluation at every tenth."""
    for step in range(start, end):
        row = {"train/loss": 3 + 1 / (step + 1), "train/learning_rate": 1e-3, "time/junk": 0.0} | more
        if step % 2 == 0:
            row["train/grad_norm"] = 1.5
        if step % 10 == 9:
            row["eval/loss"] = 3.5
        yield step, row


def read(path, columns=None, run=None):
    return read_tensorboard(path, "tb", columns or {}, run).log("tb")


def refused(path, columns=None, run=None, kind=LogContentError):
    with pytest.raises(kind) as caught:
        read(path, columns, run)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tb"), curve())


@pytest.fixture
def file(whole, tmp_path):
    """The bytes of the file, and what reads others in its place."""
    data = next(whole.iterdir()).read_bytes()
    path = tmp_path / "run.bin"

    def read_bytes(changed):
        path.write_bytes(changed)
        assert is_tensorboard(path)
        return read(path)

    return data, read_bytes


def record_of(data, tag, place):
    """Where the data of a tag's record begin, and how many bytes they are."""
    found = log_records.frames(data)
    records = zip(found.starts, found.lengths, strict=True)
    return [(start, length) for start, length in records if tag in data[start : start + length]][place]


def test_a_run_of_tensorboardx_has_all_its_rows(whole):
    assert is_tensorboard(whole)
    assert is_tensorboard(next(whole.iterdir()))
    log = read(whole)
    assert log.format == "TensorBoard"
    assert log.step.tolist() == list(range(STEPS))
    assert log.loss == pytest.approx(3 + 1 / (np.arange(STEPS) + 1), rel=1e-7)
    assert log.lr == pytest.approx(np.full(STEPS, 1e-3), rel=1e-7)
    assert log.time == pytest.approx(1.7e9 + np.arange(STEPS), abs=1e-3)
    assert log.grad_norm[::2].tolist() == [1.5] * (STEPS // 2)
    assert np.isnan(log.grad_norm[1::2]).all()
    assert (log.eval_step.tolist(), set(log.eval_loss)) == (list(range(9, STEPS, 10)), {3.5})
    assert (log.tokens, log.unreadable, log.notices) == (None, 0, ())


def test_what_is_read_is_what_tensorboard_reads(whole):
    theirs = event_accumulator.EventAccumulator(str(whole), size_guidance={"scalars": 0}).Reload().Scalars("train/loss")
    ours = read(whole)
    assert [(each.step, each.value, each.wall_time) for each in theirs] == list(
        zip(ours.step, ours.loss, ours.time, strict=True)
    )


def test_scalars_of_tensorflow_2_are_tensors(tmp_path):
    rows = [
        summary
        for step in range(5)
        for summary in (
            (step, summary_v2.scalar_pb("train_loss", float("nan") if step == 3 else 2.5)),
            (step, summary_v2.scalar_pb("learning_rate", np.float32(0.5))),
            (step, text_summary.text_pb("note", "words are no number")),
        )
    ]
    log = read(write_by_tensorboard(tmp_path, rows))
    assert log.step.tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(log.loss[3])
    assert (set(log.loss[[0, 1, 2, 4]]), set(log.lr)) == ({2.5}, {0.5})


def test_a_run_that_was_started_again_leaves_two_files_whose_steps_go_back(tmp_path):
    write(tmp_path, curve(0, 30), filename_suffix=".a")
    with tensorboardX.SummaryWriter(str(tmp_path), filename_suffix=".b") as writer:
        for step in range(20, 40):
            writer.add_scalar("train/loss", 2.0, step, walltime=1.8e9 + step)
    assert len(list(tmp_path.iterdir())) == 2
    log = read(tmp_path)
    assert log.written.step.tolist() == [*range(30), *range(20, 40)]
    assert log.step.tolist() == list(range(40))
    assert set(log.loss[20:]) == {2.0}


def test_of_a_record_that_is_cut_off_the_rest_is_used_and_the_loss_is_told(file):
    data, read_bytes = file
    log = read_bytes(data[:-5])
    assert len(log.loss) == STEPS
    assert len(log.eval_loss) == STEPS // 10 - 1
    assert (log.unreadable, [each.code for each in log.notices]) == (0, ["cut_off_record"])
    assert "its last record is cut off (" in log.notices[0].message


def test_a_flipped_bit_costs_one_record_and_is_told(file):
    data, read_bytes = file
    start, length = record_of(data, b"train/loss", 20)
    at = start + length - 1
    log = read_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert log.step.tolist() == [each for each in range(STEPS) if each != 20]
    assert log.unreadable == 1
    assert f"a damaged part, {length + 16} bytes from byte {start - 12:,} on, could" in log.notices[-1].message


def test_behind_a_length_that_is_wrong_the_next_sound_record_is_found(file):
    data, read_bytes = file
    start, length = record_of(data, b"train/loss", 20)
    log = read_bytes(data[: start - 12] + b"\xff" * 12 + data[start:])
    assert log.step.tolist() == [each for each in range(STEPS) if each != 20]
    assert log.unreadable == 1
    assert f"{length + 16} bytes from byte {start - 12:,} on" in log.notices[-1].message


def test_zeros_behind_the_last_record_are_told(file):
    data, read_bytes = file
    log = read_bytes(data + bytes(5000))
    assert (len(log.loss), log.unreadable) == (STEPS, 1)
    assert f"5,000 bytes from byte {len(data):,} on" in log.notices[0].message


def test_a_tag_that_is_no_text_is_another_tag(file):
    """Damage that the checksum does not show: a writer that was broken itself."""
    data, read_bytes = file
    start, length = record_of(data, b"train/loss", 20)
    record = bytearray(data[start : start + length])
    record[record.index(b"train")] = 0xFF
    sum_ = log_records._masked(log_records._crc(record)).to_bytes(4, "little")
    log = read_bytes(data[:start] + record + sum_ + data[start + length + 4 :])
    assert (len(log.loss), log.unreadable) == (STEPS - 1, 0)


def test_checksums_are_those_of_the_standard_in_both_ways():
    """The check value of CRC-32C (RFC 3720, appendix B.4: 32 bytes of zeros), and many at once against one by one."""
    assert log_records._crc(b"123456789") == 0xE3069283
    assert log_records._crc(bytes(32)) == 0x8A9136AA
    data = np.random.default_rng(5).integers(0, 256, 4000, dtype=np.uint8)
    at = np.arange(0, 3900, 39)
    many = log_records._masked_sums(data, at, 57)
    assert many.tolist() == [log_records._masked(log_records._crc(data[each : each + 57].tobytes())) for each in at]


@pytest.mark.parametrize("junk", [b"", b"step,loss\n1,2\n", b"\0" * 100, bytes(range(256)) * 8])
def test_other_files_are_no_event_files(tmp_path, junk):
    path = tmp_path / "other"
    path.write_bytes(junk)
    assert not is_tensorboard(path)
    named = tmp_path / "events.out.tfevents.1.host"
    named.write_bytes(junk)
    assert is_tensorboard(named)
    assert refused(named) == "tb: no event that can be read"


def test_a_folder_without_events_is_none(tmp_path):
    assert not is_tensorboard(tmp_path)
    assert "no event files" in refused(tmp_path)


def test_several_runs_are_refused_with_their_names_and_one_can_be_named(tmp_path):
    write(tmp_path / "small", curve(0, 5))
    write(tmp_path / "large", curve(0, 9))
    message = refused(tmp_path)
    assert message == "tb: 2 runs ('large', 'small'); a log is of one: name one of these folders"
    assert len(read(tmp_path, run="large").loss) == 9
    assert "no run 'lage'. Did you mean large?" in refused(tmp_path, run="lage", kind=InputFileError)


def test_folders_that_tools_make_for_parts_of_a_run_are_of_that_run(tmp_path):
    """Keras: train and validation; add_scalars: a folder a line; hyperparameters: a folder without a loss."""
    keras = tmp_path / "keras"
    write(keras / "train", ((step, {"epoch_loss": 3.0}) for step in range(4)))
    write(keras / "validation", ((step, {"epoch_loss": 3.25}) for step in range(4)))
    log = read(keras)
    assert (set(log.loss), set(log.eval_loss)) == ({3.0}, {3.25})
    lines = tmp_path / "lines"
    with tensorboardX.SummaryWriter(str(lines)) as writer:
        for step in range(4):
            writer.add_scalars("loss", {"train": 2.0, "val": 2.5}, step)
            writer.add_scalar("lr", 0.5, step)
        writer.add_hparams({"width": 8}, {"score": 1.0})
    log = read(lines)
    assert (log.loss.tolist(), log.eval_loss.tolist()) == ([2.0] * 4, [2.5] * 4)


@pytest.mark.parametrize(
    ("tag", "role"),
    [
        ("train_loss_step", "loss"), ("loss/train/total", "loss"), ("loss_metrics/global_avg_loss", "loss"),
        ("lm loss", "loss"), ("lm-loss-training/lm loss", "loss"), ("Loss/train", "loss"), ("learning/loss", "loss"),
        ("grad-norm/grad-norm", "grad_norm"), ("l2_norm/grad/global", "grad_norm"), ("lr-AdamW/pg1", "lr"),
        ("learning-rate", "lr"), ("lr-DecoupledAdamW/group0", "lr"), ("train/num_input_tokens_seen", "tokens"),
        ("iteration-time", "step_time"), ("perf/step_time_seconds", "step_time"),
    ],
)  # fmt: skip
def test_tags_of_public_tools_have_their_role(tmp_path, tag, role):
    rows = {"loss": 4.0} if role != "loss" else {}
    log = read(write_by_tensorboard(tmp_path, (scalars(step, {**rows, tag: 2.0}) for step in range(3))))
    assert getattr(log, role).tolist() == [2.0] * 3


def test_a_tag_that_is_named_counts_and_one_that_is_not_there_is_refused(whole):
    assert read(whole, {"loss": "train/grad_norm"}).loss.tolist() == [1.5] * (STEPS // 2)
    message = refused(whole, {"loss": "train/los"})
    assert "tb: no tag 'train/los' for loss. Did you mean train/loss" in message


def test_a_run_without_a_loss_says_which_tags_there_are(tmp_path):
    write_by_tensorboard(tmp_path, [scalars(0, {"accuracy": 1.0, "x\ny": 2.0})])
    message = refused(tmp_path)
    assert "no tag is a loss" in message
    assert "'accuracy'" in message
    assert r"x\ny" in message


def test_values_at_steps_without_a_loss_are_told(tmp_path):
    write(tmp_path, [(0, {"loss": 2.0}), (1, {"lr": 0.5}), (2, {"loss": 1.0})])
    log = read(tmp_path)
    assert log.step.tolist() == [0, 2]
    assert [each.code for each in log.notices] == ["values_without_loss"]


def test_without_protobuf_the_message_names_the_extra(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    log_tensorboard._event_class.cache_clear()
    assert "pip install 'scaleplan[tensorboard]'" in refused(whole, kind=UsageError)
    log_tensorboard._event_class.cache_clear()


def test_links_in_a_circle_are_refused(tmp_path):
    write(tmp_path / "run", curve(0, 3))
    (tmp_path / "run" / "again").symlink_to(tmp_path)
    assert "a link to a folder that it is in" in refused(tmp_path, kind=InputFileError)


def test_a_tree_without_end_is_not_walked(tmp_path, monkeypatch):
    monkeypatch.setattr(log_event_folders, "_MOST_FOLDERS", 3)
    for each in "abcd":
        (tmp_path / each).mkdir()
    assert "over 3 folders; name that of the run" in refused(tmp_path, kind=InputFileError)
