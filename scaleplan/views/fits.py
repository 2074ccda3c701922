"""A fitted law as a table: constants with intervals, what it plans, how it did on dearer runs it had not seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scaleplan.laws.student import two_sided_quantile
from scaleplan.views.inputs import law_inputs
from scaleplan.views.table import Grid, Row, Table, band, count, flop, loss, notes, plain, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.fitting.backtest import BackTest
    from scaleplan.fitting.fitted_law import Approach, FittedConstant, Rule
    from scaleplan.fitting.form_comparison import ComparedForm, FormComparison
    from scaleplan.fitting.solution import Fit
    from scaleplan.planning.plan import Plan
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
    "backtest_error",
    "backtest_bias",
    "backtest_coverage",
    "aicc",
    "digest",
)
"""Keys of every row; a form with other constants has theirs besides. ``rows[0]`` is the law that is written."""
_REACHES = (1.0, 10.0)
OPTIMA_COLUMNS = (
    "train_flop",
    "params",
    "params_low",
    "params_high",
    "tokens",
    "tokens_low",
    "tokens_high",
    "loss",
    "loss_low",
    "loss_high",
)


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
        "optima": [{key: getattr(plan, key) for key in OPTIMA_COLUMNS} for plan in result.optima],
        "left_out": {} if result.compared is None else result.compared.left_out,
    }
    columns = list(dict.fromkeys([*FIT_COLUMNS, *(key for row in rows for key in row)]))
    return Table(
        verb="fit",
        inputs=inputs,
        columns=columns,
        rows=[dict.fromkeys(columns) | row for row in rows],
        warnings=fitted.warnings,
        grids=lambda: _grids(result),
    )


def _rows(result: LawFit) -> list[Row]:
    """The law that is written, then the other approaches, then the other forms by rank."""
    fitted = result.fitted
    rows = [_law_row(result)]
    rows += [_rule_row(result, each) for each in fitted.approaches if each.found is not fitted.rule]
    if result.compared is not None:
        ranked = {each.fit.form.name: (rank, each) for rank, each in enumerate(result.compared.forms, 1)}
        for name, (rank, each) in ranked.items():
            if fitted.fit is not None and name == fitted.fit.form.name:
                rows[0] |= {"rank": rank, "aicc": each.aicc}
            else:
                rows.append(_fit_row(each.fit) | {"method": "parametric", "rank": rank, **_judged(each)})
    return rows


def _law_row(result: LawFit) -> Row:
    fitted = result.fitted
    fit, tested = fitted.fit, fitted.back_test
    method = fitted.settings.method
    row: dict[str, Any] = {"law": result.law.id, "method": "parametric" if method == "all" else method}
    if fit is not None:
        row |= _fit_row(fit)
    surface: Any = result.law.surface
    row |= {
        **_constants(fitted.constants),
        "params_exponent": getattr(surface, "params_exponent", None),
        "runs": fitted.runs.count,
        "rows": len(fitted.runs),
        "kappa": fitted.allowances.kappa,
        "tau": fitted.allowances.tau,
        "drift": fitted.allowances.drift,
        "starvation": fitted.allowances.starvation,
        "digest": result.document["recipe"]["runs"]["digest"],
    }
    if fitted.rule is not None:
        row |= _rule_constants(fitted.rule, fitted.settings.level)
    if tested is not None:
        row |= {
            "backtest_error": tested.error,
            "backtest_bias": tested.bias,
            "backtest_coverage": tested.coverage(fitted.allowances, fitted.settings.level),
        }
    return row


def _fit_row(fit: Fit) -> Row:
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


def _judged(each: ComparedForm) -> Row:
    return {"aicc": each.aicc, "backtest_error": each.error, "backtest_bias": each.bias}


def _rule_row(result: LawFit, approach: Approach) -> Row:
    level = result.fitted.settings.level
    return {"law": result.law.id, "method": approach.method, **_rule_constants(approach.found, level)}


def _rule_constants(found: Rule, level: float) -> Row:
    """Of N* = k C^a, with sampling intervals."""
    row: dict[str, Any] = {"params_exponent": found.rule.a, "params_prefactor": found.rule.k}
    if found.covariance is not None:
        half = two_sided_quantile(level, max(found.dof, 1)) * math.sqrt(float(found.covariance[1, 1]))
        row |= {"params_exponent_low": found.rule.a - half, "params_exponent_high": found.rule.a + half}
    return row


def _constants(constants: Sequence[FittedConstant]) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for constant in constants:
        out |= {
            constant.symbol: constant.value,
            f"{constant.symbol}_low": constant.low,
            f"{constant.symbol}_high": constant.high,
        }
    return out


def _grids(result: LawFit) -> list[Grid]:
    fitted = result.fitted
    grids = [_constant_grid(result), _facts(result)]
    if fitted.approaches:
        grids.append(_approach_grid(result))
    if result.compared is not None:
        grids += _comparison_grids(result.compared)
    grids.append(_optima_grid(result.optima, fitted.settings.level))
    if fitted.back_test is not None:
        grids.append(_back_test_grid(fitted.back_test))
    return grids


def _constant_grid(result: LawFit) -> Grid:
    fitted = result.fitted
    cells = [
        (constant.symbol, _digits(constant.value), band(constant.low, constant.high, _digits))
        for constant in fitted.constants
    ]
    form: Any = fitted.rule.rule if fitted.fit is None and fitted.rule is not None else result.law.surface
    if fitted.fit is not None:
        form = fitted.fit.law_form
    exponent = getattr(result.law.surface, "params_exponent", None)
    if exponent is not None:
        cells.append(("a in N* ~ C^a", _digits(exponent), "-"))
    if fitted.rule is not None:
        row = _rule_constants(fitted.rule, fitted.settings.level)
        ends = band(row.get("params_exponent_low"), row.get("params_exponent_high"), _digits)
        cells += [("k in N* = k C^a", _digits(fitted.rule.rule.k), "-"), ("a", _digits(fitted.rule.rule.a), ends)]
    kind = "" if fitted.settings.band == "forecast" else "sampling "
    name = fitted.settings.method if fitted.fit is None else fitted.fit.form.name
    return Grid(
        title=f"{result.law.id}: {name}, {form.equation}",
        headers=("", "value", f"{fitted.settings.level * 100:.6g} % {kind}band"),
        rows=cells,
        numeric=(False, True, True),
    )


def _approach_grid(result: LawFit) -> Grid:
    """Hoffmann's approaches side by side, at the dearest run and ten times it."""
    fitted = result.fitted
    dearest = float(fitted.runs.train_flop.max())
    cells: list[tuple[str, ...]] = []
    surface: Any = result.law.surface
    if surface is not None:
        sizes = [surface.optimum(dearest * times).params for times in _REACHES]
        cells.append(("3 parametric", _digits(getattr(surface, "params_exponent", None)), "-", *map(count, sizes)))
    for approach in fitted.approaches:
        row = _rule_constants(approach.found, fitted.settings.level)
        ends = band(row.get("params_exponent_low"), row.get("params_exponent_high"), _digits)
        sizes = [float(approach.found.rule.params(dearest * times)) for times in _REACHES]
        number = {"isoflop": 2, "envelope": 1}[approach.method]
        cells.append((f"{number} {approach.method}", _digits(approach.found.rule.a), ends, *map(count, sizes)))
    headers = ("approach", "a in N* ~ C^a", "sampling band", f"N at {flop(dearest)}", f"N at {flop(10 * dearest)}")
    return Grid(title="approaches", headers=headers, rows=cells, numeric=(False, True, True, True, True))


