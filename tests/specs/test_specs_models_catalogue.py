"""The catalogue of models: filters, order, what is marked, and what a dense law must not be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

import scaleplan
from scaleplan import InputFileError, UsageError, compare, list_models, load_model
from scaleplan.compute.transformer import Experts, LatentAttention, Transformer, Window
from scaleplan.specs import presets
from scaleplan.specs.catalogue_document import validate
from scaleplan.specs.published_runs import RUN_UNITS
from scaleplan.specs.values import STATUSES
from scaleplan.specs.yaml12 import merged, parse_parts

FILES = sorted((Path(scaleplan.__file__).parent / "presets" / "models").glob("*.yaml"))
MODELS = list_models()


def test_the_catalogue_is_whole_and_in_order():
    assert len(MODELS) == 152
    assert [m.announced for m in MODELS] == sorted(m.announced for m in MODELS)
    assert len({model.id for model in MODELS}) == len(MODELS)


def test_parts_of_a_model_are_smaller_than_the_whole():
    for model in MODELS:
        for part in ("params_active", "params_nonembedding"):
            if model.number(part) is not None:
                assert model.number(part) < model.number("params"), model.id


def test_filters_narrow_the_list():
    assert {m.year for m in list_models(year=2022)} == {2022}
    assert {m.organisation for m in list_models(organisation="deepmind")} <= {
        m.organisation for m in MODELS if "deepmind" in m.organisation.lower()
    }
    assert min(m.number("params") for m in list_models(min_params="100B")) >= 1e11
    assert list_models(year=1999) == ()


def test_sorting_by_a_number_puts_the_largest_first_and_the_unknown_last():
    sizes = [m.number("params") for m in list_models(sort="params")]
    known = [size for size in sizes if size is not None]
    assert known == sorted(known, reverse=True)
    assert sizes[: len(known)] == known
    with pytest.raises(UsageError, match="cannot sort by 'size'"):
        list_models(sort="size")


def test_a_filter_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match=r"year must be a whole number \(got soon\)"):
        list_models(year="soon")


def test_what_a_developer_never_disclosed_is_a_rumour():
    assert load_model("gpt-4").values["params"].status == "rumour"
    assert load_model("palm-2").values["tokens"].status == "rumour"


@pytest.mark.parametrize("name", ["mixtral-8x7b", "switch-1.6t"])
def test_a_mixture_of_experts_is_not_compared_under_a_dense_law(name):
    with pytest.raises(UsageError, match=f"{name} is a mixture of experts"):
        compare(name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_sound_by_the_schema_of_a_user_s_file(path):
    assert validate(merged(parse_parts(path.read_text(encoding="utf-8"), path.name)), "models")["id"] == path.stem


@pytest.mark.parametrize(
    ("name", "ratio"),
    [("mt-nlg", 1.0), ("gpt3", 1.0), ("gopher", 1.252), ("yuan1", 1.333), ("opt-175b", 1.365), ("chinchilla", 0.98),
     ("bloomberggpt-50b", 1.367), ("glm-130b", 1.1375), ("hunyuan-large", 1.599), ("llama31-8b", 1.694)],
)  # fmt: skip
def test_the_flops_named_stand_beside_6nd(name, ratio):
    assert load_model(name).published_over_6nd.value == pytest.approx(ratio, abs=2e-3)


def test_a_mixture_of_experts_counts_what_a_token_passes():
    model = load_model("deepseek-v3")
    assert model.flop_6nd.value == pytest.approx(6 * 37e9 * 14.8e12)
    assert "params_active" in model.flop_6nd.source


def test_6nd_is_absent_where_a_part_of_it_was_never_published():
    assert load_model("ernie3-titan").flop_6nd is None
    assert load_model("lamda").published_over_6nd is None
    assert load_model("switch-1.6t").flop_6nd is None
    assert load_model("llama1").flop_6nd.value == pytest.approx(6 * 65.2e9 * 1.4e12)
    assert load_model("llama1").published_over_6nd is None


def test_what_is_computed_is_no_surer_than_what_it_is_made_of():
    assert load_model("gopher").published_over_6nd.status == "derived"
    assert load_model("gpt3").flop_6nd.status == "unverified"
    assert load_model("llama31-8b").published_over_6nd.status == "estimate"
    assert load_model("gpt-4").published_over_6nd.status == "rumour"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gopher", ["5.04e23", "6.31e23", "5.76e23", "5.0e23"]),
        ("chinchilla", ["5.88e23", "6.31e23", "5.0e23"]),
        ("yuan1", ["1.33 times 6ND"]),
        ("opt-175b", ["1.37 times 6ND", "180B", "300B"]),
        ("bloomberggpt-50b", ["1.37 times 6ND"]),
        ("mt-nlg", ["339B", "270B"]),
        ("gpt3", ["238B"]),
        ("glm-130b", ["152B", "400B"]),
        ("lamda", ["2.8T", "430B", "2.05e24"]),
        ("ernie3-titan", ["still in training", "GPT-3", "668B", "4.7e23 to 1.04e24"]),
        ("pangu-alpha", ["207.0B"]),
    ],
)
def test_the_traps_of_a_model_are_told_in_its_note(name, words):
    note = load_model(name).note
    for word in words:
        assert word in note


# shapes and runs

SHAPE = """\
schema: scaleplan.model/1
id: ours
name: Ours
organisation: us
announced: 2026-05
shape:
  status: derived
  source: our run
  layers: 32
  width: 4096
  heads: 32
  kv_heads: 8
  head_size: 128
  feed_forward: 14336
  vocabulary: 128256
  context: 8192
  experts: {count: 8, active: 2, feed_forward: 14336, dense_layers: 2}
  window: {tokens: 1024, layers: 16}
