"""``scaleplan sweep``: a row a scenario, in order, wherever they are made."""

from __future__ import annotations

import pytest

from scaleplan import allocate
from scaleplan.api.sweep_rows import CHUNK_ROWS
from scaleplan.errors import UsageError
from scaleplan.planning.repeats import UnvaluedRepeatsError

SWEEP = """\
schema: scaleplan.sweep/1
name: small
law: [chinchilla, muennighoff-2023]
budget:
  flops: {from: 1e22, to: 1e24, points: 3}
  on: [256xh100-sxm, 1024xa100-sxm-80]
  mfu: 40%
  price: [2, 3]
limits: {deadline_days: [20, 60], unique_tokens: 500B, max_epochs: 4}
serving: {tokens: 100B}
"""
ROWS = 2 * 3 * 2 * 2 * 2
COLUMNS = [
    "law", "budget_flops", "budget_on", "budget_price", "limits_deadline_days", "status", "train_flop", "params",
    "tokens", "tokens_per_param", "epochs", "loss", "binding", "gpu_hours", "days", "cost_usd", "energy_mwh",
    "serving_flop", "lifetime_flop",
]  # fmt: skip
NOTICES = ("extrapolation", "repeats_unvalued", "loss_measure")


@pytest.fixture(name="sweep")
def _sweep(tmp_path):
    def write(text=SWEEP):
        (tmp_path / "sweep.yaml").write_text(text)
        return "sweep.yaml"

    return write


def valued(row):
    """A CSV row with its numbers read and its empty cells absent."""
    texts = ("law", "budget_on", "status", "binding")
    return {key: value or None if key in texts else float(value) if value else None for key, value in row.items()}


def test_a_sweep_has_a_row_a_scenario_in_every_format(call, sweep):
    file = sweep()
    rows = call("sweep", file, "-f", "ndjson").succeeded(*NOTICES).lines
    assert [list(row) for row in rows] == [COLUMNS] * ROWS
    table = call("sweep", file, "-f", "csv", "-q").succeeded().table
    assert list(map(valued, table)) == rows
    envelope = call("sweep", file, "-f", "json").succeeded(*NOTICES).envelope
    assert envelope["schema"] == "scaleplan.sweep/1"
    assert envelope["rows"] == rows
    assert {notice["code"] for notice in envelope["warnings"]} == set(NOTICES)
    inputs = envelope["inputs"]
    assert (inputs["name"], inputs["rows"]) == ("small", ROWS)
    assert [axis["column"] for axis in inputs["axes"]] == COLUMNS[:5]
    assert inputs["held"]["limits"] == {"unique_tokens": "500B", "max_epochs": 4}
    assert [law["id"] for law in inputs["laws"]] == ["besiroglu-2024", "muennighoff-2023"]


def test_rows_are_the_product_of_the_axes_the_last_one_fastest(call, sweep):
    rows = call("sweep", sweep(), "-f", "ndjson", "-q").succeeded().lines
    assert [tuple(row[key] for key in COLUMNS[:5]) for row in rows] == [
        (law, pytest.approx(flops, rel=1e-12), on, price, days)
        for law in ("besiroglu-2024", "muennighoff-2023")
        for flops in (1e22, 1e23, 1e24)
        for on in ("256xh100-sxm", "1024xa100-sxm-80")
        for price in (2, 3)
        for days in (20, 60)
    ]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_sweep_may_be_read_by_people(call, sweep, form):
    text = call("sweep", sweep(), "-f", form, "-q").succeeded().stdout
    for shown in ("muennighoff", "1e22", "D/N", "256xh100", "repeats"):
        assert shown in text.replace("\\", "")


def test_a_row_is_the_plan_that_allocate_makes(call, sweep):
    for row in call("sweep", sweep(), "-f", "ndjson", "-q").succeeded().lines:
        words = {
            "law": row["law"], "flops": row["budget_flops"], "on": row["budget_on"], "price": row["budget_price"],
            "days": row["limits_deadline_days"], "mfu": 0.4, "serving": {"tokens": "100B"},
            "limits": {"unique_tokens": "500B", "max_epochs": 4},
        }  # fmt: skip
        if row["status"] == "repeats-unvalued":
            with pytest.raises(UsageError, match="does not say what repeats are worth"):
                allocate(**words)
            assert {row[key] for key in COLUMNS[6:]} == {None}
            continue
        plan = allocate(**words)
        assert row["status"] == "ok"
        assert row["binding"] == "+".join(plan.binding)
        assert row["loss"] == pytest.approx(plan.loss, rel=1e-9)
        for key in ("train_flop", "params", "tokens", "gpu_hours", "cost_usd", "days", "energy_mwh"):
            assert row[key] == pytest.approx(getattr(plan, key), rel=2e-4)  # the loss is flat in them


