"""Which column of a table is which number of a measured run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaleplan.errors import InputFileError, Notice, UsageError, nearest, quoted
from scaleplan.specs import run_conditions
from scaleplan.specs.run_columns import comma_hint, one_flop_column

COLUMNS = (
    "params", "params_nonembedding", "tokens", "loss", "flops", "train_flop", "run", "weight", "unique_tokens",
    "tokenizer", "corpus",
)  # fmt: skip
"""Our names of the columns that are read."""
_CORPORA = ("corpus", "val_data", "dataset", "train_data")
"""Columns that commonly say what data a loss is of; our choice."""


class Roles(NamedTuple):
    """The columns that are read.

    ``theirs`` is the table's name of a column by ours (``train_flop`` goes as ``flops``), ``aliases`` likewise for the
    names that conditions may use beside the table's; ``size`` is ``params`` or ``params_nonembedding``; ``corpora`` are
    the columns that say what data a loss is of; ``wanted`` all that are needed.
    """

    theirs: Mapping[str, str]
    aliases: Mapping[str, str]
    size: str
    corpora: tuple[str, ...]
    wanted: tuple[str, ...]
    notices: tuple[Notice, ...]


def roles(names: list[str], columns: Mapping[str, str], conditions: Sequence[str], place: str) -> Roles:
    """What the columns of a table are.

    Args:
        names: of the table's columns.
        columns: the table's names by ours, where they differ.
        conditions: on the rows; what they are on is wanted too.
        place: where the names stand, for messages.

    Raises:
        InputFileError: params, tokens or loss cannot be had, or ``flops`` stands under both of its names.
        UsageError: ``columns`` or a condition names a column that is not there.
    """
    _check_mapping(names, columns, place)
    taken = set(columns.values())
    theirs = {name: name for name in COLUMNS if name in names and name not in taken} | dict(columns)
    one_flop_column(theirs, place)
    if "train_flop" in theirs:
        theirs["flops"] = theirs.pop("train_flop")
    ignored: list[str] = []
    if "params" in theirs and "params_nonembedding" in theirs:
        ignored.append(f"{theirs.pop('params_nonembedding')}, since {theirs['params']} is there")
    size = "params_nonembedding" if "params_nonembedding" in theirs else "params"
    _check_present(theirs, size, names, place)
    aliases = dict(columns)
    if "flops" in theirs:
        aliases |= {"flops": theirs["flops"], "train_flop": theirs["flops"]}
    aliases = {ours: own for ours, own in aliases.items() if ours not in names}
    filtered = {aliases.get(name, name) for name in run_conditions.used(conditions, [*names, *aliases])}
    read = set(theirs.values())
    corpora = [theirs["corpus"]] if "corpus" in theirs else []
    corpora += [name for name in _CORPORA if name in names and name not in read]
    wanted = [name for name in names if name in read or name in filtered or name in corpora]
    said = {text.partition(",")[0] for text in ignored}
    ignored = [name for name in names if name not in wanted and name not in said] + ignored
    notices = (Notice("ignored_columns", f"columns not used: {', '.join(ignored)}."),) if ignored else ()
    return Roles(theirs, aliases, size, tuple(corpora), tuple(wanted), notices)


def _check_mapping(names: list[str], columns: Mapping[str, str], place: str) -> None:
    for ours, own in columns.items():
        if ours not in COLUMNS:
            raise UsageError(
                f"--column {ours}={own}: no column is called {quoted(ours)} here.{nearest(ours, COLUMNS)} "
                f"There are {', '.join(COLUMNS)}"
            )
        if own not in names:
            raise UsageError(
                f"--column {ours}={own}: {place} has no column {quoted(own)}.{nearest(own, names)} "
                f"Columns: {', '.join(names)}"
            )
    doubled = sorted({own for own in columns.values() if list(columns.values()).count(own) > 1})
    if doubled:
        raise UsageError(f"--column: {doubled[0]} is named for two columns")


def _check_present(theirs: Mapping[str, str], size: str, names: list[str], place: str) -> None:
    got = f"got {', '.join(names) or 'nothing'}{comma_hint(names)}"
    if "loss" not in theirs:
        near = nearest("loss", names)
        raise InputFileError(f"{place}: no column 'loss'; {got}.{near} --column loss=NAME names it")
    if len({size, "tokens", "flops"} & set(theirs)) < 2:
        missing = next(name for name in (size, "tokens") if name not in theirs)
        raise InputFileError(
            f"{place}: no column {missing!r}; needs two of params, tokens and flops, {got}."
            f"{nearest(missing, [name for name in names if name not in theirs.values()])} "
            f"--column {missing}=NAME names it"
        )
