"""What pilot runs are for, from a budget file or words: the target, plausible laws, what all runs have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.api.budgets import budget_file
from scaleplan.api.limits import mapping
from scaleplan.api.plans import allocate_document
from scaleplan.api.resources import conditions_from, looks_like_resources
from scaleplan.compute.family import CONTEXT, VOCABULARY
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.errors import Notice, UsageError
from scaleplan.laws.hyperparameters import Run
from scaleplan.pilots.candidates import RATIOS, Kind
from scaleplan.pilots.certainty import Points, Target
from scaleplan.pilots.goals import SHARE
from scaleplan.pilots.plausible import Plausible, is_additive, of_fit, published
from scaleplan.specs import presets
from scaleplan.specs.conditions import resource_words
from scaleplan.specs.laws import DEFAULT_LAW, load_law, resolve_laws
from scaleplan.specs.machines import machine_of
from scaleplan.specs.numbers import Number, scalar
from scaleplan.specs.pilot_words import PilotWords, merged, read_pilots
from scaleplan.specs.records import DEFAULT_HYPER, load_record

if TYPE_CHECKING:
    from scaleplan.laws.law import Law
    from scaleplan.laws.record import LawRecord
    from scaleplan.pilots.manifest import Manifest
    from scaleplan.planning.plan import Plan
    from scaleplan.specs.budget import BudgetDocument
    from scaleplan.specs.conditions import Conditions
    from scaleplan.specs.laws import LawLike
    from scaleplan.specs.machines import Machine

PLAUSIBLE = (
    "besiroglu-2024",
    "gadre-2024",
    "hoffmann-2022-a3",
    "ludziejewski-2025",
    "muennighoff-2023",
    "sardana-2023",
)
"""The published laws of dense models of the form E + A / N^alpha + B / D^beta that count all parameters, one a
paper."""
_LEAST_SHARE = 1e-9
"""Our choice: a thousandth of what the smallest run of any use takes of the largest targets."""
_OFF = 0.01
"""Our choice: a plan nearer than this to its law's best size, in the logarithm, is at it."""
_OF_SIZE = ("min_params", "max_params", "params", "tokens", "tokens_per_param", "unique_tokens", "memory")
"""Limits that decide a plan's size, whatever its law says."""
_OF_PILOTS = ("precision", "mfu", "goodput", "price", "network", "calibrate", "cluster")
"""What may be said of the machine of pilots beside its name."""
_OF_TARGET = {"days": None, "gpu_hours": None, "usd": None, "pilots": None, "evaluation": None, "batch": None}
"""What is said of the target's run, or of its budget, and not of the pilots'."""
_COUNTS = {ParamCount.TOTAL: FlopConvention.SIX_ND, ParamCount.NONEMBEDDING: FlopConvention.SIX_ND_NONEMBEDDING}


