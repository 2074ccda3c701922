"""Manifests of pilot runs: written, read back exactly, and checked cell by cell."""

from __future__ import annotations

import csv
import io

import pytest

from scaleplan.compute.transformer import Experts, LatentAttention, Transformer
from scaleplan.errors import InputFileError, UsageError
from scaleplan.pilots.manifest import Manifest, PilotRun
from scaleplan.specs.manifest import COLUMNS, manifest_csv, manifest_rows, read_manifest
from scaleplan.specs.shape_words import shape_in_words

SMALL = Transformer(4, 256, 4, 4, 64, 1024, 32_000, 512)
MIXTURE = Transformer(6, 384, 6, 2, 64, 1536, 32_000, 512, tied=True, experts=Experts(8, 2, 512, 1, 1))
TAKEN = {"accelerator": "h100-sxm", "days": 1 / 3, "gpu_hours": 64.1, "cost_usd": 2**0.5}


def pilot(
    name: str, *, shape: Transformer = SMALL, steps: int = 1000, accelerators: int | None = 8, **other
) -> PilotRun:
    """A run of a shape on so many accelerators, or with none known."""
    params, batch = float(shape.params.total), 64.0 * float(shape.context)
    run = PilotRun(
        id=name,
        stage=1,
        role="design",
        params=params,
        params_nonembedding=float(shape.params.nonembedding),
        tokens=steps * batch,
        shape=shape,
        batch_tokens=batch,
        steps=steps,
        learning_rate=0.1 + 0.2,
        seed=7,
        train_flop=6 * params * steps * batch,
    )
    if accelerators is not None:
        run = run._replace(**TAKEN, accelerators=accelerators)
    return run._replace(**other)


MANIFEST = Manifest(
    "pilots",
    (
        pilot("r1", accelerators=1),
        pilot("r2", shape=MIXTURE, steps=12_345, learning_rate=1e-5, cost_usd=None),
        pilot("r1-seed2", stage=2, role="replicate", seed=0, cost_usd=0.0),
        pilot("Last.1", role="back-test", steps=10**6, accelerators=16),
    ),
)


@pytest.fixture
def read_changed(tmp_path):
    """Reads the manifest with values changed in the last of its lines, or in the header where a column is renamed."""

    def read(changes: dict[str, str] | None = None, header: dict[str, str] | None = None) -> Manifest:
        path = tmp_path / "edited.csv"
        rows = list(csv.DictReader(io.StringIO(manifest_csv(MANIFEST))))
        rows[-1] |= changes or {}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([(header or {}).get(column, column) for column in COLUMNS])
        writer.writerows(row.values() for row in rows)
        path.write_text(text.getvalue(), encoding="utf-8")
        return read_manifest(str(path))

    return read


@pytest.mark.parametrize("accelerators", [8, None])
def test_runs_are_read_back_to_the_last_bit(tmp_path, accelerators):
    bare = tuple(pilot(run.id, accelerators=None, learning_rate=1e-300) for run in MANIFEST.runs)
    runs = MANIFEST.runs if accelerators else bare
    folder = tmp_path / "dense 2027"
    folder.mkdir()
    path = folder / "manifest.csv"
    path.write_text(manifest_csv(Manifest("other", runs)), encoding="utf-8")
    assert read_manifest(str(path)) == Manifest("dense 2027", runs)


def test_a_file_of_another_name_gives_its_own(read_changed):
    assert read_changed() == MANIFEST._replace(name="edited")


def test_rows_have_the_columns_in_order_and_counts_are_plain_digits():
    rows = manifest_rows(MANIFEST)
    assert [tuple(row) for row in rows] == [COLUMNS] * 4
    assert rows[0]["shape"] == shape_in_words(SMALL)
    last = list(csv.DictReader(io.StringIO(manifest_csv(MANIFEST))))[-1]
    assert last["tokens"] == "32768000000"
    assert last["params"] == "20580608"
    assert last["learning_rate"] == "0.30000000000000004"
    assert last["days"] == "0.3333333333333333"


