"""Finding presets by name: the files shipped inside the package, their ids and aliases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from scaleplan.errors import UsageError, nearest
from scaleplan.specs.yaml12 import Document, merged, parse_parts

_ROOT = Path(__file__).resolve().parent.parent / "presets"


@cache
def aliases(kind: str) -> Mapping[str, str]:
    """Alias to id, for ``kind`` ``laws`` or ``models``."""
    data: dict[str, dict[str, str]] = _read(_ROOT / "aliases.yaml").data
    return data[kind]


def ids(kind: str) -> tuple[str, ...]:
    """Every shipped id of a kind, in alphabetical order."""
    return tuple(sorted(path.stem for path in (_ROOT / kind).glob("*.yaml")))


def aliases_of(kind: str, preset_id: str) -> tuple[str, ...]:
    """The aliases of one id."""
    return tuple(alias for alias, target in aliases(kind).items() if target == preset_id)


def read(kind: str, name: str, *, whole: bool = True) -> Document:
    """The document of a preset, by id or alias, upper or lower case.

    A preset may hold a second YAML document with what only showing it needs (a law's traps and checks); it is read
    only when ``whole``.

    Raises:
        UsageError: no such preset, with the nearest names.
    """
    key = name.strip().lower()
    path = _path(kind, key)
    if path is None:
        key = aliases(kind).get(key, key)
        path = _path(kind, key)
    if path is None:
        path = _by_spelling(kind, key)
    if path is None:
        known = (*ids(kind), *aliases(kind))
        singular = kind.removesuffix("s")
        raise UsageError(f"unknown {singular} {name!r}.{nearest(key, known)} `scaleplan {kind}` lists them all.")
    return _read(path, whole=whole)


def starter_budget() -> str:
    """The commented budget that ``scaleplan init`` writes."""
    return (_ROOT / "starter" / "budget.yaml").read_text(encoding="utf-8")


def _by_spelling(kind: str, key: str) -> Path | None:
    """The preset whose id or title is the same letters and digits: ``LLaMA-65B`` is ``LLaMA 65B``."""
    wanted = "".join(filter(str.isalnum, key))
    for candidate in ids(kind):
        data = _read(_ROOT / kind / f"{candidate}.yaml", whole=False).data
        spellings = (candidate, data.get("name", ""), data.get("title", ""))
        if wanted and wanted in ("".join(filter(str.isalnum, s.lower())) for s in spellings):
            return _ROOT / kind / f"{candidate}.yaml"
    return None


def _path(kind: str, key: str) -> Path | None:
    if not key or len(key) > 100 or not all(c.isalnum() or c in "-._" for c in key):
        return None
    path = _ROOT / kind / f"{key}.yaml"
    return path if path.is_file() else None


@cache
def _read(path: Path, *, whole: bool = True) -> Document:
    text = path.read_text(encoding="utf-8")
    return merged(parse_parts(text, f"presets/{path.parent.name}/{path.name}", 1000 if whole else 1, ours=True))
