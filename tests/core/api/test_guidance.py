"""What an exchange says that a user has to know or decide, with the command that does it; a dry run says the same."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mu2net_cli.main import main
from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import plan_push, push
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Classes
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.remotes.reports import Exchange, ExchangeConflictError, Parcel, TaskReport
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import commit_of

purge_there = partial(purge, remote="origin", settle=lambda: None)


def of(exchange: Exchange, task: str = "a") -> TaskReport:
    return next(report for report in exchange.tasks if report.task == task)


def planned(repo: Repository, context: Context, task: str = "a", on_conflict: str = "best") -> Parcel:
    return next(p for p in plan_push(repo, context, on_conflict=on_conflict).tasks if p.name == task)  # type: ignore[arg-type]


def redefine(repo: Repository, task: str, *, classes: tuple[str, ...] = ("cat", "dog"), train: int = 8) -> None:
    """Makes another definition of a task the one in force."""
    state = repo.refs.head(task)
    assert state is not None
    commit = repo.objects.commit(state.commit)
    old = repo.objects.task(commit.task_id)
    splits = {**old.splits, "train": replace(old.splits["train"], num_examples=train)}
    task_id = repo.objects.put(replace(old, output=Classes(names=classes), splits=splits))
    repo.refs.append(task, repo.objects.put(replace(commit, task_id=task_id, parents=(state.commit,))), after=state)


@pytest.fixture
def torn(ann: Repository, bob: Repository, context: Context) -> Repository:
    """Returns bob's copy, whose tasks a and b are of other classes than on the remote."""
    for task in ("a", "b"):
        redefine(ann, task, classes=("hen", "cow"))
        redefine(bob, task)
    push(ann, context)
    return bob


def test_a_dry_run_tells_a_conflict_as_a_push_does(torn: Repository, context: Context) -> None:
    parcel = planned(torn, context)
    with pytest.raises(ExchangeConflictError) as caught:
        push(torn, context)
    assert parcel.outcome == of(caught.value.done).outcome == "conflict"
    assert parcel.reason == of(caught.value.done).reason
    assert planned(torn, context, on_conflict="ours").outcome == "merge"


def test_a_dry_run_that_conflicts_ends_as_the_push(torn: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(torn.worktree), "push", "--dry-run"]) == 4
    told = capfd.readouterr()
    assert " ! conflict    a: " in told.out
    assert f"hint: Keep one of them: mu2net -C {torn.worktree} push origin a --on-conflict ours, or " in told.err
    assert main(["-C", str(torn.worktree), "push", "--dry-run", "--on-conflict", "ours"]) == 0


def test_heads_that_join_are_a_merge_in_a_dry_run(ann: Repository, bob: Repository, context: Context) -> None:
    evolve_sample(ann, "a", score=0.9)
    evolve_sample(bob, "a", score=0.6, seed=60)
    push(ann, context)
    parcel = planned(bob, context)
    assert (parcel.outcome, parcel.num_components) == ("merge", 1)
    assert planned(bob, context, on_conflict="fail").outcome == "conflict"


def test_a_dry_run_finds_a_bucket_gone_however_shortly_it_was_looked_at(ann: Repository, context: Context) -> None:
    remote.add(ann, context, "bucket", "memory://guidance/gone", check=False)
    push(ann, context, "bucket")
    store = open_store("memory://guidance/gone")
    for key in list(store.list("")):
        store.delete(key)
    with pytest.raises(NotFoundError, match="is gone"):
        plan_push(ann, context, "bucket")


