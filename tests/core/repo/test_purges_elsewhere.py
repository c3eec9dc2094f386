"""A task that was purged on a remote, or here: nobody brings it back unknowingly, and no unshared work is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.objects import Agent, Snapshot
from mu2net_core.repo import HeadState, Remote, Repository, create_repository, load_system
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.tombstones import Purged, is_purge
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.prefetch import bring_models
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.reports import Counter, Exchange, TaskReport
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.purging import bury, store_purge_commit
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, evolve_sample, sample_task, sample_tombstone
from mu2net_core.testing.worlds.sharing import there

NOW = "2026-01-02T03:04:05.678901+00:00"

AGENT = Agent(id="0" * 32, host="test", device="none")

POLICY = Policy(now=NOW, follow_purges=True)


@pytest.fixture
def bob(ann: Repository, origin: Remote, tmp_path: Path) -> Repository:
    """Returns a clone of what ann shares."""
    repo = create_repository(tmp_path / "bob", preset="vit-ti0", identity=SAMPLE_IDENTITY)
    repo.update_config(lambda config: config.with_remote(origin))
    attach(repo)
    pull(repo, origin)
    return repo


def purge(repo: Repository, task: str = "cats") -> str:
    place = here(repo)
    return bury(place, task, partial(store_purge_commit, place, agent=AGENT, now=NOW), now=NOW).commit


def pull(repo: Repository, remote: Remote) -> dict[str, TaskReport]:
    fetch(repo, connect(remote))
    tracking = read_tracking(repo.state, remote)
    return {report.task: report for report in adopt(repo, tracking, tracking.heads, POLICY, remote=remote)}


def reports(exchange: Exchange) -> dict[str, TaskReport]:
    return {report.task: report for report in exchange.tasks}


def head(repo: Repository, task: str = "cats") -> HeadState:
    state = repo.refs.head(task)
    assert state is not None
    return state


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


class TestPurgedThere:
    def test_a_clone_that_follows_drops_it_on_the_next_pull(self, bob: Repository, origin: Remote) -> None:
        commit = purge(there(origin))
        report = pull(bob, origin)["cats"]
        assert (report.outcome, report.commit) == ("removed", commit)
        assert "set aside here for 14 days: mu2net rm-task cats --undo brings it back" in (report.reason or "")
        assert head(bob).commit == commit
        assert sorted(load_system(bob).heads) == ["dogs"]
        assert fsck(bob).problems == ()
        assert {task: report.outcome for task, report in pull(bob, origin).items()} == dict.fromkeys(
            ("cats", "dogs"), "up-to-date"
        )
        assert {report.outcome for report in push(bob, origin).tasks} == {"up-to-date"}
        collect(here(bob), grace=timedelta(), dry_run=False)
        assert b"/data/cats.npz" not in all_bytes(bob.path)
        assert fsck(bob).problems == ()

    def test_nobody_follows_tombstones_that_are_refused(self, bob: Repository, origin: Remote) -> None:
        """Where signatures are required, these are the ones that nobody allowed signed."""
        before = head(bob)
        purge(there(origin))
        fetch(bob, connect(origin))
        tracking = read_tracking(bob.state, origin)
        policy = replace(POLICY, refuse_stone=lambda stone: f"nobody signed that of {stone.task}")
        found = {report.task: report for report in adopt(bob, tracking, tracking.heads, policy, remote=origin)}
        assert found["cats"].outcome == "skipped"
        assert "here it stays" in (found["cats"].reason or "")
        assert head(bob) == before

    def test_an_old_clone_cannot_push_it_back(self, bob: Repository, origin: Remote) -> None:
        purge(there(origin))
        evolve_sample(bob, "cats", score=0.9, seed=90)
        before = all_bytes(Path(origin.url))
        report = reports(push(bob, origin))["cats"]
        assert report.outcome == "skipped"
        assert "it was purged from origin" in (report.reason or "")
        assert all_bytes(Path(origin.url)) == before

    def test_nor_what_learned_from_it(self, bob: Repository, origin: Remote) -> None:
        cats = bob.objects.commit(head(bob).commit).model
        evolve_sample(bob, "dogs", score=0.9, parent=cats, seed=90)
        purge(there(origin))
        report = reports(push(bob, origin))["dogs"]
        assert report.outcome == "skipped"
        assert "knowledge of cats, which was purged from origin" in (report.reason or "")
        assert b"/data/cats.npz" not in all_bytes(Path(origin.url))

    def test_other_work_is_sent_as_ever(self, bob: Repository, origin: Remote) -> None:
        purge(there(origin))
        evolve_sample(bob, "dogs", score=0.9, seed=90)
        assert reports(push(bob, origin))["dogs"].outcome == "updated"
        assert fsck(there(origin)).problems == ()

    def test_work_that_was_never_sent_is_not_dropped(self, bob: Repository, origin: Remote) -> None:
        bring_models(bob, list(bob.objects.ids("model")), what="all", counter=Counter())
        mine = evolve_sample(bob, "cats", score=0.9, seed=90)
        purge(there(origin))
        report = pull(bob, origin)["cats"]
        assert report.outcome == "skipped"
        assert "here is work on it that was never on origin; here it stays" in (report.reason or "")
        assert "mu2net rm-task cats --purge" in (report.reason or "")
        assert head(bob) == mine
        assert fsck(bob).problems == ()

    def test_a_tombstone_alone_destroys_nothing(self, bob: Repository, origin: Remote) -> None:
        """Whoever can write to a remote can write tombstones: they only take away what the remote had."""
        mine = evolve_sample(bob, "cats", score=0.9, seed=90)
        commits = [mine.commit, *bob.objects.commit(mine.commit).parents]
        roots = tuple(oid for oid in bob.objects.ids("commit") if not bob.objects.commit(oid).parents)
        stone = sample_tombstone("cats", 9, roots=roots, objects=[f"commit/{oid}" for oid in commits])
        shared = there(origin)
        purge(shared)
        shared.refs.create_tombstone(stone)
        before = set(bob.store.list("objects"))
        assert pull(bob, origin)["cats"].outcome == "skipped"
        assert head(bob) == mine
        assert set(bob.store.list("objects")) >= before
        assert bob.refs.tombstones() == ({}, {})

    def test_one_that_speaks_of_other_tasks_is_not_believed_in_that(self, bob: Repository, origin: Remote) -> None:
        shared = there(origin)
        purge(shared)
        roots = tuple(oid for oid in bob.objects.ids("commit") if not bob.objects.commit(oid).parents)
        shared.refs.create_tombstone(sample_tombstone("cats", 9, roots=roots))
        assert pull(bob, origin)["cats"].outcome == "removed"
        evolve_sample(bob, "dogs", score=0.9, seed=90)
        other = replace(origin, name="other", url=f"{origin.url}-other")
        assert reports(push(bob, other))["dogs"].outcome == "new"

    def test_one_that_lists_what_other_tasks_need_hides_nothing_of_it(self, bob: Repository, origin: Remote) -> None:
        """Else their work would be taken for purged here, and damage to it for nothing."""
        bring_models(bob, list(bob.objects.ids("model")), what="all", counter=Counter())
        tip = bob.objects.commit(head(bob, "dogs").commit)
        component = bob.objects.model(tip.model).component("head").id
        listed = [f"commit/{oid}" for oid in (head(bob, "dogs").commit, *tip.parents)]
        listed += [f"model/{tip.model}", f"component/{component}"]
        shared = there(origin)
        purge(shared)
        shared.refs.create_tombstone(sample_tombstone("cats", 9, objects=listed))
        assert {task: report.outcome for task, report in pull(bob, origin).items()} == {
            "cats": "removed",
            "dogs": "up-to-date",
        }
        purged = Purged.read(bob.refs)
        assert purged.covers_commit(bob.objects, head(bob, "dogs").commit) is None
        assert [purged.lists(("model", tip.model)), purged.lists(("component", component))] == [None, None]
        assert pull(bob, origin)["dogs"].outcome == "up-to-date"

    def test_a_task_added_again_afterwards_comes_along(self, bob: Repository, origin: Remote) -> None:
        shared = there(origin)
        purge(shared)
        state = head(shared)
        again = replace(
            shared.objects.commit(state.commit),
            parents=(state.commit,),
            removed=False,
            task_id=shared.objects.put(sample_task("cats")),
            message="add cats again",
        )
        shared.refs.append("cats", shared.objects.put(again), after=state)
        pull(bob, origin)
        assert head(bob).commit == head(shared).commit
        assert "cats" in load_system(bob).heads
        assert fsck(bob).problems == ()

    def test_a_tag_that_names_it_is_left_out(self, ann: Repository, origin: Remote, tmp_path: Path) -> None:
        heads = {task: head(ann, task).commit for task in ("cats", "dogs")}
        ann.refs.create_tag("v1", ann.objects.put(Snapshot(heads=heads, roots=ann.refs.roots())))
        push(ann, origin)
        purge(there(origin))
        fresh = create_repository(tmp_path / "fresh", preset="vit-ti0", identity=SAMPLE_IDENTITY)
        fresh.update_config(lambda config: config.with_remote(origin))
        (tag,) = fetch(fresh, connect(origin)).tags
        assert (tag.outcome, tag.reason) == ("skipped", "it names cats, which was purged from origin")
        assert fsck(fresh).problems == ()


class TestPurgedHere:
    def test_it_does_not_come_back_from_a_remote_that_has_it(self, bob: Repository, origin: Remote) -> None:
        purge(bob)
        report = pull(bob, origin)["cats"]
        assert report.outcome == "skipped"
        assert "purge it there, too: mu2net rm-task cats --purge --remote origin" in (report.reason or "")
        assert is_purge(bob.objects.commit(head(bob).commit))

    @pytest.mark.parametrize("place", ["shared", "a new place"])
    def test_a_tag_that_names_it_is_not_sent(self, ann: Repository, tmp_path: Path, place: str) -> None:
        heads = {task: head(ann, task).commit for task in ("cats", "dogs")}
        ann.refs.create_tag("v1", ann.objects.put(Snapshot(heads=heads, roots=ann.refs.roots())))
        purge(ann)
        remote = Remote(name="origin", url=str(tmp_path / place))
        (tag,) = push(ann, remote).tags
        assert (tag.outcome, tag.reason) == ("skipped", "it names cats, which was purged here")
        assert fsck(there(remote)).problems == ()

    def test_pushing_leaves_it_there_and_says_so(self, bob: Repository, origin: Remote) -> None:
        before = head(there(origin))
        purge(bob)
        report = reports(push(bob, origin))["cats"]
        assert report.outcome == "skipped"
        assert "purge it there, too" in (report.reason or "")
        assert head(there(origin)) == before
