"""What became of each pilot run, and which of those that ended must not be fitted to.

A run that ended is diverged where its loss L [nats/token]

    is not finite,
    L >= ln V                        is no better than a uniform guess over a vocabulary of V tokens,
    L_end > 1.1 min L                the smoothed loss of its log ends above its own running minimum, but for what
                                     the noise of its rows may make of a flat one,
    L(N, D) > 1.05 L(N', D')         is above that of another sound run with N' <= N and D' <= D,

the last since loss falls with parameters and with tokens (every law of the package; Hoffmann et al. 2022, arXiv
2203.15556, eq. 2). The limits are our choice: seeds differ by some tenths of a per cent, batches by a few per cent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from scaleplan.units import count

Status = Literal["finished", "missing", "unfinished", "failed", "diverged"]
ABOVE_SMALLER = 0.05
"""Our choice: ten times what seeds differ by; a loss may stand so far above that of a run with less of both."""
ABOVE_MINIMUM = 0.10
"""Our choice: a healthy run ends at its minimum, up to the noise of its batches."""
LEAST_LOSS = 1e-3
"""Our choice [nats/token]: a hundredth of the least floor of a law of text; below it something else was written."""
_SEVERAL = 3
"""Our choice: so many runs against one are the measure, not it; two may both have diverged."""
CONTRADICTION = 0.01
"""Our choice: params and tokens within 1 % are the same run, counted or rounded otherwise."""


class Outcome(NamedTuple):
    """What became of a run.

    ``params`` and ``tokens`` are those of the manifest unless the run says otherwise by more than 1 %; ``loss``
    [nats/token] is ``None`` where none could be read, ``how`` says which loss it is, ``detail`` why the status is so.
    """

    run_id: str
    status: Status
    params: float
    tokens: float
    loss: float | None
    how: str
    detail: str
    seed: int | None = None


class Evidence(NamedTuple):
    """What a run left behind, before it is judged.

    ``status`` is what its files say; ``finished`` may turn out otherwise. ``planned_params`` and ``planned_tokens`` are
    of the manifest, ``params`` and ``tokens`` as the run itself says; of either pair one is there. ``tokens_between``
    and ``steps_between`` lie between two rows of its log, so much may be missing at its end; ``steps`` were made of
    ``total_steps``. ``vocabulary`` is V; ``rise`` as ``rise_above_minimum`` gives it. ``None`` is not known.
    """

    run_id: str
    status: Status
    planned_params: float | None = None
    planned_tokens: float | None = None
    params: float | None = None
    tokens: float | None = None
    tokens_between: float = 0.0
    steps: float | None = None
    steps_between: float = 0.0
    total_steps: float | None = None
    vocabulary: float | None = None
    loss: float | None = None
    how: str = ""
    rise: float | None = None
    detail: str = ""
    seed: int | None = None


def judge(runs: Sequence[Evidence]) -> tuple[Outcome, ...]:
    """What became of each run, in their order.

    A finished run without a loss, with one that no cross-entropy can be, with one so low that it would make several
    others diverged, or of a size that is no number above zero has failed; one that says that it stopped
    early (by more than 1 %, the gap between two rows of its log allowed) is unfinished; the rest may be diverged.
    """
    outcomes = [_alone(run) for run in runs]
    sound = [i for i, outcome in enumerate(outcomes) if outcome.status == "finished"]
    flagged = _above_smaller([outcomes[i] for i in sound])
    while (found := _suspect([outcomes[i] for i in sound], flagged)) is not None:
        place, rest = found
        detail = (
            f"loss {outcomes[sound[place]].loss:.4g} is too low: by it alone {len(flagged) - len(rest)} runs with no "
            "less params and tokens are more than 5 % above a smaller one"
        )
        outcomes[sound[place]] = outcomes[sound[place]]._replace(status="failed", detail=detail)
        del sound[place]
        flagged = rest
    for each in flagged:
        outcomes[sound[each.place]] = outcomes[sound[each.place]]._replace(status="diverged", detail=each.detail)
    return tuple(outcomes)


def contradictions(run: Evidence) -> tuple[str, ...]:
    """Where a run says that it trained more tokens or other parameters than the manifest has it, by more than 1 %."""
    found: list[str] = []
    for word, measured, planned in (
        ("params", run.params, run.planned_params),
        ("tokens", run.tokens, run.planned_tokens),
    ):
        if measured is None or planned is None or not _is_size(measured) or not _differs(measured, planned):
            continue
        if word == "params" or measured > planned:
            found.append(f"{word} {count(measured)}, manifest {count(planned)}")
    return tuple(found)


def _differs(measured: float | None, planned: float | None) -> bool:
    return measured is not None and planned is not None and abs(measured - planned) > CONTRADICTION * planned


def _alone(run: Evidence) -> Outcome:
    """What became of a run by itself."""
    status, detail = run.status, run.detail
    wrong = _no_sizes(run)
    if status == "finished":
        status, detail = ("failed", wrong) if wrong else _ended(run)
    return Outcome(
        run_id=run.run_id,
        status=status,
        params=_counted(run.params, run.planned_params),
        tokens=_counted(run.tokens, run.planned_tokens),
        loss=run.loss,
        how=run.how,
        detail=detail,
        seed=run.seed,
    )


def _no_sizes(run: Evidence) -> str:
    """What it says of its size that is no number above zero, or an empty string."""
    sizes = {"params": run.params, "tokens": run.tokens}
    wrong = [f"{word} {value:g}" for word, value in sizes.items() if value is not None and not _is_size(value)]
    return f"its files say {' and '.join(wrong)}, not a number above zero" if wrong else ""


def _is_size(value: float) -> bool:
    return 0 < value < math.inf


def _counted(measured: float | None, planned: float | None) -> float:
    if measured is not None and planned is not None and not _is_size(measured):
        return planned
    value = measured if planned is None or _differs(measured, planned) else planned
    assert value is not None, "a run is of a manifest or says what it is"
    return value


def _ended(run: Evidence) -> tuple[Status, str]:
    loss = run.loss
    if loss is None:
        return "failed", run.detail or "no loss could be read"
    if math.isfinite(loss) and loss < LEAST_LOSS:
        return "failed", f"loss {loss:.4g} is no cross-entropy of text: it must be above {LEAST_LOSS:g}"
    stopped = _stopped(run)
    if stopped and math.isfinite(loss):
        return "unfinished", stopped
    diverged = _diverged(run, loss)
    return ("diverged", diverged) if diverged else ("finished", run.detail)


def _diverged(run: Evidence, loss: float) -> str:
    """Why a run by itself is diverged, or an empty string."""
    if not math.isfinite(loss):
        return f"loss {loss} is not finite"
    guess = math.log(run.vocabulary) if run.vocabulary is not None and run.vocabulary > 1 else math.inf
    if loss >= guess:
        return (
            f"loss {loss:.4g} is {loss - guess:.3g} above the {guess:.4g} of a uniform guess over "
            f"{run.vocabulary:.0f} tokens"
        )
    if run.rise is not None and run.rise > ABOVE_MINIMUM:
        return f"its log ends {100 * run.rise:.3g} % above its own minimum (limit 10 %)"
    return ""


def _stopped(run: Evidence) -> str:
    """Where a run stopped before its end, or an empty string."""
    if run.tokens is not None and run.planned_tokens is not None:
        short = run.tokens + run.tokens_between < (1 - CONTRADICTION) * run.planned_tokens
        return f"stopped at {count(run.tokens)} of {count(run.planned_tokens)} tokens" if short else ""
    if run.steps is not None and run.total_steps is not None:
        short = run.steps + run.steps_between < (1 - CONTRADICTION) * run.total_steps < math.inf
        return f"stopped at step {run.steps:.0f} of {run.total_steps:.0f}" if short else ""
    return ""


class _Above(NamedTuple):
    """The place of a run whose loss is too high, that of the run it is measured by, and how much it is."""

    place: int
    best: int
    detail: str


def _suspect(runs: Sequence[Outcome], flagged: Sequence[_Above]) -> tuple[int, list[_Above]] | None:
    """The run by which more than half of those too high are measured, and who still is without it.

    Only where it measures several, and where most of all that are too high are sound by the others.
    """
    for place in {each.best for each in flagged}:
        measured = sum(each.best == place for each in flagged)
        if measured < _SEVERAL or 2 * measured <= len(flagged):
            continue
        rest = _above_smaller([*runs[:place], *runs[place + 1 :]])
        cleared = len(flagged) - len(rest)
        if 2 * cleared > len(flagged):
            return place, rest
    return None


def _above_smaller(runs: Sequence[Outcome]) -> list[_Above]:
    """The runs whose loss is above that of one with no more params and no more tokens."""
    import numpy as np

    params, tokens = np.array([run.params for run in runs]), np.array([run.tokens for run in runs])
    loss = np.array([run.loss for run in runs], dtype=np.float64)
    found: list[_Above] = []
    for i, run in enumerate(runs):
        other = np.flatnonzero((params <= params[i]) & (tokens <= tokens[i]))
        best = int(other[np.argmin(loss[other])])
        excess = float(loss[i] / loss[best]) - 1
        if excess > ABOVE_SMALLER:
            detail = (
                f"loss {run.loss:.4g} is {100 * excess:.3g} % above the {loss[best]:.4g} of run {runs[best].run_id}, "
                "which has no more params and no more tokens (limit 5 %)"
            )
            found.append(_Above(i, best, detail))
    return found
