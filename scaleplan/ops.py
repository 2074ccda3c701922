"""Elementary functions for floats, numpy arrays and complex numbers alike.

The laws are written once with these. numpy is used only when an array comes in, so that a command which
plans one budget never imports it; complex numbers serve derivative checks by the complex step.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Real: TypeAlias = float | NDArray[np.float64]
else:
    Real = Any

_LARGEST_EXPONENT = 709.78


def exp(x: Real) -> Real:
    """e to the ``x``; infinite where that is beyond a float, for floats as for arrays."""
    if isinstance(x, (float, int)):
        return math.exp(x) if x < _LARGEST_EXPONENT else math.inf
    return _other("exp", x)


def log(x: Real) -> Real:
    """Natural logarithm; minus infinity of zero, for floats as for arrays."""
    if isinstance(x, (float, int)):
        return math.log(x) if x else -math.inf
    return _other("log", x)


def power(base: Real, exponent: float) -> Real:
    """``base`` > 0 to the ``exponent``, by exp and log, which on arrays are faster than numpy's power."""
    return exp(exponent * log(base))


def sqrt(x: Real) -> Real:
    """Square root."""
    if isinstance(x, (float, int)):
        return math.sqrt(x)
    return _other("sqrt", x)


def sinh(x: Real) -> Real:
    """Hyperbolic sine."""
    if isinstance(x, (float, int)):
        return math.sinh(x)
    return _other("sinh", x)


def asinh(x: Real) -> Real:
    """Inverse hyperbolic sine."""
    if isinstance(x, (float, int)):
        return math.asinh(x)
    return _other("arcsinh" if hasattr(x, "dtype") else "asinh", x)


def where(condition: Any, yes: Real, no: Real) -> Real:
    """``yes`` where the condition holds, else ``no``, element by element on arrays."""
    if isinstance(condition, bool):
        return yes if condition else no
    import numpy as np

    return cast("Real", np.where(condition, yes, no))


def clip_low(x: Real, low: float) -> Real:
    """``x``, or ``low`` where ``x`` is below it."""
    return where(x > low, x, low)


def lower(x: Real, y: Real) -> Real:
    """The lesser of ``x`` and ``y``; of complex numbers that with the lesser real part."""
    if isinstance(x, (float, int)) and isinstance(y, (float, int)):
        return min(y, x)
    if isinstance(x, complex) or isinstance(y, complex):
        return x if x.real < y.real else y
    import numpy as np

    # numpy orders complex numbers by their real parts first.
    return cast("Real", np.minimum(x, y))


def greater(x: Real, y: Real) -> Real:
    """The greater of two real numbers, element by element."""
    if isinstance(x, (float, int)) and isinstance(y, (float, int)):
        return max(y, x)
    import numpy as np

    return cast("Real", np.maximum(x, y))


def is_array(x: object) -> bool:
    """Whether ``x`` is a numpy array or scalar (told without importing numpy)."""
    return hasattr(x, "dtype")


def any_true(condition: Any) -> bool:
    """Whether a condition holds anywhere."""
    return bool(condition.any()) if hasattr(condition, "any") else bool(condition)


def all_true(condition: Any) -> bool:
    """Whether a condition holds everywhere."""
    return bool(condition.all()) if hasattr(condition, "all") else bool(condition)


def extremes(x: Real) -> tuple[float, float]:
    """The least and the largest of ``x``."""
    if is_array(x):
        values: Any = x
        return float(values.min()), float(values.max())
    return float(x), float(x)


def first_where(condition: Any, x: Real) -> float:
    """The first value of ``x`` at which the condition holds."""
    if not hasattr(condition, "any"):
        return float(x)
    import numpy as np

    matching = np.broadcast_to(np.asarray(x), condition.shape)[condition]
    return float(matching.flat[0])


def _other(name: str, x: Any) -> Any:
    if isinstance(x, complex):
        return getattr(cmath, name)(x)
    import numpy as np

    with np.errstate(over="ignore", divide="ignore"):
        return getattr(np, name)(x)
