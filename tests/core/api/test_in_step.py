"""Tasks that go in step: none begins an iteration before all have finished the one before, whoever does them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.evolving.in_step import InStep
from mu2net_core.api.evolving.turns import Turn
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import InvalidInputError
from mu2net_core.events import AgentWaiting, Event
from mu2net_core.objects import Agent
from mu2net_core.repo import Repository
from mu2net_core.repo.history import head_at, merge
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def tasks(repo: Repository) -> Repository:
    """Returns a repository with three tasks that were never improved."""
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
    return repo


def in_step(repo: Repository, context: Any, slot: int = 0, last: int = 2, remote: str | None = None) -> InStep:
    agent = Agent(id=repo.agent_id, host="here", device="none", slot=slot)
    claims = Claims(repo=repo, context=context, agent=agent, method_of=lambda _task: "random", remote=remote)
    return InStep(claims=claims, tasks=("a", "b", "c"), last=last, slot=slot)


def done(repo: Repository, turn: Turn | None, score: float = 0.5) -> str:
    """Does an iteration; returns its task."""
    assert turn is not None
    with turn.claim():
        evolve_sample(repo, turn.task, score=score)
    return turn.task


def test_the_first_entry_with_so_many_iterations_is_the_one_that_all_begin_from(repo: Repository) -> None:
    first = add_sample_task(repo, "a")
    states = [first, *(evolve_sample(repo, "a", score=score) for score in (0.25, 0.5))]
    commit = repo.objects.commit(states[2].commit)
    other = repo.objects.put(replace(commit, finished_at=commit.started_at))
    merged, both = merge(repo.objects, [states[2].commit, other])
    repo.objects.put(both)
    repo.refs.append("a", merged, after=states[2])
    assert [head_at(repo.refs, repo.objects, "a", n) for n in range(4)] == [*states, None]
    assert head_at(repo.refs, repo.objects, "b", 0) is None


def test_all_finish_an_iteration_before_one_begins_the_next(tasks: Repository, context) -> None:
    one, other = in_step(tasks, context), in_step(tasks, context, slot=1)
    turns = [one.next(), other.next(), other.next()]
    assert all(turn is not None for turn in turns)
    assert sorted(turn.task for turn in turns if turn) == ["a", "b", "c"]
    assert [done(tasks, turn) for turn in turns[:2]] == ["a", "b"]
    assert one.next() is None, "c is under way"
    assert not one.is_over()
    done(tasks, turns[2])
    second = one.next()
    assert second is not None
    assert second.begins == {name: state.commit for name, state in tasks.refs.heads().items()}
    before = second.begins
    done(tasks, second)
    third = other.next()
    assert third is not None
    assert third.begins == before, "the other one's second iteration is not seen in this one's"
    done(tasks, third)
    assert not one.is_over()
    done(tasks, one.next())
    assert (one.next(), one.is_over(), one.left()) == (None, True, ())


def test_a_task_that_cannot_be_improved_blocks_no_iteration_of_others_and_ends_here_with_them(
    tasks: Repository, context
) -> None:
    own = in_step(tasks, context)
    turn = own.next()
    assert turn is not None
    turn.claim().__exit__(None, None, None)
    own.drop("a")
    assert [done(tasks, own.next()) for _ in range(2)] == ["b", "c"]
    assert (own.next(), own.is_over(), own.left()) == (None, True, ("a", "b", "c"))


def test_an_iteration_in_which_all_children_diverged_counts(tasks: Repository, context) -> None:
    own = in_step(tasks, context)
    turn = own.next()
    assert turn is not None
    head = tasks.refs.head("a")
    with turn.claim():
        commit = replace(tasks.objects.commit(head.commit), parents=(head.commit,), iteration=1, identity=None)
        tasks.refs.append("a", tasks.objects.put(commit), after=head)
    own.drop("a")
    assert [done(tasks, own.next()) for _ in range(2)] == ["b", "c"]
    assert done(tasks, own.next()) == "a"


def test_where_all_push_the_log_of_the_remote_counts_and_what_is_not_here_yet_is_waited_for(ann, bob, context) -> None:
    one, other = (in_step(copy, context, remote="origin", last=2) for copy in (ann, bob))
    turn = one.next()
    assert turn is not None
    done(ann, turn, 0.75)
    evolve_sample(bob, "a", score=0.6)  # who did not see that it is done
    push(ann, context)
    assert other.next() is None, "what the log of the remote holds is not here yet"
    pull(bob, context)
    following = other.next()
    assert following is not None
    assert (following.task, following.begins) == ("b", turn.begins)


def test_who_takes_over_makes_the_same_models_whatever_else_happened_meanwhile(planted) -> None:
    models = []
    for slot in (0, 3):
        repo = planted.open()
        if slot:
            add_sample_task(repo, "other")
        events: list[Event] = []
        (iteration,) = planted.evolve(
            repo, slot=slot, barrier=True, generations=1, children=1, on_event=events.append
        ).iterations
        commit = repo.objects.commit(iteration.commit)
        assert (commit.agent.slot, commit.iteration) == (0, 1)
        assert not [event for event in events if isinstance(event, AgentWaiting)]
        models.append((iteration.seed, iteration.model, commit.snapshot))
        repo.refs.store.delete("refs/heads/digits/00000002")
    assert models[0] == models[1]


@pytest.mark.parametrize("with_it", [{"watch": True}, {"until": 0.5}])
def test_what_has_no_end_does_not_go_in_step(with_it: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="in step"):
        EvolveOptions(barrier=True, **with_it)


def test_a_task_that_is_gone_keeps_nobody_waiting(tasks: Repository, context) -> None:
    own = in_step(tasks, context, last=1)
    own.tasks = ("gone", "a")
    turn = own.next()
    assert turn is not None
    assert turn.begins == {"a": tasks.refs.heads()["a"].commit}
    assert done(tasks, turn) == "a"
    assert (own.next(), own.is_over()) == (None, True)
