"""Leases have a place of their own: nothing is surprised by them, copies them, or keeps them once they are over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Agent, LeaseEntry, decode, encode
from mu2net_core.repo import Remote, Repository, create_repository
from mu2net_core.repo.checking import fsck
from mu2net_core.repo.core import check_empty
from mu2net_core.repo.exchange import fetch, push
from mu2net_core.repo.leases import lease_key, parse_lease_key
from mu2net_core.repo.remotes import connect
from mu2net_core.repo.upkeep import bury, collect, here, store_purge_commit
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

AGENT = Agent(id="a" * 32, host="here", device="cpu", slot=1)
NOW = "2026-01-02T03:04:05.000000+00:00"
LEASE = LeaseEntry(
    agent=AGENT, session="b" * 32, first=1, ttl_s=60.0, iteration=1, generation=0, score=None, method="random"
)


def take(repo: Repository, task: str, number: int, k: int = 1) -> str:
    """Returns the key of a lease that somebody took."""
    key = lease_key(task, number, k)
    repo.store.create(key, encode(LEASE))
    return key


def leases(repo: Repository) -> set[str]:
    return set(repo.store.list("leases"))


@pytest.mark.parametrize("task", ["a", "a/b/c"])
def test_a_key_says_which_task_from_where_and_which_file(task: str) -> None:
    assert parse_lease_key(lease_key(task, 12, 3)) == (task, 12, 3)


@pytest.mark.parametrize("key", ["leases/a/1/2", "leases/00000001/00000001", "leases/a/00000000/00000001", "refs/a"])
def test_any_other_key_is_none_of_a_lease(key: str) -> None:
    assert parse_lease_key(key) is None


@pytest.mark.parametrize(
    "wrong", [b'"ttl_s":-1.0', b'"ttl_s":3601.0', b'"first":0', b'"session":"b"', b'"iteration":-1', b'"generation":-1']
)
def test_a_lease_that_cannot_be_right_is_refused(wrong: bytes) -> None:
    name = wrong.partition(b":")[0]
    begin = encode(LEASE).index(name)
    end = min(at for mark in (b",", b"}") if (at := encode(LEASE).find(mark, begin)) > 0)
    with pytest.raises(CorruptObjectError):
        decode(encode(LEASE)[:begin] + wrong + encode(LEASE)[end:], LeaseEntry, what="the lease")
    assert decode(encode(LEASE), LeaseEntry, what="the lease") == LEASE


def test_what_is_over_goes_with_the_garbage_and_what_is_not_stays(repo: Repository) -> None:
    add_sample_task(repo, "a")
    before, gone, forged = take(repo, "a", 1), take(repo, "never/was", 1), take(repo, "a", 99_999_999)
    now = take(repo, "a", evolve_sample(repo, "a", score=0.5).number)
    assert collect(here(repo), grace=timedelta(days=1)).num_leftovers == 3
    assert leases(repo) == {before, gone, forged, now}
    assert collect(here(repo), grace=timedelta(days=1), dry_run=False).num_leftovers == 3
    assert leases(repo) == {now}


def test_a_purge_takes_those_on_its_task_along(repo: Repository) -> None:
    for task in ("a", "b"):
        add_sample_task(repo, task)
    take(repo, "a", 1)
    other = take(repo, "b", 1)
    place = here(repo)
    bury(place, "a", lambda found: store_purge_commit(place, found, agent=AGENT, now=NOW), now=NOW)
    assert leases(repo) == {other}


def test_no_check_minds_them_whatever_they_hold(repo: Repository) -> None:
    add_sample_task(repo, "a")
    take(repo, "a", 1)
    repo.store.create(lease_key("a", 1, 2), b"not a lease")
    repo.store.create("leases/else", b"")
    report = fsck(repo)
    assert (report.problems, report.warnings) == ((), ())


def test_neither_a_push_nor_a_fetch_copies_them(repo: Repository, tmp_path: Path) -> None:
    add_sample_task(repo, "a")
    take(repo, "a", 1)
    there = create_repository(tmp_path / "there", preset="vit-ti0", bare=True, identity=repo.identity)
    remote = Remote(name="origin", url=str(there.path))
    push(repo, remote)
    assert there.refs.tasks() == ("a",)
    assert leases(there) == set()
    mine = take(there, "a", 1, 7)
    fetch(repo, connect(remote))
    assert mine not in leases(repo)


def test_a_folder_that_holds_nothing_else_can_become_a_repository(repo: Repository, tmp_path: Path) -> None:
    take(repo, "a", 1)
    (tmp_path / "empty").mkdir()
    (repo.path / "leases").rename(tmp_path / "empty" / "leases")
    check_empty(tmp_path / "empty")
