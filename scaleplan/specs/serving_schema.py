"""The heading ``serving`` of a budget file: what is served over the model's life, on what, in what requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import ConfigDict, Field, model_validator

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.document import Strict, Tokens
from scaleplan.specs.headings import (
    ABOVE_ZERO,
    COUNT,
    PART,
    SHARE,
    Beside,
    LookUp,
    accelerator,
    fleet,
    number_or_text,
    said,
    unknown_words,
    word,
)
from scaleplan.specs.serving import BYTES, MOST_OF_REQUEST, READERS, ServingWords, check_serving, peak_at

if TYPE_CHECKING:
    from scaleplan.specs.yaml12 import Document

_OF_REQUEST = {**COUNT, "maximum": MOST_OF_REQUEST}
_OF_SERVER = ("precision", "mfu", "mbu", "batch", "days", "discount", "price", "watts", "pue")


class ServingSpec(Strict):
    """What is served over the model's life; with an accelerator also what that costs."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"prompt": ["answer"], "answer": ["prompt"], **{key: ["on"] for key in _OF_SERVER}}
        }
    )

    tokens: Tokens = Field(description="Tokens over the life of the model, prompts and answers together.")
    on: Annotated[str | None, said(READERS["on"]), word("h100-sxm", "8xh100-sxm")] = Field(
        None, description="The accelerator that serves, or the replica that holds one copy of the model."
    )
    precision: Annotated[str | None, said(READERS["precision"]), word("bf16", "fp8")] = Field(
        None, description="Of weights and products; bf16 where left out."
    )
    mfu: Annotated[float | None, said(READERS["mfu"]), number_or_text(PART, 0.5, "50%")] = Field(
        None, description="FLOPs utilisation of prompts; 0.5 where left out."
    )
    mbu: Annotated[float | None, said(READERS["mbu"]), number_or_text(PART, 0.6, "60%")] = Field(
        None, description="Utilisation of memory bandwidth while answers are written; 0.6 where left out."
    )
    batch: Annotated[float | None, said(READERS["batch"]), number_or_text(COUNT, 64)] = Field(
        None, description="The most requests of a replica at once; 64 where left out."
    )
    prompt: Annotated[float | None, said(READERS["prompt"]), number_or_text(_OF_REQUEST, 1000)] = Field(
        None, description="Tokens of a prompt."
    )
    answer: Annotated[float | None, said(READERS["answer"]), number_or_text(_OF_REQUEST, 300)] = Field(
        None, description="Tokens of an answer."
    )
    days: Annotated[float | None, said(READERS["days"]), number_or_text(ABOVE_ZERO, 365, "52 weeks")] = Field(
        None, description="How long the model serves, evenly [days]; a year where left out."
    )
    discount: Annotated[float | None, said(READERS["discount"]), number_or_text(SHARE, 0.1, "10%")] = Field(
        None, description="Of money that is paid later, a share a year; none where left out."
    )
    price: Annotated[float | None, said(READERS["price"]), number_or_text(ABOVE_ZERO, 2.5, "$2.5")] = Field(
        None, description="USD an accelerator-hour."
    )
    watts: Annotated[float | None, said(READERS["watts"]), number_or_text(ABOVE_ZERO, 700)] = Field(
        None, description="Average power of an accelerator with its share of the host [W]."
    )
    pue: Annotated[str | None, said(READERS["pue"]), number_or_text(COUNT, 1.1, "google")] = Field(
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


def _precision(name: str, _: Beside) -> None:
    if name.strip().lower() not in BYTES:
        raise UsageError(f"unknown precision {quoted(name)}.{nearest(name, BYTES)} There are {', '.join(BYTES)}")


_LOOK_UPS: Mapping[str, LookUp] = {"on": accelerator, "precision": _precision, "pue": fleet}


def unknown_serving_words(document: Document, serving: Any, beside: Beside) -> list[str]:
    """The names of a document's ``serving`` that are not known or do not go together, one problem each."""
    problems = unknown_words(document, "serving", serving, _LOOK_UPS, beside)
    return problems or _unable(document, cast("dict[str, Any]", serving) if isinstance(serving, dict) else {}, beside)


def _unable(document: Document, serving: dict[str, Any], beside: Beside) -> list[str]:
    """A precision that the accelerator beside it does not have."""
    on, precision = serving.get("on"), serving.get("precision")
    if not isinstance(on, str) or not isinstance(precision, str):
        return []
    from scaleplan.specs.accelerators import cluster, load_accelerator

    try:
        peak_at(load_accelerator(beside(cluster(on)[1])), READERS["precision"](precision))
    except UsageError as error:
        return [f"{document.where(('serving', 'precision'))}: serving.precision: {error.message}"]
    return []
