"""The ``.wandb`` file that a run of Weights & Biases writes where it is, offline or not.

It begins with 7 bytes of its own, then lies in blocks of 32 KiB as LevelDB's logs do (``doc/log_format.md`` of
google/leveldb): checksum (here CRC-32 of the type and the data), length, type (1 whole, 2 first, 3 middle, 4 last),
data. A record is a ``Record`` of ``wandb_internal.proto``: a row of the history has items of a key and a value as JSON.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from scaleplan.specs.files import unreadable
from scaleplan.specs.log_damage import Damage
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_protobuf import Field, Schema, decode_error, message_class
from scaleplan.specs.log_rows import LogContentError
from scaleplan.specs.log_values import as_number

MAGIC = b":W&B"
_START = 7
_BLOCK = 32768
_HEADER = struct.Struct("<IHB")
_KINDS = _WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SCHEMA: Schema = {
    "Record": {"history": Field(2, "History")},
    "History": {"item": Field(1, "Item", many=True)},
    "Item": {
        "key": Field(1, "bytes"),
        "nested_key": Field(2, "bytes", many=True),
        "value_json": Field(16, "bytes"),
    },
}


class Column:
    """A key of the history: its values and the rows that they are in."""

    __slots__ = ("row", "value")

    def __init__(self) -> None:
        self.row, self.value = array("q"), array("d")


class History(NamedTuple):
    """What the records of a run say: numbers by key, how many rows, and what could not be read."""

    columns: Mapping[str, Column]
    rows: int
    damage: Damage


def read_history(path: Path, name: str) -> History:
    """The numbers of the history of one file.

    Args:
        path: the file.
        name: for messages.

    Raises:
        LogContentError: not such a file.
        InputFileError: it cannot be read.
        UsageError: protobuf is not installed.
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise unreadable(name, error) from None
    if not data.startswith(MAGIC):
        raise LogContentError(f"{name}: not a .wandb file: it does not begin with {MAGIC.decode()}")
    by_key: dict[bytes, Column] = {}
    damage = Damage()
    record_of, failed = _record_class().FromString, decode_error()
    count = 0
    for where, part in _records(data, damage):
        try:
            items = record_of(part).history.item
        except failed:
            damage.add(where, len(part))
            continue
        for item in items:
            number = _number(item.value_json)
            if number is not None:
                column = by_key.setdefault(b".".join(item.nested_key) or item.key, Column())
                column.row.append(count)
                column.value.append(number)
        count += bool(items)
    return History({key.decode("utf-8", "replace"): each for key, each in by_key.items()}, count, damage)


def _number(text: bytes) -> float | None:
    """The number of a value in JSON; NaN and infinities stand in quotes or without."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return as_number(json.loads(text)) if text.startswith(b'"') and len(text) < 40 else None
    except ValueError:
        return None


def _records(data: bytes, damage: Damage) -> Iterator[tuple[int, bytes]]:
    """The records of a file with where each begins; what is damaged is told and passed over."""
    place, end = _START, len(data)
    parts, begun = list[bytes](), 0
    while place < end:
        left = _BLOCK - place % _BLOCK
        if left < _HEADER.size:
            place += left
            continue
        if _is_cut(data, place):
            damage.cut = end - place
            return
        if not _is_sound(data, place):
            size = _size_of_damaged(data, place)
            damage.add(place, size)
            place, parts = place + size, []
            continue
        _, length, kind = _HEADER.unpack_from(data, place)
        if kind in (_WHOLE, _FIRST):
            parts, begun = [], place
        body = data[place + _HEADER.size : place + _HEADER.size + length]
        place += _HEADER.size + length
        if parts or kind in (_WHOLE, _FIRST):
            parts.append(body)
        else:
            # The rest of a record whose beginning was lost.
            damage.lost += length
            continue
        if kind in (_WHOLE, _LAST):
            yield begun, b"".join(parts)
            parts = []


def _is_cut(data: bytes, place: int) -> bool:
    """Whether the file ends within a part, or within its header."""
    if place + _HEADER.size > len(data):
        return True
    length = _HEADER.unpack_from(data, place)[1]
    in_block = length + _HEADER.size <= _BLOCK - place % _BLOCK
    return in_block and place + _HEADER.size + length > len(data)


def _is_sound(data: bytes, place: int) -> bool:
    """Whether a part stands here: it lies in one block, and its checksum is that of its type and data."""
    if place + _HEADER.size > len(data):
        return False
    sum_, length, kind = _HEADER.unpack_from(data, place)
    body = data[place + _HEADER.size : place + _HEADER.size + length]
    in_block = length + _HEADER.size <= _BLOCK - place % _BLOCK
    return in_block and kind in _KINDS and zlib.crc32(body, zlib.crc32(bytes((kind,)))) == sum_


def _size_of_damaged(data: bytes, place: int) -> int:
    """To where a sound part begins again: as the damaged one says, or at the next block, which begins with one."""
    size = _HEADER.size + _HEADER.unpack_from(data, place)[1]
    left = _BLOCK - place % _BLOCK
    if size < left and _is_sound(data, place + size):
        return size
    return min(left, len(data) - place)


@cache
def _record_class() -> type[Any]:
    return message_class(_SCHEMA, "Record", "wandb")
