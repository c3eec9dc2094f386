"""What a remote loses after it was looked at, while a push is under way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain, repeat

import pytest

from mu2net_core.repo import Repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.servers.wrappers import Watched, WrappedStore
from mu2net_core.testing.worlds.losing import BUCKET, NOON, Place, seconds
from mu2net_core.testing.worlds.sharing import commit_of


@pytest.fixture
def ann(knowing: Repository) -> Repository:
    """Returns the working copy that knows the remote."""
    return knowing


def test_an_entry_lost_since_the_look_is_not_followed(ann: Repository, place: Place) -> None:
    """Between the listing and the move of a head the entry before is read."""

    key = entry_key("a", 5)
    before = place.store.read(key)
    lose = iter([key])

    class Losing(WrappedStore):
        def list(self, prefix: str) -> Iterator[str]:
            yield from tuple(super().list(prefix))
            for lost in lose:
                self.inner.delete(lost)

    evolve_sample(ann, "a", score=0.9)
    push(ann, place.remote, clock=seconds(99), open_store=Watched(Losing))
    assert [state.number for state in Refs(place.store).log("a")] == [1, 2, 3, 4, 5, 6]
    assert place.store.read(key) == before
    assert Refs(place.store).log("a")[-1].commit == commit_of(ann, "a")


@pytest.mark.parametrize("place", [BUCKET], indirect=True)
def test_an_entry_lost_just_after_a_look_comes_back_as_it_was(ann: Repository, place: Place) -> None:
    fetch(ann, connect(place.remote), clock=seconds(100))
    key = entry_key("a", 5)
    before = place.store.read(key)
    place.store.delete(key)
    evolve_sample(ann, "a", score=0.9)
    assert push(ann, place.remote, clock=seconds(110)).restored == ("entry 5 of a",)
    assert place.store.read(key) == before
    assert Refs(place.store).log("a")[-1].number == 6


@pytest.mark.parametrize("place", [BUCKET], indirect=True)
def test_a_push_that_takes_long_reads_it_though_all_was_looked_at_just_before(ann: Repository, place: Place) -> None:
    evolve_sample(ann, "a", score=0.9)
    place.store.delete(entry_key("a", 5))
    times = chain([20.0], repeat(99.0))
    push(ann, place.remote, clock=lambda: NOON + timedelta(seconds=next(times)))
    assert Refs(place.store).log("a")[-1].commit == commit_of(ann, "a")
