from __future__ import annotations

from pathlib import Path

from mu2net_core.repo import Repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.epoch import current_epoch, is_current, new_epoch
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore


def test_a_new_repository_has_an_epoch_of_its_own(repo: Repository, tmp_path: Path) -> None:
    epoch = current_epoch(repo.store)
    assert epoch is not None
    assert len(epoch) == 32
    assert repo.store.read(f"refs/epoch/{epoch}") == f"{epoch}\n".encode()
    assert epoch != current_epoch(sample_repository(tmp_path / "other", bare=True).store)


def test_one_read_tells_whether_the_epoch_is_current(repo: Repository) -> None:
    epoch = current_epoch(repo.store)
    assert epoch is not None
    store = WrappedStore(repo.store)
    assert is_current(store, epoch)
    assert store.calls == {"read": 1}
    assert not is_current(repo.store, "0" * 32)


def test_a_new_epoch_ends_the_old_one(repo: Repository) -> None:
    old = current_epoch(repo.store)
    assert old is not None
    new = new_epoch(repo.store)
    assert current_epoch(repo.store) == new != old
    assert not is_current(repo.store, old)
    assert fsck(repo).is_clean


def test_a_repository_of_an_older_version_has_none(tmp_path: Path) -> None:
    assert current_epoch(LocalStore(tmp_path)) is None


def test_a_damaged_epoch_is_not_current_and_fsck_says_so(repo: Repository) -> None:
    epoch = current_epoch(repo.store)
    assert epoch is not None
    (repo.path / "refs/epoch" / epoch).write_bytes(b"x" * 33)
    assert not is_current(repo.store, epoch)
    problem = fsck(repo).problems[0]
    assert (problem.kind, problem.object) == ("damaged-ref", f"refs/epoch/{epoch}")
    assert "its own name" in problem.message
