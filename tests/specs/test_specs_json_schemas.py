"""The JSON Schemas for editors: as checked in, sound, and agreeing with what reading a file says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import scaleplan
from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.budget import read_parsed
from scaleplan.specs.budget_schema import BudgetSpec, LimitsSpec
from scaleplan.specs.conditions import BUDGETS
from scaleplan.specs.json_schemas import MODELS, json_schema
from scaleplan.specs.own_presets import SINGULAR
from scaleplan.specs.pilots_schema import PilotsSpec
from scaleplan.specs.presets import starter_budget
from scaleplan.specs.serving_schema import ServingSpec
from scaleplan.specs.yaml12 import merged, parse, parse_parts, schema_of
from tests.specs.test_specs_own_presets import ABILITY, ACCELERATOR, MODEL

ROOT = Path(__file__).parents[2]
SHIPPED = Path(scaleplan.__file__).parent / "presets"
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
VALIDATORS = {kind: jsonschema.Draft202012Validator(json_schema(kind)) for kind in MODELS}


def errors(kind, text):
    data = merged(parse_parts(text, "file.yaml")).data
    return [error.message for error in VALIDATORS[kind].iter_errors(data)]


@pytest.mark.parametrize("kind", MODELS)
def test_a_schema_is_sound_and_as_checked_in(kind):
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:scaleplan:schema:{kind}:1"
    assert schema["title"] == f"scaleplan {kind} file"
    assert schema["description"]
    checked_in = json.loads((ROOT / "docs" / "schemas" / f"{kind}.json").read_text(encoding="utf-8"))
    assert checked_in == schema, "the schema has changed: run python docs/write_schemas.py"


def test_no_other_schemas_are_checked_in():
    assert {path.stem for path in (ROOT / "docs" / "schemas").iterdir()} == set(MODELS)


@pytest.mark.parametrize("folder", SINGULAR)
def test_every_shipped_preset_is_valid(folder):
    kind = SINGULAR[folder]
    found = {path.name: errors(kind, path.read_text(encoding="utf-8")) for path in (SHIPPED / folder).glob("*.yaml")}
    assert found
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_example_is_valid(path):
    text = path.read_text(encoding="utf-8")
    schema = schema_of(parse_parts(text, path.name)[0])
    assert errors(schema.removeprefix("scaleplan.").removesuffix("/1"), text) == []


def test_the_starter_budget_is_valid():
    assert errors("budget", starter_budget()) == []


@pytest.mark.parametrize(
    ("kind", "text", "changes"),
    [
        ("model", MODEL, ("30B", "-1")),
        ("model", MODEL, ("30B", "thirty")),
        ("model", MODEL, ("tokens:", "token:")),
        ("model", MODEL, ("id: ours", "id: Our Run")),
        ("model", MODEL, ("2026-05", "soon")),
        ("model", MODEL, ("status: derived", "status: sure")),
        ("accelerator", ACCELERATOR, ("unit: GB, ", "")),
        ("accelerator", ACCELERATOR, ("unit: GB,", "unit: GiB,")),
        ("accelerator", ACCELERATOR, ("indicative: true", "indicative: false")),
        ("accelerator", ACCELERATOR, ("value: 100", "value: 0")),
        ("ability", ABILITY, ("emergent", "emergnt")),
        ("budget", "schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n", ("flops: 1e24", "flops: -1")),
        ("budget", "schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n", ("flops: 1e24", "flops: 1e24, loss: 2")),
        ("options", "schema: scaleplan.options/1\ncompare: [gopher]\n", ("[gopher]", "[]")),
        ("options", "schema: scaleplan.options/1\ncompare: [gopher]\n", ("gopher", "{name: x}")),
    ],
)
def test_what_reading_refuses_the_schema_refuses(kind, text, changes):
    assert errors(kind, text) == []
    assert changes[0] in text
    assert errors(kind, text.replace(*changes, 1))


HEADINGS = {
    "budget": (BudgetSpec, {"on": "8xh100-sxm"}),
    "limits": (LimitsSpec, {}),
    "serving": (ServingSpec, {"tokens": "1T", "on": "h100-sxm"}),
    "pilots": (PilotsSpec, {}),
}
BESIDE = {"max_epochs": {"unique_tokens": 1}, "prompt": {"answer": 1}, "answer": {"prompt": 1}}
VALUES = ["-1", "0", "0.5", "1", "1.5", "2.5", "8", "1e10", "true", "null", "[1]", "{}", '""']
PLACES = [
    (heading, key, value) for heading, (model, _) in HEADINGS.items() for key in model.model_fields for value in VALUES
]
"""Numbers and what is none; what text says only reading it can tell."""


def reads(text):
    try:
        read_parsed(parse(text, "file.yaml"))
    except InputFileError:
        return False
    return True


@pytest.mark.parametrize(("heading", "key", "value"), PLACES)
def test_a_value_is_judged_alike_by_the_schema_and_by_reading(heading, key, value):
    given = {"flops": "1e24"} if heading != "budget" or key not in BUDGETS else {}
    beside = {k: v for k, v in {**HEADINGS[heading][1], **BESIDE.get(key, {})}.items() if k != key}
    words = {heading: {**beside, key: value}}
    words["budget"] = {**given, **words.get("budget", {})}
    lines = [f"{head}: {{{', '.join(f'{k}: {v}' for k, v in inner.items())}}}" for head, inner in words.items()]
    text = "\n".join(["schema: scaleplan.budget/1", *lines, ""])
    assert (errors("budget", text) == []) == reads(text), text


@pytest.mark.parametrize("batch", ["critical", "Critical", "' critical'", "4e6", "4M"])
def test_the_critical_batch_is_one_word(batch):
    text = f"schema: scaleplan.budget/1\nbudget: {{flops: 1e24, on: h100-sxm}}\nlimits: {{batch: {batch}}}\n"
    assert (errors("budget", text) == []) == reads(text) == (batch == "critical")


@pytest.mark.parametrize("flops", ["1e24", '"1e24"', "10 PF-days", "2.5 ZFLOP"])
def test_quantities_may_be_numbers_or_text(flops):
    assert errors("budget", f"schema: scaleplan.budget/1\nlaw: km\nbudget: {{flops: {flops}}}\n") == []
    option = "schema: scaleplan.options/1\ncompare: [{name: a, params: 70B, tokens: 1.4T}]\n"
    assert errors("options", option) == []


def test_bounds_are_in_the_words_of_json_schema():
    def keys(node):
        if isinstance(node, dict):
            yield from node
            for value in node.values():
                yield from keys(value)
        elif isinstance(node, list):
            for value in node:
                yield from keys(value)

    for kind in MODELS:
        assert not {"ge", "gt", "le", "lt"} & set(keys(json_schema(kind)))


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"unknown kind of file 'modle'\. Did you mean model"):
        json_schema("modle")
    with pytest.raises(InputFileError):
        errors("model", "a: 1\na: 2\n")
