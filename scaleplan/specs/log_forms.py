"""The formats of training logs: what they are called, and which one a file is in from how it begins.

``{`` JSON, ``[{`` a JSON list, a line of names with ``step`` or ``loss`` among them CSV, anything else text, in which
the lines of a known tool are found among all others. Logs that are no text are known by their first bytes or files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.log_blocks import Parser, is_packed, without_mark
from scaleplan.specs.log_csv import FORM as CSV
from scaleplan.specs.log_csv import CsvParser, header_of
from scaleplan.specs.log_json import OBJECT, STATE
from scaleplan.specs.log_lines import FORM as LINES
from scaleplan.specs.log_lines import JsonLinesParser
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows
from scaleplan.specs.log_text import READERS, TextParser

_TEXT = dict(zip(("megatron", "nanogpt", "printed"), READERS, strict=True))
TEXT = "text"
"""Any of the formats of text lines, which are told apart as they are read."""
STORES = ("parquet", "tensorboard", "mlflow", "wandb")
"""Formats that are no lines, each read by a module of its own: ``log_NAME`` with ``is_NAME`` and ``read_NAME``."""
FORMS: Mapping[str, str] = {
    "csv": CSV,
    "ndjson": LINES,
    "json": OBJECT,
    "trainer-state": STATE,
    **_TEXT,
    "parquet": "Parquet",
    "tensorboard": "TensorBoard events",
    "mlflow": "MLflow store",
    "wandb": "Weights & Biases run",
}
"""What a format is called in a file's log, by the name that forces it."""
WHOLE = ("json", "trainer-state")
"""Formats of one value, which must be there to its end."""
LOOKED_FOR = (
    "CSV with a header (step, loss), JSON lines, a JSON object with a loss, a list of them, trainer_state.json, "
    "lines of Megatron-LM ('iteration 1/ 10 | lm loss: ... |') or nanoGPT ('iter 1: loss ...'), or rows printed as "
    "{'loss': ...}"
)
_BEGINNINGS = {b"PAR1": "parquet", b":W&B": "wandb", b"SQLite format 3\0": "mlflow"}
"""Parquet: format specification, "File format"; W&B: header of its data store; SQLite: file format, section 1.3."""
_EXTREME = b"__MIN"
"""What the name of a column ends with in the CSV of a chart that Weights & Biases exported."""
_HEAD = 2**16
_FIRST_LINES = 3
"""Our choice: binary formats have a zero byte before so many line feeds; further on a crash may have left one."""


def known_form(form: str | None) -> str | None:
    """A format by its name.

    Raises:
        UsageError: no such format.
    """
    if form is not None and form not in FORMS:
        raise UsageError(f"no log format {quoted(form)}.{nearest(form, FORMS)} Formats are {', '.join(FORMS)}")
    return form


def store_of(path: str) -> str | None:
    """Which format a folder or file is in that is no text; ``None`` where it is text, or not there."""
    if not path or path == "-" or is_packed(path):
        return None
    place = Path(path)
    try:
        if place.is_dir():
            return next((name for name in STORES if store_reader(name)[0](place)), None)
        return _store_of_file(place) if place.is_file() else None
    except (OSError, ValueError):
        return None  # said when it is opened


def _store_of_file(path: Path) -> str | None:
    with open(path, "rb") as file:
        start = file.read(_HEAD)
    if ".tfevents." in path.name:
        return "tensorboard"
    if _EXTREME in start.partition(b"\n")[0] and store_reader("wandb")[0](path):
        return "wandb"
    return next((name for begin, name in _BEGINNINGS.items() if start.startswith(begin)), None)


def store_reader(name: str) -> tuple[Callable[[Path], bool], Callable[..., LogRows]]:
    """Whether something is of a format that is no text, and what reads it."""
    module = import_module(f"scaleplan.specs.log_{name}")
    return getattr(module, f"is_{name}"), getattr(module, f"read_{name}")


def form_of(head: bytes, roles: Roles, *, ended: bool) -> str | None:
    """The format of text that begins with these lines; ``None`` where they do not say yet.

    Args:
        head: whole lines, one of them not blank; of text that ``ended`` all.
        roles: what the columns are called.
        ended: there is no more to come.
    """
    start = without_mark(head).decode("utf-8", errors="replace").lstrip()
    if not start:
        return None
    if start.startswith("[") and start[1:].lstrip()[:1] in ("{", "]", ""):
        return "json"
    if start.startswith("{") and not start[1:].lstrip().startswith("'"):
        return _form_of_json(start, ended=ended)
    return TEXT if header_of(start.partition("\n")[0], roles) is None else "csv"


def _form_of_json(start: str, *, ended: bool) -> str:
    """Text that begins with ``{``: an object a line, one object, or lines of which the first looks like one."""
    first, _, more = start.partition("\n")
    value = _value(first)
    if value is None:
        following = more.lstrip().partition("\n")[0]
        return "ndjson" if isinstance(_value(following), dict) and following.startswith("{") else "json"
    if "log_history" in value or (ended and not more.strip()):
        return "json"
    return "ndjson"


def _value(text: str) -> dict[str, object] | None:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def parser_of(form: str, name: str, roles: Roles, run: str | None, *, careful: bool = False) -> Parser:
    """What reads the lines of a format; ``careful``: each by itself, to compare with."""
    if form == "csv":
        return CsvParser(name, LogRows(CSV, roles, run), careful=careful)
    if form == "ndjson":
        return JsonLinesParser(LogRows(LINES, roles, run), careful=careful)
    return TextParser(roles, run, READERS if form == TEXT else (FORMS[form],), careful=careful)


def refuse_binary(head: bytes, name: str) -> None:
    """Refuse bytes that are no text.

    Raises:
        LogContentError: binary.
    """
    if b"\0" in b"".join(head.split(b"\n", _FIRST_LINES)[:_FIRST_LINES]):
        utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = "UTF-16 text: write it as UTF-8" if utf16 else "a binary file"
        raise LogContentError(f"{name}: {what}; looked for {LOOKED_FOR}")
