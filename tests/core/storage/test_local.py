from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, ConflictError, NotFoundError, StorageError
from mu2net_core.storage import FileLock, LocalStore, Store, files, open_store, replace_file
from mu2net_core.testing.conformance.stores import StoreTests


class TestLocalStore(StoreTests):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path)

    def test_what_another_deletes_while_it_is_compared_is_created(
        self, store: LocalStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.create("a/b", b"one")
        real = LocalStore.read

        def vanished(self: LocalStore, key: str, **options: int) -> bytes:
            monkeypatch.setattr(LocalStore, "read", real)
            self.delete(key)
            return real(self, key, **options)

        monkeypatch.setattr(LocalStore, "read", vanished)
        assert store.create("a/b", b"one") is True
        assert store.create("a/b", b"one") is False
        assert store.read("a/b") == b"one"

    @pytest.mark.parametrize("step", ["mkdir", "open"])
    def test_in_a_folder_that_others_make_or_remove_at_that_moment_it_is_created(
        self, store: LocalStore, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        store.root.chmod(0o2775)
        real, parents = getattr(os, step), list[Path]()

        def disturbed(path: str | Path, *args: int) -> object:
            if files.TEMP_PREFIX in str(path) and Path(path).parent not in (store.root, *parents):
                parents.append(Path(path).parent)
                parents[-1].rmdir()  # as the folder of another does that takes the place of one with nothing in it
            return real(path, *args)

        monkeypatch.setattr(os, step, disturbed)
        assert store.create("a/b/c", b"one") is True
        assert parents
        assert store.read("a/b/c") == b"one"

    def test_a_folder_that_never_stays_is_told(self, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mu2net_core.storage.local.make_folder", lambda *args, **options: None)
        with pytest.raises(StorageError, match=r"Cannot write .*/a/b: No such file or directory"):
            store.create("a/b", b"one")

    def test_what_is_there_and_cannot_be_read_is_told(self, store: LocalStore) -> None:
        os.mkfifo(store.root / "broken")
        with pytest.raises(StorageError, match="a file is there, and is gone when it is read"):
            store.create("broken", b"")

    def test_gives_the_file_for_mapping(self, store: Store) -> None:
        store.create("a/b", b"one")
        path = store.local_path("a/b")
        assert path is not None
        assert path.read_bytes() == b"one"

    @pytest.mark.parametrize("many", [0, 200])
    def test_what_is_created_together_is_forced_to_the_disk_at_the_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
    ) -> None:
        synced: list[str] = []
        monkeypatch.setattr(files, "_MANY", many)
        monkeypatch.setattr(os, "fsync", lambda handle: synced.append(str(Path(f"/proc/self/fd/{handle}").readlink())))
        monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
        store = LocalStore(tmp_path)
        with store.synced_together():
            store.create("a/b/c", b"one")
            store.create("a/b/d", b"two")
            store.create("a/b/d", b"two")
            assert not synced
        places = {str(tmp_path / place) for place in (".", "a", "a/b", "a/b/c", "a/b/d")}
        assert set(synced) == ({"all"} if many == 0 else places)
        synced.clear()
        store.create("a/e", b"three")
        assert str(tmp_path / "a") in synced

    def test_unfinished_files_are_not_keys(self, store: Store, tmp_path: Path) -> None:
        store.create("a/b", b"one")
        (tmp_path / "a" / ".tmp-0123").write_bytes(b"half")
        assert list(store.list("")) == ["a/b"]

    def test_leaves_no_temporary_files(self, store: Store, tmp_path: Path) -> None:
        store.create("a/b", b"one")
        store.create("a/b", b"one")
        with pytest.raises(AlreadyExistsError):
            store.create("a/b", b"two")
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]

    def test_a_file_where_a_folder_should_be(self, store: Store) -> None:
        store.create("a", b"one")
        with pytest.raises(AlreadyExistsError, match="file and a folder"):
            store.create("a/b", b"two")
        store.create("c/d", b"one")
        with pytest.raises(AlreadyExistsError, match="file and a folder"):
            store.create("c", b"two")


def test_open_store_knows_folders_and_file_urls(tmp_path: Path) -> None:
    for where in (tmp_path, str(tmp_path), f"file://{tmp_path}"):
        assert open_store(where).url == str(tmp_path)


def test_a_file_system_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(StorageError, match="makes no hard links"):
        LocalStore(tmp_path).create("a/b", b"one")
    assert list((tmp_path / "a").iterdir()) == []


def test_a_link_whose_reply_was_lost_counts_as_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def link_twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    assert LocalStore(tmp_path).create("a/b", b"one") is True


def test_a_process_killed_while_writing_leaves_no_half_object(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from mu2net_core.storage import LocalStore, files
write, left = os.write, [3]
def slow(handle, view):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(handle, view[:1000])
os.write = slow
LocalStore(Path(sys.argv[1])).create("a/b", bytes(10_000))
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert len(list((tmp_path / "a").iterdir())) == 1, "a temporary file should have been left behind"
    store = LocalStore(tmp_path)
    assert list(store.list("")) == []
    assert store.create("a/b", b"whole") is True


_FILL = """
import sys
from pathlib import Path
from mu2net_core.errors import StorageError
from mu2net_core.storage import LocalStore, replace_file
store = LocalStore(Path(sys.argv[1]))
{limit}
store.create("small", b"fits")
for number, write in enumerate((lambda: store.create("a/big", bytes(400_000)),
                                lambda: replace_file(store.root / "small", bytes(400_000)))):
    try:
        write()
    except StorageError as exc:
        assert "disk full" in str(exc), exc
    else:
        sys.exit("the disk was not full")
assert list(store.list("")) == ["small"], list(store.list(""))
assert store.read("small") == b"fits"
assert not [p for p in store.root.rglob(".tmp-*")], "unfinished files stay and keep the disk full"
"""


def _run_filled(folder: Path, limit: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FILL.format(limit=limit), str(folder)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_file_size_limit_reads_as_a_full_disk(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    _run_filled(tmp_path, limit)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a small disk here; the file size limit above stands in for it")
    try:
        _run_filled(tmp_path, "")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    opened = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AccessDeniedError, match="Cannot write"):
        LocalStore(tmp_path).create("a/b", b"one")
    with pytest.raises(AccessDeniedError, match="Cannot lock"), FileLock(tmp_path / "lock"):
        pass


def test_every_failure_of_the_disk_is_one_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    store, lstat = LocalStore(tmp_path), os.lstat
    store.create("a/b", b"one")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", fail)
        broken.setattr("builtins.open", fail)
        broken.setattr(os, "lstat", lambda path: fail() if str(path).endswith("b") else lstat(path))
        broken.setattr(os, "scandir", fail)
        for call in (store.read, store.delete, store.size, lambda key: list(store.list(key))):
            with pytest.raises(StorageError, match="Input/output error"):
                call("a/b")
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fail)
        with pytest.raises(StorageError, match="Cannot write"):
            replace_file(tmp_path / "a" / "b", b"two")
    assert [path.read_bytes() for path in (tmp_path / "a").iterdir()] == [b"one"]


def test_below_a_file_there_is_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("a", b"one")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert list(store.list("a")) == []
    for ask in (store.read, store.size):
        with pytest.raises(NotFoundError):
            ask("a/b")


def test_replace_file_replaces_as_a_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / "new" / "file", b"one")
    replace_file(tmp_path / "new" / "file", b"two")
    assert (tmp_path / "new" / "file").read_bytes() == b"two"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(ConflictError, match=f"the evolve of x: process {os.getpid()} "),
        FileLock(tmp_path / "lock", what="the evolve of x"),
    ):
        pass
    with FileLock(tmp_path / "lock"):
        pass


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from mu2net_core.storage import FileLock\n"
        "FileLock(pathlib.Path(sys.argv[1])).__enter__(); print(os.getpid(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        pid = holder.stdout.readline().strip()
        with pytest.raises(ConflictError, match=f"process {pid} "), FileLock(tmp_path / "lock"):
            pass
        holder.kill()
    with FileLock(tmp_path / "lock"):
        pass


def test_hidden_files_are_no_keys(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("refs/tags/v1", b"x")
    for name in (".DS_Store", ".nfs0001", ".tmp-1"):
        (tmp_path / "refs" / "tags" / name).write_bytes(b"")
    assert list(store.list("refs")) == ["refs/tags/v1"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFoundError, match="what is there is no file"):
        store.read("pipe")
    with pytest.raises(AlreadyExistsError, match="other content"):
        store.create("pipe", b"x")