def test_a_dry_run_refuses_a_place_that_a_push_refuses(ann: Repository, context: Context, tmp_path: Path) -> None:
    remote.add(ann, context, "other", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.txt").touch()
    for attempt in (push, plan_push):
        with pytest.raises(InvalidInputError, match="it holds other things"):
            attempt(ann, context, "other")


@pytest.mark.parametrize("verb", [push, pull, merge])
def test_the_command_in_the_hint_of_a_conflict_decides_that_task_alone(
    torn: Repository, context: Context, verb: object
) -> None:
    fetch(torn, context)
    here = replace(context, program=f"mu2net -C {torn.worktree}")
    with pytest.raises(ExchangeConflictError) as caught:
        verb(torn, here)  # type: ignore[operator]
    command = str(caught.value.hint).removeprefix("Keep one of them: ").partition(", or ")[0]
    before, untouched = commit_of(torn, "a"), commit_of(torn, "b")
    assert main(shlex.split(command)[1:]) == 0
    torn = open_repository(torn.worktree)
    assert torn.objects.commit(commit_of(torn, "a")).parents[0] == before
    assert commit_of(torn, "b") == untouched


def test_status_names_the_choice_that_a_conflict_needs(torn: Repository, context: Context) -> None:
    fetch(torn, context)
    commands = [step.command for step in status(torn, context).next]
    assert "mu2net pull origin a --on-conflict theirs" in commands
    assert "mu2net pull origin" not in commands
    pull(torn, context, tasks=["a", "b"], on_conflict="theirs")
    assert status(torn, context).remotes[0].tasks("conflict", "diverged") == ()


def test_a_conflict_is_told_in_full_once(torn: Repository, context: Context) -> None:
    with pytest.raises(ExchangeConflictError) as caught:
        pull(torn, context)
    assert "2 classes each, but other ones (only ours: cat, dog; only theirs: hen, cow)" in caught.value.message
    assert len(str(of(caught.value.done).reason)) < 100


@pytest.mark.parametrize("verb", [push, pull])
def test_definitions_that_differ_are_told_even_if_one_side_has_no_model(
    ann: Repository, bob: Repository, context: Context, verb: object
) -> None:
    add_sample_task(ann, "dup")
    evolve_sample(ann, "dup", score=0.5)
    push(ann, context)
    add_sample_task(bob, "dup")
    redefine(bob, "dup", train=5, classes=("no", "yes"))
    report = of(verb(bob, context), "dup")  # type: ignore[operator]
    assert report.outcome == "merged"
    assert report.reason == "defined differently: 5 and 8 train examples; theirs holds"


def _bring_back(repo: Repository, context: Context, task: str) -> None:
    rm_task(repo, context, task)
    reset(repo, context, task, f"{task}@{{1}}")


def test_a_task_that_others_removed_and_brought_back_says_so(
    ann: Repository, bob: Repository, context: Context
) -> None:
    cat = replace(context, host="cats-laptop")
    rm_task(ann, cat, "a")
    push(ann, cat)
    assert str(of(pull(bob, context)).reason).startswith("removed by cats-laptop")
    reset(ann, cat, "a", "a@{1}")
    push(ann, cat)
    assert str(of(pull(bob, context)).reason).startswith("brought back by cats-laptop")
    _bring_back(ann, cat, "a")
    push(ann, cat)
    told = str(of(pull(bob, context)).reason)
    assert told.startswith("removed by cats-laptop")
    assert "then brought back by cats-laptop" in told


def test_what_was_purged_is_no_new_task_to_a_clone(ann: Repository, context: Context, tmp_path: Path) -> None:
    purge_there(ann, context, "a")
    cloned = clone(str(tmp_path / "shared"), tmp_path / "late", context)
    report = next(report for report in cloned.tasks if report.task == "a")
    assert (report.outcome, report.reason) == ("removed", "it was purged")
    late = open_repository(tmp_path / "late")
    for exchange in (pull, push):
        assert (of(exchange(late, context)).outcome, of(exchange(late, context)).reason) == (  # type: ignore[operator]
            "up-to-date",
            "it was purged",
        )


@pytest.mark.parametrize("fetched", [True, False])
def test_a_push_of_nothing_says_that_the_remote_moved_on(
    ann: Repository, bob: Repository, context: Context, *, fetched: bool
) -> None:
    evolve_sample(ann, "a", score=0.9)
    push(ann, context)
    if fetched:
        fetch(bob, context)
    told = "it moved on there: mu2net pull origin"
    report = of(push(bob, context))
    assert (report.outcome, report.reason) == ("up-to-date", told)
    assert of(push(bob, context), "b").reason is None
    assert planned(bob, context).reason == told


def _missing(repo: Repository, task: str) -> str:
    """Returns a component of a task's model that is not here."""
    commit = repo.objects.commit(commit_of(repo, task))
    refs = repo.objects.model(commit.model or "").components
    return next(ref.id for ref in refs if ref.name == "head")


def test_a_component_on_a_remote_that_is_gone_says_that(bob: Repository, tmp_path: Path) -> None:
    oid = _missing(bob, "a")
    shutil.rmtree(tmp_path / "shared")
    with pytest.raises(NotFoundError, match=r"no repository is at .*shared any more") as caught:
        bob.objects.read("component", oid)
    assert "mounted" in str(caught.value.hint)


def test_a_component_that_was_purged_there_says_that(ann: Repository, bob: Repository, context: Context) -> None:
    oid = _missing(bob, "a")
    purge_there(ann, context, "a")
    with pytest.raises(NotFoundError, match="it was purged from origin with the task a") as caught:
        bob.objects.read("component", oid)
    assert "mu2net rm-task a --purge" in str(caught.value.hint)


def test_a_name_that_is_no_remote_is_told_those_there_are(ann: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError) as far:
        remote.remove(ann, "zz")
    assert far.value.hint == "See `mu2net remote list`."
    with pytest.raises(NotFoundError) as near:
        remote.remove(ann, "orign")
    assert near.value.hint == "Did you mean origin?"


def test_of_several_remotes_one_is_to_be_named_in_a_command(context: Context, tmp_path: Path) -> None:
    repo = sample_repository(tmp_path / "two")
    for name in ("one", "two"):
        remote.add(repo, context, name, str(tmp_path / f"hub-{name}"))
    with pytest.raises(InvalidInputError) as caught:
        push(repo, context)
    assert "mu2net push one" in str(caught.value.hint)
