"""What was honestly made elsewhere, put into another repository by somebody who writes there and has no key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create
from mu2net_core.objects import Snapshot
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.remotes.tracking import read_purged
from mu2net_core.testing.building.samples import evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import commit_of
from mu2net_core.testing.worlds.signers import SignedScene, set_scene, sign_as, signed, told

OTHER = "b" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene(SignedScene):
    """Ann has another repository, too, with a task a; all in it is signed by her."""

    elsewhere: Repository


@pytest.fixture
def scene(context: Context, origin: Remote, is_strict: bool) -> Scene:
    """Returns a place where Ann shares a and b; with ``is_strict`` Bob requires signatures."""
    scene = set_scene(context, origin, lambda ann, context: begin(ann, context, "a", "b"), is_strict=is_strict)
    elsewhere = sample_repository(context.cwd / "elsewhere", identity=OTHER)
    sign_as(elsewhere, scene.context, "ann")
    begin(elsewhere, scene.context, "a")
    parts = {field.name: getattr(scene, field.name) for field in fields(scene)}
    return Scene(elsewhere=elsewhere, **parts)


@pytest.fixture(params=[False, True], ids=["", "where signatures are required"])
def is_strict(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def begin(repo: Repository, context: Context, *tasks: str) -> None:
    for task in tasks:
        signed(repo, context, task)
        signed(repo, context, task, score=0.5, seed=ord(task))


everywhere = pytest.mark.parametrize(("medium", "is_strict"), [("folder", False), ("folder", True), ("bucket", True)])


def a_commit(scene: Scene) -> None:
    commit_id = commit_of(scene.elsewhere, "a")
    scene.mallory.bring(scene.elsewhere, ("commit", commit_id))
    scene.mallory.move("a", commit_id)


def a_purge(scene: Scene) -> None:
    purge(scene.elsewhere, scene.context, "a")
    (stone, *_) = scene.elsewhere.refs.tombstones()[0]["a"]
    scene.mallory.refs.create_tombstone(stone)
    a_commit(scene)


def an_iteration_on_top(scene: Scene) -> None:
    """Continues the history here with one that began there: an unsigned merge, as anybody can make."""
    ours, theirs = scene.mallory.head("a").commit, commit_of(scene.elsewhere, "a")
    scene.mallory.bring(scene.elsewhere, ("commit", theirs))
    both = replace(scene.elsewhere.objects.commit(theirs), parents=tuple(sorted([ours, theirs])), signature=None)
    both = replace(both, agent=None, message="merge", snapshot=None, identity=None)
    scene.mallory.move("a", scene.mallory.put(both))


@pytest.mark.parametrize("attack", [a_commit, a_purge, an_iteration_on_top])
@pytest.mark.parametrize("verb", [pull, push])
def test_a_head_does_not_move_to_what_was_made_in_another_repository(
    scene: Scene, attack: Callable[[Scene], None], verb: Callable[..., object]
) -> None:
    before = commit_of(scene.bob, "a")
    mine = evolve_sample(scene.bob, "b", score=0.9, seed=3).commit
    attack(scene)
    scene.mallory.begin_epoch()
    assert "another repository" in told(lambda: verb(scene.bob, scene.context))  # type: ignore[arg-type, return-value]
    merge(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == before
    assert commit_of(scene.bob, "b") == mine
    assert not scene.bob.objects.has("commit", commit_of(scene.elsewhere, "a"))


@everywhere
def test_a_clone_takes_nothing_of_another_repository(scene: Scene, is_strict: bool, tmp_path: Path) -> None:
    a_commit(scene)
    assert "another repository" in scene.clone("new", is_strict=is_strict)
    new = tmp_path / "new"
    assert not new.exists() or not open_repository(new).objects.has("commit", commit_of(scene.elsewhere, "a"))


@everywhere
@pytest.mark.parametrize("names_heads", [True, False], ids=["of heads", "of roots, which are the same in both"])
def test_a_tag_of_another_repository_is_left_out(scene: Scene, names_heads: bool) -> None:
    if names_heads:
        snapshot = create(scene.elsewhere, scene.context, "v9").snapshot
    else:
        bare = sample_repository(scene.context.cwd / "bare", identity=OTHER)
        sign_as(bare, scene.context, "ann")
        snapshot = create(bare, scene.context, "v9").snapshot
        assert bare.refs.roots() == scene.ann.refs.roots()
        scene.mallory.bring(bare, ("snapshot", snapshot))
    heads = {} if not names_heads else scene.elsewhere.objects.snapshot(snapshot).heads
    scene.mallory.bring(scene.elsewhere if names_heads else bare, ("snapshot", snapshot))
    for oid in heads.values():
        scene.mallory.bring(scene.elsewhere, ("commit", oid))
    scene.mallory.refs.create_tag("v9", snapshot)
    assert "another repository" in told(lambda: pull(scene.bob, scene.context))
    assert "v9" not in scene.bob.refs.tags()


def test_a_tag_under_another_name_is_left_out(scene: Scene) -> None:
    snapshot = create(scene.ann, scene.context, "v1").snapshot
    push(scene.ann, scene.context)
    scene.mallory.refs.create_tag("v2", snapshot)
    assert "the tag v1" in told(lambda: pull(scene.bob, scene.context))
    assert scene.bob.refs.tags() == {"v1": snapshot}


def test_a_tag_that_says_nothing_of_itself_is_judged_by_what_it_names(scene: Scene, is_strict: bool) -> None:
    plain = scene.mallory.put(Snapshot(heads={"a": commit_of(scene.ann, "a")}, roots=scene.ann.refs.roots()))
    scene.mallory.refs.create_tag("plain", plain)
    result = told(lambda: pull(scene.bob, scene.context))
    assert ("is not signed" in result) == is_strict
    assert ("plain" in scene.bob.refs.tags()) != is_strict


@everywhere
def test_a_tombstone_of_another_repository_counts_for_nothing(scene: Scene) -> None:
    purge(scene.elsewhere, scene.context, "a")
    (stone, *_) = scene.elsewhere.refs.tombstones()[0]["a"]
    first = scene.ann.refs.log("a")[0].commit
    refs = scene.mallory.refs
    refs.create_tombstone(stone)
    listed = tuple(sorted({f"commit/{first}", f"commit/{commit_of(scene.ann, 'a')}"}))
    refs.create_tombstone(replace(stone, roots=(first,), objects=listed, signature=None))
    scene.mallory.begin_epoch()
    mine = evolve_sample(scene.bob, "a", score=0.9, seed=3).commit
    assert told(lambda: pull(scene.bob, scene.context)) == ""
    assert read_purged(scene.bob.state, scene.origin) == ()
    assert told(lambda: push(scene.bob, scene.context)) == ""
    assert scene.mallory.head("a").commit == mine


def test_a_commit_of_another_task_moves_no_head(scene: Scene) -> None:
    before = commit_of(scene.bob, "a")
    scene.mallory.move("a", commit_of(scene.ann, "b"))
    assert "of the task b" in told(lambda: fetch(scene.bob, scene.context))
    merge(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == before
