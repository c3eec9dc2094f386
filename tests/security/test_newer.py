"""Tasks that a newer mu2net made are carried as they are, unused and under their access rule; all else goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.models.usable import check_usable
from mu2net_core.api.sharing import pull as api
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.errors import CorruptObjectError, Mu2netError, NewerError, PluginError
from mu2net_core.objectives import objective_of
from mu2net_core.objects import PUBLIC, AccessRule, parse_object_key, unknown_in
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.history.merging import merge
from mu2net_core.repo.history.system import load_rules
from mu2net_core.testing.attacks.newer import NEWER, STORED_ONLY, add_newer_task, newer_task
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import evolve_sample, sample_task
from mu2net_core.testing.worlds.sharing import add_tasks, broken, commit_of, outcomes, there, working_copy

NOW = timedelta(seconds=-60)
RED = AccessRule.only(["red"])


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, context: Context) -> Repository:
    """Returns a working copy that pushed two tasks."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits", "letters")
    push(repo, context)
    return open_repository(repo.worktree)


@pytest.fixture
def bob(tmp_path: Path, ann: Repository, origin: Remote, context: Context) -> Repository:
    """Returns a clone of these."""
    return open_repository(clone(origin.url, tmp_path / "bob", context).path)


def grown(repo: Repository, change: Mapping[str, Any], access: AccessRule = PUBLIC) -> tuple[str, bytes]:
    """Adds the task ``sounds`` with a model; returns the key and the bytes of its object."""
    made = add_newer_task(repo, "sounds", change, access=access)
    evolve_sample(repo, "sounds", score=0.5)
    return made


@pytest.mark.parametrize("change", [*NEWER.values(), *STORED_ONLY.values()], ids=[*NEWER, *STORED_ONLY])
def test_they_arrive_are_kept_and_sent_on_byte_for_byte(
    change: Mapping[str, Any],
    ann: Repository,
    bob: Repository,
    origin: Remote,
    context: Context,
    tmp_path: Path,
    spot: Callable[..., Remote],
) -> None:
    key, data = grown(ann, change)
    evolve_sample(ann, "digits", score=0.75)
    assert outcomes(push(ann, context)) == {"digits": "updated", "letters": "unchanged", "sounds": "new"}
    pulled = api.pull(bob, context)
    assert (broken(pulled), pulled.is_whole) == ({}, True)
    evolve_sample(bob, "letters", score=0.75)  # whose snapshot names the task
    assert outcomes(push(bob, context))["letters"] == "updated"
    assert gc(open_repository(bob.worktree), context, grace=NOW, dry_run=False).num_objects == 0
    assert {task.task for task in status(bob, context).tasks} == {"digits", "letters", "sounds"}
    second = spot("second")
    bob.update_config(lambda config: config.with_remote(second))
    bob = open_repository(bob.worktree)
    assert outcomes(push(bob, context, "second"))["sounds"] == "new"
    for full in (False, True):
        carl = open_repository(clone(second.url, tmp_path / f"carl{full}", context, full).path)
        assert carl.store.read(key) == data
        assert commit_of(carl, "sounds") == commit_of(ann, "sounds")
        report = fsck(carl)
        assert report.problems == ()
        told = {warning.object for warning in report.warnings if warning.kind == "newer"}
        kind, oid = parse_object_key(key) or ("", "")
        assert told == ({f"{kind}/{oid}"} if change in NEWER.values() else set())


@pytest.mark.parametrize(("name", "change"), NEWER.items(), ids=NEWER)
def test_they_are_not_used_and_it_is_said_that_a_newer_version_made_them(
    name: str, change: Mapping[str, Any], ann: Repository
) -> None:
    grown(ann, change)
    (info,) = (info for info in tasks(ann) if info.name == "sounds")
    task = load_system(ann).heads["sounds"].task
    assert info.unknown == unknown_in(task) is not None
    with pytest.raises((NewerError, PluginError)) as caught:
        check_usable(task, "evolve")
    if name in {"an output", "both"}:  # a package may have added these kinds, too
        told = f"Cannot evolve sounds: {info.unknown}, which neither mu2net "
        assert (caught.type, caught.value.message[: len(told)]) == (PluginError, told)
        assert "Install the package that adds it" in str(caught.value.hint)
    else:
        by = "mu2net 9.1 or newer" if name == "an input" else "a newer mu2net"
        told = f"Cannot evolve sounds: it was made by {by}: {info.unknown}; this is mu2net"
        assert (caught.type, caught.value.message[: len(told)]) == (NewerError, told)
    assert "pgrade: pip install -U mu2net" in str(caught.value.hint)


