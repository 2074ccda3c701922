"""How much surer designed pilot runs make a forecast than usual grids of the same compute, predicted and simulated.

    python tests/benchmarks/score_pilots.py [REPETITIONS]

The target takes 1e24 FLOP, the pilots 1 % of it in 36 runs; seeds scatter by 0.3 %. The design is averaged over 20
draws of the published laws and scored on other laws: 200 further draws, the published laws as they stand, and 100 draws
of besiroglu-2024 by its covariance. "predicted" is ``pilots.certainty``, in ratio to it the root mean square error of
refits of simulated runs (``score_pilots_refits``), all in geometric means over laws; the mean ratio is of squares, so
that few repetitions do not lower it. "lower" is 1 - design / other; "same with" the share of its compute that a design
needs for the standard errors of the other, by designs of less. The bars: ratios of 0.85 to 1.15, lower than 6x6 by
25 % on both or as sure with 65 % of the compute, and no standard error above that of the best template.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from score_pilots_alike import print_alike
from score_pilots_refits import Errors, Simulated, cold, forecast, plain, refitted, simulated

from scaleplan.api.pilot_target import PLAUSIBLE
from scaleplan.laws.additive import Additive
from scaleplan.laws.hyperparameters import Run
from scaleplan.pilots.ask import Ask
from scaleplan.pilots.candidates import Kind, candidates
from scaleplan.pilots.certainty import Certainty, Points, Target, certainty
from scaleplan.pilots.choice import choice_for
from scaleplan.pilots.goals import GOALS
from scaleplan.pilots.noise import Noise
from scaleplan.pilots.plausible import DRAWS, Plausible, of_fit, published
from scaleplan.pilots.proposal import propose
from scaleplan.pilots.savings import FRACTIONS, Fraction, share_for
from scaleplan.pilots.scoring import score, templates_for
from scaleplan.specs.laws import load_law
from scaleplan.specs.records import load_record

TARGET, SHARE, CONTEXT = 1e24, 0.01, 8192
PLAIN = Noise(starvation=0.0)
COLD = (40, 5)
"""Laws and repetitions of the fits one by one."""


class Row(NamedTuple):
    """A set of runs: predicted standard errors, ratios of simulated errors to them, and refits without a best size."""

    name: str
    sure: Certainty
    ratios: tuple[float, float]
    lost: float


def main() -> None:
    """Print the tables."""
    start = time.perf_counter()
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    laws = [load_law(name) for name in PLAUSIBLE]
    print(f"{len(laws)} published laws: {', '.join(law.id for law in laws)}\n")
    drawn = published(laws, 200, 1)
    others = {"the published laws as they stand": unmoved(laws), "100 draws of besiroglu-2024": of_besiroglu()}
    for vocabulary in (32_000, 128_256):
        ask = asked(published(laws, DRAWS, 0), vocabulary)
        sets = {each.name: each.points for each in every(ask)}
        title = f"vocabulary {vocabulary:,}"
        print_scores(f"{title}: 200 draws of the published laws", ask, drawn, sets, repetitions)
        for name, laws_ in others.items():
            print_scores(f"{title}: {name}", ask, laws_, sets, repetitions)
        issue = ask._replace(noise=PLAIN)
        print_scores(f"{title}: 200 draws, the same runs without starvation", issue, drawn, sets, repetitions)
        bare = {"designed": sets["designed"], **{each.name: each.points for each in templates_for(ask, 0.0)}}
        print_scores(f"{title}: 200 draws, templates on their own sizes", ask, drawn, bare, repetitions)
        print_fits(f"{title}: fits one by one", ask, drawn, sets)
        print_alike(f"{title}: misfit that neighbours share", ask, drawn, sets)
    print(f"{time.perf_counter() - start:.0f} s")


def asked(plausible: Plausible, vocabulary: int) -> Ask:
    """What is asked for, by the rule of Step Law for learning rate and batch."""
    record = load_record("steplaw-2025")
    rule: Any = record.groups[record.roles["hyper"][0]].form

    def hyper(bare: Any, tokens: Any) -> tuple[Any, Any]:
        run = Run(bare, tokens, 6 * bare * tokens)
        return rule.learning_rate(run), rule.batch(run)

    return Ask(plausible, Target(TARGET), Kind(vocabulary, CONTEXT, hyper), SHARE * TARGET)


def every(ask: Ask) -> list[Any]:
    """The design and the templates, as they are proposed."""
    proposal = propose(ask, "score")
    return [proposal.scored, *proposal.others]


def unmoved(laws: Sequence[Any]) -> Plausible:
    """The published laws themselves."""
    columns: Any = np.array([tuple(law.surface) for law in laws]).T[:, :, None]
    return Plausible(Additive(*columns), tuple(law.id for law in laws))


def of_besiroglu() -> Plausible:
    """Draws of it by the covariance that it is published with."""
    return of_fit(load_law("besiroglu-2024"), 100, 2)


def row(name: str, ask: Ask, laws: Plausible, points: Points, repetitions: int) -> Row:
    """A set of runs scored."""
    sure = certainty(laws, ask.target, points, ask.noise)
    found = refitted(simulated(laws, points, ask.noise, TARGET, repetitions, 3), TARGET)
    ratios = (ratio(found.loss, sure.loss), ratio(found.params, sure.params))
    return Row(name, sure, ratios, found.lost)


def ratio(errors: np.ndarray, sure: np.ndarray) -> float:
    """Root mean square error over the predicted one, over all laws and repetitions."""
    return float(np.sqrt(np.mean((errors / sure[:, None]) ** 2)))


def print_scores(title: str, ask: Ask, laws: Plausible, sets: dict[str, Points], repetitions: int) -> None:
    """A line a set of runs."""
    rows = [row(name, ask, laws, points, repetitions) for name, points in sets.items()]
    own, rest = rows[0], rows[1:]
    curve = fractions(ask, laws)
    print(f"### {title}\n")
    print("| runs | ln L, ratio | ln N*, ratio | lower: ln L, ln N* | same with | refits lost |")
    print("|---|---|---|---|---|---|")
    for each in rows:
        cells = (cell(100 * each.sure.loss_se, each.ratios[0], "%"), cell(each.sure.params_se, each.ratios[1], ""))
        print(
            f"| {each.name} | {' | '.join(cells)} | {against(own, each, ask, curve, sets)} | {100 * each.lost:.2g} % |"
        )
    best = min(each.sure.loss_se for each in rest), min(each.sure.params_se for each in rest)
    lower = 100 * (1 - own.sure.loss_se / best[0]), 100 * (1 - own.sure.params_se / best[1])
    print(f"\nAgainst the best template on each: ln L {lower[0]:.0f} % lower, ln N* {lower[1]:.0f} %.\n", flush=True)


def cell(se: float, times: float, unit: str) -> str:
    """A standard error and the ratio of the simulated one to it."""
    return f"{se:.3g}{unit}, {times:.2f}"


def against(own: Row, other: Row, ask: Ask, curve: Sequence[Fraction], sets: dict[str, Points]) -> str:
    """How much lower the design's standard errors are, and the share of compute with which it has the other's."""
    if other is own:
        return "| "
    lower = (100 * (1 - own.sure.loss_se / other.sure.loss_se), 100 * (1 - own.sure.params_se / other.sure.params_se))
    scored = score(ask, other.name, sets[other.name])._replace(
        loss_se=other.sure.loss_se, params_se=other.sure.params_se
    )
    share = share_for(curve, scored, "both")
    return f"{lower[0]:.0f} %, {lower[1]:.0f} % | {'more' if share is None else f'{100 * share:.0f} %'}"


def fractions(ask: Ask, laws: Plausible) -> list[Fraction]:
    """Designs of less compute, by what they tell of these laws."""
    found: list[Fraction] = []
    for share in (*FRACTIONS, 1.0):
        less = ask._replace(flop=ask.flop * share)
        made = choice_for(less, candidates(less.kind, less.reach), GOALS["both"]).points
        sure = certainty(laws, ask.target, made, ask.noise)
        found.append(Fraction(share, sure.loss_se, sure.params_se))
    return found


def print_fits(title: str, ask: Ask, laws: Plausible, sets: dict[str, Points]) -> None:
    """The package's own fits of some of the runs: cold weighted least squares, and the default of ``fit``."""
    print(f"### {title}\n\n{COLD[0]} laws, {COLD[1]} repetitions each: errors of ln L [%] and ln N*\n")
    heads = ("runs", "from the true constants", "cold starts", "E or an exponent at 0", "largest difference of ln N*")
    print(f"| {' | '.join(heads)} | `--no-prior`; default | default: mean error of ln L |")
    print("|---" * 7 + "|")
    for name, points in sets.items():
        runs = simulated(laws, points, ask.noise, TARGET, COLD[1], 3)
        some = Simulated(runs.laws[: COLD[0]], *runs[1:4], runs.log_loss[: COLD[0]])
        warm = refitted(some, TARGET)
        own, bound = cold(some, TARGET, *COLD)
        bare, usual = plain(some, TARGET, *COLD), forecast(some, TARGET, *COLD)
        apart = float(np.max(np.abs(own.params - warm.params)))
        cells = (shown(warm), shown(own), f"{100 * bound:.2g} %", f"{apart:.1g}", f"{shown(bare)}; {shown(usual)}")
        print(f"| {name} | {' | '.join(cells)} | {100 * float(usual.loss.mean()):+.2g} % |", flush=True)
    print()


def shown(errors: Errors) -> str:
    """Root mean squares over everything."""
    loss, params = (float(np.sqrt(np.mean(each**2))) for each in errors)
    return f"{100 * loss:.3g}, {params:.3g}"


if __name__ == "__main__":
    main()
