"""The accelerators: each number with its unit, status and source, and the figures that everybody looks up."""

from __future__ import annotations

from pathlib import Path

import pytest

import scaleplan
from scaleplan import InputFileError, UsageError, list_accelerators, load_accelerator
from scaleplan.compute.device import Device
from scaleplan.specs.accelerators import FORMATS, SORT_KEYS, UNITS, cluster, device
from scaleplan.specs.catalogue_document import validate
from scaleplan.specs.values import STATUSES
from scaleplan.specs.yaml12 import parse

FILES = sorted((Path(scaleplan.__file__).parent / "presets" / "accelerators").glob("*.yaml"))
ACCELERATORS = list_accelerators()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_sound_by_the_schema_of_a_user_s_file(path):
    data = validate(parse(path.read_text(encoding="utf-8"), path.name), "accelerators")
    assert data["id"] == path.stem


@pytest.mark.parametrize("accelerator", ACCELERATORS, ids=lambda each: each.id)
def test_every_number_has_a_unit_a_status_and_a_source(accelerator):
    assert {"memory", "memory_bandwidth"} <= set(accelerator.values)
    assert any(f"peak_{number}" in accelerator.values for number in FORMATS)
    for field, value in accelerator.values.items():
        assert value.unit == UNITS[field]
        assert value.status in STATUSES
        assert len(value.source) > 10
        assert value.value > 0
    if accelerator.price is not None:
        assert accelerator.price.low <= accelerator.price.high
        assert accelerator.price.status in STATUSES
        assert accelerator.price.date.startswith("20")
        assert len(accelerator.price.source) > 10


@pytest.mark.parametrize("accelerator", ACCELERATORS, ids=lambda each: each.id)
def test_data_of_epoch_ai_are_attributed(accelerator):
    sources = [value.source for value in accelerator.values.values()]
    if any("Epoch AI, Machine" in source for source in sources):
        assert "CC-BY 4.0" in accelerator.attribution


def test_what_was_not_checked_says_so_and_the_other_way_round():
    for accelerator in ACCELERATORS:
        for value in accelerator.values.values():
            if value.source.startswith("not checked"):
                assert value.status == "unverified"
            if value.status == "published":
                assert "not checked" not in value.source


def test_the_list_is_whole_and_in_order():
    assert len(ACCELERATORS) == len(FILES) == 47
    years = [each.year for each in ACCELERATORS]
    assert years == sorted(years)
    assert {each.organisation for each in ACCELERATORS} == {"NVIDIA", "AMD", "Google", "AWS", "Intel", "Huawei"}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("v100-sxm2-32", "peak_fp16", 1.25e14),
        ("a100", "peak_bf16", 3.12e14),
        ("a100", "memory_bandwidth", 2039),
        ("h100", "peak_bf16", 9.894e14),
        ("h100", "peak_fp8", 1.9789e15),
        ("h100", "memory", 80),
        ("h100", "tdp", 700),
        ("h100", "interconnect_one_way", 450),
        ("h100", "interconnect_two_way", 900),
        ("h200", "memory", 141),
        ("b200", "peak_bf16", 2.25e15),
        ("mi300x", "memory", 192),
        ("tpu-v4", "peak_bf16", 2.75e14),
        ("tpu-v5p", "memory", 95),
        ("rtx-4090", "peak_bf16", 1.652e14),
    ],
)
def test_well_known_figures(name, field, value):
    assert load_accelerator(name).number(field) == pytest.approx(value)


def test_peaks_are_dense_not_the_headlines_with_sparsity():
    assert load_accelerator("h100").number("peak_bf16") < 1e15
    assert load_accelerator("l40s").number("peak_bf16") < 3.66e14


def test_what_is_not_supported_is_absent():
    assert load_accelerator("v100-sxm2-32").number("peak_bf16") is None
    assert load_accelerator("h100").number("peak_fp4") is None
    assert load_accelerator("tpu-v4").number("peak_fp8") is None
    assert load_accelerator("rubin").number("tdp") is None
    assert load_accelerator("ascend-910c").price is None


@pytest.mark.parametrize(
    ("name", "field", "status"),
    [
        ("h100-sxm", "peak_bf16", "published"),
        ("a100-sxm-40", "memory_bandwidth", "unverified"),
        ("h20", "peak_fp8", "unverified"),
        ("h20", "interconnect_two_way", "unverified"),
        ("rtx-3090", "peak_bf16", "unverified"),
        ("tpu-v5e", "tdp", "estimate"),
        ("b300", "peak_fp4", "unverified"),
    ],
)
def test_what_is_less_than_checked_is_told(name, field, status):
    assert load_accelerator(name).values[field].status == status


def test_prices_say_when_and_whether_they_were_checked():
    checked = {each.id for each in ACCELERATORS if each.price and each.price.status == "published"}
    assert checked == {"a100-sxm-80", "h100-sxm", "h200", "h800"}
    h100 = load_accelerator("h100").price
    assert (h100.low, h100.high, h100.date) == (1.99, 5.0, "2026-05")


