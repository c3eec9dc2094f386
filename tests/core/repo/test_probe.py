from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, NotFoundError, StorageError
from mu2net_core.repo import create_repository
from mu2net_core.repo.core.remote_config import Remote
from mu2net_core.repo.probing.place_probe import ProbeReport, probe, refusal
from mu2net_core.repo.probing.probe_notes import vet
from mu2net_core.repo.remotes.remotes import RemoteRepository
from mu2net_core.storage import LocalStore, Store, open_store
from mu2net_core.testing.servers.wrappers import WrappedStore


def now() -> datetime:
    return datetime.now(UTC)


class Server(WrappedStore):
    """A store that is no local folder, and forbids some methods."""

    def __init__(self, inner: Store, *, forbids: tuple[str, ...] = ()) -> None:
        super().__init__(inner)
        self.forbids = forbids

    def local_path(self, key: str) -> Path | None:
        return None

    def before(self, method: str, key: str) -> None:
        if method in self.forbids:
            raise AccessDeniedError(f"No right to {method} {key}.")


class Overwriting(Server):
    """Ignores the condition."""

    def create(self, key: str, data: bytes) -> bool:
        self.inner.delete(key)
        return super().create(key, data)


class Racy(Server):
    """Looks and then writes, as a gateway does that checks by itself."""

    def __init__(self, inner: Store, *, forbids: tuple[str, ...] = ()) -> None:
        super().__init__(inner, forbids=forbids)
        self._all_have_looked = Barrier(16)

    def create(self, key: str, data: bytes) -> bool:
        if self.inner.exists(key):
            return super().create(key, data)
        if "race" in key and not key.endswith("raced"):
            self._all_have_looked.wait(timeout=120)
        try:
            return super().create(key, data)
        except AlreadyExistsError:
            return True


pytestmark = pytest.mark.usefixtures("all_races")


@pytest.fixture
def inner(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "place")


def test_a_folder_is_safe_and_stays_as_it_was(tmp_path: Path) -> None:
    report = probe(LocalStore(tmp_path / "deep" / "place"), now=now)
    assert (report.verdict, report.reason, report.is_repository, report.num_races) == ("safe", None, False, 2)
    assert refusal(report) is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "place").mkdir()
    probe(LocalStore(tmp_path / "place"), now=now)
    assert list((tmp_path / "place").iterdir()) == []


def test_a_repository_stays_as_it_was(tmp_path: Path) -> None:
    create_repository(tmp_path / "shared", preset="vit-ti0", bare=True)
    before = sorted(tmp_path.rglob("*"))
    report = probe(LocalStore(tmp_path / "shared"), now=now)
    assert (report.verdict, report.is_repository) == ("safe", True)
    assert sorted(tmp_path.rglob("*")) == before


def test_memory_is_safe() -> None:
    store = open_store("memory://probe")
    report = probe(store, now=now)
    assert (report.verdict, report.num_races) == ("safe", 6)
    assert list(store.list("")) == []


def test_a_server_is_raced_and_timed(inner: LocalStore) -> None:
    report = probe(Server(inner), now=now, clock=iter(range(10_000)).__next__)
    assert (report.verdict, report.num_races, report.can_push) == ("safe", 6, True)
    assert (report.read_s, report.create_s) == (1, 1)
    assert list(inner.list("")) == []


def test_one_that_ignores_the_condition_is_refused(inner: LocalStore) -> None:
    report = probe(Overwriting(inner), now=now)
    assert (report.verdict, report.can_push) == ("unsafe", False)
    assert "ignores the condition" in str(report.reason)
    error = refusal(report)
    assert isinstance(error, StorageError)
    assert "If-None-Match" in str(error.hint)
    assert list(inner.list("")) == []


def test_one_that_refuses_only_one_after_the_other_is_refused(inner: LocalStore) -> None:
    report = probe(Racy(inner), now=now)
    assert report.verdict == "unsafe"
    assert "16 of 16 writers" in str(report.reason)
    assert "one after the other, it does refuse the second" in str(report.reason)
    assert list(inner.list("")) == []


def test_one_that_refuses_and_overwrites_all_the_same_is_refused(inner: LocalStore) -> None:
    class Liar(Server):
        def create(self, key: str, data: bytes) -> bool:
            there = self.inner.exists(key)
            self.inner.delete(key)
            self.inner.create(key, data)
            if there:
                raise AlreadyExistsError(key)
            return True

    report = probe(Liar(inner), now=now)
    assert report.verdict == "unsafe"
    assert "changed the object all the same" in str(report.reason)


