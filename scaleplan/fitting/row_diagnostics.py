"""What the rows of a table say of one another and of their own columns: copies, replicates, FLOPs, epochs, checkpoints.

A check returns what is wrong as the text of a notice, or an empty string.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scaleplan import units
from scaleplan.fitting.diagnostic_statistics import all_different, same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]
    Selection = NDArray[np.bool_] | NDArray[np.int64]

_NAMED_ROWS = 5
_FLOP_OFF, _FLOP_OFF_ROW = 0.05, 0.20
"""The median over 5 %: rounded sizes stay below it, while attention at a context of 2,048 adds 8 % to a model 4,096
wide (s / 6 d); a single row over 20 %, which no way of counting in use explains within one table."""
_REPEATS = 1.05
"""Epochs: labels of tables are rounded."""
_REPLICATE_SD = 0.01
"""Repeats by Muennighoff et al. 2023 differ by 0.7 %, changed shapes included, those of one epoch by 0.3 %."""


def rows_named(runs: Runs, which: Selection) -> str:
    """``row 7``, ``rows 3, 7 and 9`` or ``lines 1, 2, 3, 4, 5 and 12 more``, by their numbers in the source."""
    word = runs.row_word
    numbers = runs.row[which]
    named = [f"{number}" for number in numbers[:_NAMED_ROWS].tolist()]
    if len(numbers) > _NAMED_ROWS:
        return f"{word}s {', '.join(named)} and {len(numbers) - _NAMED_ROWS:,} more"
    return f"{word} {named[0]}" if len(named) == 1 else f"{word}s {', '.join(named[:-1])} and {named[-1]}"


def replicate_noise(runs: Runs) -> tuple[float, int] | None:
    """Standard deviation of ln L among runs alike in parameters and tokens, and its degrees of freedom.

    Alike in unique tokens too, where those are known. Copies of a row and rows of one run say nothing of noise and do
    not count. ``None`` without replicates.
    """
    ln_loss = np.log(runs.loss)
    columns = [runs.params, runs.tokens] + ([] if runs.unique_tokens is None else [runs.unique_tokens])
    if all_different(*columns):
        return None
    group = same(*columns)
    _, first = np.unique(same(group.astype(np.float64), runs.run.astype(np.float64)), return_index=True)
    _, different = np.unique(same(group[first].astype(np.float64), ln_loss[first]), return_index=True)
    chosen = first[different]
    group, ln_loss = group[chosen], ln_loss[chosen]
    count = np.maximum(np.bincount(group), 1)
    dof = len(group) - len(np.unique(group))
    if dof == 0:
        return None
    away = ln_loss - (np.bincount(group, ln_loss) / count)[group]
    return math.sqrt(float(away @ away) / dof), dof


def duplicates(runs: Runs) -> str:
    """Rows that say what another row has said."""
    if all_different(runs.params, runs.tokens, runs.loss):
        return ""
    first = np.unique(same(runs.params, runs.tokens, runs.loss), return_index=True)[1]
    copy = np.ones(len(runs), dtype=bool)
    copy[first] = False
    count = int(copy.sum())
    return (
        f"{rows_named(runs, copy)} repeat{'s' if count == 1 else ''} the parameters, tokens and loss of an earlier row "
        f"and count{'s' if count == 1 else ''} again, which makes intervals too narrow; leave copies out"
    )


def several_losses(runs: Runs) -> str:
    """Rows of one run at one place with different losses: most often several validation sets."""
    run = runs.run.astype(np.float64)
    if not runs.clustered or all_different(run, runs.params, runs.tokens):
        return ""
    place = same(run, runs.params, runs.tokens)
    with_loss = same(place.astype(np.float64), runs.loss)
    _, first = np.unique(with_loss, return_index=True)
    places, count = np.unique(place[first], return_counts=True)
    several = np.isin(place, places[count > 1])
    if not several.any():
        return ""
    return (
        f"{rows_named(runs, several)} give different losses of one run at the same tokens, as several validation sets "
        f"do: choose one with --where"
    )


def replicate_spread(runs: Runs) -> str:
    """Runs alike in size and data whose losses differ by more than seeds do."""
    noise = replicate_noise(runs)
    # Two standard errors of a standard deviation more where it rests on few replicates.
    if noise is None or noise[0] <= _REPLICATE_SD * (1 + 2 / math.sqrt(2 * noise[1])):
        return ""
    sd, dof = noise
    group = same(runs.params, runs.tokens)
    several = np.bincount(group)[group] > 1
    return (
        f"runs alike in parameters and tokens differ by a standard deviation of {sd:.2%} in loss ({dof} degrees of "
        f"freedom), where seeds differ by 0.3 to 0.7 % ({rows_named(runs, several)}), as where learning rates, data or "
        f"schedules are mixed: keep the best of each, or one kind with --where"
    )


def flops_disagree(runs: Runs) -> str:
    """Recorded FLOPs that are not 6 N D, and what they may count."""
    if runs.flop is None:
        return ""
    ratio = runs.flop / runs.train_flop
    logged = np.isfinite(ratio)
    if not logged.any():
        return ""
    median = float(np.median(ratio[logged]))
    off = logged & (np.abs(ratio - 1) > (_FLOP_OFF if abs(median - 1) > _FLOP_OFF else _FLOP_OFF_ROW))
    if not off.any():
        return ""
    low, high = float(ratio[off].min()), float(ratio[off].max())
    seen = f"{low:.3g} times" if high / low < 1.01 else f"{low:.3g} to {high:.3g} times"
    return (
        f"recorded FLOPs are {seen} 6 N D in {rows_named(runs, off)}{_convention(runs, ratio, off)}; the fit uses "
        f"6 N D: check what the columns count, and that params and tokens are what was trained"
    )


def _convention(runs: Runs, ratio: Floats, off: NDArray[np.bool_]) -> str:
    """Which way of counting would explain the ratio of recorded FLOPs to 6 N D."""
    if np.count_nonzero(off) < 0.5 * len(ratio):
        return ""
    median = float(np.median(ratio[off]))
    constants = (
        (1 / 3, "forward passes alone, 2 N D"),
        (0.5, "Kaplan's C_min or multiply-adds, 3 N D"),
        (4 / 3, "activations computed twice, 8 N D"),
        (2.0, "multiply-adds of 6 N D counted as two each"),
        (1 / units.FLOP_PER_PF_DAY, "PF-days"),
        *((10.0**-power, f"units of 1e{power} FLOP") for power in (9, 12, 15, 18, 21)),
    )
    for factor, text in constants:
        if abs(median / factor - 1) < 0.1:
            return f", as if they were {text}"
    small, large = runs.params <= np.median(runs.params), runs.params > np.median(runs.params)
    if large.any() and 0.1 < median < 10:
        towards_one = abs(float(np.median(ratio[large])) - 1) < abs(float(np.median(ratio[small])) - 1)
        if towards_one and median > 1:
            return ", less for larger models, as if they counted attention, or params left embeddings out"
        if towards_one:
            return ", more nearly 6 N D for larger models, as if they left out the embeddings that params count"
    return ""


def repeated_data(runs: Runs, form: FitForm) -> str:
    """More than one epoch under a form that does not see epochs."""
    if runs.unique_tokens is None or form.needs_unique_tokens:
        return ""
    epochs = runs.tokens / runs.unique_tokens
    repeated = epochs > _REPEATS
    if not repeated.any():
        return ""
    return (
        f"{rows_named(runs, repeated)} repeat their data, up to {float(epochs[repeated].max()):.3g} epochs, and the "
        f"form {form.name} takes repeats for fresh tokens; fit --form repetition, or leave them out with --where"
    )


def unannealed(runs: Runs) -> str:
    """Several checkpoints of a run."""
    if not runs.clustered:
        return ""
    order = np.argsort(runs.run, kind="stable")
    starts = np.flatnonzero(np.diff(runs.run[order], prepend=-1))
    tokens = runs.tokens[order]
    most = np.maximum.reduceat(tokens, starts)
    several = int(np.sum(np.minimum.reduceat(tokens, starts) < most))
    if several == 0:
        return ""
    last = np.empty(int(runs.run.max()) + 1)
    last[runs.run[order][starts]] = most
    middle = runs.tokens < last[runs.run]
    return (
        f"{several} of {runs.count} runs have rows at several token counts ({rows_named(runs, middle)} are not the "
        f"last of their run): losses amid a schedule lie some percent above those of a run that ends there; "
        f"keep the last row of each run unless the learning rate was decayed for every one"
    )
