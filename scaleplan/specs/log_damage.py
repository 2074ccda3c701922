"""What of a binary log could not be read, told instead of passed over."""

from __future__ import annotations

from scaleplan.errors import Notice


class Damage:
    """Damaged parts of a file.

    ``parts``: how many, of ``lost`` bytes together, the first at byte ``where``. ``cut``: bytes of a last part that is
    not complete.
    """

    def __init__(self) -> None:
        self.parts = self.lost = self.where = self.cut = 0

    def add(self, where: int, size: int) -> None:
        """A part of this size that was lost, and where it is."""
        self.where = min(self.where, where) if self.parts else where
        self.parts += 1
        self.lost += size

    def notices(self, name: str) -> list[Notice]:
        """What there is to say of it.

        Args:
            name: of the file.
        """
        found = list[Notice]()
        if self.parts:
            what = "a damaged part" if self.parts == 1 else f"{self.parts:,} damaged parts"
            text = f"{name}: {what}, {self.lost:,} bytes from byte {self.where:,} on, could not be read; the rest was."
            found.append(Notice("damaged_records", text))
        if self.cut:
            text = f"{name}: its last record is cut off ({self.cut:,} bytes), as in a run that was ended or goes on."
            found.append(Notice("cut_off_record", text))
        return found