"""
RUN = """\
schema: scaleplan.model/1
id: ours
name: Ours
organisation: us
announced: 2026-05
params: {value: 30B, status: derived, source: our run}
run:
  hardware: H100 in our cellar
  accelerator: h100-sxm
  accelerators: {value: 1000, status: derived, source: our run}
  days: {value: 10, status: derived, source: our run}
  mfu: {value: 0.4, scope: whole-run, status: derived, source: our run}
  watts_per_accelerator: {value: 500, status: estimate, source: a meter}
  pue: {value: 1.2, status: derived, source: our run}
  energy_mwh: {value: 144, status: derived, source: our run}
  pue_included: true
  costs:
  - {usd: 1e6, basis: rental, date: 2026, status: derived, source: our bill}
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_list_does_not_read_what_stands_in_the_second_document(monkeypatch):
    asked = []
    read = presets._read
    monkeypatch.setattr(presets, "_read", lambda path, *, whole=True: asked.append(whole) or read(path, whole=whole))
    models = list_models()
    assert asked == [False] * len(models)
    assert next(model for model in models if model.id == "opt-175b").shape.layers == 96
    assert asked.count(True) <= 1


def test_shapes_of_every_kind_are_read():
    assert load_model("gopher").shape == Transformer(
        80, 16384, 128, 128, 128, 65536, 32000, 2048, gated=False, tied=True, position_matrices=1
    )
    assert load_model("deepseek-v3").shape.experts == Experts(256, 8, 2048, shared=1, dense_layers=3)
    assert load_model("deepseek-v3").shape.latent == LatentAttention(1536, 512, 128, 64, 128)
    assert load_model("llama4-maverick").shape.experts.dense_layers == 24
    assert load_model("gemma2-9b").shape.window == Window(4096, 21)
    assert load_model("gpt-4").shape is None


def test_the_context_of_a_shape_is_that_of_pre_training_not_the_one_advertised():
    scout = load_model("llama4-scout").sourced_shape
    assert scout.transformer.context == 262144
    assert scout.context_status == "unverified"
    assert "10M is advertised" in scout.context_source
    assert load_model("llama3.1").shape.context == 8192
    assert max(model.shape.context for model in MODELS if model.shape) == 262144


def test_every_shape_and_every_number_of_a_run_has_a_status_and_a_source():
    for model in MODELS:
        shape, run = model.sourced_shape, model.run
        if shape is not None:
            assert {shape.status, shape.context_status} <= set(STATUSES)
            assert min(len(shape.source), len(shape.context_source)) > 10
        for value in () if run is None else (*run.values.values(), *run.costs):
            assert value.status in STATUSES
            assert len(value.source) > 10
            if value.source.startswith("not checked"):
                assert value.status == "unverified", model.id
            if value.status == "published":
                assert "not checked" not in value.source, model.id
    assert sum(model.run is not None for model in MODELS) == 82


