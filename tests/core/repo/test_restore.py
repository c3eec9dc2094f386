"""Healing what fsck found damaged or missing, from another copy and from what is known of remotes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.objects import object_key
from mu2net_core.repo import Refs, Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import model_of


def test_what_a_remote_lacks_comes_from_another_copy(grown: Repository, tmp_path: Path) -> None:
    shutil.copytree(grown.worktree, tmp_path / "copy")
    sample_repository(tmp_path / "hub", bare=True)
    grown.update_config(lambda config: config.with_remote(Remote(name="origin", url=str(tmp_path / "hub"))))
    lost = grown.objects.model(model_of(grown, "a")).components[-1].id
    grown.store.delete(object_key("component", lost))
    report = fsck(open_repository(grown.path), remote=open_repository(tmp_path / "copy"))
    assert (report.is_clean, report.repaired) == (True, (f"component/{lost}",))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_flip, _truncate, Path.unlink])
def test_everything_damaged_is_restored_from_a_copy(
    grown: Repository, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(grown.worktree, tmp_path / "copy")
    before = {path.relative_to(grown.path): path.read_bytes() for path in _files(grown)}
    for number, path in enumerate(_files(grown)):
        if number % 2 == 0:
            damage(path)
    copy = open_repository(tmp_path / "copy")
    report = fsck(open_repository(grown.path), remote=copy)
    assert report.is_clean, report.problems
    assert report.repaired
    assert {path.relative_to(grown.path): path.read_bytes() for path in _files(grown)} == before
    assert fsck(open_repository(grown.path)).is_clean


def _files(repo: Repository) -> list[Path]:
    """Returns every object and every head entry that is not the last of its head, whose loss nobody could see."""
    entries = [path for path in sorted((repo.path / "refs/heads").rglob("0*")) if not path.name.endswith("4")]
    return [*sorted(path for path in (repo.path / "objects").rglob("*") if path.is_file()), *entries]


def test_an_entry_that_does_not_fit_is_not_taken_over(grown: Repository, tmp_path: Path) -> None:
    shutil.copytree(grown.worktree, tmp_path / "copy")
    entry = grown.path / "refs/heads/a/00000002"
    second = grown.refs.log("a")[1].commit
    shutil.copy(tmp_path / "copy/.mu2net/refs/heads/a/00000003", tmp_path / "copy/.mu2net/refs/heads/a/00000002")
    entry.write_bytes(b"")
    grown.store.delete(object_key("commit", second))
    (tmp_path / "copy/.mu2net" / object_key("commit", second)).unlink()
    report = fsck(grown, remote=open_repository(tmp_path / "copy"))
    assert ("damaged-ref", "refs/heads/a/00000002") in {(p.kind, p.object) for p in report.problems}
    assert entry.read_bytes() == b""


def test_an_entry_that_fits_only_what_came_before_is_not_taken_over(grown: Repository, tmp_path: Path) -> None:
    other = Refs(LocalStore(tmp_path / "other"))
    shutil.copytree(grown.path / "refs/heads/a", tmp_path / "other/refs/heads/a")
    for number in (2, 3, 4):
        other.store.delete(f"refs/heads/a/{number:08d}")
    other.append("a", "0" * 64, after=other.head("a"))
    entry = grown.path / "refs/heads/a/00000002"
    good = entry.read_bytes()
    entry.write_bytes(b"")
    shutil.copytree(grown.path / "objects", tmp_path / "other/objects")
    (tmp_path / "other/config.toml").write_bytes(grown.config.dump())
    report = fsck(grown, remote=open_repository(tmp_path / "other"))
    assert report.repaired == ("refs/heads/a/00000002",)
    assert entry.read_bytes() == good


@pytest.fixture
def hub(grown: Repository, tmp_path: Path) -> Repository:
    """Returns a remote that was pushed to once, so that its entries have other numbers."""
    origin = Remote(name="origin", url=str(tmp_path / "hub"))
    grown.update_config(lambda config: config.with_remote(origin))
    push(grown, origin)
    return open_repository(tmp_path / "hub")


@pytest.mark.parametrize("data", [b"", b'{"commit":'], ids=["empty", "truncated"])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_entry_comes_back_with_what_remotes_know_of_its_commit(
    grown: Repository, hub: Repository, number: int, data: bytes
) -> None:
    assert hub.refs.numbers()["a"] == 1
    entry = grown.path / f"refs/heads/a/{number:08d}"
    good = entry.read_bytes()
    entry.write_bytes(data)
    report = fsck(open_repository(grown.path), remote=hub)
    assert (report.is_clean, report.repaired) == (True, (f"refs/heads/a/{number:08d}",))
    assert entry.read_bytes() == good


def test_the_newest_entry_comes_back_from_what_was_last_pushed(
    grown: Repository, hub: Repository, tmp_path: Path
) -> None:
    assert hub.refs.head("a") is not None
    newest = grown.path / "refs/heads/a/00000004"
    good = newest.read_bytes()
    newest.write_bytes(b"")
    report = fsck(open_repository(grown.path), remote=sample_repository(tmp_path / "other"))
    assert report.is_clean
    assert newest.read_bytes() == good


def test_a_head_never_goes_back_to_an_older_push(grown: Repository, hub: Repository) -> None:
    for score in (0.4, 0.5):
        evolve_sample(grown, "a", score=score)
    newest = grown.path / "refs/heads/a/00000006"
    newest.write_bytes(b"")
    report = fsck(open_repository(grown.path), remote=hub)
    assert [problem.object for problem in report.problems] == ["refs/heads/a/00000006"]
    assert newest.read_bytes() == b""
