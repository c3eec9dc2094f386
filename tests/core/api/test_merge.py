from __future__ import annotations

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import ConflictError, InvalidInputError, NotFoundError
from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def diverged(ann: Repository, bob: Repository, context: Context) -> Repository:
    """Returns bob's copy, with ann's better work on the same task fetched."""
    evolve_sample(ann, "a", score=0.9)
    push(ann, context)
    evolve_sample(bob, "a", score=0.6)
    fetch(bob, context)
    return bob


@pytest.mark.parametrize(("on_conflict", "score"), [("best", 0.9), ("ours", 0.6), ("theirs", 0.9)])
def test_joins_what_was_fetched(diverged: Repository, context: Context, on_conflict: str, score: float) -> None:
    (report,) = merge(diverged, context, tasks=["a"], on_conflict=on_conflict).tasks  # type: ignore[arg-type]
    assert (report.task, report.outcome) == ("a", "merged")
    commit = diverged.objects.commit(report.commit or "")
    assert commit.model is not None
    assert diverged.objects.model(commit.model).score == score
    signed = commit.agent is not None and commit.agent.id == diverged.agent_id
    assert signed == (on_conflict != "best")
    assert commit.finished_at == (context.timestamp() if signed else "2026-01-01T00:03:00.000000+00:00")


def test_fail_says_what_to_do(diverged: Repository, context: Context) -> None:
    with pytest.raises(ConflictError, match="Both sides moved the head of a") as info:
        merge(diverged, context, on_conflict="fail")
    again = "mu2net pull origin a"
    assert info.value.hint == f"Keep the better score: {again}; or one side: {again} --on-conflict ours (or theirs)"


def test_what_was_never_fetched(ann: Repository, bob: Repository, context: Context) -> None:
    add_sample_task(ann, "d")
    push(ann, context)
    with pytest.raises(NotFoundError, match="no task d fetched from origin"):
        merge(bob, context, tasks=["d"])


def test_an_unknown_policy(bob: Repository, context: Context) -> None:
    with pytest.raises(InvalidInputError, match="got 'worst'"):
        merge(bob, context, on_conflict="worst")  # type: ignore[arg-type]