def test_filters_narrow_the_list():
    assert {each.year for each in list_accelerators(year="2022")} == {2022}
    assert {each.organisation for each in list_accelerators(organisation="nvid")} == {"NVIDIA"}
    assert min(each.number("memory") for each in list_accelerators(min_memory="141 GB")) == 141
    assert list_accelerators(year=1999) == ()


@pytest.mark.parametrize("sort", SORT_KEYS)
def test_every_order_holds_every_accelerator(sort):
    assert {each.id for each in list_accelerators(sort=sort)} == {each.id for each in ACCELERATORS}


def test_numbers_sort_largest_first_prices_lowest_first_and_the_unknown_last():
    memory = [each.number("memory") for each in list_accelerators(sort="memory")]
    assert memory == sorted(memory, reverse=True)
    peaks = [each.number("peak_fp8") for each in list_accelerators(sort="fp8")]
    known = [peak for peak in peaks if peak is not None]
    assert peaks[: len(known)] == known == sorted(known, reverse=True)
    prices = [each.price.low if each.price else None for each in list_accelerators(sort="price")]
    known = [price for price in prices if price is not None]
    assert prices[: len(known)] == known == sorted(known)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"sort": "size"}, "cannot sort by 'size'; it takes announced"),
        ({"year": "soon"}, "year must be a whole number"),
        ({"min_memory": "lots"}, r"min-memory must be a number of GB above zero, such as 80 \(got lots\)"),
        ({"min_memory": "-1"}, r"min-memory .*got -1"),
        ({"min_memory": "nan"}, r"min-memory .*got nan"),
        ({"min_memory": "inf"}, r"min-memory .*got inf"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        list_accelerators(**words)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"unknown accelerator 'h10'\. Did you mean h100"):
        load_accelerator("h10")
    with pytest.raises(UsageError, match="Did you mean"):
        load_accelerator("a100-80")


# clusters


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("h100-sxm", (None, "h100-sxm")),
        ("2048xh100-sxm", (2048, "h100-sxm")),
        (" 8 x h100 ", (8, "h100")),
        ("16\u00d7tpu-v5p", (16, "tpu-v5p")),
        ("8Xrtx-4090", (8, "rtx-4090")),
        ("rtx-4090", (None, "rtx-4090")),
        ("4x./mine.yaml", (4, "./mine.yaml")),
    ],
)
def test_a_cluster_is_a_number_and_a_name(text, found):
    assert cluster(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0xh100", r"whole number from 1 to 999,999,999 \(got 0\): write 8xh100-sxm"),
        ("-3xh100", r"whole number from 1 .*\(got -3\)"),
        ("2.5xh100", r"whole number from 1 .*\(got 2\.5\)"),
        ("2,048xh100", r"whole number from 1 .*\(got 2,048\)"),
        ("9" * 5000 + "xh100", r"\(got 9+\.\.\. \(5,000 characters\)\)"),
        ("xh100", "xh100 has no number before the x: write 8xh100-sxm, or the name alone"),
        ("2048x", "2048x names no accelerator after the x: write 8xh100-sxm"),
        ("x", "names no accelerator"),
        (" ", "no accelerator: write 8xh100-sxm"),
    ],
)
def test_a_cluster_that_is_none_is_refused_in_one_line(text, said):
    with pytest.raises(UsageError, match=said) as caught:
        cluster(text)
    assert "\n" not in caught.value.message


def test_a_device_has_its_numbers_in_bytes_and_seconds():
    assert device(load_accelerator("h100"), "bf16") == Device(
        id="h100-sxm",
        precision="bf16",
        peak=9.894e14,
        memory=8e10,
        memory_bandwidth=3.35e12,
        link=4.5e11,
        network=5e10,
        domain=8,
    )
    assert device(load_accelerator("h100"), "fp8", network_gbit=200).network == 2.5e10
    assert device(load_accelerator("tpu-v4"), "bf16", network_gbit=100).domain == 4096


LINKS_UNKNOWN = {
    "ascend-910", "ascend-950dt", "gh200-96", "mi455x", "rtx-3090", "rtx-4090", "rtx-5090", "rubin", "tpu-v2",
    "trainium3",
}  # fmt: skip


@pytest.mark.parametrize("accelerator", ACCELERATORS, ids=lambda each: each.id)
def test_an_accelerator_makes_a_device_where_its_links_are_documented(accelerator):
    precision = next(name for name in ("bf16", "fp16") if accelerator.number(f"peak_{name}") is not None)
    if accelerator.id in LINKS_UNKNOWN:
        with pytest.raises(UsageError, match=r"has no known interconnect\."):
            device(accelerator, precision, network_gbit=100)
    else:
        made = device(accelerator, precision, network_gbit=100)
        assert min(made.peak, made.memory, made.memory_bandwidth, made.link) > 1e9
        assert made.domain >= 4


