"""What starting up may load: a command that does not need a heavy library never imports it."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaleplan.cli import app as program

HEAVY = ("numpy", "scipy", "polars", "rich", "altair", "pandas", "statistics")
ROOT = Path(__file__).parents[2]


def modules_after(*args: str, stdin: str = "") -> set[str]:
    code = (
        "import sys, json, atexit\n"
        f"sys.argv = ['scaleplan', *{list(args)!r}]\n"
        "atexit.register(lambda: sys.stderr.write('\\n@' + json.dumps(sorted(sys.modules))))\n"
        "from scaleplan.__main__ import main\nmain()\n"
    )
    # Libraries that pytest loads set COLUMNS behind Python's back; only what os.environ says is handed on.
    done = subprocess.run(
        [sys.executable, "-c", code], input=stdin, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.rpartition("\n@")[2]))


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("allocate", "--help"),
        ("fit", "--help"),
        ("pilot", "--help"),
        ("forecast", "--help"),
        ("watch", "--help"),
        ("allocate", "--flops", "1e24", "--format", "json"),
        ("allocate", "--flops", "1e24", "--format", "csv"),
        ("allocate", "--flops", "1e24", "--get", "params"),
        ("allocate", "configs/budgets/frontier-1e24.yaml", "--format", "json"),
        ("compare", "--format", "json"),
        ("compare", "configs/options/gopher-budget.yaml", "--format", "markdown"),
        ("predict", "--params", "70B", "--tokens", "1.4T", "--format", "json"),
        ("frontier", "--format", "ndjson"),
        ("cost", "--params", "70B", "--tokens", "1.4T", "--on", "2048xh100-sxm", "--format", "json"),
        ("cost", "llama31-405b", "--published", "--format", "json"),
        ("allocate", "--on", "2048xh100-sxm", "--days", "60", "--format", "json"),
        ("allocate", "--flops", "1e24", "--max-params", "30B", "--format", "json"),
        ("allocate", "--flops", "1e24", "--unique-tokens", "1T", "--format", "csv"),
        ("allocate", "--flops", "1e24", "--serve", "2T", "--serve-on", "h100-sxm", "--get", "binding"),
        ("allocate", "--flops", "1e24", "--on", "512xh100-sxm", "--days", "20", "--mfu", "0.4", "--format", "json"),
        ("allocate", "--loss", "2.1", "--max-params", "5B", "--law", "chinchilla"),
        ("tradeoff", "--flops", "1e24", "--format", "json"),
        ("shape", "--params", "70B", "--format", "json"),
        ("laws", "--format", "json"),
        ("models", "gopher", "--format", "json"),
        ("models", "--format", "json"),
        ("accelerators", "--format", "json"),
        ("accelerators", "h100", "--format", "csv"),
        ("abilities", "--format", "ndjson"),
        ("schema", "model"),
    ],
)
def test_a_command_for_one_answer_loads_no_heavy_library(args, monkeypatch):
    monkeypatch.chdir(ROOT)
    loaded = modules_after(*args)
    assert not [name for name in HEAVY if name in loaded]


def test_shipped_presets_are_read_without_the_models_that_validate_files():
    ours = {"catalogue_document", "catalogue_schema", "document", "json_schemas", "law_document", "own_presets"}
    for command in ("models", "accelerators", "abilities"):
        loaded = modules_after(command, "--format", "json")
        assert not [name for name in ours if f"scaleplan.specs.{name}" in loaded], command


def test_without_a_folder_of_ones_own_no_folder_is_listed(monkeypatch):
    monkeypatch.delenv("SCALEPLAN_PRESETS", raising=False)
    code = (
        "import os, sys, atexit\n"
        "listed = []\n"
        "sys.addaudithook(lambda event, args: listed.append(str(args[0])) if event in ('os.scandir', 'os.listdir')"
        " else None)\n"
        "atexit.register(lambda: sys.stderr.write('@' + '|'.join(p for p in listed if 'presets' in p)))\n"
        "sys.argv = ['scaleplan', 'allocate', '--flops', '1e24', '--format', 'json', '--quiet']\n"
        "from scaleplan.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rpartition("@")[2] == ""


def test_help_loads_neither_yaml_nor_the_planner():
    loaded = modules_after("--help")
    assert not [name for name in loaded if name.startswith(("yaml", "scaleplan.planning", "scaleplan.laws"))]


def test_a_table_loads_rich_where_cells_must_be_wrapped_and_a_stream_polars_and_nothing_else(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    for words in (("allocate", "--flops", "1e24"), ("models",), ("accelerators", "h100"), ("abilities",)):
        loaded = modules_after(*words)
        assert not [name for name in HEAVY if name in loaded], words
    monkeypatch.setenv("COLUMNS", "80")
    narrow = modules_after("abilities")
    assert {name for name in HEAVY if name in narrow} == {"rich"}
    streamed = modules_after("allocate", "--flops", "-", "--format", "csv", stdin="1e24\n")
    assert {name for name in HEAVY if name in streamed} <= {"numpy", "polars", "statistics"}


def test_a_design_of_pilot_runs_loads_numpy_and_nothing_else(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    words = ("pilot", "--flops", "1e22", "--runs", "12", "--on", "8xh100-sxm", "--quiet")
    for form in ("json", "table"):
        loaded = modules_after(*words, "--format", form)
        assert {name for name in HEAVY if name in loaded} == {"numpy"}, form


def test_importing_the_package_loads_nothing():
    code = "import scaleplan, sys; print([n for n in sys.modules if n.startswith('scaleplan.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_floor_of_the_start_up_benchmark_has_as_many_commands_and_options_as_the_program():
    spec = importlib.util.spec_from_file_location("typer_floor", ROOT / "tests" / "benchmarks" / "typer_floor.py")
    floor = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(floor)

    def shape(app):
        return {
            info.callback.__name__: len(inspect.signature(info.callback).parameters) for info in app.registered_commands
        }

    assert shape(floor.app) == shape(program.app)
