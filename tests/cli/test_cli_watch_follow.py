"""``watch --follow`` on a file that a real training run writes meanwhile."""

from __future__ import annotations

import json
import threading

from tests.cli.test_cli_watch import warmed, wild
from tests.training import train, write_log


def test_a_live_run_that_blows_up_ends_the_watch_with_6(live, tmp_path):
    watching = live("watch", "run.csv", "--follow", "-f", "ndjson")
    training = threading.Thread(
        target=write_log, args=(tmp_path / "run.csv", train(2000, wild)), kwargs={"pause": 1e-3}
    )
    training.start()
    result = watching.finish()
    training.join()
    assert result.code == 6
    events = [json.loads(line) for line in result.stdout.splitlines()]
    divergence = next(event for event in events if event["kind"] == "divergence")
    assert 1000 <= divergence["step"] <= 2000
    early = [event for event in events if event["step"] < 900]
    assert not [event for event in early if event["kind"] in ("spike", "divergence", "plateau", "nan", "stall")], early
    assert "run.csv: diverged; " in result.stderr


def test_a_live_run_is_followed_to_its_last_step(live, tmp_path):
    watching = live("watch", "run.csv", "--follow", "--total-steps", "1500")
    training = threading.Thread(target=write_log, args=(tmp_path / "run.csv", train(1500, warmed)))
    training.start()
    result = watching.finish()
    training.join()
    assert result.code == 0
    assert "divergence" not in result.stdout
    assert "run.csv: reached its last step; 1,500 rows to step 1,500 of 1,500, loss " in result.stderr


def test_ctrl_c_ends_the_watch_with_130_and_a_summary(live, tmp_path):
    write_log(tmp_path / "run.csv", train(50, warmed))
    with (tmp_path / "run.csv").open("a") as file:
        watching = live("watch", "run.csv", "--follow", "-f", "csv")
        assert watching.receive() == "step,kind,seen,end,size,unit,detail,advice\n"
        print("51,nan,1,1,1", file=file, flush=True)
        assert watching.receive().startswith("51.0,nan,51.0,,")
    watching.interrupt()
    result = watching.finish()
    assert result.code == 130
    lines = result.stderr.splitlines()
    assert lines[-2].startswith("run.csv: interrupted; 51 rows to step 51, loss ")
    assert lines[-2].endswith("; 1 nan")
    assert lines[-1] == "scaleplan: interrupted"
