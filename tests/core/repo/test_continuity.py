"""What a damaged or hostile remote's logs can do: be named, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import HeadEntry, decode, encode
from mu2net_core.repo import HeadState, Remote, Repository, create_repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.continuity import Followed, newest_heads
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.remotes.remotes import RemoteRepository, connect
from mu2net_core.repo.remotes.tracking import Tracking, read_tracking
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore
from mu2net_core.testing.worlds.sharing import broken


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    """Returns a bare repository whose task a has a log of four entries, and b one of one."""
    repo = sample_repository(tmp_path / "shared", bare=True)
    for task in ("a", "b"):
        add_sample_task(repo, task)
    for score in (0.5, 0.6, 0.7):
        evolve_sample(repo, "a", score=score)
    return repo


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    return create_repository(tmp_path / "here", preset="vit-ti0", identity=SAMPLE_IDENTITY)


def origin(shared: Repository) -> Remote:
    return Remote(name="origin", url=str(shared.path))


def entry(repo: Repository, number: int) -> Path:
    return repo.path / entry_key("a", number)


def change(file: Path, **values: object) -> None:
    """Writes an entry anew with other values."""
    from dataclasses import replace

    file.write_bytes(encode(replace(decode(file.read_bytes(), HeadEntry, what="entry"), **values)))


def take(here: Repository, shared: Repository) -> None:
    fetch(here, connect(origin(shared)))
    tracking = read_tracking(here.state, origin(shared))
    adopt(here, tracking, tracking.heads, Policy())


def fetched(here: Repository, shared: Repository) -> dict[str, str]:
    """Fetches; returns what is broken over there, and why."""
    return broken(fetch(here, connect(origin(shared))))


def head(repo: Repository, task: str = "a") -> HeadState:
    state = repo.refs.head(task)
    assert state is not None
    return state


class TestGaps:
    def test_an_entry_far_beyond_the_last_is_named_and_stops_nothing_else(
        self, shared: Repository, here: Repository
    ) -> None:
        entry(shared, 99_999_999).write_bytes(entry(shared, 4).read_bytes())
        missing = r"log of a on the remote origin .* has a gap: refs/heads/a/00000005 is missing, though"
        assert re.search(missing, fetched(here, shared)["task a"])
        tracking = read_tracking(here.state, origin(shared))
        assert set(tracking.heads) == {"b"}
        assert [report.task for report in adopt(here, tracking, tracking.heads, Policy())] == ["b"]

    def test_a_missing_first_entry(self, shared: Repository, here: Repository) -> None:
        entry(shared, 1).unlink()
        assert "a/00000001 is missing" in fetched(here, shared)["task a"]

    @pytest.mark.parametrize("number", [1, 2, 3, 4])
    def test_head_and_listing_agree(self, shared: Repository, number: int) -> None:
        entry(shared, 99_999_999).write_bytes(b"x")
        entry(shared, number).unlink()
        refs = RemoteRepository(origin(shared), LocalStore(shared.path)).refs
        probed = refs.head("a")
        assert refs.numbers().get("a") == (None if probed is None else probed.number)
        assert refs.heads().get("a") == probed


class TestChains:
    def test_new_entries_must_follow_what_was_seen(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        before = head(here)
        evolve_sample(shared, "a", score=0.8)
        evolve_sample(shared, "a", score=0.9)
        evolve_sample(shared, "b", score=0.9)
        change(entry(shared, 5), previous="0" * 64)
        assert re.search(r"log of a .* is broken: entry 5 does not follow", fetched(here, shared)["task a"])
        tracking = read_tracking(here.state, origin(shared))
        adopt(here, tracking, tracking.heads, Policy())
        assert head(here) == before
        assert head(here, "b").commit == head(shared, "b").commit

    def test_so_must_those_in_between(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        evolve_sample(shared, "a", score=0.8)
        evolve_sample(shared, "a", score=0.9)
        change(entry(shared, 5), commit=head(shared, "b").commit)
        assert "entry 6 does not follow" in fetched(here, shared)["task a"]

    def test_a_log_that_got_shorter(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        entry(shared, 4).unlink()
        with pytest.raises(CorruptObjectError, match=r"is behind what was seen of it: entry 4 of a is gone there"):
            fetch(here, connect(origin(shared)))

    def test_a_first_entry_follows_nothing(self, shared: Repository, here: Repository) -> None:
        change(shared.path / entry_key("b", 1), previous="0" * 64)
        assert re.search(r"log of b .* entry 1 does not follow", fetched(here, shared)["task b"])

    def test_of_a_log_what_is_new_is_read_or_else_the_newest(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        for score in (0.8, 0.9):
            evolve_sample(shared, "a", score=score)
        store = WrappedStore(LocalStore(shared.path))
        remote, tracking = RemoteRepository(origin(shared), store), read_tracking(here.state, origin(shared))
        found = newest_heads(remote, tracking, ["a", "b"], {"a": 6, "b": 1})
        between = shared.refs.entry("a", 5)[0].commit
        assert found == {
            "a": Followed(state=head(shared), moves=(between,)),
            "b": Followed(state=head(shared, "b")),
        }
        assert sorted(key for _, key in store.log) == [entry_key("a", 5), entry_key("a", 6), entry_key("b", 1)]

    def test_an_unknown_task_is_nowhere(self, shared: Repository) -> None:
        remote = connect(origin(shared))
        assert newest_heads(remote, Tracking(url=""), ["z"], {}) == {"z": None}
