"""A fitted law as a law file, ``scaleplan.law/1``: what ``law_document`` reads, written.

The file is read back and validated before it takes its name, so that whatever stands under that name plans.
"""

from __future__ import annotations

import datetime
import math
import re
import shlex
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.specs import presets
from scaleplan.specs.files import shown
from scaleplan.specs.yaml12 import yaml_text
from scaleplan.version import __version__

if TYPE_CHECKING:
    from scaleplan.fitting.fitted_law import FittedLaw, Rule
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit
    from scaleplan.laws.law import Law
    from scaleplan.specs.run_tables import TableOfRuns

_FIT, _REPEATED, _RULE = "fit", "repeated", "allocation"
_LADDER = "the line through the best run of every budget"
_RULE_SOURCES = {"isoflop": "approach 2, minima of parabolas", "envelope": "approach 1, envelope of the curves"}
_HEADER = """\
# Fitted by scaleplan {version}. Use it wherever a preset goes:
#   scaleplan allocate --flops 1e23 --law {path}
"""


def law_id_of(path: str) -> str:
    """The name a law file's law goes by: that of the file, in the letters that names are made of.

    Raises:
        UsageError: a path that no command would take for a law file, or a folder that is not there; nothing is left of
            the name, or it is a shipped law's.
    """
    place = Path(path)
    if place.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--out {shown(path)}: a law file ends in .yaml, by which --law knows it from a preset's name")
    if not place.parent.is_dir():
        raise UsageError(f"--out {shown(path)}: no such folder as {shown(str(place.parent))}")
    name = re.sub(r"[^a-z0-9._-]+", "-", place.stem.lower()).strip("-._")
    if not name:
        raise UsageError(f"--out {shown(path)}: the law takes its name from the file's, which has none of a-z and 0-9")
    if presets.is_shipped("laws", name):
        raise UsageError(f"--out {path}: {name} is a shipped law's name; choose another file name")
    return name


def law_text(document: dict[str, Any], path: str) -> str:
    """The text of the law file that will stand at ``path``."""
    return _HEADER.format(version=__version__, path=shlex.quote(shown(path))) + yaml_text(document)


def read_back(text: str, name: str) -> tuple[dict[str, Any], Law]:
    """The validated data of a law file's text, and its law.

    Raises:
        InputFileError: constants that do not plan, such as an exponent below zero, with what is wrong with them.
    """
    from scaleplan.specs.law_document import validate_own
    from scaleplan.specs.laws import build_law
    from scaleplan.specs.yaml12 import parse

    data = validate_own(parse(text, name))
    return data, build_law(data)


def law_document(
    name: str, fitted: FittedLaw, table: TableOfRuns, columns: dict[str, str], where: list[str]
) -> dict[str, Any]:
    """The data of the law file."""
    runs = fitted.runs
    source = f"{runs.source}: {runs.count} runs" + (f", {len(runs)} rows" if runs.clustered else "")
    groups, roles = _groups(fitted, source)
    document: dict[str, Any] = {
        "schema": "scaleplan.law/1",
        "id": name,
        "title": f"Fit of {Path(runs.source).name}",
        "year": datetime.datetime.now(tz=datetime.UTC).year,
        "authors": "scaleplan fit",
        "paper": f"own runs, {Path(runs.source).name}",
        "kind": "loss",
        "counts": {
            "params": runs.counts_params.value,
            "flop": runs.flop_convention.value,
            "tokens": "training tokens",
            "loss": {
                "unit": "nats/token",
                "corpus": runs.corpus or f"own runs ({Path(runs.source).name})",
                "tokenizer": runs.tokenizer or "that of the runs",
            },
        },
        "fitted": {
            "params": _range(runs.params),
            "tokens": _range(runs.tokens),
            "train_flop": _range(runs.train_flop),
            "tokens_per_param": _range(runs.tokens / runs.params),
            "source": source,
        },
        "groups": groups,
        "default": roles,
    }
    document |= _uncertainties(fitted)
    document["recipe"] = _recipe(fitted, table, columns, where)
    return document


