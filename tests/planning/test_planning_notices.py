import numpy as np
import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.errors import Notice
from scaleplan.planning.allocation import allocate
from scaleplan.planning.cross_check import allocate_all
from scaleplan.planning.notices import conversion, extrapolation, joined, law_notices, measure_notice, with_notice
from scaleplan.planning.optimum import point_at
from scaleplan.planning.problem import Problem
from scaleplan.specs.laws import load_law

CHINCHILLA = load_law("chinchilla")  # fitted on N 5.7e7 to 1.62e10, D 2.45e8 to 3.18e11, C 1.4e18 to 1.3e22
A1 = load_law("hoffmann-2022-a1")
KM = load_law("km")
TOTAL = Accounting()


def at(params, tokens, law=CHINCHILLA):
    return point_at(law, TOTAL, TOTAL.size(params, ParamCount.TOTAL), tokens, "given")


def test_inside_the_fitted_runs_nothing_is_said():
    assert extrapolation(CHINCHILLA, at(1e9, 2e10)) == []


@pytest.mark.parametrize(
    ("params", "tokens", "parts"),
    [
        (
            7e10,
            1.4e12,
            ["5.88e23 FLOP is 45.2 times the", "(1.3e22)", "70B parameters is 4.32 times the", "1.4T tokens"],
        ),
        (1e7, 2e8, ["1.2e16 FLOP is 117 times below the", "(1.4e18)", "10M parameters is 5.7 times below the"]),
        (1e9, 8e11, ["800B tokens is 2.52 times the", "(318B)", "800 tokens per parameter is 2.35 times the"]),
        (1e10, 3e9, ["0.3 tokens per parameter is 1.52 times below the", "(0.456)"]),
    ],
)
def test_how_far_beyond_the_fitted_runs_is_said_in_times(params, tokens, parts):
    (notice,) = extrapolation(CHINCHILLA, at(params, tokens))
    assert notice.code == "extrapolation"
    assert "besiroglu-2024" in notice.message
    for part in parts:
        assert part in notice.message


def test_arrays_are_judged_by_their_extremes():
    (notice,) = extrapolation(CHINCHILLA, at(np.array([1e7, 1e9, 7e10]), np.array([2e8, 2e10, 1.4e12])))
    assert "5.88e23 FLOP is 45.2 times the" in notice.message
    assert "1.2e16 FLOP is 117 times below the" in notice.message


def test_a_size_is_judged_as_the_law_counts_it():
    point = at(7e10, 1.4e12, KM)
    (notice,) = extrapolation(KM, point)
    assert "69.8B parameters" in notice.message


@pytest.mark.parametrize(
    ("law", "convention", "noted"),
    [
        (CHINCHILLA, FlopConvention.SIX_ND, False),
        (KM, FlopConvention.SIX_ND_NONEMBEDDING, False),
        (KM, FlopConvention.SIX_ND, True),
        (CHINCHILLA, FlopConvention.SIX_ND_NONEMBEDDING, True),
    ],
)
def test_a_conversion_names_the_shape_it_assumes(law, convention, noted):
    notices = conversion(law, Accounting(flop=convention))
    assert len(notices) == noted
    if noted:
        assert notices[0].code == "converted"
        for words in (law.id, "32,000", "39.2"):
            assert words in notices[0].message


@pytest.mark.parametrize(
    ("law", "codes"),
    [
        (CHINCHILLA, []),
        (A1, ["no_loss", "no_interval"]),
        (KM, ["converted", "loss_form", "no_interval"]),
        (load_law("hoffmann-2022-a3"), ["no_interval"]),
    ],
)
def test_what_a_law_lacks_is_said(law, codes):
    plan = allocate(law, Problem(train_flop=3e20))
    assert [notice.code for notice in plan.warnings if notice.code != "extrapolation"] == codes
    # A given run has its loss from the surface, whatever the law publishes beside it.
    given = [notice.code for notice in law_notices(law, at(1e9, 2e10, law), TOTAL) if notice.code != "extrapolation"]
    assert given == [code for code in codes if code != "loss_form"]


def test_a_loss_off_the_surface_says_what_the_surface_gives():
    plan = allocate(KM, Problem(train_flop=3e20))
    (text,) = [notice.message for notice in plan.warnings if notice.code == "loss_form"]
    N, D = plan.params_nonembedding, plan.tokens
    surface = ((6.4e13 / N) ** (0.076 / 0.103) + 1.8e13 / D) ** 0.103
    assert f"{surface:.4f}" in text
    assert abs(surface / plan.loss - 1) > 1e-3


def test_losses_of_one_text_compare_and_those_of_two_are_noted():
    assert measure_notice([CHINCHILLA, load_law("hoffmann-2022-a3")]) == []
    assert measure_notice([CHINCHILLA, A1]) == []
    (notice,) = measure_notice([CHINCHILLA, KM, load_law("hoffmann-2022-a3")])
    assert notice.code == "loss_measure"
    assert "besiroglu-2024, hoffmann-2022-a3 on MassiveText with SentencePiece 32k" in notice.message
    assert "kaplan-2020 on WebText2 with BPE 50257" in notice.message


def test_notices_of_several_laws_are_joined_one_a_code_with_the_others_named():
    laws = [CHINCHILLA, A1, load_law("hoffmann-2022-a2")]
    plans = [allocate(law, Problem(train_flop=1e24)) for law in laws]
    notices = joined([(plan.law, plan.warnings) for plan in plans])
    assert len({notice.code for notice in notices}) == len(notices)
    texts = {notice.code: notice.message for notice in notices}
    assert texts["extrapolation"].startswith(plans[0].warnings[0].message)
    assert texts["extrapolation"].endswith("Likewise hoffmann-2022-a1, hoffmann-2022-a2.")
    for code in ("no_interval", "no_loss"):
        assert texts[code].startswith("hoffmann-2022-a1, hoffmann-2022-a2: ")
        assert "besiroglu-2024" not in texts[code]
        assert texts[code].count("hoffmann") == 2
    assert allocate_all(laws, Problem(train_flop=1e24)).warnings == notices


def test_one_plan_keeps_its_notices_as_they_are():
    plan = allocate(CHINCHILLA, Problem(train_flop=1e24))
    assert joined([(plan.law, plan.warnings)]) == plan.warnings


def test_a_notice_is_added_behind_the_others_and_nothing_changes_without_one():
    plan = allocate(CHINCHILLA, Problem(train_flop=1e24))
    more = with_notice(plan, (Notice("extra", "more"),))
    assert more.warnings == (*plan.warnings, Notice("extra", "more"))
    assert more.params == plan.params
    assert with_notice(plan, ()) is plan
