"""What a check of signatures says of what is here: of tombstones, of other kinds, of another repository."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.api.setup import config
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.tag import create
from mu2net_core.api.signing.verify import verify
from mu2net_core.objects import Kind, encode
from mu2net_core.repo import Repository, create_repository
from mu2net_core.testing.worlds.sharing import commit_of
from mu2net_core.testing.worlds.signers import KEYS, SignedScene


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
