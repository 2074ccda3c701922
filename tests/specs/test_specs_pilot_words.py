"""What pilots are asked for in words: numbers as they are read, slips by their key, flags before the file."""

from __future__ import annotations

import pytest

from scaleplan.compute.bill import Extra
from scaleplan.errors import UsageError
from scaleplan.specs.pilot_words import READERS, PilotWords, merged, read_pilots


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [
        ("share", "1%", Extra(share=0.01)),
        ("share", 0.02, Extra(share=0.02)),
        ("share", "20k gpu-hours", Extra(gpu_hours=20_000)),
        ("runs", "36", 36),
        ("runs", 12, 12),
        ("seeds", "1", 1),
        ("goal", "loss", "loss"),
        ("noise", "0.3%", 0.003),
        ("noise", 0.003, 0.003),
        ("misfit", "0", 0.0),
        ("misfit", "0.2%", 0.002),
        ("max_run", "35%", 0.35),
        ("max_run", 1, 1.0),
        ("ratios", "5:200", (5.0, 200.0)),
        ("ratios", "0.3:1e3", (0.3, 1000.0)),
        ("ratios", "20:20", (20.0, 20.0)),
        ("vocab", "128256", 128_256),
        ("context", 8192.0, 8192),
        ("on", " 64xh100-sxm ", "64xh100-sxm"),
        ("within", "2 weeks", 14.0),
        ("within", 3, 3.0),
        ("within", "36h", 1.5),
        ("unique_tokens", "1.5T", 1.5e12),
    ],
)
def test_words_and_numbers_are_read_alike(key, word, value):
    read = read_pilots({key: word})
    assert getattr(read, key) == value
    assert read == PilotWords(**{key: getattr(read, key)})


def test_nothing_given_is_nothing_asked():
    assert read_pilots({}) == read_pilots(dict.fromkeys(READERS)) == PilotWords()


@pytest.mark.parametrize(
    ("key", "word", "said"),
    [
        ("share", "lots", "share: must be a share such as 2% or accelerator-hours such as 20k gpu-hours (got lots)"),
        ("share", "100%", "share: must be a share from 0 to below 1"),
        ("share", 5, "share: must be a share such as 2% or accelerator-hours"),
        ("runs", "many", "runs: must be a whole number from 1 to 1,000 (got many)"),
        ("runs", 2.5, "(got 2.5)"),
        ("runs", float("nan"), "(got nan)"),
        ("runs", 1001, "(got 1001)"),
        ("runs", [36], "runs: must be a whole number"),
        ("seeds", 0, "seeds: must be a whole number from 1"),
        ("goal", "best", "goal: must be one of both, loss, params (got 'best')"),
        ("noise", 0, "noise: must be a share above 0, such as 0.3% or 0.003 (got 0)"),
        ("noise", "nan", "noise: must be a share"),
        ("misfit", "-1%", "misfit: must be a share"),
        ("max_run", 0, "max-run: must be a share above 0 and at most 1, such as 0.4 or 40% (got 0)"),
        ("max_run", "120%", "(got 120%)"),
        ("ratios", "5", "such as 5:200, from 0.001 to 1,000,000 (got '5')"),
        ("ratios", "200:5", "(got '200:5')"),
        ("ratios", "0:5", "(got '0:5')"),
        ("ratios", "5:inf", "(got '5:inf')"),
        ("ratios", "nan:nan", "(got 'nan:nan')"),
        ("ratios", "1:2:3", "(got '1:2:3')"),
        ("vocab", -1, "vocab: must be a whole number"),
        ("context", "8x", "context: must be a whole number"),
        ("on", "  ", "on: is empty; name an accelerator, such as 64xh100-sxm"),
        ("within", "soon", "within: "),
        ("within", 0, "within: must be a finite time > 0"),
        ("unique_tokens", "-1T", "unique-tokens: must be > 0"),
        ("shar", "1%", "unknown word 'shar'. Did you mean share? There are share, runs, seeds"),
    ],
)
def test_a_slip_is_told_once_by_its_key_in_a_line(key, word, said):
    with pytest.raises(UsageError) as caught:
        read_pilots({key: word})
    message = caught.value.message
    assert said in message
    assert "\n" not in message
    name = key.replace("_", "-")
    assert not message.startswith(f"{name}: {name}")


def test_a_call_comes_before_a_file_and_a_file_before_nothing():
    file = PilotWords(runs=20, noise=0.005, on="h100-sxm", share=Extra(share=0.02))
    flags = PilotWords(runs=30, misfit=0.0)
    both = merged(file, flags)
    assert (both.runs, both.noise, both.on, both.misfit) == (30, 0.005, "h100-sxm", 0.0)
    assert both.share == Extra(share=0.02)
    assert merged(file, PilotWords()) == file
    assert merged(PilotWords(), flags) == flags