def test_data_of_epoch_ai_are_attributed_in_runs_too():
    for model in MODELS:
        sources = [] if model.run is None else [v.source for v in (*model.run.values.values(), *model.run.costs)]
        if any("Epoch AI" in source for source in sources):
            assert "CC-BY 4.0" in (model.attribution or ""), model.id


def test_hours_are_those_published_or_accelerators_times_days():
    assert load_model("gopher").run.hours.value == 3_768_320
    gpt3 = load_model("gpt3").run.hours
    assert gpt3.value == pytest.approx(10_000 * 14.8 * 24)
    assert gpt3.status == "estimate"
    assert load_model("gemma-7b").run.hours is None


def test_the_model_of_a_file_has_its_shape_and_its_run(written):
    shape = load_model(written(SHAPE)).shape
    assert (shape.kv_heads, shape.gated, shape.tied, shape.norms) == (8, True, False, 2)
    assert shape.experts == Experts(8, 2, 14336, shared=0, dense_layers=2)
    run = load_model(written(RUN)).run
    assert run.recomputed_energy_mwh.value == pytest.approx(144)
    assert run.recomputed_energy_mwh.status == "estimate"
    assert run.recomputed_co2_t is None
    assert run.values["days"].unit == RUN_UNITS["days"] == "d"
    assert run.costs[0].usd == 1e6


def test_a_file_may_hold_a_shape_alone_whose_size_nobody_has_published(written):
    shape_alone = load_model(written(SHAPE))
    assert shape_alone.number("params") is None
    assert shape_alone.shape.params.total > 1e10


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        (SHAPE, ("kv_heads: 8", "kv_heads: 64"), ":6: shape: kv_heads is above heads (got 64 of 32)"),
        (SHAPE, ("active: 2", "active: 9"), ":17: shape.experts: active is above count (got 9 of 8)"),
        (
            SHAPE,
            ("dense_layers: 2", "dense_layers: 33"),
            ":6: shape: experts.dense_layers is above layers (got 33 of 32)",
        ),
        (SHAPE, ("layers: 16", "layers: 33"), ":6: shape: window.layers is above layers (got 33 of 32)"),
        (SHAPE, ("layers: 32", "layers: 0"), ":9: shape.layers: must be a whole number of at least 1 (got 0)"),
        (SHAPE, ("layers: 32", "layers: 31.5"), ":9: shape.layers: must be a whole number of at least 1 (got 31.5)"),
        (SHAPE, ("layers: 32", "layers: many"), ":9: shape.layers: must be a whole number of at least 1 (got 'many')"),
        (SHAPE, ("layers: 32", "layers: .inf"), ":9: shape.layers: must be a whole number"),
        (SHAPE, ("  width: 4096\n", ""), "shape.width: missing"),
        (SHAPE, ("  source: our run\n", ""), "shape.source: missing"),
        (SHAPE, ("width:", "widht:"), ":10: shape.widht: unknown key. Did you mean width"),
        (SHAPE, ("  experts", "  context_status: rumour\n  experts"), "context_status and context_source go together"),
        (SHAPE, ("shape:", "shap:"), ":6: shap: unknown key. Did you mean shape"),
        (RUN, ("value: 0.4", "value: 40"), ":12: run.mfu.value: must be a share above 0, at most 1 (got 40)"),
        (RUN, ("scope: whole-run", "scope: good"), ":12: run.mfu.scope: must be headline or whole-run (got 'good')"),
        (RUN, ("value: 1.2", "value: 0.2"), ":14: run.pue.value: must be at least 1"),
        (RUN, ("value: 1000", "value: -1"), ":10: run.accelerators.value: must be > 0 (got -1)"),
        (RUN, ("  pue_included: true\n", ""), "run: energy_mwh and pue need pue_included"),
        (RUN, ("basis: rental", "basis: loan"), ":18: run.costs.0.basis: must be rental, amortised or authors"),
        (RUN, ("source: our bill", "sources: our bill"), ":18: run.costs.0.sources: unknown key. Did you mean source?"),
    ],
)
def test_what_is_wrong_with_a_shape_or_a_run_is_said_with_its_line(written, text, changes, said):
    assert changes[0] in text
    with pytest.raises(InputFileError) as caught:
        load_model(written(text.replace(*changes, 1)))
    assert said in caught.value.message
    assert "mine.yaml" in caught.value.message
