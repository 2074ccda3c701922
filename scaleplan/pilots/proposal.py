"""The pilot runs proposed for a target: what they are, what they will tell, what that is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scaleplan import units
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError, Notice
from scaleplan.pilots.ask import Ask
from scaleplan.pilots.candidates import Candidates, candidates, embedding_share, without
from scaleplan.pilots.certainty import Certainty, Points, certainty
from scaleplan.pilots.choice import Choice, choose
from scaleplan.pilots.goals import SHARE
from scaleplan.pilots.manifest import Manifest, PilotRun, Role
from scaleplan.pilots.savings import Fraction, curve, share_for
from scaleplan.pilots.scoring import Scored, in_order, score, sure_of, templates_for
from scaleplan.pilots.value import Value, open_loss, open_size, value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.templates import Template

    Floats = NDArray[np.float64]

_FIRST_STAGE = 0.5
"""Our choice: after half the compute, cheapest runs first, a refit says which runs to make next."""
_ANY = math.log(1000)
"""Our choice: what is known no better is not known."""
_NEAR, _MOST_SHARE = 1.1, 0.9
"""Our choice: a budget that is enough is looked for to a tenth, up to so much of the target."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """The runs proposed, other sets of runs at the same compute, and what they are worth."""

    ask: Ask
    manifest: Manifest
    scored: Scored
    others: tuple[Scored, ...]
    fractions: tuple[Fraction, ...]
    """Designs of less compute, the whole one last; none for next runs."""
    value: Value
    before: float
    """The standard error of ln N* before the runs."""
    bound: float
    """How far a standard error may be above that of the best choice, as a share; infinite where none was made."""
    warnings: tuple[Notice, ...]


def propose(ask: Ask, name: str, *, first: int = 0) -> Proposal:
    """The runs that make the forecast at the target most certain.

    Args:
        ask: the target, what the runs may take and tell.
        name: what they are called together.
        first: the number of the first of them; those before are of runs that were made already.

    Raises:
        UsageError: a number out of range.
        InfeasibleError: the budget is below the cheapest useful design, or the target is no larger than the pilots.
    """
    ask.check()
    _require_smaller(ask)
    chosen, beside = _chosen(ask)
    points = chosen.points
    sure, before = sure_of(ask, points), _before(ask)
    _require_useful(ask, sure)
    scored = score(ask, "designed", points)
    fractions = curve(ask, scored) if beside else ()
    return Proposal(
        ask=ask,
        manifest=_manifest(chosen, name, first),
        scored=scored,
        others=_compared(ask, beside, fractions),
        fractions=fractions,
        value=value(ask.plausible, ask.target.train_flop, before, sure.params, float(points.flop.sum())),
        before=float(np.exp(np.log(before).mean())),
        bound=chosen.bound,
        warnings=_notices(ask, chosen),
    )


def _chosen(ask: Ask) -> tuple[Choice, tuple[Template, ...]]:
    """The runs, and the templates of as much compute; those are no measure of further runs.

    Raises:
        InfeasibleError: there are too few to choose from, with what would be enough.
    """
    if ask.done is not None:
        return choose(ask, without(candidates(ask.kind, ask.reach), ask.done), ()), ()
    try:
        found = candidates(ask.kind, ask.reach)
        beside = templates_for(ask, float(found.points.params.min()))
        return choose(ask, found, beside), beside
    except InfeasibleError as error:
        raise InfeasibleError(f"{error.message}; {_enough(ask)}") from None


def judged(ask: Ask, manifest: Manifest) -> Proposal:
    """What the runs of a manifest would tell beside those that are done, and what that is worth."""
    own = ask.kind.counts is ParamCount.TOTAL
    params = np.array([run.params if own else run.params_nonembedding for run in manifest.runs])
    tokens = np.array([run.tokens for run in manifest.runs])
    points = Points(params, tokens, 6 * params * tokens)
    before = _before(ask)
    after = sure_of(ask, points).params
    return Proposal(
        ask=ask,
        manifest=manifest,
        scored=score(ask, manifest.name, points),
        others=(),
        fractions=(),
        value=value(ask.plausible, ask.target.train_flop, before, after, float(points.flop.sum())),
        before=float(np.exp(np.log(before).mean())),
        bound=math.inf,
        warnings=(),
    )


def with_notices(proposal: Proposal, notices: Sequence[Notice]) -> Proposal:
    """The same proposal with more to be said of it."""
    return replace(proposal, warnings=(*proposal.warnings, *notices))


def with_costs(proposal: Proposal, runs: Sequence[PilotRun], notices: Sequence[Notice]) -> Proposal:
    """The same proposal with what its runs take, and what is to be said of that."""
    manifest = proposal.manifest._replace(runs=tuple(runs))
    return with_notices(replace(proposal, manifest=manifest), notices)


def _before(ask: Ask) -> Floats:
    """Standard errors of ln N* (laws,) without the runs: what published laws leave open, or what finished runs do."""
    if ask.done is not None:
        return certainty(ask.plausible, ask.target, ask.done, ask.noise).params
    return np.full(np.size(ask.plausible.law.E), open_size(ask.plausible, ask.target.train_flop))


def _compared(ask: Ask, beside: Sequence[Template], fractions: Sequence[Fraction]) -> tuple[Scored, ...]:
    """The templates by what they tell, each with the share of its compute that the design needs for the same."""
    others = [score(ask, each.name, each.points, each.moved) for each in beside]
    others = [each._replace(compute_for_same=share_for(fractions, each, ask.goal)) for each in others]
    return in_order(others, ask.goal)


def _require_smaller(ask: Ask) -> None:
    if ask.flop >= ask.target.train_flop:
        raise InfeasibleError(
            f"pilots of {units.flop(ask.flop)} FLOP are no smaller than the target of "
            f"{units.flop(ask.target.train_flop)} FLOP: give a smaller share, such as {SHARE:.0%}, or a larger target"
        )


def _require_useful(ask: Ask, sure: Certainty) -> None:
    """Check that the runs leave less open of what is asked than published laws do.

    Raises:
        InfeasibleError: they do not, with the least budget that does.
    """
    if ask.done is not None or _useful(ask, sure):
        return
    flop, target = units.flop(ask.flop), ask.target.train_flop
    sources = ask.plausible.sources
    laws = "published laws" if len(sources) > 1 else f"the doubt about {', '.join(sources)}"
    size = f"N* at the target open by a factor of {_factor(sure.params_se)}, {laws} by "
    loss = f"the loss at the target open by {100 * sure.loss_se:.3g}%, {laws} by "
    open_ = f"{loss}{100 * open_loss(ask.plausible, target):.3g}%"
    if ask.goal != "loss":
        open_ = f"{size}{_factor(open_size(ask.plausible, target))}"
    raise InfeasibleError(f"{flop} FLOP of pilots leave {open_} and tell no more; {_enough(ask)}")


def _useful(ask: Ask, sure: Certainty) -> bool:
    """Whether runs leave the loss, where that alone is asked for, or else the best size less open than laws do."""
    if ask.goal == "loss":
        return sure.loss_se < open_loss(ask.plausible, ask.target.train_flop)
    return sure.params_se < open_size(ask.plausible, ask.target.train_flop)


def _worth(ask: Ask) -> Value | None:
    """What a design is worth that tells more than published laws do; ``None`` where none does."""
    try:
        found = candidates(ask.kind, ask.reach)
        points = choose(ask, found, templates_for(ask, float(found.points.params.min()))).points
    except InfeasibleError:
        return None
    sure = sure_of(ask, points)
    if not _useful(ask, sure):
        return None
    return value(ask.plausible, ask.target.train_flop, _before(ask), sure.params, float(points.flop.sum()))


def _enough(ask: Ask) -> str:
    """The least budget whose design tells more than published laws do, or the least unique tokens, in words."""

    def useful(times: float) -> bool:
        return _worth(ask._replace(flop=ask.flop * times)) is not None

    if not math.isinf(ask.tokens) and _worth(ask._replace(tokens=math.inf)) is not None:
        return _enough_tokens(ask)
    target = ask.target.train_flop
    low, high = 1.0, _MOST_SHARE * target / ask.flop
    if high <= low or not useful(high):
        advice = "make the target larger, widen --ratios, lower --noise or --context, or take a published law"
        return f"no share of this target does better as it is asked: {advice}"
    while high / low > _NEAR:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if useful(middle) else (middle, high)
    # What is told is enough, whatever rounding does to the candidates.
    share = _rounded_up(high * ask.flop / target)
    while share < _MOST_SHARE and not useful(share * target / ask.flop):
        share = _rounded_up(share * _NEAR)
    found = _worth(ask._replace(flop=share * target))
    unpaid = "" if ask.goal == "loss" or found is None or found.pays else ", though it costs more than it saves"
    return f"a share of {100 * share:.6g}%, {units.flop(share * target)} FLOP, would do{unpaid}"


def _enough_tokens(ask: Ask) -> str:
    """The least unique tokens with which the design tells enough, to a factor of two."""
    tokens = ask.tokens
    while _worth(ask._replace(tokens=tokens)) is None:
        tokens *= 2
    return f"{units.count(tokens)} unique tokens would do"


def _rounded_up(value: float) -> float:
    """To two digits, so that what is told is enough."""
    scale = 10.0 ** (1 - math.floor(math.log10(value)))
    return math.ceil(value * scale) / scale


def _factor(se: float) -> str:
    return f"{math.exp(se):.3g}" if se < _ANY else f"more than {math.exp(_ANY):.0f}"


def _manifest(chosen: Choice, name: str, start: int) -> Manifest:
    """The runs as a cluster takes them, cheapest first."""
    every = np.repeat(chosen.runs, chosen.seeds).tolist()
    seeds = [seed for many in chosen.seeds.tolist() for seed in range(many)]
    flop = chosen.found.points.flop[every]
    first = np.cumsum(flop) <= _FIRST_STAGE * flop.sum()
    last = len(every) - 1
    digits = max(2, len(str(start + last)))
    runs: list[PilotRun] = []
    for i, (index, seed) in enumerate(zip(every, seeds, strict=True)):
        role: Role = "back-test" if i == last else "replicate" if seed else "design"
        stage = 1 if first[i] and i != last else 2
        run = pilot_run(chosen.found, index)
        runs.append(run._replace(id=f"p{start + i:0{digits}d}", stage=stage, role=role, seed=seed))
    return Manifest(name, tuple(runs))


def pilot_run(found: Candidates, index: int) -> PilotRun:
    """A candidate as a run of a manifest, by itself."""
    shape = found.shapes[int(found.shape[index])]
    params, tokens = float(shape.params.total), float(found.points.tokens[index])
    return PilotRun(
        id=f"c{index}",
        stage=1,
        role="design",
        params=params,
        params_nonembedding=float(shape.params.nonembedding),
        tokens=tokens,
        shape=shape,
        batch_tokens=float(found.batch_tokens[index]),
        steps=int(found.steps[index]),
        learning_rate=float(found.learning_rate[index]),
        seed=0,
        train_flop=float(found.points.flop[index]),
    )


def _notices(ask: Ask, chosen: Choice) -> tuple[Notice, ...]:
    notices: list[Notice] = []
    shapes = [chosen.found.shapes[int(chosen.found.shape[i])] for i in chosen.runs]
    light = sum(embedding_share(shape) > 0.5 for shape in shapes)
    if light:
        text = (
            f"{light} of {len(shapes)} different runs are embeddings for the most part (vocabulary "
            f"{ask.kind.vocabulary:,}): their size may not count as that of larger models does."
        )
        notices.append(Notice("mostly_embeddings", text))
    if len(chosen.points) < ask.runs and ask.done is None:
        text = f"{len(chosen.points)} of {ask.runs} runs are used: no other within the budget tells more."
        notices.append(Notice("fewer_runs", text))
    return tuple(notices)
