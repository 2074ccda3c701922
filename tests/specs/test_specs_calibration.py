"""The constants of the step-time model, and tables of measured steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from scaleplan.compute.layout import Recompute
from scaleplan.compute.step_calibration import least_seconds
from scaleplan.compute.step_time import step_time
from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs import calibration
from scaleplan.specs.accelerators import device, load_accelerator
from scaleplan.specs.calibration import calibration_for, cluster_types, load_calibration
from scaleplan.specs.measured_steps import read_steps
from scaleplan.specs.own_calibration import calibrate
from scaleplan.specs.presets import shipped_ids

DATA: Any = yaml.safe_load(
    (Path(calibration.__file__).parent.parent / "presets" / "calibration.yaml").read_text(encoding="utf-8")
)
HEADER = "model,context,accelerators,tensor,pipeline,zero,micro_batch,recompute,global_batch,seconds"
ROW = "llama3-8b,8192,64,2,2,1,1,none,1048576,3.3"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """A function that writes a table and gives its path."""

    def write(text: str) -> str:
        path = tmp_path / "steps.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_at_most_two_constants_an_accelerator_and_precision_and_one_a_cluster() -> None:
    constants = {"efficiency", "traffic"}
    described = {"rows", "median_error", "error", "band_of", "release", "source"}
    for entries in DATA["accelerators"].values():
        for name, entry in entries.items():
            if name != "cluster":
                assert constants <= set(entry) <= constants | described
    assert all(set(entry) == {"link_share", "text"} for entry in DATA["clusters"].values())


@pytest.mark.parametrize("name", sorted(DATA["accelerators"]))
def test_every_fit_names_release_source_rows_and_error(name: str) -> None:
    for precision, entry in DATA["accelerators"][name].items():
        if precision == "cluster":
            assert entry in DATA["clusters"]
            continue
        assert 0.3 < entry["efficiency"] < 0.95
        assert 0.5 < entry["traffic"] < 2
        assert 0 < entry["error"] < 1
        assert 0 < entry["median_error"] < entry["error"]
        assert entry["rows"] >= 2
        assert entry["release"]
        assert entry["source"]


def test_accelerators_and_siblings_are_presets() -> None:
    known = shipped_ids("accelerators")
    assert set(DATA["accelerators"]) <= set(known)
    for name, holder in DATA["siblings"].items():
        assert name in known
        assert holder in DATA["accelerators"]


def test_the_range_of_experts_is_at_most_a_factor_of_two_and_a_half() -> None:
    assert DATA["experts"]["high"] / DATA["experts"]["low"] <= 2.5


def test_an_exclusion_names_its_rows_and_its_reason() -> None:
    for entry in DATA["exclusions"]:
        assert set(entry) == {"table", "width", "tensor", "rows", "source", "reason"}
        assert entry["width"] / entry["tensor"] % 64, "the reason it gives"


def test_what_was_fitted_is_exact_and_needs_no_notice() -> None:
    found = load_calibration("a100-sxm-80", "bf16")
    assert found.status == "exact"
    assert found.notices == ()
    assert found.calibration.efficiency == DATA["accelerators"]["a100-sxm-80"]["bf16"]["efficiency"]
    assert load_calibration("a100-sxm-80", "fp16") == found, "16-bit formats share a fit"
    assert load_calibration("gb200", "nvfp4").calibration == load_calibration("gb200", "fp4").calibration


@pytest.mark.parametrize(
    ("name", "precision", "words"),
    [
        ("a100-sxm-40", "bf16", "fitted to a100-sxm-80 in bf16"),
        ("gb200", "bf16", "fitted to gb200 in fp8"),
        ("b200", "fp4", "fitted to gb200 in fp4"),
    ],
)
def test_what_is_borrowed_says_from_whom_and_is_wider(name: str, precision: str, words: str) -> None:
    found = load_calibration(name, precision)
    assert found.status == "borrowed"
    assert found.calibration.error >= DATA["borrowed"]["error"]
    (notice,) = found.notices
    assert notice.code == "borrowed_calibration"
    assert words in notice.message
    assert f"a factor of {1 + found.calibration.error:.2f} either way" in notice.message


def test_what_was_never_fitted_says_so_and_is_widest() -> None:
    found = load_calibration("tpu-v5p", "bf16")
    assert found.status == "default"
    assert found.calibration.error == DATA["default"]["error"] > DATA["borrowed"]["error"]
    (notice,) = found.notices
    assert notice.code == "uncalibrated"
    assert "tpu-v5p" in notice.message
    assert found.basis[-1].value == 1 + DATA["default"]["error"]
    assert {each.source for each in found.basis[:2]} == {
        "the middle of the accelerators that were fitted; software: none"
    }


def test_a_format_that_was_not_fitted_is_named() -> None:
    (notice,) = load_calibration("a100-sxm-80", "tf32").notices
    assert "no measured step of a100-sxm-80 in tf32 was fitted" in notice.message


def test_what_decides_an_estimate_has_units_and_sources() -> None:
    found = load_calibration("a100-sxm-80", "bf16", cluster="hgx-a100-omni-path")
    known = found.calibration
    assert [(each.name, each.value) for each in found.basis] == [
        ("efficiency", known.efficiency),
        ("traffic", known.traffic),
        ("link share", known.link_share),
        ("band", 1 + known.error),
    ]
    assert found.basis[2].source == f"hgx-a100-omni-path: {cluster_types()['hgx-a100-omni-path']}"
    assert "165 of a100-sxm-80 in bf16" in found.basis[3].source
    assert found.expert_basis[:3] == found.basis[:3]
    assert [each.value for each in found.expert_basis[3:]] == list(known.expert_range)
    assert all(each.unit and each.source for each in (*found.basis, *found.expert_basis))


def test_a_band_of_few_steps_is_shared_and_says_so() -> None:
    shared = [load_calibration(name, kind) for name in ("gb200", "gb300") for kind in ("fp8", "fp4")]
    assert len({each.calibration.error for each in shared}) == 1
    rows = sum(DATA["accelerators"][name][kind]["rows"] for name in ("gb200", "gb300") for kind in ("fp8", "fp4"))
    assert all(f"{rows} of gb200 and gb300" in each.basis[-1].source for each in shared)


def test_a_borrowed_band_names_its_own_source() -> None:
    assert load_calibration("a100-sxm-40", "bf16").basis[-1].source == DATA["borrowed"]["source"]


def test_every_accelerator_has_constants_of_some_kind() -> None:
    for name in shipped_ids("accelerators"):
        found = load_calibration(name, "bf16")
        assert (found.status == "exact") == (not found.notices)


def test_a_named_type_of_cluster_has_its_link_share() -> None:
    usual = load_calibration("a100-sxm-80", "bf16").calibration
    slow = load_calibration("a100-sxm-80", "bf16", cluster="hgx-a100-omni-path").calibration
    assert slow.link_share < usual.link_share
    assert slow._replace(link_share=usual.link_share) == usual
    assert set(cluster_types()) == set(DATA["clusters"])


def test_an_unknown_type_of_cluster_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown type of cluster 'hgx-a10'.*hgx-a100.*nodes of eight A100"):
        load_calibration("a100-sxm-80", "bf16", cluster="hgx-a10")


def test_a_table_of_steps_is_read(written: Callable[[str], str]) -> None:
    (step,) = read_steps(written(f"{HEADER}\n{ROW}\n"))
    assert step.line == 2
    assert step.sequences == 128
    assert step.seconds == 3.3
    assert (step.layout.tensor, step.layout.pipeline, step.layout.data) == (2, 2, 16)
    assert step.layout.recompute is Recompute.NONE
    assert (step.shape.layers, step.shape.width, step.shape.context) == (32, 4096, 8192)


def test_a_shape_and_a_rate_serve_as_well(written: Callable[[str], str]) -> None:
    header = (
        "layers,width,heads,kv_heads,head_size,feed_forward,vocabulary,gated,context,data,context_parallel,"
        "global_batch,tokens_per_second_per_accelerator"
    )
    (step,) = read_steps(written(f"{header}\n32,4096,32,8,128,14336,128256,false,8192,8,2,131072,8192\n"))
    assert step.shape.gated is False
    assert step.layout.accelerators == 16
    assert step.seconds == pytest.approx(131072 / (8192 * 16))


def test_one_factor_follows_from_steps_that_are_all_as_slow(written: Callable[[str], str]) -> None:
    used = device(load_accelerator("h100-sxm"), "bf16")
    plain = load_calibration("h100-sxm", "bf16").calibration
    (step,) = read_steps(written(f"{HEADER}\n{ROW}\n"))
    time = float(step_time(step.shape, step.layout, used, plain, step.sequences).seconds)
    rows = "\n".join(f"{ROW.rpartition(',')[0]},{factor * time}" for factor in (1.25, 1.25, 1.25))
    found = calibrate(written(f"{HEADER}\n{rows}\n"), used, plain)
    assert found.found.factor == pytest.approx(1.25)
    after = step_time(step.shape, step.layout, used, found.calibration, step.sequences)
    assert float(after.seconds) == pytest.approx(1.25 * time)
    assert found.found.steps == 3
    assert found.notices == ()


def test_own_steps_replace_the_band_and_add_their_factor(written: Callable[[str], str]) -> None:
    used = device(load_accelerator("h100-sxm"), "bf16")
    found = calibration_for(used, steps=written(f"{HEADER}\n{ROW}\n"))
    assert found.status == "calibrated"
    assert [each.name for each in found.basis] == ["efficiency", "traffic", "link share", "time factor", "band"]
    assert found.basis[3].value == found.calibration.time_factor
    assert found.basis[4].value == 1 + found.calibration.error
    assert [each.value for each in found.expert_basis[4:]] == list(found.calibration.expert_range)
    assert "1 measured step of" in found.calibration.source


def test_a_step_faster_than_the_peak_is_refused(written: Callable[[str], str]) -> None:
    """1.3 % of the peak more than the FLOPs of 8B on 2^20 tokens need is refused, 1.3 % less is not."""
    used = device(load_accelerator("h100-sxm"), "bf16")
    plain = load_calibration("h100-sxm", "bf16").calibration
    (step,) = read_steps(written(f"{HEADER}\n{ROW}\n"))
    least = float(least_seconds(step.shape, step.layout, used, step.sequences))
    by_hand = (6 * 7.504e9 + 6 * 32 * 4096 * 8192) * 1048576 / (64 * 989e12)
    assert least == pytest.approx(by_hand, rel=0.01)
    start = ROW.rpartition(",")[0]
    assert calibrate(written(f"{HEADER}\n{start},{1.013 * least}\n"), used, plain).found.steps == 1
    for seconds in (0.987 * least, 1e-300):
        path = written(f"{HEADER}\n{ROW}\n{start},{seconds}\n")
        with pytest.raises(InputFileError, match=r":3: seconds: .* s is faster than the peak of 64 h100-sxm in bf16"):
            calibrate(path, used, plain)
    rate = f"{HEADER.replace('seconds', 'tokens_per_second_per_accelerator')}\n{start},1e300\n"
    with pytest.raises(InputFileError, match=r":2: tokens_per_.*1e300 tokens/s each is faster.*at most \d\d,\d{3} tok"):
        calibrate(written(rate), used, plain)


@pytest.mark.parametrize(("seconds", "odd"), [("3.3", False), ("20", True), ("1e9", True)])
def test_a_factor_far_from_one_has_a_notice(written: Callable[[str], str], seconds: str, odd: bool) -> None:
    used = device(load_accelerator("h100-sxm"), "bf16")
    found = calibration_for(used, steps=written(f"{HEADER}\n{ROW.rpartition(',')[0]},{seconds}\n"))
    assert [notice.code for notice in found.notices] == ["odd_calibration"] * odd
    assert not any("e+" in notice.message for notice in found.notices)
    assert np.isfinite(found.calibration.time_factor)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("llama3-8b,8192,64,2,2,1,1,none,1048576,0", "2: seconds: must be > 0 (got 0)"),
        ("llama3-8b,8192,64,2,2,1,1,none,1048576,fast", "2: seconds: not a number: 'fast'"),
        ("llama3-8b,8192,64,2,2,1,1,none,1048576,", "2: seconds: give either seconds or tokens_per_second"),
        ("llama3-8b,8192,64,3,2,1,1,none,1048576,3", "2: accelerators: the degrees multiply to 60 (got 64)"),
        ("llama3-8b,8192,64,2,2,4,1,none,1048576,3", "2: zero: must be 0, 1, 2 or 3 (got 4)"),
        ("llama3-8b,8192,64,2,2,1,1,some,1048576,3", "2: recompute: must be one of none, selective"),
        ("llama3-8b,8192,64,2,2,1,1,none,1000000,3", "2: global_batch: must be a multiple of the context of 8192"),
        ("llama3-8b,8192,64,2,2,1,1,none,4000000,3", "context of 8192 (got 4000000 tokens)"),
        (",8192,64,2,2,1,1,none,1048576,3", "2: model: empty, and no value of layers, width"),
        ("llama3-8b,8192,64,2,2,1,1,none,1e400,3", "2: global_batch: must be a finite number"),
        ("llama3-8b,1" + 5000 * "0" + ",64,2,2,1,1,none,1048576,3", "2: context: must be a whole number from 1"),
        ("llama3-8b,8192,64,2,2,1,3,none,1048576,3", "2: micro_batch: 128 sequences do not divide by"),
        ("llama3-8b,8192,66,66,1,1,1,none,1048576,3", "2: tensor: 32 heads do not divide by tensor = 66"),
        ("llama3-8b,8192,64,1,64,1,1,none,1048576,3", "2: pipeline: 32 layers are fewer than"),
        ("llama9-8b,8192,64,2,2,1,1,none,1048576,3", "2: model: unknown model 'llama9-8b'. Did you mean"),
        ("gpt-4,8192,64,2,2,1,1,none,1048576,3", "2: model: the shape of gpt-4 is not known"),
        ("llama3-8b,8192,64,two,2,1,1,none,1048576,3", "2: tensor: must be a whole number from 1 (got 'two')"),
        ("llama3-8b,8192,64", "2: 3 values, 10 columns in the header"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(written: Callable[[str], str], row: str, problem: str) -> None:
    with pytest.raises(InputFileError) as raised:
        read_steps(written(f"{HEADER}\n{row}\n"))
    assert problem in raised.value.message
    assert len(raised.value.problems) == 1, "one cause, one message"


def test_a_rate_that_never_ends_a_step_is_refused(written: Callable[[str], str]) -> None:
    header = HEADER.replace("seconds", "tokens_per_second_per_accelerator")
    with pytest.raises(InputFileError, match="2: tokens_per_second_per_accelerator: is too small"):
        read_steps(written(f"{header}\n{ROW.rpartition(',')[0]},1e-320\n"))


def test_all_bad_rows_are_told_at_once_and_none_is_dropped(written: Callable[[str], str]) -> None:
    bad = "llama3-8b,8192,64,2,2,9,1,none,1048576,3"
    with pytest.raises(InputFileError) as raised:
        read_steps(written("\n".join([HEADER, ROW, bad, "", bad])))
    assert [problem.partition(": ")[0].rpartition(":")[2] for problem in raised.value.problems] == ["3", "5"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model,global_batch,seconds\n", "1: no column accelerators"),
        ("global_batch,seconds,data\n", "1: no column layers, width"),
        ("model,data,global_batch\n", "1: no column seconds or tokens_per_second_per_accelerator"),
        (f"{HEADER},loss\n{ROW},2\n", "1: unknown column 'loss'"),
        (f"{HEADER},seconds\n{ROW},2\n", "1: column 'seconds' stands twice"),
        (f"{HEADER}\n", "a header and no rows"),
    ],
)
def test_a_bad_header_is_named(written: Callable[[str], str], text: str, problem: str) -> None:
    with pytest.raises(InputFileError) as raised:
        read_steps(written(text))
    assert problem in raised.value.message
