"""Pushes that stand still for days between sending and moving a head, while garbage is collected over there."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import examine
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.exchange import push_session as sending
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes import tracking
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.reports import Exchange, RemoteBehindError
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample
from mu2net_core.testing.servers.wrappers import WrappedStore
from mu2net_core.testing.worlds.sharing import add_tasks, commit_of, outcomes, pull, working_copy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["folder", "memory"])
def medium(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that has new work."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "cats", "dogs")
    push(repo, origin)
    evolve_sample(repo, "cats", score=0.9, trains=LAYERS, seed=9)
    return repo


class Clock:
    """A clock that somebody may move."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Sleepy(WrappedStore):
    """Around one request for a ref the pusher sleeps for days; what was sent and nothing refers to is collected."""

    def __init__(self, inner: Store, clock: Clock, moment: str, ref: str) -> None:
        super().__init__(inner)
        self.clock, self.moment, self.ref = clock, moment, ref
        self.sent: list[str] = []

    def before(self, method: str, key: str) -> None:
        if method == "create" and key.startswith(self.ref) and self.moment == "before":
            self.sleep()

    def after(self, method: str, key: str) -> None:
        if method == "create" and key.startswith("objects/"):
            self.sent.append(key)
            if key.startswith("objects/commit") and self.moment == "while sending":
                self.sleep()
        elif method == "create" and key.startswith(self.ref) and self.moment == "after":
            self.sleep()
        elif method == "create":
            self.sent.clear()  # a ref needs them now

    def sleep(self) -> None:
        for key in self.sent if self.clock.now == NOON else ():
            self.inner.delete(key)
        self.clock.now += timedelta(days=15)


def sleepy_push(repo: Repository, origin: Remote, moment: str, ref: str = "refs/heads/") -> Exchange:
    clock = Clock()

    def opened(url: str) -> Store:
        return Sleepy(open_store(url, origin.options), clock, moment, ref)

    return push(repo, origin, open_store=opened, clock=clock)


def is_whole(repo: Repository, origin: Remote) -> bool:
    return examine(patient_there(connect(origin), repo)).is_clean


MOMENTS = ["while sending", "before", "after"]


@pytest.mark.parametrize(
    ("medium", "moment"),
    [*((place, moment) for place in ("folder", "memory") for moment in MOMENTS), ("bucket", "after")],
)
def test_a_head_never_names_what_was_collected_meanwhile(ann: Repository, origin: Remote, moment: str) -> None:
    assert outcomes(sleepy_push(ann, origin, moment))["cats"] == "updated"
    assert is_whole(ann, origin)
    assert not read_tracking(ann.state, origin).unfinished


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("ref", ["refs/tags/", "refs/roots/"])
def test_neither_does_a_tag_or_a_root(ann: Repository, origin: Remote, moment: str, ref: str) -> None:
    root = ann.objects.put(replace(ann.objects.model(ann.refs.roots()["tiny"]), seed=5))
    ann.refs.create_root("more", root)
    heads = {"cats": commit_of(ann, "cats")}
    ann.refs.create_tag("v1", ann.objects.put(Snapshot(heads=heads, roots={"more": root})))
    sleepy_push(ann, origin, moment, ref)
    assert is_whole(ann, origin)


@pytest.mark.parametrize("medium", ["folder"])
def test_what_got_old_and_is_still_there_is_written_again(
    ann: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection that looked at the refs before the head moved deletes what is old, whatever has moved since."""
    clock, aged = Clock(), list[Path]()
    real = sending.move_heads
    before = set(Path(origin.url).rglob("objects/**/*.*"))

    def late(*args: object) -> object:
        clock.now += timedelta(days=15)
        then = time.time() - 15 * 86400
        for path in set(Path(origin.url).rglob("objects/**/*.*")) - before:
            os.utime(path, (then, then))
            aged.append(path)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sending, "move_heads", late)
    push(ann, origin, clock=clock)
    assert len(aged) > 4
    assert all(path.stat().st_mtime > time.time() - 3600 for path in aged)


@pytest.mark.parametrize("medium", ["memory"])
def test_a_push_that_takes_hours_asks_for_nothing_more(ann: Repository, origin: Remote) -> None:
    calls = []
    for step in (timedelta(), timedelta(hours=1)):
        clock, stores = Clock(), list[WrappedStore]()

        class Slow(WrappedStore):
            def before(self, method: str, key: str) -> None:
                clock.now += step if method == "create" else timedelta()  # noqa: B023

        def opened(url: str) -> Store:
            stores.append(Slow(open_store(url)))  # noqa: B023
            return stores[-1]  # noqa: B023

        evolve_sample(ann, "cats", score=0.95, trains=LAYERS, seed=len(calls))
        push(ann, origin, open_store=opened, clock=clock)
        calls.append({how: sum(store.calls[how] for store in stores) for how in ("exists", "modified", "refresh")})
    assert calls[0] == calls[1] == {"exists": 0, "modified": 0, "refresh": 0}


class Killed(BaseException):
    """What a kill -9 is to a test."""


@pytest.mark.parametrize("is_big", [False, True])
def test_who_was_killed_after_the_head_moved_mends_it_with_the_next_push(
    ann: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch, is_big: bool
) -> None:
    monkeypatch.setattr(tracking, "PAGE", 1 if is_big else 1000)
    sent: list[str] = []

    class Dying(WrappedStore):
        def after(self, method: str, key: str) -> None:
            if method == "create" and key.startswith("refs/heads/"):
                raise Killed
            if method == "create":
                sent.append(key)

    with pytest.raises(Killed):
        push(ann, origin, open_store=lambda url: Dying(open_store(url, origin.options)), clock=Clock())
    assert read_tracking(ann.state, origin).unfinished
    for key in sent:
        connect(origin).store.delete(key)
    push(ann, origin, clock=Clock())
    assert is_whole(ann, origin)
    assert not read_tracking(ann.state, origin).unfinished


@pytest.mark.parametrize("medium", ["memory"])
@pytest.mark.parametrize("is_big", [False, True])
def test_a_push_that_did_not_end_is_followed_by_one_that_looks_at_all(
    ann: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch, is_big: bool
) -> None:
    """However shortly before it was looked at: heads that were moved may need what is gone."""
    clock = Clock()
    push(ann, origin, clock=clock)
    push(ann, origin, clock=clock)
    note = read_tracking(ann.state, origin)
    assert note.was_listed(clock())
    commit = object_key("commit", commit_of(ann, "cats"))
    connect(origin).store.delete(commit)
    monkeypatch.setattr(tracking, "PAGE", 1 if is_big else 1000)
    evolve_sample(ann, "dogs", score=0.9)
    tracking.write_tracking(ann.state, origin.name, replace(note, unfinished=True))
    assert push(ann, origin, clock=clock).restored
    assert connect(origin).store.exists(commit)


@pytest.mark.parametrize("is_new", [False, True])
def test_a_head_that_names_a_commit_only_we_have_is_sent(ann: Repository, origin: Remote, is_new: bool) -> None:
    """Its id leaked, and somebody wrote it into the log over there: to all others the task is broken."""
    ours = commit_of(ann, "cats")
    if is_new:
        add_sample_task(ann, "birds")
        ours = evolve_sample(ann, "birds", score=0.5, trains=LAYERS).commit
    task = "birds" if is_new else "cats"
    Writer.into(origin).move(task, ours)
    assert not connect(origin).objects.has("commit", ours)
    with suppress(RemoteBehindError):
        pull(ann, origin)
    push(ann, origin)
    assert is_whole(ann, origin)
