"""What the headings of a budget file share: values that are words, and names in them that must be known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.phrases import as_written

if TYPE_CHECKING:
    from scaleplan.specs.yaml12 import Document

Beside = Callable[[str], str]
"""Turns the path of a file as a document gives it into one as seen from here."""
LookUp = Callable[[str, Beside], None]
"""Raises ``UsageError`` or ``InputFileError`` where a word is not known."""
Heading = TypeVar("Heading", bound=BaseModel)


def said(read: Callable[[Any], Any]) -> BeforeValidator:
    """A reader of words as a validator of values."""

    def checked(value: Any) -> Any:
        if isinstance(value, (bool, list, dict)) or value is None:
            raise ValueError(f"must be a number or text (got {as_written(value)})")
        try:
            return read(value)
        except UsageError as error:
            raise ValueError(error.message) from None

    return BeforeValidator(checked)


ABOVE_ZERO: Mapping[str, float] = {"exclusiveMinimum": 0}
COUNT: Mapping[str, float] = {"minimum": 1}
"""Of what there is at least one."""
SHARE: Mapping[str, float] = {"minimum": 0, "exclusiveMaximum": 1}
"""From none to less than all."""
PART: Mapping[str, float] = {"exclusiveMinimum": 0, "maximum": 1}
"""From more than nothing to all."""


def number_or_text(bounds: Mapping[str, float], *examples: float | str) -> WithJsonSchema:
    """The JSON Schema of a number or a word that stands for one.

    Args:
        bounds: of the number, in the words of JSON Schema, those that the reader of the word has.
        examples: of both.
    """
    number = {"type": "number", **bounds}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "minLength": 1}], "examples": list(examples)})


def word(*examples: str) -> WithJsonSchema:
    """The JSON Schema of text that is not empty."""
    return WithJsonSchema({"type": "string", "minLength": 1, "examples": list(examples)})


def unknown_words(
    document: Document, heading: str, values: Any, look_ups: Mapping[str, LookUp], beside: Beside
) -> list[str]:
    """The names under a document's heading that are not known, one problem each."""
    given = cast("dict[str, Any]", values) if isinstance(values, dict) else {}
    problems: list[str] = []
    for key, look_up in look_ups.items():
        name: Any = given.get(key)
        if isinstance(name, bool) or not isinstance(name, (str, int, float)) or not str(name).strip():
            continue
        try:
            look_up(str(name), beside)
        except (UsageError, InputFileError) as error:
            problems.append(f"{document.where((heading, key))}: {heading}.{key}: {error.message}")
    return problems


def with_own_accelerator(heading: Heading, beside: Beside) -> Heading:
    """A heading whose ``on`` is the path of an accelerator file of one's own, that path as seen from here."""
    on: str | None = getattr(heading, "on", None)
    if on is None:
        return heading
    from scaleplan.specs.accelerators import cluster

    count, name = cluster(on)
    path = beside(name)
    return heading if path == name else heading.model_copy(update={"on": path if count is None else f"{count}x{path}"})


def accelerator(name: str, beside: Beside) -> None:
    """Look an accelerator up, or a number of them.

    Raises:
        UsageError: it is not known.
        InputFileError: its file cannot be used.
    """
    from scaleplan.specs.accelerators import cluster, load_accelerator

    load_accelerator(beside(cluster(name)[1]))


def fleet(name: str, _: Beside) -> None:
    """Look a fleet up, or a power usage effectiveness.

    Raises:
        UsageError: it is neither.
    """
    from scaleplan.specs.energy import pue

    pue(name)
