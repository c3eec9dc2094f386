"""An entry that is gone in the middle of a log: nobody writes another in its place, who has it sends it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import hash_bytes
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes import tracking
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import forget_tracking, read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, outcomes

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOST = entry_key("cats", 3)


def at(seconds: float) -> Callable[[], datetime]:
    return lambda: NOON + timedelta(seconds=seconds)


@pytest.fixture(params=["folder", "bucket"])
def origin(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    is_folder = request.param == "folder"
    url = str(tmp_path / "shared") if is_folder else f"memory://{hash_bytes(request.node.nodeid.encode())}"
    return Remote(name="origin", url=url)


@pytest.fixture
def bob(ann: Repository, origin: Remote, tmp_path: Path) -> Repository:
    """Returns a copy that saw two entries of ``cats`` less than there are, and has work of its own on it."""
    evolve_sample(ann, "cats", score=0.6, seed=60)
    push(ann, origin, clock=at(0))
    bob = clone_of(origin, tmp_path / "bob")
    push(bob, origin, clock=at(0))
    for score in (0.7, 0.8):
        evolve_sample(ann, "cats", score=score, seed=round(100 * score))
        push(ann, origin, clock=at(0))
    evolve_sample(bob, "cats", score=0.9, seed=90)
    return bob


@pytest.fixture
def store(bob: Repository, origin: Remote) -> Store:
    """Returns the remote, which lost the entry after those that bob saw."""
    store = open_store(origin.url)
    store.delete(LOST)
    return store


@pytest.mark.parametrize("is_big", [False, True])
def test_nothing_is_written_in_its_place(
    ann: Repository, bob: Repository, origin: Remote, store: Store, is_big: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "PAGE", 10 if is_big else 1_000)
    for seconds in (40, 80):
        result = push(bob, origin, clock=at(seconds))
        assert result.missing == ("entry 3 of cats",)
        assert outcomes(result)["cats"] == "skipped"
        assert not store.exists(LOST)
        assert read_tracking(bob.state, origin).lost == ("entry 3 of cats",)
    assert push(ann, origin, clock=at(120)).restored == ("entry 3 of cats",)
    assert push(bob, origin, clock=at(160)).missing == ()
    log = Refs(store).log("cats")
    assert [state.number for state in log] == [1, 2, 3, 4, 5]
    assert log[-1].commit == commit_of(bob, "cats")


def test_every_verb_tells_of_it(bob: Repository, origin: Remote, store: Store) -> None:
    assert preview(bob, origin).lost == ("entry 3 of cats",)
    with pytest.raises(CorruptObjectError, match="entry 3 of cats is gone there"):
        fetch(bob, connect(origin))
    assert read_tracking(bob.state, origin).lost == ("entry 3 of cats",)


def test_nor_where_the_head_was_never_seen(ann: Repository, bob: Repository, origin: Remote, store: Store) -> None:
    add_sample_task(ann, "owls")
    push(ann, origin)
    for score in (0.5, 0.6):
        evolve_sample(ann, "owls", score=score, seed=round(100 * score))
        push(ann, origin)
    add_sample_task(bob, "owls")
    first = entry_key("owls", 1)
    store.delete(first)
    result = push(bob, origin, clock=at(40))
    assert result.missing == ("entry 1 of owls",)
    assert outcomes(result)["owls"] == "skipped"
    assert not store.exists(first)


def test_nor_by_who_meets_the_remote_anew(bob: Repository, origin: Remote, store: Store) -> None:
    forget_tracking(bob.state, "origin")
    reports = {report.task: report for report in push(bob, origin, clock=at(40)).tasks}
    assert {task for task, report in reports.items() if "has a gap" in str(report.reason)} == {"cats"}
    assert reports["cats"].outcome == "broken"
    assert not store.exists(LOST)
    reports = {report.task: report for report in push(bob, origin, clock=at(80)).tasks}
    assert reports["cats"].outcome in {"broken", "skipped"}
    assert not store.exists(LOST)
