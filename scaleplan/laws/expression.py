"""Published values as expressions over a law's constants: ``fit.optimum(1e20).params / 1.7e9``.

Names are the law's groups, ``PF_DAY``, a few functions and those that the caller gives; a dot reads a constant of a
group, a field of an answer, or calls a method of the group's form. Nothing else of Python is allowed: law files come
from anywhere.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.errors import ConvergenceError, UsageError
from scaleplan.ops import exp, extremes, log, sqrt
from scaleplan.units import FLOP_PER_PF_DAY

if TYPE_CHECKING:
    from scaleplan.laws.record import Group


def _divide(x: Any, y: Any) -> Any:
    return x / y


def _power(x: Any, y: Any) -> Any:
    return x**y


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Pow: _power,
    ast.USub: operator.neg,
}
Functions = Mapping[str, Callable[..., Any]]
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "exp": exp,
    "log": log,
    "log10": lambda x: log(x) / math.log(10),
    "sqrt": sqrt,
    "max": lambda x: extremes(x)[1],
    "min": lambda x: extremes(x)[0],
}


def evaluate(text: str, groups: Mapping[str, Group], functions: Functions | None = None) -> float:
    """The value of an expression.

    Args:
        text: the expression.
        groups: the law's, by name.
        functions: what it may call beside elementary functions and methods of forms; a group becomes its form.

    Raises:
        UsageError: it is not an expression, names something that is not there, or has no finite value.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numpy: what overflows is not finite, and said below
            found = _value(
                ast.parse(text.strip(), mode="eval").body, _Names(groups, {**_FUNCTIONS, **(functions or {})})
            )
        if not hasattr(found, "__float__"):
            raise UsageError(f"{text!r} is not a number")
        value = float(found)
    except SyntaxError:
        raise UsageError(f"{text!r} is not an expression") from None
    except (ArithmeticError, AttributeError, ConvergenceError, LookupError, MemoryError, RecursionError, TypeError,
            ValueError) as error:  # fmt: skip
        raise UsageError(f"{text!r} has no value: {error}") from None
    if not math.isfinite(value):
        raise UsageError(f"{text!r} is not finite")
    return value


class _Names(NamedTuple):
    """What names stand for."""

    groups: Mapping[str, Group]
    functions: Functions


def _value(node: ast.expr, names: _Names) -> Any:
    value: Any
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        # Booleans choose between two ways of counting; whole numbers become floats, so that powers cannot run away.
        value = node.value if isinstance(node.value, bool) else float(node.value)
    elif isinstance(node, ast.Name):
        value = _named(node.id, names.groups)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_value(node.operand, names))
    elif isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
        value = _attribute(_value(node.value, names), node.attr)
    elif isinstance(node, ast.Subscript):
        value = _value(node.value, names)[_index(_value(node.slice, names))]
    elif isinstance(node, ast.Call):
        value = _call(node, names)
    else:
        raise UsageError(f"{ast.unparse(node)!r} is not allowed in an expression")
    return value


def _index(value: Any) -> int:
    if not isinstance(value, float) or not value.is_integer():
        raise TypeError("an index is a whole number")
    return int(value)


def _named(name: str, groups: Mapping[str, Group]) -> Any:
    if name == "PF_DAY":
        return FLOP_PER_PF_DAY
    if name not in groups:
        raise UsageError(f"no group is called {name!r}; there are {', '.join(groups)}")
    return groups[name]


def _attribute(owner: Any, name: str) -> Any:
    from scaleplan.laws.record import Group

    if isinstance(owner, Group):
        for constant in owner.constants:
            if constant.symbol == name:
                return _number(constant.value)
        owner = owner.form
    # Only forms and answers, which are named tuples, have names to read: an array could write files, text format.
    found = getattr(owner, name, None) if hasattr(owner, "_fields") else None
    if found is None or isinstance(found, (str, tuple)) or hasattr(tuple, name):
        raise UsageError(f"there is no {name!r} here")
    return found


def _call(node: ast.Call, names: _Names) -> Any:
    from scaleplan.laws.record import Group

    if isinstance(node.func, ast.Name) and node.func.id in names.functions:
        called: Any = names.functions[node.func.id]
    elif isinstance(node.func, ast.Attribute):
        called = _value(node.func, names)
    else:
        raise UsageError(f"{ast.unparse(node.func)!r} cannot be called in an expression")
    if not callable(called):
        raise UsageError(f"{ast.unparse(node.func)!r} is a number, not a function")

    def argument(each: ast.expr) -> Any:
        value = _value(each, names)
        return value.form if isinstance(value, Group) else value

    named = {each.arg: argument(each.value) for each in node.keywords if each.arg is not None}
    if len(named) < len(node.keywords):
        raise UsageError(f"{ast.unparse(node)!r} must name each argument once")
    return called(*(argument(each) for each in node.args), **named)


def _number(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    import numpy as np

    return np.asarray(value, dtype=np.float64)
