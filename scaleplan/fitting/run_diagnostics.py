"""What a table of runs shows before anything is fitted to it: coded notices, each with what to do next.

Every threshold is our choice; beside it stands the reason. They are set so that ordinary good tables (Hoffmann et al.'s
240 runs as digitised by Besiroglu et al. 2024, Gadre et al. 2024, an IsoFLOP grid of 6 budgets and 6 sizes) raise
none of them without cause.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scaleplan import units
from scaleplan.errors import Notice, UsageError
from scaleplan.fitting import row_diagnostics
from scaleplan.fitting.diagnostic_statistics import centred_jacobian, condition_of, condition_text
from scaleplan.fitting.forms import find_fit_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

_ONE = 0.01
"""Sizes (or token counts) within 1 % are one: configurations meant to be alike differ by rounding."""
_FEW_SIZES = 3
"""Level, exponent and E take three points; a fourth is the first to check them."""
_NARROW_RATIO = 1.5
"""Decades of tokens per parameter; Hoffmann's grid of sizes 8 times either side of the best spans 3.7. Below this the
exponents of an IsoFLOP grid have twice the standard error of that grid's and more."""
_NARROW_COMPUTE = 1.5
"""Decades: 36 runs over one decade give ln E to 0.014 at 0.3 % noise, over two to 0.008, over four to 0.004."""
_RUNS_PER_PARAMETER = 5
"""25 runs for five parameters leave 20 degrees of freedom, which give the noise, and so every interval, to a sixth."""
_REFERENCE = (math.log(482.01), math.log(2085.43), math.log(1.8172), 0.3478, 0.3658)
"""Besiroglu et al. 2024 (arXiv 2404.10102): where a grid is judged before it is fitted."""
_LEAST_FLOP = 1e13
"""Our choice: a million parameters on two million tokens; no run that a law is fitted to is smaller."""


def run_notices(runs: Runs, form: FitForm | None = None) -> tuple[Notice, ...]:
    """What is wrong with a table, before the fit.

    Args:
        runs: what is to be fitted to.
        form: the form to fit; the additive one where none is named.

    Raises:
        UsageError: the table cannot determine the form at all: one size, one token count or one compute only.
    """
    form = find_fit_form("additive") if form is None else form
    _require_spread(runs, form)
    found = (
        ("odd_units", _odd_units(runs)),
        ("loss_rises", _loss_rises(runs)),
        ("few_sizes", "" if form.compute_only else _few_sizes(runs)),
        ("ratio_spread_narrow", "" if form.compute_only else _ratio_spread_narrow(runs)),
        ("few_runs", _few_runs(runs, form)),
        ("narrow_compute", _narrow_compute(runs)),
        ("duplicate_rows", row_diagnostics.duplicates(runs)),
        ("several_losses", row_diagnostics.several_losses(runs)),
        ("replicate_spread", row_diagnostics.replicate_spread(runs)),
        ("flops_disagree", row_diagnostics.flops_disagree(runs)),
        ("repeated_data", row_diagnostics.repeated_data(runs, form)),
        ("unannealed_checkpoints", row_diagnostics.unannealed(runs)),
    )
    return tuple(Notice(code, f"{runs.source}: {text}.") for code, text in found if text)


def tokens_per_param_decades(runs: Runs) -> float:
    """log10 of the most over the least tokens per parameter."""
    return _decades(runs.tokens / runs.params)


def _decades(values: Floats) -> float:
    return math.log10(float(values.max()) / float(values.min()))


def _require_spread(runs: Runs, form: FitForm) -> None:
    """An error where the table cannot determine the form: no spread in something that the form sees."""
    smallest = math.log10(1 + _ONE)
    if form.compute_only:
        if _decades(runs.train_flop) < smallest:
            raise UsageError(
                f"{runs.source}: every run has {units.flop(float(runs.train_flop[0]))} FLOP (6 N D): how loss falls "
                f"with compute cannot be known from one budget; add runs of other budgets"
            )
        return
    advice = "or fit --form compute-only, which sees 6 N D alone"
    for values, what, exponent in ((runs.params, "parameters", "alpha"), (runs.tokens, "tokens", "beta")):
        if _decades(values) < smallest:
            raise UsageError(
                f"{runs.source}: every run has {units.count(float(values[0]))} {what}: the exponent of {what} "
                f"({exponent}) cannot be known from one value; add runs of other {what}, {advice}"
            )


def _odd_units(runs: Runs) -> str:
    dearest = int(np.argmax(runs.train_flop))
    flop, params = float(runs.train_flop[dearest]), float(runs.params[dearest])
    if flop >= _LEAST_FLOP:
        return ""
    return (
        f"the dearest run has {units.count(params)} parameters and {units.flop(flop)} FLOP: are params in millions or "
        "tokens in billions? write whole numbers, or 70M and 1.4T"
    )


def _loss_rises(runs: Runs) -> str:
    """By the best run of the cheapest and of the dearest third."""
    order = np.argsort(runs.train_flop, kind="stable")
    third = max(len(order) // 3, 1)
    cheap, dear = float(runs.loss[order[:third]].min()), float(runs.loss[order[-third:]].min())
    if dear < cheap:
        return ""
    return (
        f"the best loss of the dearest third of the runs, {dear:.4g}, is not below that of the cheapest third, "
        f"{cheap:.4g}: no law says that; are the columns the right ones, are these runs of one family?"
    )


def _few_sizes(runs: Runs) -> str:
    steps: Floats = np.round(np.log(runs.params / float(runs.params.min())) / _ONE)
    first = np.unique(steps, return_index=True)[1]
    if len(first) > _FEW_SIZES:
        return ""
    listed = [units.count(float(n)) for n in np.sort(runs.params[first])]
    return (
        f"only {len(first)} different sizes ({', '.join(listed)}): E and what size does (A, alpha) have no more points "
        f"than unknowns; add sizes, four or more over a decade"
    )


def _ratio_spread_narrow(runs: Runs) -> str:
    span = tokens_per_param_decades(runs)
    if span >= _NARROW_RATIO:
        return ""
    condition = condition_of(centred_jacobian(find_fit_form("additive"), runs, np.array(_REFERENCE)), runs.weight)
    return (
        f"tokens per parameter span {span:.2g} decades, less than {_NARROW_RATIO}, so that what size does and what "
        f"data does are hard to tell apart (condition number {condition_text(condition)}; a good grid of 36 runs has "
        f"900): "
        f"add runs with more and with fewer tokens per parameter"
    )


def _few_runs(runs: Runs, form: FitForm) -> str:
    enough = _RUNS_PER_PARAMETER * len(form.parameters)
    if runs.count >= enough:
        return ""
    hint = ", or fit --form tied, which has fewer parameters" if form.name in ("additive", "repetition") else ""
    return (
        f"{runs.count} training runs for the {len(form.parameters)} parameters of the form {form.name}, where {enough} "
        f"tell the noise well: add runs{hint}"
    )


def _narrow_compute(runs: Runs) -> str:
    span = _decades(runs.train_flop)
    if span >= _NARROW_COMPUTE:
        return ""
    return (
        f"compute (6 N D) spans {span:.2g} decades, less than {_NARROW_COMPUTE}: E and the exponents trade against "
        f"each other, and little can be said of budgets beyond; add runs at budgets ten times lower or higher"
    )
