"""Words of serving: what they are read as, what is refused, where every number comes from, and the file's heading."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import typer
from pydantic import ValidationError

import scaleplan
from scaleplan.compute.demand import Demand
from scaleplan.compute.serving import Service, served
from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.accelerators import FLOATS, load_accelerator
from scaleplan.specs.headings import with_own_accelerator
from scaleplan.specs.serving import (
    BATCH,
    BYTES,
    CACHE_BYTES,
    FLAGS,
    MBU,
    MFU,
    READERS,
    ServingWords,
    read_serving,
    service_of,
)
from scaleplan.specs.serving_schema import ServingSpec, unknown_serving_words
from scaleplan.specs.yaml12 import parse

PRESETS = Path(scaleplan.__file__).parent / "presets" / "accelerators"


def service(**words):
    return service_of(read_serving(words))[0]


def refused(error=UsageError, **words):
    with pytest.raises(error) as caught:
        service(**words)
    return caught.value.message


def source(listed, name):
    (found,) = [each for each in listed if each.name == f"serving: {name}"]
    return found


def test_every_word_is_read():
    found = read_serving({
        "tokens": "2T", "on": " 8xh100-sxm ", "precision": "FP8", "mfu": "40%", "mbu": 0.5, "batch": "32",
        "prompt": "4K", "answer": 300, "days": "52 weeks", "discount": "10%", "price": "$2.5", "watts": "700",
        "pue": 1.1,
    })  # fmt: skip
    assert found == ServingWords(
        tokens=2e12, on="8xh100-sxm", precision="fp8", mfu=0.4, mbu=0.5, batch=32.0, prompt=4000.0, answer=300.0,
        days=364.0, discount=0.1, price=2.5, watts=700.0, pue="1.1",
    )  # fmt: skip
    assert set(found._asdict()) == set(READERS)
    assert read_serving({"tokens": None}) == ServingWords()


def test_without_an_accelerator_flops_alone_are_served():
    found, listed = service_of(ServingWords(tokens=2e12))
    assert found == Service(Demand(2e12))
    assert [each.name for each in listed] == ["serving: tokens", "serving: prompt and answer"]
    longer, listed = service_of(ServingWords(tokens=2e12, prompt=1000.0, answer=300.0))
    assert longer == Service(Demand(2e12, 1000.0, 300.0))
    assert source(listed, "shape").status == "our choice"


def test_an_accelerator_brings_its_numbers_and_defaults_their_reasons():
    found, listed = service_of(ServingWords(tokens=2e12, on="h100-sxm", prompt=1000.0, answer=300.0))
    h100 = load_accelerator("h100-sxm")
    server = found.server
    assert server is not None
    assert (server.accelerator, server.precision, server.accelerators) == ("h100-sxm", "bf16", None)
    assert server.peak == h100.number("peak_bf16") == 9.894e14
    assert (server.memory, server.bandwidth) == (80e9, 3.35e12)
    assert (server.weight_bytes, server.kv_bytes) == (2.0, 2.0)
    assert (server.mfu, server.mbu, server.batch) == (MFU, MBU, BATCH)
    assert server.price is not None
    assert server.price.value == (1.99 + 5) / 2
    assert (server.watts, server.pue) == (700.0, 1.12)
    assert (found.demand.days, found.demand.discount) == (365.0, 0.0)
    for name in ("mbu", "batch", "days", "price", "pue", "precision", "shape"):
        assert source(listed, name).status == "our choice", name
    assert source(listed, "mfu").status == "assumed"
    assert "2401.00448" in source(listed, "mfu").source
    assert all(each.source for each in listed)
    assert len({each.name for each in listed}) == len(listed)


def test_what_is_given_is_said_to_be():
    words = {
        "tokens": "2T", "on": "8xh100-sxm", "precision": "fp8", "mfu": 0.4, "mbu": 0.5, "batch": 32, "prompt": 1000,
        "answer": 300, "days": 730, "discount": "5%", "price": 2, "watts": 900, "pue": 1.2,
    }  # fmt: skip
    found, listed = service_of(read_serving(words))
    server = found.server
    assert server is not None
    assert found.demand == Demand(2e12, 1000.0, 300.0, 730.0, 0.05)
    assert (server.accelerators, server.weight_bytes, server.kv_bytes) == (8, 1.0, 1.0)
    assert (server.mfu, server.mbu, server.batch, server.watts, server.pue) == (0.4, 0.5, 32.0, 900.0, 1.2)
    assert server.price is not None
    assert server.price.value == 2.0
    for name in set(words) - {"on"}:
        assert source(listed, name).status == "given", name


def test_every_precision_has_its_bytes():
    assert set(BYTES) == set(CACHE_BYTES) == set(FLOATS)
    b200 = service(tokens=1e12, on="b200", precision="fp4").server
    assert b200 is not None
    assert (b200.weight_bytes, b200.kv_bytes) == (0.5, 1.0)
    assert b200.peak == load_accelerator("b200").number("peak_fp4")


def test_the_default_batch_answers_as_fast_as_its_reason_says():
    """70B in bf16 on four H100: weights and 64 caches of 1,150 tokens are read for each token of every answer."""
    found = service(tokens="2T", on="h100-sxm", prompt=1000, answer=300)
    assert served(found, 7e10).replica == 4
    read = 2 * 7e10 + 64 * 1150 * 2 * 158_127
    assert 4 * 3.35e12 * 0.6 / read == pytest.approx(50, rel=0.03)


def test_words_that_cannot_be_read_are_named():
    cases = {
        "tokens": (0, "serving.tokens (--serve): must be > 0 (got 0)"),
        "on": (" ", "serving.on (--serve-on): is empty"),
        "mfu": (0, "serving.mfu (--serve-mfu): must be a share above 0 and at most 1, such as 0.4 or 40% (got 0)"),
        "mbu": ("130%", "serving.mbu: must be a share above 0 and at most 1, such as 0.4 or 40% (got 130%)"),
        "batch": (0.5, "serving.batch: must be a number of at least 1, such as 4 (got 0.5)"),
        "prompt": (-1, "serving.prompt (--prompt): must be > 0 (got -1)"),
        "answer": ("many", "serving.answer (--answer): not a number: 'many'; write 1.5T"),
        "days": (0, "serving.days (--serve-days): must be a finite time > 0 (got 0)"),
        "discount": (1, "serving.discount (--discount): must be a share from 0 to below 1, such as 1% or 0.01 (got 1)"),
        "price": (-2, "serving.price: must be > 0 (got -2)"),
        "watts": (0, "serving.watts: must be a power in W above zero, such as 700 (got 0)"),
    }
    for key, (word, text) in cases.items():
        assert refused(**{key: word}) == text
    assert refused(tokens=True) == "serving.tokens (--serve): must be one number or text (got bool)"
    assert refused(tokens="-2T").startswith("serving.tokens (--serve): must be > 0")


@pytest.mark.parametrize("key", ["prompt", "answer"])
def test_a_request_has_an_end(key):
    lengths = {"prompt": 1, "answer": 1} | {key: 1e9}
    assert service(tokens=1e12, **lengths).flop(1e12) > 0
    assert refused(tokens=1e12, **(lengths | {key: "1e300"})) == (
        f"serving.{key} (--{key}): must be at most 1B tokens (got 1e300)"
    )


def test_every_flag_that_is_named_is_one_of_the_command():
    from typer.main import get_command

    from scaleplan.cli.allocate import allocate

    app = typer.Typer()
    app.command()(allocate)
    known = {option for each in get_command(app).params for option in each.opts}
    assert set(FLAGS) <= set(READERS)
    assert set(FLAGS.values()) <= known


def test_an_unknown_key_gets_the_nearest():
    assert refused(promt=300).startswith("unknown key 'promt' of serving. Did you mean prompt?")


def test_words_that_do_not_go_together():
    assert refused() == ("serving: tokens are missing: say how many are served over the model's life (--serve 2T)")
    assert refused(tokens=1e12, answer=300) == (
        "serving: answer without prompt: give the tokens of both, such as prompt 1000 and answer 300 "
        "(--prompt 1000 --answer 300)"
    )
    assert refused(tokens=1e12, prompt=300).startswith("serving: prompt without answer")
    assert refused(tokens=1e12, discount="10%") == (
        "serving: a discount is of money: name the accelerator with on (--serve-on h100-sxm)"
    )
    assert refused(tokens=1e12, price=2, mbu=0.5, discount=0.1) == (
        "serving: mbu, price without an accelerator: name it with on (--serve-on h100-sxm)"
    )


@pytest.mark.parametrize(
    ("key", "word"),
    [("precision", "fp8"), ("mfu", 0.4), ("batch", 8), ("days", 30), ("watts", 700), ("pue", 1.1)],
)
def test_what_is_of_an_accelerator_needs_one(key, word):
    assert refused(tokens=1e12, **{key: word}).startswith(f"serving: {key} without an accelerator")


def test_what_is_not_known_is_refused_with_the_nearest():
    assert refused(tokens=1e12, on="h100-smx").startswith("serving: ")
    assert "Did you mean h100-sxm" in refused(tokens=1e12, on="h100-smx")
    assert refused(tokens=1e12, on="h100-sxm", precision="fp9").startswith("serving: unknown precision 'fp9'.")
    assert refused(tokens=1e12, on="a100-sxm-80", precision="fp8") == (
        "serving: a100-sxm-80 has no fp8; it has fp32, tf32, fp16, bf16: choose with precision (--serve-precision)"
    )
    assert refused(tokens=1e12, on="0xh100-sxm").startswith("serving: accelerators must be a whole number")
    assert refused(tokens=1e12, on="h100-sxm", pue="gogle").startswith("serving: unknown pue 'gogle'.")
    assert "at least 1" in refused(tokens=1e12, on="h100-sxm", pue=0.9)


def own_accelerator(tmp_path, *without):
    """A copy of the H100 under another name, without some of its lines."""
    text = (PRESETS / "h100-sxm.yaml").read_text(encoding="utf-8").replace("id: h100-sxm", "id: ours")
    lines = [line for line in text.splitlines() if not line.startswith(tuple(f"{name}:" for name in without))]
    path = tmp_path / "ours.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_an_accelerator_without_bandwidth_cannot_serve(tmp_path):
    path = own_accelerator(tmp_path, "memory_bandwidth")
    assert refused(tokens=1e12, on=path) == (
        "serving: ours has no known memory_bandwidth: name an accelerator file of your own that has it, with on "
        "(--serve-on)"
    )


def test_power_that_is_not_known_is_asked_for_where_it_is_needed(tmp_path):
    found, listed = service_of(read_serving({"tokens": 1e12, "on": own_accelerator(tmp_path, "tdp")}))
    assert source(listed, "watts").status == "unknown"
    assert "serving.watts" in source(listed, "watts").source
    assert served(found, 1e10).energy_mwh is None
    with pytest.raises(UsageError, match="no power of ours is known"):
        found.mwh(1e10)


# The heading of a budget file


def test_the_heading_gives_the_words_that_flags_give():
    words = {"tokens": "2T", "on": "h100-sxm", "precision": "fp8", "prompt": 1000, "answer": 300, "discount": "8%"}
    assert ServingSpec.model_validate(words).words == read_serving(words)
    assert set(ServingSpec.model_fields) == set(ServingWords._fields)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"tokens": 0}, "must be > 0"),
        ({"on": "h100-sxm"}, "Field required"),
        ({"tokens": 1e12, "answer": 3}, "answer without prompt"),
        ({"tokens": 1e12, "mfu": 0.4}, "mfu without an accelerator"),
        ({"tokens": 1e12, "discount": 0.1}, "a discount is of money"),
        ({"tokens": 1e12, "on": "h100-sxm", "days": 0}, "must be a finite time > 0"),
        ({"tokens": 1e12, "on": ["h100-sxm"]}, r"must be a number or text \(got \['h100-sxm'\]\)"),
        ({"tokens": 1e12, "region": "eu"}, "Extra inputs"),
    ],
)
def test_the_heading_is_refused_with_its_reason(words, text):
    with pytest.raises(ValidationError, match=text):
        ServingSpec.model_validate(words)


def test_names_that_are_not_known_are_told_with_their_lines():
    document = parse("serving:\n  tokens: 2T\n  on: h100-smx\n  precision: fp9\n  pue: gogle\n", "plan.yaml")
    problems = unknown_serving_words(document, document.data["serving"], lambda name: name)
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["plan.yaml:3", "serving.on"],
        ["plan.yaml:4", "serving.precision"],
        ["plan.yaml:5", "serving.pue"],
    ]
    known = {"on": "8xh100-sxm", "precision": "fp8", "pue": "google"}
    assert unknown_serving_words(document, known, lambda name: name) == []


def test_a_precision_that_the_accelerator_beside_it_has_not_is_told_with_its_line():
    document = parse("serving:\n  tokens: 2T\n  precision: fp8\n  on: 4xa100-sxm-80\n", "plan.yaml")
    (problem,) = unknown_serving_words(document, document.data["serving"], lambda name: name)
    assert problem.startswith("plan.yaml:3: serving.precision: a100-sxm-80 has no fp8; it has fp32, tf32, fp16, bf16: ")
    for alone in ({"on": "a100-sxm-80"}, {"precision": "fp8"}, {"on": "a100-sxm-80", "precision": " BF16"}):
        assert unknown_serving_words(document, alone, lambda name: name) == []


def test_an_accelerator_file_is_looked_for_beside_the_document(tmp_path):
    own = own_accelerator(tmp_path)
    shutil.move(own, tmp_path / "mine.yaml")
    spec = with_own_accelerator(
        ServingSpec(tokens=1e12, on="4x./mine.yaml"),
        lambda name: str(tmp_path / name) if name.startswith("./") else name,
    )
    found, _ = service_of(spec.words)
    assert found.server is not None
    assert (found.server.accelerator, found.server.accelerators) == ("ours", 4)
    preset = ServingSpec(tokens=1e12, on="h100-sxm")
    assert with_own_accelerator(preset, lambda name: name) is preset
    missing = parse("serving:\n  on: ./none.yaml\n", str(tmp_path / "plan.yaml"))
    (problem,) = unknown_serving_words(missing, missing.data["serving"], lambda name: str(tmp_path / name))
    assert "serving.on" in problem
    with pytest.raises(InputFileError):
        service(tokens=1e12, on=str(tmp_path / "none.yaml"))
