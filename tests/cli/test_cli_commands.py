"""``frontier``, ``laws``, ``models``, ``init``, ``check``, ``--help``, ``--version``, and words nobody knows."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import typer.main

import scaleplan
from scaleplan.cli.app import app

COMMANDS = (
    "allocate", "compare", "predict", "frontier", "tradeoff", "sweep", "fit", "pilot", "forecast", "watch", "hyper",
    "cost", "shape", "layout", "laws", "models", "accelerators", "abilities", "init", "check", "schema",
)  # fmt: skip
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EXAMPLES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))
ENVELOPE = ["schema", "version", "inputs", "rows", "warnings"]


# frontier


def test_the_frontier_traces_each_budget_and_its_growth(run):
    envelope = run("frontier", "-f", "json").succeeded("extrapolation").envelope
    assert list(envelope) == ENVELOPE
    assert envelope["schema"] == "scaleplan.frontier/1"
    rows = envelope["rows"]
    assert [row["train_flop"] for row in rows] == [float(f"1e{k}") for k in range(18, 27)]
    for row in rows:
        assert f"{row['params_growth_per_10x']:.2f}" == "3.26"
        assert f"{row['tokens_growth_per_10x']:.2f}" == "3.07"
    for row, later in itertools.pairwise(rows):
        assert later["params"] / row["params"] == pytest.approx(row["params_growth_per_10x"], rel=1e-12)
        assert later["tokens"] / row["tokens"] == pytest.approx(row["tokens_growth_per_10x"], rel=1e-12)
        assert later["loss"] < row["loss"]
    assert f"{rows[6]['params'] / 1e9:.1f}" == "96.0"


def test_kaplan_s_frontier_grows_by_5_37_and_1_86(call):
    words = ("frontier", "--law", "km", "--from", "1e20", "--to", "1e22", "-f", "json", "-q")
    rows = call(*words).succeeded().envelope["rows"]
    assert [f"{row['params_nonembedding_growth_per_10x']:.2f}" for row in rows] == ["5.37"] * 3
    assert [f"{row['tokens_growth_per_10x']:.2f}" for row in rows] == ["1.86"] * 3
    page = call("laws", "km").succeeded().stdout
    assert all(said in page for said in ("5.37x", "1.86x", "5x and 2x", "5.5x and 1.8x"))


def test_approach_1_grows_by_its_published_exponent(call):
    words = ("frontier", "--law", "hoffmann-2022-a1", "--from", "1e20", "--to", "1e22", "-f", "json", "-q")
    for row in call(*words).succeeded().envelope["rows"]:
        assert f"{row['published_params_growth_per_10x']:.2f}" == "3.16"
        assert f"{row['published_tokens_growth_per_10x']:.2f}" == "3.16"
        assert row["params_growth_per_10x"] == pytest.approx(3.16, rel=0.01)
        assert row["loss"] is None
    page = call("laws", "hoffmann-2022-a1").succeeded().stdout
    assert "3.16x" in page
    assert "3.3x" in page


def test_the_frontier_in_every_format(call):
    words = ("frontier", "--from", "1e20", "--to", "1e21")
    rows = call(*words, "-f", "json").succeeded().envelope["rows"]
    assert call(*words, "-f", "ndjson").succeeded().lines == rows
    for cells, row in zip(call(*words, "-f", "csv").succeeded().table, rows, strict=True):
        assert {key: cells[key] for key in row} == {key: "" if v is None else str(v) for key, v in row.items()}
    for form in ("table", "markdown"):
        text = call(*words, "-f", form).succeeded().stdout
        assert all(shown in text for shown in ("1e20", "1e21", "2.782B", "2.3048", "3.26", "3.07"))
    assert call(*words, "--get", "params").succeeded().stdout == f"{rows[0]['params']!r}\n"


def test_the_frontier_holds_both_ends_and_steps_between(call):
    words = ("frontier", "--from", "3e20", "--to", "5e22", "--per-decade", "2", "-f", "json", "-q")
    budgets = [row["train_flop"] for row in call(*words).succeeded().envelope["rows"]]
    assert budgets[0] == 3e20
    assert budgets[-1] == 5e22
    assert budgets[:-1] == pytest.approx([3e20 * 10 ** (k / 2) for k in range(5)], rel=1e-12)
    one = call("frontier", "--from", "1e20", "--to", "1e20", "--get", "train_flop").succeeded().stdout
    assert one == "1e+20\n"


def test_the_frontier_of_several_laws_comes_law_by_law(call):
    words = ("frontier", "--law", "km", "--law", "chinchilla", "--from", "1e20", "--to", "1e21", "-f", "csv", "-q")
    laws = [row["law"] for row in call(*words).succeeded().table]
    assert laws == ["kaplan-2020"] * 2 + ["besiroglu-2024"] * 2


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("--from", "1e22", "--to", "1e20"), ("range is empty",)),
        (("--from", "0"), ("from", "must be > 0 (got 0)")),
        (("--to", "nan"), ("to", "finite")),
        (("--from", "low"), ("from", "'low'")),
        (("--per-decade", "0"), ("per-decade", "at least 1", "got 0")),
        (("--per-decade", "1000000000"), ("per-decade",)),
        (("--per-decade", "many"), ("per-decade", "many")),
        (("--from", "1e-300", "--to", "1e300"), ()),
        (("--law", "chinchila"), ("Did you mean chinchilla",)),
        (("--law", "hoffmann-2022-a3:printed"), ("refused",)),
        (("--level", "1"), ("level",)),
        (("--get", "growth"), ("'growth'",)),
    ],
    ids=" ".join,
)
def test_frontiers_that_make_no_sense_are_one_clear_line(call, words, fragments):
    result = call("frontier", *words)
    assert result.code in (2, 4), result.stderr
    result.failed(result.code, *fragments)


# laws and models


def test_laws_lists_every_preset_in_every_format(call):
    envelope = call("laws", "-f", "json").succeeded().envelope
    assert list(envelope) == ENVELOPE
    names = [row["law"] for row in envelope["rows"]]
    wanted = {"kaplan-2020", "besiroglu-2024", "hoffmann-2022-a1", "hoffmann-2022-a2", "hoffmann-2022-a3"}
    assert wanted <= set(names)
    assert [row["law"] for row in call("laws", "-f", "csv").succeeded().table] == names
    assert [row["law"] for row in call("laws", "-f", "ndjson").succeeded().lines] == names
    for form in ("table", "markdown"):
        assert all(name in call("laws", "-f", form).succeeded().stdout for name in names)


def test_a_law_s_page_says_what_it_counts_its_constants_with_sources_and_its_traps(run):
    page = run("laws", "km").succeeded().stdout
    for said in ("kaplan-2020", "nonembedding", "N_c", "table 6", "traps", "C = 2 C_min", "WebText2"):
        assert said in page
    rows = run("laws", "km", "-f", "json").succeeded().envelope["rows"]
    assert all(row["source"] for row in rows)
    assert {"value": 0.73, "symbol": "p"}.items() <= next(row for row in rows if row["symbol"] == "p").items()


@pytest.mark.parametrize("name", ["km", "KAPLAN-2020", "km:c-min", "chinchilla", "hoffmann-2022-a3:printed"])
def test_a_law_is_found_by_id_alias_and_variant(call, name):
    assert call("laws", name, "--get", "symbol").succeeded().stdout.strip()


def test_a_law_file_has_a_page_too(call):
    assert "my-lab" in call("laws", str(CONFIGS / "laws" / "my-lab.yaml")).succeeded().stdout


def test_models_lists_the_catalogue_with_what_was_never_published_absent(call):
    rows = {row["model"]: row for row in call("models", "-f", "json").succeeded().envelope["rows"]}
    wanted = {
        "gpt3-175b", "lamda-137b", "palm-540b", "gopher-280b", "chinchilla-70b", "glm-130b", "pangu-alpha-200b",
        "ernie3-titan-260b", "yuan1-245b", "mtnlg-530b", "llama1-65b", "llama2-70b", "llama31-405b",
    }  # fmt: skip
    assert wanted <= set(rows)
    assert (rows["gopher-280b"]["params"], rows["gopher-280b"]["tokens"]) == (280e9, 300e9)
    assert rows["ernie3-titan-260b"]["tokens"] is None
    assert rows["ernie3-titan-260b"]["tokens_status"] == "unpublished"
    cells = {row["model"]: row for row in call("models", "-f", "csv").succeeded().table}
    assert cells["ernie3-titan-260b"]["tokens"] == ""
    for form in ("table", "markdown"):
        assert all(name in call("models", "-f", form).succeeded().stdout for name in wanted)


def test_a_model_s_page_gives_each_number_its_source(run):
    result = run("models", "gopher", "-f", "json").succeeded()
    for row in result.envelope["rows"]:
        assert (row["value"] is None) == (row["status"] == "unpublished")
        assert (row["source"] is None) == (row["value"] is None)
    assert "280B" in run("models", "gopher").succeeded().stdout


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("laws", "chinchila"), ("unknown law 'chinchila'", "Did you mean chinchilla")),
        (("laws", "km:cmin"), ("'cmin'", "c-min")),
        (("laws", "--get", "lax"), ("'lax'", "law")),
        (("models", "goper"), ("unknown model 'goper'", "Did you mean gopher")),
        (("models", "gopher", "--get", "valu"), ("'valu'", "value")),
    ],
    ids=" ".join,
)
def test_unknown_names_suggest_the_nearest(call, words, fragments):
    call(*words).failed(2, *fragments)


# init and check


def test_init_writes_a_budget_that_checks_plans_and_compares(run, call, tmp_path):
    result = run("init")
    assert (result.stdout, result.code) == ("", 0)
    assert result.stderr.splitlines() == ["wrote budget.yaml; next: scaleplan allocate budget.yaml"]
    text = (tmp_path / "budget.yaml").read_text()
    assert text.count("#") >= 5
    call("check", "budget.yaml").succeeded()
    assert call("allocate", "budget.yaml", "--get", "train_flop", "-q").succeeded().stdout == "1e+24\n"
    assert "ours" in call("compare", "budget.yaml", "-q").succeeded().stdout


def test_init_replaces_nothing_unless_forced(call, tmp_path):
    (tmp_path / "mine.yaml").write_text("precious\n")
    call("init", "mine.yaml").failed(2, "mine.yaml", "already there", "--force")
    assert (tmp_path / "mine.yaml").read_text() == "precious\n"
    assert call("init", "mine.yaml", "--force").code == 0
    assert "scaleplan.budget/1" in (tmp_path / "mine.yaml").read_text()


def test_init_dash_prints_and_writes_nothing(call, tmp_path):
    result = call("init", "-").succeeded()
    assert result.stdout.count("\n") > 10
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["no/such/budget.yaml", "."])
def test_init_where_nothing_can_be_written_is_one_clear_line(call, path):
    call("init", path, "--force").failed(2, "cannot write", path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_checks_and_plans(call, name):
    path = str(CONFIGS / name)
    assert "sound" in call("check", path).succeeded().stdout
    use = {
        "laws": ("allocate", "--flops", "1e21", "--law"),
        "options": ("compare",),
        "budgets": ("allocate",),
        "sweeps": ("sweep",),
    }
    envelope = call(*use[name.partition("/")[0]], path, "-f", "json", "-q").succeeded().envelope
    assert envelope["rows"]


def test_there_are_examples_of_every_kind():
    assert {name.partition("/")[0] for name in EXAMPLES} >= {"budgets", "laws", "options", "sweeps"}


def test_check_says_what_it_read_in_every_format(run, call, tmp_path):
    (tmp_path / "b.yaml").write_text("schema: scaleplan.budget/1\nname: mine\nlaw: km\nbudget: {flops: 1e24}\n")
    shown = run("check", "b.yaml").succeeded().stdout
    assert all(said in shown for said in ("b.yaml", "sound", "scaleplan.budget/1", "mine", "km"))
    envelope = call("check", "b.yaml", "-f", "json").succeeded().envelope
    assert list(envelope) == ENVELOPE
    assert envelope["inputs"]["file"] == "b.yaml"
    rows = envelope["rows"]
    assert call("check", "b.yaml", "-f", "ndjson").succeeded().lines == rows
    assert call("check", "b.yaml", "-f", "csv").succeeded().table == rows
    assert "mine" in call("check", "b.yaml", "-f", "markdown").succeeded().stdout


def test_check_reads_tables_and_stdin(run, call, tmp_path):
    (tmp_path / "runs.csv").write_text("run,params,tokens,lr\na,1e9,2e10,3\nb,1e9,4e10,3\n")
    rows = {row["key"]: row["value"] for row in call("check", "runs.csv", "-f", "csv").succeeded().table}
    assert rows["rows"] == "2"
    assert "lr" in rows.values()
    run("check", "-", stdin="schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n").succeeded()


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (("alpha: {value: 0.34", "alpha: {value: -0.34"), ("constants.alpha.value: must be > 0 (got -0.34)",)),
        (("value: 1.71", "value: .nan"), ("groups.fit.constants.E.value: must be a finite number",)),
        (("form: additive", "form: additiv"), ("groups.fit: unknown form 'additiv'", "Did you mean additive?")),
        (("surface: fit", "surface: fitt"), ("default.surface: ", "'fitt'")),
        (("E: {value", "F: {value"), ("groups.fit: ", "lacks E")),
        (("year: 2026", "year: soon"), ("year: ", "'soon'")),
        (("kind: loss", "knd: loss"), ("knd: unknown key", "Did you mean kind?")),
        (("\n  params: total", "\n  params: most"), ("counts.params: ", "'most'")),
    ],
)  # fmt: skip
def test_an_unsound_law_file_is_named_with_line_and_field(call, tmp_path, change, fragments):
    old, new = change
    text = (CONFIGS / "laws" / "my-lab.yaml").read_text()
    assert old in text
    changed = text.replace(old, new, 1)
    line = changed[: changed.index(new) + len(new)].count("\n") + 1
    (tmp_path / "law.yaml").write_text(changed)
    result = call("check", "law.yaml")
    assert (result.code, result.stdout) == (3, "")
    for fragment in fragments:
        assert fragment in result.stderr
    if "groups.fit: " not in fragments[0]:
        assert f"law.yaml:{line}: " in result.stderr
    used = call("allocate", "--flops", "1e21", "--law", "./law.yaml")
    assert (used.stdout, used.code) == ("", 3)
    assert used.stderr.replace("./law.yaml", "law.yaml") == result.stderr


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("schema: scaleplan.budget/9\n", (":1: schema: ", "scaleplan.budget/1", "scaleplan.budget/9")),
        ("name: x\n", (": schema: ", "missing")),
        ("hello\n---\na: 1\n", ()),
        ("[1, 2]\n---\na: 1\n", ()),
        ("---\n---\na: 1\n", ()),
        ("schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n---\na: 1\n", (":4: ", "second YAML document")),
    ],
    ids=repr,
)
def test_an_unsound_file_is_one_clear_line_and_exit_code_3(call, tmp_path, text, fragments):
    (tmp_path / "x.yaml").write_text(text)
    call("check", "x.yaml").failed(3, "x.yaml", *fragments)


def test_check_of_a_bad_table_names_its_line(call, tmp_path):
    (tmp_path / "runs.csv").write_text("params,tokens\n1e9,2e10\n1e9,x\n")
    call("check", "runs.csv").failed(3, "runs.csv:3: tokens: not a number: 'x'")


# help, version, unknown words


@pytest.mark.parametrize("name", COMMANDS)
def test_help_mentions_every_option_and_argument(call, name):
    result = call(name, "--help").succeeded()
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    command = typer.main.get_command(app).commands[name]
    words = [word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)]
    for word in words:
        if word.startswith("-"):
            assert word in result.stdout
    assert all(getattr(parameter, "help", None) for parameter in command.params if parameter.name != "help")


def test_the_list_of_commands_is_this_one():
    assert tuple(typer.main.get_command(app).commands) == COMMANDS


def test_help_names_every_command_and_the_exit_codes(run):
    result = run("--help").succeeded()
    assert all(name in result.stdout for name in COMMANDS)
    said = " ".join(result.stdout.split())
    assert all(part in said for part in ("0 ok", "2 usage", "3 bad input file", "4 infeasible", "130 interrupted"))


def test_version_is_the_package_s(run):
    result = run("--version").succeeded()
    assert (result.stdout, result.stderr) == (f"{scaleplan.__version__}\n", "")


def test_no_words_at_all_show_how_to_use_it_on_stderr(run):
    result = run()
    assert (result.stdout, result.code) == ("", 2)
    assert result.stderr.startswith("Usage: ")
    assert all(name in result.stderr for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("alocate",), ("'alocate'", "Did you mean 'allocate'")),
        (("compar",), ("'compar'", "compare")),
        (("frobnicate",), ("'frobnicate'",)),
        (("allocate", "--flop", "1e24"), ("--flop", "--flops")),
        (("compare", "--as-traind"), ("--as-traind", "--as-trained")),
        (("predict", "--param", "1B"), ("--param", "--params")),
        (("allocate", "a.yaml", "b.yaml"), ("b.yaml",)),
        (("check",), ("FILE",)),
        (("laws", "km", "chinchilla"), ("chinchilla",)),
    ],
    ids=" ".join,
)
def test_unknown_words_suggest_the_nearest(call, words, fragments):
    call(*words).failed(2, *fragments)


def test_an_unknown_command_ends_the_process_with_2(run):
    run("alocate").failed(2, "allocate")
