"""Fewer checkpoints of long runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleplan.errors import UsageError
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.thinning import MOST, thinned


def made(tokens, run=None):
    tokens = np.asarray(tokens, dtype=float)
    return runs_of(np.full(len(tokens), 1e9), tokens, 2 + 1e3 / tokens**0.3, run=run)


def test_nothing_to_thin_gives_the_same_object():
    runs = made(np.arange(1, MOST + 1) * 1e9, np.zeros(MOST))
    assert thinned(runs) is runs
    apart = made(np.arange(1, 1001) * 1e9)
    assert thinned(apart) is apart


def test_a_long_run_keeps_its_ends_and_is_even_in_log_tokens():
    runs = made(np.linspace(1e8, 1e11, 100_000), np.zeros(100_000))
    kept = thinned(runs, 50)
    assert len(kept) == 50
    assert kept.tokens[0] == 1e8
    assert kept.tokens[-1] == 1e11
    steps = np.diff(np.log(kept.tokens))
    assert steps == pytest.approx(np.log(1000) / 49, rel=0.1)


def test_short_runs_beside_a_long_one_keep_every_row_and_the_order_stays():
    run = np.array([1, 0] * 30 + [0] * 400)
    tokens = np.random.default_rng(1).permutation(len(run)) + 1.0
    kept = thinned(made(tokens, run), 100)
    assert np.bincount(kept.run).tolist() == [100, 30]
    assert (np.diff(kept.row) > 0).all()
    assert kept.row[kept.run == 1].tolist() == list(range(1, 61, 2))
    long = tokens[run == 0]
    assert kept.tokens[kept.run == 0].min() == long.min()
    assert kept.tokens[kept.run == 0].max() == long.max()


@given(
    tokens=st.lists(st.floats(1, 1e15), min_size=3, max_size=60),
    most=st.integers(2, 20),
    run=st.integers(1, 3),
)
def test_every_run_keeps_exactly_as_many_as_asked_and_both_ends(tokens, most, run):
    runs = made(tokens, np.arange(len(tokens)) % run)
    kept = thinned(runs, most)
    assert thinned(runs, most).digest() == kept.digest()
    assert np.bincount(kept.run).tolist() == np.minimum(np.bincount(runs.run), most).tolist()
    for each in range(runs.count):
        before, after = runs.tokens[runs.run == each], kept.tokens[kept.run == each]
        assert (after.min(), after.max()) == (before.min(), before.max())
    assert set(kept.row.tolist()) <= set(runs.row.tolist())


def test_checkpoints_at_the_same_tokens_are_thinned_too():
    assert thinned(made(np.full(500, 1e9), np.zeros(500)), 10).row.tolist() == [*range(1, 10), 500]


def test_fewer_than_two_are_refused():
    with pytest.raises(UsageError, match="most must be >= 2"):
        thinned(made([1e9, 2e9]), 1)
