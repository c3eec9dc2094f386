"""A remote that lost the end of a log, where somebody went on who never saw it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import encode, hash_bytes, object_key
from mu2net_core.repo import Repository
from mu2net_core.repo.core.epoch import new_epoch
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.adopting import adopt, first_commit
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.merging import contains
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.losing import LOSSES, Place, check, contents, lost_keys, seconds
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, outcomes


@pytest.fixture
def ann(knowing: Repository) -> Repository:
    """Returns the working copy that knows the remote."""
    return knowing


class TestSomebodyWentOn:
    """The remote came back from a backup, and others pushed on top of that before we look."""

    @pytest.mark.parametrize("name", ["the last entry", "the last entries", "a whole head"])
    @pytest.mark.parametrize("num_theirs", [1, 2, 3])
    def test_both_histories_are_joined_and_no_entry_is_replaced(
        self, ann: Repository, place: Place, tmp_path: Path, name: str, num_theirs: int
    ) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        lost_keys(place, name)
        place.store.delete(object_key("commit", seen.commit))
        theirs = self.went_on(bob, place, num_theirs)
        before = contents(place.store)
        mine = evolve_sample(ann, "a", score=0.9)
        result = push(ann, place.remote, clock=place.clock)
        assert any("a, on another log than was seen" in word for word in result.restored)
        after = contents(place.store)
        assert {key: after.get(key) for key in before} == before
        newest = Refs(place.store).log("a")[-1]
        for commit in (theirs, mine.commit, seen.commit):
            assert contains(ann.objects, newest.commit, commit)
        assert check(ann, place.remote).is_clean

    def test_so_it_is_in_another_epoch(self, ann: Repository, place: Place, tmp_path: Path) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        lost_keys(place, "the last entry")
        place.store.delete(object_key("commit", seen.commit))
        theirs = self.went_on(bob, place, 1)
        new_epoch(place.store)
        push(ann, place.remote, clock=place.clock)
        newest = Refs(place.store).log("a")[-1]
        assert contains(ann.objects, newest.commit, theirs)
        assert contains(ann.objects, newest.commit, seen.commit)
        assert read_tracking(ann.state, place.remote).lost == ()
        assert check(ann, place.remote).is_clean

    @pytest.mark.parametrize("name", ["the last entry", "the last entries"])
    def test_a_fetch_tells(self, ann: Repository, place: Place, tmp_path: Path, name: str) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        lost_keys(place, name)
        place.store.delete(object_key("commit", seen.commit))
        theirs = self.went_on(bob, place, 2)
        if name == "the last entries":
            with pytest.raises(CorruptObjectError, match=r"behind what was seen of it: entry 5 of a"):
                fetch(ann, connect(place.remote), clock=place.clock)
            return
        told = {report.task: report.reason for report in fetch(ann, connect(place.remote), clock=place.clock).tasks}
        assert "on another log than was seen" in (told["a"] or "")
        assert self.joined(ann, place, theirs, seen.commit)

    @pytest.mark.parametrize("name", ["the last entry", "the last entries", "a whole head"])
    @pytest.mark.parametrize("more", [0, 1])
    def test_where_only_the_entries_are_gone_no_verb_calls_it_up_to_date(
        self, ann: Repository, place: Place, tmp_path: Path, name: str, more: int
    ) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        theirs = self.replaced(bob, place, name, more)
        assert not check(ann, place.remote).is_clean
        assert {p.name: p.outcome for p in preview(ann, place.remote, clock=place.clock).tasks}["a"] == "merge"
        result = push(ann, place.remote, clock=seconds(31))
        assert outcomes(result)["a"] in {"merged", "updated"}
        newest = Refs(place.store).log("a")[-1]
        assert contains(ann.objects, newest.commit, theirs)
        assert contains(ann.objects, newest.commit, seen.commit)
        assert check(ann, place.remote).is_clean

    @pytest.mark.parametrize("name", ["the last entry", "a whole head"])
    @pytest.mark.parametrize("more", [0, 1])
    @pytest.mark.parametrize("tasks", [(), ("a",)])
    def test_what_was_seen_and_never_merged_is_joined(
        self, ann: Repository, place: Place, tmp_path: Path, name: str, more: int, tasks: tuple[str, ...]
    ) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        ben = clone_of(place.remote, tmp_path / "ben")
        attach(ben)
        evolve_sample(ann, "a", score=0.9)
        push(ann, place.remote, clock=seconds(99))
        fetch(ben, connect(place.remote))
        place.store.delete(entry_key("a", 6))
        theirs = self.replaced(ann, place, name, more + 5 * (name == "a whole head") + 1)
        (told,) = [report for report in fetch(ben, connect(place.remote), tasks=tasks).tasks if report.task == "a"]
        assert (told.outcome, told.reason) == (
            "updated",
            "on another log than was seen; what was seen of it is kept here",
        )
        assert self.joined(ben, place, theirs, seen.commit, commit_of(ann, "a"))

    def joined(self, repo: Repository, place: Place, *commits: str) -> bool:
        """Pulls, pushes and fetches; returns whether all of ``commits`` are in the head of ``a``, and all is whole."""
        fetch(repo, connect(place.remote))
        adopt(repo, read_tracking(repo.state, place.remote), ["a"], Policy(), remote=place.remote)
        is_whole = all(contains(repo.objects, commit_of(repo, "a"), commit) for commit in commits)
        push(repo, place.remote)
        fetch(repo, connect(place.remote))
        assert read_tracking(repo.state, place.remote).lost == ()
        return is_whole and check(repo, place.remote).is_clean

    def replaced(self, bob: Repository, place: Place, name: str, more: int) -> str:
        """Lets the log of ``a`` end early, and others go on until it is ``more`` longer than it was."""
        lost = len(list(LOSSES[name](list(place.store.list("")))))
        lost_keys(place, name)
        return self.went_on(bob, place, lost + more)

    def went_on(self, bob: Repository, place: Place, number: int) -> str:
        """Appends entries to the log that is there, as somebody does who never saw more of it; returns the last one."""
        refs = Refs(place.store)
        state = refs.head("a")
        commit = bob.objects.commit(state.commit if state else first_commit(bob.objects, commit_of(bob, "a")))
        for score in range(number):
            commit = replace(commit, message=f"bob {score}", parents=(state.commit,) if state else ())
            data = encode(commit)
            place.store.create(object_key("commit", hash_bytes(data)), data)
            state = refs.append("a", hash_bytes(data), after=state)
        assert state is not None
        return state.commit
