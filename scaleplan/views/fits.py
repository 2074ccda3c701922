"""A fitted law as a table: constants with intervals, what it plans, how it did on dearer runs it had not seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scaleplan.views.fit_grids import fit_grids, optima_rows, rule_constants
from scaleplan.views.inputs import law_inputs
from scaleplan.views.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.fitting.constants import FittedConstant
    from scaleplan.fitting.fitted_law import Approach, FittedLaw
    from scaleplan.fitting.form_comparison import ComparedForm
    from scaleplan.fitting.solution import Fit
    from scaleplan.specs.law_fit import LawFit

_ADDITIVE = ("A", "B", "E", "alpha", "beta")
FIT_COLUMNS = (
    "law",
    "method",
    "form",
    *(f"{name}{end}" for name in _ADDITIVE for end in ("", "_low", "_high")),
    "params_exponent",
    "params_exponent_low",
    "params_exponent_high",
    "params_prefactor",
    "rank",
    "objective",
    "status",
    "starts",
    "starts_agree",
    "runs",
    "rows",
    "residual_sd",
    "dof",
    "delta",
    "kappa",
    "tau",
    "drift",
    "starvation",
    "size_misfit",
    "backtest_error",
    "backtest_bias",
    "backtest_coverage",
    "aicc",
    "condition",
    "replicate_sd",
    "plain_loss_shift",
    "intervals",
    "digest",
)
"""Keys of every row; a form with other constants has theirs besides. ``rows[0]`` is the law that is written."""


def fit_table(result: LawFit) -> Table:
    """The law that was fitted, and beside it what else was."""
    rows = _rows(result)
    fitted = result.fitted
    inputs: dict[str, Any] = {
        "file": result.file,
        "level": fitted.settings.level,
        "band": fitted.settings.band,
        **law_inputs(result.law),
        "recipe": result.document["recipe"],
        "back_test": [] if fitted.back_test is None else [split.summary() for split in fitted.back_test.splits],
        "optima": optima_rows(result),
        "left_out": {} if result.compared is None else result.compared.left_out,
    }
    columns = list(dict.fromkeys([*FIT_COLUMNS, *(key for row in rows for key in row)]))
    return Table(
        verb="fit",
        inputs=inputs,
        columns=columns,
        rows=[dict.fromkeys(columns) | row for row in rows],
        warnings=fitted.warnings,
        grids=lambda: fit_grids(result),
    )


def _rows(result: LawFit) -> list[dict[str, Any]]:
    """The law that is written, then the other approaches, then the other forms by rank."""
    fitted = result.fitted
    rows: list[dict[str, Any]] = [_law_row(result)]
    rows += [_rule_row(result, each) for each in fitted.approaches if each.found is not fitted.rule]
    if result.compared is not None:
        ranked = {each.fit.form.name: (rank, each) for rank, each in enumerate(result.compared.forms, 1)}
        for name, (rank, each) in ranked.items():
            if fitted.settings.method in ("parametric", "all") and name == fitted.settings.form:
                # Forms are compared over the steps that all of them could be fitted at.
                rows[0] |= {"rank": rank, **{key: x for key, x in _judged(each).items() if x is not None}}
            else:
                rows.append(_fit_row(each.fit) | {"method": "parametric", "rank": rank, **_judged(each)})
    return rows


def _law_row(result: LawFit) -> dict[str, Any]:
    fitted = result.fitted
    fit, tested = fitted.fit, fitted.back_test
    method = fitted.settings.method
    row: dict[str, Any] = {"law": result.law.id, "method": "parametric" if method == "all" else method}
    if fit is not None:
        row |= _fit_row(fit)
    row |= {
        **_constants(fitted.constants),
        **_tied(fitted),
        **_exponent(fitted),
        "runs": fitted.runs.count,
        "rows": len(fitted.runs),
        "kappa": fitted.allowances.kappa,
        "tau": fitted.allowances.tau,
        "drift": fitted.allowances.drift,
        "starvation": fitted.allowances.starvation,
        "size_misfit": fitted.allowances.size_misfit,
        "condition": None if fitted.condition is None or math.isinf(fitted.condition) else fitted.condition,
        "replicate_sd": None if fitted.replicates is None else fitted.replicates[0],
        "plain_loss_shift": None if fitted.shift is None else fitted.shift.ln_loss.plain - fitted.shift.ln_loss.now,
        "intervals": fitted.intervals_by,
        "digest": result.document["recipe"]["runs"]["digest"],
    }
    if fitted.rule is not None:
        row |= rule_constants(fitted.rule, fitted.settings.level)
    if tested is not None:
        row |= {
            "backtest_error": tested.error,
            "backtest_bias": tested.bias,
            "backtest_coverage": tested.coverage(fitted.allowances, fitted.settings.level),
        }
    return row


def _fit_row(fit: Fit) -> dict[str, Any]:
    values = {name.removeprefix("ln_"): value for name, value in fit.values().items()}
    values = {name: math.exp(value) if f"ln_{name}" in fit.form.parameters else value for name, value in values.items()}
    return {
        "form": fit.form.name,
        **values,
        "objective": fit.value,
        "status": fit.status,
        "starts": fit.starts,
        "starts_agree": fit.agree,
        "runs": fit.runs.count,
        "rows": len(fit.runs),
        "residual_sd": fit.sd,
        "dof": fit.dof,
        "delta": fit.delta if math.isfinite(fit.delta) else None,
    }


def _judged(each: ComparedForm) -> dict[str, Any]:
    return {"aicc": each.aicc, "backtest_error": each.error, "backtest_bias": each.bias}


def _rule_row(result: LawFit, approach: Approach) -> dict[str, Any]:
    level = result.fitted.settings.level
    return {"law": result.law.id, "method": approach.method, **rule_constants(approach.found, level)}


def _tied(fitted: FittedLaw) -> dict[str, Any]:
    """Beta where it is alpha by the form, and the exponent a of a half that follows."""
    fit = fitted.fit
    if fit is None or fit.form.name not in ("tied", "over-training"):
        return {}
    ends = next(each for each in fitted.constants if each.symbol == "alpha")
    return {"beta": ends.value, "beta_low": ends.low, "beta_high": ends.high, "params_exponent": 0.5}


def _exponent(fitted: FittedLaw) -> dict[str, Any]:
    exponent = fitted.params_exponent
    if exponent is None:
        return {}
    return {
        "params_exponent": exponent.value,
        "params_exponent_low": exponent.low,
        "params_exponent_high": exponent.high,
    }


def _constants(constants: Sequence[FittedConstant]) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for constant in constants:
        out |= {
            constant.symbol: constant.value,
            f"{constant.symbol}_low": constant.low,
            f"{constant.symbol}_high": constant.high,
        }
    return out