@pytest.mark.parametrize("change", STORED_ONLY.values(), ids=STORED_ONLY)
def test_what_this_version_knows_is_used_as_far_as_anything_here_works_with_it(
    change: Mapping[str, Any], ann: Repository
) -> None:
    grown(ann, change)
    task = load_system(ann).heads["sounds"].task
    assert unknown_in(task) is None
    if task.metric != "top-5":  # of all else that this version knows it can make models
        assert check_usable(task, "evolve") == objective_of(task)
        return
    with pytest.raises(PluginError, match="'top-5'"):
        check_usable(task, "evolve")


@pytest.mark.parametrize("change", [NEWER["both"], NEWER["a key"], STORED_ONLY["text"]], ids=["both", "a key", "text"])
def test_who_may_read_them_counts_as_for_any_task(
    change: Mapping[str, Any], ann: Repository, origin: Remote, context: Context
) -> None:
    key, _ = grown(ann, change, RED)
    assert "sounds" not in {task for task, outcome in outcomes(push(ann, context)).items() if outcome == "new"}
    assert load_rules(ann)["sounds"] == RED
    assert not there(origin).store.exists(key)
    assert "sounds" not in there(origin).refs.tasks()


def test_a_rule_of_who_may_read_that_is_not_understood_lets_nobody_read(
    ann: Repository, origin: Remote, context: Context
) -> None:
    key, _ = grown(ann, {"access": {"readers": None, "until": "2030"}})
    assert load_rules(ann)["sounds"] == AccessRule.only(())
    push(ann, context)
    assert not there(origin).store.exists(key)


def test_whoever_defines_a_task_anew_in_terms_nobody_knows_widens_nothing(
    ann: Repository, bob: Repository, origin: Remote, context: Context
) -> None:
    grown(ann, {}, RED)
    before, evil = load_rules(ann), Writer.into(ann)
    for change in (
        NEWER["both"],
        {"access": {"readers": ["blue", "red"], "also": ["blue"]}},
        {"access": {"readers": None}},
    ):
        task_id = ann.objects.put_bytes(
            "task", newer_task("sounds", {**change, "source": f"npz:{len(change)}"}, PUBLIC)
        )
        evil.move("sounds", evil.next("sounds", task_id=task_id, model=None))
        after = load_rules(open_repository(ann.worktree))
        assert after["sounds"].readers is not None
        assert set(after["sounds"].readers) <= {"red"}
        assert {task: rule for task, rule in after.items() if task != "sounds"} == {
            task: rule for task, rule in before.items() if task != "sounds"
        }


def test_two_sides_of_which_one_is_not_understood_are_not_joined(ann: Repository) -> None:
    evil = Writer.into(ann)
    known, newer = (
        evil.put(evil.next("digits", task_id=ann.objects.put_bytes("task", data), message=str(number)))
        for number, data in enumerate(
            (newer_task("digits", {"source": "npz:b.npz"}), newer_task("digits", {"mask": 1}))
        )
    )
    with pytest.raises(Mu2netError, match="made by a newer mu2net: it has the keys mask"):
        merge(ann.objects, [known, newer])


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"kind": "\x1b[31m"}},
        {"input": {"kind": "x" * 65}},
        {"output": {"kind": ""}},
        {"output": {"kind": 5}},
        {"output": {"names": ["a"]}},
        {"input": None},
        {"metric": "a b"},
        {"needs": "mu2net-evil"},
        {"needs": 9},
        {"input": {"kind": "sound", "deep": [[[[[[[[0]]]]]]]] * 9, "nan": 1e999}},
        {"output": {"kind": "number", "mean": 0.0, "deviation": 0.0}},
        {"output": {"kind": "labels", "names": []}},
        {"input": {"kind": "table", "columns": [{"name": "a", "values": None}, {"name": "a", "values": ["b"]}]}},
        {"input": {"kind": "table", "columns": [{"name": "a", "values": []}]}},
        {"input": {"kind": "text", "max_length": -1}},
    ],
    ids=lambda change: str(change)[:40].encode("unicode_escape").decode(),
)
def test_what_no_version_writes_is_damaged_whatever_it_claims(change: Mapping[str, Any], ann: Repository) -> None:
    data = json.dumps(
        {**json.loads(newer_task("a", {})), **change}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    oid = ann.objects.put_bytes("task", data.encode())
    with pytest.raises(CorruptObjectError, match="Cannot read task"):
        ann.objects.task(oid)


def test_what_they_say_is_bounded(ann: Repository) -> None:
    limits = replace(ann.limits, manifest_bytes=10_000, json_depth=16)
    objects = type(ann.objects)(ann.store, limits=limits)
    for extra in ({"pad": "x" * 10_000}, {"deep": [[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}):
        oid = ann.objects.put_bytes("task", newer_task("a", {"input": {"kind": "sound", **extra}}))
        with pytest.raises(CorruptObjectError):
            objects.task(oid)
    many = {f"key-{number:05d}": 0 for number in range(50)}
    task = ann.objects.task(ann.objects.put_bytes("task", newer_task("a", many)))
    assert len(task.unknown_keys) < 10
    assert sample_task("a").unknown_keys == ()
