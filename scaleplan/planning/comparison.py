"""Options side by side: at equal FLOPs, or as they were trained; each against the optimum of the same law.

Under a law every number comes from one loss surface: an option's loss, the optimum, and the least compute that
reaches the option's loss ("equivalent compute"). A law that publishes an allocation apart from its surface gets
that allocation as one more option, judged on the surface like the others; no share crosses two forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from scaleplan import units
from scaleplan.compute.accounting import Accounting, ModelSize
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.laws.form import LossSurface
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.bands import loss_ends
from scaleplan.planning.notices import conversion, extrapolation, held, joined, no_interval
from scaleplan.planning.optimum import Point, least_flop, own_flop, point_at, rule_optimum, surface_optimum
from scaleplan.planning.problem import check_level, check_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A run to compare: all parameters, those outside embeddings where known, and tokens where given.

    ``from_catalogue`` says that the tokens are the published ones: a comparison at equal FLOPs sets them anew
    without a word, since that is what it is asked for; a user's own tokens it does not replace silently.
    """

    name: str
    params: float | None = None
    params_nonembedding: float | None = None
    tokens: float | None = None
    from_catalogue: bool = False
    planned: bool = False
    """Whether it is the run of a plan, which is compared as it is."""
    unique_tokens: float | None = None
    """How many of its tokens are different, where they repeat."""
    params_status: str | None = None
    tokens_status: str | None = None
    """How sure the catalogue is of them: ``published``, ``derived``, ``unverified``, ``estimate`` or ``rumour``."""

    def __post_init__(self) -> None:
        for value in (self.params, self.params_nonembedding, self.tokens):
            # Text such as "1B" is a likely slip in Python, where only words of options are parsed.
            if value is not None and not isinstance(value, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip
                raise UsageError(f"{self.name}: an option's numbers are numbers (got {value!r})")
        check_quantity("params", self.params)
        check_quantity("tokens", self.tokens)


class Odds(NamedTuple):
    """How likely an option has the least loss of all, and a lower one than the first option; ``None``: not known."""

    p_best: float | None = None
    p_beats_first: float | None = None


NO_ODDS = Odds()
_PLANNED = Option(name="")
"""What stands for an option where a law says the run: its numbers are nobody's claim, so they have no status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedOption:
    """One option, or an optimum, under one law.

    ``optimal_flop_same_loss`` is the least compute that reaches this loss under the law, ``wasted_share`` one
    less the ratio of that to the FLOPs spent. Inference is 2 N FLOPs a token (embeddings counted), relative to
    the first option's.
    """

    law: Law
    option: str
    role: str
    params: float
    params_nonembedding: float
    tokens: float
    tokens_per_param: float
    train_flop: float
    loss: float
    loss_low: float | None
    loss_high: float | None
    optimal_flop_same_loss: float
    wasted_share: float
    inference_flop_per_token: float
    inference_relative: float
    params_status: str | None = None
    tokens_status: str | None = None
    p_best: float | None = None
    """Share of the law's draws in which this option has the least loss; ``None`` for an optimum and without draws."""
    p_beats_first: float | None = None
    """Share in which its loss is below the first option's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The rows, law by law: the options in the order given, then the optimum (at ``train_flop``)."""

    rows: tuple[ComparedOption, ...]
    options: tuple[Option, ...]
    name: str | None = None
    """Name and path of the file that the options came from."""
    file: str | None = None
    train_flop: float
    as_trained: bool
    accounting: Accounting
    level: float
    warnings: tuple[Notice, ...]
    draws: int | None = None
    """How many draws of each law that has a covariance, and the seed of their random numbers."""
    seed: int = 0


def compare(
    laws: Sequence[Law],
    options: Sequence[Option],
    *,
    train_flop: float | None,
    as_trained: bool,
    level: float,
    accounting: Accounting,
    draws: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare options under each law.

    Args:
        laws: laws with a loss surface.
        options: at least one.
        train_flop: the budget that sets each option's tokens, and the optimum's. Left out when ``as_trained``,
            the optimum gets the first option's own FLOPs.
        as_trained: keep each option's own tokens.
        level: coverage of the bands.
        accounting: the convention of ``train_flop``.
        draws: how many draws of each law say how likely an option is the best; none where left out.
        seed: of the draws.

    Raises:
        UsageError: a law without a surface, an option without what the mode needs, two options of one name, fewer
            than one draw.
    """
    from scaleplan.planning.option_notices import mode_notices, unsure

    check_level(level)
    check_quantity("train_flop", train_flop)
    _require_distinct(options)
    if not as_trained and train_flop is None:
        raise UsageError("a comparison at equal FLOPs needs a budget")
    sizes = [_sized(option, train_flop, as_trained, accounting) for option in options]
    flops = [float(accounting.train_flop(size, tokens)) for size, tokens in sizes]
    optimum_flop = train_flop if train_flop is not None else flops[0]
    first = sizes[0][0]
    rows: list[ComparedOption] = []
    by_law: list[tuple[Law, list[Notice]]] = []
    for law in laws:
        law.require_allowed("compare")
        surface = law.require_surface("a comparison")
        own = [_run(law, accounting, option, *sized) for option, sized in zip(options, sizes, strict=True)]
        points = [
            (option.name, "plan" if option.planned else "option", run, option)
            for option, run in zip(options, own, strict=True)
        ]
        if law.allocation is not None:
            plan = rule_optimum(law, law.allocation, accounting, optimum_flop)
            point = point_at(law, accounting, plan.size, plan.tokens, "")
            points.append((f"{law.id} published frontier", "option", point, _PLANNED))
        best = surface_optimum(law, surface, accounting, optimum_flop)
        if min(float(best.size.total), float(best.tokens)) < 1:
            raise InfeasibleError(f"{units.flop(optimum_flop)} FLOP buy no whole parameter and token under {law.id}")
        points.append((f"{law.id} optimum", "optimum", best, _PLANNED))
        runs = [point for _, _, point, _ in points]
        likely, undrawn = _odds(law, runs[:-1], best, draws, seed)
        for (name, role, point, option), odds in zip(points, [*likely, NO_ODDS], strict=True):
            row = _row(law, surface, name, role, point, first, level, accounting)
            tokens_status = option.tokens_status if as_trained else None
            rows.append(replace(row, params_status=option.params_status, tokens_status=tokens_status, **odds._asdict()))
        notices = [*extrapolation(law, *runs), *conversion(law, accounting), *held(law), *no_interval(law), *undrawn]
        by_law.append((law, notices))
    return Comparison(
        rows=tuple(rows),
        options=tuple(options),
        train_flop=optimum_flop,
        as_trained=as_trained,
        accounting=accounting,
        level=level,
        warnings=(*mode_notices(options, sizes, flops, as_trained), *unsure(options, as_trained), *joined(by_law)),
        draws=draws,
        seed=seed,
    )


def _odds(
    law: Law, options: Sequence[Point], best: Point, n: int | None, seed: int
) -> tuple[Sequence[Odds], list[Notice]]:
    """How likely each option is the best by the law's draws, and a notice where there are none."""
    if n is None:
        return [NO_ODDS] * len(options), []
    from scaleplan.planning.odds import odds

    found = odds(law, [(point.size, float(point.tokens)) for point in options], float(own_flop(law, best)), n, seed)
    if found is not None:
        return found, []
    text = "no covariance to draw from: it does not say how likely an option is the best."
    return [NO_ODDS] * len(options), [Notice("not_drawn", text)]


def _require_distinct(options: Sequence[Option]) -> None:
    if not options:
        raise UsageError("nothing to compare: name at least one option")
    seen: set[str] = set()
    for option in options:
        if option.name in seen:
            raise UsageError(f"two options are called {option.name!r}; give each its own name")
        seen.add(option.name)


def _sized(
    option: Option, train_flop: float | None, as_trained: bool, accounting: Accounting
) -> tuple[ModelSize, float]:
    if as_trained or option.planned:
        if option.params is None or option.tokens is None:
            lacks = "parameters" if option.params is None else "tokens"
            raise UsageError(
                f"{option.name}: its {lacks} are not known, and as trained needs them; "
                "give them (name=...,params=30B,tokens=5T) or compare at equal FLOPs"
            )
        return _size(option, option.params, accounting), option.tokens
    assert train_flop is not None
    if option.params is None:
        if option.tokens is None:
            raise UsageError(f"{option.name}: needs params or tokens, such as params=30B")
        return _whole(option, train_flop, accounting.size_for(train_flop, option.tokens), option.tokens)
    size = _size(option, option.params, accounting)
    tokens = float(accounting.tokens(size, train_flop))
    return _whole(option, train_flop, size, tokens)


def _run(law: Law, accounting: Accounting, option: Option, size: ModelSize, tokens: float) -> Point:
    """An option as a run; where its tokens repeat and the law knows repeats, with the loss of those."""
    point = point_at(law, accounting, size, tokens, "")
    if option.unique_tokens is None or law.repeated is None or tokens <= option.unique_tokens:
        return point
    surface = law.repeated.at(option.unique_tokens)
    return point._replace(loss=surface.loss(size.counted(law.counts_params), tokens))


def _whole(option: Option, train_flop: float, size: ModelSize, tokens: float) -> tuple[ModelSize, float]:
    for value, what in ((float(size.total), "parameter"), (tokens, "token")):
        if value < 1:
            raise InfeasibleError(f"{option.name}: {units.flop(train_flop)} FLOP buy it less than one {what}")
    return size, tokens


def _size(option: Option, params: float, accounting: Accounting) -> ModelSize:
    if option.params_nonembedding is None:
        return accounting.size(params, ParamCount.TOTAL)
    return ModelSize(total=params, nonembedding=option.params_nonembedding)


def _row(
    law: Law,
    surface: LossSurface,
    name: str,
    role: str,
    point: Point,
    first: ModelSize,
    level: float,
    accounting: Accounting,
) -> ComparedOption:
    assert point.loss is not None
    best = point.train_flop if role == "optimum" else least_flop(law, surface, accounting, point.loss)
    ends = loss_ends(law, point, level)
    return ComparedOption(
        law=law,
        option=name,
        role=role,
        params=float(point.size.total),
        params_nonembedding=float(point.size.nonembedding),
        tokens=float(point.tokens),
        tokens_per_param=float(point.tokens / point.size.total),
        train_flop=float(point.train_flop),
        loss=float(point.loss),
        loss_low=_float(ends.get("loss_low")),
        loss_high=_float(ends.get("loss_high")),
        optimal_flop_same_loss=float(best),
        wasted_share=1 - float(best) / float(point.train_flop),
        inference_flop_per_token=2 * float(point.size.total),
        inference_relative=float(point.size.total / first.total),
    )


def _float(value: Real | None) -> float | None:
    return None if value is None else float(value)