def _comparison_grids(compared: FormComparison) -> list[Grid]:
    cells = [
        (
            str(rank),
            each.fit.form.name,
            str(len(each.fit.form.parameters)),
            "-" if each.error is None else f"{100 * each.error:.2f}%",
            "-" if each.bias is None else f"{100 * each.bias:+.2f}%",
            f"{each.aicc:.1f}",
        )
        for rank, each in enumerate(compared.forms, 1)
    ]
    headers = ("rank", "form", "parameters", "back-test", "bias", "AICc")
    title = f"forms, by their back-tests: {compared.best} plans"
    grids = [Grid(title=title, headers=headers, rows=cells, numeric=(True, False, True, True, True, True))]
    if compared.left_out:
        grids.append(notes("left out", [f"{name}: {reason}" for name, reason in compared.left_out.items()]))
    return grids


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _facts(result: LawFit) -> Grid:
    fitted = result.fitted
    fit = fitted.fit
    rows = f"{fitted.runs.count:,} runs" + (f", {len(fitted.runs):,} rows" if fitted.runs.clustered else "")
    lines = [("runs", rows)]
    if fit is not None:
        threshold = "" if math.isinf(fit.delta) else f", threshold {fit.delta:.3g}"
        prior = ", ".join(f"{each.quantity} {each.value:.3g} ± {each.sd:.2g}" for each in fit.prior) or "none"
        lines += [
            ("objective", f"{fit.value:.10g} ({fit.objective.value}{threshold})"),
            ("search", f"{fit.status}; {fit.agree} of {fit.starts} starts agree"),
            ("noise of a run", f"{100 * fit.sd:.2f}% of the loss"),
            ("priors", prior),
        ]
    lines.append(("intervals", f"{fitted.covariance_by}; {fitted.allowances.source}"))
    if result.file is not None:
        lines.append(("written to", result.file))
    return plain(None, ("", ""), lines)


def _optima_grid(optima: Sequence[Plan], level: float) -> Grid:
    cells = [
        (
            flop(plan.train_flop),
            count(plan.params),
            band(plan.params_low, plan.params_high, count),
            count(plan.tokens),
            ratio(plan.tokens_per_param),
            loss(plan.loss),
            band(plan.loss_low, plan.loss_high, loss),
        )
        for plan in optima
    ]
    headers = ("FLOP", "N", "N band", "D", "D/N", "loss", "loss band")
    title = f"what it plans: the dearest run, ten and a hundred times it ({level * 100:.6g} % bands)"
    return Grid(title=title, headers=headers, rows=cells, numeric=[True] * len(headers))


def _back_test_grid(tested: BackTest) -> Grid:
    cells = [
        (
            str(split.runs_fitted),
            flop(split.train_flop_max),
            str(len(split.errors)),
            f"{split.reach:.3g}x",
            f"{100 * split.error:.2f}%",
            f"{100 * split.bias:+.2f}%",
        )
        for split in tested.splits
    ]
    headers = ("runs fitted", "up to FLOP", "predicted", "reach", "mean error", "bias")
    title = "back-test: the cheap runs fitted, the dearer predicted"
    return Grid(title=title, headers=headers, rows=cells, numeric=[True] * len(headers))
