"""Where everything has to be signed: what a repair from a remote, or from a copy, puts back."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from mu2net_core.api.setup import config
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.signing.signing import Signer
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.objects import HeadEntry, encode
from mu2net_core.repo import open_repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import forget_tracking
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import commit_of
from mu2net_core.testing.worlds.signers import KEYS, SignedScene, signed, told


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
