"""The heading ``serving`` of a budget file: what is served over the model's life, on what, in what requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from scaleplan.errors import InputFileError, UsageError, nearest, quoted
from scaleplan.specs.document import Strict, Tokens
from scaleplan.specs.serving import BYTES, READERS, ServingWords, check_serving

if TYPE_CHECKING:
    from scaleplan.specs.yaml12 import Document


def _read(key: str) -> BeforeValidator:
    """The reader of a key as a validator of values."""

    def checked(value: Any) -> Any:
        if isinstance(value, (bool, list, dict)) or value is None:
            raise ValueError("must be a number or text")
        try:
            return READERS[key](value)
        except UsageError as error:
            raise ValueError(error.message) from None

    return BeforeValidator(checked)


def _number_or_text(*examples: float | str) -> WithJsonSchema:
    number = {"type": "number", "minimum": 0}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "minLength": 1}], "examples": list(examples)})


def _text(*examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "examples": list(examples)})


_OF_SERVER = ("precision", "mfu", "mbu", "batch", "days", "discount", "price", "watts", "pue")


class ServingSpec(Strict):
    """What is served over the model's life; with an accelerator also what that costs."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"prompt": ["answer"], "answer": ["prompt"], **{key: ["on"] for key in _OF_SERVER}}
        }
    )

    tokens: Tokens = Field(description="Tokens over the life of the model, prompts and answers together.")
    on: Annotated[str | None, _read("on"), _text("h100-sxm", "8xh100-sxm")] = Field(
        None, description="The accelerator that serves, or the replica that holds one copy of the model."
    )
    precision: Annotated[str | None, _read("precision"), _text("bf16", "fp8")] = Field(
        None, description="Of weights and products; bf16 where left out."
    )
    mfu: Annotated[float | None, _read("mfu"), _number_or_text(0.5, "50%")] = Field(
        None, description="FLOPs utilisation of prompts; 0.5 where left out."
    )
    mbu: Annotated[float | None, _read("mbu"), _number_or_text(0.6, "60%")] = Field(
        None, description="Utilisation of memory bandwidth while answers are written; 0.6 where left out."
    )
    batch: Annotated[float | None, _read("batch"), _number_or_text(64)] = Field(
        None, description="The most requests of a replica at once; 64 where left out."
    )
    prompt: Annotated[float | None, _read("prompt"), _number_or_text(1000)] = Field(
        None, description="Tokens of a prompt."
    )
    answer: Annotated[float | None, _read("answer"), _number_or_text(300)] = Field(
        None, description="Tokens of an answer."
    )
    days: Annotated[float | None, _read("days"), _number_or_text(365, "52 weeks")] = Field(
        None, description="How long the model serves, evenly [days]; a year where left out."
    )
    discount: Annotated[float | None, _read("discount"), _number_or_text(0.1, "10%")] = Field(
        None, description="Of money that is paid later, a share a year; none where left out."
    )
    price: Annotated[float | None, _read("price"), _number_or_text(2.5, "$2.5")] = Field(
        None, description="USD an accelerator-hour."
    )
    watts: Annotated[float | None, _read("watts"), _number_or_text(700)] = Field(
        None, description="Average power of an accelerator with its share of the host [W]."
    )
    pue: Annotated[str | None, _read("pue"), _number_or_text(1.1, "google")] = Field(
        None, description="Power of the site over that of its machines: a number, or a fleet."
    )

    @model_validator(mode="after")
    def _go_together(self) -> ServingSpec:
        try:
            check_serving(self.words)
        except UsageError as error:
            raise ValueError(error.message) from None
        return self

    @property
    def words(self) -> ServingWords:
        """As flags give them."""
        return ServingWords(**{key: getattr(self, key) for key in ServingWords._fields})


def unknown_words(document: Document, serving: Any, beside: Callable[[str], str]) -> list[str]:
    """The accelerator, precision and fleet of a document's ``serving`` that are not known, one problem each.

    ``beside`` turns the path of an accelerator file as the document gives it into one as seen from here.
    """
    said = cast("dict[str, Any]", serving) if isinstance(serving, dict) else {}
    problems: list[str] = []
    for key, look_up in (("on", _accelerator), ("precision", _precision), ("pue", _pue)):
        word: Any = said.get(key)
        if isinstance(word, bool) or not isinstance(word, (str, int, float)) or not str(word).strip():
            continue
        try:
            look_up(str(word), beside)
        except (UsageError, InputFileError) as error:
            problems.append(f"{document.where(('serving', key))}: serving.{key}: {error.message}")
    return problems


def with_own_accelerator(serving: ServingSpec, beside: Callable[[str], str]) -> ServingSpec:
    """The same with the path of an accelerator file of one's own as seen from here."""
    if serving.on is None:
        return serving
    from scaleplan.specs.accelerators import cluster

    count, name = cluster(serving.on)
    path = beside(name)
    return serving if path == name else serving.model_copy(update={"on": path if count is None else f"{count}x{path}"})


def _accelerator(word: str, beside: Callable[[str], str]) -> None:
    from scaleplan.specs.accelerators import cluster, load_accelerator

    load_accelerator(beside(cluster(word)[1]))


def _precision(word: str, _: Callable[[str], str]) -> None:
    if word.strip().lower() not in BYTES:
        raise UsageError(f"unknown precision {quoted(word)}.{nearest(word, BYTES)} There are {', '.join(BYTES)}")


def _pue(word: str, _: Callable[[str], str]) -> None:
    from scaleplan.specs.energy import pue

    pue(word)
