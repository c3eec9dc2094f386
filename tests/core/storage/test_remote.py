from __future__ import annotations

import uuid
from collections.abc import Iterator

import fsspec
import pytest

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, InvalidInputError, StorageError
from mu2net_core.storage import Store, open_store
from mu2net_core.storage.remote import FsspecStore
from mu2net_core.testing.stores import StoreTests


@pytest.fixture
def url() -> Iterator[str]:
    name = uuid.uuid4().hex
    yield f"memory://{name}"
    memory = fsspec.filesystem("memory")
    if memory.exists(name):
        memory.rm(name, recursive=True)


class TestMemoryStore(StoreTests):
    @pytest.fixture
    def store(self, url: str) -> Store:
        return open_store(url)

    def test_two_stores_at_one_url_share(self, url: str, store: Store) -> None:
        store.create("a", b"one")
        assert open_store(url).read("a") == b"one"

    def test_has_no_local_files(self, store: Store) -> None:
        store.create("a", b"one")
        assert store.local_path("a") is None


@pytest.mark.parametrize("url", ["s3://bucket/x", "http://host/x", "sftp://me:secret@host/x?token=secret"])
def test_schemes_that_may_overwrite_are_refused(url: str) -> None:
    with pytest.raises(
        InvalidInputError, match="expected a folder, or a URL that begins with file://; got the scheme"
    ) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def _flaky(store: FsspecStore, monkeypatch: pytest.MonkeyPatch, *, failures: int, lands: bool) -> None:
    """Makes the first ``failures`` writes fail; with ``lands`` after they were done, so that the reply is lost."""
    put, left = store._put, [failures]

    def put_badly(path: str, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0 or lands:
            put(path, data)
        if left[0] >= 0:
            raise ConnectionResetError("reset")

    monkeypatch.setattr(store, "_put", put_badly)


def test_a_lost_reply_is_success(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FsspecStore(url, sleep=lambda _: None)
    _flaky(store, monkeypatch, failures=1, lands=True)
    assert store.create("a", b"one") is True


def test_a_dropped_request_is_repeated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    store = FsspecStore(url, sleep=waits.append)
    _flaky(store, monkeypatch, failures=3, lands=False)
    assert store.create("a", b"one") is True
    assert len(waits) == 3


def test_a_lost_reply_of_anothers_write_is_a_conflict(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FsspecStore(url, sleep=lambda _: None)
    store.create("a", b"theirs")
    _flaky(store, monkeypatch, failures=1, lands=False)
    with pytest.raises(AlreadyExistsError):
        store.create("a", b"ours")


def test_a_storage_that_stays_away_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FsspecStore(url, sleep=lambda _: None)
    _flaky(store, monkeypatch, failures=100, lands=False)
    with pytest.raises(StorageError, match="6 attempts failed"):
        store.create("a", b"one")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(PermissionError("no"), AccessDeniedError), (ConnectionResetError("reset"), StorageError)],
    ids=["refused", "reset"],
)
def test_every_failure_is_one_of_ours(
    url: str, monkeypatch: pytest.MonkeyPatch, failure: OSError, expected: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    store = FsspecStore(url, sleep=lambda _: None)
    for name in ("cat_file", "pipe_file", "find", "isfile", "rm_file", "info"):
        monkeypatch.setattr(store._fs, name, fail)
    calls = (store.read, store.exists, store.delete, store.size, lambda key: list(store.list(key)))
    for call in (*calls, lambda key: store.create(key, b"x")):
        with pytest.raises(expected, match="a"):
            call("a")