class TestAppendOnly:
    def test_it_is_fine_and_never_gets_more_than_the_first_probe_left(self, inner: LocalStore) -> None:
        store = Server(inner, forbids=("delete",))
        first = probe(store, now=now)
        assert (first.verdict, first.num_races, first.can_push) == ("append-only", 6, True)
        assert "nothing can be deleted" in str(first.reason)
        left = {key: inner.read(key) for key in inner.list("")}
        assert len(left) == 9
        assert all(key.startswith("probe/") for key in left)
        for _ in range(2):
            again = probe(store, now=now, has_raced=True)
            assert (again.verdict, again.num_races, again.skew_s) == ("append-only", 0, None)
            assert {key: inner.read(key) for key in inner.list("")} == left

    def test_one_that_overwrites_is_found_out_every_time(self, inner: LocalStore) -> None:
        store = Overwriting(inner, forbids=())
        store.delete = Server(inner, forbids=("delete",)).delete  # type: ignore[method-assign]
        assert [probe(store, now=now).verdict for _ in range(2)] == ["unsafe", "unsafe"]

    def test_one_that_lost_a_race_is_known_by_it(self, inner: LocalStore) -> None:
        assert probe(Racy(inner, forbids=("delete",)), now=now).verdict == "unsafe"
        again = probe(Server(inner, forbids=("delete",)), now=now)
        assert again.verdict == "unsafe"
        assert "when it was first probed" in str(again.reason)

    def test_a_first_probe_that_was_killed_is_no_obstacle(self, inner: LocalStore) -> None:
        for number in range(3):
            inner.create(f"probe/kept/race-{number}", b"of a probe that was killed")
        report = probe(Server(inner, forbids=("delete",)), now=now)
        assert (report.verdict, report.num_races) == ("append-only", 6)

    def test_that_races_ended_well_is_not_believed_of_others(self, inner: LocalStore) -> None:
        inner.create("probe/kept/raced", b"one writer won every race\n")
        assert probe(Racy(inner, forbids=("delete",)), now=now).verdict == "unsafe"
        good = probe(Server(inner, forbids=("delete",)), now=now)
        assert (good.verdict, good.num_races) == ("append-only", 6)

    def test_a_working_copy_races_once(self, inner: LocalStore, tmp_path: Path) -> None:
        inner.create("probe/kept/raced", b"one writer won every race\n")
        store = Server(inner, forbids=("delete",))
        for state, races in (("ann", 6), ("ann", 0), ("bob", 6), ("bob", 0)):
            reached = RemoteRepository(Remote(name="origin", url=str(inner.root)), store)
            assert vet(tmp_path / state, reached, now=now).num_races == races


class TestRights:
    def test_without_that_to_write_it_is_for_reading(self, inner: LocalStore) -> None:
        report = probe(Server(inner, forbids=("create",)), now=now)
        assert (report.verdict, report.can_push, report.create_s) == ("read-only", False, None)
        error = refusal(report)
        assert isinstance(error, AccessDeniedError)
        assert "No right to create" in error.message

    @pytest.mark.parametrize(("right", "hint"), [("list", "s3:ListBucket"), ("read", "None")])
    def test_without_those_to_read_it_is_of_no_use(self, inner: LocalStore, right: str, hint: str) -> None:
        with pytest.raises(AccessDeniedError, match=f"No right to {right}") as info:
            probe(Server(inner, forbids=(right,)), now=now)
        assert hint in str(info.value.hint)
        assert list(inner.list("")) == []

    def test_a_folder_without_write_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        create_repository(tmp_path / "shared", preset="vit-ti0", bare=True)

        def refuse(path: object, *args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "mkdir", refuse)  # chmod would not stop the superuser
        report = probe(LocalStore(tmp_path / "shared"), now=now)
        assert (report.verdict, report.is_repository) == ("read-only", True)


def test_an_unreachable_one_says_so(inner: LocalStore) -> None:
    class Dead(Server):
        def before(self, method: str, key: str) -> None:
            raise StorageError("Cannot reach it.")

    with pytest.raises(StorageError, match="Cannot reach it"):
        probe(Dead(inner), now=now)


def test_one_that_fails_in_the_middle_is_cleared(inner: LocalStore) -> None:
    class Failing(Server):
        def before(self, method: str, key: str) -> None:
            if key.endswith("race-2") and method == "create":
                raise StorageError("The line is cut.")

    with pytest.raises(StorageError, match="The line is cut"):
        probe(Failing(inner), now=now)
    assert list(inner.list("")) == []


def test_one_that_shows_old_content_is_refused(inner: LocalStore) -> None:
    class Late(Server):
        def read(self, key: str, *, limit: int | None = None) -> bytes:
            if self.calls[f"late {key}"] == 0 and key.endswith("one"):
                self.calls[f"late {key}"] += 1
                raise NotFoundError(key)
            return super().read(key, limit=limit)

    report = probe(Late(inner), now=now)
    assert report.verdict == "unsafe"
    assert "not what is read back" in str(report.reason)


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 42.0])
def test_clocks_are_compared(inner: LocalStore, ahead_s: float) -> None:
    class Ahead(Server):
        def modified(self, key: str) -> datetime:
            return datetime(2026, 5, 1, 12, tzinfo=UTC) + timedelta(seconds=ahead_s)

    report = probe(Ahead(inner), now=lambda: datetime(2026, 5, 1, 12, tzinfo=UTC), clock=lambda: 0.0)
    assert report.skew_s == ahead_s


def test_two_probes_at_once_do_not_disturb_each_other(inner: LocalStore) -> None:
    def check(_number: int) -> ProbeReport:
        return probe(Server(inner), now=now)

    with ThreadPoolExecutor(4) as pool:
        assert {report.verdict for report in pool.map(check, range(4))} == {"safe"}
    assert list(inner.list("")) == []


def test_what_a_killed_probe_left_is_cleared_by_a_later_one(inner: LocalStore) -> None:
    for key, age_s in (("old/one", 4000), ("new/one", 100), ("kept/one", 9000)):
        inner.create(f"probe/{key}", b"x")
        os.utime(inner.root / "probe" / key, (now().timestamp() - age_s,) * 2)
    probe(Server(inner), now=now)
    assert list(inner.list("")) == ["probe/kept/one", "probe/new/one"]
