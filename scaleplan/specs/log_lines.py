"""Training logs with a JSON object a line (NDJSON); a line that is none, such as one cut off, is counted."""

from __future__ import annotations

import json
from typing import cast

from scaleplan.specs.log_blocks import lines_of
from scaleplan.specs.log_chunks import count_of, in_halves, worth_polars
from scaleplan.specs.log_json_chunks import json_chunk
from scaleplan.specs.log_rows import LogRows

FORM = "JSON lines"


class JsonLinesParser:
    """Rows of objects, a line each.

    Args:
        rows: to be filled.
        careful: read every line by itself, to compare with.
    """

    def __init__(self, rows: LogRows, *, careful: bool = False) -> None:
        self.rows = rows
        self._careful = careful
        self._line = 0

    def take(self, block: bytes) -> None:
        """The next lines."""
        if self._careful or not worth_polars(block):
            self._slow(block)
        else:
            in_halves(block, self._quick, self._slow)

    def restart(self) -> None:
        """What follows is the beginning of a file."""
        self._line = 0

    def _quick(self, block: bytes) -> bool:
        if not json_chunk(block, self.rows):
            return False
        self._line += count_of(block, b"\n")
        return True

    def _slow(self, block: bytes) -> None:
        rows = self.rows
        for line in lines_of(block):
            self._line += 1
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                rows.bad(f"line {self._line}", line)
            elif not rows.row(cast("dict[str, object]", value)):
                rows.ignored += 1
