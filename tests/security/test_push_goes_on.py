"""One task, root or tag that is broken keeps no other from being pushed, and nothing half of it is referred to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect, connect_or_create
from mu2net_core.repo.remotes.reports import Exchange
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import commit_of, model_of, outcomes, there, working_copy


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy with three tasks, of which the last learned from the first."""
    repo = working_copy(tmp_path / "ann", origin)
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
        parent = model_of(repo, "a") if task == "c" else None
        evolve_sample(repo, task, score=0.5, parent=parent, seed=ord(task))
    return repo


def own_part(repo: Repository, task: str) -> str:
    """Returns the key of a component that a task trained and no other has."""
    refs = repo.objects.model(model_of(repo, task)).components
    return next(object_key("component", ref.id) for ref in reversed(refs) if task in ref.training)


def lose(repo: Repository, key: str) -> None:
    repo.store.delete(key)
    repo.objects.forget()


def damage(repo: Repository, key: str) -> None:
    file = repo.store.local_path(key)
    assert file is not None
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    repo.objects.forget()


def names(done: Exchange) -> dict[str, str]:
    return {report.name: report.outcome for report in (*done.tags, *done.roots)}


@pytest.mark.parametrize("break_it", [lose, damage])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_component_that_is_gone_or_damaged_here(
    ann: Repository, origin: Remote, break_it: Callable[[Repository, str], None], is_first: bool
) -> None:
    if not is_first:
        push(ann, origin)
        for task in ("a", "b"):
            evolve_sample(ann, task, score=0.9, trains=LAYERS, seed=ord(task) + 9)
    break_it(ann, own_part(ann, "b"))
    done = push(ann, origin)
    others = {"a": "new", "c": "new"} if is_first else {"a": "updated", "c": "unchanged"}
    assert outcomes(done) == {**others, "b": "broken"}
    reason = next(str(report.reason) for report in done.tasks if report.task == "b")
    assert own_part(ann, "b").rsplit("/", 1)[1][:20] in reason
    assert fsck(there(origin)).is_clean
    assert read_tracking(ann.state, origin).unfinished


def test_a_manifest_that_is_gone_here(ann: Repository, origin: Remote) -> None:
    push(ann, origin)
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9, seed=ord(task) + 9)
    snapshot = ann.objects.commit(commit_of(ann, "b")).snapshot
    assert snapshot is not None
    lose(ann, object_key("snapshot", snapshot))
    plan = {parcel.name: parcel.outcome for parcel in preview(ann, origin).tasks}
    assert plan == {"a": "updated", "b": "broken", "c": "up-to-date"}
    for _ in range(2):
        done = push(ann, origin)
    assert {report.task for report in done.tasks if report.outcome == "broken"} == {"b"}
    assert connect(origin).refs.heads()["a"].commit == commit_of(ann, "a")
    assert not read_tracking(ann.state, origin).unfinished, "nothing of it was sent"


def test_what_learned_from_it_is_not_sent_as_if_that_had_arrived(ann: Repository, origin: Remote) -> None:
    """All were planned in one batch: what the first was to bring is sent with the last, or that is not sent."""
    lose(ann, own_part(ann, "a"))
    done = push(ann, origin)
    assert outcomes(done) == {"a": "broken", "b": "new", "c": "new"}
    assert fsck(there(origin)).is_clean


def test_a_tag_or_root_that_is_broken_here(ann: Repository, origin: Remote) -> None:
    heads = {"a": commit_of(ann, "a")}
    good, bad = (ann.objects.put(Snapshot(heads=heads, roots=roots)) for roots in ({}, ann.refs.roots()))
    ann.refs.create_tag("good", good)
    ann.refs.create_tag("bad", bad)
    ann.refs.create_root("worse", "0" * 64)
    lose(ann, object_key("snapshot", bad))
    planned = {parcel.name: parcel.outcome for parcel in (*preview(ann, origin).tags, *preview(ann, origin).roots)}
    assert planned == {"good": "new", "bad": "broken", "tiny": "new", "worse": "broken"}
    done = push(ann, origin)
    assert names(done) == planned
    assert set(outcomes(done).values()) == {"new"}


def test_damage_in_the_place_of_what_is_sent(ann: Repository, origin: Remote) -> None:
    shared = connect_or_create(origin, ann.config)
    shared.store.create(own_part(ann, "b"), b"something else")
    done = push(ann, origin)
    assert outcomes(done) == {"a": "new", "b": "broken", "c": "new"}
    assert shared.refs.tasks() == ("a", "c")
    reason = next(str(report.reason) for report in done.tasks if report.task == "b")
    assert "on the remote origin" in reason
    assert "is damaged" in reason


def test_a_head_over_there_that_names_nothing(ann: Repository, origin: Remote) -> None:
    push(ann, origin)
    refs = Refs(connect(origin).store)
    refs.append("b", "0" * 64, after=refs.head("b"))
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9, trains=LAYERS, seed=ord(task) + 9)
    done = push(ann, origin)
    assert outcomes(done) == {"a": "updated", "b": "broken", "c": "unchanged"}


@pytest.mark.parametrize("tasks", [("b",), ()])
def test_where_all_is_broken_the_error_says_what(ann: Repository, origin: Remote, tasks: tuple[str, ...]) -> None:
    push(ann, origin)
    for task in tasks or ("a", "b", "c"):
        evolve_sample(ann, task, score=0.9, trains=LAYERS, seed=ord(task) + 9)
        lose(ann, own_part(ann, task))
    with pytest.raises(NotFoundError, match="is not here"):
        push(ann, origin, tasks=tasks)


def test_a_first_push_of_nothing_whole_makes_no_repository(ann: Repository, origin: Remote) -> None:
    damage(ann, own_part(ann, "b"))
    with pytest.raises(CorruptObjectError, match="is damaged"):
        push(ann, origin, tasks=["b"])
    assert not Path(origin.url).exists()


def test_once_it_is_whole_again_it_goes(ann: Repository, origin: Remote) -> None:
    key = own_part(ann, "b")
    data = ann.store.read(key)
    lose(ann, key)
    push(ann, origin)
    ann.store.create(key, data)
    assert outcomes(push(ann, origin))["b"] == "new"
    assert not read_tracking(ann.state, origin).unfinished
    assert fsck(there(origin)).is_clean
