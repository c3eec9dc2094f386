"""Bringing manifests, and all they need, from a remote: many at a time, none stored before what it needs.

What a manifest needs is known only when it is here. So each one that arrives asks for more; those that still wait for
something lie in local state, and are stored when the last of it was. An intake that is interrupted at any point leaves
a whole repository, and the next one asks for nothing that arrived before.

What is missing, damaged or cannot be genuine keeps out what needs it, and nothing else. That goes for what is here
already, too: it counts as being there only if it was seen there, or if it is found when asked for, and so is what it
leads to. Else somebody who knows no more of a private commit than its id could name it, and the remote would be asked
for all that it reaches; what was forged elsewhere might lead to more than it does here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import Commit, ComponentRef, Model, Snapshot
from mu2net_core.repo.core import MANIFESTS, Manifest, Repository, Workers, decode_formatted
from mu2net_core.repo.exchange.presence import Presence
from mu2net_core.repo.history import ISOLATED, Arrivals, check, check_parts
from mu2net_core.repo.remotes import (
    Counter,
    Incoming,
    Node,
    RemoteRepository,
    Seen,
    load_manifest,
    needs,
    read_checked,
    read_tracking,
)

__all__ = ["Received", "incoming_of", "receive", "receive_components", "receive_each"]

_USUAL_BYTES = 65_536
"""What a manifest is taken to weigh before it is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came of bringing several nodes.

    Attributes:
        tasks: those whose rules one must know to judge the models that came.
        failed: why nodes are not here, by node: those that were asked for, and those that they need.
    """

    tasks: frozenset[str] = frozenset()
    failed: Mapping[Node, Mu2netError] = field(default_factory=dict)


def receive_each(
    repo: Repository,
    remote: RemoteRepository,
    tips: Iterable[Node],
    *,
    what: str,
    counter: Counter,
    arrivals: Arrivals | None = None,
    seen: Collection[Node] = (),
    confirmed: Collection[Node] = (),
    presence: Presence | None = None,
) -> Received:
    """Copies ``tips`` and all manifests they need from ``remote``, each as far as all that it needs can be had.

    Components come later, when something needs them; unless the remote is no partial one, then those of every
    retained model come before the commit that retains it.

    Args:
        repo: where to.
        remote: where from.
        tips: of interest.
        what: they are, for whoever watches.
        counter: of objects.
        arrivals: what is judged by; by default the identity of the repository.
        seen: those of ``tips`` that were seen there before, with all they lead to.
        confirmed: those that are there, which tells nothing of what they lead to.
        presence: what is known to be there, for whoever asks again and again; by default by what was seen last.
    """
    with Workers[_Arrival]() as workers:
        intake = _Intake(repo, remote, workers, what, counter, arrivals or Arrivals(identity=repo.identity))
        intake.presence = presence
        intake.seen, intake.confirmed = frozenset(seen), frozenset(confirmed)
        for tip in tips:
            intake.want(tip, _USUAL_BYTES)
        for arrival in workers.results():
            intake.take(arrival)
    return Received(tasks=frozenset(intake.tasks), failed=intake.failed)


def receive(
    repo: Repository,
    remote: RemoteRepository,
    tips: Iterable[Node],
    *,
    what: str,
    counter: Counter,
    arrivals: Arrivals | None = None,
    seen: Collection[Node] = (),
    presence: Presence | None = None,
) -> frozenset[str]:
    """Copies ``tips`` as ``receive_each`` does; returns the tasks that the new models speak of.

    Raises:
        NotFoundError: the remote lacks something that it refers to.
        CorruptObjectError: what it sent is damaged, too large or cannot be genuine.
    """
    received = receive_each(
        repo, remote, tips, what=what, counter=counter, arrivals=arrivals, seen=seen, presence=presence
    )
    for error in received.failed.values():
        raise error
    return received.tasks


def receive_components(
    repo: Repository, remote: RemoteRepository, model_ids: Iterable[str], *, what: str, counter: Counter
) -> None:
    """Copies the components of models whose manifests are here, as far as they are missing.

    Raises:
        NotFoundError: the remote lacks one.
        CorruptObjectError: one is damaged, none at all, or tells of more than its model.
    """
    refs = {ref.id: ref for model_id in model_ids for ref in repo.objects.model(model_id).components}
    missing = [ref for ref in refs.values() if not repo.objects.has("component", ref.id)]
    if not missing:
        return
    with Workers[_Arrival]() as workers:
        intake = _Intake(repo, remote, workers, what, counter, Arrivals(identity=repo.identity))
        for ref in missing:
            intake.want(("component", ref.id), ref.size_bytes)
        for arrival in workers.results():
            intake.take(arrival)
    for error in intake.failed.values():
        raise error
    check_parts(refs.values(), repo.objects)


def incoming_of(repo: Repository) -> Incoming:
    """Returns where manifests wait for what they need."""
    return Incoming(repo.state / "incoming")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A node that is here: stored, or kept aside because it ``waits`` for others (with the bytes they take).

    Attributes:
        node: which.
        waits: what was missing when it was looked at.
        size_bytes: what came over for it; None if it had come before.
        tasks: those it speaks of, if it is a model.
        error: why it is not here after all.
    """

    node: Node
    waits: Mapping[Node, int] = field(default_factory=dict)
    size_bytes: int | None = None
    tasks: frozenset[str] = frozenset()
    error: Mu2netError | None = None