def _groups(fitted: FittedLaw, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The groups of constants, and which of them serve which role."""
    fit = fitted.fit
    groups: dict[str, Any] = {}
    roles: dict[str, Any] = {}
    if fit is not None:
        groups[_FIT] = _group(fitted, fit, source)
        roles["trend" if fit.form.compute_only else "surface"] = _FIT
    if fit is not None and fit.form.needs_unique_tokens:
        # A plan without a limit on its data takes the law of a single epoch, one with such a limit that of repeats.
        groups[_REPEATED] = groups[_FIT]
        roles["repeated"] = _REPEATED
        kept = {symbol: deepcopy(groups[_FIT]["constants"][symbol]) for symbol in ("E", "A", "B", "alpha", "beta")}
        groups[_FIT] = {"form": "additive", "source": f"fit of {source}, at a single epoch", "constants": kept}
    if fitted.rule is not None:
        groups[_RULE] = _rule_group(fitted.rule, _RULE_SOURCES.get(fitted.settings.method, _LADDER), source)
        roles["allocation"] = _RULE
    for approach in fitted.approaches:
        if approach.found is not fitted.rule:
            groups[approach.method] = _rule_group(approach.found, _RULE_SOURCES[approach.method], source)
    return groups, roles


def _rule_group(found: Rule, how: str, source: str) -> dict[str, Any]:
    rule = found.rule
    return {
        "form": "power-rule",
        "source": f"{how}, {source}",
        "constants": {
            "k": {"value": float(rule.k), "unit": "parameters/FLOP^a"},
            "a": {"value": float(rule.a), "unit": "1"},
        },
    }


def _range(values: Any) -> list[float]:
    return [float(values.min()), float(values.max())]


def _group(fitted: FittedLaw, fit: Fit, source: str) -> dict[str, Any]:
    form: Any = fit.law_form
    ends = {constant.symbol: constant for constant in fitted.constants}
    units: dict[str, str] = dict(getattr(form, "units", ()))
    constants: dict[str, Any] = {}
    for symbol, value in form._asdict().items():
        entry: dict[str, Any] = {"value": float(value), "unit": units.get(symbol, "nats/token")}
        end = ends.get(symbol)
        if end is not None and end.low is not None and end.high is not None and math.isfinite(end.high):
            entry["interval"] = {"low": end.low, "high": end.high, "level": fitted.settings.level}
        constants[symbol] = entry
    return {"form": fit.form.law_form_name, "source": f"fit of {source}", "constants": constants}


def _uncertainties(fitted: FittedLaw) -> dict[str, Any]:
    """The covariances of what plans: of the surface's or trend's constants, and of the allocation's."""
    out: dict[str, Any] = {}
    fit, allowances = fitted.fit, fitted.allowances
    said = f"{fitted.covariance_by}; {allowances.source}"
    kept = {key: float(getattr(allowances, key)) for key in ("kappa", "tau", "drift", "starvation", "size_misfit")}
    if fit is not None and fitted.covariance is not None:
        names, spread = fit.form.covariance_names, fit.form.surface_jacobian()
        out["uncertainty"] = {
            "parameters": list(names),
            "covariance": _matrix(spread @ fitted.covariance @ spread.T),
            "residual_sd": float(max(fit.sd, np.finfo(float).tiny)),
            "dof": fit.dof,
            "source": said,
            **kept,
        }
    if fitted.rule is not None and fitted.rule.covariance is not None:
        covariance = fitted.rule.covariance
        out["allocation_uncertainty"] = {
            "parameters": ["ln_k", "a"],
            "covariance": _matrix(covariance + np.finfo(float).tiny * np.eye(2)),
            "residual_sd": float(np.finfo(float).tiny),
            "dof": max(fitted.rule.dof, 1),
            "source": said,
            **kept,
        }
    return out


def _matrix(covariance: Any) -> list[list[float]]:
    return [[float(x) for x in row] for row in (covariance + covariance.T) / 2]


def _recipe(fitted: FittedLaw, table: TableOfRuns, columns: dict[str, str], where: list[str]) -> dict[str, Any]:
    fit, runs, settings = fitted.fit, fitted.runs, fitted.settings
    recipe: dict[str, Any] = {
        "version": __version__,
        "method": settings.method,
        "weights": _weights(fitted),
        "runs": {
            "source": runs.source,
            "rows_read": table.rows_read,
            "rows": len(runs),
            "runs": runs.count,
            "columns": columns,
            "where": where,
            "checkpoints": _checkpoints(table.runs, runs),
            "digest": f"sha256:{runs.digest()}",
        },
        "covariance": fitted.covariance_by,
        "resamples": settings.resamples if fitted.covariance_by == "bootstrap" else 0,
        "seed": settings.seed,
    }
    if fit is not None:
        recipe |= {
            "form": fit.form.name,
            "objective": fit.objective.value,
            "value": fit.value,
            "search": {
                "starts": fit.starts,
                "agree": fit.agree,
                "status": fit.status,
                "bounds": "none; levels are searched as logarithms",
            },
        }
        if math.isfinite(fit.delta):
            recipe["delta"] = fit.delta
        if fit.prior:
            recipe["priors"] = {each.quantity: {"mean": each.value, "sd": each.sd} for each in fit.prior}
        steadying = fit.form.steadying(runs)
        if steadying:
            recipe["steadying"] = {each.name: {"mean": each.mean, "sd": each.sd} for each in steadying}
    if fitted.back_test is not None:
        recipe["validation"] = [split.summary() for split in fitted.back_test.splits]
    return recipe


def _weights(fitted: FittedLaw) -> str:
    own = "column weight" if float(np.ptp(fitted.runs.weight)) else "equal"
    if fitted.fit is None or fitted.fit.row_scale is None:
        return own
    return f"{own}, times (L_min/L)^12 (C/C_max)^(1/2) min(1, D/(5 N)), the rows of one run as much as one"


def _checkpoints(read: Runs, kept: Runs) -> str:
    if not kept.clustered:
        return "one row a run"
    if len(kept) < len(read):
        return f"{len(kept)} of {len(read)} rows, spread evenly over the logarithm of tokens"
    return "every row of every run"
