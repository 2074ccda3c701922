"""Results of pilot runs gathered from job folders and from loose files."""

import csv
import json
import math
import os
import warnings

import pytest

from scaleplan.compute.transformer import Transformer
from scaleplan.errors import InputFileError
from scaleplan.pilots.manifest import Manifest, PilotRun
from scaleplan.specs.manifest import manifest_csv
from scaleplan.specs.pilot_results import collect, runs_rows

BATCH = 2.0**19


def pilot(name, width=256, steps=1000, seed=0):
    shape = Transformer(
        layers=8, width=width, heads=4, kv_heads=4, head_size=width // 4, feed_forward=4 * width, vocabulary=32_000,
        context=1024, gated=False,
    )  # fmt: skip
    counted = shape.params
    return PilotRun(
        id=name,
        stage=1,
        role="design",
        params=float(counted.total),
        params_nonembedding=float(counted.nonembedding),
        tokens=steps * BATCH,
        shape=shape,
        batch_tokens=BATCH,
        steps=steps,
        learning_rate=1e-3,
        seed=seed,
        train_flop=6 * float(counted.total) * steps * BATCH,
    )


def loss_of(run):
    return 1.7 + 400 / run.params**0.34 + 410 / run.tokens**0.28


@pytest.fixture
def job(tmp_path):
    def made(*runs):
        (tmp_path / "job/results").mkdir(parents=True)
        (tmp_path / "job/manifest.csv").write_text(manifest_csv(Manifest("job", runs)))
        return tmp_path / "job"

    return made


def put(folder, name, content="0\n"):
    path = folder / "results" / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def end(folder, run, result=None):
    put(folder, f"{run.id}.done")
    put(folder, f"{run.id}.json", {"loss": loss_of(run)} if result is None else result)


def said(collected, code):
    texts = [notice.message for notice in collected.notices if notice.code == code]
    assert len(texts) == 1
    assert "\n" not in texts[0]
    return texts[0]


def codes(collected):
    return [notice.code for notice in collected.notices]


def test_every_status_by_the_files_that_a_run_left(job):
    runs = [pilot(name) for name in "abcdefg"]
    folder = job(*runs)
    end(folder, runs[0])
    put(folder, "b.log", "iter 5: loss 5.5, time 3ms\n")
    put(folder, "c.failed", "137\n")
    put(folder, "c.log", "killed\n")
    put(folder, "e.done")
    put(folder, "f.done")
    put(folder, "f.log", "iter 999: loss nan, time 3ms\n")
    put(folder, "g.done")
    put(folder, "g.log", "no numbers\n")
    collected = collect(folder)
    outcomes = {each.run_id: each for each in collected.outcomes}
    assert list(outcomes) == list("abcdefg")
    assert [each.status for each in collected.outcomes] == [
        "finished", "unfinished", "failed", "missing", "failed", "diverged", "failed",
    ]  # fmt: skip
    assert (outcomes["a"].loss, outcomes["a"].how) == (loss_of(runs[0]), "loss of the result")
    assert (outcomes["b"].loss, outcomes["b"].detail) == (5.5, "neither ended nor failed so far")
    assert outcomes["c"].detail == "exit code 137"
    assert outcomes["e"].detail == "ended well but left neither e.json nor e.log"
    assert outcomes["f"].detail == "loss nan is not finite"
    assert outcomes["g"].detail == "g.log: no line of 1 could be read as a training log (Megatron-LM text)"
    assert codes(collected) == ["missing_runs", "unfinished_runs", "failed_runs", "diverged_runs"]
    assert said(collected, "missing_runs") == (
        "1 of 7 runs left nothing yet: d; start the jobs again, finished runs are skipped, and collect again."
    )
    assert "3 of 7 runs failed: c (exit code 137), e (ended well but" in said(collected, "failed_runs")
    assert said(collected, "diverged_runs") == (
        "1 of 7 runs diverged and are left out: f (loss nan is not finite); try a lower learning rate or look at their "
        "data; with .done a run is not started again: remove that first."
    )
    assert ".done" not in said(collected, "unfinished_runs")
    assert [row["run"] for row in runs_rows(collected)] == ["a"]
    assert collected.name == "job"


def test_nothing_has_run_yet(job):
    folder = job(*[pilot(f"p{i}") for i in range(8)])
    (folder / "results").rmdir()
    collected = collect(folder)
    assert {each.status for each in collected.outcomes} == {"missing"}
    assert "8 of 8 runs left nothing yet: p0, p1, p2, p3, p4 and 3 more; " in said(collected, "missing_runs")
    assert runs_rows(collected) == []