@dataclass(slots=True)
class _Intake:
    """What was asked for, what is stored, what failed and why, and what waits for what."""

    repo: Repository
    remote: RemoteRepository
    workers: Workers[_Arrival]
    what: str
    counter: Counter
    arrivals: Arrivals
    tasks: set[str] = field(default_factory=set)
    failed: dict[Node, Mu2netError] = field(default_factory=dict)
    seen: frozenset[Node] = frozenset()
    confirmed: frozenset[Node] = frozenset()
    presence: Presence | None = None
    _here: set[Node] = field(default_factory=set)
    _asked: dict[Node, int] = field(default_factory=dict)
    _stored: set[Node] = field(default_factory=set)
    _waiting: dict[Node, set[Node]] = field(default_factory=dict)
    _dependants: dict[Node, list[Node]] = field(default_factory=dict)

    def want(self, node: Node, size_bytes: int) -> bool:
        """Asks for a node, unless it was asked for before; returns whether one has to wait for it."""
        if node not in self._asked:
            self._asked[node] = size_bytes
            if self.repo.objects.has(*node):
                if node[0] == "component" or node in self.seen or self._there.was_seen(node):
                    self._stored.add(node)
                else:
                    self._here.add(node)
                    self.workers.submit(partial(_confirm, self.repo, self._there, node, node in self.confirmed))
            else:
                self._bring(node)
                self.counter.expect(1, size_bytes if node[0] == "component" else 0)
        return node not in self._stored

    def take(self, arrival: _Arrival) -> None:
        """Notes that a node is here, and asks for what it waits for."""
        if arrival.error is not None:
            self._fail(arrival.node, arrival.error)
            return
        self.tasks |= arrival.tasks
        if arrival.size_bytes is not None:
            self.counter.add(self.what, arrival.size_bytes)
        if arrival.waits:
            self._waiting[arrival.node] = set()
            self._wait(arrival.node, arrival.waits)
        else:
            self._release(arrival.node)

    def _wait(self, node: Node, needs: Mapping[Node, int]) -> None:
        """Asks for what ``node`` needs besides what it waits for; it goes on if all of that is stored."""
        missing = {need for need, size_bytes in needs.items() if self.want(need, size_bytes)}
        error = next((self.failed[need] for need in missing if need in self.failed), None)
        if error is not None:
            self._fail(node, error)
            return
        for need in missing - self._waiting[node]:
            self._dependants.setdefault(need, []).append(node)
        self._waiting[node] |= missing
        if not self._waiting[node]:
            del self._waiting[node]
            self._bring(node)

    def _release(self, node: Node) -> None:
        """Lets those go on that waited for ``node``, now stored; a commit that comes needs the parts of its model."""
        self._stored.add(node)
        for dependant in self._dependants.pop(node, ()):
            if dependant in self._waiting:  # it may have failed, even just now
                self._waiting[dependant].discard(node)
                comes = dependant[0] == "commit" and dependant not in self._here
                self._wait(dependant, self._parts(node) if comes else {})

    def _parts(self, node: Node) -> dict[Node, int]:
        """Returns the components of a model that is here, which a full copy needs before what retains it."""
        if node[0] != "model" or self.remote.remote.partial:
            return {}
        with suppress(*ISOLATED):  # what retains it cannot be judged, and says why
            return {("component", ref.id): ref.size_bytes for ref in self.repo.objects.model(node[1]).components}
        return {}

    def _fail(self, node: Node, error: Mu2netError) -> None:
        """Gives up a node, and all that waits for it."""
        pending = [node]
        while pending:
            current = pending.pop()
            if current not in self.failed:
                self.failed[current] = error
                self._waiting.pop(current, None)
                pending += self._dependants.pop(current, ())

    @property
    def _there(self) -> Presence:
        """Tells what the remote has; made when something that is here has to be there, too."""
        if self.presence is None:
            seen = Seen(self.repo.objects, read_tracking(self.repo.state, self.remote.remote))
            self.presence = Presence(self.remote, seen)
        return self.presence

    def _bring(self, node: Node) -> None:
        """Lets a node come, which may be here already and has only waited for what it leads to."""
        if node in self._here:
            self.workers.submit(partial(_Arrival, node=node))
            return
        size_bytes = self._asked[node]
        job = partial(_attempt, self.repo, self.remote, node, size_bytes, self.arrivals, self._stored.__contains__)
        self.workers.submit(job, size_bytes=size_bytes)


