"""The names of the formats, apart from the writers so that reading a command's options loads none of them."""

from __future__ import annotations

from typing import Literal, TypeAlias

Format: TypeAlias = Literal["table", "json", "ndjson", "csv", "markdown"]