class Wanted(NamedTuple):
    """What pilots are for.

    ``flop`` is what they may take, as the law counts; ``hours`` the accelerator-hours instead, where those were given;
    ``machine`` what they run on, ``None`` where nothing was named; ``record`` the rule of learning rate and batch.
    """

    name: str
    law: Law
    plan: Plan
    target: Target
    kind: Kind
    words: PilotWords
    flop: float
    hours: float | None
    machine: Machine | None
    record: LawRecord
    held: bool
    """Whether limits decide the target's size, so that a more certain best size changes nothing."""
    notices: tuple[Notice, ...]

    def plausible(self, n: int, seed: int) -> Plausible:
        """Draws of what may be true: of the law of one's own, or of all published ones where a preset plans."""
        shipped = self.law.file is None and self.law.id.partition(":")[0] in presets.ids("laws")
        if not shipped or self.law.counts_params is not ParamCount.TOTAL:
            return of_fit(self.law, n, seed)
        return published([load_law(name) for name in PLAUSIBLE], n, seed)

    def fitted(self, law: Law) -> Wanted:
        """The same target for a law of the runs that are finished."""
        plan = self.plan if self.held else allocate_document(None, None, {"flops": self.target.train_flop}, {}, law=law)
        target = self.target if self.held else Target(self.target.train_flop)
        return self._replace(law=law, plan=plan, target=target, kind=self.kind._replace(counts=law.counts_params))

    def points_of(self, runs: str | os.PathLike[str]) -> tuple[Points, tuple[Notice, ...]]:
        """The runs of a table of ``params`` and ``tokens``, as the law counts them.

        Raises:
            InputFileError: the table cannot be used.
        """
        from scaleplan.specs.runs import run_blocks

        accounting = self.plan.problem.accounting
        blocks = list(run_blocks(os.fspath(runs), accounting))
        params = np.concatenate([block.params for block in blocks])
        tokens = np.concatenate([block.tokens for block in blocks])
        counted = np.asarray(accounting.size(params, ParamCount.TOTAL).counted(self.law.counts_params))
        ignored = tuple(dict.fromkeys(name for block in blocks for name in block.ignored))
        notices = (Notice("ignored_columns", f"columns not used: {', '.join(ignored)}."),) if ignored else ()
        return Points(counted, tokens, 6 * counted * tokens), notices

    def rule_notices(self, manifest: Manifest) -> tuple[Notice, ...]:
        """How many runs lie outside those behind the rule of learning rate and batch."""
        fitted = self.record.fitted
        ranges = (("params", fitted.params), ("tokens", fitted.tokens))
        outside = [
            run.id
            for run in manifest.runs
            if any(pair is not None and not pair[0] <= getattr(run, name) <= pair[1] for name, pair in ranges)
        ]
        if not outside:
            return ()
        text = f"{self.record.id}: {len(outside)} of {len(manifest.runs)} runs lie beyond the runs behind it"
        held = "its learning rate is held where it would be higher there"
        return (Notice("extrapolated_rule", f"{text}; {held}: sweep rate and batch for {_some(outside)}."),)


def wanted(
    budget: str | os.PathLike[str] | None,
    flops: Number | None,
    law: LawLike | None,
    pilots: Mapping[str, Any] | None,
    conditions: Mapping[str, Any],
) -> Wanted:
    """What pilots are for.

    Raises:
        UsageError: no target or two, a word that cannot be read, a law that pilots cannot be designed for.
        InputFileError: a file cannot be used.
        InfeasibleError: the target cannot be planned.
    """
    spec, path = (None, None) if budget is None else budget_file(budget, {"flops": flops})
    if spec is None and flops is None:
        raise UsageError("pilots of which target? Give a budget file, or --flops 1e24")
    if flops is not None and not looks_like_resources(flops):
        flops = scalar("flops", flops, "flop")
    first, notices = _law(law, spec, path)
    plan = allocate_document(spec, path, {"flops": flops}, {}, law=first)
    if plan.experts is not None:
        raise UsageError(
            f"the target is a mixture of {plan.experts:g} experts, and pilots are designed for dense models: leave "
            "limits.experts out, and design them for a dense model of as many FLOPs"
        )
    words = _words(pilots, spec)
    machine = _machine(words, plan, spec, conditions, flops)
    record = load_record(DEFAULT_HYPER)
    target = _target(first, plan)
    share = words.share
    if share is not None and share.share < _LEAST_SHARE and not share.gpu_hours:
        raise UsageError(f"share: must be at least {_LEAST_SHARE:g}, such as 1% (got {share.share:g})")
    unused = [name for name, word in {**conditions, "within": words.within}.items() if word is not None]
    if machine is None and unused:
        raise UsageError(f"{', '.join(unused)} of which accelerator? Add --on 64xh100-sxm, on which the pilots run")
    if machine is None:
        notices = (*notices, _no_machine())
    held = plan.problem.params is not None or plan.problem.tokens is not None or bool({*_OF_SIZE} & {*plan.binding})
    return Wanted(
        name=plan.problem.name or "pilots",
        law=first,
        plan=plan,
        target=target,
        kind=_kind(words, spec, record, first.counts_params),
        words=words,
        flop=target.train_flop * (share.share if share is not None and share.share else SHARE),
        hours=share.gpu_hours if share is not None and share.gpu_hours else None,
        machine=machine,
        record=record,
        held=held,
        notices=notices,
    )


