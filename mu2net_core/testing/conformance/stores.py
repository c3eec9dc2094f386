"""What every storage must do: inherit ``StoreTests``, give it the fixture ``store``, and run it with pytest."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from mu2net_core.errors import AlreadyExistsError, CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.storage import Store

__all__ = ["StoreTests"]

_BAD_KEYS = ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a/.hidden", "a\0", "a b", "a\n", "é"]


class StoreTests:
    """The contract of ``mu2net_core.storage.Store``, one behaviour a test."""

    def test_reads_what_was_created(self, store: Store) -> None:
        assert store.create("a/b.json", b"one") is True
        assert store.read("a/b.json") == b"one"
        assert store.size("a/b.json") == 3
        assert store.exists("a/b.json")

    def test_keeps_every_byte(self, store: Store) -> None:
        data = bytes(range(256)) * 4097
        store.create("a/big", data)
        assert store.read("a/big") == data

    def test_takes_every_letter_a_key_may_have(self, store: Store) -> None:
        keys = ["A-z_0.json", "a/b+c.d-e_f+g", "a/x-y+z/0.zarr.zip"]
        for key in keys:
            store.create(key, key.encode())
        assert [store.read(key) for key in keys] == [key.encode() for key in keys]
        assert list(store.list("")) == keys

    def test_keeps_nothing_as_nothing(self, store: Store) -> None:
        assert store.create("a/empty", b"") is True
        assert store.read("a/empty") == b""

    def test_creating_the_same_again_is_no_news(self, store: Store) -> None:
        store.create("a/b", b"one")
        assert store.create("a/b", b"one") is False

    def test_never_overwrites(self, store: Store) -> None:
        store.create("a/b", b"one")
        with pytest.raises(AlreadyExistsError, match=r"a/b .*exists already"):
            store.create("a/b", b"two")
        assert store.read("a/b") == b"one"

    def test_missing_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="a/b"):
            store.read("a/b")
        with pytest.raises(NotFoundError, match="a/b"):
            store.size("a/b")
        assert not store.exists("a/b")

    def test_reads_up_to_a_limit(self, store: Store) -> None:
        store.create("a/three", b"one")
        store.create("a/none", b"")
        assert store.read("a/three", limit=3) == b"one"
        assert store.read("a/none", limit=0) == b""
        with pytest.raises(CorruptObjectError, match=r"a/three .*size limit of 2 bytes"):
            store.read("a/three", limit=2)
        with pytest.raises(NotFoundError, match="a/missing"):
            store.read("a/missing", limit=3)

    @pytest.mark.parametrize("size", [3, 100_000])
    def test_says_whether_it_holds_the_same_bytes(self, store: Store, size: int) -> None:
        data = bytes(range(3)) + bytes(size - 3)
        store.create("a/b", data)
        assert store.holds("a/b", data)
        assert not store.holds("a/b", bytes(size))
        assert not store.holds("a/b", data + b"x")
        assert not store.holds("a/b", data[:-1])
        assert not store.holds("a/missing", data)

    def test_knows_when_it_was_written(self, store: Store) -> None:
        store.create("a/b", b"one")
        written = store.modified("a/b")
        assert abs(datetime.now(UTC) - written) < timedelta(minutes=5)
        assert store.modified("a/b") == written
        with pytest.raises(NotFoundError, match="a/missing"):
            store.modified("a/missing")

    def test_refreshing_makes_it_new(self, store: Store) -> None:
        store.create("a/b", b"one")
        written = store.modified("a/b")
        _wait_for_the_clock(store, written)
        store.refresh("a/b", b"one")
        assert store.modified("a/b") > written
        assert store.read("a/b") == b"one"
        store.refresh("a/missing", b"two")
        assert store.read("a/missing") == b"two"

    def test_a_folder_is_not_a_key(self, store: Store) -> None:
        store.create("a/b/c", b"one")
        with pytest.raises(NotFoundError):
            store.read("a/b")
        assert not store.exists("a/b")

    def test_lists_everything_below_a_prefix_sorted(self, store: Store) -> None:
        for key in ("b/2", "b/1", "b-a", "b/c/d", "bb/1", "a"):
            store.create(key, b"x")
        assert list(store.list("")) == ["a", "b-a", "b/1", "b/2", "b/c/d", "bb/1"]
        assert list(store.list("b")) == list(store.list("b/")) == ["b/1", "b/2", "b/c/d"]
        assert list(store.list("none/such")) == []

    def test_sees_at_once_what_another_client_wrote(self, store: Store) -> None:
        assert list(store.list("a")) == []
        store.create("a/1", b"x")
        assert list(store.list("a")) == ["a/1"]
        store.delete("a/1")
        assert list(store.list("a")) == []
        assert not store.exists("a/1")

    def test_deleting_twice_is_fine(self, store: Store) -> None:
        store.create("a/b", b"one")
        store.delete("a/b")
        store.delete("a/b")
        store.delete("never/was")
        assert store.create("a/b", b"two") is True

    @pytest.mark.parametrize("key", _BAD_KEYS)
    def test_refuses_unsafe_keys(self, store: Store, key: str) -> None:
        with pytest.raises(InvalidInputError, match="Not a storage key"):
            store.create(key, b"x")
        with pytest.raises(InvalidInputError, match="Not a storage key"):
            store.read(key)

    def test_exactly_one_of_many_racing_writers_creates(self, store: Store) -> None:
        for round_ in range(20):
            outcomes = _race(store, f"race/{round_}", writers=8)
            assert sorted(outcomes) == ["created"] + ["refused"] * 7
            assert len(store.read(f"race/{round_}")) == 1000

    def test_racing_writers_of_the_same_bytes_all_succeed(self, store: Store) -> None:
        outcomes = _race(store, "race/same", writers=8, same=True)
        assert sorted(outcomes) == ["created"] + ["there"] * 7

    def test_its_url_names_it(self, store: Store) -> None:
        assert store.url


def _race(store: Store, key: str, *, writers: int, same: bool = False) -> list[str]:
    barrier = threading.Barrier(writers)
    outcomes: list[str] = []

    def write(number: int) -> None:
        data = bytes([0 if same else number]) * 1000
        barrier.wait()
        try:
            outcomes.append("created" if store.create(key, data) else "there")
        except AlreadyExistsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _wait_for_the_clock(store: Store, moment: datetime) -> None:
    """Writes markers until the storage's clock, which may tick in whole seconds, is past ``moment``."""
    number = 0
    while True:
        store.create(f"clock/{number}", b"")
        if store.modified(f"clock/{number}") > moment:
            return
        number += 1
