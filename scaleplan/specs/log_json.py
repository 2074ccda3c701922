"""Training logs that are one JSON value: an object (a result), a list of rows, or Hugging Face's trainer state.

The trainer state is ``trainer_state.json`` of Hugging Face Transformers (``TrainerState``, trainer_callback.py): rows
in ``log_history``, beside them ``global_step``, ``max_steps`` and ``num_input_tokens_seen``, which is 0 where the
tokens were not counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows


class CutOffError(LogContentError):
    """JSON that ends in the middle."""


OBJECT, LIST, STATE = "JSON object", "JSON list", "Hugging Face trainer state"


_WORD = re.compile(r"[-+.\w]*")
"""What may be left of a JSON value that was cut off."""


def read_json(text: str, name: str, roles: Roles, run: str | None = None) -> LogRows:
    """The rows of a file that is one JSON value.

    Raises:
        LogContentError: not JSON, cut off in the middle, or neither an object nor a list of objects.
    """
    return rows_of(parsed(text, name), name, roles, run)


def parsed(text: str, name: str) -> Any:
    """A JSON value.

    Raises:
        LogContentError: not JSON, or cut off in the middle.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos : error.pos + 50].rstrip()
        cut = error.msg.startswith("Unterminated string") or (len(rest) < 40 and _WORD.fullmatch(rest) is not None)
        what = "cut off in the middle: the JSON does not end" if cut else f"not JSON: {error.msg.lower()}"
        kind = CutOffError if cut else LogContentError
        raise kind(f"{name}:{error.lineno}: {what} (column {error.colno})") from None
    except RecursionError:
        raise LogContentError(f"{name}: objects within objects without end") from None
    except ValueError:
        raise LogContentError(f"{name}: a number of more digits than any number has") from None


def rows_of(value: object, name: str, roles: Roles, run: str | None = None) -> LogRows:
    """The rows of a JSON value.

    Raises:
        LogContentError: neither an object nor a list of objects.
    """
    if isinstance(value, list):
        return _listed(cast("list[object]", value), LogRows(LIST, roles, run))
    if not isinstance(value, dict):
        raise LogContentError(f"{name}: neither a JSON object nor a list of objects")
    found = cast("dict[str, object]", value)
    history = found.get("log_history")
    if isinstance(history, list):
        return _state(found, cast("list[object]", history), LogRows(STATE, roles, run))
    rows = LogRows(OBJECT, roles, run)
    rows.state(found, roles.numbers_of_row(found))
    rows.ignored = 0 if found else 1
    return rows


def _listed(values: Iterable[object], rows: LogRows) -> LogRows:
    for i, each in enumerate(values, 1):
        if not isinstance(each, dict):
            rows.bad(f"row {i}", repr(each))
        elif not rows.row(cast("dict[str, object]", each)):
            rows.ignored += 1
    return rows


def _state(value: dict[str, object], history: list[object], rows: LogRows) -> LogRows:
    _listed(history, rows)
    facts = rows.roles.numbers({key: each for key, each in value.items() if key != "log_history"})
    if facts.get("tokens") == 0:
        del facts["tokens"]
    rows.state(value, facts)
    return rows


def is_value(data: bytes) -> bool:
    """Whether bytes are a trainer's state or a list, whole, on a single line."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) or "log_history" in value
