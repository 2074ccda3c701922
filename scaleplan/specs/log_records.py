"""Records of TensorBoard's event files as they lie in the file, what is damaged passed over and told.

A record is its length (8 bytes), the checksum of those, the data, and the checksum of the data, little-endian
(TensorFlow, tensorflow/core/lib/io/record_writer.h). The checksum is CRC-32C, rotated right by 15 bits, plus 0xa282ead8
(tensorflow/core/lib/hash/crc32c.h). TensorBoard's own reader stops without a word at the first record that is damaged;
here the next sound one is looked for behind it.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
"""Of CRC-32C, bits reversed (RFC 3720, appendix B.4)."""
_MASK = 0xA282EAD8
_HEADER = struct.Struct("<QI")
_FRAME = 16
"""Bytes of a record that are not data."""
_FEW = 40
"""Our choice: so many records of one length are worth a pass of numpy a byte, which takes as long as 40 bytes here."""
_SEARCHED = 2**20
"""Our choice [bytes]: searched at once for the next sound record."""


class Frames(NamedTuple):
    """Where the data of the records are, and which parts of the file are damaged.

    ``lost``: offset and length [bytes] of each. ``cut``: bytes of a last record that is not complete.
    """

    starts: list[int]
    lengths: list[int]
    lost: list[tuple[int, int]]
    cut: int


def is_record(head: bytes) -> bool:
    """Whether a file begins with the length of a record and its checksum."""
    if len(head) < _HEADER.size:
        return False
    length, sum_ = _HEADER.unpack_from(head)
    return sum_ == _sum_of_length(length)


def frames(data: bytes) -> Frames:
    """The records of a file."""
    starts, lengths = list[int](), list[int]()
    lost = list[tuple[int, int]]()
    place, end = 0, len(data)
    while place + _HEADER.size <= end:
        length, sum_ = _HEADER.unpack_from(data, place)
        if sum_ != _sum_of_length(length):
            after = _next_sound(data, place + 1)
            lost.append((place, after - place))
            place = after
            continue
        if place + _FRAME + length > end:
            break
        starts.append(place + _HEADER.size)
        lengths.append(length)
        place += _FRAME + length
    return Frames(starts, lengths, lost, end - place)


def damaged(data: bytes, first: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of which records the checksum is not that of the data, given where these begin and how many bytes they are.

    Records of one length are done together.
    """
    import numpy as np

    found = np.empty(first.size, dtype=np.bool_)
    file = np.frombuffer(data, dtype=np.uint8)
    for length in np.unique(size).tolist():
        group = np.flatnonzero(size == length)
        at = first[group]
        if group.size < _FEW:
            sums = np.array([_masked(_crc(data[start : start + length])) for start in at.tolist()], dtype=np.uint32)
        else:
            sums = _masked_sums(file, at, length)
        found[group] = sums != _written(file, at + length)
    return found


def _next_sound(data: bytes, place: int) -> int:
    """Where the next record begins whose length has its checksum; the end of the file where none does."""
    import numpy as np

    file = np.frombuffer(data, dtype=np.uint8)
    last = len(data) - _HEADER.size
    while place <= last:
        here = np.arange(place, min(place + _SEARCHED, last + 1), dtype=np.int64)
        sound = np.flatnonzero(_masked_sums(file, here, 8) == _written(file, here + 8))
        if sound.size:
            return int(here[sound[0]])
        place += _SEARCHED
    return len(data)


def _written(file: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The four bytes at each place as a number."""
    import numpy as np

    parts = [file[at + byte].astype(np.uint32) << np.uint32(8 * byte) for byte in range(4)]
    return parts[0] | parts[1] | parts[2] | parts[3]


def _masked_sums(file: NDArray[np.uint8], at: NDArray[np.int64], length: int) -> NDArray[np.uint32]:
    """The checksum of ``length`` bytes at each place."""
    import numpy as np

    table = np.array(_table(), dtype=np.uint32)
    state = np.full(at.size, 0xFFFFFFFF, dtype=np.uint32)
    for byte in range(length):
        state = table[(state ^ file[at + byte]) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    crc = state ^ np.uint32(0xFFFFFFFF)
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK)


@lru_cache(maxsize=4096)
def _sum_of_length(length: int) -> int:
    return _masked(_crc(length.to_bytes(8, "little")))


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def _crc(data: bytes) -> int:
    table = _table()
    state = 0xFFFFFFFF
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    found = list[int]()
    for byte in range(256):
        state = byte
        for _ in range(8):
            state = (state >> 1) ^ (_POLYNOMIAL if state & 1 else 0)
        found.append(state)
    return tuple(found)
