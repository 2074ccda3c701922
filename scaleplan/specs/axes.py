"""An axis of a sweep: the values that one key of a budget file takes, listed or a range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from scaleplan import units
from scaleplan.specs.limits import LimitWords
from scaleplan.specs.yaml12 import Document, Path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RANGE_KEYS = ("from", "to", "points", "scale")
SCALES = ("log", "linear")
MOST_ROWS = 10**9
"""Our choice: at the pace of one core more than an hour, and a hundred gigabytes of rows."""
_DIGITS = 15
_EXACT = 22
"""10^22 is the largest power of ten that is a float."""


_KEPT = 65_536
"""Our choice: values of so many points are kept, half a megabyte an axis; of more points few come twice in a block."""
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "budget": ("flops", "loss", "usd", "days", "gpu_hours", "mfu", "price", "goodput", "watts"),
    "limits": tuple(key for key in LimitWords._fields if key not in ("memory", "batch", "experts")),
    "serving": ("tokens",),
}
"""Keys whose values are numbers that problems solved at once may differ in; any other makes a group of its own."""


class Span(NamedTuple):
    """``points`` values from ``start`` to ``stop``, both among them: equal ratios apart, or equal steps.

    Those between have 15 significant digits, of which every number of so many is a float of its own: 1e23 between 1e22
    and 1e24, not 1.0000000000000006e+23.
    """

    start: float
    stop: float
    points: int
    linear: bool

    def at(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values of some indices; the last is ``stop`` to the bit."""
        return _values(self)[indices] if self.points <= _KEPT else self.computed(indices)

    def computed(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same, computed for each of them."""
        import numpy as np

        share = indices / (self.points - 1)
        between = self.start + share * (self.stop - self.start) if self.linear else self._by_ratios(indices, share)
        ends = np.where(indices == 0, self.start, self.stop)
        return np.where((indices == 0) | (indices == self.points - 1), ends, _rounded(between))

    def _by_ratios(self, indices: NDArray[np.int64], share: NDArray[np.float64]) -> NDArray[np.float64]:
        """start (stop / start)^share, to more than 15 digits: what rounding took from the share is given back."""
        import numpy as np

        ratio, steps = self.stop / self.start, self.points - 1
        if not 0 < ratio < math.inf:
            low, high = math.log(self.start), math.log(self.stop)
            return np.exp(low + share * (high - low))
        # Products of the upper half of the digits with a number of steps are exact, and so is what they leave.
        upper = share.astype(np.float32).astype(np.float64)
        lost = ((indices - upper * steps) - (share - upper) * steps) / steps
        return self.start * ratio**share * (1 + lost * math.log(ratio))


@lru_cache(maxsize=16)
def _values(span: Span) -> NDArray[np.float64]:
    import numpy as np

    return span.computed(np.arange(span.points))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers from zero on at ``_DIGITS`` significant digits, each the float nearest to what is then written."""
    import numpy as np

    with np.errstate(all="ignore"):
        places = _DIGITS - 1 - np.floor(np.log10(values))
        scale = 10.0 ** np.abs(np.clip(places, -_EXACT, _EXACT))
        rounded = np.where(places >= 0, np.rint(values * scale) / scale, np.rint(values / scale) * scale)
    # Zero has no digits, and of larger powers of ten the product above would be rounded twice.
    for i in np.flatnonzero(~(np.abs(places) <= _EXACT)):
        rounded[i] = float(f"{values[i]:.{_DIGITS - 1}e}")
    return rounded


class Axis(NamedTuple):
    """What one key takes: ``heading`` and ``key`` as in a budget file (``law`` has no key), and its values.

    ``raw`` are the values as written, ``values`` as read: numbers, or texts where one of them is no number; of a range
    both are empty. Where ``span`` is ``None`` the values are listed.
    """

    heading: str
    key: str
    raw: tuple[Any, ...] = ()
    values: tuple[float | str, ...] = ()
    span: Span | None = None

    @property
    def path(self) -> Path:
        """Where it stands in the file."""
        return (self.heading, self.key) if self.key else (self.heading,)

    @property
    def name(self) -> str:
        """What messages call it."""
        return ".".join(map(str, self.path))

    @property
    def column(self) -> str:
        """Its column in the rows."""
        return "_".join(str(part) for part in self.path)

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values) if self.span is None else self.span.points

    def at(self, indices: NDArray[np.int64]) -> NDArray[np.float64] | list[str]:
        """The values of some indices: an array of numbers, or a list of texts."""
        import numpy as np

        if self.span is not None:
            return self.span.at(indices)
        if isinstance(self.values[0], str):
            return cast("list[str]", np.array(self.values, dtype=object)[indices].tolist())
        return np.array(self.values, dtype=np.float64)[indices]

    @property
    def first(self) -> float | str:
        """The first value."""
        return self.values[0] if self.span is None else self.span.start

    def raw_at(self, index: int) -> Any:
        """One value, as it may be written in a budget file."""
        if self.span is None:
            return self.raw[index]
        import numpy as np

        return float(self.span.at(np.array([index]))[0])


def is_number(path: Path) -> bool:
    """Whether problems that are solved at once may differ in the axis at a path."""
    return path[-1] in NUMBERS.get(str(path[0]), ())


def is_axis(value: Any) -> bool:
    """Whether a value of a sweep file is a list or a range."""
    return isinstance(value, list) or (
        isinstance(value, dict) and any(key in value for key in ("from", "to", "points"))
    )


def value_at(document: Document, path: Path) -> Any:
    """What a document has at a path."""
    found: Any = document.data
    for part in path:
        found = found[part]
    return found


def told(document: Document, place: Path, path: Path | None = None) -> str:
    """``file:line: field`` for a message: the line of ``place``, the field of ``path``, else of ``place`` too."""
    return f"{document.where(place)}: {'.'.join(map(str, path or place))}"


def range_problems(document: Document, path: Path) -> list[str]:
    """What is wrong with the keys of a range and its number of points; its ends are the field's own matter."""
    value = value_at(document, path)
    problems = [
        f"{told(document, (*path, key))}: unknown key; a range is of from, to, points and perhaps scale"
        for key in value
        if key not in RANGE_KEYS
    ]
    missing = [key for key in RANGE_KEYS[:3] if key not in value]
    if missing:
        problems.append(f"{told(document, path)}: a range needs {' and '.join(missing)}")
    points, scale = value.get("points", 2), value.get("scale", SCALES[0])
    if isinstance(points, bool) or not isinstance(points, (int, float)) or not 2 <= points <= MOST_ROWS or points % 1:
        text = f"must be a whole number from 2 to 1e9 (got {units.shown(points)})"
        problems.append(f"{told(document, (*path, 'points'))}: {text}")
    if scale not in SCALES:
        problems.append(f"{told(document, (*path, 'scale'))}: must be {' or '.join(SCALES)} (got {scale!r})")
    return problems
