"""What a remote can lose, and what a working copy that saw it before does about that."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, CorruptObjectError, NotFoundError
from mu2net_core.objects import Kind, Snapshot, encode, hash_bytes, object_key
from mu2net_core.repo import Repository
from mu2net_core.repo.core.epoch import new_epoch
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.tracking import forget_tracking, read_tracking
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.losing import BUCKET, FOLDER, LOSSES, Place, check, contents, lost_keys, seconds
from mu2net_core.testing.worlds.sharing import broken, clone_of, commit_of, outcomes


@pytest.fixture
def ann(knowing: Repository) -> Repository:
    """Returns the working copy that knows the remote."""
    return knowing


@pytest.mark.parametrize("name", LOSSES)
def test_whatever_is_lost_is_told_and_sent_again(ann: Repository, place: Place, name: str) -> None:
    before = contents(place.store)
    replaced = lost_keys(place, name)
    assert preview(ann, place.remote, clock=place.clock).lost
    evolve_sample(ann, "a", score=0.9)
    result = push(ann, place.remote, clock=place.clock)
    assert result.restored
    assert result.missing == ()
    after = contents(place.store)
    assert {key for key in before if after.get(key) != before[key]} == replaced
    assert Refs(place.store).log("a")[-1].commit == commit_of(ann, "a")
    assert check(ann, place.remote).is_clean
    again = push(ann, place.remote, clock=place.clock)
    assert (again.restored, set(outcomes(again).values())) == ((), {"up-to-date"})


@pytest.mark.parametrize("place", [BUCKET], indirect=True)
@pytest.mark.parametrize("name", LOSSES)
def test_nothing_new_to_send_is_no_reason_to_call_it_up_to_date(ann: Repository, place: Place, name: str) -> None:
    before = contents(place.store)
    replaced = lost_keys(place, name)
    assert push(ann, place.remote, clock=place.clock).restored
    after = contents(place.store)
    assert {key for key in before if after.get(key) != before[key]} == replaced


@pytest.mark.parametrize("place", [FOLDER], indirect=True)
@pytest.mark.parametrize("name", LOSSES)
def test_fsck_finds_the_same_and_heals_it(ann: Repository, place: Place, name: str) -> None:
    before = contents(place.store)
    replaced = lost_keys(place, name)
    assert not check(ann, place.remote).is_clean
    assert check(ann, place.remote, source=ann).is_clean
    after = contents(place.store)
    assert {key for key in before if after.get(key) != before[key]} == replaced


@pytest.mark.parametrize("name", [name for name in LOSSES if name[:4] != "one "])
def test_a_fetch_tells_and_forgets_nothing(ann: Repository, place: Place, name: str) -> None:
    known = read_tracking(ann.state, place.remote)
    lost_keys(place, name)
    for _ in range(2):
        with pytest.raises(CorruptObjectError, match=r"is behind what was seen of it: .* gone there") as info:
            fetch(ann, connect(place.remote), clock=place.clock)
        assert "mu2net push origin" in str(info.value.hint)
    now = read_tracking(ann.state, place.remote)
    assert now.lost
    assert (now.heads, now.tags, now.roots) == (known.heads, known.tags, known.roots)
    assert push(ann, place.remote, clock=place.clock).restored
    fetch(ann, connect(place.remote), clock=place.clock)
    assert read_tracking(ann.state, place.remote).lost == ()


@pytest.mark.parametrize("kind", ["commit", "model", "component"])
def test_a_fetch_tells_of_what_the_newest_entry_needs(ann: Repository, place: Place, kind: Kind) -> None:
    commit_id = commit_of(ann, "a")
    model_id = ann.objects.commit(commit_id).model or ""
    ids = {"commit": commit_id, "model": model_id, "component": ann.objects.model(model_id).components[-1].id}
    place.store.delete(object_key(kind, ids[kind]))
    with pytest.raises(CorruptObjectError, match=f"is behind what was seen of it: 1 {kind} is gone there"):
        fetch(ann, connect(place.remote), clock=place.clock)
    assert read_tracking(ann.state, place.remote).lost == (f"1 {kind}",)


def test_a_fetch_of_one_task_tells_of_that(ann: Repository, place: Place) -> None:
    lost_keys(place, "the last entry")
    fetch(ann, connect(place.remote), tasks=["b/c"], clock=place.clock)
    found = broken(fetch(ann, connect(place.remote), tasks=["a"], clock=place.clock))
    assert "is behind what was seen of it: entry 5 of a is gone there" in found["task a"]


def test_of_a_remote_where_nothing_is_left_it_is_said_how_to_begin_anew(ann: Repository, place: Place) -> None:
    for key in list(place.store.list("")):
        place.store.delete(key)
    for exchange in (push, lambda repo, remote, clock: fetch(repo, connect(remote), clock=clock)):
        with pytest.raises(NotFoundError, match="is gone: nothing of it is left") as info:
            exchange(ann, place.remote, clock=place.clock)
        commands = str(info.value.hint).split("`")[1::2]
        assert commands == [
            "mu2net remote add NAME WHERE",
            "mu2net remote remove origin",
            f"mu2net remote add origin {place.remote.url}",
            "mu2net push origin",
        ]
        assert read_tracking(ann.state, place.remote).lost == ("all of it",)
    assert list(place.store.list("")) == []


@pytest.mark.parametrize("place", [BUCKET], indirect=True)
def test_what_a_push_sent_before_it_saw_that_nothing_is_left_is_no_other_repository(
    ann: Repository, place: Place
) -> None:
    for key in list(place.store.list("")):
        place.store.delete(key)
    evolve_sample(ann, "a", score=0.9)
    for after in (1, 2, 60):
        with pytest.raises(NotFoundError, match="is gone: nothing of it is left"):
            push(ann, place.remote, clock=seconds(after))
    assert list(place.store.list("objects"))
    forget_tracking(ann.state, "origin")
    push(ann, place.remote, clock=seconds(90))
    assert check(ann, place.remote).is_clean


@pytest.mark.parametrize("kind", ["tag", "root"])
def test_another_of_the_same_name_is_a_conflict(ann: Repository, place: Place, kind: str) -> None:
    lost_keys(place, f"a {kind}")
    theirs = commit_of(ann, "a")
    if kind == "tag":
        snapshot = encode(Snapshot(heads={"a": theirs}, roots=ann.refs.roots()))
        place.store.create(object_key("snapshot", hash_bytes(snapshot)), snapshot)
        Refs(place.store).create_tag("v1", hash_bytes(snapshot))
    else:
        (name,) = ann.refs.roots()
        Refs(place.store).create_root(name, ann.objects.commit(theirs).model or "")
    found = [problem.object for problem in check(ann, place.remote).problems]
    assert [key.split("/")[1] for key in found] == [f"{kind}s"]
    with pytest.raises(ConflictError):
        push(ann, place.remote, clock=seconds(99))
    fetched = fetch(ann, connect(place.remote), clock=seconds(200))
    (report,) = fetched.tags if kind == "tag" else fetched.roots
    assert report.outcome == "conflict"


def test_what_somebody_else_sent_and_is_lost_fails_each_time_and_is_noted(
    ann: Repository, place: Place, tmp_path: Path
) -> None:
    ben = clone_of(place.remote, tmp_path / "ben")
    attach(ben)
    evolve_sample(ann, "a", score=0.9)
    push(ann, place.remote, clock=seconds(99))
    place.store.delete(object_key("commit", commit_of(ann, "a")))
    place.store.delete(entry_key("b/c", 5))
    new_epoch(place.store)
    for time in (100, 101, 200):
        pushed = push(ben, place.remote, clock=seconds(time))
        assert "is missing on the remote" in broken(pushed)["task a"]
        assert pushed.restored == (("entry 5 of b/c",) if time == 100 else ())
        assert read_tracking(ben.state, place.remote).lost
    push(ann, place.remote, clock=seconds(300))
    push(ben, place.remote, clock=seconds(300))
    assert read_tracking(ben.state, place.remote).lost == ()


def test_a_newest_entry_that_names_nothing_is_told_and_put_back(ann: Repository, place: Place) -> None:
    key = entry_key("a", 5)
    before = place.store.read(key)
    place.store.delete(key)
    Refs(place.store).append("a", "0" * 64, after=Refs(place.store).head("a"))
    reports = {report.task: report for report in push(ann, place.remote, clock=seconds(99)).tasks}
    assert reports["a"].outcome == "broken"
    assert "another entry 5 than before, which names a commit" in str(reports["a"].reason)
    assert {report.outcome for task, report in reports.items() if task != "a"} <= {"up-to-date", "unchanged"}
    found = broken(fetch(ann, connect(place.remote), clock=seconds(99)))
    assert "another entry 5 than before, which names a commit" in found["task a"]
    assert check(ann, place.remote, source=ann).is_clean
    assert place.store.read(key) == before
    assert set(outcomes(push(ann, place.remote, clock=seconds(200))).values()) == {"up-to-date"}


def test_a_tombstone_comes_back_before_anything_else(ann: Repository, place: Place) -> None:
    there = Forger.into(place.remote)
    there.whole_purge("a")
    (key,) = place.store.list("refs/purged")
    fetch(ann, connect(place.remote))
    place.store.delete(key)
    assert not check(ann, place.remote).is_clean
    assert push(ann, place.remote, clock=place.clock).restored == ("a tombstone of a",)
    assert place.store.exists(key)
    place.store.delete(key)
    assert check(ann, place.remote, source=ann).is_clean
    assert place.store.exists(key)
