"""The catalogue of models: filters, order, what is marked, and what a dense law must not be asked."""

from __future__ import annotations

import pytest

from scaleplan import UsageError, compare, list_models, load_model

MODELS = list_models()


def test_the_catalogue_is_whole_and_in_order():
    assert len(MODELS) == 152
    assert [m.announced for m in MODELS] == sorted(m.announced for m in MODELS)
    assert len({model.id for model in MODELS}) == len(MODELS)


def test_parts_of_a_model_are_smaller_than_the_whole():
    for model in MODELS:
        for part in ("params_active", "params_nonembedding"):
            if model.number(part) is not None:
                assert model.number(part) < model.number("params"), model.id


def test_filters_narrow_the_list():
    assert {m.year for m in list_models(year=2022)} == {2022}
    assert {m.organisation for m in list_models(organisation="deepmind")} <= {
        m.organisation for m in MODELS if "deepmind" in m.organisation.lower()
    }
    assert min(m.number("params") for m in list_models(min_params="100B")) >= 1e11
    assert list_models(year=1999) == ()


def test_sorting_by_a_number_puts_the_largest_first_and_the_unknown_last():
    sizes = [m.number("params") for m in list_models(sort="params")]
    known = [size for size in sizes if size is not None]
    assert known == sorted(known, reverse=True)
    assert sizes[: len(known)] == known
    with pytest.raises(UsageError, match="cannot sort by 'size'"):
        list_models(sort="size")


def test_a_filter_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match=r"year must be a whole number \(got soon\)"):
        list_models(year="soon")


def test_what_a_developer_never_disclosed_is_a_rumour():
    assert load_model("gpt-4").values["params"].status == "rumour"
    assert load_model("palm-2").values["tokens"].status == "rumour"


def test_a_mixture_of_experts_is_not_compared_under_a_dense_law():
    with pytest.raises(UsageError, match="mixtral-8x7b is a mixture of experts"):
        compare("mixtral-8x7b")
