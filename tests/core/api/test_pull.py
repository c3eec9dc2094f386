from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import ConflictError, NotFoundError
from mu2net_core.objects import Classes
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.remotes.reports import Progress
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import commit_of, outcomes


def score_of(repo: Repository, task: str) -> float | None:
    model_id = repo.objects.commit(commit_of(repo, task)).model
    assert model_id is not None
    return repo.objects.model(model_id).score


def test_reports_every_kind_of_outcome(ann: Repository, bob: Repository, context: Context) -> None:
    assert outcomes(pull(bob, context)) == {"a": "up-to-date", "b": "up-to-date", "c": "up-to-date"}
    add_sample_task(ann, "d")
    evolve_sample(ann, "a", score=0.9)
    evolve_sample(ann, "b", score=0.6, seed=61)
    evolve_sample(bob, "b", score=0.7, seed=71)
    rm_task(ann, context, "c")
    push(ann, context)
    evolve_sample(bob, "a", score=0.6)
    seen: list[Progress] = []
    result = pull(bob, context, progress=seen.append)
    assert outcomes(result) == {"a": "merged", "b": "merged", "c": "removed", "d": "new"}
    assert len(seen) == result.num_objects
    assert (score_of(bob, "a"), score_of(bob, "b")) == (0.9, 0.7)
    assert sorted(load_system(bob).heads) == ["a", "b", "d"]
    assert outcomes(pull(bob, context)) == {"a": "ahead", "b": "ahead", "c": "up-to-date", "d": "up-to-date"}
    assert outcomes(push(bob, context))["b"] == "updated"
    assert outcomes(pull(ann, context)) == {"a": "updated", "b": "updated", "c": "up-to-date", "d": "up-to-date"}
    assert {task: commit_of(ann, task) for task in "abcd"} == {task: commit_of(bob, task) for task in "abcd"}
    assert fsck(ann).problems == fsck(bob).problems == ()


def test_clones_that_pulled_the_same_hold_the_same_manifests(
    ann: Repository, bob: Repository, context: Context
) -> None:
    evolve_sample(ann, "a", score=0.6, seed=61)
    evolve_sample(bob, "a", score=0.7, seed=71)
    for _ in range(2):
        for repo in (ann, bob):
            push(repo, context)
            pull(repo, context)
    for kind in ("model", "task", "commit", "snapshot"):
        theirs = {oid: bob.objects.read(kind, oid) for oid in bob.objects.ids(kind)}  # type: ignore[arg-type]
        assert theirs == {oid: ann.objects.read(kind, oid) for oid in ann.objects.ids(kind)}  # type: ignore[arg-type]


def test_one_task_only(ann: Repository, bob: Repository, context: Context) -> None:
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9)
    push(ann, context)
    assert outcomes(pull(bob, context, tasks=["b"])) == {"b": "updated"}
    assert commit_of(bob, "b") == commit_of(ann, "b")
    assert commit_of(bob, "a") != commit_of(ann, "a")


def test_a_task_by_name_comes_with_its_model_and_nothing_else(
    ann: Repository, bob: Repository, context: Context
) -> None:
    evolve_sample(ann, "b", score=0.9, trains=("embedding", "head"))
    push(ann, context)
    pull(bob, context)
    assert list(bob.objects.ids("component")) == []
    seen: list[Progress] = []
    result = pull(bob, context, tasks=["b"], progress=seen.append)
    model_id = bob.objects.commit(commit_of(bob, "b")).model
    assert model_id is not None
    refs = {ref.id: ref.size_bytes for ref in bob.objects.model(model_id).components}
    assert set(bob.objects.ids("component")) == set(refs)
    assert (result.num_objects, result.size_bytes) == (len(refs), sum(refs.values()))
    assert len(seen) == result.num_objects


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_sides_that_do_not_compare_are_refused_and_one_can_be_kept(
    ann: Repository, bob: Repository, context: Context, side: str
) -> None:
    redefine(ann, "a", ("cat", "dog"))
    redefine(bob, "a", ("hen", "cow"))
    push(ann, context)
    for exchange in (pull, push):
        with pytest.raises(ConflictError, match="define the task a differently") as info:
            exchange(bob, context)
        command = f"mu2net {exchange.__name__} origin a --on-conflict"
        assert info.value.hint == f"Keep one of them: {command} ours, or {command} theirs"
    kept = commit_of(ann if side == "theirs" else bob, "a")
    assert outcomes(pull(bob, context, on_conflict=side))["a"] == "merged"  # type: ignore[arg-type]
    assert bob.objects.commit(commit_of(bob, "a")).task_id == bob.objects.commit(kept).task_id
    assert outcomes(push(bob, context))["a"] == "updated"
    pull(ann, context)
    assert commit_of(ann, "a") == commit_of(bob, "a")
    assert fsck(ann).problems == fsck(bob).problems == ()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_push_keeps_a_side_too(ann: Repository, bob: Repository, context: Context, side: str) -> None:
    redefine(ann, "a", ("cat", "dog"))
    redefine(bob, "a", ("hen", "cow"))
    push(ann, context)
    kept = bob.objects.commit(commit_of(bob, "a")).task_id if side == "ours" else None
    assert outcomes(push(bob, context, on_conflict=side))["a"] == "merged"  # type: ignore[arg-type]
    task_id = bob.objects.commit(commit_of(bob, "a")).task_id
    assert task_id == (kept or ann.objects.commit(commit_of(ann, "a")).task_id)


def redefine(repo: Repository, task: str, classes: tuple[str, ...]) -> None:
    """Makes another task object the one in force."""
    state = repo.refs.head(task)
    assert state is not None
    commit = repo.objects.commit(state.commit)
    task_id = repo.objects.put(replace(repo.objects.task(commit.task_id), output=Classes(names=classes)))
    moved = replace(commit, task_id=task_id, parents=(state.commit,), message=f"classes {classes}")
    repo.refs.append(task, repo.objects.put(moved), after=state)


@pytest.mark.parametrize(("on_conflict", "score"), [("best", 0.9), ("ours", 0.6), ("theirs", 0.9)])
def test_who_wins(ann: Repository, bob: Repository, context: Context, on_conflict: str, score: float) -> None:
    evolve_sample(ann, "a", score=0.9)
    evolve_sample(bob, "a", score=0.6)
    push(ann, context)
    assert outcomes(pull(bob, context, on_conflict=on_conflict))["a"] == "merged"  # type: ignore[arg-type]
    assert score_of(bob, "a") == score
    push(bob, context)
    pull(ann, context)
    assert commit_of(ann, "a") == commit_of(bob, "a")


def test_fail_moves_the_others(ann: Repository, bob: Repository, context: Context) -> None:
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9)
    push(ann, context)
    evolve_sample(bob, "a", score=0.6)
    mine = commit_of(bob, "a")
    with pytest.raises(ConflictError, match="Both sides moved the head of a"):
        pull(bob, context, on_conflict="fail")
    assert commit_of(bob, "a") == mine
    assert commit_of(bob, "b") == commit_of(ann, "b")


def test_an_unknown_task(bob: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="no task z on the remote origin"):
        pull(bob, context, tasks=["z"])


def test_an_unknown_remote(bob: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="no remote upstream; known: origin"):
        pull(bob, context, "upstream")
