"""Plans with their bills: totals by name, bigger clusters, and published runs that the estimate must come near."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scaleplan import allocate, cost


def test_a_plan_on_a_cluster_has_the_totals_of_its_bill():
    plan = allocate(on="1024xh100-sxm", days=60, law="chinchilla")
    bill = plan.costing
    assert (plan.accelerators, plan.days, plan.gpu_hours) == (1024, bill.days, bill.gpu_hours)
    assert (plan.cost_usd, plan.energy_mwh) == (bill.cost_usd, bill.energy_mwh)
    assert plan.days == pytest.approx(60, rel=1e-9)
    assert bill.gpu_hours == pytest.approx(1024 * 24 * 60, rel=1e-9)
    assert bill.cost_usd == pytest.approx(bill.bill.total.cost_usd.value)
    assert bill.co2_t is None
    assert "gpu_hours=" in repr(bill)
    assert len(repr(bill)) < 400
    without = allocate(flops=1e21, law="chinchilla")
    assert (without.accelerators, without.days, without.gpu_hours, without.cost_usd, without.energy_mwh) == (None,) * 5


def test_more_of_a_cluster_never_buys_a_smaller_plan():
    sizes = [96, 128, 513, 1000, 1024, 4096, 4100, 20000, 49152]
    bought = [allocate(on=f"{n}xh100-sxm", days=60, law="chinchilla").train_flop for n in sizes]
    # Batches are whole sequences that so many can share, which moves the utilisation by parts of a per cent.
    assert all(more >= 0.995 * less for less, more in pairwise(bought))


@pytest.mark.parametrize(
    ("model", "hours", "within"),
    [
        # github.com/meta-llama/llama-models, MODEL_CARD.md; LLaMA (arXiv 2302.13971) table 15; Llama 2 model card.
        ("llama31-405b", 30.84e6, 1.25),
        ("llama1-65b", 1_022_362, 1.25),
        ("llama1-33b", 530_432, 1.25),
        ("llama2-70b", 1_720_320, 1.25),
    ],
)
def test_published_hours_of_large_dense_runs_come_out(model, hours, within):
    """As trained, nothing given: what such runs took, within a quarter."""
    assert 1 / within < cost(model).gpu_hours / hours < within
