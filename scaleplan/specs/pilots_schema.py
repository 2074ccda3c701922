"""The heading ``pilots`` of a budget file: what the runs before the run take, and how they are to be designed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from scaleplan import units
from scaleplan.compute.bill import Extra
from scaleplan.errors import UsageError
from scaleplan.specs.conditions import READERS
from scaleplan.specs.document import Strict
from scaleplan.specs.headings import ABOVE_ZERO, COUNT, PART, SHARE, number_or_text, said, word
from scaleplan.specs.pilot_words import READERS as PILOT_READERS
from scaleplan.specs.pilot_words import PilotWords


def _path(name: Any) -> str:
    """The path of a manifest.

    Raises:
        UsageError: no text, or none in it.
    """
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"must be the path of a manifest, such as pilots.csv (got {units.shown(name)})")
    return name


def _read(key: str) -> BeforeValidator:
    return said(PILOT_READERS[key])


_TAKEN = ("share", "gpu_hours", "manifest")
DESIGN = tuple(key for key in PilotWords._fields if key != "share")
"""What is said of the design of the runs: the bill of a plan does not look at it."""
_RATIOS = WithJsonSchema({"type": "string", "pattern": "^[^:]+:[^:]+$", "examples": ["5:200"]})


class PilotsSpec(Strict):
    """The runs that come before the run: a share of its hours, accelerator-hours, or a manifest with those of each."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in _TAKEN]})

    share: Annotated[float | None, said(units.share), number_or_text(SHARE, 0.01, "1%")] = Field(
        None, description="Of the hours that the run is paid for; to `scaleplan pilot`, of the target's FLOPs."
    )
    gpu_hours: Annotated[float | None, said(READERS["gpu_hours"]), number_or_text(ABOVE_ZERO, 2e4, "20k")] = Field(
        None, description="Accelerator-hours of the kind that the run takes."
    )
    manifest: Annotated[str | None, said(_path), word("pilots.csv")] = Field(
        None, description="A manifest that `scaleplan pilot` wrote, whose runs have accelerator-hours."
    )
    runs: Annotated[int | None, _read("runs"), number_or_text(COUNT, 36)] = Field(
        None, description="How many runs; 36 where left out."
    )
    seeds: Annotated[int | None, _read("seeds"), number_or_text(COUNT, 3)] = Field(
        None, description="Seeds of one of them; 3 where left out."
    )
    goal: Annotated[Literal["both", "loss", "params"] | None, _read("goal")] = Field(
        None, description="The forecast to make certain: the loss, the best size, or both."
    )
    noise: Annotated[float | None, _read("noise"), number_or_text(ABOVE_ZERO, 0.003, "0.3%")] = Field(
        None, description="Scatter of ln L between seeds; 0.3% where left out."
    )
    misfit: Annotated[float | None, _read("misfit"), number_or_text(SHARE, 0.002, "0.2%")] = Field(
        None, description="What the law's form misses of ln L, a decade of compute; 0.2% where left out."
    )
    max_run: Annotated[float | None, _read("max_run"), number_or_text(PART, 0.35, "35%")] = Field(
        None, description="The most that one run may take of all pilots' FLOPs; 35% where left out."
    )
    ratios: Annotated[tuple[float, float] | None, _read("ratios"), _RATIOS] = Field(
        None, description="The least and most tokens a parameter of a run; 0.3:1000 where left out."
    )
    vocab: Annotated[int | None, _read("vocab"), number_or_text(COUNT, 128256)] = Field(
        None, description="Vocabulary of the tokenizer of every run."
    )
    context: Annotated[int | None, _read("context"), number_or_text(COUNT, 8192)] = Field(
        None, description="Tokens of a sequence of every run."
    )
    on: Annotated[str | None, _read("on"), word("64xh100-sxm")] = Field(
        None, description="What they run on; what the run does where left out."
    )
    within: Annotated[float | None, _read("within"), number_or_text(ABOVE_ZERO, 14, "2 weeks")] = Field(
        None, description="How long all of them may take [days]."
    )
    unique_tokens: Annotated[float | None, _read("unique_tokens"), number_or_text(COUNT, 1e12, "1T")] = Field(
        None, description="Tokens that there are for them, of which no run repeats any."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> PilotsSpec:
        if sum(getattr(self, key) is not None for key in _TAKEN) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_TAKEN)}")
        return self

    @property
    def extra(self) -> Extra:
        """As the bill takes it; a manifest's hours have been read by then."""
        assert self.manifest is None or self.gpu_hours is not None
        return Extra(share=self.share or 0.0, gpu_hours=self.gpu_hours or 0.0)

    @property
    def words(self) -> PilotWords:
        """As flags of the design give them; the hours of a manifest are those of runs designed before."""
        share = None if self.manifest is not None else self.extra
        return PilotWords(share=share, **{key: getattr(self, key) for key in DESIGN})