def test_without_a_utilisation_each_row_is_the_plan_of_its_budget_file(call, sweep, tmp_path):
    axes = "budget: {usd: [1M, 4M], on: 256xh100-sxm}\nlimits: {max_params: [2B, 100B]}\n"
    rows = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{axes}"), "-f", "ndjson", "-q").succeeded().lines
    assert [(row["budget_usd"], row["limits_max_params"]) for row in rows] == [
        (usd, params) for usd in (1e6, 4e6) for params in (2e9, 1e11)
    ]
    for row in rows:
        budget = f"budget: {{usd: {row['budget_usd']}, on: 256xh100-sxm}}\n"
        limits = f"limits: {{max_params: {row['limits_max_params']}}}\n"
        (tmp_path / "one.yaml").write_text(f"schema: scaleplan.budget/1\nlaw: besiroglu-2024\n{budget}{limits}")
        plan = allocate(tmp_path / "one.yaml")
        assert row["binding"] == "+".join(plan.binding)
        assert row["cost_usd"] == pytest.approx(row["budget_usd"])
        for key in ("params", "tokens", "loss", "gpu_hours", "days"):
            assert row[key] == pytest.approx(getattr(plan, key), rel=1e-6)


@pytest.mark.parametrize("budget", ["usd: {from: 1e6, to: 1, points: 4}", "usd: {from: 1, to: 1e6, points: 4}"])
def test_a_row_without_a_plan_stays_where_it_is_and_ends_no_sweep(call, sweep, budget):
    result = call("sweep", sweep(f"schema: scaleplan.sweep/1\nbudget: {{{budget}, on: h100-sxm}}\n"), "-f", "json")
    rows = result.succeeded("infeasible").envelope["rows"]
    assert len(rows) == 4
    for row in rows:
        assert row["status"] == ("infeasible" if row["budget_usd"] == 1 else "ok")
        assert (row["loss"] is None) == (row["budget_usd"] == 1)
    assert "1 of 4 rows have no plan" in dict(result.notices)["infeasible"]


@pytest.mark.parametrize("speed", ["", ", mfu: 0.4"])
@pytest.mark.parametrize("budget", ["usd: [1e4, 1e6]", "loss: [3, 2.45]"])
def test_rows_of_the_law_that_values_no_repeats_say_so(call, sweep, budget, speed):
    text = (
        "law: [besiroglu-2024, muennighoff-2023]\n"
        f"budget: {{{budget}, on: 64xh100-sxm{speed}}}\nlimits: {{unique_tokens: 20B}}\n"
    )
    result = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-f", "ndjson")
    rows = result.succeeded("repeats_unvalued").lines
    statuses = [(row["law"], row["status"]) for row in rows]
    assert statuses[1] == ("besiroglu-2024", "repeats-unvalued") or budget.startswith("loss")
    assert statuses[2:] == [("muennighoff-2023", "ok")] * 2
    for row in rows:
        key = next(iter(set(row) & {"budget_usd", "budget_loss"}))
        words = {key.removeprefix("budget_"): row[key], "on": "64xh100-sxm", "mfu": 0.4 if speed else None}
        words |= {"law": row["law"], "limits": {"unique_tokens": "20B"}}
        if row["status"] == "repeats-unvalued":
            with pytest.raises(UnvaluedRepeatsError):
                allocate(**words)
        else:
            assert row["loss"] == pytest.approx(allocate(**words).loss, rel=1e-9)


def test_numbers_beyond_what_can_be_planned_are_no_plans(call, sweep):
    text = "law: ludziejewski-2025\nbudget: {flops: 1e23}\nlimits: {experts: [1, 1e300]}\n"
    call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}")).failed(
        3, "sweep.yaml:4: limits.experts: must be at most"
    )


def test_memory_without_a_number_of_accelerators_is_said_to_bound_nothing(call, sweep):
    text = "budget: {flops: 1e24, on: [h100-sxm, 8xh100-sxm], mfu: 0.4}\nlimits: {memory: fit}\n"
    result = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-f", "ndjson").succeeded("unused")
    assert "h100-sxm: memory bounds no plan without a number" in dict(result.notices)["unused"]
    assert [row["binding"] for row in result.lines] == ["flops", "flops+memory"]


