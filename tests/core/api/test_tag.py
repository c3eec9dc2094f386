from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api import tag
from mu2net_core.api.context import Context
from mu2net_core.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from mu2net_core.repo import Repository, create_repository, load_system
from mu2net_core.repo.revisions import resolve
from mu2net_core.testing.samples import add_sample_task, evolve_sample


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
