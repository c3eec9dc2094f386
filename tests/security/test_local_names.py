"""What files of local state are called: short whatever the names of tasks and remotes, and telling none of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.running import evolving
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.objects import is_name
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.probing.probe_notes import read_note, vet
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.servers import Bucket

LONGEST = "/".join(["n" * 100] * 8)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return sample_repository(tmp_path / "work")


def begin_iteration(repo: Repository, task: str) -> Workspace:
    """Leaves what an interrupted iteration of ``task`` leaves."""
    workspace = Workspace.of(repo, task)
    with workspace.lock(task):
        workspace.save(begun_at(repo, task))
        assert evolving(repo, [task]) == {task: os.getpid()}
    return workspace


def test_the_longest_names_of_a_task_and_a_remote_work(repo: Repository, context: Context, tmp_path: Path) -> None:
    assert is_name(LONGEST)
    add_sample_task(repo, LONGEST)
    evolve_sample(repo, LONGEST, score=0.5)
    remote.add(repo, context, LONGEST, "shared")
    assert [report.outcome for report in push(repo, context).tasks] == ["new"]
    begin_iteration(repo, LONGEST)
    report = status(repo, context)
    assert [one.task for one in report.unfinished] == [LONGEST]
    assert [one.name for one in report.remotes] == [LONGEST]
    clone("shared", "bob", context)
    assert set(open_repository(tmp_path / "bob").refs.heads()) == {LONGEST}
    assert [report.outcome for report in pull(repo, context).tasks] == ["up-to-date"]
    remote.remove(repo, LONGEST)
    assert list((repo.state / "remotes").iterdir()) == []


def test_a_remote_with_the_longest_name_is_probed(repo: Repository, context: Context, moto_bucket: Bucket) -> None:
    origin = Remote(name=LONGEST, url=moto_bucket.url, options=moto_bucket.options)
    vet(repo.state, connect(origin), now=context.now)
    note = read_note(repo.state, origin)
    assert note is not None
    assert note.verdict == "safe"


@pytest.mark.parametrize("place", ["heads", "tags", "roots"])
def test_a_damaged_ref_with_the_longest_name_is_set_aside(repo: Repository, place: str) -> None:
    key = f"refs/{place}/{LONGEST}" + ("/00000001" if place == "heads" else "")
    repo.store.create(key, b"damaged")
    repo.set_aside(key)
    (aside,) = (repo.state / "corrupt").iterdir()
    assert aside.read_bytes() == b"damaged"
    assert aside.name.startswith(f"refs-{place}-")


def test_a_damaged_ref_with_the_longest_name_is_mended(repo: Repository, tmp_path: Path) -> None:
    add_sample_task(repo, LONGEST)
    for score in (0.1, 0.2):
        evolve_sample(repo, LONGEST, score=score)
    before, copy = repo.refs.heads(), shutil.copytree(repo.worktree, tmp_path / "copy")
    damaged = repo.path / f"refs/heads/{LONGEST}/00000002"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert fsck(repo).problems
    assert fsck(repo, remote=open_repository(copy)).is_clean
    assert repo.refs.heads() == before


def test_a_purge_leaves_no_file_that_tells_the_name(repo: Repository, context: Context) -> None:
    name = "secret/project"
    add_sample_task(repo, name)
    evolve_sample(repo, name, score=0.5)
    workspace = begin_iteration(repo, name)
    for key in (f"refs/heads/{name}/00000009", f"refs/tags/{name}"):
        repo.store.create(key, b"damaged")
        repo.set_aside(key)
    purge(repo, context, name)
    assert not workspace.folder.exists()
    left = [path.relative_to(repo.state) for path in repo.state.rglob("*")]
    assert any(path.suffix == ".lock" for path in left)
    assert [path for path in left if "secret" in str(path) or "project" in str(path)] == []
