from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, CorruptObjectError, NotFoundError, StorageError
from mu2net_core.objects import AccessRule, Agent, Snapshot, object_key
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.adopt import adopt
from mu2net_core.repo.fetching import fetch
from mu2net_core.repo.fsck import fsck
from mu2net_core.repo.join import Policy
from mu2net_core.repo.merge import contains
from mu2net_core.repo.outcomes import Counter, Exchange, Progress
from mu2net_core.repo.pushing import push
from mu2net_core.repo.remotes import attach, connect
from mu2net_core.repo.tracking import forget_tracking, read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.wrappers import FaultyStore, WrappedStore

BEST = Policy()


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"))


def outcomes(exchange: Exchange) -> dict[str, str]:
    return {report.task: report.outcome for report in exchange.tasks}


def commit_of(repo: Repository, task: str) -> str:
    state = repo.refs.head(task)
    assert state is not None
    return state.commit


def model_of(repo: Repository, task: str) -> str:
    model_id = repo.objects.commit(commit_of(repo, task)).model
    assert model_id is not None
    return model_id


def there(remote: Remote) -> Repository:
    return open_repository(Path(remote.url))


def clone_of(remote: Remote, folder: Path) -> Repository:
    """Returns a second working copy, at the remote's heads."""
    repo = sample_repository(folder)
    repo.update_config(lambda config: config.with_remote(remote))
    attach(repo)
    pull(repo, remote)
    return repo


def pull(repo: Repository, remote: Remote, policy: Policy = BEST) -> None:
    fetch(repo, connect(remote))
    tracking = read_tracking(repo.state, remote)
    adopt(repo, tracking, tracking.heads, policy)


class Watched:
    """Opens stores that count what is asked of them."""

    def __init__(self, wrap: Callable[[Store], WrappedStore] = WrappedStore) -> None:
        self.stores: list[WrappedStore] = []
        self._wrap = wrap

    def __call__(self, url: str) -> Store:
        self.stores.append(self._wrap(open_store(url)))
        return self.stores[-1]

    def count(self, method: str) -> int:
        return sum(store.calls[method] for store in self.stores)


