"""What a head lost, and how the sides of a conflict differ, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import ConflictError
from mu2net_core.objects import AccessRule, Classes, Task
from mu2net_core.repo import Repository
from mu2net_core.repo.core.tombstones import redacted_task
from mu2net_core.repo.history.wording import differences
from mu2net_core.repo.remotes.reports import Exchange, ExchangeConflictError
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository, sample_task
from mu2net_core.testing.worlds.sharing import commit_of, model_of, outcomes

Pair = tuple[Repository, Repository]


@pytest.fixture
def pair(repo: Repository, context: Context, tmp_path: Path) -> Pair:
    """Returns two working copies of one remote, with a task ``a`` whose model both have."""
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5)
    other = sample_repository(tmp_path / "other")
    for each in (repo, other):
        remote.add(each, context, "origin", str(tmp_path / "hub"))
    push(repo, context)
    pull(other, context)
    return repo, other


def reason(exchange: Exchange) -> str:
    return str(exchange.tasks[0].reason)


def test_a_reset_by_others_says_whose_what_it_left_behind_and_the_way_back(pair: Pair, context: Context) -> None:
    mine, other = pair
    before, model = commit_of(mine, "a"), model_of(mine, "a")
    there = replace(context, host="cats-laptop")
    target = reset(other, there, "a", "@{1}").target
    push(other, there)
    told = reason(pull(mine, context))
    assert f"reset to {target[:10]} by cats-laptop" in told
    assert f"your model {model[:10]}" in told
    assert "%" in told
    assert told.endswith(f"back with: mu2net reset a {before[:10]}")
    assert reset(mine, context, "a", before[:10]).model == model


def test_a_reset_that_meets_work_of_ours_says_so_too(pair: Pair, context: Context) -> None:
    mine, other = pair
    evolve_sample(mine, "a", score=0.9, seed=5)
    model = model_of(mine, "a")
    reset(other, context, "a", "@{1}")
    push(other, context)
    told = reason(pull(mine, context))
    assert "reset to " in told
    assert f"your model {model[:10]}" in told


def test_a_removal_by_others_says_whose_and_the_way_back(pair: Pair, context: Context) -> None:
    mine, other = pair
    before = commit_of(mine, "a")
    there = replace(context, host="cats-laptop")
    rm_task(other, there, "a")
    push(other, there)
    told = reason(pull(mine, context))
    assert told.startswith("removed by cats-laptop")
    assert told.endswith(f"back with: mu2net reset a {before[:10]}")


@pytest.mark.parametrize("verb", [pull, push])
def test_a_better_model_of_others_says_what_it_replaced(
    pair: Pair, context: Context, verb: Callable[..., Exchange]
) -> None:
    mine, other = pair
    evolve_sample(mine, "a", score=0.6, seed=5)
    evolve_sample(other, "a", score=0.9, seed=6)
    before, model = commit_of(mine, "a"), model_of(mine, "a")
    push(other, context)
    exchange = verb(mine, context)
    assert outcomes(exchange) == {"a": "merged"}
    assert f"is kept over your model {model[:10]}" in reason(exchange)
    assert reason(exchange).endswith(f"back with: mu2net reset a {before[:10]}")


def test_where_nothing_of_ours_is_lost_nothing_is_said(pair: Pair, context: Context) -> None:
    mine, other = pair
    evolve_sample(other, "a", score=0.9, seed=6)
    push(other, context)
    assert pull(mine, context).tasks[0].reason is None
    evolve_sample(mine, "a", score=0.99, seed=7)
    evolve_sample(other, "a", score=0.95, seed=8)
    push(other, context)
    assert pull(mine, context).tasks[0].reason is None


def test_a_conflict_names_the_sides_and_what_differs_after_all_else_was_sent(pair: Pair, context: Context) -> None:
    mine, other = pair
    _redefine(mine, "b", ("cat", "dog"))
    _redefine(other, "b", ("cat", "dog", "eel"))
    push(mine, context)
    add_sample_task(other, "c")
    for verb, sent in ((push, "new"), (pull, "up-to-date")):
        with pytest.raises(ExchangeConflictError) as caught:
            verb(other, context)
        assert isinstance(caught.value, ConflictError)
        assert "Ours and theirs have 3 and 2 classes (only ours: eel)" in caught.value.message
        assert f"Ours is {commit_of(other, 'b')[:10]}, by " in caught.value.message
        assert f"theirs is {commit_of(mine, 'b')[:10]}, by " in caught.value.message
        found = outcomes(caught.value.done)
        assert found["b"] == "conflict"
        assert found.get("c", sent) == sent
    assert "c" in push_seen(mine, context)


def push_seen(repo: Repository, context: Context) -> set[str]:
    """Returns the tasks that a pull brings."""
    return set(outcomes(pull(repo, context)))


def _redefine(repo: Repository, name: str, classes: tuple[str, ...]) -> None:
    state = add_sample_task(repo, name)
    commit = repo.objects.commit(state.commit)
    task_id = repo.objects.put(replace(repo.objects.task(commit.task_id), output=Classes(names=classes)))
    changed = replace(commit, task_id=task_id, parents=(state.commit,))
    repo.refs.append(name, repo.objects.put(changed), after=state)


TASK = sample_task("a")


def _split(**changes: object) -> Task:
    return replace(TASK, splits={**TASK.splits, "validation": replace(TASK.splits["validation"], **changes)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (_split(num_examples=7), "and 7 validation examples"),
        (_split(fingerprint="0" * 64), "validation examples each, but other ones"),
        (replace(TASK, output=Classes(names=tuple(reversed(TASK.output.labels)))), "the same classes in another order"),
        (replace(TASK, output=Classes(names=(*TASK.output.labels, "eel"))), "only theirs: eel"),
        (replace(TASK, source="folder:/elsewhere"), "and folder:/elsewhere"),
        (replace(TASK, access=AccessRule.only(["team-a"])), "as readers everybody and team-a"),
    ],
)
def test_each_difference_has_words_of_its_own(theirs: Task, words: str) -> None:
    [told] = list(differences(TASK, theirs))
    assert words in told
    assert list(differences(theirs, theirs)) == []


def test_a_purged_definition_differs_in_nothing_but_its_readers() -> None:
    assert list(differences(redacted_task("t", TASK.access), TASK)) == []
    (told,) = differences(TASK, redacted_task("t", AccessRule.only(["team-a"])))
    assert told == "as readers everybody and team-a"