def _law(law: LawLike | None, spec: BudgetDocument | None, path: str | None) -> tuple[Law, tuple[Notice, ...]]:
    """The one law that plans the target, and that others are left out.

    Raises:
        UsageError: it is not of the form that pilots are designed for, or counts otherwise.
    """
    asked: Any = law
    if asked is None and spec is not None:
        from scaleplan.specs.budget import laws_of

        assert path is not None
        asked = laws_of(path, spec.law)
    chosen, *others = resolve_laws(asked or None, (DEFAULT_LAW,))
    if not is_additive(chosen) or _COUNTS.get(chosen.counts_params) is not chosen.counts_flop:
        raise UsageError(
            f"{chosen.id}: pilots are designed for fits of E + A / N^alpha + B / D^beta that count C = 6 N D, which it "
            f"is not: add --law {DEFAULT_LAW}, whose target they then are for, or a law file of that form"
        )
    if not others:
        return chosen, ()
    text = f"{chosen.id} plans the target; {', '.join(each.id for each in others)} are left out."
    return chosen, (Notice("one_law", text),)


def _words(pilots: Mapping[str, Any] | None, spec: BudgetDocument | None) -> PilotWords:
    own = PilotWords() if spec is None or spec.pilots is None else spec.pilots.words
    words = merged(own, read_pilots(mapping("pilots", pilots)))
    if words.unique_tokens is None and spec is not None and spec.limits is not None:
        words = words._replace(unique_tokens=spec.limits.unique_tokens)
    return words


def _machine(
    words: PilotWords, plan: Plan, spec: BudgetDocument | None, conditions: Mapping[str, Any], flops: Any
) -> Machine | None:
    """What pilots run on: what is named for them, or what the target runs on.

    Raises:
        UsageError: words that say nothing of the machine of pilots.
    """
    odd = [name for name, word in conditions.items() if word is not None and name not in _OF_PILOTS]
    if odd:
        text = f"{', '.join(odd)}: of pilots there are {', '.join(_OF_PILOTS)}"
        raise UsageError(f"{text}; the rest is by the keys of pilots, such as pilots={{'on': '64xh100-sxm'}}")
    base: Conditions | None = None if spec is None else spec.conditions._replace(**_OF_TARGET)
    of_target = (resource_words(flops) or {}).get("on") if isinstance(flops, str) else None
    if of_target is None and (base is None or base.on is None) and plan.costing is not None:
        of_target = plan.costing.accelerator
    given = conditions_from({**conditions, "on": words.on or of_target, "context": words.context}, base)
    return None if given.on is None else machine_of(given)


def _no_machine() -> Notice:
    text = "no accelerator is named: add --on 64xh100-sxm for hours, money and files for a cluster."
    return Notice("no_accelerator", text)


def _target(law: Law, plan: Plan) -> Target:
    """The plan's compute, and its run where that is not at the law's best size."""
    surface: Any = law.surface
    flop = float(plan.train_flop)
    params = float(plan.params if law.counts_params is ParamCount.TOTAL else plan.params_nonembedding)
    off = abs(np.log(params / surface.optimum(flop).params)) > _OFF
    return Target(flop, (params, float(plan.tokens)) if off else None)


def _kind(words: PilotWords, spec: BudgetDocument | None, record: LawRecord, counts: ParamCount) -> Kind:
    """What all runs have in common.

    Learning rates grow with tokens and fall with size without end, and one too high ends a run: below the sizes and
    beyond the tokens of the rule's own runs they are held at what it says there.
    """
    context = words.context or (None if spec is None else spec.budget.context) or CONTEXT
    rule: Any = record.groups[record.roles["hyper"][0]].form
    least = 0.0 if record.fitted.params is None else record.fitted.params[0]
    most = np.inf if record.fitted.tokens is None else record.fitted.tokens[1]

    def of(params: Any, tokens: Any) -> tuple[Any, Any]:
        near = Run(np.maximum(params, least), np.minimum(tokens, most), 6 * params * tokens)
        return rule.learning_rate(near), rule.batch(Run(params, tokens, 6 * params * tokens))

    ratios = words.ratios or RATIOS
    return Kind(words.vocab or VOCABULARY, int(context), of, ratios, counts)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
