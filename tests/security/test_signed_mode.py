"""Where everything has to be signed: what somebody without a key can add, by whatever way it comes here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from mu2net_core.api import config
from mu2net_core.api.clone import clone
from mu2net_core.api.context import Context
from mu2net_core.api.fetch import fetch
from mu2net_core.api.fsck import fsck
from mu2net_core.api.merge import merge
from mu2net_core.api.pull import pull
from mu2net_core.api.purge import purge
from mu2net_core.api.push import plan_push, push
from mu2net_core.api.sharing import policy_for
from mu2net_core.api.signing import Signer
from mu2net_core.api.tag import create
from mu2net_core.api.verify import verify
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import HeadEntry, Kind, encode, object_key
from mu2net_core.repo import Remote, Repository, create_repository, open_repository
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.remotes import connect
from mu2net_core.repo.tracking import forget_tracking, read_purged
from mu2net_core.testing.forging import Forger
from mu2net_core.testing.samples import evolve_sample, sample_tombstone
from mu2net_core.testing.sharing import commit_of
from mu2net_core.testing.signers import KEYS, SignedScene, set_scene, signed, told

Verb = Callable[[Repository, Context], object]
Attack = Callable[[SignedScene], None]


@pytest.fixture
def scene(context: Context, origin: Remote) -> SignedScene:
    """Returns a place where Ann shares a, b and the tag v1; Bob requires signatures."""
    return set_scene(context, origin, begin)


def begin(ann: Repository, context: Context) -> None:
    for task in ("a", "b"):
        signed(ann, context, task)
        signed(ann, context, task, score=0.5, seed=ord(task))
    create(ann, context, "v1")


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


class TestRepairs:
    def damage(self, scene: SignedScene, key: str) -> None:
        (scene.bob.path / key).write_bytes(b"")

    def repaired(self, scene: SignedScene) -> tuple[str, ...]:
        return fsck(open_repository(scene.bob.path), scene.context, repair_from="origin").repaired

    @pytest.mark.parametrize("is_noted", [False, True], ids=["", "seen by a fetch before"])
    def test_take_no_head_that_is_not_signed(self, scene: SignedScene, is_noted: bool) -> None:
        key, ours = entry_key("a", 2), scene.bob.refs.entry("a", 1)[0]
        there = connect(scene.origin)
        first = there.objects.commit(ours.commit)
        evil = there.objects.put(replace(first, parents=(ours.commit,), identity=None, signature=None, message="mine"))
        there.store.delete(entry_key("a", 1))
        there.store.create(entry_key("a", 1), scene.bob.store.read(entry_key("a", 1)))
        there.refs.append("a", evil, after=ours)
        if is_noted:
            told(lambda: fetch(scene.bob, scene.context))
        self.damage(scene, key)
        self.repaired(scene)
        assert evil.encode() not in (scene.bob.path / key).read_bytes()

    def test_take_a_head_that_is_signed(self, scene: SignedScene) -> None:
        newest = signed(scene.ann, scene.context, "a", score=0.7)
        push(scene.ann, scene.context)
        pull(scene.bob, scene.context)
        number = scene.bob.refs.head("a").number  # type: ignore[union-attr]
        self.damage(scene, entry_key("a", number))
        assert entry_key("a", number) in self.repaired(scene)
        assert commit_of(open_repository(scene.bob.path), "a") == newest

    def test_put_no_head_back(self, scene: SignedScene) -> None:
        for score in (0.7, 0.8):
            signed(scene.ann, scene.context, "a", score=score)
            push(scene.ann, scene.context)
            pull(scene.bob, scene.context)
        *_, older, before, newest = scene.bob.refs.log("a")
        key, copy = entry_key("a", newest.number), scene.context.cwd / "copy"
        shutil.copytree(scene.bob.path, copy / ".mu2net")
        put_back = encode(HeadEntry(commit=older.commit, previous=before.entry_hash))
        (copy / ".mu2net" / key).write_bytes(put_back)
        forget_tracking(scene.bob.state, "origin")
        self.damage(scene, key)
        fsck(open_repository(scene.bob.path), scene.context, repair_from=str(copy))
        assert (scene.bob.path / key).read_bytes() != put_back

    @pytest.mark.parametrize("is_signed", [False, True])
    def test_take_tags_only_if_they_are_signed(self, scene: SignedScene, is_signed: bool) -> None:
        there, good = connect(scene.origin), scene.ann.refs.tag("v1")
        if not is_signed:
            evil = there.objects.put(replace(scene.ann.objects.snapshot(good), signature=None))
            there.store.delete("refs/tags/v1")
            there.refs.create_tag("v1", evil)
            forget_tracking(scene.bob.state, "origin")
        self.damage(scene, "refs/tags/v1")
        assert ("refs/tags/v1" in self.repaired(scene)) == is_signed
        assert (scene.bob.path / "refs/tags/v1").read_bytes() == (f"{good}\n".encode() if is_signed else b"")

    @pytest.mark.parametrize("is_seen", [False, True])
    def test_take_roots_only_if_they_were_seen_before(self, scene: SignedScene, is_seen: bool) -> None:
        good = scene.bob.refs.roots()["tiny"]
        there = connect(scene.origin)
        if not is_seen:
            evil = there.objects.put(replace(there.objects.model(good), seed=99))
            there.store.delete("refs/roots/tiny")
            there.refs.create_root("tiny", evil)
        self.damage(scene, "refs/roots/tiny")
        if not is_seen:
            forget_tracking(scene.bob.state, "origin")
        self.repaired(scene)
        assert (scene.bob.path / "refs/roots/tiny").read_bytes() == (f"{good}\n".encode() if is_seen else b"")

    @pytest.mark.parametrize("is_signed", [False, True])
    def test_take_tombstones_only_if_they_are_signed(self, scene: SignedScene, is_signed: bool) -> None:
        purge(scene.bob, scene.context, "b")
        key = "refs/purged/b/00000001"
        stone = scene.bob.refs.tombstone(key)
        ann = Signer(key=KEYS["ann"].public_key().public_bytes_raw().hex(), sign=KEYS["ann"].sign)
        connect(scene.origin).refs.create_tombstone(ann.tombstone(stone) if is_signed else stone)
        self.damage(scene, key)
        assert (key in self.repaired(scene)) == is_signed

    def test_take_anything_where_nothing_has_to_be_signed(self, scene: SignedScene) -> None:
        config.set_(scene.bob, scene.context, "pull.require_signed", "")
        evolve_sample(scene.bob, "a", score=0.7, seed=9)
        push(scene.bob, scene.context)
        number = scene.bob.refs.head("a").number  # type: ignore[union-attr]
        self.damage(scene, entry_key("a", number))
        assert entry_key("a", number) in self.repaired(scene)


def test_verify_lists_tombstones(scene: SignedScene) -> None:
    purge(scene.ann, scene.context, "a")
    config.set_(scene.ann, scene.context, "sign.key", "")
    purge(scene.ann, scene.context, "b")
    report = verify(scene.ann, scene.context, keys=scene.keys)
    stones = [(item.name, item.state, item.signer) for item in report.items if item.kind == "tombstone"]
    assert stones == [("a", "signed", "ann@example.org"), ("b", "unsigned", None)]


@pytest.mark.parametrize("kind", ["commit", "snapshot", "tombstone"])
def test_no_signature_of_one_kind_is_one_of_another(scene: SignedScene, kind: Kind) -> None:
    purge(scene.ann, scene.context, "a")
    (stone, *_) = scene.ann.refs.tombstones()[0]["a"]
    assert verify(scene.ann, scene.context, keys=scene.keys).is_good
    private = KEYS["ann"]
    plain = encode(replace(stone, signature=None))
    value = private.sign(f"mu2net {kind} signature 2\n".encode() + plain).hex()
    assert stone.signature is not None
    stone = replace(stone, signature=replace(stone.signature, value=value))
    (scene.ann.path / "refs/purged/a/00000001").write_bytes(encode(stone))
    assert verify(scene.ann, scene.context, keys=scene.keys).is_good == (kind == "tombstone")


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


class TestVerifySaysWhatIsOfAnotherRepository:
    @pytest.fixture
    def other(self, scene: SignedScene) -> Repository:
        """Returns a repository whose heads, tags and tombstones Ann signed in hers."""
        create(scene.ann, scene.context, "v2")
        purge(scene.ann, scene.context, "b")
        other = create_repository(scene.context.cwd / "other", preset="vit-ti0", identity="b" * 32)
        for kind in ("task", "model", "commit", "snapshot"):
            for oid in scene.ann.objects.ids(kind):
                other.objects.put_bytes(kind, scene.ann.objects.read(kind, oid))
        for name, oid in scene.ann.refs.tags().items():
            other.refs.create_tag(name, oid)
        for stone in scene.ann.refs.tombstones()[0]["b"]:
            other.refs.create_tombstone(stone)
        other.refs.append("a", commit_of(scene.ann, "a"), after=None)
        return other

    @pytest.mark.parametrize("is_strict", [False, True])
    def test_of_all_that_is_signed(self, scene: SignedScene, other: Repository, is_strict: bool) -> None:
        report = verify(other, scene.context, keys=scene.keys if is_strict else None)
        reasons = {(item.kind, item.name): item.reason for item in report.items if item.reason is not None}
        assert reasons == {
            ("commit", "a"): "is of another repository",
            ("tag", "v1"): "its snapshot was signed in another repository",
            ("tag", "v2"): "its snapshot was signed in another repository",
            ("tombstone", "b"): "is of another repository",
        }
