"""``verify``: who vouches for the history of tasks, for tags, and for what was purged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mu2net_core.api.context import Context
from mu2net_core.api.looking.names import task_head
from mu2net_core.api.signing.trust import Check, State, Trust, trust_of
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import encode, hash_bytes
from mu2net_core.repo import Repository
from mu2net_core.repo.history import resolve

__all__ = ["Verified", "VerifyReport", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One commit, tag or tombstone.

    Attributes:
        kind: ``commit``, ``tag`` or ``tombstone``.
        id: of the commit, or of the tag's snapshot; the hash of the tombstone.
        name: the task, or the tag's name.
        state: as of ``Check``.
        key: fingerprint of the key that signed it.
        signer: name that the allowed keys give it.
        reason: what is wrong; None if nothing is.
    """

    kind: Literal["commit", "tag", "tombstone"]
    id: str
    name: str
    state: State
    key: str | None
    signer: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """Everything that was looked at: task by task newest first, then tags, then tombstones.

    Attributes:
        keys: the file of allowed keys; None if anybody's signature was good enough.
        is_good: whether all of it is signed as it should be.
        items: what was looked at.
    """

    keys: str | None
    is_good: bool
    items: tuple[Verified, ...]


def verify(
    repo: Repository, context: Context, revision: str | None = None, *, keys: Path | None = None
) -> VerifyReport:
    """Checks the signatures of a task's whole history, of the history of a commit, or of a tag; of all without one.

    Args:
        repo: where.
        context: of the call.
        revision: a task, commit or tag; None for all heads, tags and tombstones.
        keys: a file of allowed keys, as ssh's ``allowed_signers``; by default what ``pull.require_signed`` names. With
            neither, any key is good enough, and only changes since the signing are found.

    Raises:
        NotFoundError: nothing is called so, or there is no such file of keys.
        InvalidInputError: it names something that cannot be signed, or the keys cannot be read.
    """
    trust = trust_of(repo, context, keys) or Trust(objects=repo.objects, identity=repo.identity, keys=None)
    items = tuple(_everything(repo, trust) if revision is None else _one(repo, trust, revision))
    return VerifyReport(
        keys=None if trust.keys is None else str(trust.keys.path),
        is_good=all(item.reason is None for item in items),
        items=items,
    )


def _everything(repo: Repository, trust: Trust) -> Iterator[Verified]:
    for task in repo.refs.tasks():
        yield from _history(trust, task, task_head(repo, task).commit)
    for name, snapshot_id in sorted(repo.refs.tags().items()):
        yield _item("tag", snapshot_id, name, trust.tag(name, snapshot_id))
    for stone in repo.refs.every_tombstone():
        yield _item("tombstone", hash_bytes(encode(stone)), stone.task, trust.tombstone(stone))


def _one(repo: Repository, trust: Trust, revision: str) -> Iterator[Verified]:
    found = resolve(repo, revision)
    if found.kind == "commit" and found.task is not None:
        yield from _history(trust, found.task, found.id)
        return
    tags = [name for name, oid in repo.refs.tags().items() if found.kind == "snapshot" and oid == found.id]
    if not tags:
        raise InvalidInputError(f"{revision!r} is a {found.kind}: only tasks, commits and tags are signed.")
    for name in [revision] if revision in tags else sorted(tags):
        yield _item("tag", found.id, name, trust.tag(name, found.id))


def _history(trust: Trust, task: str, tip: str) -> Iterator[Verified]:
    for oid, check in trust.history(tip).items():
        yield _item("commit", oid, task, check)


def _item(kind: Literal["commit", "tag", "tombstone"], oid: str, name: str, check: Check) -> Verified:
    return Verified(
        kind=kind, id=oid, name=name, state=check.state, key=check.key, signer=check.signer, reason=check.reason
    )
