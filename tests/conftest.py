"""What tests of several rooms share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def short_curve():
    """One smaller design of pilot runs tells what is saved, not five, which take most of the time of a design."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scaleplan.pilots.savings.FRACTIONS", (0.35,))
        yield