def test_rounding_to_three_digits_is_no_contradiction(read_changed):
    run = read_changed({"params": "2.06e7", "params_nonembedding": "4.20e6", "tokens_per_param": "1590"}).runs[-1]
    assert run.params == 2.06e7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "../r9"}, "id: must be 1 to 100 of A-Z a-z 0-9 . _ - and begin with none of . and -: files are named"),
        ({"id": ".r9"}, "id: must be"),
        ({"id": "-r9"}, "id: must be"),
        ({"id": ""}, "id: must be"),
        ({"id": "$(touch pwned)"}, "(got '$(touch pwned)')"),
        ({"id": "r1"}, "id: stands twice: r1"),
        ({"id": "R1"}, "id: stands twice: R1 and r1: files of some systems do not tell these apart"),
        ({"stage": "0"}, "stage: must be a whole number of at least 1 (got '0')"),
        ({"stage": "1.5"}, "stage: must be a whole number"),
        (
            {"role": "backtest"},
            "role: must be one of design, replicate, back-test (got 'backtest'). Did you mean back-",
        ),
        ({"params": "20M"}, "params: must be a number above zero (got '20M')"),
        ({"params": "3e7", "tokens_per_param": "1092"}, "params: must be the shape's, 20580608 (got 3e7)"),
        ({"params_nonembedding": "5e6"}, "params_nonembedding: must be the shape's, 4196608 (got 5e6)"),
        ({"tokens": "nan"}, "tokens: must be a number above zero (got 'nan')"),
        ({"tokens": "32767000000"}, "tokens: must be steps x batch_tokens, 32768000000 (got 32767000000)"),
        ({"tokens_per_param": "20"}, "tokens_per_param: must be tokens / params, 1592.17842349458 (got 20)"),
        ({"shape": "layers=4"}, "shape: 'layers=4': needs width"),
        ({"batch_tokens": "inf"}, "batch_tokens: must be a number above zero (got 'inf')"),
        ({"steps": "1e400"}, "steps: must be a whole number"),
        ({"learning_rate": "-1e-3"}, "learning_rate: must be a number above zero (got '-1e-3')"),
        ({"seed": "-1"}, "seed: must be a whole number of at least 0 (got '-1')"),
        ({"train_flop": ""}, "train_flop: must be a number above zero (got '')"),
        ({"accelerator": ""}, "accelerator: empty, though accelerators is given"),
        ({"accelerator": "a100"}, "accelerator: must be that of the first run, h100-sxm"),
        ({"accelerators": "0"}, "accelerators: must be a whole number of at least 1"),
        ({"cost_usd": "-1"}, "cost_usd: must be a number of at least zero (got '-1')"),
        (
            dict.fromkeys(("accelerator", "accelerators", "days", "gpu_hours"), ""),
            "cost_usd: given without accelerator",
        ),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(read_changed, changes, said):
    with pytest.raises(InputFileError) as caught:
        read_changed(changes)
    (problem,) = caught.value.problems
    assert "edited.csv:5: " in problem
    assert said in problem


def test_all_wrong_cells_are_told_at_once(read_changed):
    with pytest.raises(InputFileError) as caught:
        read_changed({"stage": "x", "seed": "y", "days": "z"})
    assert [problem.split(": ")[1] for problem in caught.value.problems] == ["stage", "seed", "days"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"tokens": "token"}, "'token' is no column of a manifest. Did you mean tokens"),
        ({"seed": "role"}, "column 'role' stands twice"),
    ],
)
def test_columns_are_those_of_a_manifest(read_changed, header, said):
    with pytest.raises(InputFileError, match=said):
        read_changed(header=header)


def test_a_missing_column_no_rows_and_no_file_are_said(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,stage\nr1,1\n", encoding="utf-8")
    with pytest.raises(InputFileError, match=r"m.csv:1: no column role; a manifest has id,stage,role"):
        read_manifest(str(path))
    path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with pytest.raises(InputFileError, match="a header and no rows"):
        read_manifest(str(path))
    path.write_text('{"id": "r1"}\n', encoding="utf-8")
    with pytest.raises(InputFileError, match=r"no column stage"):
        read_manifest(str(path))
    with pytest.raises(InputFileError, match="no such file"):
        read_manifest(str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((), "at least one run"),
        ((pilot("a b"),), r"\(got 'a b'\)"),
        ((pilot("r1\n"),), r"\(got 'r1\\n'\)"),
        ((pilot("r1"), pilot("r1")), "two runs are called r1"),
        ((pilot("r1"), pilot("r2", accelerators=None)), "the same accelerator .got 'h100-sxm' and none"),
        ((pilot("r1", accelerator='h100"\n'),), "an accelerator's id must be"),
        ((pilot("r1", shape=SMALL._replace(latent=LatentAttention(8, 8, 8, 8, 8))),), "cannot be written in words"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(runs, said):
    with pytest.raises(UsageError, match=said):
        manifest_csv(Manifest("pilots", runs))
