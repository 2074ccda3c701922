"""The JSON Schema of a sweep file takes what a sweep takes, and refuses what it can tell is none."""

from pathlib import Path

import pytest

from scaleplan.specs.json_schemas import json_schema
from scaleplan.specs.sweep_json_schema import in_sweeps
from scaleplan.specs.yaml12 import parse

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

SWEEPS = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))
HEAD = "schema: scaleplan.sweep/1\n"


@pytest.fixture(name="validator", scope="module")
def _validator():
    schema = in_sweeps(json_schema("budget"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_every_example_is_valid(validator, file):
    validator.validate(parse(file.read_text(encoding="utf-8"), file.name).data)


@pytest.mark.parametrize(
    "text",
    [
        "budget: {flops: []}",
        "budget: {flops: [1e21], usd: [1M]}",
        "budget: {flops: {from: 1e21, to: 1e22}}",
        "budget: {flops: {from: 1e21, to: 1e22, points: 1}}",
        "budget: {flops: {from: 1e21, to: 1e22, points: 3, scale: ln}}",
        "budget: {flopz: [1e21]}",
        "budget: {flops: [1e21, -1]}",
        "budget: {flops: [1e21]}\ncompare: [gopher]",
        "limits: {max_params: [1B]}",
    ],
)
def test_what_is_no_sweep_is_refused(validator, text):
    assert validator.is_valid(parse(f"{HEAD}budget: {{flops: [1e21]}}", "sweep.yaml").data)
    assert not validator.is_valid(parse(HEAD + text, "sweep.yaml").data)
