"""What a repair puts under refs/ of a remote: nobody learns by it of a task that is not for those who read that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.remote import change
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.objects import AccessRule, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.storage import Store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import commit_of, working_copy
from mu2net_core.testing.worlds.signers import ticking

TEAM = AccessRule.only(["team-a"])


@pytest.fixture(params=["folder", "bucket"])
def medium(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, context: Context) -> Repository:
    """Returns a working copy that shares cats with everybody, and has secret, which is for a team."""
    repo = working_copy(tmp_path / "ann", origin)
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5, seed=3)
    add_sample_task(repo, "secret", TEAM)
    evolve_sample(repo, "secret", score=0.5, seed=7)
    push(repo, context)
    return repo


@pytest.fixture
def there(ann: Repository, origin: Remote) -> Store:
    """Returns the remote, as who may write there has it."""
    return connect(origin).store


def a_tombstone(ann: Repository, context: Context, there: Store) -> str:
    purge(ann, context, "secret")
    (key,) = ann.store.list("refs/purged")
    there.create(key, b"x")
    return key


def a_first_entry(ann: Repository, context: Context, there: Store) -> str:
    there.create(entry_key("secret", 1), b"x")
    return entry_key("secret", 1)


def an_entry_after_what_he_read_elsewhere(ann: Repository, context: Context, there: Store) -> str:
    first = ann.refs.entry("secret", 1)[0].commit
    for key in (entry_key("secret", 1), object_key("commit", first)):
        there.create(key, ann.store.read(key))
    there.create(entry_key("secret", 2), b"x")
    return entry_key("secret", 2)


@pytest.mark.parametrize("broken", [a_tombstone, a_first_entry, an_entry_after_what_he_read_elsewhere])
def test_a_broken_file_of_a_private_task_is_not_mended_and_all_else_is(
    ann: Repository, context: Context, there: Store, broken: Callable[..., str]
) -> None:
    key, cats = broken(ann, context, there), object_key("commit", commit_of(ann, "cats"))
    there.delete(cats)
    report = fsck(ann, context, remote="origin", repair_from=str(ann.worktree))
    assert there.read(key) == b"x"
    assert there.exists(cats)
    assert {problem.object for problem in report.problems} >= {key}


def test_a_tombstone_is_not_sent_again_to_who_may_not_know_of_its_task(
    tmp_path: Path, origin: Remote, context: Context
) -> None:
    """A remote for the team had it, and was opened to everybody since."""
    context = ticking(context)
    ann = sample_repository(tmp_path / "ann")
    ann.update_config(lambda config: config.with_remote(Remote(**{**_plain(origin), "readers": ("team-a",)})))
    for task, rule in (("secret", TEAM), ("shown", AccessRule())):
        add_sample_task(ann, task, rule)
        evolve_sample(ann, task, score=0.5)
    push(ann, context, "origin")
    for task in ("secret", "shown"):
        purge(ann, context, task, remote="origin", settle=lambda: None)
    push(ann, context, "origin")
    change(ann, "origin", readers=())
    store = connect(origin).store
    for key in store.list("refs/purged"):
        store.delete(key)
    push(ann, context, "origin")
    assert list(store.list("refs/purged")) == ["refs/purged/shown/00000001"]


def _plain(remote: Remote) -> dict[str, object]:
    return {"name": remote.name, "url": remote.url, "options": remote.options}
