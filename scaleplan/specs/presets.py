"""Finding presets by name: the files shipped inside the package and the user's own, their ids and aliases."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.yaml12 import Document, merged, parse_parts

_ROOT = Path(__file__).resolve().parent.parent / "presets"


@cache
def aliases(kind: str) -> Mapping[str, str]:
    """Alias to id, for ``kind`` ``laws``, ``models``, ``accelerators`` or ``abilities``."""
    data: dict[str, dict[str, str]] = _read(_ROOT / "aliases.yaml").data
    return data.get(kind, {})


def ids(kind: str) -> tuple[str, ...]:
    """Every id of a kind, shipped or the user's, in alphabetical order.

    Raises:
        UsageError: ``SCALEPLAN_PRESETS`` names no folder.
        InputFileError: something in that folder is not as it must be.
    """
    return tuple(sorted((*shipped_ids(kind), *_own(kind))))


def shipped_ids(kind: str) -> tuple[str, ...]:
    """Every shipped id of a kind, in alphabetical order."""
    return tuple(sorted(path.stem for path in (_ROOT / kind).glob("*.yaml")))


def is_shipped(kind: str, name: str) -> bool:
    """Whether a shipped preset goes by this id or alias."""
    return _path(kind, name) is not None or name in aliases(kind)


def aliases_of(kind: str, preset_id: str) -> tuple[str, ...]:
    """The aliases of one id."""
    return tuple(alias for alias, target in aliases(kind).items() if target == preset_id)


def read(kind: str, name: str, *, whole: bool = True) -> Document:
    """The document of a preset, by id or alias, upper or lower case; a user's own is validated.

    A shipped preset may hold a second YAML document with what only showing it needs (a law's traps and checks, a
    model's shape and run); it is read only when ``whole``.

    Raises:
        UsageError: no such preset, with the nearest names.
        InputFileError: the user's preset, or his folder of them, is not as it must be.
    """
    key = name.strip().lower()
    own = _own(kind)
    found = _document(kind, key, own, whole=whole)
    if found is None and key in aliases(kind):
        found = _document(kind, aliases(kind)[key], own, whole=whole)
    if found is None:
        found = _by_spelling(kind, key, own, whole=whole)
    if found is None:
        known = (*shipped_ids(kind), *own, *aliases(kind))
        singular = "ability" if kind == "abilities" else kind.removesuffix("s")
        raise UsageError(f"unknown {singular} {quoted(name)}.{_hint(key, known)} `scaleplan {kind}` lists them all.")
    return found


def read_all(kind: str, *, whole: bool = True) -> Iterator[Document]:
    """The document of every preset of a kind, shipped or the user's, by id; of a shipped one also what ``whole`` adds.

    Raises:
        UsageError: ``SCALEPLAN_PRESETS`` names no folder.
        InputFileError: something in that folder is not as it must be.
    """
    own = _own(kind)
    for name in sorted((*shipped_ids(kind), *own)):
        document = _document(kind, name, own, whole=whole)
        assert document is not None
        yield document


def looks_like_path(name: str) -> bool:
    """Whether a word means a file rather than a preset."""
    return name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name


def starter_budget() -> str:
    """The commented budget that ``scaleplan init`` writes."""
    return (_ROOT / "starter" / "budget.yaml").read_text(encoding="utf-8")


def _own(kind: str) -> Mapping[str, Path]:
    """The user's files of a kind; without a folder of his own nothing is loaded or listed."""
    folder = os.environ.get("SCALEPLAN_PRESETS")
    if not folder:
        return {}
    from scaleplan.specs.own_presets import own_files

    return own_files(folder, kind, lambda name: is_shipped(kind, name))


def _document(kind: str, key: str, own: Mapping[str, Path], *, whole: bool) -> Document | None:
    """The preset of an id."""
    if key in own:
        from scaleplan.specs.own_presets import read_own

        return read_own(str(own[key]), kind, called=key)
    path = _path(kind, key)
    return None if path is None else _read(path, whole=whole)


def _by_spelling(kind: str, key: str, own: Mapping[str, Path], *, whole: bool) -> Document | None:
    """The preset whose id or title is the same letters and digits: ``LLaMA-65B`` is ``LLaMA 65B``."""
    wanted = "".join(filter(str.isalnum, key))
    for candidate in (*shipped_ids(kind), *own) if wanted else ():
        document = _document(kind, candidate, own, whole=whole)
        assert document is not None
        spellings = (candidate, document.data.get("name", ""), document.data.get("title", ""))
        if wanted in ("".join(filter(str.isalnum, s.lower())) for s in spellings):
            return document
    return None


def _hint(key: str, known: Sequence[str]) -> str:
    """The nearest names, or else those that have the word in them."""
    inside = [each for each in known if key and key in each][:3]
    return nearest(key, known) or (f" Did you mean {' or '.join(inside)}?" if inside else "")


def _path(kind: str, key: str) -> Path | None:
    if not key or len(key) > 100 or not all(c.isalnum() or c in "-._" for c in key):
        return None
    path = _ROOT / kind / f"{key}.yaml"
    return path if path.is_file() else None


@cache
def _read(path: Path, *, whole: bool = True) -> Document:
    text = path.read_text(encoding="utf-8")
    return merged(parse_parts(text, f"presets/{path.parent.name}/{path.name}", 1000 if whole else 1, ours=True))
