"""Whether commits, tags and tombstones are signed by whom one trusts, and what is not taken over because it is not.

What is signed names its repository, or follows what does: so what somebody signed elsewhere vouches for nothing here.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mu2net_core.api.context import Context
from mu2net_core.api.settings.own import REQUIRE_SIGNED
from mu2net_core.api.settings.settings import effective_path
from mu2net_core.api.signing.keys import AllowedKeys, fingerprint, read_allowed_keys
from mu2net_core.api.signing.signing import is_valid
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Commit, Signature, SignedKind, encode, signed_bytes
from mu2net_core.repo import ObjectDatabase, Repository
from mu2net_core.repo.core import Tombstone
from mu2net_core.repo.history import ancestry, is_canonical_merge, merge

__all__ = ["Check", "State", "Trust", "trust_of"]


State = Literal["signed", "merge", "unsigned", "unknown-key", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is known of who vouches for one object.

    Attributes:
        state: ``signed``; ``merge``: what joining its signed parents gives, whoever does it; ``unsigned``;
            ``unknown-key``: well signed, by a key that is not allowed; ``bad``: its signature, or a merge, is not
            what it should be. A merge of what is not signed as it should be is so, too.
        key: the fingerprint of the key that signed, if any.
        signer: the name that the allowed keys give it.
        reason: what is wrong, in words; None if nothing is.
    """

    state: State
    key: str | None = None
    signer: str | None = None
    reason: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the object may be relied on."""
        return self.reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Checks signatures in a repository.

    Attributes:
        objects: where commits and snapshots are.
        identity: of the repository.
        keys: who may sign; None for anybody, as long as what they signed is unchanged.
    """

    objects: ObjectDatabase
    identity: str
    keys: AllowedKeys | None
    _known: dict[str, Check] = field(default_factory=dict)

    def commit(self, oid: str, *, ours: Set[str] = frozenset()) -> Check:
        """Returns who vouches for a commit; a merge may also join commits that are ``ours``."""
        commit = self.objects.commit(oid)
        if commit.identity != self.identity and (commit.identity is not None or not commit.parents):
            return Check(state="bad", reason="is of another repository")
        if is_canonical_merge(commit) and commit.signature is None:
            return self._merge(oid, commit, ours)
        if oid not in self._known:
            self._known[oid] = self._signed("commit", self.objects.read("commit", oid), commit.signature)
        return self._known[oid]

    def tag(self, name: str, snapshot_id: str) -> Check:
        """Returns who vouches for a tag: its snapshot must be signed for just that name, in this repository."""
        snapshot = self.objects.stored_snapshot(snapshot_id)
        if snapshot.signature is not None and snapshot.identity != self.identity:
            return Check(state="bad", reason="its snapshot was signed in another repository")
        if snapshot.signature is not None and snapshot.tag != name:
            return Check(state="bad", reason=f"its snapshot was signed as {snapshot.tag}")
        return self._signed("snapshot", self.objects.read("snapshot", snapshot_id), snapshot.signature)

    def tag_refusal(self, name: str, snapshot_id: str) -> str | None:
        """Returns why a fetched tag may not be taken over; None if it is well signed."""
        reason = self.tag(name, snapshot_id).reason
        return None if reason is None else f"it {reason}" if not reason.startswith("its ") else reason

    def tombstone(self, stone: Tombstone) -> Check:
        """Returns who vouches for a tombstone."""
        if stone.identity != self.identity:
            return Check(state="bad", reason="is of another repository")
        return self._signed("tombstone", encode(stone), stone.signature)

    def tombstone_refusal(self, stone: Tombstone) -> str | None:
        """Returns why a remote's tombstone counts for nothing; None if it is well signed."""
        return self.tombstone(stone).reason

    def history(self, tip: str, *, known: str | None = None) -> dict[str, Check]:
        """Returns who vouches for each commit that ``tip`` has in its history and ``known`` has not, newest first."""
        ours = frozenset() if known is None else frozenset(ancestry(self.objects, [known]))
        return {oid: self.commit(oid, ours=ours) for oid in ancestry(self.objects, [tip]) if oid not in ours}

    def refusal(self, tip: str, known: str | None) -> str | None:
        """Returns why a fetched head may not be taken over; None if all that is new in its history is well signed."""
        if tip == known:
            return None
        bad = {oid: check for oid, check in self.history(tip, known=known).items() if not check.is_good}
        if not bad:
            return None
        oid, check = next(reversed(bad.items()))  # the oldest: what comes after may be bad because of it
        more = f", and {len(bad) - 1} more of its history" if len(bad) > 1 else ""
        return f"commit {oid[:10]} {check.reason}{more}"

    def _merge(self, oid: str, commit: Commit, ours: Set[str]) -> Check:
        try:
            is_genuine = merge(self.objects, commit.parents)[0] == oid
        except Mu2netError:
            is_genuine = False
        if not is_genuine:
            return Check(state="bad", reason="is no merge that its parents give")
        for parent in commit.parents:  # none is such a merge itself, or this one would name its parents instead
            if parent not in ours and not self.commit(parent).is_good:
                found = self.commit(parent)
                return Check(state=found.state, reason=f"joins {parent[:10]}, which {found.reason}")
        return Check(state="merge")

    def _signed(self, kind: SignedKind, data: bytes, signature: Signature | None) -> Check:
        if signature is None:
            return Check(state="unsigned", reason="is not signed")
        key = fingerprint(signature.key)
        if not is_valid(signature, signed_bytes(kind, data)):
            return Check(state="bad", key=key, reason="has a signature that does not fit it")
        if self.keys is None:
            return Check(state="signed", key=key)
        signer = self.keys.names.get(signature.key)
        if signer is None:
            return Check(
                state="unknown-key", key=key, reason=f"is signed by {key}, which {self.keys.path} does not allow"
            )
        return Check(state="signed", key=key, signer=signer)


def trust_of(repo: Repository, context: Context, keys: Path | None = None) -> Trust | None:
    """Returns what checks the work that comes from elsewhere; None if nothing has to be signed.

    Args:
        repo: where it comes to.
        context: of the call.
        keys: a file of allowed keys; by default what the setting ``pull.require_signed`` names.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: it cannot be read, or holds no key.
    """
    path = context.cwd / keys.expanduser() if keys is not None else None
    path = path or effective_path(context, repo.config.settings, REQUIRE_SIGNED, repo.worktree)
    return None if path is None else Trust(objects=repo.objects, identity=repo.identity, keys=read_allowed_keys(path))