class TestOutcomes:
    def test_the_first_push_makes_the_remote(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        evolve_sample(repo, "a", score=0.5)
        result = push(repo, origin)
        assert outcomes(result) == {"a": "new"}
        assert [root.name for root in result.roots] == ["tiny"]
        assert commit_of(there(origin), "a") == commit_of(repo, "a")
        assert fsck(there(origin)).problems == ()

    def test_pushing_twice_is_pushing_once(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        before = sorted(Path(origin.url).rglob("*"))
        again = push(repo, origin)
        assert outcomes(again) == {"a": "up-to-date"}
        assert again.num_objects == 0
        assert sorted(Path(origin.url).rglob("*")) == before

    def test_a_removed_task_travels(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        state = repo.refs.head("a")
        assert state is not None
        commit = repo.objects.commit(state.commit)
        gone = type(commit)(
            **{name: getattr(commit, name) for name in ("task", "task_id", "agent", "started_at", "finished_at")},
            parents=(state.commit,),
            removed=True,
        )
        repo.refs.append("a", repo.objects.put(gone), after=state)
        assert outcomes(push(repo, origin)) == {"a": "removed"}
        fetch(other, connect(origin))
        tracking = read_tracking(other.state, origin)
        assert [report.outcome for report in adopt(other, tracking, ["a"], BEST)] == ["removed"]
        assert load_system(other).heads == {}
        assert "a" in load_system(other).rules

    def test_only_some_tasks(self, repo: Repository, origin: Remote) -> None:
        for task in ("a", "b"):
            add_sample_task(repo, task)
        assert outcomes(push(repo, origin, tasks=["b"])) == {"b": "new"}
        assert there(origin).refs.tasks() == ("b",)

    def test_an_unknown_task(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "digits")
        with pytest.raises(NotFoundError, match="no task digit here") as info:
            push(repo, origin, tasks=["digit"])
        assert info.value.hint == "Did you mean digits?"

    def test_progress_tells_of_every_object(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        evolve_sample(repo, "a", score=0.5)
        seen: list[Progress] = []
        result = push(repo, origin, counter=Counter(seen.append))
        assert seen[-1].num_objects == len(seen) == result.num_objects
        assert seen[-1].size_bytes == result.size_bytes
        assert {progress.what for progress in seen} == {"roots", "a"}


class TestRequests:
    @pytest.mark.parametrize("layers", [("head",), ("embedding", "encoderblock_0", "head")])
    @pytest.mark.parametrize("others", [0, 4])
    def test_k_new_components_cost_k_and_five(
        self, repo: Repository, origin: Remote, layers: tuple[str, ...], others: int
    ) -> None:
        for task in ("a", *(f"other{number}" for number in range(others))):
            add_sample_task(repo, task)
            evolve_sample(repo, task, score=0.5)
            evolve_sample(repo, task, score=0.6)
        push(repo, origin)
        evolve_sample(repo, "a", score=0.9, trains=layers)
        watched = Watched()
        push(repo, origin, tasks=["a"], open_store=watched)
        # one read: is it the remote we know? then k components, the model, the snapshot, the commit, the head entry
        assert watched.count("read") == 1
        assert watched.count("create") == len(layers) + 4
        assert watched.count("list") == watched.count("exists") == watched.count("size") == 0

    def test_nothing_new_costs_one_request(self, repo: Repository, origin: Remote) -> None:
        for task in ("a", "b", "c"):
            add_sample_task(repo, task)
        push(repo, origin)
        watched = Watched()
        push(repo, origin, open_store=watched)
        assert sum(store.calls.total() for store in watched.stores) == 1

    def test_the_order_keeps_the_remote_whole(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        evolve_sample(repo, "a", score=0.5)
        push(repo, origin)
        evolve_sample(repo, "a", score=0.9)
        watched = Watched()
        push(repo, origin, open_store=watched)
        created = [key.split("/")[1] for method, key in watched.stores[-1].log if method == "create"]
        first, *together, commit, head = created
        assert (first, sorted(together), commit, head) == ("component", ["model", "snapshot"], "commit", "heads")


class TestSomebodyElseWasFaster:
    def test_diverged_heads_are_joined_and_nothing_is_lost(
        self, repo: Repository, origin: Remote, tmp_path: Path
    ) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        mine, theirs = evolve_sample(repo, "a", score=0.5), evolve_sample(other, "a", score=0.9)
        assert outcomes(push(other, origin)) == {"a": "updated"}
        assert outcomes(push(repo, origin)) == {"a": "merged"}
        remote = there(origin)
        for state in (mine, theirs):
            assert contains(remote.objects, commit_of(remote, "a"), state.commit)
        assert model_of(remote, "a") == other.objects.commit(theirs.commit).model
        pull(other, origin)
        assert commit_of(other, "a") == commit_of(repo, "a") == commit_of(remote, "a")
        assert all(fsck(each).problems == () for each in (repo, other, remote))

    def test_a_fast_forward_over_there_is_not_undone(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        evolve_sample(other, "a", score=0.9)
        push(other, origin)
        add_sample_task(repo, "b")
        assert outcomes(push(repo, origin)) == {"a": "up-to-date", "b": "new"}
        assert commit_of(there(origin), "a") == commit_of(other, "a")

    def test_different_tasks_never_conflict(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        add_sample_task(repo, "mine")
        add_sample_task(other, "theirs")
        assert outcomes(push(repo, origin))["mine"] == "new"
        assert outcomes(push(other, origin))["theirs"] == "new"
        assert there(origin).refs.tasks() == ("a", "mine", "theirs")

    def test_the_same_task_added_twice_is_one(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        add_sample_task(repo, "a")
        add_sample_task(other, "a")
        push(repo, origin)
        push(other, origin)
        pull(repo, origin)
        assert commit_of(repo, "a") == commit_of(other, "a") == commit_of(there(origin), "a")

    def test_fail_stops_that_task_only(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        evolve_sample(other, "a", score=0.9)
        push(other, origin)
        evolve_sample(repo, "a", score=0.5)
        mine = commit_of(repo, "a")
        add_sample_task(repo, "b")
        evolve_sample(repo, "b", score=0.5)
        with pytest.raises(ConflictError, match="Both sides moved the head of a"):
            push(repo, origin, policy=Policy(on_conflict="fail"))
        assert commit_of(repo, "a") == mine
        assert commit_of(there(origin), "a") == commit_of(other, "a")
        assert commit_of(there(origin), "b") == commit_of(repo, "b")

    def test_ours_is_kept_over_a_better_score(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        evolve_sample(other, "a", score=0.9)
        push(other, origin)
        evolve_sample(repo, "a", score=0.5)
        mine = model_of(repo, "a")
        me = Agent(id="me", host="here", device="none")
        ours = Policy(on_conflict="ours", agent=me, now="2026-01-02T00:00:00.000000+00:00")
        assert outcomes(push(repo, origin, policy=ours)) == {"a": "merged"}
        assert model_of(there(origin), "a") == mine
        pull(other, origin)
        assert model_of(other, "a") == mine

    def test_real_processes_lose_nothing(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        workers = [clone_of(origin, tmp_path / f"worker{number}") for number in range(3)]
        running = [
            subprocess.Popen([sys.executable, "-c", _WORKER, worker.worktree, "4"], stdout=subprocess.PIPE, text=True)
            for worker in workers
        ]
        pushed = [process.communicate(timeout=120)[0].split() for process in running]
        assert [process.returncode for process in running] == [0, 0, 0]
        remote = there(origin)
        assert sum(len(commits) for commits in pushed) == 12
        for commit_id in (oid for commits in pushed for oid in commits):
            assert contains(remote.objects, commit_of(remote, "a"), commit_id)
        assert fsck(remote).problems == ()


_WORKER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from mu2net_core.repo import open_repository
    from mu2net_core.repo.pushing import push
    from mu2net_core.testing.samples import evolve_sample

    repo = open_repository(Path(sys.argv[1]))
    seed = sum(repo.agent_id.encode()) * 1000
    for number in range(int(sys.argv[2])):
        state = evolve_sample(repo, "a", score=0.5 + number / 100, seed=seed + number)
        push(repo, repo.config.remotes["origin"])
        print(state.commit)
""")


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
        num_killed = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)
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
    from mu2net_core.repo.pushing import push
    from mu2net_core.storage import open_store
    from mu2net_core.testing.wrappers import FaultyStore

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


class TestTheRemoteChanged:
    def test_one_that_is_gone_is_made_anew_only_if_it_is_added_anew(
        self, repo: Repository, origin: Remote, tmp_path: Path
    ) -> None:
        add_sample_task(repo, "a")
        evolve_sample(repo, "a", score=0.5)
        push(repo, origin)
        Path(origin.url).rename(tmp_path / "moved")
        evolve_sample(repo, "a", score=0.6)
        with pytest.raises(NotFoundError, match=r"The repository that was at .*shared is gone") as info:
            push(repo, origin)
        assert "mu2net remote remove origin" in str(info.value.hint)
        assert not Path(origin.url).exists()
        forget_tracking(repo.state, "origin")
        push(repo, origin)
        assert fsck(there(origin)).problems == ()
        assert there(origin).refs.log("a")[0].number == 1

    def test_another_system_in_its_place_is_joined_not_written_over(
        self, repo: Repository, origin: Remote, tmp_path: Path
    ) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        Path(origin.url).rename(tmp_path / "moved")
        other = sample_repository(tmp_path / "other")
        add_sample_task(other, "a")
        theirs = evolve_sample(other, "a", score=0.9, seed=9)
        push(other, origin)
        mine = evolve_sample(repo, "a", score=0.5)
        assert outcomes(push(repo, origin)) == {"a": "merged"}
        remote = there(origin)
        for state in (theirs, mine):
            assert contains(remote.objects, commit_of(remote, "a"), state.commit)
        assert fsck(remote).problems == ()

    def test_damaged_bytes_over_there_stop_the_push(self, repo: Repository, origin: Remote) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        state = evolve_sample(repo, "a", score=0.5)
        place = Path(origin.url) / object_key("commit", state.commit)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"noise")
        with pytest.raises(CorruptObjectError, match=f"commit {state.commit} on the remote origin .*damaged"):
            push(repo, origin)
        assert commit_of(there(origin), "a") != state.commit

    def test_another_root_of_that_name(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        push(repo, origin)
        other = sample_repository(tmp_path / "other")
        add_sample_task(other, "a")
        model_id = model_of_other_root(other)
        (other.path / "refs" / "roots" / "tiny").write_text(f"{model_id}\n")
        with pytest.raises(ConflictError, match=f"root tiny is the model {model_id[:12]} here and .* different roots"):
            push(other, origin)
        assert there(origin).refs.tasks() == ()

    def test_another_tag_of_that_name(self, repo: Repository, origin: Remote, tmp_path: Path) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        other = clone_of(origin, tmp_path / "other")
        for each in (repo, other):
            evolve_sample(each, "a", score=0.5 if each is repo else 0.6)
            snapshot = Snapshot(heads={"a": commit_of(each, "a")}, roots=each.refs.roots())
            each.refs.create_tag("v1", each.objects.put(snapshot))
        assert [tag.outcome for tag in push(repo, origin).tags] == ["new"]
        with pytest.raises(ConflictError, match="another snapshot under the tag v1"):
            push(other, origin)
        assert commit_of(there(origin), "a") == commit_of(other, "a")


def model_of_other_root(repo: Repository) -> str:
    from dataclasses import replace

    return repo.objects.put(replace(repo.objects.model(repo.refs.roots()["tiny"]), seed=99))


def test_where_data_lies_on_this_machine_stays_here(repo: Repository, origin: Remote) -> None:
    add_sample_task(repo, "a")
    repo.update_config(lambda config: config.with_setting("data.secret-task", "folder:/home/ann/secret"))
    repo.update_config(lambda config: config.with_setting("evolve.children", 3))
    push(repo, origin)
    assert there(origin).config.settings == {"evolve.children": 3}
    assert b"secret" not in (Path(origin.url) / "config.toml").read_bytes()
