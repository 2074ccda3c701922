"""What can be wrong with a law file beyond its schema: roles, forms, ranges, checks and the covariance."""

from __future__ import annotations

import inspect
from typing import Any

from scaleplan.errors import UsageError
from scaleplan.specs.law_schema import ConstantSpec, GroupSpec, LawSpec, RolesSpec, UncertaintySpec
from scaleplan.specs.yaml12 import Document


def role_problems(document: Document, spec: LawSpec) -> list[str]:
    """Roles name groups whose forms can serve them, and what plans says what it counts."""
    labelled = [] if spec.default is None else [("default", spec.default)]
    problems: list[str] = []
    for label, roles in (*labelled, *((f"variants.{name}", roles) for name, roles in spec.variants.items())):
        path = tuple(label.split(".", 1))
        planning = roles.surface is not None or roles.allocation is not None
        if not planning and not (label == "default" and roles.hyper):
            problems.append(f"{document.where(path)}: {label}: needs a surface or an allocation")
        if planning:
            problems += _count_problems(document, spec, roles)
        if roles.at and roles.surface is None:
            problems.append(
                f"{document.where((*path, 'at'))}: {label}.at: holds variables of a surface, and there is none"
            )
        problems += [
            f"{document.where((*path, role))}: {label}.{role}: {problem}"
            for role, group in _named(roles)
            for problem in _serving_problems(spec, roles, role, group)
        ]
    if spec.default is None and spec.gives is None:
        text = "missing; say which group plans (default: {surface: NAME}), or what the law `gives`"
        problems.append(f"{document.where(())}: default: {text}")
    return list(dict.fromkeys(problems))


def _named(roles: RolesSpec) -> list[tuple[str, str]]:
    single = [(role, getattr(roles, role)) for role in ("surface", "repeated", "allocation", "trend")]
    return [(role, group) for role, group in single if group is not None] + [("hyper", group) for group in roles.hyper]


def _count_problems(document: Document, spec: LawSpec, roles: RolesSpec) -> list[str]:
    instead = {"params": roles.counts_params, "flop": roles.counts_flop, "loss": roles.loss}
    lacking = [
        name
        for name in ("params", "flop", "tokens", "loss")
        if getattr(spec.counts, name) is None and instead.get(name) is None
    ]
    return [f"{document.where(('counts',))}: counts.{name}: missing; a law that plans says it" for name in lacking]


def _serving_problems(spec: LawSpec, roles: RolesSpec, role: str, group_name: str) -> list[str]:
    """Why a group cannot serve a role: at most one reason."""
    from scaleplan.specs.forms import find_form

    group = spec.groups.get(group_name)
    if group is None:
        return [f"no group is called {group_name!r}; there are {', '.join(spec.groups)}"]
    if group.form is None:
        return [f"the group {group_name} has numbers but no form"]
    if group.from_memory and role != "hyper":
        return [f"the group {group_name} is from memory, and such numbers do not plan"]
    try:
        form_class = find_form(group.form)
    except UsageError:
        return []  # reported with the group itself
    return _form_problems(group.form, form_class, roles, role)


def _form_problems(form: str, form_class: Any, roles: RolesSpec, role: str) -> list[str]:
    if role == "repeated":
        held = list(inspect.signature(form_class.at).parameters)[1:] if hasattr(form_class, "at") else []
        return [] if held == ["unique_tokens"] else [f"the form {form} is no law of repeated tokens"]
    if role == "surface" and (hasattr(form_class, "at") or roles.at):
        return _held_problems(form, form_class, roles)
    return [] if _can_serve(form_class, role) else [f"the form {form} cannot serve as {role}"]


def _held_problems(form: str, form_class: Any, roles: RolesSpec) -> list[str]:
    held = list(inspect.signature(form_class.at).parameters)[1:] if hasattr(form_class, "at") else []
    given = list(roles.at)
    if sorted(held) == sorted(given):
        return []  # whether there is a surface at these values, the trial of the whole law tells
    asked, got = (", ".join(names) or "nothing" for names in (held, given))
    return [f"the form {form} is a surface with `at` holding {asked} (got {got})"]


