from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.api.publish import is_published, move_head
from mu2net_core.engine.iteration import IterationState
from mu2net_core.errors import ConflictError
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.merge import ancestry
from mu2net_core.repo.refs import Refs
from mu2net_core.search import Population
from mu2net_core.testing.samples import add_sample_task, evolve_sample


@pytest.fixture
def base(repo: Repository) -> HeadState:
    """Returns a head with one model."""
    add_sample_task(repo, "a")
    return evolve_sample(repo, "a", score=0.5)


def next_commit(repo: Repository, base: HeadState, **changed: object) -> str:
    """Stores a commit that follows ``base`` and moves no head."""
    before = repo.objects.commit(base.commit)
    following = replace(before, parents=(base.commit,), iteration=before.iteration + 1, message="mine")
    return repo.objects.put(replace(following, **changed))


def test_a_head_that_did_not_move_moves_to_the_commit_itself(repo: Repository, base: HeadState) -> None:
    mine = next_commit(repo, base)
    assert move_head(repo, "a", mine) == mine
    assert repo.refs.head("a").number == base.number + 1


def test_moving_to_a_commit_again_joins_nothing(repo: Repository, base: HeadState) -> None:
    mine = next_commit(repo, base)
    move_head(repo, "a", mine)
    assert move_head(repo, "a", mine) == mine


@pytest.mark.parametrize("times", [1, 3])
def test_who_comes_between_reading_and_writing_is_joined(
    repo: Repository, base: HeadState, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    mine, others = next_commit(repo, base), []
    real = Refs.append

    def overtaken(self, task, commit_id, *, after):
        if len(others) < times:
            others.append(commit_id)  # so that the samples below get through
            monkeypatch.setattr(Refs, "append", real)
            others[-1] = evolve_sample(repo, "a", score=0.5 + len(others) / 10).commit
            monkeypatch.setattr(Refs, "append", overtaken)
        return real(self, task, commit_id, after=after)

    monkeypatch.setattr(Refs, "append", overtaken)
    head = move_head(repo, "a", mine)
    assert repo.refs.head("a").commit == head
    assert {mine, base.commit, *others} <= set(ancestry(repo.objects, [head]))
    assert repo.objects.commit(head).model == repo.objects.commit(others[-1]).model


def test_a_task_that_was_defined_anew_meanwhile_is_a_conflict(repo: Repository, base: HeadState) -> None:
    mine = next_commit(repo, base)
    task = repo.objects.task(repo.objects.commit(base.commit).task_id)
    other = repo.objects.put(replace(task, classes=("x", "y")))
    theirs = next_commit(repo, base, task_id=other, message="theirs")
    repo.refs.append("a", theirs, after=base)
    with pytest.raises(ConflictError, match="define the task a differently"):
        move_head(repo, "a", mine)
    assert repo.refs.head("a").commit == theirs


def state_of(repo: Repository, base: HeadState, started_at: str) -> IterationState:
    commit = repo.objects.commit(base.commit)
    return IterationState(
        task="a",
        task_id=commit.task_id,
        base=base.commit,
        snapshot="snapshot",
        iteration=2,
        seed=1,
        generations=1,
        children=1,
        population=Population(task="a"),
        started_at=started_at,
    )


def test_an_iteration_is_published_once_its_commit_is_in_the_heads_history(repo: Repository, base: HeadState) -> None:
    state = state_of(repo, base, "2026-02-01T00:00:00.000000+00:00")
    assert not is_published(repo, state)
    mine = next_commit(repo, base, started_at=state.started_at)
    assert not is_published(repo, state)
    move_head(repo, "a", mine)
    assert is_published(repo, state)
    evolve_sample(repo, "a", score=0.9)
    assert is_published(repo, state)


def test_what_another_working_copy_or_another_time_published_is_not_it(repo: Repository, base: HeadState) -> None:
    state = state_of(repo, base, "2026-02-01T00:00:00.000000+00:00")
    agent = repo.objects.commit(base.commit).agent
    theirs = next_commit(repo, base, started_at=state.started_at, agent=replace(agent, id="f" * 32))
    move_head(repo, "a", theirs)
    evolve_sample(repo, "a", score=0.9)
    assert not is_published(repo, state)
