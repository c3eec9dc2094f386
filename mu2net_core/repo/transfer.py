"""Objects on their way between a working copy and a remote: bytes as they are, each checked, in a safe order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mu2net_core.errors import AlreadyExistsError, CorruptObjectError, InternalError
from mu2net_core.objects import AccessRule, Commit, Kind, component_rule, object_key
from mu2net_core.repo.closure import Closure, Node, walk
from mu2net_core.repo.database import MANIFESTS, Manifest, ObjectDatabase, decode_manifest
from mu2net_core.repo.outcomes import Counter
from mu2net_core.repo.remotes import RemoteRepository

__all__ = ["receive", "receive_components", "send"]

_RANK: Mapping[Kind, int] = {"task": 0, "model": 0, "snapshot": 1, "commit": 2}


def send(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    closure: Closure,
    rules: Mapping[str, AccessRule],
    *,
    what: str,
    counter: Counter,
) -> None:
    """Creates all objects of ``closure`` on ``remote``: components, then models and tasks, then snapshots and commits.

    Whoever dies in between leaves objects that nothing refers to; sending again creates what is missing. In memory
    at a time: one component.

    Raises:
        InternalError: a component may not be seen by the remote's readers; it is not sent.
        CorruptObjectError: the remote holds damaged bytes in an object's place.
    """
    for ref in closure.components:
        if not component_rule(ref.training, rules).allows_all(remote.audience):
            raise InternalError(f"The component {ref.id} may not go to {remote.remote.name}, and was about to.")
        _send_object(objects, remote, ("component", ref.id), what, counter)
    for node, _ in sorted(closure.manifests, key=lambda found: _RANK[found[0][0]]):
        _send_object(objects, remote, node, what, counter)


def receive(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    tips: Iterable[Node],
    *,
    what: str,
    counter: Counter,
) -> tuple[Manifest, ...]:
    """Copies ``tips`` and all manifests they need from ``remote``; returns those that were not here yet.

    Components come later, when something needs them; unless the remote is no partial one, then those of every
    retained model come before the commit that retains it.
    """
    fetched: dict[Node, bytes] = {}
    new: list[Manifest] = []

    def load(node: Node) -> Manifest:
        fetched[node] = remote.objects.read(*node)
        return decode_manifest(MANIFESTS[node[0]], fetched[node], what=f"{node[0]} {node[1]}")

    for node, value in walk(tips, load, lambda node: objects.has(*node)):
        if isinstance(value, Commit) and value.model is not None and not remote.remote.partial:
            receive_components(objects, remote, [value.model], what=what, counter=counter)
        data = fetched.pop(node)
        objects.put_bytes(node[0], data)
        counter.add(what, len(data))
        new.append(value)
    return tuple(new)


def receive_components(
    objects: ObjectDatabase, remote: RemoteRepository, model_ids: Iterable[str], *, what: str, counter: Counter
) -> None:
    """Copies the components of models whose manifests are here, as far as they are missing."""
    for model_id in model_ids:
        for ref in objects.model(model_id).components:
            if not objects.has("component", ref.id):
                data = remote.objects.read("component", ref.id)
                objects.put_bytes("component", data)
                counter.add(what, len(data))


def _send_object(objects: ObjectDatabase, remote: RemoteRepository, node: Node, what: str, counter: Counter) -> None:
    kind, oid = node
    data = objects.read(kind, oid)
    try:
        remote.store.create(object_key(kind, oid), data)
    except AlreadyExistsError as exc:
        raise CorruptObjectError(
            f"The {kind} {oid} on the remote {remote.remote.name} ({remote.remote.url}) is damaged: it holds other "
            "bytes than its id says. Nothing was moved.",
            hint="Run `mu2net fsck` there.",
        ) from exc
    counter.add(what, len(data))
