"""The shipped data: models, aliases, the starter budget; and the ways to ask for them."""

import math
import re
from pathlib import Path

import pytest

import scaleplan
from scaleplan.errors import UsageError
from scaleplan.planning.comparison import Option
from scaleplan.specs import presets
from scaleplan.specs.budget import read_parsed
from scaleplan.specs.models import FIELDS, list_models, load_model
from scaleplan.specs.options import catalogue_option, option_from_word
from scaleplan.specs.records import list_records
from scaleplan.specs.yaml12 import merged, parse, parse_parts

ROOT = Path(scaleplan.__file__).parent / "presets"
MODELS = sorted((ROOT / "models").glob("*.yaml"))


@pytest.fixture(params=MODELS, ids=lambda path: path.stem)
def model(request):
    return merged(parse_parts(request.param.read_text(encoding="utf-8"), request.param.name))


def test_a_model_is_called_as_its_file(model):
    assert f"{model.data['id']}.yaml" == model.name
    assert model.data["schema"] == "scaleplan.model/1"


def test_every_value_of_a_model_has_a_source_and_a_status(model):
    values = {field: model.data[field] for field in FIELDS if model.data.get(field) is not None}
    assert values
    for field, value in values.items():
        assert set(value) == {"value", "status", "source"}, field
        assert value["status"] in {"published", "unverified", "estimate", "rumour", "derived"}, field
        assert value["source"].strip(), field
        assert math.isfinite(value["value"])
        assert value["value"] >= 1


def test_a_model_has_no_other_keys_than_those_that_are_read(model):
    known = {"schema", "id", "name", "organisation", "announced", *FIELDS, "mixture_of_experts", "note", "attribution"}
    assert set(model.data) <= known | {"shape", "run"}


def test_a_model_says_when_and_by_whom(model):
    assert re.fullmatch(r"(19|20)\d\d(-\d\d(-\d\d)?)?", str(model.data["announced"]))
    assert model.data["name"].strip()
    assert model.data["organisation"].strip()


def test_parameters_outside_embeddings_are_fewer_than_all(model):
    if model.data.get("params_nonembedding") is not None:
        assert model.data["params_nonembedding"]["value"] < model.data["params"]["value"] * 1.01


@pytest.mark.parametrize(
    "name",
    ["gpt3", "lamda", "palm", "gopher", "chinchilla", "glm-130b", "pangu-alpha", "ernie3-titan", "yuan1", "mt-nlg",
     "llama1", "llama2", "llama3"],
)  # fmt: skip
def test_the_models_that_were_asked_for_are_there(name):
    assert load_model(name).number("params") >= 1e9


@pytest.mark.parametrize(
    ("name", "params", "tokens"),
    [
        ("gopher", 2.8e11, 3e11),
        ("chinchilla", 7e10, 1.4e12),
        ("gpt-3", 1.75e11, 3e11),
        ("palm", 5.4e11, 7.8e11),
        ("llama2", 7e10, 2e12),
        ("glm-130b", 1.3e11, 4e11),
    ],
)
def test_well_known_models_have_their_published_size_and_tokens(name, params, tokens):
    found = load_model(name)
    assert found.number("params") == pytest.approx(params, rel=0.02)
    assert found.number("tokens") == pytest.approx(tokens, rel=0.01)


def test_what_was_never_published_is_absent():
    for found in list_models():
        for field in FIELDS:
            if field not in found.values:
                assert found.number(field) is None


def test_models_come_oldest_first_and_each_once():
    models = list_models()
    assert [found.announced for found in models] == sorted(found.announced for found in models)
    assert len({found.id for found in models}) == len(models) == len(MODELS)
    assert all(2018 <= found.year <= 2030 for found in models)


@pytest.mark.parametrize("kind", ["laws", "models", "accelerators", "abilities"])
def test_aliases_point_to_what_is_there_and_hide_nothing(kind):
    known = presets.ids(kind)
    assert known == tuple(sorted(path.stem for path in (ROOT / kind).glob("*.yaml")))
    for alias, target in presets.aliases(kind).items():
        assert target in known, alias
        assert alias not in known
        assert alias == alias.lower()
        assert alias in presets.aliases_of(kind, target)


@pytest.mark.parametrize("name", ["chinchilla-70b", "CHINCHILLA", " chinchilla ", "Chinchilla-70B"])
def test_names_are_found_in_any_case(name):
    assert presets.read("models", name).data["id"] == "chinchilla-70b"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chinchila", "unknown model 'chinchila'. Did you mean chinchilla"),
        ("", "unknown model ''"),
        ("../laws/kaplan-2020", "unknown model"),
        ("zzzzzzzz", "`scaleplan models` lists them all"),
        ("a\x00b", "unknown model"),
        ("x" * 300, "unknown model"),
        ("😀", "unknown model"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, words):
    with pytest.raises(UsageError) as caught:
        presets.read("models", name)
    assert words in caught.value.message


def test_a_law_is_read_without_its_traps_and_checks_where_they_are_not_needed():
    assert "traps" not in presets.read("laws", "chinchilla", whole=False).data
    assert presets.read("laws", "chinchilla").data["traps"]


def test_every_law_has_a_record_with_its_groups_and_roles():
    for record in list_records():
        assert {name for names in record.roles.values() for name in names} <= set(record.groups)
        assert record.traps
        for group in record.groups.values():
            if group.form is not None:
                assert {constant.symbol for constant in group.constants} == set(type(group.form)._fields)


def test_the_starter_budget_is_sound():
    spec, options = read_parsed(parse(presets.starter_budget(), "starter"))
    assert spec.budget.flops == 1e24
    assert options


@pytest.mark.parametrize(
    ("word", "option"),
    [
        ("name=ours,params=30B,tokens=5T", Option(name="ours", params=3e10, tokens=5e12)),
        ("name=ours,params=30B", Option(name="ours", params=3e10)),
        ("tokens=1e13, name=long run", Option(name="long run", tokens=1e13)),
    ],
)
def test_an_option_of_ones_own_is_read_from_a_word(word, option):
    assert option_from_word(word) == option


def test_an_option_of_the_catalogue_has_what_was_published():
    option = option_from_word("Gopher")
    assert option == catalogue_option("gopher-280b")
    assert option == Option(
        name="gopher-280b",
        params=2.8e11,
        params_nonembedding=279_172_874_240.0,
        tokens=3e11,
        from_catalogue=True,
        params_status="published",
        tokens_status="published",
    )


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("gofer", ["unknown model 'gofer'", "gopher"]),
        ("name=x,parms=30B", ["cannot read 'parms=30B'", "Did you mean params?"]),
        ("name=x,params", ["cannot read 'params'"]),
        ("name=x,zzz=1", ["cannot read 'zzz=1'", "It takes name, params, tokens."]),
        ("params=30B", ["needs a name, such as name=ours"]),
        ("name=,params=30B", ["needs a name"]),
        ("name=x,params=1B,params=2B", ["params is given twice"]),
        ("name=x,params=many", ["params: not a number: 'many'"]),
        ("name=x,tokens=-1", ["tokens: must be > 0 (got -1)"]),
    ],
)
def test_a_word_that_is_no_option_is_refused(word, words):
    with pytest.raises(UsageError) as caught:
        option_from_word(word)
    for each in words:
        assert each in caught.value.message
