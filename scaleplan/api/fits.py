"""The verb ``fit``: a law from one's own runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scaleplan.errors import ConvergenceError, InfeasibleError, InputFileError, Notice, UsageError, nearest
from scaleplan.fitting.fitted_law import FittedLaw, fit_law
from scaleplan.fitting.form_comparison import FormComparison, compare_forms
from scaleplan.fitting.forms import DEFAULT_FORM, find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.run_diagnostics import run_notices
from scaleplan.fitting.runs import Runs
from scaleplan.fitting.settings import BANDS, METHODS, Method, Settings
from scaleplan.fitting.thinning import MOST, thinned
from scaleplan.laws.law import Law
from scaleplan.specs.law_fit import LawFit
from scaleplan.specs.law_writing import law_document, law_id_of, law_text, read_back
from scaleplan.specs.numbers import fraction, whole
from scaleplan.specs.run_tables import TableOfRuns, read_runs

if TYPE_CHECKING:
    from scaleplan.planning.plan import Plan

_REACHES = (1.0, 10.0, 100.0)
UNNAMED = "own-runs"
"""The id of a law that is not written to a file."""


def fit(
    runs: str | os.PathLike[str] | Any,
    *,
    out: str | os.PathLike[str] | None = None,
    form: str | None = None,
    method: str = "parametric",
    objective: str = "huber",
    prior: bool = True,
    bootstrap: int | str | None = None,
    seed: int | str = 0,
    level: float | str = 0.95,
    band: str = "forecast",
    columns: Mapping[str, str] | None = None,
    where: str | Sequence[str] = (),
    any_loss: bool = False,
    compare: bool = False,
    workers: int | str = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LawFit:
    """A law from runs.

    Args:
        runs: path of a CSV, NDJSON or Parquet table (``-`` is standard input), or any dataframe; columns ``params``,
            ``tokens``, ``loss`` [nats/token], optionally ``flops``, ``run``, ``weight``, ``unique_tokens``.
        out: the law file to write; replaced whole or not at all.
        form: ``additive``, ``tied``, ``kaplan-joint``, ``compute-only``, ``repetition``, ``over-training``,
            ``one-break``; additive where left out, or with ``compare`` what that finds best.
        method: ``parametric`` (Hoffmann's approach 3), ``isoflop`` (2), ``envelope`` (1), or ``all``.
        objective: ``huber`` with a threshold that follows the noise, ``hoffmann`` (Huber 1e-3) or ``mse``, on ln L.
        prior: the weak prior on the exponents; the objectives that reproduce never have it.
        bootstrap: resamples of the runs behind the intervals; 0 for the delta method. 1,000 under ``hoffmann`` and 0
            else where left out.
        seed: of the resamples.
        level: coverage of the intervals.
        band: ``forecast`` with the allowances for misfit, or ``sampling`` without them.
        columns: our names to the table's: ``{"loss": "val_loss"}``.
        where: conditions that rows must meet: ``"flops < 1e21"``.
        any_loss: accept losses that do not look like nats a token.
        compare: fit every form that the table allows, and rank them by their back-tests.
        workers: processes for the resamples; the result does not depend on how many.
        scheduler: address of a Dask scheduler that takes the resamples instead.
        progress: called with chunks of resamples done and to do.

    Raises:
        UsageError: an unknown word, too few runs for the form.
        InputFileError: the table cannot be used; every problem with its row.
        ConvergenceError: what fits best plans nothing, such as a loss that rises with compute.
    """
    settings = Settings(
        form=form or DEFAULT_FORM,
        method=_method(method),
        objective=_one_of(objective, Objective, "objective"),
        prior=prior,
        bootstrap=None if bootstrap is None else _count("bootstrap", bootstrap),
        seed=_count("seed", seed),
        level=fraction(level),
        band=_band(band),
        workers=whole("workers", workers),
        scheduler=scheduler,
    )
    if compare and settings.method in ("isoflop", "envelope"):
        raise UsageError(
            f"compare ranks the forms of the parametric fit; method {settings.method} has none: leave one out"
        )
    conditions = [where] if isinstance(where, str) else list(where)
    named = dict(columns or {})
    path = None if out is None else os.fspath(out)
    name = UNNAMED if path is None else law_id_of(path)
    table = read_runs(runs, columns=named, where=conditions, any_loss=any_loss)
    kept, notices = _kept(table)
    compared: FormComparison | None = None
    if compare:
        run_notices(kept, find_fit_form(settings.form))  # a table that no form can be fitted to is refused here
        compared = compare_forms(kept, settings)
        settings = settings if form else replace(settings, form=compared.best)
    fitted = fit_law(kept, settings, progress=progress)
    fitted = replace(fitted, warnings=(*notices, *fitted.warnings))
    text = law_text(law_document(name, fitted, table, named, conditions), path or "LAW.yaml")
    try:
        document, law = read_back(text, "the fitted law")
        optima = _optima(law, fitted)
    except (InputFileError, InfeasibleError) as error:
        raise ConvergenceError(
            f"{kept.source}: what was fitted plans nothing ({error.message}): look at the columns of the table, or "
            "compare forms with --compare"
        ) from None
    if path is not None:
        from scaleplan.specs.files import replacing

        with replacing(path) as file:
            file.write(text.encode())
        law = law._replace(file=path)
    return LawFit(
        law=law,
        fitted=fitted,
        table=table,
        document=document,
        file=path,
        optima=optima,
        compared=compared,
    )


def _kept(table: TableOfRuns) -> tuple[Runs, tuple[Notice, ...]]:
    """The runs to fit to, of each no more checkpoints than tell something, and what is to be said of the table."""
    kept = thinned(table.runs)
    if len(kept) == len(table.runs):
        return kept, table.notices
    left = f"{len(table.runs) - len(kept):,} of {len(table.runs):,} rows"
    text = f"{left} left out: of a run with more checkpoints {MOST} are used, evenly over ln tokens"
    notice = Notice("thinned", f"{kept.source}: {text}.")
    return kept, (*table.notices, notice)


def _optima(law: Law, fitted: FittedLaw) -> tuple[Plan, ...]:
    from scaleplan.api.plans import allocate

    asked = law if fitted.settings.band == "forecast" else law.sampling()
    dearest = float(fitted.runs.train_flop.max())
    return tuple(allocate(flops=dearest * times, law=asked, level=fitted.settings.level) for times in _REACHES)


def _method(word: str) -> Method:
    if word not in METHODS:
        raise UsageError(f"no method {word!r}.{nearest(word, METHODS)} Methods: {', '.join(METHODS)}")
    return word


def _band(word: str) -> str:
    if word not in BANDS:
        raise UsageError(f"no band {word!r}.{nearest(word, BANDS)} Bands: {', '.join(BANDS)}")
    return word


def _one_of(word: str, kinds: type[Objective], name: str) -> Objective:
    known = [kind.value for kind in kinds]
    if word not in known:
        raise UsageError(f"no {name} {word!r}.{nearest(word, known)} There are {', '.join(known)}")
    return kinds(word)


def _count(name: str, value: int | str) -> int:
    """A whole number from zero up."""
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0:
        raise UsageError(f"{name} must be a whole number from 0 up (got {value})")
    return number