@pytest.mark.parametrize(
    ("name", "precision", "words", "said"),
    [
        ("v100-sxm2-16", "bf16", {}, "v100-sxm2-16 has no bf16; it has fp32, fp16: add --precision fp16"),
        ("h100", "fp4", {}, "h100-sxm has no fp4; it has fp32, tf32, fp16, bf16, fp8: add --precision bf16"),
        ("a100", "fp8", {}, "a100-sxm-80 has no fp8; .*: add --precision bf16"),
        ("h100", "bf17", {}, "unknown precision 'bf17'. Did you mean bf16"),
        ("h100", "int8", {}, "unknown precision 'int8'"),
        ("tpu-v4", "bf16", {}, "tpu-v4 has no known network between nodes: add --network GBIT"),
        ("l40s", "bf16", {}, "l40s has no known network between nodes: add --network GBIT"),
        (
            "rtx-4090",
            "bf16",
            {"network_gbit": 10},
            "rtx-4090 has no known interconnect.domain: name an accelerator file",
        ),
        ("h100", "bf16", {"network_gbit": 0}, r"--network must be a number of Gbit/s above zero \(got 0\)"),
        ("h100", "bf16", {"network_gbit": float("nan")}, "--network must be .*got nan"),
    ],
)
def test_what_a_device_lacks_is_said_with_what_to_give(name, precision, words, said):
    with pytest.raises(UsageError, match=said) as caught:
        device(load_accelerator(name), precision, **words)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "domain", "status"),
    [
        ("h100", 8, "published"),
        ("a100-sxm-40", 8, "published"),
        ("b200", 8, "unverified"),
        ("gb200", 72, "published"),
        ("gb300", 72, "published"),
        ("h100-pcie", 8, "unverified"),
        ("tpu-v3", 1024, "published"),
        ("tpu-v4", 4096, "published"),
        ("tpu-v5p", 8960, "published"),
        ("trainium1", 16, "published"),
    ],
)
def test_the_devices_that_share_links_are_known(name, domain, status):
    value = load_accelerator(name).values["domain"]
    assert (value.value, value.status, value.unit) == (domain, status, "devices")


@pytest.mark.parametrize(
    ("name", "number", "headline"),
    [
        ("h100", "bf16", 1979e12),
        ("h100", "fp8", 3958e12),
        ("b200", "fp4", 20e15),
        ("l40s", "bf16", 733e12),
        ("l40s", "fp8", 1466e12),
        ("mi355x", "fp8", 10.1e15),
        ("rtx-5090", "fp4", 3352e12),
        ("trainium2", "bf16", 2563e12),
    ],
)
def test_a_headline_with_sparsity_that_a_note_names_is_at_least_twice_the_peak_kept(name, number, headline):
    accelerator = load_accelerator(name)
    assert "sparsity" in accelerator.note
    assert accelerator.number(f"peak_{number}") <= headline / 1.995


def test_every_note_that_names_a_headline_with_sparsity_is_held_against_it():
    (mark,) = test_a_headline_with_sparsity_that_a_note_names_is_at_least_twice_the_peak_kept.pytestmark
    named = {load_accelerator(name).id for name, *_ in mark.args[1]}
    assert {each.id for each in ACCELERATORS if "sparsity" in (each.note or "")} == named


OWN = """\
schema: scaleplan.accelerator/1
id: dev
name: Dev
organisation: us
announced: 2026
kind: ASIC
availability: announced
source: our data sheet
peak: {bf16: {value: 1e15, unit: FLOP/s, status: derived}}
memory: {value: 100, unit: GB, status: derived}
memory_bandwidth: {value: 4000, unit: GB/s, status: derived}
interconnect:
  type: cable
  one_way: {value: 10, unit: GB/s, status: derived}
  scale_out: {value: 100, unit: Gbit/s, status: derived}
  domain: {value: 16, unit: devices, status: derived}
"""


def test_a_user_s_own_accelerator_makes_a_device(tmp_path):
    path = tmp_path / "dev.yaml"
    path.write_text(OWN, encoding="utf-8")
    made = device(load_accelerator(str(path)), "bf16")
    assert (made.id, made.domain, made.link, made.network) == ("dev", 16, 1e10, 1.25e10)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("value: 16", "value: 1.5"), "dev.yaml:16: interconnect.domain.value: must be a whole number of at least 1"),
        (("value: 16", "value: 0"), "dev.yaml:16: interconnect.domain.value: must be a whole number of at least 1"),
        (("unit: devices", "unit: GB"), "dev.yaml:16: interconnect.domain.unit: must be devices"),
        (("domain:", "domian:"), "dev.yaml:16: interconnect.domian: unknown key. Did you mean domain"),
    ],
)
def test_what_is_wrong_with_a_domain_is_said_with_its_line(tmp_path, changes, said):
    assert changes[0] in OWN
    path = tmp_path / "dev.yaml"
    path.write_text(OWN.replace(*changes), encoding="utf-8")
    with pytest.raises(InputFileError) as caught:
        load_accelerator(str(path))
    assert said in caught.value.message