def _confirm(repo: Repository, there: Presence, node: Node, is_there: bool) -> _Arrival:  # noqa: FBT001
    """Asks whether what is here is there, too; if so, it waits for what it leads to: that must be there as well."""
    name, (kind, oid) = there.remote.remote.name, node
    if is_there or there.has(node):
        waits = dict.fromkeys(_led_to(repo, node), _USUAL_BYTES)
        return _Arrival(node=node, waits=waits)
    error = CorruptObjectError(
        f"The remote {name} names the {kind} {oid[:16]}, which is not there, and is here.",
        hint=f"If it should be there: mu2net fsck --remote {name} --repair-from .",
    )
    return _Arrival(node=node, error=error)


def _led_to(repo: Repository, node: Node) -> list[Node]:
    """Returns what whoever names a manifest is asked for components of, as far as it is here."""
    try:
        value = load_manifest(repo.objects, node)
    except Mu2netError:  # it is damaged, so it leads nowhere: fsck says so
        return []
    return [need for need in needs(value) if _leads_on(value, need) and repo.objects.has(*need)]


def _attempt(
    repo: Repository,
    remote: RemoteRepository,
    node: Node,
    expected_bytes: int,
    arrivals: Arrivals,
    is_there: Callable[[Node], bool],
) -> _Arrival:
    try:
        return _bring(repo, remote, node, expected_bytes, arrivals, is_there)
    except ISOLATED as exc:
        return _Arrival(node=node, error=exc)


def _bring(
    repo: Repository,
    remote: RemoteRepository,
    node: Node,
    expected_bytes: int,
    arrivals: Arrivals,
    is_there: Callable[[Node], bool],
) -> _Arrival:
    """Reads a node, unless it was kept aside; stores it, or keeps it aside if something it needs is missing."""
    kind, oid = node
    limit, name = repo.objects.max_bytes(kind), remote.remote.name
    if kind == "component":
        limit = min(expected_bytes, limit)
        data = read_checked(remote.store, kind, oid, limit=limit, name=name)
        repo.objects.put_labelled(data)
        return _Arrival(node=node, size_bytes=len(data))
    incoming = incoming_of(repo)
    kept = incoming.read(kind, oid)
    data = kept or read_checked(remote.store, kind, oid, limit=limit, name=name)
    value = decode_formatted(MANIFESTS[kind], data, what=f"{kind} {oid}", limits=repo.objects.limits)
    waits = _missing(repo, remote, value, is_there)
    if not waits:
        try:
            check(value, repo.objects, arrivals)
            check_parts(_retained(repo, remote, value), repo.objects)
        except CorruptObjectError as exc:
            raise CorruptObjectError(
                f"The {kind} {oid[:16]} on the remote {name} was not taken over. {exc.message}"
            ) from exc
        repo.objects.put_decoded(value, data)
        incoming.drop(kind, oid)
    elif kept is None:
        incoming.keep(kind, oid, data)
    return _Arrival(node=node, waits=waits, size_bytes=None if kept else len(data), tasks=_tasks(value))


def _missing(
    repo: Repository, remote: RemoteRepository, value: Manifest, is_there: Callable[[Node], bool]
) -> Mapping[Node, int]:
    """Returns what must come before ``value``, with its size; in a full copy also a commit's model's components.

    These are asked for when all manifests are there: by then the model is known to be.
    """
    ready = {need: is_there(need) if _leads_on(value, need) else repo.objects.has(*need) for need in needs(value)}
    if not all(ready.values()):
        return {need: _USUAL_BYTES for need, is_ready in ready.items() if not is_ready}
    parts = _retained(repo, remote, value)
    return {("component", ref.id): ref.size_bytes for ref in parts if not repo.objects.has("component", ref.id)}


def _leads_on(value: Manifest, need: Node) -> bool:
    """Returns whether whoever names ``need`` is asked for components that it leads to."""
    return isinstance(value, Commit | Snapshot) and need[0] in {"commit", "model", "snapshot"}


def _retained(repo: Repository, remote: RemoteRepository, value: Manifest) -> tuple[ComponentRef, ...]:
    """Returns, in a full copy, the components of the model that a commit retains; nothing before that is here."""
    model_id = value.model if isinstance(value, Commit) and not remote.remote.partial else None
    known = model_id is not None and repo.objects.has("model", model_id)
    return repo.objects.model(model_id).components if known and model_id is not None else ()


def _tasks(value: Manifest) -> frozenset[str]:
    """Returns the tasks whose rules one must know to judge a model."""
    if not isinstance(value, Model):
        return frozenset()
    return value.trained_by if value.task is None else value.trained_by | {value.task}