def test_rows_in_the_order_of_the_manifest_a_replicate_with_its_own(job):
    runs = [pilot("p2", 512), pilot("p1"), pilot("p1-seed1", seed=1)]
    folder = job(*runs)
    for run in runs:
        end(folder, run)
    collected = collect(folder)
    assert collected.notices == ()
    assert runs_rows(collected) == [
        {"run": run.id, "params": run.params, "tokens": run.tokens, "loss": loss_of(run)} for run in runs
    ]


def test_a_fit_reads_the_rows(job, tmp_path):
    from scaleplan.api.fits import fit

    runs = [pilot(f"p{w}-{s}", w, s) for w in (128, 256, 512, 768) for s in (500, 2000, 8000)]
    folder = job(*runs)
    for run in runs:
        end(folder, run)
    rows = runs_rows(collect(folder))
    with open(tmp_path / "runs.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = fit(tmp_path / "runs.csv", bootstrap=0, prior=False)
    assert fitted.table.rows_read == len(runs)
    assert fitted.table.runs.names == tuple(run.id for run in runs)
    assert "ignored_columns" not in {each.code for each in fitted.table.notices}


def test_the_result_counts_before_the_log_and_the_log_adds_its_curve(job):
    steady, risen = pilot("steady"), pilot("risen")
    folder = job(steady, risen)
    for run in (steady, risen):
        end(folder, run, {"eval_loss": 4.0})
    put(folder, "steady.log", "".join(f"iter {i}: loss {4.5 + 5 / (i + 1)}, time 1ms\n" for i in range(200)))
    put(folder, "risen.log", "".join(f"iter {i}: loss {4.5 + abs(i - 100) / 50}, time 1ms\n" for i in range(200)))
    collected = collect(folder)
    assert [(each.loss, each.status) for each in collected.outcomes] == [(4.0, "finished"), (4.0, "diverged")]
    assert "its log ends 40.4 % above its own minimum" in collected.outcomes[1].detail


def test_results_as_json_lines_and_trainer_state(job):
    lines, state = pilot("lines"), pilot("state")
    folder = job(lines, state)
    rows = [{"step": i, "loss": 6 - i / 1000, "tokens": i * BATCH} for i in range(100, 1001, 100)]
    end(folder, lines, "".join(json.dumps(row) + "\n" for row in [*rows, {"step": 1000, "val_loss": 5.125}]))
    history = [{"step": 500, "loss": 5.5}, {"step": 1000, "eval_loss": 5.25}]
    end(folder, state, {"global_step": 600, "max_steps": 1000, "log_history": history})
    first, second = collect(folder).outcomes
    assert (first.status, first.loss, first.how) == ("finished", 5.125, "last evaluation loss")
    assert (second.status, second.detail) == ("unfinished", "stopped at step 600 of 1000")


@pytest.mark.parametrize(("rows", "status"), [(range(100, 1000, 100), "finished"), (range(1, 601), "unfinished")])
def test_the_gap_between_rows_of_a_log_is_allowed_at_its_end(job, rows, status):
    run = pilot("a")
    folder = job(run)
    put(folder, "a.done")
    put(folder, "a.log", "".join(f'{{"step": {i}, "loss": 5.0, "tokens": {i * BATCH}}}\n' for i in rows))
    (outcome,) = collect(folder).outcomes
    assert outcome.status == status


def test_each_rule_of_divergence_reaches_the_outcome(job):
    small, large, guess, wild = (pilot(name, width) for name, width in zip("abcd", (128, 256, 384, 512), strict=True))
    folder = job(small, large, guess, wild)
    for run, loss in ((small, 4.0), (large, 4.25), (guess, math.log(32_000)), (wild, math.inf)):
        end(folder, run, {"loss": loss})
    collected = collect(folder)
    assert [each.status for each in collected.outcomes] == ["finished", "diverged", "diverged", "diverged"]
    text = said(collected, "diverged_runs")
    for words in ("6.25 % above the 4 of run a", "uniform guess over 32000 tokens", "loss inf is not finite"):
        assert words in text


def test_what_was_trained_counts_against_the_manifest_and_is_told(job):
    more, less, other, plain = (pilot(name) for name in ("more", "less", "other", "plain"))
    folder = job(more, less, other, plain)
    end(folder, more, {"loss": 4.5, "tokens": 1.5 * more.tokens})
    end(folder, less, {"loss": 4.5, "tokens": 0.5 * less.tokens})
    end(folder, other, {"loss": 4.5, "params": 1.25 * other.params})
    end(folder, plain, {"loss": 4.5, "params": plain.params_nonembedding, "tokens": 1.005 * plain.tokens})
    collected = collect(folder)
    outcomes = {each.run_id: each for each in collected.outcomes}
    assert [each.status for each in collected.outcomes] == ["finished", "unfinished", "finished", "finished"]
    assert (outcomes["more"].tokens, outcomes["other"].params) == (1.5 * more.tokens, 1.25 * other.params)
    assert (outcomes["plain"].params, outcomes["plain"].tokens) == (plain.params, plain.tokens)
    text = said(collected, "contradictions")
    assert "more (tokens 786.4M, manifest 524.3M)" in text
    assert "other (params " in text
    assert "plain" not in text
    assert "less (stopped at 262.1M of 524.3M tokens)" in said(collected, "unfinished_runs")


def test_a_result_cut_off_in_the_middle(job):
    logged, lost = pilot("logged"), pilot("lost")
    folder = job(logged, lost)
    for run in (logged, lost):
        end(folder, run, '{"params": 1e8, "tokens": 2e9, "lo')
    put(folder, "logged.log", "step 1000: train loss 4.5, val loss 4.625\n")
    collected = collect(folder)
    assert [(each.status, each.loss) for each in collected.outcomes] == [("finished", 4.625), ("failed", None)]
    cut = ":1: cut off in the middle: the JSON does not end (column 32)"
    assert collected.outcomes[1].detail == f"lost.json{cut}"
    assert said(collected, "unreadable_results") == f"not read, the rest was used: logged.json{cut}."


def test_rows_of_a_result_that_cannot_be_read_are_told(job):
    run = pilot("a")
    folder = job(run)
    end(folder, run, '{"step": 900, "val_loss": 4.5}\n{"step": 1000, "val_lo')
    collected = collect(folder)
    assert collected.outcomes[0].loss == 4.5
    assert said(collected, "unreadable_results").endswith("a.json: 1 of its rows cannot be read.")


def test_training_and_evaluation_losses_side_by_side_are_told(job):
    first, second = pilot("a"), pilot("b")
    folder = job(first, second)
    end(folder, first, {"eval_loss": 4.5})
    put(folder, "b.done")
    put(folder, "b.log", "iter 999: loss 4.5, time 3ms\n")
    assert "1 of 2 losses are means of the training loss" in said(collect(folder), "mixed_losses")


def test_a_result_without_a_word_on_its_end_is_taken_as_ended_and_told(job):
    folder = job(*[pilot(name) for name in "abcd"])
    put(folder, "a.json", {"loss": 4.5})
    put(folder, "b.jsonl", '{"step": 1, "loss": 4.5}\n{"step": 2, "loss": 4.5}\n')
    put(folder, "c.json", {"loss": 4.5, "step": 600})
    put(folder, "d.json", {"loss": 4.5, "step": 999})
    collected = collect(folder)
    assert [each.status for each in collected.outcomes] == ["finished", "unfinished", "unfinished", "finished"]
    assert collected.outcomes[2].detail == "stopped at step 600 of 1000"
    assert said(collected, "unmarked_runs").endswith("taken as ended: a, d.")


def test_a_run_that_ended_well_after_it_failed_counts_as_ended_well(job):
    run = pilot("a")
    folder = job(run)
    end(folder, run)
    put(folder, "a.failed", "1\n")
    assert collect(folder).outcomes[0].status == "finished"


@pytest.mark.parametrize(("code", "words"), [("$(id)\n[red]\nx", r"exit code '$(id)\n[red]\nx'"), ("", "exit code ''")])
def test_an_exit_code_that_is_none_is_shown_as_it_stands(job, code, words):
    folder = job(pilot("a"))
    put(folder, "a.failed", code)
    assert collect(folder).outcomes[0].detail == words


def test_files_of_runs_that_the_manifest_does_not_have_are_told(job):
    run = pilot("a")
    folder = job(run)
    end(folder, run)
    for name in ("$(touch x)\n.json", "old.done", "a.json.part", "slurm-1_1.out"):
        put(folder, name)
    text = said(collect(folder), "unknown_results")
    assert text.endswith(r"not read: '$(touch x)\n.json', old.done.")


def test_what_is_no_file_where_a_result_should_be_is_an_error(job):
    folder = job(pilot("a"))
    path = folder / "results/a.json"
    for make in (path.mkdir, lambda: path.symlink_to(path), lambda: path.symlink_to(folder / "nowhere")):
        make()
        with pytest.raises(InputFileError) as caught:
            collect(folder)
        assert "a.json: " in caught.value.message
        path.unlink() if path.is_symlink() else path.rmdir()


def test_a_manifest_that_cannot_be_used_is_an_error(job):
    folder = job(pilot("a"))
    text = (folder / "manifest.csv").read_text()
    for broken in ("", text + text.splitlines()[1] + "\n", text.replace(",design,", ",$(id),")):
        (folder / "manifest.csv").write_text(broken)
        with pytest.raises(InputFileError, match=r"manifest\.csv"):
            collect(folder)
    (folder / "results").rmdir()
    (folder / "results").write_text("")
    (folder / "manifest.csv").write_text(text)
    with pytest.raises(InputFileError, match="results: not a folder"):
        collect(folder)


def loose(folder, name, **values):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({"params": 1e8, "tokens": 2e9, "loss": 3.0} | values))
    return path


