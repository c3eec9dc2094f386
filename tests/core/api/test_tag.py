from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import push, remote, tag
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.purge import purge
from mu2net_core.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, create_repository, load_system
from mu2net_core.repo.history.revisions import resolve
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def test_a_tag_keeps_the_system_of_its_moment(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    state = evolve_sample(repo, "a", score=0.1)
    made = tag.create(repo, context, "v1")
    evolve_sample(repo, "a", score=0.2)
    assert tag.list_(repo) == (made,)
    assert (made.tasks, made.roots) == (("a",), ("tiny",))
    assert resolve(repo, "v1").id == made.snapshot
    system = load_system(repo, heads=repo.objects.snapshot(made.snapshot).heads)
    assert system.heads["a"].commit_id == state.commit


def test_the_same_tag_twice_is_fine_but_never_moves(repo: Repository, context: Context) -> None:
    made = tag.create(repo, context, "v1")
    assert tag.create(repo, context, "v1") == made
    add_sample_task(repo, "a")
    with pytest.raises(AlreadyExistsError, match="Cannot create tag v1"):
        tag.create(repo, context, "v1")
    assert tag.list_(repo) == (made,)


@pytest.mark.parametrize("name", ["a", "tiny"])
def test_a_name_means_one_thing(repo: Repository, context: Context, name: str) -> None:
    add_sample_task(repo, "a")
    with pytest.raises(InvalidInputError, match="would mean both"):
        tag.create(repo, context, name)


def test_nothing_to_tag(tmp_path: Path, context: Context) -> None:
    empty = create_repository(tmp_path / "empty", preset="vit-ti0")
    with pytest.raises(NotFoundError, match="nothing to tag"):
        tag.create(empty, context, "v1")
    with pytest.raises(InvalidInputError, match="Not a tag name"):
        tag.create(empty, context, "Not a name")


def test_a_public_tag_goes_where_one_with_a_private_task_cannot(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    add_sample_task(repo, "own", AccessRule.only(["own"]))
    add_sample_task(repo, "ours", AccessRule.only(["team"]))
    evolve_sample(repo, "a", score=0.1)
    assert tag.create(repo, context, "all").tasks == ("a", "ours", "own")
    assert tag.create(repo, context, "open", public=True).tasks == ("a",)
    remote.add(repo, context, "origin", "hub")
    whole, public = push.push(repo, context).tags
    assert (whole.name, whole.outcome, public.name, public.outcome) == ("all", "skipped", "open", "new")
    assert "mu2net tag NAME --public" in (whole.reason or "")
    assert [one.remotes for one in tag.list_(repo)] == [(), ("origin",)]


@pytest.mark.parametrize("name", ["v1", "year/2026/v1"])
def test_a_deleted_tag_is_gone_until_it_is_fetched_again(repo: Repository, context: Context, name: str) -> None:
    made = tag.create(repo, context, name)
    assert tag.delete(repo, name) == made
    assert tag.list_(repo) == ()
    with pytest.raises(NotFoundError, match="There is no tag"):
        tag.delete(repo, name)
    top = name.partition("/")[0]
    tag.create(repo, context, top)  # "year" can be a tag again, now that "year/2026/v1" is none
    tag.delete(repo, top)
    made = tag.create(repo, context, name)
    remote.add(repo, context, "origin", "hub")
    push.push(repo, context)
    assert tag.delete(repo, name).remotes == ("origin",)
    fetch(repo, context)
    assert [one.snapshot for one in tag.list_(repo)] == [made.snapshot]


def test_deleting_a_tag_leaves_its_neighbours(repo: Repository, context: Context) -> None:
    for name in ("a/x", "a/y"):
        tag.create(repo, context, name)
    tag.delete(repo, "a/x")
    assert [one.name for one in tag.list_(repo)] == ["a/y"]


def test_a_tag_tells_when_its_newest_work_was_done_as_far_as_that_is_still_there(
    repo: Repository, context: Context
) -> None:
    assert tag.create(repo, context, "v0").newest_at is None
    for task in ("a", "b"):
        add_sample_task(repo, task)
    commits = [evolve_sample(repo, task, score=0.1, seed=n).commit for n, task in enumerate(("b", "a"))]
    times = [repo.objects.commit(oid).finished_at for oid in commits]
    assert tag.create(repo, context, "v1").newest_at == max(times)
    purge(repo, context, "a")
    assert tag.list_(repo)[1].newest_at == times[0]
