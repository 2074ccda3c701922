"""The ``recipe`` of a law file: how its constants were fitted, in enough detail to repeat it.

What to report follows the checklist of Li et al. 2025 (arXiv 2502.18969): the form, what is counted, which checkpoints
were used, the loss, the optimisation with its starts and bounds, and how the fit was validated.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scaleplan.specs.document import Finite, Strict

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]


class RunsSpec(Strict):
    """The runs that were fitted to."""

    source: Text
    rows_read: Count
    rows: Count = Field(description="rows fitted to, after conditions and thinning")
    runs: Count = Field(description="training runs among them")
    columns: dict[str, Text] = Field(default_factory=dict, description="our name to the table's")
    where: list[Text] = Field(default_factory=list[Text])
    checkpoints: Text = Field(description="which of a run's checkpoints were used")
    digest: Text = Field(description="SHA-256 of the numbers fitted to")


class PriorSpec(Strict):
    """A normal prior on a parameter."""

    mean: Finite
    sd: Finite


class SearchSpec(Strict):
    """How the optimum was found."""

    starts: Count
    agree: Count = Field(description="searches that ended at the same optimum")
    status: Text
    bounds: Text


class SplitSpec(Strict):
    """One step of the forward-chaining back-test: cheap runs fitted, dearer ones predicted."""

    budgets: Count
    runs_fitted: Count
    train_flop_max: Finite
    runs_predicted: Count
    reach: Finite = Field(description="dearest run predicted over the dearest fitted, in FLOPs")
    error: Finite = Field(description="mean of |ln L predicted - ln L measured|")
    bias: Finite = Field(description="mean of ln L predicted - ln L measured")


class RecipeSpec(Strict):
    """How a law was fitted."""

    version: Text = Field(description="of scaleplan")
    method: Text
    form: Text | None = Field(default=None, description="of the loss, where one was fitted")
    objective: Text | None = None
    delta: Finite | None = Field(
        default=None, description="threshold of Huber's loss on ln L; absent for least squares"
    )
    value: Finite | None = Field(default=None, description="of the objective at the optimum, summed over the rows")
    priors: dict[str, PriorSpec] = Field(
        default_factory=dict, description="by parameter; ln_N_opt: ln N* at the dearest run"
    )
    steadying: dict[str, PriorSpec] = Field(
        default_factory=dict, description="priors that belong to the form, by parameter"
    )
    weights: Text
    runs: RunsSpec
    search: SearchSpec | None = None
    covariance: Text
    resamples: Count = 0
    seed: int = 0
    validation: list[SplitSpec] = Field(default_factory=list[SplitSpec])
