"""Folders that a group shares, whatever the umask of whoever writes; and what is said where rights are missing."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.check_remote import check
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import AccessDeniedError, Mu2netError, StorageError
from mu2net_core.repo import Repository
from mu2net_core.storage import FileLock, LocalStore, replace_file
from mu2net_core.storage.files import read_if_there, translate
from mu2net_core.testing.building.samples import add_sample_task, sample_repository

GROUP = stat.S_IRGRP | stat.S_IWGRP


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Sets the umask that most people have, or one that gives the group nothing; returns it."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Returns a folder as `mkdir shared; chmod 2775 shared` makes it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o2775)
    return folder


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_that_is_pushed_below_a_shared_folder_can_be_written_by_its_group(
    umask: int, shared: Path, tmp_path: Path, context: Context
) -> None:
    repo = sample_repository(tmp_path / "work")
    add_sample_task(repo, "a")
    remote.add(repo, context, "origin", str(shared / "deep" / "system"))
    push(repo, context)
    found = list((shared / "deep").rglob("*"))
    assert any(path.is_file() for path in found)
    for path in found:
        assert _mode(path) & GROUP == GROUP, path
        if path.is_dir():
            assert _mode(path) & (stat.S_ISGID | stat.S_IXGRP) == stat.S_ISGID | stat.S_IXGRP, path


def test_a_working_copy_is_as_the_umask_says_wherever_it_lies(
    umask: int, shared: Path, tmp_path: Path, context: Context
) -> None:
    hub = sample_repository(shared / "hub")
    add_sample_task(hub, "a")
    clone(str(shared / "hub"), shared / "mine", context)
    for folder in (shared / "hub", shared / "mine"):
        assert [path for path in folder.rglob("*") if _mode(path) & stat.S_IWGRP] == []


def test_other_folders_are_as_the_umask_says(umask: int, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.create("a/b", b"x")
    assert _mode(tmp_path / "store" / "a") == 0o777 & ~umask
    assert _mode(tmp_path / "store" / "a" / "b") == 0o666 & ~umask


def test_a_folder_that_is_open_to_everybody_stays_so_below_but_not_one_like_tmp(umask: int, tmp_path: Path) -> None:
    for mode, expected in ((0o777, True), (0o1777, False)):
        folder = tmp_path / f"{mode:o}"
        folder.mkdir()
        folder.chmod(mode)
        LocalStore(folder / "system").create("a/b", b"x")
        assert bool(_mode(folder / "system" / "a" / "b") & stat.S_IWOTH) is expected
        assert bool(_mode(folder / "system" / "a") & stat.S_IWOTH) is expected


def test_what_is_replaced_or_locked_in_a_shared_folder_stays_shared(umask: int, shared: Path) -> None:
    replace_file(shared / "config.toml", b"x")
    with FileLock(shared / "state" / "lock"):
        pass
    assert _mode(shared / "config.toml") & GROUP == GROUP
    assert _mode(shared / "state" / "lock") & GROUP == GROUP


def test_a_folder_that_only_looks_shared_is_told_when_it_is_added_and_checked(
    repo: Repository, shared: Path, context: Context
) -> None:
    add_sample_task(repo, "a")
    told: list[str] = []
    context = replace(context, warn=told.append)
    remote.add(repo, context, "first", str(shared / "system"))
    push(repo, context, "first")
    assert told == []
    tasks = shared / "system" / "refs" / "heads"
    tasks.chmod(0o2755)
    remote.add(repo, context, "second", str(shared / "system"))
    assert len(told) == 1
    assert f"{tasks} is " in told[0]
    assert f"chmod -R g+rwX {shared}/system" in told[0]
    report = check(repo, context, "second")[0].report
    assert report is not None
    assert f"{tasks} is " in (report.remark or "")


KINDS = {
    errno.EACCES: (AccessDeniedError, "permissions"),
    errno.EPERM: (AccessDeniedError, "permissions"),
    errno.EROFS: (AccessDeniedError, "for reading only"),
    errno.ENOSPC: (StorageError, "Free some space"),
    errno.EDQUOT: (StorageError, "Free some space"),
    errno.ENOTDIR: (StorageError, "is a file"),
    errno.ELOOP: (StorageError, "circle"),
    errno.ENAMETOOLONG: (StorageError, "shorter"),
    errno.EIO: (StorageError, "disk or the network share"),
    errno.ESTALE: (StorageError, "network share"),
    errno.EMFILE: (StorageError, "ulimit"),
}


@pytest.mark.parametrize("number", KINDS, ids=lambda number: errno.errorcode[number])
def test_each_kind_of_failing_disk_says_what_to_do(number: int, tmp_path: Path) -> None:
    kind, word = KINDS[number]
    error = translate(OSError(number, os.strerror(number), str(tmp_path / "x")), "read", tmp_path / "x")
    assert isinstance(error, kind)
    assert error.exit_code == 5
    assert os.strerror(number) in error.message
    assert word in (error.hint or "")


def test_missing_rights_name_whose_the_nearest_folder_is(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o2755)
    error = translate(PermissionError(errno.EACCES, "Permission denied"), "write", tmp_path / "closed" / "new" / "file")
    assert f"{tmp_path}/closed is " in (error.hint or "")
    assert f"chmod -R g+rwX {tmp_path}/closed" in (error.hint or "")


def test_a_file_that_is_not_there_is_no_error_and_one_that_may_not_be_read_is(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "missing") is None
    (tmp_path / "file").touch()
    assert read_if_there(tmp_path / "file" / "below") is None
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StorageError, match=r"Cannot read .*loop"):
        read_if_there(tmp_path / "loop")


def _fail_on(number: int, monkeypatch: pytest.MonkeyPatch, *suffixes: str) -> None:
    """Lets every look at paths that end so fail, as a folder of somebody else does for all but root."""
    for name in ("stat", "open"):
        real = getattr(os, name)

        def failing(path, *args, real=real, **more):  # type: ignore[no-untyped-def]
            if str(path).endswith(suffixes):
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *args, **more)

        monkeypatch.setattr(os, name, failing)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG], ids=errno.errorcode.get)
@pytest.mark.parametrize("what", ["hub/.mu2net/config.toml", "hub/.mu2net"])
def test_a_place_that_cannot_be_read_is_a_storage_error_for_clone_and_remote_add(
    repo: Repository, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, what: str
) -> None:
    sample_repository(tmp_path / "hub")
    _fail_on(number, monkeypatch, what, f"{what}/config.toml")
    for verb in (
        lambda: clone(str(tmp_path / "hub"), tmp_path / "copy", context),
        lambda: remote.add(repo, context, "origin", str(tmp_path / "hub")),
        lambda: open_repo(tmp_path / "hub", context),
    ):
        with pytest.raises(Mu2netError) as caught:
            verb()
        assert caught.value.exit_code == 5
        assert str(tmp_path / "hub") in caught.value.message
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(("above", "expected"), [(0o755, 0o700), (0o700, 0o700), (0o775, 0o770), (0o2775, None)])
def test_nobody_else_looks_into_a_new_working_copy_unless_a_group_shares_the_folder(
    umask: int, above: int, expected: int | None, tmp_path: Path, context: Context
) -> None:
    hub = sample_repository(tmp_path / "hub", bare=True)
    for name in ("made", "cloned"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(above)
    sample_repository(tmp_path / "made")
    clone(str(hub.path), tmp_path / "cloned", context)
    for name in ("made", "cloned"):
        found = _mode(tmp_path / name / ".mu2net")
        assert found & 0o777 == (0o777 & ~umask if expected is None else expected & ~umask), oct(found)
    assert _mode(hub.path) & 0o777 == 0o777 & ~umask
