"""The heading ``pilots`` of a budget file: what it asks of the design, and slips by their line."""

from __future__ import annotations

import jsonschema
import pytest

from scaleplan.compute.bill import Extra
from scaleplan.errors import InputFileError
from scaleplan.specs.budget import read_budget
from scaleplan.specs.json_schemas import json_schema
from scaleplan.specs.pilot_words import PilotWords
from scaleplan.specs.pilots_schema import DESIGN, PilotsSpec
from scaleplan.specs.yaml12 import parse

HEAD = "schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n"
EVERY = (
    "share: 2%, runs: 20, seeds: 2, goal: loss, noise: 0.5%, misfit: 0.1%, max_run: 20%, ratios: '5:200', "
    "vocab: 32000, context: 2048, on: 64xh100-sxm, within: 2 weeks, unique_tokens: 1T"
)
READ = PilotWords(
    share=Extra(share=0.02),
    runs=20,
    seeds=2,
    goal="loss",
    noise=0.005,
    misfit=0.001,
    max_run=0.2,
    ratios=(5.0, 200.0),
    vocab=32_000,
    context=2048,
    on="64xh100-sxm",
    within=14.0,
    unique_tokens=1e12,
)


@pytest.fixture
def read(tmp_path):
    """Reads a budget file with this heading."""

    def budget(heading):
        (tmp_path / "plan.yaml").write_text(f"{HEAD}pilots: {{{heading}}}\n")
        return read_budget(str(tmp_path / "plan.yaml"))

    return budget


def problems_of(read, heading):
    with pytest.raises(InputFileError) as caught:
        read(heading)
    assert all("\n" not in each and "plan.yaml:3: pilots" in each for each in caught.value.problems)
    return caught.value.problems


def test_every_key_is_read_as_the_flag_of_its_name(read):
    assert read(EVERY).pilots.words == READ


def test_a_heading_may_say_the_share_alone(read):
    assert read("share: 0.01").pilots.words == PilotWords(share=Extra(share=0.01))
    assert read("gpu_hours: 20k").pilots.words == PilotWords(share=Extra(gpu_hours=20_000))


def test_the_design_s_keys_are_those_of_the_words():
    assert set(DESIGN) | {"share"} == set(PilotWords._fields)
    assert set(PilotsSpec.model_fields) == set(DESIGN) | {"share", "gpu_hours", "manifest"}


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("share: 1%, shar: 2%", "pilots.shar: unknown key. Did you mean share?"),
        ("share: 1%, runs: 5x", "pilots.runs: must be a whole number from 1 to 1,000 (got '5x')"),
        ("share: 1%, runs: 0", "pilots.runs: must be a whole number from 1"),
        ("share: 1%, goal: best", "pilots.goal: must be one of both, loss, params (got 'best')"),
        ("share: 1%, noise: 0", "pilots.noise: must be a share above 0"),
        ("share: 1%, misfit: -1", "pilots.misfit: must be a share"),
        ("share: 1%, max_run: 2", "pilots.max_run: must be a share above 0 and at most 1"),
        ("share: 1%, ratios: 5", "pilots.ratios: must be the least and most tokens a parameter"),
        ("share: 1%, ratios: [5, 200]", "pilots.ratios"),
        ("share: 1%, on: ''", "pilots.on: is empty"),
        ("share: 1%, within: soon", "pilots.within"),
        ("share: 1%, unique_tokens: -1", "pilots.unique_tokens: must be > 0"),
        ("share: 200%", "pilots.share: must be a share"),
        ("gpu_hours: -1", "pilots.gpu_hours: must be > 0"),
        ("share: 1%, gpu_hours: 20k", "needs exactly one of share, gpu_hours, manifest"),
        ("runs: 20", "needs exactly one of share, gpu_hours, manifest"),
    ],
)
def test_a_slip_is_told_by_its_line_and_key(read, heading, said):
    problems = problems_of(read, heading)
    assert any(said.replace("'5x'", "5x") in each.replace("'5x'", "5x") for each in problems), problems


def test_all_slips_are_told_at_once(read):
    problems = problems_of(read, "share: 1%, runs: 0, goal: best, noise: 0, shar: 1")
    assert len(problems) == 4


@pytest.mark.parametrize(
    ("heading", "valid"),
    [
        (EVERY, True),
        ("gpu_hours: 20k, goal: params", True),
        ("share: 1%, goal: best", False),
        ("share: 1%, shar: 1%", False),
        ("share: 1%, gpu_hours: 20k", False),
        ("runs: 20", False),
        ("share: 1%, ratios: [5, 200]", False),
        ("share: 1%, runs: true", False),
    ],
)
def test_the_schema_for_editors_agrees(read, heading, valid):
    data = parse(f"{HEAD}pilots: {{{heading}}}\n", "plan.yaml").data
    assert jsonschema.Draft202012Validator(json_schema("budget")).is_valid(data) is valid
    if valid:
        assert read(heading).pilots is not None
    else:
        assert problems_of(read, heading)
