"""Models, accelerators, abilities and laws of one's own: by path, in options files, and in a folder of presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaleplan import (
    InputFileError,
    UsageError,
    allocate,
    compare,
    list_abilities,
    list_accelerators,
    list_models,
    load_ability,
    load_accelerator,
    load_law,
    load_model,
)
from scaleplan.specs import presets
from scaleplan.specs.budget import read_comparison

MODEL = """\
schema: scaleplan.model/1
id: ours
name: Ours
organisation: us
announced: 2026-05
params: {value: 30B, status: derived, source: our run}
tokens: {value: 5T, status: derived, source: our run}
"""
ACCELERATOR = """\
schema: scaleplan.accelerator/1
id: dev
name: Dev
organisation: us
announced: 2026
kind: ASIC
availability: announced
source: our data sheet
peak:
  bf16: {value: 1e15, unit: FLOP/s, status: unverified}
  fp8: {value: 2e15, unit: FLOP/s, status: rumour, source: a talk}
memory: {value: 100, unit: GB, status: unverified}
interconnect: {type: cable, one_way: {value: 10, unit: GB/s, status: unverified}}
price: {low: 1, high: 2, unit: USD/h, date: 2026-10, indicative: true, status: estimate}
"""
ABILITY = """\
schema: scaleplan.ability/1
id: ours-ability
name: Ours
kind: emergent
claim: It works.
status: unverified
source: us
train_flop: {value: 1e22, status: unverified}
"""
LAW = (Path(__file__).parents[2] / "configs" / "laws" / "my-lab.yaml").read_text(encoding="utf-8")
TEXTS = {"models": MODEL, "accelerators": ACCELERATOR, "abilities": ABILITY, "laws": LAW}
IDS = {"models": "ours", "accelerators": "dev", "abilities": "ours-ability", "laws": "my-lab"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of presets with one of each kind."""
    for kind, text in TEXTS.items():
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{IDS[kind]}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("SCALEPLAN_PRESETS", str(tmp_path))
    return tmp_path


@pytest.fixture
def written(tmp_path):
    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


# by path


def test_a_model_file_is_read_wherever_a_name_is(written):
    path = written(MODEL)
    assert load_model(path).number("params") == 3e10
    rows = compare(path, "gopher", flops=1e23, law="chinchilla").rows
    assert [row.option for row in rows if row.option in ("ours", "gopher-280b")] == ["ours", "gopher-280b"]


def test_an_options_file_names_model_files_relative_to_itself(written, tmp_path, monkeypatch):
    written(MODEL)
    (tmp_path / "sub").mkdir()
    path = written("schema: scaleplan.options/1\ncompare: [gopher, ../mine.yaml]\n", "sub/options.yaml")
    monkeypatch.chdir("/")
    assert [option.name for option in read_comparison(path)[1]] == ["gopher-280b", "ours"]


def test_a_faulty_model_file_is_named_by_the_options_file_that_names_it(written):
    written(MODEL.replace("30B", "thirty"))
    path = written("schema: scaleplan.options/1\ncompare:\n- ./mine.yaml\n- ./none.yaml\n", "options.yaml")
    with pytest.raises(InputFileError) as caught:
        read_comparison(path)
    first, second = caught.value.problems
    assert "options.yaml:3: compare.0: " in first
    assert "mine.yaml:6: params.value: not a number: 'thirty'" in first
    assert "options.yaml:4: compare.1: " in second
    assert "none.yaml: no such file" in second


def test_a_model_named_twice_under_two_spellings_is_refused(written):
    written(MODEL)
    path = written("schema: scaleplan.options/1\ncompare: [mine.yaml, ./mine.yaml]\n", "options.yaml")
    with pytest.raises(InputFileError, match=r"compare\.1: ours stands twice"):
        read_comparison(path)


