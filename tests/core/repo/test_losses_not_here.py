"""What a remote lost, and the working copy that notices has not got, or may not send, either."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.objects import AccessRule, object_key
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.core.epoch import new_epoch
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.tracking import read_tracking, write_tracking
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_task
from mu2net_core.testing.worlds.losing import Place
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, outcomes


@pytest.fixture
def ann(knowing: Repository) -> Repository:
    """Returns the working copy that knows the remote."""
    return knowing


class TestWhatIsNotHereEither:
    """In a partial clone components are only there."""

    @pytest.fixture
    def bob(self, ann: Repository, place: Place, tmp_path: Path) -> Repository:
        bob = clone_of(place.remote, tmp_path / "bob")
        for key in list(bob.store.list("objects/component")):
            bob.store.delete(key)
        return open_repository(tmp_path / "bob")

    def lose_component(self, ann: Repository, place: Place, task: str) -> str:
        """Deletes the newest component of a task's head over there."""
        model = ann.objects.model(ann.objects.commit(commit_of(ann, task)).model or "")
        key = object_key("component", model.components[-1].id)
        place.store.delete(key)
        return key

    def test_is_told_and_moves_no_head_that_needs_it(self, ann: Repository, bob: Repository, place: Place) -> None:
        key = self.lose_component(ann, place, "a")
        add_sample_task(bob, "d")
        result = push(bob, place.remote, clock=place.clock)
        assert result.missing == ("1 component",)
        assert outcomes(result) == {"a": "skipped", "b/c": "unchanged", "d": "new"}
        assert read_tracking(bob.state, place.remote).lost == ("1 component",)
        assert push(bob, place.remote, clock=place.clock).missing == ("1 component",)
        assert push(ann, place.remote, clock=place.clock).restored == ("1 component",)
        assert place.store.exists(key)
        assert push(bob, place.remote, clock=place.clock).missing == ()
        assert read_tracking(bob.state, place.remote).lost == ()

    def test_is_told_in_another_epoch_too(self, ann: Repository, bob: Repository, place: Place) -> None:
        self.lose_component(ann, place, "a")
        new_epoch(place.store)
        for _ in range(2):
            assert push(bob, place.remote, clock=place.clock).missing == ("1 component",)

    def test_no_entry_comes_back_without_it(self, ann: Repository, bob: Repository, place: Place) -> None:
        self.lose_component(ann, place, "a")
        place.store.delete(entry_key("a", 5))
        result = push(bob, place.remote, clock=place.clock)
        assert result.missing == ("entry 5 of a", "1 component")
        assert not place.store.exists(entry_key("a", 5))

    def test_an_entry_that_nothing_proves_leaves_a_gap_that_is_told(self, ann: Repository, place: Place) -> None:
        log = Refs(place.store).log("a")
        other = Refs(place.store).append("a", commit_of(ann, "b/c"), after=log[-1])
        last = Refs(place.store).append("a", commit_of(ann, "a"), after=other)
        known = read_tracking(ann.state, place.remote).with_heads([last])
        write_tracking(ann.state, "origin", known)
        place.store.delete(entry_key("a", 6))
        evolve_sample(ann, "a", score=0.9)
        result = push(ann, place.remote, clock=place.clock)
        assert result.missing == ("entry 6 of a",)
        assert outcomes(result)["a"] == "skipped"
        assert not place.store.exists(entry_key("a", 8))

    def test_what_its_readers_may_not_see_any_more_stays_here(self, ann: Repository, place: Place) -> None:
        state = ann.refs.head("a")
        assert state is not None
        task_id = ann.objects.put(sample_task("a", AccessRule.only(["a"])))
        hidden = replace(ann.objects.commit(state.commit), task_id=task_id, parents=(state.commit,))
        ann.refs.append("a", ann.objects.put(hidden), after=state)
        key = self.lose_component(ann, place, "a")
        assert push(ann, place.remote, clock=place.clock).missing == ("1 component",)
        assert not place.store.exists(key)
