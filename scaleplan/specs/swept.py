"""A sweep under way: what it answers, and its rows as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.compute.accounting import Accounting
from scaleplan.errors import Notice
from scaleplan.specs.sweep import SweepSpec

if TYPE_CHECKING:
    from scaleplan.laws.law import Law


class Sweep(NamedTuple):
    """A sweep under way: its file as resolved, its columns, its blocks of rows as they come.

    Each block maps every column to an array with NaN for absent, or to a list of texts with ``None`` for absent.
    ``rows`` is how many there will be in all, ``laws`` are those of all rows, ``accounting`` names the convention of
    every ``train_flop``. To stop before the end, close ``blocks``. ``warnings`` is to be asked once the blocks are
    through, of which it speaks.
    """

    spec: SweepSpec
    columns: tuple[str, ...]
    rows: int
    laws: tuple[Law, ...]
    accounting: Accounting
    blocks: Generator[Mapping[str, Any]]
    warnings: Callable[[], Sequence[Notice]]