def test_an_accelerator_file_gives_its_own_source_to_numbers_without_one(written):
    device = load_accelerator(written(ACCELERATOR))
    assert device.values["peak_bf16"].source == "our data sheet"
    assert device.values["peak_fp8"].source == "a talk"
    assert device.price.source == "our data sheet"
    assert (device.interconnect, device.number("interconnect_one_way")) == ("cable", 10)


def test_an_ability_file_is_read(written):
    assert load_ability(written(ABILITY)).scale["train_flop"].source == "us"


@pytest.mark.parametrize(
    ("load", "text", "changes", "said"),
    [
        (load_model, MODEL, ("id: ours", "id: gopher"), ":2: id: gopher is a shipped model's name; choose another"),
        (load_model, MODEL, ("id: ours", "id: gopher-280b"), ":2: id: gopher-280b is a shipped model's name"),
        (load_model, MODEL, ("id: ours", "id: Our Run"), ":2: id: must be of a-z, 0-9"),
        (load_model, MODEL, ("model/1", "accelerator/1"), ":1: schema: must be scaleplan.model/1"),
        (load_model, MODEL, ("schema: scaleplan.model/1\n", ""), "schema: must be scaleplan.model/1 (missing)"),
        (load_model, MODEL, ("2026-05", "2026-13"), ":5: announced: must be a year, month or day"),
        (load_model, MODEL, ("30B", "-30B"), ":6: params.value: must be > 0 (got -30B)"),
        (load_model, MODEL, ("30B", "true"), ":6: params.value: must be a number (got true)"),
        (load_model, MODEL, ("derived, source: our run}\nt", "sure, source: our run}\nt"), ":6: params.status: "),
        (load_model, MODEL, (", source: our run}\nt", "}\nt"), ":6: params.source: missing"),
        (load_model, MODEL, ("tokens:", "token:"), ":7: token: unknown key. Did you mean tokens?"),
        (load_model, MODEL, ("params:", "params_active: {value: 1T, status: rumour, source: s}\nparams:"),
         "params_active is part of params, and larger (got 1e+12 of 3e+10)"),
        (load_accelerator, ACCELERATOR + "---\nnote: n\n", ("", ""), ":16: a second YAML document"),
        (load_accelerator, ACCELERATOR, ("unit: GB, ", ""), ":12: memory.unit: missing"),
        (load_accelerator, ACCELERATOR, ("unit: GB,", "unit: GiB,"), ":12: memory.unit: must be GB (got 'GiB')"),
        (load_accelerator, ACCELERATOR, ("value: 100", "value: 100GB"), ":12: memory.value: must be a finite number"),
        (load_accelerator, ACCELERATOR, ("value: 100", "value: -100"), ":12: memory.value: must be > 0 (got -100)"),
        (load_accelerator, ACCELERATOR, ("  bf16:", "  bf61:"), ":10: peak.bf61: unknown key. Did you mean bf16"),
        (load_accelerator, ACCELERATOR, ("low: 1", "low: 3"), ":14: price: low is above high (got 3 and 2)"),
        (load_accelerator, ACCELERATOR, ("date: 2026-10, ", ""), ":14: price.date: missing"),
        (load_accelerator, ACCELERATOR, ("indicative: true", "indicative: false"), ":14: price.indicative: "),
        (load_accelerator, ACCELERATOR, ("source: our data sheet\n", ""), "source: missing"),
        (load_accelerator, ACCELERATOR, ("type: cable", "type: cable, two_way: {value: 5, unit: GB/s, status: rumour}"),
         "two_way is below one_way (got 5 and 10)"),
        (load_ability, ABILITY, ("emergent", "emergnt"), "or data (got 'emergnt'). Did you mean emergent?"),
        (load_ability, ABILITY, ("1e22", "0"), ":8: train_flop.value: must be > 0 (got 0)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_line(written, load, text, changes, said):
    assert changes[0] in text
    with pytest.raises(InputFileError) as caught:
        load(written(text.replace(*changes, 1)))
    assert said in caught.value.message
    assert "mine.yaml" in caught.value.message


def test_all_problems_of_a_file_are_told_at_once_in_the_order_of_its_lines(written):
    text = ACCELERATOR.replace("kind:", "knd:").replace("1e15", "-1").replace("2026-10", "soon")
    with pytest.raises(InputFileError) as caught:
        load_accelerator(written(text))
    lines = [int(problem.removeprefix(str(written(text))).split(":")[1]) for problem in caught.value.problems]
    assert len(lines) == 4
    assert lines == sorted(lines)


# a folder of presets


@pytest.mark.usefixtures("own")
def test_what_stands_in_the_folder_is_listed_and_loaded_like_a_preset():
    assert {model.id for model in list_models()} - {"ours"} == set(presets.shipped_ids("models"))
    assert load_model("OURS").name == "Ours"
    assert load_accelerator("dev") in list_accelerators(organisation="us")
    assert load_ability("ours-ability") in list_abilities(kind="emergent")
    assert load_law("my-lab").id == "my-lab"
    assert "my-lab" in presets.ids("laws")
    assert "my-lab" not in presets.shipped_ids("laws")
    assert allocate(flops=1e21, law="my-lab").law.id == "my-lab"
    assert compare("ours", "gopher", law="chinchilla").rows


@pytest.mark.usefixtures("own")
def test_without_the_variable_or_with_an_empty_one_there_are_only_the_shipped(monkeypatch):
    monkeypatch.setenv("SCALEPLAN_PRESETS", "")
    assert presets.ids("models") == presets.shipped_ids("models")
    monkeypatch.delenv("SCALEPLAN_PRESETS")
    assert presets.ids("models") == presets.shipped_ids("models")


def test_a_folder_may_have_some_kinds_only_and_other_files_beside_them(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ours.yaml").write_text(MODEL)
    (tmp_path / "models" / "README.md").write_text("ours")
    (tmp_path / "README.md").write_text("ours")
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("SCALEPLAN_PRESETS", str(tmp_path))
    assert "ours" in presets.ids("models")
    assert presets.ids("laws") == presets.shipped_ids("laws")


def test_a_preset_is_found_by_its_spelling_too(own):
    path = own / "models" / "our-run-30b.yaml"
    path.write_text(MODEL.replace("id: ours", "id: our-run-30b").replace("name: Ours", "name: Our Run 30B"))
    assert load_model("OurRun 30B").id == "our-run-30b"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("models/other.yaml", MODEL, "other.yaml:2: id: must be the name of the file, other (got ours); rename either"),
        ("models/gopher-280b.yaml", MODEL, "gopher-280b.yaml: gopher-280b is a shipped model's name; rename the file"),
        ("models/gopher.yaml", MODEL, "gopher.yaml: gopher is a shipped model's name; rename the file and its id"),
        ("models/Mine.yaml", MODEL, "Mine.yaml: a preset is called by its id in a-z, 0-9, '.', '_' and '-', then"),
        ("models/mine.yml", MODEL, "mine.yml: a preset is called by its id"),
        ("models/a\nb.yaml", MODEL, "a\\nb.yaml': a preset is called by its id"),
        ("models/-mine.yaml", MODEL, "-mine.yaml: a preset is called by its id"),
        ("models/bad.yaml", MODEL.replace("30B", "thirty"), "bad.yaml:6: params.value: not a number: 'thirty'"),
        ("models/law.yaml", LAW, "law.yaml:4: schema: must be scaleplan.model/1 (got 'scaleplan.law/1')"),
        ("models/empty.yaml", "", "empty.yaml: empty"),
        ("modles/ours.yaml", MODEL, "modles: no kind of preset. Did you mean models? SCALEPLAN_PRESETS holds laws, "),
    ],
)
def test_what_is_wrong_in_the_folder_is_one_line_that_names_the_file(own, name, text, said):
    (own / name).parent.mkdir(exist_ok=True)
    (own / name).write_text(text)
    with pytest.raises(InputFileError) as caught:
        list_models()
    (problem,) = caught.value.problems
    assert said in problem
    assert "\n" not in problem


def test_a_law_in_the_folder_by_a_shipped_name_is_refused(own):
    (own / "laws" / "km.yaml").write_text(LAW)
    with pytest.raises(InputFileError, match=r"km\.yaml: km is a shipped law's name"):
        allocate(flops=1e21)


def test_a_faulty_law_in_the_folder_is_named_with_its_line(own):
    (own / "laws" / "my-lab.yaml").write_text(LAW.replace("form: additive", "form: additiv"))
    with pytest.raises(InputFileError, match=r"my-lab\.yaml:\d+: groups\.fit: unknown form 'additiv'"):
        load_law("my-lab")


def test_a_file_that_is_no_text_is_named(own):
    (own / "models" / "bytes.yaml").write_bytes(b"schema: scaleplan.model/1\nid: \xff\n")
    with pytest.raises(InputFileError, match=r"bytes\.yaml:2: not UTF-8 text \(byte 0xff\)"):
        list_models()


def test_a_folder_called_like_a_preset_is_named(own):
    (own / "models" / "dir.yaml").mkdir()
    with pytest.raises(InputFileError, match=r"dir\.yaml: a folder, not a file"):
        list_models()


@pytest.mark.parametrize(("name", "hint"), [("laws", "; name the folder that laws stands in"), (".git/none", "")])
def test_a_variable_that_names_a_folder_without_a_subfolder_of_any_kind_says_what_it_must_hold(
    tmp_path, monkeypatch, name, hint
):
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "my-lab.yaml").write_text(LAW)
    (tmp_path / name / "models").write_text("a file, not a folder")
    monkeypatch.setenv("SCALEPLAN_PRESETS", str(tmp_path / name))
    with pytest.raises(UsageError) as caught:
        list_models()
    assert caught.value.message == (
        f"SCALEPLAN_PRESETS names {tmp_path / name}, which holds no folder laws, models, accelerators or abilities: "
        f"your presets go into one of these{hint}"
    )


@pytest.mark.parametrize("name", ["laws", "models/x.yaml", "."])
def test_a_link_that_leads_in_a_circle_is_named(tmp_path, monkeypatch, name):
    folder = tmp_path / "own"
    (folder / "models").mkdir(parents=True)
    link = tmp_path / "circle" if name == "." else folder / name
    link.symlink_to(link)
    monkeypatch.setenv("SCALEPLAN_PRESETS", str(link if name == "." else folder))
    with pytest.raises(InputFileError) as caught:
        list_models()
    assert caught.value.message == f"{link}: cannot be read: too many levels of symbolic links"


@pytest.mark.parametrize(("name", "said"), [("none", "no such folder"), ("models/ours.yaml", "a file, not a folder")])
def test_a_variable_that_names_no_folder_says_what_to_do(own, monkeypatch, name, said):
    monkeypatch.setenv("SCALEPLAN_PRESETS", str(own / name))
    with pytest.raises(UsageError) as caught:
        load_model("gopher")
    assert f"SCALEPLAN_PRESETS names {own / name}: {said}; name one that holds laws, models," in caught.value.message


def test_a_folder_that_cannot_be_listed_is_named(own, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("scaleplan.specs.own_presets.scandir", refuse)
    with pytest.raises(InputFileError) as caught:
        list_models()
    assert caught.value.message == f"{own}: cannot be read: permission denied"


def test_the_folder_is_read_anew_each_time(own):
    assert load_model("ours").number("params") == 3e10
    (own / "models" / "ours.yaml").write_text(MODEL.replace("30B", "40B"))
    assert load_model("ours").number("params") == 4e10
    (own / "models" / "ours.yaml").unlink()
    with pytest.raises(UsageError, match="unknown model 'ours'"):
        load_model("ours")