def _can_serve(form_class: Any, role: str) -> bool:
    from scaleplan.laws.form import AllocationRule, LossSurface, LossTrend

    if role == "hyper":
        return hasattr(form_class, "takes")
    protocol = {"surface": LossSurface, "allocation": AllocationRule, "trend": LossTrend}[role]
    needed = [name for name in vars(protocol) if not name.startswith("_") and callable(vars(protocol)[name])]
    return all(hasattr(form_class, name) and _takes(form_class, name) == _takes(protocol, name) for name in needed)


def _takes(owner: Any, name: str) -> int:
    return len(inspect.signature(getattr(owner, name)).parameters)


def form_problems(document: Document, spec: LawSpec) -> list[str]:
    """Groups have the constants of their forms, above zero where they must be, those of the loss in its unit."""
    problems: list[str] = []
    for name, group in spec.groups.items():
        if group.form is None:
            continue
        try:
            found = _constant_problems(spec, group, group.form)
        except UsageError as error:
            problems.append(f"{document.where(('groups', name))}: groups.{name}: {error.message}")
            continue
        for symbol, key, problem in found:
            path = ("groups", name, "constants", symbol, key)
            problems.append(f"{document.where(path)}: {'.'.join(path)}: {problem}")
    return problems


def _constant_problems(spec: LawSpec, group: GroupSpec, form: str) -> list[tuple[str, str, str]]:
    from scaleplan.specs.forms import build_form, find_form

    lists = [symbol for symbol, c in group.constants.items() if isinstance(c.value, list)]
    if lists:
        return [(symbol, "value", f"must be one number: it is a constant of the form {form}") for symbol in lists]
    build_form(form, {symbol: _number(c) for symbol, c in group.constants.items()})
    form_class = find_form(form)
    in_loss_units: tuple[str, ...] = getattr(form_class, "in_loss_units", ())
    signed: tuple[str, ...] = getattr(form_class, "signed", ())
    units: dict[str, str] = dict(getattr(form_class, "units", ()))
    problems: list[tuple[str, str, str]] = []
    unit = None if spec.counts.loss is None else spec.counts.loss.unit
    for symbol, constant in group.constants.items():
        if unit is not None and symbol in in_loss_units and constant.unit != unit:
            problems.append((symbol, "unit", f"must be the loss's unit, {unit} (got {constant.unit})"))
        if constant.unit != units.get(symbol, constant.unit):
            problems.append((symbol, "unit", f"must be {units[symbol]} in the form {form} (got {constant.unit})"))
        if symbol not in signed and _number(constant) <= 0:
            problems.append((symbol, "value", f"must be > 0 (got {_number(constant):g})"))
    return problems


def _number(constant: ConstantSpec) -> float:
    assert not isinstance(constant.value, list)
    return constant.value


def range_problems(document: Document, spec: LawSpec) -> list[str]:
    """Ranges run from above zero upwards, intervals upwards."""
    problems: list[str] = []
    for key in ("params", "tokens", "train_flop", "tokens_per_param"):
        pair = None if spec.fitted is None else getattr(spec.fitted, key)
        if pair is not None and not 0 < pair[0] <= pair[1]:
            where = f"{document.where(('fitted', key))}: fitted.{key}"
            problems.append(f"{where}: must run from a number > 0 to a larger one (got {pair[0]:g} to {pair[1]:g})")
    for name, group in spec.groups.items():
        for symbol, constant in group.constants.items():
            interval = constant.interval
            if interval is not None and not interval.low < interval.high:
                path = ("groups", name, "constants", symbol, "interval")
                got = f"(got {interval.low:g} to {interval.high:g})"
                problems.append(f"{document.where(path)}: {'.'.join(path)}: must run from low to high {got}")
    return problems


