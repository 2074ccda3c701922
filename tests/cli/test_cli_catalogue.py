"""The lists ``accelerators``, ``abilities`` and ``models``, one entry of each, and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.specs.test_specs_own_presets import ACCELERATOR

ENVELOPE = ["schema", "version", "inputs", "rows", "warnings"]
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
LISTS = {"accelerators": ("accelerator", 47), "abilities": ("ability", 62), "models": ("model", 152)}


# lists


@pytest.mark.parametrize("command", LISTS)
def test_a_list_in_every_format(call, command):
    key, number = LISTS[command]
    envelope = call(command, "-f", "json").succeeded().envelope
    assert list(envelope) == ENVELOPE
    assert envelope["schema"] == f"scaleplan.{command}/1"
    rows = envelope["rows"]
    assert len({row[key] for row in rows}) == len(rows) == number
    assert call(command, "-f", "ndjson").succeeded().lines == rows
    cells = call(command, "-f", "csv").succeeded().table
    assert [row[key] for row in cells] == [row[key] for row in rows]
    assert list(cells[0]) == list(rows[0])
    for form in ("table", "markdown"):
        shown = call(command, "-f", form).succeeded().stdout
        assert shown.count("\n") > number
    assert call(command, "--get", key).succeeded().stdout == f"{rows[0][key]}\n"


def test_accelerators_have_their_numbers_with_units_and_dated_indicative_prices(call):
    envelope = call("accelerators", "-f", "json").succeeded().envelope
    assert "indicative" in envelope["inputs"]["prices"]
    assert "dense" in envelope["inputs"]["peaks"]
    assert any("Epoch AI" in text for text in envelope["inputs"]["attribution"])
    rows = {row["accelerator"]: row for row in envelope["rows"]}
    h100 = rows["h100-sxm"]
    assert (h100["peak_bf16_flop_per_s"], h100["memory_gb"], h100["tdp_w"]) == (9.894e14, 80.0, 700.0)
    assert (h100["price_low_usd_per_hour"], h100["price_date"], h100["price_indicative"]) == (1.99, "2026-05", True)
    assert rows["a100-sxm-40"]["memory_bandwidth_status"] == "unverified"
    assert rows["v100-sxm2-32"]["peak_bf16_flop_per_s"] is None
    assert rows["ascend-910c"]["price_date"] is rows["ascend-910c"]["price_indicative"] is None
    for row in rows.values():
        assert (row["price_low_usd_per_hour"] is None) == (row["price_date"] is None)


def test_every_format_says_that_prices_are_indicative_and_when(call):
    assert "indicative, never quotes" in call("accelerators").succeeded().stdout
    assert "indicative, never quotes" in call("accelerators", "-f", "markdown").succeeded().stdout
    (row,) = [row for row in call("accelerators", "-f", "csv").succeeded().table if row["accelerator"] == "h200"]
    assert (row["price_indicative"], row["price_date"]) == ("true", "2026-05")
    rows = call("accelerators", "h200", "-f", "json").succeeded().envelope["rows"]
    (low,) = [row for row in rows if row["field"] == "price_low"]
    assert (low["value"], low["date"], low["indicative"], low["unit"]) == (2.5, "2026-05", True, "USD/h")
    assert "published (indicative, 2026-05)" in call("accelerators", "h200").succeeded().stdout


def test_one_accelerator_has_a_source_for_each_number(call):
    envelope = call("accelerators", "H100", "-f", "json").succeeded().envelope
    assert envelope["inputs"]["accelerator"] == "h100-sxm"
    assert envelope["inputs"]["aliases"] == ["h100"]
    assert "sparsity" in envelope["inputs"]["note"]
    for row in envelope["rows"]:
        assert (row["value"] is None) == (row["source"] is None) == (row["status"] == "absent")
    shown = call("accelerators", "h100").succeeded().stdout
    assert all(
        word in shown for word in ("989.4", "TFLOP/s", "sources", "- 1 github.com/stas00", "No peak known for fp4")
    )


def test_accelerators_are_filtered_and_sorted(call):
    rows = call("accelerators", "--org", "amd", "--min-memory", "192GB", "--sort", "memory", "-f", "json").succeeded()
    sizes = [row["memory_gb"] for row in rows.envelope["rows"]]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 192
    rows = call("accelerators", "--year", "2022", "-f", "csv").succeeded().table
    assert {row["announced"] for row in rows} == {"2022"}


def test_the_list_of_accelerators_fits_80_columns_and_is_a_list_of_lists_at_60(terminal):
    wide = terminal("accelerators", columns=80, environment={"NO_COLOR": "1"}).succeeded().stdout
    assert max(len(line) for line in wide.splitlines()) <= 80
    assert " gb300 " in wide
    assert any(line.split()[:6] == ["b200", "2024", "GPU", "2250", "4500", "180"] for line in wide.splitlines())
    narrow = terminal("accelerators", columns=60, environment={"NO_COLOR": "1"}).succeeded().stdout
    assert max(len(line) for line in narrow.splitlines()) <= 60
    assert all(word in narrow for word in ("2250", "3-14?", "2026-03"))


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(
    "words", [("abilities",), ("models",), ("abilities", "neqa"), ("accelerators", "b300"), ("models", "deepseek-v3")]
)
def test_other_pages_fit_narrow_terminals(terminal, words, columns):
    shown = terminal(*words, columns=columns, environment={"NO_COLOR": "1"}).succeeded().stdout
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_abilities_are_told_kind_by_kind_with_what_is_not_known(call):
    envelope = call("abilities", "-f", "json").succeeded().envelope
    assert "4 inverse, 6 u-shaped, 1 positive" in envelope["inputs"]["inverse_scaling_totals"]
    rows = {row["ability"]: row for row in envelope["rows"]}
    assert rows["addition-3-digits"]["train_flop"] == 2.3e22
    assert rows["sig-figs"]["trend"] is None
    assert rows["neqa"]["trend"] == "u-shaped"
    assert rows["loss-threshold"]["loss"] == 2.2
    shown = call("abilities").succeeded().stdout
    assert "smallest model of the family" in shown
    assert "4 inverse, 6 u-shaped, 1 positive" in shown


def test_one_ability_has_its_claim_its_numbers_and_its_caveats(call):
    envelope = call("abilities", "gsm8k-finetuning-data", "-f", "json").succeeded().envelope
    assert envelope["inputs"]["kind"] == "data"
    assert "not parameters" in envelope["inputs"]["caveats"][0]
    values = {row["field"]: row["value"] for row in envelope["rows"]}
    assert values == {"train_flop": None, "params": None, "loss": None, "data_factor": 100.0, "solve_rate": 0.8}
    shown = call("abilities", "sig-figs").succeeded().stdout
    assert all(said in shown for said in ("not known here", "distractor task (unverified)", "caveats"))
    assert "numbers" not in shown


def test_abilities_are_filtered_and_sorted(call):
    rows = call("abilities", "--kind", "emergent", "--family", "gpt-3", "--sort", "params", "-f", "json").succeeded()
    sizes = [row["params"] for row in rows.envelope["rows"]]
    assert sizes == sorted(sizes)
    assert sizes[0] == 13e9


def test_models_show_the_flops_named_over_6nd(call):
    rows = {row["model"]: row for row in call("models", "-f", "json").succeeded().envelope["rows"]}
    gopher = rows["gopher-280b"]
    assert gopher["flop_6nd"] == pytest.approx(5.04e23)
    assert gopher["published_over_6nd"] == pytest.approx(1.252, abs=1e-3)
    assert rows["lamda-137b"]["flop_6nd"] is rows["lamda-137b"]["published_over_6nd"] is None
    assert rows["llama1-65b"]["published_over_6nd_status"] == "unpublished"
    fields = {row["field"]: row for row in call("models", "opt-175b", "-f", "json").succeeded().envelope["rows"]}
    assert fields["published_over_6nd"]["value"] == pytest.approx(1.365, abs=1e-3)
    assert fields["flop_6nd"]["source"] == "computed: 6 x params x tokens"
    assert "/6ND" in call("models").succeeded().stdout


def test_one_model_has_its_shape_and_its_run_with_the_source_of_each_number(call):
    envelope = call("models", "gopher", "-f", "json").succeeded().envelope
    fields = {row["field"]: row for row in envelope["rows"]}
    assert (fields["layers"]["value"], fields["layers"]["status"]) == (80, "unverified")
    assert (fields["gpu_hours"]["value"], fields["gpu_hours"]["status"]) == (3768320.0, "published")
    assert fields["shape_params"]["value"] == pytest.approx(2.8e11, rel=2e-3)
    assert fields["cost_usd_rental"] == {
        "field": "cost_usd_rental", "value": None, "status": "unpublished", "source": None
    }  # fmt: skip
    for row in envelope["rows"]:
        assert (row["value"] is None) == (row["source"] is None) == (row["status"] == "unpublished")
    said = envelope["inputs"]
    assert (said["accelerator"], said["mfu_scope"]) == ("tpu-v3", "headline")
    assert (said["pue_included"], said["co2_pue_included"]) == (False, True)
    shown = call("models", "gopher").succeeded().stdout
    assert "training run on TPU v3" in shown
    assert "mfu: headline; energy without PUE; CO2 with PUE" in shown
    assert "cost_usd" not in shown


def test_costs_of_one_model_on_different_bases_and_of_different_sources_are_rows_of_their_own(call):
    rows = call("models", "gpt-4", "-f", "json").succeeded().envelope["rows"]
    costs = {row["field"]: (row["value"], row["status"]) for row in rows if row["field"].startswith("cost_usd")}
    assert costs == {
        "cost_usd_rental": (78.4e6, "estimate"),
        "cost_usd_rental_2": (81392749.0, "estimate"),
        "cost_usd_amortised": (37334305.0, "estimate"),
        "cost_usd_authors": (None, "unpublished"),
    }


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        ("gopher", "gpu_hours", "3768320.0"),
        ("gpt3", "energy_mwh", "1287.0"),
        ("gpt3", "gpu_hours", "null"),
        ("gpt-4", "layers", "null"),
        ("deepseek-v3", "experts_count", "256"),
        ("deepseek-v3", "cost_usd_authors", "5576000.0"),
        ("llama3.1", "context", "8192"),
        ("palm", "tied", "true"),
    ],
)
def test_a_number_of_a_shape_or_a_run_is_had_by_its_name(call, model, field, value):
    assert call("models", model, "--get", field).succeeded().stdout == f"{value}\n"


def test_accelerators_say_how_many_devices_share_their_links(call):
    rows = {row["accelerator"]: row for row in call("accelerators", "-f", "json").succeeded().envelope["rows"]}
    assert (rows["gb200"]["domain_devices"], rows["h100-sxm"]["domain_devices"]) == (72, 8)
    assert rows["rtx-4090"]["domain_devices"] is None
    assert call("accelerators", "tpu-v4", "--get", "domain").succeeded().stdout == "4096.0\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("models", "--org", "nvida"), "no model matches --org 'nvida'. Did you mean NVIDIA?"),
        (("models", "--org", "zzz"), "no model matches --org 'zzz'."),
        (("models", "--year", "1999", "--org", "meta"), "no model matches --year '1999' and --org 'meta'."),
        (("models", "--min-params", "900T"), "no model matches --min-params '900T'."),
        (("accelerators", "--year", "1999"), "no accelerator matches --year '1999'."),
        (("accelerators", "--org", "zzz"), "no accelerator matches --org 'zzz'. There are AMD, AWS, Google, Huawei, "),
        (("abilities", "--family", "gpt3"), "no ability matches --family 'gpt3'. Did you mean GPT-3 or GPT-4?"),
        (("abilities", "--family", "zz"), "no ability matches --family 'zz'. There are Anthropic, Chinchilla, Codex, "),
        (("laws", "--year", "1999"), "no law matches --year '1999'."),
        (("laws", "--kind", "moe", "--year", "1999"), "no law matches --kind 'moe' and --year '1999'."),
        (("laws", "--check", "--year", "1999"), "no law matches --year '1999'."),
        (("models", "--org", "x" * 5000), "x'... (5,000 characters)."),
    ],
    ids=lambda words: " ".join(words)[:60] if isinstance(words, tuple) else "",
)
def test_filters_that_match_nothing_give_an_empty_list_and_say_so(call, words, said):
    result = call(*words).succeeded("nothing_matches")
    ((_, message),) = result.notices
    assert said in message
    (warning,) = call(*words, "-f", "json", "-q").succeeded().envelope["warnings"]
    assert (warning["code"], warning["message"]) == ("nothing_matches", message)
    assert call(*words, "-f", "json", "-q").envelope["rows"] == []
    assert call(*words, "-f", "ndjson", "-q").stdout == ""
    assert call(*words, "-f", "csv", "-q").table == []


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("models", "chinchilla", "--get", "params"), "70000000000.0"),
        (("models", "chinchilla", "--get", "params_active"), "null"),
        (("models", "chinchilla", "--get", "field"), "params"),
        (("accelerators", "h100", "--get", "peak_bf16"), "989400000000000.0"),
        (("accelerators", "h100", "--get", "price_low"), "1.99"),
        (("abilities", "gsm8k-finetuning-data", "--get", "solve_rate"), "0.8"),
        (("laws", "besiroglu-2024", "--get", "fit.alpha"), "0.34781303"),
        (("laws", "--get", "bands"), "false"),
    ],
    ids=" ".join,
)
def test_one_value_of_one_entry_is_printed_by_the_name_of_its_field(call, words, shown):
    assert call(*words).succeeded().stdout == f"{shown}\n"


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("models", "--org", "nobody", "--get", "params"),
         ("models has no rows to read params from: no model matches --org 'nobody'.",)),
        (("laws", "--year", "1999", "--get", "law"), ("laws has no rows to read law from: no law matches",)),
        (("accelerators", "--year", "1999", "--get", "tdp_w"), ("accelerators has no rows to read tdp_w from",)),
        (("abilities", "--family", "zz", "--get", "loss"), ("abilities has no rows to read loss from",)),
        (("models", "--org", "nobody", "--get", "parms"), ("no key 'parms'", "Did you mean params")),
        (("models", "chinchilla", "--get", "parms"), ("no key 'parms'", "Did you mean params", "fields: params, ")),
        (("accelerators", "h100", "--get", "peak_bf16_flop_per_s"), ("Did you mean peak_bf16 ",)),
        (("laws", "besiroglu-2024", "--get", "fit.alpa"), ("Did you mean fit.alpha", "and 3 more")),
    ],
    ids=lambda words: " ".join(words) if len(words) > 3 else "",
)  # fmt: skip
def test_a_value_that_is_not_there_is_one_clear_line(call, words, fragments):
    call(*words).failed(2, *fragments)


def test_the_price_at_launch_is_indicative_in_every_output(call, tmp_path):
    rows = call("accelerators", "-f", "json").succeeded().envelope["rows"]
    for row in rows:
        assert row["launch_price_indicative"] is (None if row["launch_price_usd"] is None else True)
    (row,) = [row for row in call("accelerators", "-f", "csv").succeeded().table if row["accelerator"] == "h100-sxm"]
    assert (row["launch_price_usd"], row["launch_price_indicative"]) == ("33600.0", "true")
    rows = {row["field"]: row for row in call("accelerators", "h100", "-f", "json").succeeded().envelope["rows"]}
    assert (rows["launch_price"]["indicative"], rows["tdp"]["indicative"]) == (True, None)
    assert "published (indicative, at launch)" in call("accelerators", "h100").succeeded().stdout
    assert "published (indicative, at launch)" in call("accelerators", "h100", "-f", "markdown").succeeded().stdout
    assert "(indicative" not in call("accelerators", "rubin").succeeded().stdout
    text = f"{ACCELERATOR}launch_price: {{value: 9, unit: USD, status: rumour}}\n"
    (tmp_path / "d.yaml").write_text(text)
    assert "9 USD (indicative)" in call("check", "d.yaml").succeeded().stdout


def test_accelerators_that_are_only_announced_are_marked(call, run, own):
    rows = {row["accelerator"]: row for row in call("accelerators", "-f", "json").succeeded().envelope["rows"]}
    announced = {name for name, row in rows.items() if row["availability"] == "announced"}
    assert announced == {"rubin", "mi455x", "ascend-950dt"}
    for form, mark in (("table", "*"), ("markdown", "\\*")):
        shown = call("accelerators", "-f", form).succeeded().stdout
        assert f"{mark} only announced, not yet available" in shown.splitlines()[0]
        lines = [line for line in shown.splitlines()[1:] if f" {mark} " in line]
        assert {line.strip("| ").split()[0] for line in lines} == announced
    assert "only announced" not in call("accelerators", "--year", "2022").succeeded().stdout
    assert "(NVIDIA, 2026, only announced, not yet available)" in call("accelerators", "rubin").succeeded().stdout
    assert "(NVIDIA, 2022, available)" in call("accelerators", "h100").succeeded().stdout
    file = own / "accelerators" / "dev.yaml"
    file.write_text(ACCELERATOR.replace("availability: announced", "availability: discontinued"))
    shown = run("accelerators", "--org", "us", environment={"SCALEPLAN_PRESETS": str(own)}).succeeded().stdout
    assert "# no longer sold)" in shown
    assert " dev # " in shown


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("models", "By announced or model, or by params, tokens or train_flop, largest first."),
        ("accelerators", "bf16, fp8, memory, memory_bandwidth or tdp, largest first; or by price, lowest first."),
        ("abilities", "by train_flop, params or loss, smallest first."),
    ],
)
def test_the_help_of_sort_says_the_direction(call, command, said):
    assert said in " ".join(call(command, "--help").succeeded().stdout.split())


def test_mixtures_of_experts_are_told_in_the_list_of_models(call, terminal):
    rows = {row["model"]: row for row in call("models", "-f", "json").succeeded().envelope["rows"]}
    keys = ("mixture_of_experts", "params_active", "params_active_status")
    assert [rows["deepseek-v3"][key] for key in keys] == [True, 3.7e10, "published"]
    assert [rows["switch-1.6t"][key] for key in keys] == [True, None, "unpublished"]
    assert [rows["gopher-280b"][key] for key in keys] == [False, None, None]
    shown = terminal("models", columns=80, environment={"NO_COLOR": "1"}).succeeded().stdout
    lines = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert lines["deepseek-v3"][1:5] == ["2024", "671B", "37B", "14.8T"]
    assert lines["gpt-4"][1:5] == ["2023", "1.8T!", "280B!", "13T!"]
    assert lines["switch-1.6t"][1:5] == ["2021", "1.571T", "MoE", "576B"]
    assert lines["gopher-280b,"][1:5] == ["gopher", "2021", "280B", "300B"]
    assert "what each token passes in a mixture of experts" in " ".join(shown.split())


def test_abilities_have_their_mark_behind_the_name_and_break_no_name_at_80_columns(call, terminal):
    names = [row["ability"] for row in call("abilities", "-f", "json").succeeded().envelope["rows"]]
    for columns in (80, 100):
        shown = terminal("abilities", columns=columns, environment={"NO_COLOR": "1"}).succeeded().stdout
        assert {line.split()[0].rstrip("?~!") for line in shown.splitlines() if line.strip()} >= set(names)
        assert " neqa?  " in shown
        assert " pattern-matching-suppression?  " in shown
    assert "| ability |  |" not in call("abilities", "-f", "markdown").succeeded().stdout


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("accelerators", "h10"), ("unknown accelerator 'h10'", "Did you mean h100")),
        (("accelerators", "h100", "--year", "2022"), ("--year", "leave out h100")),
        (("accelerators", "--min-memory", "lots"), ("min-memory", "got lots")),
        (("accelerators", "--sort", "size"), ("cannot sort by 'size'",)),
        (("accelerators", "h100", "--get", "valu"), ("'valu'", "value")),
        (("abilities", "mmlu"), ("unknown ability 'mmlu'", "mmlu-57-topics")),
        (("abilities", "neqa", "--kind", "data"), ("--kind", "leave out neqa")),
        (("abilities", "--kind", "emergnt"), ("'emergnt'", "Did you mean emergent")),
        (("models", "gopher", "--org", "us", "--year", "2020"), ("--year and --org", "leave out gopher")),
        (("schema", "modle"), ("'modle'", "Did you mean model?")),
        (("schema",), ("KIND",)),
        (("models", "x" * 5000), ("unknown model 'xxx", "x'... (5,000 characters).")),
        (("models", "x " * 2500), ("unknown model 'x x", "... (5,000 characters).")),
        (("models", "x" * 5000 + ".yaml", "--year", "2020"), ("leave out xxx", "x... (5,005 characters)")),
        (("laws", "x" * 5000), ("unknown law 'xxx", "x'... (5,000 characters).")),
        (("laws", "--kind", "x" * 5000), ("... (5,00",)),
        (("abilities", "--kind", "x " * 2500), ("... (5,000 characters).",)),
        (("accelerators", "--sort", "x " * 2500), ("... (5,000 characters);",)),
        (("accelerators", "--min-memory", "x " * 2500), ("... (5,000 characters))",)),
        (("compare", "x=" + "x " * 2500), ("... (5,002 characters)",)),
        (("allocate", "--flops", "x " * 2500), ("... (5,000 characters);",)),
        (("init", "x " * 2500), ("cannot write x x", "... (5,000 characters): file name too long")),
        (("schema", "law", "-o", "no/such/law.json"), ("cannot write no/such/law.json",)),
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_words_that_make_no_sense_are_one_clear_line(call, words, fragments):
    assert len(call(*words).failed(2, *fragments).stderr) < 400


# schemas


@pytest.mark.parametrize("kind", ["law", "budget", "options", "model", "accelerator", "ability"])
def test_the_schema_of_a_kind_is_printed_as_checked_in(call, tmp_path, kind):
    result = call("schema", kind).succeeded()
    assert result.stdout == (SCHEMAS / f"{kind}.json").read_text(encoding="utf-8")
    assert json.loads(result.stdout)["$id"] == f"urn:scaleplan:schema:{kind}:1"
    written = call("schema", kind, "-o", "schema.json")
    assert (written.stdout, written.stderr, written.code) == ("", "", 0)
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == result.stdout
