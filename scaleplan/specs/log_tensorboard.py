"""TensorBoard's event files: scalars by tag, a file or a folder of one run.

An event has the time, a step, and scalars: ``simple_value`` (PyTorch, tensorboardX, TensorFlow 1) or a tensor of one
number (TensorFlow 2), in ``event.proto``, ``summary.proto`` and ``tensor.proto`` of TensorFlow. A run that was started
again leaves another file in its folder: they are read in the order of their first events, and steps may go back.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_damage import Damage
from scaleplan.specs.log_event_folders import evaluation_folder, event_files, has_event_files, runs_of
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_protobuf import Field, Schema, decode_error, message_class
from scaleplan.specs.log_records import Frames, damaged, frames, is_record
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows
from scaleplan.specs.log_series import Series, add_rows, chosen, one_run, without_rows

FORM = "TensorBoard"
_SCHEMA: Schema = {
    "Event": {
        "wall_time": Field(1, "double"),
        "step": Field(2, "int64"),
        "summary": Field(5, "Summary"),
    },
    "Summary": {"value": Field(1, "Value", many=True)},
    "Value": {
        "tag": Field(1, "bytes"),
        "simple_value": Field(2, "float"),
        "tensor": Field(8, "Tensor"),
    },
    "Tensor": {
        "dtype": Field(1, "int32"),
        "content": Field(4, "bytes"),
        "floats": Field(5, "float", many=True),
        "doubles": Field(6, "double", many=True),
        "ints": Field(7, "int32", many=True),
        "longs": Field(10, "int64", many=True),
    },
}
_DTYPES: Mapping[int, tuple[str, str]] = {
    1: ("<f", "floats"),
    2: ("<d", "doubles"),
    3: ("<i", "ints"),
    9: ("<q", "longs"),
}
"""By number in ``types.proto``: how a value lies in ``content``, and where else it may stand."""


class EventFile(NamedTuple):
    """What one file says: series by tag, and what of it is damaged.

    ``first``: time of the first event, NaN without any.
    """

    name: str
    first: float
    series: Mapping[str, Series]
    damage: Damage


def is_tensorboard(path: Path) -> bool:
    """Whether a file is of events, by its name or first bytes, or a folder has such files in it.

    Raises:
        InputFileError: the system does not open it.
    """
    if path.is_dir():
        return has_event_files(path)
    if "tfevents" in path.name:
        return path.is_file()
    with open_regular(path) as file:
        return is_record(file.read(12))


def read_tensorboard(path: Path, name: str, columns: Mapping[str, str], run: str | None = None) -> LogRows:
    """The rows of a run.

    Args:
        path: an event file, or a folder with those of one run in it or below.
        name: for messages.
        columns: the tag by role, where it is not one of those that tools use.
        run: the subfolder that is wanted, where there are several with runs.

    Raises:
        LogContentError: no events, no loss among the tags, or several runs.
        InputFileError: a file that cannot be read, links in a circle.
        UsageError: protobuf is not installed.
    """
    roles = Roles(columns)
    if path.is_dir():
        folders = event_files(path)
        if not folders:
            raise LogContentError(f"{name}: no event files (*tfevents*) in it or below")
        runs = runs_of(folders)
        files = _with_loss(runs, roles, run, name)
    else:
        files = [("", _read_file(path, shown(str(path))))]
    return _rows([(folder, file) for folder, file in files if not math.isnan(file.first)], roles, name)


def _with_loss(
    runs: Mapping[str, list[tuple[str, Path]]], roles: Roles, run: str | None, name: str
) -> list[tuple[str, EventFile]]:
    """The files of the only run, or of the only one that has a loss: some tools put other things in a folder below."""
    if run is not None or len(runs) == 1:
        return _read_run(runs[one_run(list(runs), run, name, "")])
    found: dict[str, list[tuple[str, EventFile]]] = {}
    for each, paths in runs.items():
        files = _read_run(paths)
        if any(_names_loss(tag, roles) for _, file in files for tag in file.series):
            found[each] = files
        if len(found) > 1:
            one_run(list(runs), None, name, "a log is of one: name one of these folders")
    return next(iter(found.values())) if found else _read_run([each for paths in runs.values() for each in paths])


def _names_loss(tag: str, roles: Roles) -> bool:
    role = roles.of(tag)
    return role is not None and role[0] in ("loss", "eval_loss")


def _read_run(paths: list[tuple[str, Path]]) -> list[tuple[str, EventFile]]:
    files = [(folder, _read_file(path, shown(str(path)))) for folder, path in paths]
    return sorted(files, key=lambda each: (each[1].first, each[1].name))


def _rows(files: list[tuple[str, EventFile]], roles: Roles, name: str) -> LogRows:
    """The rows of files in the order in which they were begun."""
    if not files:
        raise LogContentError(f"{name}: no event that can be read")
    rows = LogRows(FORM, roles)
    renamed = [{_in_folder(folder, tag, roles): each for tag, each in file.series.items()} for folder, file in files]
    tags = chosen((tag for series in renamed for tag, each in series.items() if len(each)), roles, name, "tag")
    left = 0
    for series in renamed:
        left += add_rows(rows, tags, series)
    rows.notices += without_rows(left, FORM)
    for _, file in files:
        rows.unreadable += file.damage.parts
        rows.notices += file.damage.notices(file.name)
    return rows


def _in_folder(folder: str, tag: str, roles: Roles) -> str:
    """A tag with what its folder says: a loss in a folder of evaluations is theirs; ``loss_val`` may be a folder."""
    if not folder:
        return tag
    last = folder.rpartition("/")[2]
    role = roles.of(tag)
    if evaluation_folder(last):
        return "eval/loss" if role is not None and role[0] == "loss" else f"{last}/{tag}"
    return last if roles.of(last) is not None else tag


def _read_file(path: Path, name: str) -> EventFile:
    """The scalars of one event file."""
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise unreadable(name, error) from None
    found = frames(data)
    by_tag: dict[bytes, Series] = {}
    damage = Damage()
    damage.cut = found.cut
    for where, size in found.lost:
        damage.add(where, size)
    first = math.nan
    event_of = _event_class().FromString
    failed = decode_error()
    for record, (start, length) in enumerate(zip(found.starts, found.lengths, strict=True)):
        try:
            event = event_of(data[start : start + length])
        except failed:
            damage.add(start - 12, length + 16)
            continue
        if math.isnan(first):
            first = event.wall_time
        for value in event.summary.value:
            number = value.simple_value if value.HasField("simple_value") else _of_tensor(value)
            if number is not None:
                tag = value.tag
                column = by_tag.get(tag)
                if column is None:
                    column = by_tag[tag] = Series()
                column.add(event.step, number, event.wall_time, record)
    _drop_damaged(data, found, by_tag, damage)
    return EventFile(name, first, {tag.decode("utf-8", "replace"): each for tag, each in by_tag.items()}, damage)


def _drop_damaged(data: bytes, found: Frames, by_tag: Mapping[bytes, Series], damage: Damage) -> None:
    """Leave out values of records whose data do not have their checksum."""
    import numpy as np

    if not by_tag:
        return
    used = np.unique(np.concatenate([np.array(each.record) for each in by_tag.values()]))
    starts, lengths = np.array(found.starts)[used], np.array(found.lengths)[used]
    bad = damaged(data, starts, lengths)
    if not bad.any():
        return
    for each in by_tag.values():
        each.keep(np.isin(each.record, used[bad], invert=True).tolist())
    for start, length in zip(starts[bad].tolist(), lengths[bad].tolist(), strict=True):
        damage.add(start - 12, length + 16)


def _of_tensor(value: Any) -> float | None:
    """The number of a tensor of one; ``None`` for any other, or where there is no tensor."""
    kind = _DTYPES.get(value.tensor.dtype)
    if kind is None:
        return None
    form, field = kind
    content = value.tensor.content
    if content:
        return struct.unpack(form, content)[0] if len(content) == struct.calcsize(form) else None
    numbers = getattr(value.tensor, field)
    return numbers[0] if len(numbers) == 1 else None


@cache
def _event_class() -> type[Any]:
    return message_class(_SCHEMA, "Event", "tensorboard")