def check_problems(document: Document, data: dict[str, Any]) -> list[str]:
    """Checks are expressions that have a value, and say why where the value is not the published one."""
    from scaleplan.specs.records import build_record

    record = build_record(data)
    problems: list[str] = []
    for i, check in enumerate(record.checks):
        where = f"{document.where(('checks', i))}: checks.{i}"
        try:
            check.value(record)
        except UsageError as error:
            problems.append(f"{where}.value: {error.message}")
            continue
        if check.outcome == "not_reproduced" and check.note is None:
            problems.append(f"{where}.note: missing; say why the constants do not give the published value")
        if not check.as_recorded(record):
            got = f"the constants give {check.value(record):.6g}, published is {check.expected:.6g}"
            mend = "say `outcome: not_reproduced` with a `note` why, or mend the constants or `expected`"
            if check.outcome != "reproduced":
                mend = "leave `outcome` out"
            problems.append(f"{where}.outcome: {check.outcome} is not so: {got}; {mend}")
    return problems


def band_problems(document: Document, spec: LawSpec) -> list[str]:
    """A covariance must be of its role's constants, square, symmetric and positive semi-definite."""
    default = RolesSpec() if spec.default is None else spec.default
    problems: list[str] = []
    for block, uncertainty, role, group in (
        ("uncertainty", spec.uncertainty, "surface or trend", default.surface or default.trend),
        ("allocation_uncertainty", spec.allocation_uncertainty, "allocation", default.allocation),
    ):
        problem = None if uncertainty is None else _band_problem(spec, uncertainty, role, spec.groups.get(group or ""))
        if problem:
            problems.append(f"{document.where((block,))}: {block}{problem}")
    return problems


def _band_problem(spec: LawSpec, uncertainty: UncertaintySpec, role: str, group: GroupSpec | None) -> str | None:
    from scaleplan.specs.forms import find_form

    names, matrix = tuple(uncertainty.parameters), uncertainty.covariance
    n = len(names)
    try:
        expected = (
            None if group is None or group.form is None else getattr(find_form(group.form), "covariance_of", None)
        )
    except UsageError:
        return None  # the unknown form is reported with its group
    problem = None
    if spec.fitted is None or spec.fitted.train_flop is None:
        problem = ": needs fitted.train_flop, the range of the runs, to widen bands beyond it"
    elif expected is None:
        such = "power-rule" if role == "allocation" else "additive or compute-trend"
        problem = f": needs a default {role} whose form takes a covariance, such as {such}"
    elif names != expected:
        problem = f".parameters: must be {', '.join(expected)} in this order (got {', '.join(names)})"
    elif len(matrix) != n or any(len(row) != n for row in matrix):
        problem = f".covariance: must be {n} rows of {n} numbers"
    elif any(abs(matrix[i][j] - matrix[j][i]) > 1e-9 * abs(matrix[i][j]) for i in range(n) for j in range(i)):
        problem = ".covariance: must be symmetric"
    elif not _semi_definite(matrix):
        problem = ".covariance: must be positive definite, or short of it only where constants move as one"
    return problem


_TIED = 1e-9
"""Our choice: a constant whose own variance, given the others, is below this share of its whole one moves with them."""


def _semi_definite(matrix: list[list[float]]) -> bool:
    """Whether variances are above zero and Cholesky's factorisation of the correlations exists, to rounding."""
    n = len(matrix)
    if any(matrix[i][i] <= 0 for i in range(n)):
        return False
    lower = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            correlation = matrix[i][j] / (matrix[i][i] * matrix[j][j]) ** 0.5
            rest = correlation - sum(lower[i][k] * lower[j][k] for k in range(j))
            if i == j and rest < -_TIED:
                return False
            if i == j:
                lower[i][i] = rest**0.5 if rest > _TIED else 0.0
            elif lower[j][j]:
                lower[i][j] = rest / lower[j][j]
            elif abs(rest) > 3 * _TIED**0.5:
                return False
    return True
