"""What tests of several rooms share, and how a run of all of them is laid out."""

from __future__ import annotations

import gc

import pytest

gc.set_threshold(50_000)
"""Our choice: thousands of tests stay in memory until the end, and going through them over and over frees nothing."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Files are handed out in the order below, not the fullest first: the slowest has one test, and would come last."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Of two processes one collects backwards: each compiles half of a clean checkout and finds the rest compiled."""
    report = yield
    number = getattr(collector.config, "workerinput", {}).get("workerid", "gw0").removeprefix("gw")
    if int(number) % 2 and isinstance(collector, pytest.Directory) and report.result:
        report.result.reverse()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The same order in every process: what waits for a cluster first, so that the rest goes on beside it."""
    items.sort(key=lambda item: ("cluster" not in item.path.parts, item.path))


@pytest.fixture(scope="module")
def short_curve():
    """One smaller design of pilot runs tells what is saved, not five, which take most of the time of a design."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scaleplan.pilots.savings.FRACTIONS", (0.35,))
        yield
