"""A push with something to send looks at a big remote briefly: what that costs, what it finds, what it never claims."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mu2net_core.objects import AccessRule, Snapshot, hash_bytes
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import examine
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.core.epoch import is_epoch_key, new_epoch
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes import tracking
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample
from mu2net_core.testing.servers.wrappers import Watched, WrappedStore
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, outcomes

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BRIEF = {"read": 3, "exists": 3}
"""The epoch, the newest entry, the one that is followed; the parents of what is new, and the entry after that."""


def at(seconds: float) -> Callable[[], datetime]:
    return lambda: NOON + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes remotes big that have more than ten files."""
    monkeypatch.setattr(tracking, "PAGE", 10)


@pytest.fixture(params=["bucket", "folder"])
def origin(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    is_folder = request.param == "folder"
    url = str(tmp_path / "shared") if is_folder else f"memory://{hash_bytes(request.node.nodeid.encode())}"
    return Remote(name="origin", url=url)


@pytest.fixture
def work(repo: Repository, origin: Remote) -> Repository:
    """Returns a repository with three tasks, all sent and looked at at noon, ``b`` last."""
    repo.update_config(lambda config: config.with_remote(origin))
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5)
    push(repo, origin)
    for number, task in enumerate(("c", "a", "b")):
        evolve_sample(repo, task, score=0.6, seed=60 + number)
        push(repo, origin, clock=at(0))
    push(repo, origin, clock=at(0))
    return repo


only_buckets = pytest.mark.parametrize("origin", ["bucket"], indirect=True)


def lose(origin: Remote, gone: Callable[[str], bool]) -> dict[str, bytes]:
    """Deletes files; returns what was in those that have to be there again: of an epoch another is as good."""
    store = open_store(origin.url)
    lost = {key: store.read(key) for key in store.list("") if gone(key)}
    assert lost
    for key in lost:
        store.delete(key)
    return {key: data for key, data in lost.items() if not is_epoch_key(key)}


def holds(store: Store, files: dict[str, bytes]) -> bool:
    return all(store.exists(key) and store.read(key) == data for key, data in files.items())


def is_clean(repo: Repository, remote: Remote) -> bool:
    return examine(patient_there(connect(remote), repo)).is_clean


class TestRequests:
    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_later_a_few_more_whatever_there_is(self, work: Repository, origin: Remote, k: int) -> None:
        asked = []
        for number in range(2):
            evolve_sample(work, "a", score=0.7 + number / 10, trains=LAYERS[:k], seed=70 + number)
            watched = Watched()
            push(work, origin, open_store=watched, clock=at(100 * number + 31))
            asked.append(watched.calls)
            for other in range(5):
                add_sample_task(work, f"other-{other}")
            push(work, origin, clock=at(100 * number + 32))
        assert asked == [{"create": k + 4, **BRIEF}] * 2

    @only_buckets
    def test_right_after_any_look_only_the_entry_that_follows_is_read(self, work: Repository, origin: Remote) -> None:
        for seconds, task, looks in ((20, "a", {"read": 1}), (40, "b", BRIEF), (60, "a", {"read": 1})):
            evolve_sample(work, task, score=0.7 + seconds / 1000, seed=100 + seconds)
            watched = Watched()
            result = push(work, origin, open_store=watched, clock=at(seconds))
            assert watched.calls == {"create": 5, **looks}
            assert outcomes(result)["c"] == ("up-to-date" if seconds == 20 else "unchanged")

    @pytest.mark.parametrize("origin", ["folder"], indirect=True)
    def test_a_folder_is_looked_at_each_time(self, work: Repository, origin: Remote) -> None:
        for seconds, task in ((1, "a"), (2, "b"), (3, "a")):
            evolve_sample(work, task, score=0.7 + seconds / 100, seed=100 + seconds)
            watched = Watched()
            push(work, origin, open_store=watched, clock=at(seconds))
            assert watched.calls == {"create": 5, **BRIEF}

    @pytest.mark.parametrize("seconds", [31, -1])
    def test_a_push_of_nothing_looks_at_all(self, work: Repository, origin: Remote, seconds: float) -> None:
        watched = Watched()
        result = push(work, origin, open_store=watched, clock=at(seconds))
        assert watched.calls == {"list": 1, "read": 4}  # the newest entries of three heads, and the root
        assert set(outcomes(result).values()) == {"up-to-date"}

    def test_what_may_not_be_sent_is_nothing_to_send(self, work: Repository, origin: Remote) -> None:
        add_sample_task(work, "hush", AccessRule.only(["hush"]))
        watched = Watched()
        result = push(work, origin, open_store=watched, clock=at(31))
        assert watched.calls == {"list": 1, "read": 4}
        assert outcomes(result) == {"a": "up-to-date", "b": "up-to-date", "c": "up-to-date", "hush": "skipped"}

    def test_a_small_remote_is_looked_at_as_a_whole(
        self, work: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracking, "PAGE", len(list(open_store(origin.url).list(""))))
        evolve_sample(work, "a", score=0.9)
        watched = Watched()
        result = push(work, origin, open_store=watched, clock=at(31))
        assert watched.calls == {"create": 5, "list": 1, "read": 1}
        assert outcomes(result) == {"a": "updated", "b": "unchanged", "c": "unchanged"}

    def test_a_dry_run_looks_at_all(self, work: Repository, origin: Remote) -> None:
        evolve_sample(work, "a", score=0.9)
        lose(origin, lambda key: key == entry_key("c", 2))
        assert preview(work, origin, clock=at(31)).lost == ("entry 2 of c",)

    def test_a_new_tag_names_all_heads_so_all_is_looked_at(self, work: Repository, origin: Remote) -> None:
        lost = lose(origin, lambda key: key == entry_key("c", 2))
        evolve_sample(work, "a", score=0.9)
        heads = {task: state.commit for task, state in work.refs.heads().items()}
        work.refs.create_tag("v1", work.objects.put(Snapshot(heads=heads, roots=work.refs.roots())))
        assert push(work, origin, clock=at(31)).restored == ("entry 2 of c",)
        assert holds(open_store(origin.url), lost)

    def test_with_a_new_root_all_is_looked_at(self, work: Repository, origin: Remote) -> None:
        lost = lose(origin, lambda key: key == entry_key("c", 2))
        evolve_sample(work, "a", score=0.9)
        work.refs.create_root("other", work.refs.roots()["tiny"])
        assert push(work, origin, clock=at(31)).restored == ("entry 2 of c",)
        assert holds(open_store(origin.url), lost)


