"""Files on a remote that nobody else may read: they block their own names, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import pull as api
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.errors import AccessDeniedError
from mu2net_core.objects import object_key, parse_object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import add_tasks, broken, commit_of, outcomes, working_copy

Lock = Callable[[str], None]
"""Makes a key of the remote one that is listed and cannot be read."""


@pytest.fixture
def lock(origin: Remote, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """Returns what makes a file of a folder one of another user's."""
    return _of_another_user(Path(origin.url), monkeypatch)


@pytest.fixture
def archive(origin: Remote) -> Lock:
    """Returns what puts a file of a bucket into an archive."""
    name, _, root = origin.url.removeprefix("s3://").partition("/")
    client = boto3.client("s3", endpoint_url=origin.options["endpoint"])

    def lock(key: str) -> None:
        client.put_object(Bucket=name, Key=f"{root}/{key}", Body=b"x", StorageClass="GLACIER")

    return lock


def _of_another_user(root: Path, monkeypatch: pytest.MonkeyPatch) -> Lock:
    locked, open_file = set[str](), os.open

    def refusing(path: str | Path, *args: int) -> int:
        if str(path) in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, *args)

    monkeypatch.setattr("mu2net_core.storage.links.os.open", refusing)

    def lock(key: str) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(b"x")
        locked.add(f"{root}/{key}")

    return lock


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, context: Context) -> Repository:
    """Returns a working copy that shares four tasks."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits", "letters", "www", "yyy")
    push(repo, context)
    return open_repository(repo.worktree)


@pytest.fixture
def bob(ann: Repository, tmp_path: Path, origin: Remote, context: Context) -> Repository:
    """Returns a clone."""
    return open_repository(clone(origin.url, tmp_path / "bob", context, options=origin.options).path)


def commit_of_a_head(evil: Writer) -> str:
    oid = evil.put(evil.first("zzz", message="locked"))
    evil.move("zzz", oid)
    return object_key("commit", oid)


def object_name(key: str) -> str:
    node = parse_object_key(key)
    return key if node is None else "/".join(node)


ATTACKS: dict[str, tuple[str, Callable[[Writer], str]]] = {
    "tag": ("tag evil", lambda _: "refs/tags/evil"),
    "root": ("root evil", lambda _: "refs/roots/evil"),
    "entry of a new head": ("task xxx", lambda _: "refs/heads/xxx/00000001"),
    "entry of a known head": ("task yyy", lambda _: "refs/heads/yyy/00000002"),
    "commit": ("task zzz", commit_of_a_head),
    "tombstone": ("task www", lambda _: "refs/purged/www/00000001"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_all_else_is_fetched_sent_and_cloned(
    attack: str, ann: Repository, bob: Repository, origin: Remote, lock: Lock, context: Context
) -> None:
    check_that_all_else_goes_on([attack], lock, ann, bob, origin, context)


@pytest.mark.parametrize("medium", ["bucket"])
def test_so_it_is_where_archives_hold_one_of_each(
    ann: Repository, bob: Repository, origin: Remote, archive: Lock, context: Context
) -> None:
    check_that_all_else_goes_on(list(ATTACKS), archive, ann, bob, origin, context)


def check_that_all_else_goes_on(
    attacks: list[str], lock: Lock, ann: Repository, bob: Repository, origin: Remote, context: Context
) -> None:
    evil = Writer.into(origin)
    keys = {ATTACKS[attack][0]: ATTACKS[attack][1](evil) for attack in attacks}
    for key in keys.values():
        lock(key)
    evil.begin_epoch()
    evolve_sample(ann, "digits", score=0.6, seed=60)
    assert outcomes(push(ann, context))["digits"] == "updated"
    for _ in range(2):
        assert set(broken(fetch(bob, context))) == set(keys)
    said = broken(api.pull(bob, context))
    assert [name for name, key in keys.items() if key not in said[name]] == []
    assert commit_of(bob, "digits") == commit_of(ann, "digits")
    made = clone(origin.url, context.cwd / "new", context, options=origin.options)
    names = set(keys) - ({ATTACKS["tombstone"][0]} if "tombstone" in attacks else set())
    assert names <= set(broken(made)) <= set(keys)
    assert {"digits", "letters"} <= set(open_repository(made.path).refs.tasks())
    found = fsck(ann, context, remote="origin").problems
    for key in keys.values():
        assert any(key in problem.message or object_name(key) == problem.object for problem in found)


def test_a_folder_of_a_head_that_may_not_be_listed_hides_that_head_alone(
    ann: Repository, bob: Repository, origin: Remote, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, scan = Path(origin.url, "refs/heads/zzz"), os.scandir
    closed.mkdir()

    def refusing(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("mu2net_core.storage.local.os.scandir", refusing)
    evolve_sample(ann, "digits", score=0.6, seed=60)
    assert outcomes(push(ann, context))["digits"] == "updated"
    assert outcomes(api.pull(bob, context))["digits"] == "updated"
    assert [problem.object for problem in fsck(bob, context, remote="origin").problems] == ["refs/heads/zzz"]
    with pytest.raises(AccessDeniedError, match="refs/heads/zzz"):
        gc(bob, context, remote="origin", dry_run=False)
