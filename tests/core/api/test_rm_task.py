from __future__ import annotations

from functools import partial

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.log import log
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, load_system
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def test_a_removed_task_leaves_the_system_but_not_the_history(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "cats", AccessRule.only(["cats"]))
    before = evolve_sample(repo, "cats", score=0.5)
    removed = rm_task(repo, context, "cats")
    assert removed.commit.removed
    assert removed.commit.parents == (before.commit,)
    assert removed.commit.iteration == 1
    assert repo.objects.commit(before.commit).model is not None
    system = load_system(repo)
    assert "cats" not in system.heads
    assert system.rules["cats"] == AccessRule.only(["cats"])
    assert tasks(repo) == ()
    assert [info.removed for info in tasks(repo, removed=True)] == [True]


@pytest.mark.parametrize("name", ["cast", "Not A Name"])
def test_an_unknown_task_gets_near_names(repo: Repository, context: Context, name: str) -> None:
    add_sample_task(repo, "cats")
    with pytest.raises(NotFoundError, match=f"There is no task '{name}'") as error:
        rm_task(repo, context, name)
    assert ("Did you mean cats?" if name == "cast" else "mu2net tasks") in str(error.value.hint)


def test_removing_twice(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "cats")
    rm_task(repo, context, "cats")
    with pytest.raises(NotFoundError, match="cats was removed already, on 2026-01-02T03:04:05 UTC"):
        rm_task(repo, context, "cats")
    assert len(repo.refs.log("cats")) == 2


def test_how_often_models_were_selected_outlives_a_removal(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "cats")
    before = repo.objects.commit(evolve_sample(repo, "cats", score=0.5).commit)
    assert before.selections
    assert rm_task(repo, context, "cats").commit.selections == before.selections
    again = add_task(repo, context, "sklearn:digits", TaskOptions(name="cats")).commit
    assert (again.selections, again.iteration) == (before.selections, before.iteration)


def test_the_same_task_added_again_takes_up_its_last_model(repo: Repository, context: Context) -> None:
    add = partial(add_task, repo, context, "sklearn:digits", TaskOptions(name="cats"))
    first = add()
    evolve_sample(repo, "cats", score=0.5)
    last = repo.objects.commit(evolve_sample(repo, "cats", score=0.75).commit)
    removed = rm_task(repo, context, "cats")
    again = add()
    assert again.commit.task_id == first.commit.task_id
    assert (again.model_id, again.commit.parents) == (last.model, (removed.commit_id,))
    assert again.model == load_system(repo).heads["cats"].model
    assert again.commit.message == "add task cats again, with its last model"
    entry = next(log(repo, "cats"))
    assert (entry.event, entry.validation) == ("add", 0.75)
    assert fsck(repo, context).problems == ()


@pytest.mark.parametrize("other", [{"train": "all[:100]"}, {"private": True}], ids=["other data", "other readers"])
def test_another_task_of_the_name_starts_without_a_model(repo: Repository, context: Context, other: dict) -> None:
    add_task(repo, context, "sklearn:digits", TaskOptions(name="cats"))
    kept = evolve_sample(repo, "cats", score=0.5)
    rm_task(repo, context, "cats")
    assert add_task(repo, context, "sklearn:digits", TaskOptions(name="cats", **other)).model_id is None
    rm_task(repo, context, "cats")
    back = add_task(repo, context, "sklearn:digits", TaskOptions(name="cats"))
    assert back.model_id == repo.objects.commit(kept.commit).model