FOUND: dict[str, Callable[[str], bool]] = {
    "the newest entry": lambda key: key == entry_key("b", 2),
    "the head that moves": lambda key: key == entry_key("a", 2),
    "all of the head that moves": lambda key: key.startswith("refs/heads/a/"),
    "all heads": lambda key: key.startswith("refs/heads/"),
    "the epoch": is_epoch_key,
    "all refs": lambda key: key.startswith("refs/"),
    "every commit": lambda key: key.startswith("objects/commit/"),
    "every model": lambda key: key.startswith("objects/model/"),
    "all objects": lambda key: key.startswith("objects/"),
    "all but the epoch": lambda key: not is_epoch_key(key),
}


class TestWhatItFinds:
    @pytest.mark.parametrize("name", FOUND)
    def test_is_told_and_sent_again(self, work: Repository, origin: Remote, name: str) -> None:
        lost = lose(origin, FOUND[name])
        evolve_sample(work, "a", score=0.9)
        result = push(work, origin, clock=at(31))
        assert result.restored
        assert outcomes(result) == {"a": "updated", "b": "unchanged", "c": "unchanged"}
        assert holds(open_store(origin.url), lost)
        assert Refs(open_store(origin.url)).log("a")[-1].commit == commit_of(work, "a")
        assert is_clean(work, origin)

    @pytest.mark.parametrize("task", ["a", "b", "c"])
    @pytest.mark.parametrize("num_pushes", [1, 2, 3])
    def test_a_backup_is_noticed_whichever_task_goes_on(
        self, repo: Repository, origin: Remote, task: str, num_pushes: int
    ) -> None:
        repo.update_config(lambda config: config.with_remote(origin))
        for name in ("a", "b", "c"):
            add_sample_task(repo, name)
        push(repo, origin, clock=at(0))
        store = open_store(origin.url)
        backup = set(store.list(""))
        for number in range(num_pushes):
            evolve_sample(repo, "abc"[number], score=0.5, seed=number)
            push(repo, origin, clock=at(100 * number + 100))
        lost = lose(origin, lambda key: key not in backup)
        evolve_sample(repo, task, score=0.9, seed=90)
        assert push(repo, origin, clock=at(999)).restored
        assert holds(store, lost)
        assert is_clean(repo, origin)

    @only_buckets
    def test_right_after_a_brief_look_a_cut_head_is(self, work: Repository, origin: Remote) -> None:
        for seconds, score in ((40, 0.8), (50, 0.9)):
            lost = lose(origin, lambda key: key == entry_key("a", 2)) if seconds == 50 else {}
            evolve_sample(work, "b" if seconds == 40 else "a", score=score, seed=seconds)
            result = push(work, origin, clock=at(seconds))
        assert result.restored == ("entry 2 of a",)
        assert holds(open_store(origin.url), lost)
        assert is_clean(work, origin)

    def test_a_head_cut_since_the_look_is(self, work: Repository, origin: Remote) -> None:
        class Losing(WrappedStore):
            def before(self, method: str, key: str) -> None:
                if method == "create" and key.startswith("objects/commit/") and not lost:
                    lost.update(lose(origin, lambda key: key == entry_key("a", 2)))

        lost: dict[str, bytes] = {}
        evolve_sample(work, "a", score=0.9)
        result = push(work, origin, open_store=Watched(Losing), clock=at(31))
        assert (result.restored, outcomes(result)["a"]) == (("entry 2 of a",), "updated")
        assert holds(open_store(origin.url), lost)

    def test_a_purge_is(self, work: Repository, origin: Remote) -> None:
        new_epoch(open_store(origin.url))
        evolve_sample(work, "a", score=0.9)
        result = push(work, origin, clock=at(31))
        assert outcomes(result) == {"a": "updated", "b": "up-to-date", "c": "up-to-date"}

    def test_a_damaged_newest_entry_is_no_reason_to_send_nothing(self, work: Repository, origin: Remote) -> None:
        store = open_store(origin.url)
        store.delete(entry_key("b", 2))
        store.create(entry_key("b", 2), b"{")
        evolve_sample(work, "a", score=0.9)
        assert outcomes(push(work, origin, clock=at(31)))["a"] == "updated"

    def test_after_a_fetch_the_newest_entry_is_that_of_the_latest_work(
        self, work: Repository, origin: Remote, tmp_path: Path
    ) -> None:
        bob = clone_of(origin, tmp_path / "bob")
        newest = max(work.refs.heads().values(), key=lambda state: work.objects.commit(state.commit).finished_at)
        assert read_tracking(bob.state, origin).newest == newest.task
        assert newest.task != max(work.refs.tasks())


