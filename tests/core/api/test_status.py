from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.running import folder_of
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.looking.status import status
from mu2net_core.api.looking.unfinished import Unfinished
from mu2net_core.api.models.add_root import add_root
from mu2net_core.api.sharing import pull, push, remote, tag
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.objects import PUBLIC, AccessRule, to_json
from mu2net_core.repo import Repository, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def test_an_empty_repository(repo: Repository, context: Context) -> None:
    report = status(repo, context)
    assert (report.preset, report.tasks, report.remotes, report.unfinished) == ("vit-ti0", (), (), ())
    assert report.num_components == 3
    assert report.worktree == str(repo.worktree)


def test_tasks_with_and_without_a_model(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a", AccessRule.only(["a"]))
    add_sample_task(repo, "b")
    state = evolve_sample(repo, "a", score=0.25)
    first, second = status(repo, context).tasks
    assert (first.task, first.iteration, first.commit) == ("a", 1, state.commit)
    assert (first.validation, first.test) == (0.25, 0.25)
    assert first.access == AccessRule.only(["a"])
    assert (second.task, second.iteration, second.model, second.validation) == ("b", 0, None, None)
    assert status(repo, context).num_components == 4


@pytest.mark.parametrize(("score", "at_chance"), [(0.25, True), (0.75, True), (0.875, False)])
def test_a_task_whose_model_may_as_well_guess_is_told_so(
    repo: Repository, context: Context, score: float, *, at_chance: bool
) -> None:
    add_sample_task(repo, "a")
    assert not status(repo, context).tasks[0].at_chance
    evolve_sample(repo, "a", score=score)  # of two classes, on eight examples
    assert status(repo, context).tasks[0].at_chance == at_chance


def test_however_many_tasks_there_are_the_folder_of_iterations_is_listed_twice(
    repo: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        add_sample_task(repo, f"task-{number}")
    looked, look = Counter[Path](), Path.glob

    def counting(folder: Path, pattern: str) -> Iterator[Path]:
        looked[folder] += 1
        return look(folder, pattern)

    monkeypatch.setattr(Path, "glob", counting)
    assert len(status(repo, context).tasks) == 5
    assert looked[repo.state / "iterations"] == 2


def test_removed_tasks_are_left_out(repo: Repository, context: Context) -> None:
    head = add_sample_task(repo, "a")
    removal = replace(repo.objects.commit(head.commit), parents=(head.commit,), removed=True)
    repo.refs.append("a", repo.objects.put(removal), after=head)
    assert status(repo, context).tasks == ()


def test_how_heads_compare_with_a_remote(repo: Repository, context: Context, tmp_path: Path) -> None:
    for task in ("same", "ahead", "behind", "diverged"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.1)
    remote.add(repo, context, "origin", str(tmp_path / "hub"))
    assert status(repo, context).remotes[0].seen is False
    push.push(repo, context)
    clone(str(tmp_path / "hub"), tmp_path / "other", context)
    other = open_repository(tmp_path / "other")
    for task in ("behind", "diverged"):
        evolve_sample(other, task, score=0.3, seed=77)
    add_sample_task(other, "theirs")
    push.push(other, context)
    fetch(repo, context)
    for task in ("ahead", "diverged"):
        evolve_sample(repo, task, score=0.2)
    add_sample_task(repo, "mine")
    (found,) = status(repo, context).remotes
    assert found.seen is True
    assert found.relations == {
        "same": "same",
        "ahead": "ahead",
        "behind": "behind",
        "diverged": "diverged",
        "mine": "only-here",
        "theirs": "only-there",
    }
    assert found.tasks("ahead", "only-here") == ("ahead", "mine")
    pull.pull(repo, context)
    push.push(repo, context)
    assert set(status(repo, context).remotes[0].relations.values()) == {"same"}


def state_of(repo: Repository, task: str, base: str | None = None) -> str:
    """Returns the part of an iteration's state that is shown, with more in it."""
    head = repo.refs.head(task)
    assert head is not None
    state = {
        "task": task,
        "task_id": repo.objects.commit(head.commit).task_id,
        "base": base or head.commit,
        "iteration": 1,
        "seed": 7,
        "generation": 2,
        "generations": 4,
        "started_at": "2026-01-01T00:00:00.000000+00:00",
        "more": 1,
    }
    return json.dumps(state)


def test_interrupted_iterations_are_listed(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a/b")
    add_sample_task(repo, "b")
    folder = folder_of(repo, "a/b")
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(state_of(repo, "a/b"))
    damaged = folder_of(repo, "c")
    damaged.mkdir()
    (damaged / "state.json").write_text("{")
    (folder_of(repo, "b")).mkdir()
    (folder_of(repo, "b") / "state.json").write_text("{")
    unfinished, unreadable = status(repo, replace(context, program="mu2net -C 'my folder'")).unfinished
    assert (unreadable.task, unreadable.stuck, unreadable.generation) == ("b", "its state is damaged", None)
    assert unreadable.command == "mu2net -C 'my folder' evolve --task b --restart"
    assert unfinished == Unfinished(
        task="a/b",
        iteration=1,
        generation=2,
        generations=4,
        seed=7,
        stuck=None,
        command="mu2net -C 'my folder' evolve --task a/b",
    )


def test_an_iteration_that_died_while_cleaning_up_is_nothing_to_go_on_with(repo: Repository, context: Context) -> None:
    head = add_sample_task(repo, "a")
    done = evolve_sample(repo, "a", score=0.5)
    folder = folder_of(repo, "a")
    folder.mkdir(parents=True)
    started_at = repo.objects.commit(done.commit).started_at
    state = {**json.loads(state_of(repo, "a", base=head.commit)), "started_at": started_at}
    (folder / "state.json").write_text(json.dumps(state))
    assert status(repo, context).unfinished == ()


def test_an_interrupted_iteration_that_cannot_go_on_says_so_and_how_to_drop_it(
    repo: Repository, context: Context
) -> None:
    add_sample_task(repo, "a")
    head = repo.refs.head("a")
    assert head is not None
    evolve_sample(repo, "a", score=0.5)
    reset(repo, context, "a", "@{1}")
    folder = folder_of(repo, "a")
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(state_of(repo, "a", base=head.commit))
    (unfinished,) = status(repo, context).unfinished
    assert unfinished.stuck == "the task was reset since"
    assert unfinished.command == "mu2net evolve --task a --restart"


def test_what_an_agent_of_a_pool_left_goes_on_with_a_pool_that_has_its_slot(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    for slot, state in ((0, state_of(repo, "a")), (2, state_of(repo, "a")), (10, "{")):
        folder = folder_of(repo, "a", slot)
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(state)
    assert [one.command for one in status(repo, context).unfinished] == [
        "mu2net evolve --task a",
        "mu2net evolve --task a --agents 3",
        "mu2net evolve --task a --agents 11 --restart",
    ]


def test_it_can_be_printed_as_json(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    assert to_json(status(repo, context))["tasks"][0]["task"] == "a"


def test_an_unfinished_iteration_of_a_removed_task_is_nothing_to_go_on_with(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    folder = folder_of(repo, "a")
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(state_of(repo, "a"))
    assert [state.task for state in status(repo, context).unfinished] == ["a"]
    rm_task(repo, context, "a")
    assert status(repo, context).unfinished == ()


@pytest.fixture(params=[(), ("team",)], ids=["for everybody", "for a team"])
def hub(request: pytest.FixtureRequest, repo: Repository, context: Context) -> Repository:
    """Returns a working copy with a remote that has seen nothing yet."""
    remote.add(repo, context, "origin", "hub", readers=request.param)
    return repo


def check_pending(repo: Repository, context: Context) -> None:
    """Checks that status tells to push what a push would move, asked just now."""
    plan = push.plan_push(repo, context)
    (found,) = status(repo, context).remotes
    moved = {"new", "updated", "removed", "merge"}
    assert found.to_push.tasks == tuple(sorted(one.name for one in plan.tasks if one.outcome in moved))
    assert found.to_push.tags == tuple(sorted(one.name for one in plan.tags if one.outcome in moved))
    assert found.to_push.roots == tuple(sorted(one.name for one in plan.roots if one.outcome in moved))
    told = [step.command for step in status(repo, context).next]
    assert ("mu2net push origin" in told) == bool(found.to_push)


def test_what_is_to_be_pushed_is_what_a_push_would_send(hub: Repository, context: Context) -> None:
    rules = {"all": PUBLIC, "own": AccessRule.only(["own"]), "ours": AccessRule.only(["team"])}
    for task, rule in rules.items():
        add_sample_task(hub, task, rule)
    check_pending(hub, context)
    evolve_sample(hub, "all", score=0.2)
    push.push(hub, context)
    check_pending(hub, context)
    assert not status(hub, context).remotes[0].to_push
    for task in rules:
        evolve_sample(hub, task, score=0.3)
    add_root(hub, context, "second", seed=7)
    tag.create(hub, context, "v1")
    check_pending(hub, context)
    assert status(hub, context).remotes[0].to_push.roots == ("second",)
    push.push(hub, context)
    check_pending(hub, context)
    rm_task(hub, context, "all")
    check_pending(hub, context)
    assert status(hub, context).remotes[0].to_push.tasks == ("all",)  # a removal is sent, too
    push.push(hub, context)
    assert not status(hub, context).remotes[0].to_push


def test_a_tag_that_names_what_was_purged_here_is_nothing_to_push(hub: Repository, context: Context) -> None:
    add_sample_task(hub, "a")
    tag.create(hub, context, "v1")
    check_pending(hub, context)
    assert status(hub, context).remotes[0].to_push.tags == ("v1",)
    purge(hub, context, "a")
    check_pending(hub, context)
    assert status(hub, context).remotes[0].to_push.tags == ()


def test_a_model_that_learned_what_the_remote_may_not_hold_is_nothing_to_push(
    repo: Repository, context: Context
) -> None:
    remote.add(repo, context, "origin", "hub", readers=("team", "guests"))
    add_sample_task(repo, "ours", AccessRule.only(["team"]))
    evolve_sample(repo, "ours", score=0.2)
    teacher = repo.objects.commit(repo.refs.heads()["ours"].commit).model
    add_sample_task(repo, "both", AccessRule.only(["guests", "team"]))
    evolve_sample(repo, "both", score=0.3, parent=teacher, trains=())
    check_pending(repo, context)
    assert status(repo, context).remotes[0].to_push.tasks == ()


@pytest.mark.parametrize("has_more", [False, True], ids=["as it was there", "with work of its own"])
def test_what_was_purged_there_stays_and_no_pull_is_advised(
    hub: Repository, context: Context, tmp_path: Path, has_more: bool
) -> None:
    add_sample_task(hub, "a")
    evolve_sample(hub, "a", score=0.2)
    push.push(hub, context)
    tag.create(hub, context, "v1")
    clone(str(tmp_path / "hub"), tmp_path / "other", context)
    purge(open_repository(tmp_path / "other"), context, "a", remote="origin", settle=lambda: None)
    if has_more:
        evolve_sample(hub, "a", score=0.3)
    fetch(hub, context)
    check_pending(hub, context)
    (found,) = status(hub, context).remotes
    assert found.relations == {"a": "outlived" if has_more else "purged-there"}
    told = [step.command for step in status(hub, context).next]
    assert "mu2net pull origin" not in told
    pull.pull(hub, context)
    check_pending(hub, context)
    assert status(hub, context).remotes[0].relations == {"a": "outlived" if has_more else "purged-there"}
    assert "mu2net pull origin" not in [step.command for step in status(hub, context).next]


def test_the_age_of_what_is_known_is_that_of_the_last_look_at_all_of_it(hub: Repository, context: Context) -> None:
    assert status(hub, context).remotes[0].seen_at is None
    push.push(hub, context)
    assert status(hub, context).remotes[0].seen_at == "2026-01-02T03:04:05.678901+00:00"
    later = replace(context, now=lambda: context.now().replace(year=2027))
    add_sample_task(hub, "a")
    push.push(hub, later)
    fetch(hub, later, tasks=["a"])
    assert (status(hub, later).remotes[0].seen_at or "").startswith("2026-")
    fetch(hub, later)
    assert (status(hub, later).remotes[0].seen_at or "").startswith("2027-")


def test_what_another_process_evolves_now_is_told_and_not_to_be_evolved_next(
    repo: Repository, context: Context
) -> None:
    for task in ("a", "b"):
        add_sample_task(repo, task)
    folder = folder_of(repo, "a")
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(state_of(repo, "a"))
    with Workspace.of(repo, "a").lock("a"):
        report = status(repo, context)
    assert {task.task: task.process for task in report.tasks} == {"a": os.getpid(), "b": None}
    assert [step.command for step in report.next] == ["mu2net evolve --task b"]
    after = status(repo, context)
    assert {task.process for task in after.tasks} == {None}
    assert after.next[0].command == "mu2net evolve --task a"


def test_nothing_is_to_be_evolved_next_to_a_process_that_evolves_all_there_is(
    repo: Repository, context: Context
) -> None:
    add_sample_task(repo, "a")
    with Workspace.of(repo, "a").lock("a"):
        assert not any(" evolve " in step.command for step in status(repo, context).next)
