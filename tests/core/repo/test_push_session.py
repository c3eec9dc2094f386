"""How many requests a push makes, what it sends again after an interruption, and what it looks at once more."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, StorageError
from mu2net_core.objects import AccessRule, hash_bytes, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.epoch import new_epoch
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample
from mu2net_core.testing.servers.wrappers import FaultyStore, Watched, WrappedStore
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, outcomes, there

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"))


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Remote:
    """Returns a remote that is no folder, where there is nothing yet."""
    return Remote(name="origin", url=f"memory://{hash_bytes(request.node.nodeid.encode())}")


@pytest.fixture
def work(repo: Repository) -> Repository:
    """Returns a repository with two tasks."""
    for task in ("a", "b"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5)
    return repo


def at(seconds: float) -> Callable[[], datetime]:
    return lambda: NOON + timedelta(seconds=seconds)


class TestRequests:
    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_right_after_a_pull_only_the_entry_that_follows_is_read(
        self, work: Repository, bucket: Remote, k: int
    ) -> None:
        push(work, bucket)
        fetch(work, connect(bucket), clock=at(0))
        evolve_sample(work, "a", score=0.9, trains=LAYERS[:k])
        watched = Watched()
        push(work, bucket, open_store=watched, clock=at(20))
        assert watched.calls == {"create": k + 4, "read": 1}  # the components, model, snapshot, commit, head entry

    @pytest.mark.parametrize("seconds", [31, 3600, -1])
    def test_later_it_is_listed_and_the_entry_that_follows_is_read(
        self, work: Repository, bucket: Remote, seconds: float
    ) -> None:
        push(work, bucket)
        fetch(work, connect(bucket), clock=at(0))
        evolve_sample(work, "a", score=0.9)
        watched = Watched()
        push(work, bucket, open_store=watched, clock=at(seconds))
        assert watched.calls == {"create": 5, "list": 1, "read": 1}

    def test_in_a_folder_that_is_done_each_time(self, work: Repository, origin: Remote) -> None:
        push(work, origin, clock=at(0))
        evolve_sample(work, "a", score=0.9)
        watched = Watched()
        push(work, origin, open_store=watched, clock=at(1))
        assert watched.calls == {"create": 5, "list": 1, "read": 1}

    def test_a_push_counts_as_a_look(self, work: Repository, bucket: Remote) -> None:
        push(work, bucket, clock=at(0))
        evolve_sample(work, "a", score=0.9)
        push(work, bucket, clock=at(40))
        evolve_sample(work, "a", score=0.95)
        watched = Watched()
        push(work, bucket, open_store=watched, clock=at(60))
        assert watched.calls == {"create": 5, "read": 1}

    def test_a_push_of_nothing_that_finds_nothing_new_has_seen_all(self, work: Repository, bucket: Remote) -> None:
        push(work, bucket, clock=at(0))
        push(work, bucket, clock=at(100))
        assert read_tracking(work.state, bucket).seen_at == at(100)().isoformat()
        other = Refs(open_store(bucket.url))
        other.append("z", commit_of(work, "a"), after=None)
        push(work, bucket, clock=at(200))
        assert read_tracking(work.state, bucket).seen_at == at(100)().isoformat()

    def test_a_slow_push_looks_again_before_the_head_moves(self, work: Repository, bucket: Remote) -> None:
        push(work, bucket, clock=at(0))
        evolve_sample(work, "a", score=0.9)
        times = iter([*([NOON + timedelta(seconds=100)] * 1), *([NOON + timedelta(seconds=200)] * 9)])
        watched = Watched()
        push(work, bucket, open_store=watched, clock=lambda: next(times))
        assert watched.calls == {"create": 5, "list": 1, "read": 2}
        assert [key.split("/")[1] for _, key in watched.stores[-1].log[-3:]] == ["epoch", "heads", "heads"]

    def test_a_purge_meanwhile_is_seen_before_the_head_moves(self, work: Repository, origin: Remote) -> None:
        push(work, origin, clock=at(0))
        evolve_sample(work, "a", score=0.9)
        times = iter(NOON + timedelta(seconds=100 * number) for number in range(1, 99))
        begun: list[str] = []

        class Purging(WrappedStore):
            def before(self, method: str, key: str) -> None:
                if method == "create" and "/commit/" in key and not begun:
                    begun.append(new_epoch(self.inner))

        push(work, origin, open_store=Watched(Purging), clock=lambda: next(times))
        assert begun == [read_tracking(work.state, origin).epoch]
        assert there(origin).refs.head("a") is not None
        assert fsck(there(origin)).problems == ()

    def test_a_purge_since_the_look_is_seen_where_somebody_moved_the_head(
        self, work: Repository, bucket: Remote, tmp_path: Path
    ) -> None:
        push(work, bucket)
        bob = clone_of(bucket, tmp_path / "bob")
        fetch(work, connect(bucket), clock=at(0))
        evolve_sample(bob, "a", score=0.8, seed=80)
        push(bob, bucket)
        begun = new_epoch(open_store(bucket.url))
        evolve_sample(work, "a", score=0.9)
        assert outcomes(push(work, bucket, clock=at(20)))["a"] == "merged"
        assert read_tracking(work.state, bucket).epoch == begun

    def test_a_first_push_sends_each_object_once(self, work: Repository, origin: Remote) -> None:
        watched = Watched()
        result = push(work, origin, open_store=watched)
        objects = watched.created("objects/")
        assert len(objects) == len(set(objects)) == result.num_objects
        assert sorted(objects) == sorted(there(origin).store.list("objects"))


class TestInterrupted:
    def test_components_that_arrived_are_not_sent_again(self, work: Repository, origin: Remote) -> None:
        push(work, origin)
        for number, task in enumerate(("a", "b", "a", "b")):
            evolve_sample(work, task, score=0.6 + number / 10, trains=LAYERS, seed=500 + number)
        creates = frozenset({"create"})
        broken = Watched(lambda store: FaultyStore(store, at=8, methods=creates))
        with pytest.raises(StorageError):
            push(work, origin, open_store=broken)
        assert read_tracking(work.state, origin).unfinished
        arrived = {key for key in broken.created("objects/component") if there(origin).store.exists(key)}
        assert arrived
        again = Watched()
        push(work, origin, open_store=again)
        assert arrived.isdisjoint(again.created("objects/component"))
        assert not read_tracking(work.state, origin).unfinished
        assert fsck(there(origin)).problems == ()

    def test_what_arrived_cut_off_is_no_arrival(self, work: Repository, origin: Remote) -> None:
        push(work, origin)
        state = evolve_sample(work, "a", score=0.9)
        model = work.objects.model(work.objects.commit(state.commit).model or "")
        key = object_key("component", model.components[-1].id)
        with pytest.raises(StorageError):
            push(work, origin, open_store=Watched(lambda store: FaultyStore(store, at=3)))
        place = Path(origin.url) / key
        place.write_bytes(place.read_bytes()[:-1])
        assert outcomes(push(work, origin))["a"] == "broken"
        with pytest.raises(CorruptObjectError, match="damaged"):
            push(work, origin, tasks=["a"])
        assert read_tracking(work.state, origin).unfinished


class TestOldObjects:
    """What an earlier, unfinished push left may be marked as garbage: a push that relies on it makes it new."""

    @pytest.fixture
    def found(self, work: Repository, origin: Remote) -> list[str]:
        """Returns the keys of objects that are there and referred to by nothing."""
        push(work, origin)
        evolve_sample(work, "a", score=0.9, trains=("embedding", "head"))
        with pytest.raises(StorageError):
            push(work, origin, open_store=Watched(lambda store: FaultyStore(store, at=6)))
        keys = [key for key in there(origin).store.list("objects") if not _is_reached(there(origin), key)]
        assert len(keys) > 2
        return keys

    def age(self, origin: Remote, keys: list[str], days: float) -> None:
        for key in keys:
            file = Path(origin.url) / key
            then = file.stat().st_mtime - days * 86400
            os.utime(file, (then, then))

    def test_old_ones_are_written_again_before_the_head_moves(
        self, work: Repository, origin: Remote, found: list[str]
    ) -> None:
        self.age(origin, found, days=8)
        watched = Watched()
        push(work, origin, open_store=watched)
        log = watched.stores[-1].log
        assert {key for how, key in log if how == "refresh"} >= set(found)
        assert max(i for i, (how, _) in enumerate(log) if how == "refresh") < log.index(
            ("create", "refs/heads/a/00000002")
        )

    def test_young_ones_are_left_alone(self, work: Repository, origin: Remote, found: list[str]) -> None:
        self.age(origin, found, days=5)
        watched = Watched()
        push(work, origin, open_store=watched)
        refreshed = [key for store in watched.stores for how, key in store.log if how == "refresh"]
        assert len(refreshed) <= 1  # to see what the storage's clock says, where everything was there already
        assert all(key.endswith(".json") for key in refreshed)

    def test_one_deleted_before_the_head_moved_is_made_again(
        self, work: Repository, origin: Remote, found: list[str]
    ) -> None:
        self.age(origin, found, days=20)

        class Sweeping(WrappedStore):
            def before(self, method: str, key: str) -> None:
                if method == "create" and key.startswith("refs/heads/"):
                    self.inner.delete(found[0])

        push(work, origin, open_store=Watched(Sweeping))
        assert fsck(there(origin)).problems == ()


def _is_reached(repo: Repository, key: str) -> bool:
    from mu2net_core.objects import parse_object_key
    from mu2net_core.repo.remotes.closure import Knowledge
    from mu2net_core.repo.remotes.tracking import Tracking

    tracking = Tracking(url="", heads=repo.refs.heads(), roots=repo.refs.roots())
    knowledge, node = Knowledge(repo.objects, tracking), parse_object_key(key)
    assert node is not None
    list(map(knowledge.has, [node] if node[0] in {"commit", "model"} else []))
    while knowledge._go_further():
        pass
    return node[1] in knowledge._ids


class TestPreview:
    def test_says_what_would_go_and_sends_nothing(self, work: Repository, origin: Remote) -> None:
        add_sample_task(work, "hush", AccessRule.only(["hush"]))
        plan = preview(work, origin)
        assert not Path(origin.url).exists()
        assert [(p.name, p.outcome) for p in (*plan.roots, *plan.tasks)] == [
            ("tiny", "new"), ("hush", "skipped"), ("a", "new"), ("b", "new"),
        ]  # fmt: skip
        result = push(work, origin)
        assert (plan.num_objects, plan.size_bytes) == (result.num_objects, result.size_bytes)

    def test_later_it_takes_one_listing_and_a_read_per_head(self, work: Repository, origin: Remote) -> None:
        push(work, origin)
        evolve_sample(work, "b", score=0.9, trains=("embedding", "head"))
        watched = Watched()
        plan = preview(work, origin, open_store=watched)
        assert watched.calls == {"list": 1, "read": 2}
        (a, b) = plan.tasks
        assert (a.outcome, a.size_bytes) == ("up-to-date", 0)
        assert (b.outcome, b.num_components, b.num_manifests) == ("updated", 2, 3)
        assert push(work, origin).size_bytes == b.size_bytes == plan.size_bytes

    def test_a_head_that_moved_there_too(self, work: Repository, origin: Remote, tmp_path: Path) -> None:
        push(work, origin)
        add_sample_task(shared := there(origin), "c")
        evolve_sample(shared, "a", score=0.8, seed=80)
        evolve_sample(work, "a", score=0.9)
        (parcel,) = preview(work, origin, tasks=["a"]).tasks
        assert (parcel.outcome, parcel.num_components) == ("merge", 1)
        assert parcel.reason == "it moved there, too"