class TestWhatItDoesNotSee:
    """An entry that is none of those looked at."""

    @pytest.fixture
    def lost(self, work: Repository, origin: Remote) -> dict[str, bytes]:
        return lose(origin, lambda key: key == entry_key("c", 2))

    def test_is_not_called_up_to_date(self, work: Repository, origin: Remote, lost: dict[str, bytes]) -> None:
        for number, seconds in enumerate((31, 40, 100)):
            evolve_sample(work, "a", score=0.7 + number / 10, seed=seconds)
            result = push(work, origin, clock=at(seconds))
            assert outcomes(result) == {"a": "updated", "b": "unchanged", "c": "unchanged"}
            assert {report.commit for report in result.tasks if report.outcome == "unchanged"} == {None}
        assert not open_store(origin.url).exists(next(iter(lost)))

    @pytest.mark.parametrize("seconds", [32, 99])
    def test_is_found_by_the_next_push_of_nothing(
        self, work: Repository, origin: Remote, lost: dict[str, bytes], seconds: float
    ) -> None:
        evolve_sample(work, "a", score=0.9)
        push(work, origin, clock=at(31))
        result = push(work, origin, clock=at(seconds))
        assert result.restored == ("entry 2 of c",)
        assert set(outcomes(result).values()) == {"up-to-date"}
        assert holds(open_store(origin.url), lost)

    def test_is_found_when_that_task_goes_on(self, work: Repository, origin: Remote, lost: dict[str, bytes]) -> None:
        evolve_sample(work, "c", score=0.9)
        assert push(work, origin, clock=at(31)).restored == ("entry 2 of c",)
        assert [state.number for state in Refs(open_store(origin.url)).log("c")] == [1, 2, 3]
        assert holds(open_store(origin.url), lost)

    def test_is_found_by_a_fetch(self, work: Repository, origin: Remote, lost: dict[str, bytes]) -> None:
        evolve_sample(work, "a", score=0.9)
        push(work, origin, clock=at(31))
        with pytest.raises(Exception, match="behind what was seen of it: entry 2 of c"):
            fetch(work, connect(origin), clock=at(32))
        assert holds(open_store(origin.url), lost) is False
        evolve_sample(work, "a", score=0.95)
        assert push(work, origin, clock=at(33)).restored == ("entry 2 of c",)


def test_a_task_that_others_moved_too_is_looked_at(work: Repository, origin: Remote, tmp_path: Path) -> None:
    bob = clone_of(origin, tmp_path / "bob")
    ours = evolve_sample(bob, "a", score=0.7, seed=7)
    for key in bob.store.list("objects"):
        work.store.create(key, bob.store.read(key))
    work.refs.append("a", ours.commit, after=work.refs.head("a"))
    evolve_sample(bob, "a", score=0.8, seed=8)
    push(bob, origin)
    result = push(work, origin, clock=at(31))
    assert outcomes(result) == {"a": "up-to-date", "b": "unchanged", "c": "unchanged"}
