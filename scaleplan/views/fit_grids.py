"""The tables of a fit: constants, approaches, forms, plans, back-test."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scaleplan.laws.student import two_sided_quantile
from scaleplan.views.table import Grid, band, count, flop, loss, notes, plain, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.fitting.backtest import BackTest
    from scaleplan.fitting.fit_diagnostics import PriorShift
    from scaleplan.fitting.fitted_law import FittedLaw, Rule
    from scaleplan.fitting.form_comparison import FormComparison
    from scaleplan.fitting.solution import Fit
    from scaleplan.specs.law_fit import LawFit

_REACHES = (1.0, 10.0)
_NAMES = {"ln_N_opt": "N* at the dearest run"}
_LETTERS = {
    "compute-only": "; K = C_0^alpha",
    "isoflop": "",
    "over-training": "; A = a 6^-eta, B = b 6^-eta, alpha = 2 eta",
}
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


def rule_constants(found: Rule, level: float) -> dict[str, Any]:
    """Of N* = k C^a, with sampling intervals."""
    row: dict[str, Any] = {"params_exponent": found.rule.a, "params_prefactor": found.rule.k}
    if found.covariance is not None:
        half = two_sided_quantile(level, max(found.dof, 1)) * math.sqrt(float(found.covariance[1, 1]))
        row |= {"params_exponent_low": found.rule.a - half, "params_exponent_high": found.rule.a + half}
    return row


def fit_grids(result: LawFit) -> list[Grid]:
    """What a fit shows, from the constants to the back-test."""
    fitted = result.fitted
    grids = [_constant_grid(result), _facts(result)]
    if fitted.approaches:
        grids.append(_approach_grid(result))
    if result.compared is not None:
        grids += _comparison_grids(result.compared)
    grids.append(_optima_grid(optima_rows(result), fitted.settings.level))
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
    exponent = fitted.params_exponent
    if exponent is not None:
        cells.append(("a in N* ~ C^a", _digits(exponent.value), band(exponent.low, exponent.high, _digits)))
    if fitted.rule is not None:
        row = rule_constants(fitted.rule, fitted.settings.level)
        ends = band(row.get("params_exponent_low"), row.get("params_exponent_high"), _digits)
        cells += [("k of N* = k C^a", _digits(fitted.rule.rule.k), "-"), ("a of it", _digits(fitted.rule.rule.a), ends)]
    kind = "" if fitted.settings.band == "forecast" else "sampling "
    name = fitted.settings.method if fitted.fit is None else fitted.fit.form.name
    return Grid(
        title=f"{result.law.id}: {name}, {form.equation}{_LETTERS.get(name, '')}",
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
        row = rule_constants(approach.found, fitted.settings.level)
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
            "-" if each.aicc is None else f"{each.aicc:.1f}",
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
    lines = [("runs", rows), ("design", _design(fitted))]
    if fit is not None:
        threshold = "" if math.isinf(fit.delta) else f", threshold {fit.delta:.3g}"
        lines += [
            ("objective", f"{fit.value:.10g} ({fit.objective.value}{threshold})"),
            ("search", f"{fit.status}; {fit.agree} of {fit.starts} starts agree"),
            ("noise of a run", f"{100 * fit.sd:.2f}% of the loss{_replicates(fitted)}"),
            ("priors", _priors(fit)),
        ]
    if fitted.shift is not None:
        lines.append(("plain fit", _plain(fitted.shift)))
    lines.append(("intervals", f"{fitted.intervals_by}; {fitted.allowances.source}"))
    if result.file is not None:
        lines.append(("written to", result.file))
    return plain(None, ("", ""), lines)


def _design(fitted: FittedLaw) -> str:
    """How far the runs spread, and whether that tells the form's constants apart."""
    runs = fitted.runs
    ratio, compute = (math.log10(float(x.max() / x.min())) for x in (runs.tokens / runs.params, runs.train_flop))
    said = f"{compute:.1f} decades of compute, {ratio:.1f} of tokens a parameter"
    return said if fitted.condition is None else f"{said}; condition number {_digits_or_count(fitted.condition)}"


def _replicates(fitted: FittedLaw) -> str:
    if fitted.replicates is None:
        return ""
    return f"; {100 * fitted.replicates[0]:.2f}% between replicates ({fitted.replicates[1]} degrees of freedom)"


def _priors(fit: Fit) -> str:
    """In the quantities' own terms: a prior on a logarithm by its factor."""
    parts = [
        f"{each.quantity} {each.value:.3g} ± {each.sd:.2g}"
        if not each.quantity.startswith("ln_")
        else f"{_NAMES.get(each.quantity, each.quantity[3:])} {_digits_or_count(math.exp(each.value))} ± {each.sd:.0%}"
        for each in fit.prior
    ]
    return ", ".join(parts) or "none"


def _digits_or_count(value: float) -> str:
    if math.isinf(value):
        return "infinite"
    return f"{value:.3g}" if value < 1e3 else count(value)


def _plain(shift: PriorShift) -> str:
    """What the plain fit says instead."""
    parts = [f"{name} {each.plain:.3g}" for name, each in shift.exponents.items()]
    more = math.expm1(shift.ln_loss.plain - shift.ln_loss.now)
    return f"{', '.join(parts)}; at ten times the dearest run a loss {100 * more:+.2f}% of this one's"


def optima_rows(result: LawFit) -> list[dict[str, Any]]:
    """What the law plans with the compute of its dearest run and beyond."""
    keys = (*OPTIMA_COLUMNS, "tokens_per_param")
    return [{key: _finite(getattr(plan, key)) for key in keys} for plan in result.optima]


def _finite(value: float | None) -> float | None:
    """A number, or none: a band that knows nothing of N* has no upper end."""
    return value if value is not None and math.isfinite(value) else None


def _optima_grid(rows: Sequence[dict[str, Any]], level: float) -> Grid:
    cells = [
        (
            flop(row["train_flop"]),
            count(row["params"]),
            band(row["params_low"], row["params_high"], count),
            count(row["tokens"]),
            ratio(row["tokens_per_param"]),
            loss(row["loss"]),
            band(row["loss_low"], row["loss_high"], loss),
        )
        for row in rows
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
