"""YAML as version 1.2 reads it, with the line of every value.

PyYAML follows YAML 1.1: there ``1e24`` is text, ``no`` is false, ``12:30`` is a number, and of two equal keys the
last one wins in silence. Here plain scalars follow the YAML 1.2 core schema (``1e24`` is a number, ``no`` is
text), equal keys are an error, and each value's line is kept for error messages. What is written here is read alike by
both versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import yaml

from scaleplan.errors import InputFileError

Path = tuple["str | int", ...]


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # pyright: ignore[reportUntypedBaseClass] # PyYAML comes without types
    """Composes nodes only: scalars are resolved here, so PyYAML's own resolvers, called for every node, do nothing."""

    def resolve(self, *_: Any) -> str:
        """No tag: the node's text is all that is used."""
        return ""

    def descend_resolver(self, *_: Any) -> None:
        """Nothing depends on where a node stands."""

    def ascend_resolver(self) -> None:
        """Likewise."""


_MOST_NESTED = 100
_MAX_NODES = 200_000
"""Our choice: far above any document of ours, far below what nested aliases can blow up to."""
_NUMBER_CHARACTERS = frozenset("0123456789+-.eE")
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


class Document(NamedTuple):
    """A parsed document: its data, its name for messages, and the line of each value by its path."""

    name: str
    data: Any
    lines: Mapping[Path, int]

    def where(self, path: Path) -> str:
        """``file:line`` of a value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path)
        return self.name if line is None else f"{self.name}:{line}"


def parse(text: str, name: str) -> Document:
    """Parse text that holds one YAML document.

    Raises:
        InputFileError: not YAML, several documents, a duplicate key, or an alias that contains itself.
    """
    return single(parse_parts(text, name))


def single(parts: list[Document]) -> Document:
    """The document of a file that holds one.

    Raises:
        InputFileError: it holds several.
    """
    first, *more = parts
    if more:
        raise InputFileError(f"{more[0].where(())}: a second YAML document; a file of this kind holds one")
    return first


def parse_parts(text: str, name: str, most: int = 1000, *, ours: bool = False) -> list[Document]:
    """Parse the YAML documents of a text, at most ``most`` of them: what comes after is not even read.

    Text of ours, tested before it ships, is not looked through for what no document of ours has.

    Raises:
        InputFileError: not YAML, a duplicate key, a tag, an alias that contains itself, or nested too deeply.
    """
    loader: Any = _Loader(text)
    parts: list[Document] = []
    try:
        if not ours:
            _refuse_strange(text, name)
        while len(parts) < most and (not parts or loader.check_node()):
            lines: dict[Path, int] = {}
            node = loader.get_node() if loader.check_node() else None
            parts.append(Document(name, _Builder(name, lines).build(node, ()), lines))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputFileError(f"{name}{line}: not valid YAML: {problem}") from None
    finally:
        loader.dispose()
    return parts


def _refuse_strange(text: str, name: str) -> None:
    """Refuse depth, on which the C composer would overflow its stack, and tags, which we would drop."""
    depth = 0
    for event in cast("Any", yaml).parse(text, Loader=_Loader):
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            depth -= 1
        line = event.start_mark.line + 1
        if depth > _MOST_NESTED:
            raise InputFileError(f"{name}:{line}: nested more than {_MOST_NESTED} deep, which no document of ours is")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputFileError(f"{name}:{line}: the tag {tag} has no meaning here; write the value without it")


def merged(parts: list[Document]) -> Document:
    """Documents of one file as one: each adds its keys, and to a mapping that an earlier one has, its entries.

    Raises:
        InputFileError: a key that an earlier document has, or a document that is not a mapping.
    """
    first, *rest = parts
    if not rest:
        return first
    start: Any = first.data
    if not isinstance(start, dict):
        raise InputFileError(f"{first.where(())}: must be a mapping of keys to values")
    data, lines = dict(cast("dict[str, Any]", start)), dict(first.lines)
    for part in rest:
        more: Any = part.data
        if not isinstance(more, dict):
            raise InputFileError(f"{part.where(())}: must be a mapping of keys to values")
        for key, value in cast("dict[str, Any]", more).items():
            held = data.get(key)
            both = isinstance(held, dict) and isinstance(value, dict)
            repeated = [(key, name) for name in cast("Any", value) if name in cast("Any", held)] if both else [(key,)]
            if key in data and repeated:
                raise InputFileError(f"{part.where(repeated[0])}: duplicate key {repeated[0][-1]!r}")
            data[key] = cast("Any", held) | value if both else value
        lines |= {path: line for path, line in part.lines.items() if path}
    return Document(first.name, data, lines)


def schema_of(document: Document) -> str | None:
    """The schema that a document says it follows."""
    data = cast("dict[str, Any]", document.data)
    return data.get("schema") if isinstance(document.data, dict) else None


class _Builder:
    def __init__(self, name: str, lines: dict[Path, int]) -> None:
        self._name = name
        self._lines = lines
        self._open: set[int] = set()

    def build(self, node: Any, path: Path) -> Any:
        if node is None:
            return None
        self._lines[path] = node.start_mark.line + 1
        if len(self._lines) > _MAX_NODES:
            raise InputFileError(f"{self._name}: more than {_MAX_NODES:,} values, aliases counted each time")
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else scalar(node.value)
        if id(node) in self._open:
            raise InputFileError(f"{self._name}:{self._lines[path]}: an alias that contains itself")
        self._open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            result: Any = [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        else:
            result = self._mapping(cast("yaml.MappingNode", node), path)
        self._open.discard(id(node))
        return result

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputFileError(f"{self._name}:{line}: a key must be plain text")
            key = key_node.value
            if key in result:
                raise InputFileError(f"{self._name}:{line}: duplicate key {'.'.join(map(str, (*path, key)))!r}")
            result[key] = self.build(value_node, (*path, key))
            self._lines[(*path, key)] = line
        return result


def scalar(text: str) -> Any:
    """A plain scalar by the YAML 1.2 core schema: null, boolean, integer, float, or else text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789" and _NUMBER_CHARACTERS.issuperset(text):
        # What is made of these characters and Python reads as a number is what the schema calls one.
        for read in (int, float) if len(text) < 300 else (float,):
            try:
                return read(text)
            except ValueError:
                continue
    if text[:2] in ("0x", "0o") and text[2:].isalnum():
        try:
            return int(text, 0)
        except ValueError:
            return text
    return text


def yaml_text(document: Mapping[str, Any], *, width: int = 110) -> str:
    """A document as YAML, its keys in their order; text that YAML would read as something else is quoted."""
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(
        dict(document), Dumper=dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=None
    )
