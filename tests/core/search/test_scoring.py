from __future__ import annotations

import pytest

from mu2net_core.objects import Costs, Scorer
from mu2net_core.scoring import account, accounted_params, score
from mu2net_core.testing.building.systems import sample_member, sample_ref

COSTS = Costs(params=300, accounted_params=200.0, flops=5000)


def test_a_factor_of_one_ignores_costs() -> None:
    assert score(0.8, COSTS, Scorer()) == 0.8


def test_each_scale_of_cost_multiplies_by_the_factor_once() -> None:
    scorer = Scorer(factor=0.9, params_scale=100.0, flops_scale=5000.0)
    assert score(0.8, COSTS, scorer) == pytest.approx(0.8 * 0.9**2 * 0.9)
    cheaper = Costs(params=300, accounted_params=100.0, flops=5000)
    assert score(0.8, cheaper, scorer) > score(0.8, COSTS, scorer)


def test_a_components_size_is_shared_among_the_tasks_that_use_it() -> None:
    shared, own = sample_ref("embedding", num_params=90), sample_ref("head", "a", oid="head-a", num_params=7)
    models = [
        sample_member("a", [shared, own]).model,
        sample_member("b", [shared, sample_ref("head", "b", oid="head-b")]).model,
        sample_member(None, [shared]).model,
    ]
    users = account(models)
    assert users["embedding"] == {"a", "b"}
    assert users["head-a"] == {"a"}
    assert accounted_params([shared, own], users, "a") == 45 + 7
    # A third task that would begin to use it pays a third.
    assert accounted_params([shared], users, "c") == 30


def test_shares_of_all_users_add_up_to_the_size() -> None:
    refs = [sample_ref("embedding", num_params=100), sample_ref("block", num_params=10)]
    models = [sample_member(task, refs).model for task in ("a", "b", "c")]
    users = account(models)
    assert sum(accounted_params(refs, users, task) for task in ("a", "b", "c")) == pytest.approx(110)
    assert account([]) == {}
