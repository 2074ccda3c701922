"""Training in few bits: what a law of precision makes of it, and what is said where a law knows nothing of it."""

from __future__ import annotations

import pytest

from scaleplan.errors import UsageError
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.precision import BITS, law_at_precision
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.accelerators import FLOATS
from scaleplan.specs.laws import load_law

KUMAR = load_law("kumar-precision-2024")


def test_every_precision_that_training_can_use_is_known():
    assert set(BITS) == set(FLOATS)


@pytest.mark.parametrize(("precision", "bits"), [("fp8", 8), ("fp4", 4), ("bf16", 16), ("fp32", 16)])
def test_a_law_of_precision_takes_the_bits_of_weights_and_activations(precision, bits):
    law, said = law_at_precision(KUMAR, precision)
    assert said == ()
    assert law.held == {"weights": bits, "activations": bits, "kv": 16}
    assert law.surface.loss(1e9, 1e11) == pytest.approx(KUMAR.family.loss(1e9, 1e11, bits, bits, 16), rel=1e-12)


def test_fewer_bits_cost_loss_at_the_same_flops():
    losses = [
        solve(Task(law_at_precision(KUMAR, precision)[0], (Ceiling("flops", 1e20),))).loss
        for precision in ("bf16", "fp8", "fp4")
    ]
    assert losses == sorted(losses)
    assert losses[0] < losses[2]


def test_a_law_without_bits_stays_as_it_is_and_says_so():
    law = load_law("besiroglu-2024")
    same, (notice,) = law_at_precision(law, "fp8")
    assert same is law
    assert notice.code == "precision"
    assert notice.message.startswith("besiroglu-2024 says nothing of fp8: the loss is taken as")
    assert law_at_precision(law, "bf16") == (law, ())


def test_an_unknown_precision_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"unknown precision 'fp9'\. Did you mean"):
        law_at_precision(KUMAR, "fp9")
