"""What became of each pilot run, and which of those that ended must not be fitted to.

A run that ended is diverged where its loss L [nats/token]

    is not finite,
    L >= ln V                        is no better than a uniform guess over a vocabulary of V tokens,
    L_end > 1.1 min L                the smoothed loss of its log ends above its own running minimum,
    L(N, D) > 1.05 L(N', D')         is above that of another sound run with N' <= N and D' <= D,

the last since loss falls with parameters and with tokens (every law of the package; Hoffmann et al. 2022, arXiv
2203.15556, eq. 2). The limits are our choice: seeds differ by some tenths of a per cent, batches by a few per cent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from scaleplan.units import count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Status = Literal["finished", "missing", "unfinished", "failed", "diverged"]
ABOVE_SMALLER = 0.05
"""Our choice: ten times what seeds differ by; a loss may stand so far above that of a run with less of both."""
ABOVE_MINIMUM = 0.10
"""Our choice: a healthy run ends at its minimum, up to the noise of its batches."""
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

    A finished run without a loss, or with one that no cross-entropy can be, has failed; one that says that it stopped
    early (by more than 1 %, the gap between two rows of its log allowed) is unfinished; the rest may be diverged.
    """
    outcomes = [_alone(run) for run in runs]
    sound = [i for i, outcome in enumerate(outcomes) if outcome.status == "finished"]
    for i, detail in _above_smaller([outcomes[i] for i in sound]):
        outcomes[sound[i]] = outcomes[sound[i]]._replace(status="diverged", detail=detail)
    return tuple(outcomes)


def contradictions(run: Evidence) -> tuple[str, ...]:
    """Where a run says that it trained more tokens or other parameters than the manifest has it, by more than 1 %."""
    found: list[str] = []
    for word, measured, planned in (
        ("params", run.params, run.planned_params),
        ("tokens", run.tokens, run.planned_tokens),
    ):
        if measured is None or planned is None or not _differs(measured, planned):
            continue
        if word == "params" or measured > planned:
            found.append(f"{word} {count(measured)}, manifest {count(planned)}")
    return tuple(found)


def rise_above_minimum(loss: NDArray[np.float64]) -> float | None:
    """How far the loss of a log ends above its own running minimum, as a share of it.

    Both of moving means over 1 % of the rows, at least ten, of a short log a fifth of them; values that are not finite
    (skipped steps) are left out. ``None`` without two rows, or where the minimum is not above zero.
    """
    import numpy as np

    finite = loss[np.isfinite(loss)]
    if finite.size < 2:
        return None
    width = max(1, min(10, finite.size // 5), finite.size // 100)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.concatenate(([0.0], np.cumsum(finite)))
        smooth = (total[width:] - total[:-width]) / width
    least = float(smooth.min())
    return float(smooth[-1]) / least - 1 if least > 0 and math.isfinite(least) else None


def _differs(measured: float | None, planned: float | None) -> bool:
    return measured is not None and planned is not None and abs(measured - planned) > CONTRADICTION * planned


def _alone(run: Evidence) -> Outcome:
    """What became of a run by itself."""
    status, detail = run.status, run.detail
    if status == "finished":
        status, detail = _ended(run)
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


def _counted(measured: float | None, planned: float | None) -> float:
    value = measured if planned is None or _differs(measured, planned) else planned
    assert value is not None, "a run is of a manifest or says what it is"
    return value


def _ended(run: Evidence) -> tuple[Status, str]:
    loss = run.loss
    if loss is None:
        return "failed", run.detail or "no loss could be read"
    if math.isfinite(loss) and loss <= 0:
        return "failed", f"loss {loss:.4g} is no cross-entropy: it must be above 0"
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
        short = run.steps + run.steps_between < (1 - CONTRADICTION) * run.total_steps
        return f"stopped at step {run.steps:.0f} of {run.total_steps:.0f}" if short else ""
    return ""


def _above_smaller(runs: Sequence[Outcome]) -> list[tuple[int, str]]:
    """The runs, by place, whose loss is above that of one with no more params and no more tokens, and by how much."""
    import numpy as np

    params, tokens = np.array([run.params for run in runs]), np.array([run.tokens for run in runs])
    loss = np.array([run.loss for run in runs], dtype=np.float64)
    found: list[tuple[int, str]] = []
    for i, run in enumerate(runs):
        other = np.flatnonzero((params <= params[i]) & (tokens <= tokens[i]))
        best = int(other[np.argmin(loss[other])])
        excess = float(loss[i] / loss[best]) - 1
        if excess > ABOVE_SMALLER:
            detail = (
                f"loss {run.loss:.4g} is {100 * excess:.3g} % above the {loss[best]:.4g} of run {runs[best].run_id}, "
                "which has no more params and no more tokens (limit 5 %)"
            )
            found.append((i, detail))
    return found
