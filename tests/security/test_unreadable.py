"""Files on a remote that nobody else may read: they block their own names, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from mu2net_core.api import pull as api
from mu2net_core.api.clone import clone
from mu2net_core.api.context import Context
from mu2net_core.api.fetch import fetch
from mu2net_core.api.fsck import fsck
from mu2net_core.api.gc import gc
from mu2net_core.api.push import push
from mu2net_core.errors import AccessDeniedError
from mu2net_core.objects import object_key, parse_object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.testing.samples import evolve_sample
from mu2net_core.testing.servers import Bucket
from mu2net_core.testing.sharing import add_tasks, broken, outcomes, working_copy
from mu2net_core.testing.writer import Writer

Lock = Callable[[str], None]
"""Makes a key of the remote one that is listed and cannot be read."""


@pytest.fixture(params=["folder", "archived"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Remote, Lock]:
    """Returns a remote, and what makes a file there unreadable: its rights, or that it is in an archive."""
    remote = Remote(name="origin", url=str(tmp_path / "shared"))
    if request.param == "folder":
        return remote, _of_another_user(tmp_path / "shared", monkeypatch)
    bucket: Bucket = request.getfixturevalue("moto_bucket")
    name, _, root = bucket.url.removeprefix("s3://").partition("/")
    client = boto3.client("s3", endpoint_url=bucket.endpoint)

    def lock(key: str) -> None:
        client.put_object(Bucket=name, Key=f"{root}/{key}", Body=b"x", StorageClass="GLACIER")

    return replace(remote, url=bucket.url, options=bucket.options), lock


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


def sharing(folder: Path, remote: Remote, context: Context) -> Repository:
    repo = working_copy(folder / "ann", remote)
    add_tasks(repo, "digits", "letters", "yyy")
    push(repo, context)
    return open_repository(repo.worktree)


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
    "entry of a new head": ("task zzz", lambda _: "refs/heads/zzz/00000001"),
    "entry of a known head": ("task yyy", lambda _: "refs/heads/yyy/00000002"),
    "commit": ("task zzz", commit_of_a_head),
    "tombstone": ("task yyy", lambda _: "refs/purged/yyy/00000001"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_all_else_is_fetched_sent_and_cloned(
    attack: str, place: tuple[Remote, Lock], tmp_path: Path, context: Context
) -> None:
    remote, lock = place
    ann = sharing(tmp_path, remote, context)
    bob = open_repository(clone(remote.url, tmp_path / "bob", context, options=remote.options).path)
    evil = Writer.into(remote)
    name, key = ATTACKS[attack][0], ATTACKS[attack][1](evil)
    lock(key)
    evil.begin_epoch()
    evolve_sample(ann, "digits", score=0.6, seed=60)
    assert outcomes(push(ann, context))["digits"] == "updated"
    for _ in range(2):
        assert list(broken(fetch(bob, context))) == [name]
    assert key in broken(api.pull(bob, context))[name]
    assert bob.refs.head("digits") is not None
    assert bob.refs.head("digits").commit == ann.refs.head("digits").commit
    made = clone(remote.url, tmp_path / "new", context, options=remote.options)
    assert list(broken(made)) in ([name], [] if attack == "tombstone" else [name])
    assert {"digits", "letters"} <= set(open_repository(made.path).refs.tasks())
    found = fsck(ann, context, remote="origin").problems
    assert any(key in problem.message or object_name(key) == problem.object for problem in found)


def test_a_folder_of_a_head_that_may_not_be_listed_hides_that_head_alone(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = Remote(name="origin", url=str(tmp_path / "shared"))
    ann = sharing(tmp_path, remote, context)
    clone(remote.url, tmp_path / "bob", context)
    bob, closed, scan = open_repository(tmp_path / "bob"), tmp_path / "shared/refs/heads/zzz", os.scandir
    closed.mkdir()

    def refusing(path: Path) -> Iterator[os.DirEntry[str]]:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("mu2net_core.storage.local.os.scandir", refusing)
    evolve_sample(ann, "digits", score=0.6, seed=60)
    assert outcomes(push(ann, context))["digits"] == "updated"
    assert outcomes(api.pull(bob, context))["digits"] == "updated"
    assert [problem.object for problem in fsck(bob, context, remote="origin").problems] == ["refs/heads/zzz"]
    with pytest.raises(AccessDeniedError, match="refs/heads/zzz"):
        gc(bob, context, remote="origin", dry_run=False)
