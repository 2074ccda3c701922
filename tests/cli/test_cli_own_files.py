"""Files and folders of one's own models, accelerators and abilities on the command line."""

from __future__ import annotations

import pytest

from tests.cli.test_cli_catalogue import LISTS
from tests.specs.test_specs_own_presets import ABILITY, ACCELERATOR, IDS, MODEL, TEXTS


def test_files_of_ones_own_are_shown_checked_and_compared(call, tmp_path):
    for name, text in (("m.yaml", MODEL), ("d.yaml", ACCELERATOR), ("a.yaml", ABILITY)):
        (tmp_path / name).write_text(text)
        assert "sound" in call("check", name).succeeded().stdout
    assert call("models", "./m.yaml", "-f", "json").succeeded().envelope["inputs"]["model"] == "ours"
    assert call("accelerators", "d.yaml", "-f", "json").succeeded().envelope["inputs"]["accelerator"] == "dev"
    assert call("abilities", "a.yaml", "-f", "json").succeeded().envelope["inputs"]["ability"] == "ours-ability"
    options = {row["option"] for row in call("compare", "./m.yaml", "gopher", "-f", "csv", "-q").succeeded().table}
    assert {"ours", "gopher-280b"} <= options


def test_model_files_and_an_options_file_go_together(call, tmp_path):
    (tmp_path / "m.yaml").write_text(MODEL)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "o.yaml").write_text(
        "schema: scaleplan.options/1\nlaw: km\nbudget: {flops: 1e23}\ncompare: [../m.yaml, gopher]\n"
    )
    rows = call("compare", "sub/o.yaml", "chinchilla", "-f", "csv", "-q").succeeded().table
    assert {"ours", "gopher-280b", "chinchilla-70b"} <= {row["option"] for row in rows}
    call("compare", "m.yaml", "sub/o.yaml").failed(2, "'ours'")
    (tmp_path / "second.yaml").write_text(MODEL.replace("id: ours", "id: second"))
    rows = call("compare", "m.yaml", "second.yaml", "--law", "chinchilla", "-f", "csv", "-q").succeeded().table
    assert {"ours", "second"} <= {row["option"] for row in rows}
    call("compare", "sub/o.yaml", "./sub/o.yaml").failed(2, "one options file at a time")
    call("compare", "none.yaml").failed(3, "none.yaml: no such file")
    call("compare", "sub/o.yaml", "none.yaml").failed(3, "none.yaml: no such file")
    call("models", "../models/gopher-280b").failed(3, "../models/gopher-280b: no such file")


@pytest.mark.parametrize("command", ["models", "accelerators", "abilities"])
def test_a_faulty_file_of_ones_own_is_named_with_its_line(call, tmp_path, command):
    text = TEXTS[command].replace("name:", "nmae:")
    (tmp_path / "x.yaml").write_text(text)
    result = call(command, "x.yaml")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.splitlines()[0] == "x.yaml:1: name: missing"
    assert result.stderr.splitlines()[1].startswith("x.yaml:3: nmae: unknown key. Did you mean name")
    (tmp_path / "bytes.yaml").write_bytes(b"schema: \xff\n")
    call(command, "bytes.yaml").failed(3, "bytes.yaml:1: not UTF-8 text")


def test_names_of_users_are_never_markup(call, tmp_path):
    (tmp_path / "m.yaml").write_text(MODEL.replace("name: Ours", 'name: "[bold]Ours[/bold] \\e[31m"'))
    shown = call("models", "./m.yaml", environment={"FORCE_COLOR": "1"}).succeeded().stdout
    assert "[bold]Ours[/bold]" in shown
    assert "\x1b[31m" not in shown


def test_a_folder_of_ones_own_adds_to_every_list(call, run, own):
    environment = {"SCALEPLAN_PRESETS": str(own)}
    for command, (key, number) in LISTS.items():
        rows = call(command, "-f", "csv", environment=environment).succeeded().table
        assert len(rows) == number + 1
        assert IDS[command] in {row[key] for row in rows}
        assert call(command, IDS[command], "-f", "json", environment=environment).succeeded().envelope["rows"]
    plan = run("allocate", "--flops", "1e21", "--law", "my-lab", "-f", "json", "-q", environment=environment)
    assert plan.succeeded().envelope["rows"][0]["law"] == "my-lab"
    options = call("compare", "ours", "-f", "csv", "-q", environment=environment).succeeded().table
    assert "ours" in {row["option"] for row in options}


def test_a_folder_that_is_not_as_it_must_be_is_one_clear_line(call, own, tmp_path):
    none = {"SCALEPLAN_PRESETS": str(tmp_path / "none")}
    call("models", environment=none).failed(2, "SCALEPLAN_PRESETS names", "no such folder")
    environment = {"SCALEPLAN_PRESETS": str(own)}
    (own / "models" / "gopher.yaml").write_text(MODEL)
    call("compare", "gopher", environment=environment).failed(3, "gopher.yaml", "shipped model's name")
    call("laws", "km", "-f", "json", environment=environment).succeeded()
    (own / "things").mkdir()
    call("laws", "km", environment=environment).failed(3, "things: no kind of preset", "laws, models, accelerators")


@pytest.mark.parametrize("command", ["models", "laws", "accelerators", "abilities"])
def test_a_folder_that_holds_no_presets_or_cannot_be_listed_is_one_clear_line(call, tmp_path, command):
    (tmp_path / "laws").mkdir()
    for folder in (tmp_path / "laws", tmp_path):
        environment = {"SCALEPLAN_PRESETS": str(folder)}
        if folder == tmp_path:
            (tmp_path / "models").symlink_to("models")
            call(command, environment=environment).failed(3, f"{tmp_path}/models: cannot be read: too many levels")
        else:
            call(command, environment=environment).failed(
                2, "SCALEPLAN_PRESETS names", "no folder laws, models,", "name"
            )


@pytest.mark.parametrize(
    ("words", "made_of"),
    [
        (("models", "/dev/null"), "`scaleplan schema model` prints what such a file is made of"),
        (("accelerators", "/dev/null"), "`scaleplan schema accelerator` prints"),
        (("abilities", "/dev/null"), "`scaleplan schema ability` prints"),
        (("compare", "/dev/null"), "`scaleplan schema options` prints"),
        (("laws", "/dev/null"), "`scaleplan schema "),
        (("check", "/dev/null"), "`scaleplan schema KIND` prints"),
        (("allocate", "/dev/null"), "`scaleplan init` writes a starter budget"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_an_empty_file_says_what_one_of_the_kind_asked_for_is_made_of(call, words, made_of):
    call(*words).failed(3, "/dev/null: empty; ", made_of)