def test_laws_that_know_nothing_of_few_bits_say_so_together(call, sweep):
    text = "law: [besiroglu-2024, kaplan-2020]\nbudget: {flops: 1e22, on: h100-sxm, mfu: 0.4, precision: [bf16, fp8]}\n"
    result = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-f", "csv").succeeded(
        "precision", "by_surface"
    )
    told = dict(result.notices)
    assert told["precision"].startswith("besiroglu-2024, kaplan-2020: says nothing of fp8: the loss is taken as")
    assert told["by_surface"].startswith("kaplan-2020: limits are weighed by its loss L(N, D)")


def test_rows_held_to_a_fast_layout_are_counted_and_bound_as_by_allocate(call, sweep):
    text = "budget: {days: [10, 60], on: [64xh100-sxm, 1024xh100-sxm]}\n"
    result = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-f", "ndjson").succeeded("layout")
    plans = [allocate(days=row["budget_days"], on=row["budget_on"], law="besiroglu-2024") for row in result.lines]
    assert [row["binding"] for row in result.lines] == ["+".join(plan.binding) for plan in plans]
    held = sum(plan.problem.limits.layout is not None for plan in plans)
    assert 0 < held < 4
    assert f"{held} of 4 rows are held" in dict(result.notices)["layout"]


def test_a_million_rows_are_no_table(call, sweep):
    file = sweep("schema: scaleplan.sweep/1\nbudget: {flops: {from: 1e21, to: 1e26, points: 100001}}\n")
    for form in ("table", "markdown"):
        call("sweep", file, "-f", form).failed(2, "100,001 rows are too many for a " + form, "--format csv")


def test_a_table_names_below_it_what_is_the_same_in_every_row(call, sweep):
    text = "budget: {days: [10, 60], on: 64xh100-sxm, mfu: 0.4, price: [2]}\nlimits: {unique_tokens: 100T}\n"
    head, *_, note = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-q").succeeded().stdout.split("\n\n")
    assert "scenarios" in head
    assert note == "In every row: price 2, status ok, binding days.\n"
    assert "status" not in head


@pytest.mark.parametrize(("form", "workers"), [("csv", "1"), ("ndjson", "2")])
def test_a_reader_that_goes_away_ends_a_sweep_without_a_word(live, sweep, form, workers):
    file = sweep("schema: scaleplan.sweep/1\nbudget: {flops: {from: 1e21, to: 1e26, points: 1000000}}\n")
    program = live("sweep", file, "-f", form, "--workers", workers)
    program.receive()
    program.close_stdout()
    result = program.finish()
    assert (result.code, result.stderr) == (141, "")


def test_mixtures_of_experts_are_planned_as_by_allocate(call, sweep):
    text = (
        "law: ludziejewski-2025\nbudget: {flops: [1e21, 1e23], on: [8xh100-sxm, 64xh100-sxm], mfu: 0.4}\n"
        "limits: {experts: [1, 8, free], memory: fit}\nserving: {tokens: 1T}\n"
    )
    rows = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-f", "ndjson", "-q").succeeded().lines
    assert len(rows) == 12
    assert {row["experts"] for row in rows} > {1, 8}
    for row in rows:
        experts = row["limits_experts"] if row["limits_experts"] == "free" else int(row["limits_experts"])
        plan = allocate(
            flops=row["budget_flops"], on=row["budget_on"], mfu=0.4, law="ludziejewski-2025",
            limits={"experts": experts, "memory": "fit"}, serving={"tokens": "1T"},
        )  # fmt: skip
        assert row["experts"] == plan.experts
        assert row["binding"] == "+".join(plan.binding)
        assert row["loss"] == pytest.approx(plan.loss, rel=1e-9)
        for key in ("params", "params_active", "tokens", "tokens_per_param", "gpu_hours", "cost_usd"):
            assert row[key] == pytest.approx(getattr(plan, key), rel=2e-4)
        assert row["serving_flop"] == pytest.approx(plan.serving.flop, rel=2e-4)


def test_processes_make_the_same_rows_in_the_same_order(call, run, sweep):
    text = SWEEP.replace("points: 3", f"points: {CHUNK_ROWS // 16 + 100}")  # two chunks
    file = sweep(text)
    alone = call("sweep", file, "-f", "csv", "-q").succeeded().stdout
    assert len(alone.splitlines()) == 1 + CHUNK_ROWS + 1600
    assert run("sweep", file, "-f", "csv", "-q", "--workers", "2").succeeded().stdout == alone


def test_a_cluster_makes_the_same_rows_in_the_same_order(call, sweep):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    file = sweep()
    alone = call("sweep", file, "-f", "csv", "-q").succeeded().stdout
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp", host="127.0.0.1"
    ) as cluster:
        words = ("--scheduler", cluster.scheduler_address)
        assert call("sweep", file, "-f", "csv", "-q", *words).succeeded().stdout == alone


