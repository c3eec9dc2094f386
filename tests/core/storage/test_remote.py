from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import md5
from typing import Any

import fsspec
import pytest

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, InvalidInputError, StorageError
from mu2net_core.storage import Store, open_store, places
from mu2net_core.storage.backend import Failure, Info, Trouble
from mu2net_core.storage.memory import MemoryBackend
from mu2net_core.storage.patience import Patience
from mu2net_core.storage.places import parse_place
from mu2net_core.storage.remote import FsspecStore
from mu2net_core.testing.conformance.stores import StoreTests


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


@pytest.mark.parametrize("url", ["http://host/x", "sftp://me:secret@host/x?token=secret"])
def test_schemes_that_may_overwrite_are_refused(url: str) -> None:
    with pytest.raises(
        InvalidInputError, match=r"expected a folder, or a URL that begins .*; got the scheme"
    ) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["s3://KEY:secret@bucket/x", "s3://secret@bucket/x", "gs://bucket/x?token=secret", "abfs://box:secret@host/x"],
)
def test_urls_that_hold_secrets_are_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="holds no user name, password, port or query") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "gs://-/x", "s3://a b/x"])
def test_urls_without_a_bucket_are_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"expected .*://BUCKET/FOLDER"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("memory://x", {"region": "here"}, "option 'region': it takes none"),
        ("s3://x", {"account": "me"}, "option 'account': it takes anonymous, endpoint, profile, region"),
        ("gs://x", {"anonymous": "yes"}, "anonymous: expected true or false; got 'yes'"),
        ("abfs://x", {"endpoint": "http://me@here"}, "expected https://HOST"),
    ],
)
def test_options_that_mean_nothing_are_refused(url: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        open_store(url, options)


@pytest.mark.parametrize(("url", "extra"), [("s3://x/y", "s3"), ("gs://x/y", "gcs"), ("az://x/y", "azure")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, url: str, extra: str) -> None:
    monkeypatch.setattr(places, "find_spec", lambda _: None)
    with pytest.raises(InvalidInputError, match=re.escape(f"pip install 'mu2net[{extra}]'")):
        open_store(url)


class Flaky(MemoryBackend):
    """Fails ``failures`` times with ``exc``; with ``lands`` after a write was done, so that the reply is lost."""

    def __init__(self, url: str, exc: Exception, *, failures: int = 1000, lands: bool = False) -> None:
        super().__init__(parse_place(url), {})
        self.exc, self.failures, self.lands = exc, failures, lands
        self.waits: list[float] = []

    def store(self) -> FsspecStore:
        """Returns it as a store for which no time passes."""
        return FsspecStore(self, sleep=self.waits.append, clock=lambda: 0.0)

    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        if self.lands or self.failures <= 0:
            super().put(path, data, exclusive=exclusive)
        self._fail()

    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        if not self.lands and self.failures > 1:
            self._fail()
        return super().get(path, stop=stop)

    def head(self, path: str) -> Info:
        self._fail()
        return super().head(path)

    def delete(self, path: str) -> None:
        self._fail()
        super().delete(path)

    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:
        self._fail()
        return super().page(prefix, after)

    def _fail(self) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise self.exc


RESET = ConnectionResetError("reset")


def test_a_lost_reply_is_success(url: str) -> None:
    assert Flaky(url, RESET, failures=1, lands=True).store().create("a", b"one") is True


@pytest.mark.parametrize("size", [3, 100_000], ids=["small", "large"])
def test_a_dropped_request_is_repeated(url: str, size: int) -> None:
    backend = Flaky(url, RESET, failures=3)
    assert backend.store().create("a", bytes(size)) is True
    assert 2 <= len(backend.waits) <= 3
    assert open_store(url).size("a") == size


def test_a_lost_reply_of_anothers_write_is_a_conflict(url: str) -> None:
    open_store(url).create("a", b"theirs")
    with pytest.raises(AlreadyExistsError):
        Flaky(url, RESET, failures=1).store().create("a", b"ours")


def test_a_large_object_is_compared_without_reading_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(100_000)
    store = open_store(url)
    store.create("a", data)
    head = MemoryBackend.head

    def head_with_md5(self: MemoryBackend, path: str) -> Info:
        return replace(head(self, path), md5=md5(data, usedforsecurity=False).digest())

    monkeypatch.setattr(MemoryBackend, "head", head_with_md5)
    monkeypatch.setattr(MemoryBackend, "get", None)
    assert store.create("a", data) is False
    with pytest.raises(AlreadyExistsError):
        store.create("a", data[1:])


def test_an_unknown_md5_decides_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = MemoryBackend.head
    monkeypatch.setattr(MemoryBackend, "head", lambda self, path: replace(head(self, path), md5=b"of other bytes"))
    store = open_store(url)
    store.create("a", bytes(100_000))
    assert store.create("a", bytes(100_000)) is False
    with pytest.raises(AlreadyExistsError):
        store.create("a", bytes(99_999) + b"x")


def test_a_storage_that_stays_away_is_an_error(url: str) -> None:
    backend = Flaky(url, RESET)
    with pytest.raises(StorageError, match=r"Cannot .* a in .*: reset .20 attempts in 0 s"):
        backend.store().create("a", b"one")
    assert len(backend.waits) == 19
    assert max(backend.waits) <= 4


@pytest.mark.parametrize(
    ("failure", "expected", "message"),
    [
        (PermissionError("no"), AccessDeniedError, "no. Credentials: none are needed"),
        (ConnectionResetError("reset"), StorageError, "reset .20 attempts"),
        (RuntimeError("odd"), StorageError, "odd[.]"),
    ],
    ids=["refused", "reset", "unknown"],
)
def test_every_failure_is_one_of_ours(url: str, failure: Exception, expected: type[Exception], message: str) -> None:
    calls: list[Callable[[FsspecStore], object]] = [
        lambda store: store.create("a", b"x"),
        lambda store: store.read("a"),
        lambda store: store.refresh("a", b"x"),
        lambda store: store.exists("a"),
        lambda store: store.size("a"),
        lambda store: store.modified("a"),
        lambda store: store.delete("a"),
        lambda store: list(store.list("a")),
    ]
    for call in calls:
        with pytest.raises(expected, match=f"Cannot .* a in {url}: .*({message})"):
            call(Flaky(url, failure).store())


def test_a_stranger_whose_first_answer_takes_long_is_asked_twice_more() -> None:
    now, told = [0.0], list[bool]()
    patience = Patience(lambda _: None, clock=lambda: now[0])
    while not told or told[-1]:
        now[0] += 5  # of each attempt
        told.append(patience.again(Trouble.AWAY, was_reached=False))
    assert told == [True, True, False]


def test_no_new_attempt_after_a_while(url: str) -> None:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += 9

    patience = Patience(wait, clock=lambda: now[0])
    assert [patience.again(Trouble.LOST) for _ in range(3)] == [True, True, False]
    patience = Patience(wait, clock=lambda: now[0])
    assert [patience.again(Trouble.BUSY) for _ in range(8)] == [True] * 7 + [False]


class Answering(Flaky):
    """Says of every failure what it is told to say."""

    def __init__(self, url: str, trouble: Trouble, **more: Any) -> None:
        super().__init__(url, RuntimeError("told so"), **more)
        self.trouble = trouble

    def failure(self, exc: Exception) -> Failure:
        if exc is self.exc:
            return Failure(trouble=self.trouble, reason="told so", hint="do this")
        return super().failure(exc)


def test_a_storage_that_says_not_now_is_asked_again_without_reading_back(url: str) -> None:
    backend = Answering(url, Trouble.BUSY, failures=5)
    assert backend.store().create("a", b"one") is True
    assert len(backend.waits) == 5
    with pytest.raises(StorageError, match=r"Cannot write b in .*: told so .20 attempts"):
        Answering(url, Trouble.BUSY).store().create("b", b"one")


def test_what_cannot_be_read_back_is_not_called_written(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(url).create("a", b"one")

    def denied(*_: object, **__: object) -> bytes:
        raise PermissionError("write-only")

    monkeypatch.setattr(MemoryBackend, "get", denied)
    with pytest.raises(StorageError, match=r"Cannot tell whether a was written .*write-only"):
        open_store(url).create("a", b"one")


def test_a_refusal_passes_its_hint_on(url: str) -> None:
    with pytest.raises(StorageError, match=r"Cannot write a in .*: told so\.\ndo this"):
        Answering(url, Trouble.REFUSED).store().create("a", b"one")
    with pytest.raises(StorageError, match="there is no bucket"):
        Answering(url, Trouble.NO_BUCKET).store().read("a")


def test_the_bucket_is_looked_for_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def look(self: MemoryBackend) -> None:
        looks.append(self)

    monkeypatch.setattr(Answering, "look", look)
    store = Answering(url, Trouble.NOTHING).store()
    for _ in range(3):
        assert not store.exists("a")
    assert len(looks) == 1


@pytest.mark.parametrize("url", ["s3://x", "gs://x", "abfs://x"])
def test_anonymous_says_so(url: str) -> None:
    assert open_store(url, {"anonymous": "true"}).credentials() == "none, as the option anonymous says"  # type: ignore[attr-defined]
