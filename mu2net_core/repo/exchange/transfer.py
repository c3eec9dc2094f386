"""Objects on their way to a remote: bytes as they are, each checked, many at a time, in a safe order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from mu2net_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    CorruptObjectError,
    InternalError,
    NotFoundError,
)
from mu2net_core.objects import AccessRule, Kind, object_key
from mu2net_core.repo.core import ObjectDatabase, Workers, label_of, repair_hint
from mu2net_core.repo.remotes import Closure, Counter, Node, RemoteRepository, refusal, refused_component

__all__ = ["RANK", "freshen", "restore_missing", "send"]

RANK: Mapping[Kind, int] = {"component": 0, "task": 1, "model": 1, "snapshot": 1, "commit": 2}
_OLD = timedelta(days=7)
"""Half of the shortest time that gc leaves alone what nothing refers to."""


def send(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    closures: Sequence[Closure],
    rules: Mapping[str, AccessRule],
    *,
    what: str,
    counter: Counter,
    resuming: bool = False,
) -> tuple[Node, ...]:
    """Creates all objects of ``closures`` on ``remote``; returns those that were there already.

    Components come first, then models, tasks and snapshots, then commits. Whoever dies in between leaves objects
    that nothing refers to; sending again creates what is missing. In memory at a time: one component, or a few small.

    Args:
        objects: where from.
        remote: where to.
        closures: what to send; the same object may be in several.
        rules: of all tasks, by name.
        what: it is, for the counter.
        counter: of objects.
        resuming: ask for each component whether it is there before it is sent, as after an interrupted push.

    Raises:
        InternalError: something may not be seen by the remote's readers; nothing is sent.
        AccessDeniedError: a component tells of itself that it may not.
        CorruptObjectError: the remote holds damaged bytes in an object's place.
    """
    for closure in closures:  # the last gate, whoever asks
        reason = refusal(closure, rules, remote.audience, task_of=objects.task, label_of=objects.label)
        if reason is not None:
            raise InternalError(f"Something may not go to {remote.remote.name}, and was about to: {reason}.")
    parcels = list(_parcels(closures))
    counter.expect(len(parcels), sum(parcel.size_bytes for parcel in parcels))
    found: list[Node] = []
    with Workers[_Sent]() as workers:
        for rank in (0, 1, 2):
            for parcel in parcels:
                if RANK[parcel.node[0]] == rank:
                    job = partial(_send_object, objects, remote, parcel, rules, resuming=resuming)
                    workers.submit(job, size_bytes=parcel.size_bytes)
            for sent in workers.results():
                counter.add(what, sent.size_bytes)
                found.extend(() if sent.is_new else (sent.node,))
    return tuple(found)


def freshen(objects: ObjectDatabase, remote: RemoteRepository, found: Sequence[Node], newest: Node) -> tuple[Node, ...]:
    """Writes those of ``found`` again that are so old that a collection of garbage may have marked them.

    Args:
        objects: where their bytes are.
        remote: where they were found, referred to by nothing yet.
        found: what was there before it was sent.
        newest: an object that was sent just now: when it was written is what the storage's own clock says.

    Returns:
        what was written again.
    """
    if not found:
        return ()
    key = object_key(*newest)
    refreshed = [newest] if newest in found else []
    if refreshed:
        remote.store.refresh(key, objects.read(*newest))
    now = remote.store.modified(key)
    with Workers[tuple[Node, bool]]() as workers:
        for node in set(found) - set(refreshed):
            workers.submit(partial(_refresh_if_before, objects, remote, node, now - _OLD))
        refreshed += [node for node, was_old in workers.results() if was_old]
    return tuple(refreshed)


def restore_missing(objects: ObjectDatabase, remote: RemoteRepository, nodes: Iterable[Node]) -> None:
    """Creates those of ``nodes`` again that are gone: deleted between their refreshing and the head's move."""
    with Workers[None]() as workers:
        for node in nodes:
            workers.submit(partial(_restore_if_missing, objects, remote, node))
        for _ in workers.results():
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    """An object to send; of a component also its size, the layer it is, and who trained it, as a manifest tells."""

    node: Node
    size_bytes: int = 0
    name: str = ""
    trained_by: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """An object that is there, the bytes it took to bring it, and whether it was not there before."""

    node: Node
    size_bytes: int
    is_new: bool


def _parcels(closures: Iterable[Closure]) -> Iterator[_Parcel]:
    """Yields each object once."""
    seen: set[Node] = set()
    for closure in closures:
        for ref in closure.components:
            if ("component", ref.id) not in seen:
                node: Node = ("component", ref.id)
                yield _Parcel(node=node, size_bytes=ref.size_bytes, name=ref.name, trained_by=ref.training)
            seen.add(("component", ref.id))
        for node, _ in closure.manifests:
            if node not in seen:
                yield _Parcel(node=node)
            seen.add(node)


def _send_object(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    parcel: _Parcel,
    rules: Mapping[str, AccessRule],
    *,
    resuming: bool,
) -> _Sent:
    kind, oid = parcel.node
    key = object_key(kind, oid)
    if resuming and kind == "component" and _is_there(remote, key, parcel.size_bytes):
        return _Sent(node=parcel.node, size_bytes=0, is_new=False)
    data = objects.read(kind, oid)
    if kind == "component":
        _check_label(data, remote, parcel, rules)
    try:
        is_new = remote.store.create(key, data)
    except AlreadyExistsError as exc:
        raise CorruptObjectError(
            f"The {kind} {oid} on the remote {remote.remote.name} ({remote.remote.url}) is damaged: it holds other "
            "bytes than its id says. Nothing was moved.",
            hint=repair_hint(remote.remote.name),
        ) from exc
    return _Sent(node=parcel.node, size_bytes=len(data), is_new=is_new)


def _check_label(data: bytes, remote: RemoteRepository, parcel: _Parcel, rules: Mapping[str, AccessRule]) -> None:
    """Raises AccessDeniedError if the very bytes that are about to be sent tell that they may not be."""
    reason = refused_component(parcel.name, parcel.trained_by, label_of(data), rules, remote.audience)
    if reason is not None:
        raise AccessDeniedError(
            f"The component {parcel.node[1]} was not sent to {remote.remote.name}: {reason}. No head was moved.",
            hint="See what else tells less than it should: mu2net fsck",
        )


def _is_there(remote: RemoteRepository, key: str, size_bytes: int) -> bool:
    try:
        return remote.store.size(key) == size_bytes
    except NotFoundError:
        return False


def _refresh_if_before(
    objects: ObjectDatabase, remote: RemoteRepository, node: Node, when: datetime
) -> tuple[Node, bool]:
    key = object_key(*node)
    try:
        was_old = remote.store.modified(key) < when
    except NotFoundError:
        was_old = True
    if was_old:
        remote.store.refresh(key, objects.read(*node))
    return node, was_old


def _restore_if_missing(objects: ObjectDatabase, remote: RemoteRepository, node: Node) -> None:
    key = object_key(*node)
    if not remote.store.exists(key):
        remote.store.create(key, objects.read(*node))