def test_rows_that_no_run_meets_stay_and_are_counted(call, sweep):
    text = "budget: {flops: 1e22}\nlimits: {min_params: [1B, 50B], max_params: [10B, 100B]}\n"
    result = call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}"), "-f", "ndjson")
    rows = result.succeeded("infeasible").lines
    assert [row["status"] for row in rows] == ["ok", "ok", "infeasible", "ok"]
    assert {row["params"] for row in rows[2:3]} == {None}
    assert "1 of 4 rows have no plan: no run meets all of their limits." in dict(result.notices)["infeasible"]


def test_the_examples_are_swept(call, configs):
    files = sorted((configs / "sweeps").glob("*.yaml"))
    assert files
    for file in files:
        rows = call("sweep", str(file), "-f", "ndjson", "-q").succeeded().lines
        assert {row["status"] for row in rows} == {"ok"}


def test_a_sweep_goes_to_a_file_whole_and_one_column_to_stdout(call, sweep, tmp_path):
    file = sweep()
    text = call("sweep", file, "-f", "csv", "-q").succeeded().stdout
    assert call("sweep", file, "-f", "csv", "-q", "-o", "rows.csv").code == 0
    assert (tmp_path / "rows.csv").read_text() == text
    losses = call("sweep", file, "-q", "--get", "loss").succeeded().stdout.splitlines()
    assert [each or "null" for each in losses] == [row["loss"] or "null" for row in map(named, text.splitlines()[1:])]


def named(line):
    """A CSV line by its columns."""
    return dict(zip(COLUMNS, line.split(","), strict=True))


def test_a_sweep_reads_standard_input(call):
    text = "schema: scaleplan.sweep/1\nbudget: {flops: [1e21, 1e22]}\n"
    rows = call("sweep", "-", "-f", "ndjson", "-q", stdin=text).succeeded().lines
    assert [row["budget_flops"] for row in rows] == [1e21, 1e22]


@pytest.mark.parametrize(
    ("text", "code", "fragments"),
    [
        ("budget: {flops: []}", 3, ["sweep.yaml:2: budget.flops: an axis without values"]),
        ("budget: {flops: [1e21, -1]}", 3, ["sweep.yaml:2: budget.flops: must be > 0 (got -1)"]),
        (
            "budget: {flops: 1e22}\nlimits: {max_usd: [1M, 2M]}",
            3,
            ["sweep.yaml:3: limits.max_usd: needs an accelerator"],
        ),
        (
            "budget: {flops: 1e22, mfu: 0.4, on: [h20, v100-sxm2-32]}",
            2,
            ["budget.on v100-sxm2-32: v100-sxm2-32 has no"],
        ),
        ("budget: {flops: 1e22}\nlimits: {experts: [8, 16]}", 2, ["besiroglu-2024 says nothing of experts"]),
        ("budget: {flops: 1e22, on: h20, mfu: [0.3, 0.4]}\nlimits: {batch: critical}", 2, ["add budget.batch"]),
        ("budget: {days: 60, on: [8xh100-sxm, h100-sxm]}", 3, ["days of how many h100-sxm?"]),
        (
            "budget: {usd: {from: 1, to: 1e9, points: 100001}}",
            2,
            ["100,001 rows without a utilisation", "give budget.mfu, or take at most 100,000 rows"],
        ),
    ],
)
def test_what_cannot_be_swept_is_one_clear_line(call, sweep, text, code, fragments):
    call("sweep", sweep(f"schema: scaleplan.sweep/1\n{text}\n")).failed(code, *fragments)


def test_workers_must_be_a_whole_number_above_zero(call, sweep):
    call("sweep", sweep(), "--workers", "0").failed(2, "workers must be at least 1 (got 0)")
    call("sweep", sweep(), "--workers", "two").failed(2, "workers must be a whole number (got two)")


def test_a_file_is_not_replaced_by_its_own_rows(call, sweep):
    call("sweep", sweep(), "-o", "sweep.yaml").failed(2, "-o both name sweep.yaml")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_first_rows_come_long_before_the_last_and_ctrl_c_ends_it(live, sweep, workers):
    million = "limits: {max_params: {from: 1e9, to: 1e12, points: 10000}}\n"
    file = sweep(f"schema: scaleplan.sweep/1\nbudget: {{flops: {{from: 1e21, to: 1e26, points: 100000}}}}\n{million}")
    program = live("sweep", file, "-f", "csv", "-q", "--workers", workers)
    assert program.receive().startswith("budget_flops,limits_max_params,status")
    assert len(program.receive().split(",")) == 9
    program.interrupt()
    result = program.finish()
    assert result.code == 130
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 1
