"""A purge, a collection of garbage and pushes at the same time: no acknowledged head ever names what is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, StorageError
from mu2net_core.objects import AccessRule, Agent
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.epoch import current_epoch, is_current, new_epoch
from mu2net_core.repo.core.tombstones import is_purge
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.reports import TaskReport
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.repo.upkeep import purging as purge_module
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.purging import bury, store_purge_commit
from mu2net_core.storage import Store
from mu2net_core.testing.building.samples import evolve_sample, sample_task

NOW = "2026-01-02T03:04:05.678901+00:00"
AGENT = Agent(id="0" * 32, host="test", device="none")
NO_GRACE = timedelta(days=-1)


def there(remote: Remote) -> Repository:
    return open_repository(Path(remote.url))


def purge(repo: Repository, settle: Callable[[], None] = lambda: None) -> None:
    place = here(repo)
    bury(place, "cats", partial(store_purge_commit, place, agent=AGENT, now=NOW), now=NOW, settle=settle)


def test_who_looked_while_a_purge_waited_looks_again_if_it_found_more(ann: Repository, origin: Remote) -> None:
    """What arrives while it waits is marked after the epoch began: who knows that epoch would not know of it."""
    shared, stray, epochs = there(origin), sample_task("cats", AccessRule.only(["cats"])), list[str | None]()

    def settle() -> None:
        if not epochs:
            shared.objects.put(stray)
        epochs.append(current_epoch(shared.store))

    purge(shared, settle)
    assert len(epochs) == 2
    assert epochs[0] is not None
    assert not is_current(shared.store, epochs[0])
    assert is_current(shared.store, str(epochs[1]))


def test_a_purge_that_never_comes_to_rest_says_so(ann: Repository, origin: Remote) -> None:
    shared, turns = there(origin), list[int]()

    def settle() -> None:
        turns.append(len(turns))
        shared.objects.put(replace(sample_task("cats"), source=f"npz:/data/{len(turns)}.npz"))

    with pytest.raises(ConflictError, match="kept being sent"):
        purge(shared, settle)
    assert fsck(there(origin)).problems == ()


def test_a_collection_after_a_purge_that_died_tells_pushers_to_look(
    ann: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann believes the remote to have what its head of cats reached; the purge died before it could tell her."""

    def die(_store: Store) -> str:
        raise StorageError("died")

    cats = load_system(ann).heads["cats"].commit.model
    epoch = current_epoch(there(origin).store)
    monkeypatch.setattr(purge_module, "new_epoch", die)
    with pytest.raises(StorageError, match="died"):
        purge(there(origin))
    assert epoch is not None
    assert is_current(there(origin).store, epoch)
    waits: list[int] = []
    collect(here(there(origin)), grace=NO_GRACE, dry_run=False, settle=lambda: waits.append(1))
    assert waits == [1]
    evolve_sample(ann, "dogs", score=0.9, parent=cats, trains=("embedding",), seed=90)
    report = next(report for report in push(ann, origin).tasks if report.task == "dogs")
    assert report.outcome == "skipped"
    assert "knowledge of cats, which was purged from origin" in (report.reason or "")
    collect(here(there(origin)), grace=NO_GRACE, dry_run=False, settle=lambda: waits.append(2))
    assert waits == [1], "nothing that was purged is left: nobody is waited for"


def test_a_task_added_again_while_its_purge_waits_has_a_whole_head_afterwards(ann: Repository, origin: Remote) -> None:
    shared, turns = there(origin), list[int]()

    def settle() -> None:
        turns.append(len(turns))
        state = shared.refs.head("cats")
        if len(turns) == 1 and state is not None:
            before = shared.objects.commit(state.commit)
            task_id = shared.objects.put(sample_task("cats"))
            again = replace(before, parents=(state.commit,), removed=False, task_id=task_id, message="add cats again")
            shared.refs.append("cats", shared.objects.put(again), after=state)

    purge(shared, settle)
    fresh = there(origin)
    head = fresh.refs.head("cats")
    assert head is not None
    assert is_purge(fresh.objects.commit(head.commit))
    assert fsck(fresh).problems == ()


def test_a_push_that_meets_a_purge_before_its_epoch_joins_nothing(
    ann: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head has moved to the purge commit, and the epoch does not tell of it yet."""
    evolve_sample(ann, "cats", score=0.9, seed=90)
    mine = ann.refs.head("cats")

    def push_meanwhile(store: Store) -> str:
        if not told:
            told.extend(report for report in push(ann, origin).tasks if report.task == "cats")
        return new_epoch(store)

    told: list[TaskReport] = []
    monkeypatch.setattr(purge_module, "new_epoch", push_meanwhile)
    purge(there(origin))
    assert [report.outcome for report in told] == ["skipped"]
    assert "it was purged from origin" in (told[0].reason or "")
    assert ann.refs.head("cats") == mine
    assert len(there(origin).refs.log("cats")) == 2
    assert fsck(there(origin)).problems == ()


def test_a_pull_that_meets_a_purge_before_its_epoch_drops_the_task(
    ann: Repository, origin: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull_meanwhile(store: Store) -> str:
        if store.url != ann.store.url and not told:
            fetch(ann, connect(origin))
            tracking = read_tracking(ann.state, origin)
            reports = adopt(ann, tracking, tracking.heads, Policy(now=NOW, follow_purges=True), remote=origin)
            told.extend(report for report in reports if report.task == "cats")
        return new_epoch(store)

    told: list[TaskReport] = []
    monkeypatch.setattr(purge_module, "new_epoch", pull_meanwhile)
    purge(there(origin))
    assert [report.outcome for report in told] == ["removed"]
    assert fsck(there(origin)).problems == ()
    assert fsck(open_repository(ann.worktree)).problems == ()
