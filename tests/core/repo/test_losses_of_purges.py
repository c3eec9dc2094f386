"""What a remote can lose of a purge: its tombstones, its epoch, the log of what was purged."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.objects import Agent, Snapshot, object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import examine, fsck
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.core.epoch import EPOCHS, current_epoch, is_epoch_key
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.exchange.repair_source import GuardedSource
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.reports import TaskReport
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.purging import bury, store_purge_commit
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import clone_of, outcomes, there

NOW = "2026-01-02T03:04:05.678901+00:00"
PURGED = "refs/purged"


@pytest.fixture
def bob(ann: Repository, origin: Remote, tmp_path: Path) -> Repository:
    """Returns a clone from before the purge; some more entries of ``cats`` were pushed before."""
    for score in (0.6, 0.7):
        evolve_sample(ann, "cats", score=score, seed=round(100 * score))
        push(ann, origin)
    return clone_of(origin, tmp_path / "bob")


@pytest.fixture
def backup(bob: Repository, origin: Remote, tmp_path: Path) -> Path:
    """Returns a copy of the remote as it was before the purge."""
    return Path(shutil.copytree(origin.url, tmp_path / "backup"))


@pytest.fixture
def purged(ann: Repository, bob: Repository, backup: Path, origin: Remote) -> dict[str, bytes]:
    """Purges ``cats`` from the remote, which ann takes over; returns the files of the remote."""
    return purge(ann, origin)


def purge(ann: Repository, origin: Remote) -> dict[str, bytes]:
    place = here(there(origin))
    agent = Agent(id="0" * 32, host="test", device="none")
    bury(place, "cats", partial(store_purge_commit, place, agent=agent, now=NOW), now=NOW)
    assert outcomes(pull(ann, origin))["cats"] == "removed"
    return files(origin)


def pull(repo: Repository, remote: Remote) -> tuple[TaskReport, ...]:
    fetch(repo, connect(remote))
    tracking = read_tracking(repo.state, remote)
    return adopt(repo, tracking, tracking.heads, Policy(now=NOW, follow_purges=True), remote=remote)


def files(origin: Remote) -> dict[str, bytes]:
    store = open_store(origin.url)
    return {key: store.read(key) for key in store.list("")}


def lose(origin: Remote, prefix: str) -> None:
    store = open_store(origin.url)
    for key in list(store.list(prefix)):
        store.delete(key)


@pytest.mark.parametrize("prefix", ["refs/heads/cats", "refs/heads"])
def test_the_log_of_a_purged_task_comes_back_byte_for_byte(
    ann: Repository, bob: Repository, origin: Remote, purged: dict[str, bytes], prefix: str
) -> None:
    lose(origin, prefix)
    assert push(ann, origin).missing == ()
    assert files(origin) == purged
    assert outcomes(pull(bob, origin))["cats"] == "removed"


def test_so_it_does_from_a_clone_that_never_had_the_task(
    origin: Remote, purged: dict[str, bytes], tmp_path: Path
) -> None:
    cem = clone_of(origin, tmp_path / "cem")
    lose(origin, "refs/heads/cats")
    push(cem, origin)
    assert files(origin) == purged


def test_a_check_without_any_memory_tells_that_the_end_of_a_purge_is_gone(
    origin: Remote, purged: dict[str, bytes]
) -> None:
    newest = there(origin).refs.numbers()["cats"]
    assert fsck(there(origin)).is_clean
    open_store(origin.url).delete(entry_key("cats", newest))
    problems = {problem.object: problem.message for problem in fsck(there(origin)).problems}
    assert "the entry that its purge ended with is gone" in problems[entry_key("cats", newest)]


def test_a_repair_brings_it_back_too(ann: Repository, origin: Remote, purged: dict[str, bytes]) -> None:
    lose(origin, "refs/heads/cats")
    reached = connect(origin)
    assert examine(patient_there(reached, ann), source=GuardedSource(ann, ann, reached.audience)).is_clean
    assert files(origin) == purged


def test_whoever_knows_the_epoch_of_the_backup_learns_of_the_tombstones_that_came_back(
    ann: Repository, bob: Repository, origin: Remote, purged: dict[str, bytes], backup: Path
) -> None:
    mine = evolve_sample(bob, "cats", score=0.9, seed=90)
    bob.refs.create_tag("v2", bob.objects.put(Snapshot(heads={"cats": mine.commit}, roots={})))
    shutil.rmtree(origin.url)
    shutil.copytree(backup, origin.url)
    before = current_epoch(open_store(origin.url))
    push(ann, origin)
    assert current_epoch(open_store(origin.url)) != before
    assert len(list(open_store(origin.url).list(EPOCHS))) == 1
    result = push(bob, origin)
    assert outcomes(result)["cats"] == "skipped"
    assert [tag.outcome for tag in result.tags if tag.name == "v2"] == ["skipped"]
    assert not open_store(origin.url).exists(object_key("commit", mine.commit))
    assert push(ann, origin).restored == ()


def test_a_lost_tombstone_lets_nothing_of_the_purged_history_back(
    ann: Repository, bob: Repository, origin: Remote, purged: dict[str, bytes], tmp_path: Path
) -> None:
    idle = open_repository(shutil.copytree(bob.worktree, tmp_path / "idle"))
    evolve_sample(bob, "cats", score=0.9, seed=90)
    lose(origin, "refs/purged")
    before = files(origin)
    fetch(bob, connect(origin))
    result = push(bob, origin)
    assert outcomes(result)["cats"] == "skipped"
    assert "mu2net push origin in the copy that purged it" in str(result.tasks[0].reason)
    assert files(origin) == before
    push(idle, origin)
    push(ann, origin)
    assert outcomes(push(bob, origin))["cats"] == "skipped"
    assert outcomes(pull(idle, origin))["cats"] == "removed"
    assert not any(key.startswith("objects/commit") for key in files(origin).keys() - purged.keys())


def test_nor_what_an_old_tag_names(
    ann: Repository, bob: Repository, origin: Remote, backup: Path, tmp_path: Path
) -> None:
    """A tag that was there before the purge goes on naming what is gone, which bob still has."""
    heads = {task: state.commit for task, state in bob.refs.heads().items()}
    bob.refs.create_tag("v1", bob.objects.put(Snapshot(heads=heads, roots=bob.refs.roots())))
    push(bob, origin)
    before = purge(ann, origin)
    lose(origin, "refs/purged")
    for _ in range(2):
        fetch(bob, connect(origin))
        assert push(bob, origin).restored == ()
        assert files(origin).keys() == before.keys() - {f"{PURGED}/cats/00000001"}
    assert push(ann, origin).restored == ("a tombstone of cats",)


@pytest.mark.parametrize("data", [b"", b'{"access":'])
def test_a_damaged_tombstone_is_made_again_by_who_saw_it(
    ann: Repository, bob: Repository, origin: Remote, purged: dict[str, bytes], data: bytes, tmp_path: Path
) -> None:
    idle = open_repository(shutil.copytree(bob.worktree, tmp_path / "idle"))
    file = Path(origin.url, PURGED, "cats", "00000001")
    file.chmod(0o644)
    file.write_bytes(data)
    before = files(origin)
    assert outcomes(push(idle, origin))["cats"] == "broken"  # he never saw it: it may tell that what he has was purged
    assert files(origin) == before
    assert push(ann, origin).restored == ("a tombstone of cats",)
    assert {key: data for key, data in files(origin).items() if not is_epoch_key(key)} == {
        key: data for key, data in purged.items() if not is_epoch_key(key)
    }
    assert outcomes(push(idle, origin))["cats"] == "skipped"