def test_loose_results_are_runs_by_file_or_by_their_own_name(tmp_path):
    loose(tmp_path, "b.json", loss=3.1, seed=4)
    loose(tmp_path, "a.jsonl", run="of its own")
    loose(tmp_path, "sub/b.json")
    loose(tmp_path, "sub/deeper/c.json")
    loose(tmp_path, ".hidden.json")
    collected = collect(tmp_path)
    rows = runs_rows(collected)
    assert [row["run"] for row in rows] == ["of its own", "b", "sub/b"]
    assert [each.seed for each in collected.outcomes] == [None, 4, None]
    assert rows[1] == {"run": "b", "params": 1e8, "tokens": 2e9, "loss": 3.1}
    assert (collected.name, collected.notices) == (tmp_path.name, ())


def test_loose_files_that_are_no_runs_are_named(tmp_path):
    loose(tmp_path, "a.json")
    loose(tmp_path, "config.json", loss=None)
    loose(tmp_path, "size.json", params=None)
    loose(tmp_path, "zero.json", tokens=0)
    (tmp_path / "cut\n.json").write_text('{"loss": 3.0, "para')
    text = said(collect(tmp_path), "no_runs")
    assert "config.json: no loss" in text
    assert r"'cut\n.json':1: cut off in the middle" in text
    assert "size.json: no params" in text
    assert "zero.json: tokens 0, not a number above zero" in text


