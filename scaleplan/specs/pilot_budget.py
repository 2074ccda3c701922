"""The budget file that stands in a job folder: the target and what was asked of the pilots, to go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scaleplan.specs.yaml12 import yaml_text

if TYPE_CHECKING:
    from scaleplan.specs.pilot_plan import PilotPlan
    from scaleplan.specs.pilot_words import PilotWords

BUDGET = "budget.yaml"
_HEADER = "# What these pilot runs are for. `scaleplan pilot budget.yaml --after runs.csv` says what to run next.\n"


def pilot_budget_text(plan: PilotPlan) -> str:
    """A budget file with the target of a plan of pilot runs, and everything asked of them as it was resolved."""
    document: dict[str, Any] = {"schema": "scaleplan.budget/1", "name": plan.name}
    if plan.law.file is None:
        document["law"] = plan.law.id
    document["budget"] = {"flops": plan.target.train_flop}
    if plan.target.run is not None:
        document["limits"] = {"params": float(plan.plan.params)}
    document["pilots"] = _words(plan.words, plan.flop / plan.target.train_flop)
    return _HEADER + yaml_text(document)


def _words(words: PilotWords, share: float) -> dict[str, Any]:
    """The heading ``pilots``; accelerator-hours as the share of the target that they came to."""
    given = {key: value for key, value in words._asdict().items() if value is not None and key != "share"}
    if words.ratios is not None:
        given["ratios"] = ":".join(f"{each:.15g}" for each in words.ratios)
    return {"share": share, **given}
