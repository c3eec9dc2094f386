"""Pushes that die on the way, or that cannot be finished: what is there stays whole, and the next one ends it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, NotFoundError, StorageError
from mu2net_core.objects import AccessRule, Snapshot, object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.merging import contains
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import FaultyStore, Watched
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, model_of, outcomes, there


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"))


def tangled(folder: Path) -> Repository:
    """Returns a repository whose two tasks learned from each other, with a tag."""
    repo = sample_repository(folder)
    for task in ("a", "b"):
        add_sample_task(repo, task)
    evolve_sample(repo, "a", score=0.5)
    evolve_sample(repo, "b", score=0.5, parent=model_of(repo, "a"), trains=("embedding",))
    evolve_sample(repo, "a", score=0.6, parent=model_of(repo, "b"), trains=("encoderblock_0",))
    heads = {task: commit_of(repo, task) for task in ("a", "b")}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    return repo


def check_after_crash(repo: Repository, remote: Remote) -> None:
    """Asserts that a remote somebody died on is whole, and that pushing again brings everything."""
    if (Path(remote.url) / "config.toml").exists():
        assert fsck(there(remote)).problems == ()
    push(repo, remote)
    assert {t: commit_of(there(remote), t) for t in ("a", "b")} == {t: commit_of(repo, t) for t in ("a", "b")}
    assert there(remote).refs.tags() == repo.refs.tags()
    assert fsck(there(remote)).problems == ()


class TestDyingOnTheWay:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_at_any_storage_call(self, tmp_path: Path, when: str) -> None:
        repo = tangled(tmp_path / "work")
        for at in range(1, 100):
            remote = Remote(name="origin", url=str(tmp_path / f"shared{at}"))
            faulty = Watched(lambda inner, at=at: FaultyStore(inner, at=at, when=when, methods=EVERY))  # type: ignore[misc,arg-type]
            try:
                push(repo, remote, open_store=faulty)
            except StorageError:
                check_after_crash(repo, remote)
                continue
            if at > faulty.stores[-1].calls.total():
                assert at > 20
                return
        pytest.fail("the push never got through")

    def test_as_if_killed(self, tmp_path: Path) -> None:
        repo = tangled(tmp_path / "work")
        command = [sys.executable, "-c", _KILLED, repo.worktree, tmp_path]
        num_killed = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout)
        assert num_killed > 20
        for at in range(1, num_killed + 1):
            check_after_crash(repo, Remote(name="origin", url=str(tmp_path / f"shared{at}")))

    def test_at_any_call_of_our_own_storage_while_merging(
        self, repo: Repository, origin: Remote, tmp_path: Path
    ) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        for at in range(1, 100):
            mine, other = (clone_of(origin, tmp_path / f"{who}{at}") for who in ("mine", "other"))
            evolve_sample(other, "a", score=0.9, seed=1000 + at)
            push(other, origin)
            state = evolve_sample(mine, "a", score=0.5, seed=2000 + at)
            faulty = FaultyStore(mine.store, at=at)
            mine.store = mine.objects.store = mine.refs.store = faulty
            try:
                push(mine, origin)
            except StorageError:
                again = open_repository(mine.worktree)
                assert fsck(again).problems == ()
                push(again, origin)
                assert contains(there(origin).objects, commit_of(there(origin), "a"), state.commit)
                continue
            assert at > 4
            assert fsck(there(origin)).problems == ()
            return


EVERY = frozenset({"create", "read", "list", "exists", "delete", "size"})

_KILLED = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from mu2net_core.repo import Remote, open_repository
    from mu2net_core.repo.exchange.pushing import push
    from mu2net_core.storage import open_store
    from mu2net_core.testing.servers.wrappers import FaultyStore

    os.fsync = lambda handle: None  # a killed process leaves the machine running
    repo = open_repository(Path(sys.argv[1]))
    every = frozenset({"create", "read", "list", "exists", "delete", "size"})
    at, status = 0, 9
    while status in (7, 9):
        at += 1
        when = "after" if at % 2 else "before"
        remote = Remote(name="origin", url=f"{sys.argv[2]}/shared{at}")
        child = os.fork()
        if child == 0:
            stores = []
            def faulty(url):
                stores.append(FaultyStore(open_store(url), at=at, how="exit", when=when, methods=every))
                return stores[-1]
            push(repo, remote, open_store=faulty)
            os._exit(0 if at > stores[-1].calls.total() else 7)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(at - 1 if status == 0 else f"failed with {status}")
""")


class TestNothingIsBegunThatCannotBeFinished:
    @pytest.mark.parametrize("damage", ["missing", "damaged"])
    def test_no_remote_is_made_if_something_lacks(self, repo: Repository, origin: Remote, damage: str) -> None:
        add_sample_task(repo, "a")
        evolve_sample(repo, "a", score=0.5)
        file = repo.path / object_key("component", repo.objects.model(model_of(repo, "a")).components[-1].id)
        file.unlink() if damage == "missing" else file.write_bytes(b"x")
        with pytest.raises((NotFoundError, CorruptObjectError), match="component"):
            push(repo, origin)
        assert not Path(origin.url).exists()

    def test_a_task_that_lacks_something_leaves_nothing_of_it_there(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        before = sorted(Path(origin.url).rglob("*"))
        evolve_sample(repo, "a", score=0.5, trains=("encoderblock_0", "head"))
        repo.store.delete(object_key("component", repo.objects.model(model_of(repo, "a")).components[-1].id))
        with pytest.raises(NotFoundError, match="component"):
            push(repo, origin)
        assert sorted(Path(origin.url).rglob("*")) == before

    def test_what_is_not_sent_may_lack(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        add_sample_task(repo, "hush", AccessRule.only(["hush"]))
        evolve_sample(repo, "hush", score=0.5)
        repo.store.delete(object_key("component", repo.objects.model(model_of(repo, "hush")).components[-1].id))
        assert outcomes(push(repo, origin)) == {"a": "new", "hush": "skipped"}
