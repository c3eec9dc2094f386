from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, CorruptObjectError, NotFoundError
from mu2net_core.objects import Agent, Snapshot, object_key
from mu2net_core.repo import Remote, Repository, load_system
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.merging import contains
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.reports import Counter, Progress
from mu2net_core.repo.remotes.tracking import forget_tracking, read_tracking
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import Watched
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, model_of, outcomes, pull, there

BEST = Policy()


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"))


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
    def test_k_new_components_cost_k_and_six(
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
        # is all there that was? is the entry that follows? then k components, model, snapshot, commit, head entry
        assert watched.calls == {"list": 1, "read": 1, "create": len(layers) + 4}

    def test_nothing_new_costs_one_listing_and_a_read_per_head(self, repo: Repository, origin: Remote) -> None:
        for task in ("a", "b", "c"):
            add_sample_task(repo, task)
        push(repo, origin)
        watched = Watched()
        push(repo, origin, open_store=watched)
        assert watched.calls == {"list": 1, "read": 3 + 1}  # the root, too

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
        assert outcomes(push(repo, origin)) == {"a": "unchanged", "b": "new"}
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
        pushed = [process.communicate(timeout=240)[0].split() for process in running]
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
    from mu2net_core.repo.exchange.pushing import push
    from mu2net_core.testing.building.samples import evolve_sample

    repo = open_repository(Path(sys.argv[1]))
    seed = sum(repo.agent_id.encode()) * 1000
    for number in range(int(sys.argv[2])):
        state = evolve_sample(repo, "a", score=0.5 + number / 100, seed=seed + number)
        push(repo, repo.config.remotes["origin"])
        print(state.commit)
""")


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

    def test_another_repository_in_its_place_gets_nothing(
        self, repo: Repository, origin: Remote, tmp_path: Path
    ) -> None:
        add_sample_task(repo, "a")
        push(repo, origin)
        Path(origin.url).rename(tmp_path / "moved")
        other = sample_repository(tmp_path / "other", identity="b" * 32)
        add_sample_task(other, "a")
        push(other, origin)
        evolve_sample(repo, "a", score=0.5)
        before = sorted(Path(origin.url).rglob("*"))
        for _ in range(2):  # before and after what was seen is forgotten
            with pytest.raises(ConflictError, match=r"is another repository: its identity is bbbbbbbb"):
                push(repo, origin)
            assert sorted(Path(origin.url).rglob("*")) == before
            forget_tracking(repo.state, "origin")

    def test_what_others_put_in_its_place_who_share_it_is_joined(
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
        repo.update_config(lambda config: config.with_remote(origin))
        attach(repo)
        result = push(repo, origin)
        assert outcomes(result) == {"a": "updated"}
        assert "the head of a, on another log than was seen" in result.restored
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
        with pytest.raises(ConflictError, match=f"root tiny is the model {model_id[:10]} here and .* different roots"):
            push(other, origin)
        assert there(origin).refs.roots()["tiny"] == repo.refs.roots()["tiny"]
        assert there(origin).refs.tasks() == ("a",)

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
