"""A task that somebody purged here and somebody else there, each for himself: the purges are joined, and it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.sharing import purge
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task, was_purged
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.remotes.reports import Exchange
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import add_tasks, clone_of, commit_of, model_of, outcomes, there, working_copy

GONE = {"digits": "removed", "other": "new"}


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, later: Context) -> Repository:
    """Returns a working copy that shares two tasks, and has more of one to push."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits", "other")
    push(repo, later)
    return repo


@pytest.fixture
def carl(ann: Repository, origin: Remote, later: Context) -> Repository:
    """Returns a full clone from before both purges, which follows those of others."""
    repo = open_repository(clone(origin.url, "carl", later, full=True, options=origin.options).path)
    repo.update_config(lambda config: config.with_setting("pull.follow_purges", True))
    return repo


@pytest.fixture
def joined(ann: Repository, carl: Repository, origin: Remote, later: Context, tmp_path: Path) -> Exchange:
    """Returns how a push went after one purged the task in her working copy, and somebody else on the remote."""
    ben = clone_of(origin, tmp_path / "ben")
    evolve_sample(ann, "digits", score=0.9, seed=5)
    purge.purge(ann, later, "digits")
    purge.purge(ben, later, "digits", remote="origin", settle=lambda: None)
    assert outcomes(pull(ann, later))["digits"] == "merged"
    assert len(ann.objects.commit(commit_of(ann, "digits")).parents) == 2
    return push(ann, later)


@pytest.mark.parametrize("medium", ["folder", "bucket"])
@pytest.mark.parametrize("full", [False, True])
def test_whoever_clones_has_all_of_the_rest_and_is_told_that_it_was_purged(
    joined: Exchange, ann: Repository, origin: Remote, later: Context, full: bool
) -> None:
    made = clone(origin.url, "new", later, full, options=origin.options)
    assert outcomes(made.tasks) == GONE
    assert {report.reason for report in made.tasks} == {"it was purged", None}
    new = open_repository(made.path)
    assert commit_of(new, "digits") == commit_of(ann, "digits")
    assert fsck(new).problems == ()
    assert [one.purged for one in tasks(new, removed=True)] == [True, False]
    assert not purge.is_kept(new, "digits")
    for verb in (push, pull):
        assert [(one.outcome, one.reason) for one in verb(new, later).tasks] == [
            ("up-to-date", "it was purged"),
            ("up-to-date", None),
        ]
    assert {report.task for report in pull(ann, later).tasks if report.outcome == "up-to-date"} == set(GONE)


def test_added_again_it_is_cloned_as_it_is_now(
    joined: Exchange, ann: Repository, origin: Remote, later: Context
) -> None:
    here, before = Writer.into(ann), ann.objects.commit(commit_of(ann, "digits"))
    parents = (commit_of(ann, "digits"),)
    here.move("digits", here.first("digits", parents=parents, iteration=before.iteration, identity=None))
    evolve_sample(ann, "digits", score=0.7, seed=8)
    assert outcomes(push(ann, later))["digits"] == "updated"
    made = clone(origin.url, "new", later, full=True)
    assert outcomes(made.tasks) == dict.fromkeys(GONE, "new")
    new = open_repository(made.path)
    assert model_of(new, "digits") == model_of(ann, "digits")
    assert fsck(new).problems == fsck(there(origin)).problems == ()


def test_what_was_set_aside_because_of_it_comes_back_and_goes_on(
    joined: Exchange, carl: Repository, origin: Remote, later: Context
) -> None:
    before = carl.objects.commit(commit_of(carl, "digits"))
    told = next(report for report in pull(carl, later).tasks if report.task == "digits")
    assert (told.outcome, told.commit) == ("removed", commit_of(carl, "digits"))
    assert "mu2net rm-task digits --undo brings it back" in str(told.reason)
    assert status(carl, later).set_aside == ("digits",)
    assert outcomes(pull(carl, later))["digits"] == "up-to-date"
    purge.undo(carl, later, "digits")
    assert carl.objects.commit(commit_of(carl, "digits")).model == before.model
    assert outcomes(pull(carl, later))["digits"] == outcomes(push(carl, later))["digits"] == "skipped"
    assert fsck(carl).problems == ()


def test_whoever_adds_it_again_is_told_that_it_was_purged_before(
    joined: Exchange, ann: Repository, later: Context
) -> None:
    assert was_purged(ann, add_task(ann, later, "sklearn:digits", TaskOptions(name="digits")))
    assert not was_purged(ann, add_task(ann, later, "sklearn:digits", TaskOptions(name="fresh")))
