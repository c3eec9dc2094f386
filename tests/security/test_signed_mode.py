"""Where everything has to be signed: what somebody without a key can add, by whatever way it comes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup import config
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.exchanges import policy_for
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import plan_push, push
from mu2net_core.api.signing.signing import Signer
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import object_key
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import read_purged
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import evolve_sample, sample_tombstone
from mu2net_core.testing.worlds.sharing import commit_of
from mu2net_core.testing.worlds.signers import KEYS, SignedScene, signed, told

Verb = Callable[[Repository, Context], object]
Attack = Callable[[SignedScene], None]


def forged(scene: SignedScene, task: str, **changes: object) -> str:
    """Puts a commit on the remote that follows the head of a task, and is not signed; returns it."""
    tip = scene.mallory.tip(task)
    kept = {"agent": tip.agent, "selections": tip.selections, "finished_at": tip.finished_at}
    return scene.mallory.put(scene.mallory.next(task, **{**kept, **changes}))


def a_commit(scene: SignedScene) -> None:
    scene.mallory.move("a", forged(scene, "a"))


def a_removal(scene: SignedScene) -> None:
    scene.mallory.move("a", forged(scene, "a", removed=True, model=None))


def a_commit_with_a_borrowed_signature(scene: SignedScene) -> None:
    signature = scene.ann.objects.commit(commit_of(scene.ann, "a")).signature
    scene.mallory.move("a", forged(scene, "a", signature=signature))


def a_commit_of_a_key_that_is_not_allowed(scene: SignedScene) -> None:
    there = connect(scene.origin)
    eve = Signer(key=KEYS["eve"].public_key().public_bytes_raw().hex(), sign=KEYS["eve"].sign)
    scene.mallory.move("a", there.objects.put(eve.commit(there.objects.commit(forged(scene, "a")))))


def a_merge_that_is_none(scene: SignedScene) -> None:
    scene.mallory.move("a", forged(scene, "a", agent=None, message="merge", parents=tuple(sorted(both(scene)))))


def both(scene: SignedScene) -> list[str]:
    return [commit_of(scene.ann, "a"), forged(scene, "a")]


def a_purge(scene: SignedScene) -> None:
    """Purges a as its owner would, but for the signatures."""
    tombstone(scene)
    Forger.into(scene.origin).purge("a", scene.mallory.objects.task(scene.mallory.tip("a").task_id).access)


def tombstone(scene: SignedScene) -> None:
    log = scene.ann.refs.log("a")
    listed = [f"commit/{state.commit}" for state in log]
    stone = sample_tombstone("a", 9, roots=[log[0].commit], objects=listed, identity=scene.ann.identity)
    scene.mallory.refs.create_tombstone(stone)


HEADS = [
    a_commit,
    a_removal,
    a_commit_with_a_borrowed_signature,
    a_commit_of_a_key_that_is_not_allowed,
    a_merge_that_is_none,
    a_purge,
]


@pytest.mark.parametrize("verb", [pull, push])
@pytest.mark.parametrize("attack", HEADS)
def test_a_head_stays_where_it_is_and_others_move(scene: SignedScene, attack: Attack, verb: Verb) -> None:
    before = commit_of(scene.bob, "a")
    mine = evolve_sample(scene.bob, "b", score=0.9, seed=3).commit
    if verb is push:
        before = evolve_sample(scene.bob, "a", score=0.4, seed=4).commit
    attack(scene)
    scene.mallory.begin_epoch()
    assert "refused" in told(lambda: verb(scene.bob, scene.context))  # type: ignore[arg-type, return-value]
    assert commit_of(scene.bob, "a") == before
    assert commit_of(scene.bob, "b") == mine
    if verb is push:
        assert scene.mallory.head("b").commit == mine


@pytest.mark.parametrize("how", ["by another entry", "in its place"])
def test_what_was_refused_is_not_taken_over_when_it_is_gone_again(scene: SignedScene, how: str) -> None:
    before = commit_of(scene.bob, "a")
    a_commit(scene)
    assert "refused" in told(lambda: pull(scene.bob, scene.context))
    (scene.mallory.move if how == "by another entry" else scene.mallory.overwrite)("a", before)
    pull(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == before
    push(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == before


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_what_was_refused_and_is_gone_again_is_not_put_back_and_work_goes_on(scene: SignedScene) -> None:
    a_commit(scene)
    assert "is not signed" in told(lambda: pull(scene.bob, scene.context))
    there, head = connect(scene.origin), scene.mallory.head("a")
    there.store.delete(entry_key("a", head.number))
    there.store.delete(object_key("commit", head.commit))
    signed(scene.bob, scene.context, "a", score=0.7, seed=9)
    done = push(scene.bob, scene.context)
    assert done.tasks[0].outcome == "updated"
    assert done.restored == ()
    assert not there.objects.has("commit", head.commit)
    assert connect(scene.origin).refs.entry("a", head.number)[0].commit == commit_of(scene.bob, "a")


@pytest.mark.parametrize("tasks", [(), ("a",)], ids=["all", "a"])
def test_who_only_pulls_goes_on_when_what_was_refused_is_gone_again(scene: SignedScene, tasks: tuple[str, ...]) -> None:
    a_commit(scene)
    assert "is not signed" in told(lambda: pull(scene.bob, scene.context))
    scene.mallory.store.delete(entry_key("a", scene.mallory.head("a").number))
    assert told(lambda: pull(scene.bob, scene.context, tasks=tasks)) == ""
    newest = signed(scene.ann, scene.context, "a", score=0.7, seed=9)
    push(scene.ann, scene.context)
    assert told(lambda: pull(scene.bob, scene.context, tasks=tasks)) == ""
    assert commit_of(scene.bob, "a") == newest


@pytest.mark.parametrize("verb", [pull, push])
def test_signed_work_below_what_was_refused_is_kept_when_both_are_gone(scene: SignedScene, verb: Verb) -> None:
    number = scene.mallory.head("a").number
    newest = signed(scene.ann, scene.context, "a", score=0.7, seed=9)
    push(scene.ann, scene.context)
    a_commit(scene)
    assert "is not signed" in told(lambda: pull(scene.bob, scene.context))
    for lost in (number + 1, number + 2):
        scene.mallory.store.delete(entry_key("a", lost))
    verb(scene.bob, scene.context)
    pull(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == newest


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_a_clone_leaves_out_what_is_not_signed(scene: SignedScene) -> None:
    a_commit(scene)
    place = scene.origin
    said = told(lambda: clone(place.url, "new", scene.context, options=place.options, require_signed=scene.keys))
    assert "is not signed" in said
    assert open_repository(scene.context.cwd / "new").refs.tasks() == ("b",)


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_a_tombstone_that_is_not_signed_counts_for_nothing(scene: SignedScene) -> None:
    tombstone(scene)
    scene.mallory.begin_epoch()
    mine = evolve_sample(scene.bob, "a", score=0.9, seed=3).commit
    assert told(lambda: pull(scene.bob, scene.context)) == ""
    assert plan_push(scene.bob, scene.context).tasks[0].outcome == "updated"
    assert told(lambda: push(scene.bob, scene.context)) == ""
    assert read_purged(scene.bob.state, scene.origin) == ()
    assert scene.mallory.head("a").commit == mine


def test_a_push_that_meets_a_purge_which_is_not_signed_notes_none_of_it(scene: SignedScene) -> None:
    evolve_sample(scene.bob, "a", score=0.9, seed=3)
    a_purge(scene)
    assert "refused" in told(lambda: push(scene.bob, scene.context))
    assert read_purged(scene.bob.state, scene.origin) == ()


def test_a_tombstone_that_is_signed_counts(scene: SignedScene) -> None:
    purge(scene.ann, scene.context, "a", remote="origin", settle=lambda: None)
    evolve_sample(scene.bob, "a", score=0.9, seed=3)
    pull(scene.bob, scene.context)
    assert {stone.task for stone in read_purged(scene.bob.state, scene.origin)} == {"a"}
    report = next(task for task in push(scene.bob, scene.context).tasks if task.task == "a")
    assert (report.outcome, (report.reason or "").partition(";")[0]) == ("skipped", "it was purged from origin")


def heal_the_remote(repo: Repository, context: Context) -> None:
    fsck(repo, context, remote="origin", repair_from=str(repo.worktree))


@pytest.mark.parametrize("verb", [fetch, pull, push, plan_push, heal_the_remote])
def test_no_verb_takes_a_tag_over_that_is_not_signed(scene: SignedScene, verb: Verb) -> None:
    there, snapshot = connect(scene.origin), scene.ann.objects.snapshot(scene.ann.refs.tag("v1"))
    there.refs.create_tag("v2", there.objects.put(replace(snapshot, tag="v2", signature=None)))
    scene.mallory.begin_epoch()
    verb(scene.bob, scene.context)
    assert set(scene.bob.refs.tags()) == {"v1"}


class TestFollowingPurges:
    def test_is_a_decision_of_this_working_copy(self, scene: SignedScene) -> None:
        assert not policy_for(scene.bob, scene.context, "best").follow_purges
        config.set_(scene.bob, scene.context, "pull.follow_purges", "true")
        assert policy_for(scene.bob, scene.context, "best").follow_purges
        assert "pull.follow_purges" not in scene.bob.config.shared_settings

    def test_is_yes_or_no(self, scene: SignedScene) -> None:
        with pytest.raises(InvalidInputError, match=r"pull\.follow_purges: expected true or false, got 'always'"):
            config.set_(scene.bob, scene.context, "pull.follow_purges", "'always'")


def test_merge_judges_what_was_fetched_before_signatures_were_required(scene: SignedScene) -> None:
    config.set_(scene.bob, scene.context, "pull.require_signed", "")
    a_commit(scene)
    fetch(scene.bob, scene.context)
    before = commit_of(scene.bob, "a")
    assert "is not signed" in told(lambda: merge(scene.bob, scene.context, require_signed=scene.keys))
    assert commit_of(scene.bob, "a") == before