def test_loose_runs_are_judged_too(tmp_path):
    loose(tmp_path, "a.json")
    loose(tmp_path, "b.json", params=2e8, loss=3.5)
    loose(tmp_path, "c.json", loss=11, vocab_size=32_000)
    collected = collect(tmp_path)
    assert [each.status for each in collected.outcomes] == ["finished", "diverged", "diverged"]


def test_loose_runs_of_one_name_are_an_error(tmp_path):
    loose(tmp_path, "a.json")
    loose(tmp_path, "b.json", id="a")
    with pytest.raises(InputFileError, match=r"a\.json and b\.json are both of run a; keep one of them"):
        collect(tmp_path)


@pytest.mark.parametrize("files", [(), ("notes.txt",), ("config.json",)])
def test_a_folder_without_results_says_what_was_looked_for(tmp_path, files):
    for name in files:
        (tmp_path / name).write_text('{"layers": 3}')
    with pytest.raises(InputFileError, match=r"no results; looked for manifest\.csv, and in it and its sub") as caught:
        collect(tmp_path)
    assert ("no run: config.json: no loss" in caught.value.message) == ("config.json" in files)


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused = {
        "none": "no such file",
        "file": "not a folder of results",
        "loop": "symbolic links",
        "x" * 300: "too long",
        "a\0b": "no path of a folder",
    }
    for name, words in refused.items():
        with pytest.raises(InputFileError) as caught:
            collect(tmp_path / name)
        assert words in caught.value.message
        assert caught.value.message.isprintable()


def test_links_in_a_circle_are_an_error(tmp_path):
    loose(tmp_path, "runs/a.json")
    folder = tmp_path / "runs"
    for target in (folder, tmp_path, folder / "back"):
        (folder / "back").symlink_to(target)
        with pytest.raises(InputFileError, match=r"back: (a link to a folder that it is in|.*symbolic links)"):
            collect(folder)
        (folder / "back").unlink()


def before(folder, text):
    (folder / "before.csv").write_text(f"run,params,tokens,loss\n{text}")


def test_runs_made_before_come_first_under_names_of_their_own(job):
    run = pilot("p00")
    folder = job(run)
    end(folder, run)
    before(folder, "p00,1e7,1e9,4.5\np00-before,2e7,1e9,4.25\nother,3e7,1e9,4.125\n")
    collected = collect(folder)
    assert [row["run"] for row in runs_rows(collected)] == ["p00-before-before", "p00-before", "other", "p00"]
    assert runs_rows(collected)[0] == {"run": "p00-before-before", "params": 1e7, "tokens": 1e9, "loss": 4.5}
    assert said(collected, "earlier_runs") == (
        "3 rows of runs finished before, of before.csv, come first; p00 is p00-before-before here."
    )


def test_runs_made_before_that_count_otherwise_are_left_out(job):
    run = pilot("a")
    folder = job(run)
    end(folder, run)
    (folder / "before.csv").write_text("run,params_nonembedding,tokens,loss\nb,1e7,1e9,4.5\n")
    collected = collect(folder)
    assert [row["run"] for row in runs_rows(collected)] == ["a"]
    assert "count no embeddings" in said(collected, "earlier_runs_left_out")
    before(folder, "b,1e7,1e9,nothing\n")
    with pytest.raises(InputFileError, match=r"before\.csv"):
        collect(folder)


def test_the_results_of_a_manifest_are_collected_wherever_they_are(job, tmp_path):
    run = pilot("a")
    folder = job(run)
    end(folder, run)
    expected = collect(folder).outcomes
    assert collect(folder / "results").outcomes == expected
    (tmp_path / "away").mkdir()
    for path in (*(folder / "results").iterdir(), folder / "manifest.csv"):
        (tmp_path / "away" / path.name).write_bytes(path.read_bytes())
    assert collect(tmp_path / "away").outcomes == expected
    (folder / "manifest.csv").write_text("file,digest\nx,1\n")
    with pytest.raises(InputFileError, match="no results"):
        collect(folder / "results")


@pytest.mark.parametrize("values", [{"tokens": math.inf}, {"params": -1e8}, {"params": 0}, {"tokens": math.nan}])
def test_a_size_that_is_none_is_a_failure_with_the_reason(job, values):
    run = pilot("a")
    folder = job(run)
    end(folder, run, {"loss": 3.5} | values)
    (outcome,) = collect(folder).outcomes
    assert (outcome.status, outcome.params, outcome.tokens) == ("failed", run.params, run.tokens)
    assert outcome.detail.startswith("its files say ")
    assert outcome.detail.endswith("not a number above zero")


@pytest.mark.parametrize("name", ["a.done", "a.failed", "a.json", "a.log", "../manifest.csv", "../before.csv"])
def test_a_pipe_is_no_wait(job, name):
    run = pilot("a")
    folder = job(run)
    path = folder / "results" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(InputFileError, match="not a regular file"):
        collect(folder)


def test_an_evaluation_from_long_before_the_end_is_told(job):
    run = pilot("a")
    folder = job(run)
    put(folder, "a.done")
    rows = [{"step": i, "loss": 4.0} for i in range(10, 1001, 10)]
    put(folder, "a.log", "".join(json.dumps(row) + "\n" for row in [{"step": 500, "val_loss": 5.5}, *rows]))
    collected = collect(folder)
    assert collected.outcomes[0].loss == 4.0
    assert said(collected, "old_evaluations").endswith("at the end counts: a (at step 500 of 1,000).")


@pytest.mark.parametrize(
    ("last", "result", "status"),
    [(600, None, "unfinished"), (995, None, "finished"), (600, {"loss": 5.0}, "finished"), (990, None, "finished")],
)
def test_a_log_that_ends_well_before_the_planned_steps(job, last, result, status):
    run = pilot("a")
    folder = job(run)
    put(folder, "a.done")
    put(folder, "a.log", "".join(f"iter {i}: loss 5.0, time 1ms\n" for i in range(0, last + 1, 5)))
    if result is not None:
        put(folder, "a.json", result)
    (outcome,) = collect(folder).outcomes
    assert outcome.status == status
    assert outcome.detail == ("" if status == "finished" else "stopped at step 600 of 1000")
