"""What an object needs, and what a remote already has, so that transfers send all that is missing and little else.

Strong edges: a commit needs its task, model, parents and snapshots; a model the manifests of its parent, of the models
that layers were merged with, and of its root, and its task; a snapshot its roots and its base. A commit's model and
every root are *retained*: their components are needed too. The heads a snapshot names are needed only by a tag. Objects
come out in the order that keeps a repository whole if a transfer stops anywhere: nothing before what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mu2net_core.objects import Commit, ComponentRef, Kind, Model, Snapshot, Task
from mu2net_core.repo.core import Manifest, ObjectDatabase
from mu2net_core.repo.history import ancestry
from mu2net_core.repo.remotes.tracking import Tracking

__all__ = ["Closure", "Knowledge", "Node", "Seen", "collect", "load_manifest", "needs", "walk"]

Node = tuple[Kind, str]


def load_manifest(objects: ObjectDatabase, node: Node) -> Manifest:
    """Returns the model, task, commit or snapshot that ``node`` names."""
    kind, oid = node
    if kind == "commit":
        return objects.commit(oid)
    if kind == "model":
        return objects.model(oid)
    return objects.task(oid) if kind == "task" else objects.stored_snapshot(oid)


def needs(value: Manifest) -> tuple[Node, ...]:
    """Returns the manifests that must be wherever ``value`` is."""
    nodes: list[tuple[Kind, str | None]] = []
    if isinstance(value, Commit):
        nodes = [("task", value.task_id), ("model", value.model)]
        nodes += [("snapshot", oid) for oid in value.snapshots]
        nodes += [("commit", parent) for parent in value.parents]
    elif isinstance(value, Model):
        nodes = [*(("model", oid) for oid in value.sources), ("model", value.root), ("task", value.task_id)]
    elif isinstance(value, Snapshot):
        nodes = [("model", model_id) for _, model_id in sorted(value.roots.items())] + [("snapshot", value.base)]
    return tuple((kind, oid) for kind, oid in nodes if oid is not None)


def walk(
    tips: Iterable[Node], load: Callable[[Node], Manifest], known: Callable[[Node], bool]
) -> Iterator[tuple[Node, Manifest]]:
    """Yields all that ``tips`` need, each once and after what it needs itself; stops at what is ``known``."""
    pending: list[tuple[Node, Manifest | None]] = [(node, None) for node in reversed(list(tips))]
    seen: set[Node] = set()
    while pending:
        node, value = pending.pop()
        if value is not None:
            yield node, value
        elif node not in seen and not known(node):
            seen.add(node)
            value = load(node)
            pending.append((node, value))
            pending.extend((need, None) for need in reversed(needs(value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What a transfer has to bring: manifests in a safe order, and the components of the retained models in it."""

    manifests: tuple[tuple[Node, Manifest], ...]
    components: tuple[ComponentRef, ...]

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks whose rules decide who may see this: those it is of, and those whose data trained it."""
        names: set[str] = set()
        for _, value in self.manifests:
            if isinstance(value, Task):
                names.add(value.name)
            elif isinstance(value, Commit):
                names.add(value.task)
            elif isinstance(value, Model):
                names.update(value.trained_by, () if value.task is None else (value.task,))
        return frozenset(names)


class Seen:
    """What a remote has by its heads and roots as they were seen: whatever these lead to is there.

    No more is read than it takes; of the heads that one first which had the newest entry: what comes builds on that.
    """

    def __init__(self, objects: ObjectDatabase, tracking: Tracking) -> None:
        """Reads nothing yet."""
        self._objects = objects
        self._tips = {task: state.commit for task, state in tracking.heads.items()}
        self._commits = frozenset(self._tips.values())
        self._roots = frozenset(tracking.roots.values())
        self._snapshots = set[str]()
        self._unread = iter(sorted(self._tips, key=lambda task: task != tracking.newest))
        self._histories: dict[str | None, tuple[frozenset[str], frozenset[str | None]]] = {}

    def has(self, node: Node) -> bool:
        """Returns whether a commit, model or snapshot, which is here, is there for sure."""
        kind, oid = node
        if kind == "commit":
            return oid in self._commits or oid in self.history(self._objects.commit(oid).task)[0]
        if kind == "model":
            return oid in self._roots or oid in self.history(self._objects.model(oid).task)[1]
        return kind == "snapshot" and (oid in self._snapshots or any(oid in more for more in self._read_on()))

    def history(self, task: str | None) -> tuple[frozenset[str], frozenset[str | None]]:
        """Returns the commits of a task that are there, and the models they retain."""
        if task not in self._histories:
            tip = self._tips.get(task) if task is not None else None
            is_here = tip is not None and self._objects.has("commit", tip)
            commits = frozenset(ancestry(self._objects, [tip])) if tip is not None and is_here else frozenset[str]()
            self._histories[task] = commits, frozenset(self._objects.commit(oid).model for oid in commits)
        return self._histories[task]

    def learn(self, task: str, commit_id: str) -> None:
        """Notes where a head stands now."""
        self._tips[task] = commit_id
        self._commits |= {commit_id}
        self._histories.pop(task, None)

    def _read_on(self) -> Iterator[set[str]]:
        """Yields the snapshots that further heads' commits name, those they are based on included."""
        for task in self._unread:
            found = set[str]()
            if self._objects.has("commit", self._tips[task]):
                for snapshot in self._objects.commit(self._tips[task]).snapshots:
                    oid: str | None = snapshot
                    while oid is not None and oid not in self._snapshots and oid not in found:
                        found.add(oid)
                        oid = self._objects.stored_snapshot(oid).base
            self._snapshots |= found
            yield found


class Knowledge:
    """What a remote has, concluded from its heads and roots alone: whatever they reach is there.

    Only commits of the tasks asked about are walked; the histories of all tasks only for a component that a model
    took over from somewhere unknown. A wrong "no" costs a request, a wrong "yes" cannot happen.
    """

    def __init__(self, objects: ObjectDatabase, tracking: Tracking) -> None:
        """Starts from the refs of the remote as last seen, as far as their manifests are in ``objects``."""
        self._objects, self._seen = objects, Seen(objects, tracking)
        tips = [state.commit for state in tracking.heads.values() if objects.has("commit", state.commit)]
        self._ids: set[str] = set()
        self._retained: set[str] = set()
        self._far: Iterator[str] = ancestry(objects, tips)
        for model_id in tracking.roots.values():
            self._add_model(model_id)
        for _ in tips:
            self._go_further()

    def has(self, node: Node) -> bool:
        """Returns whether the manifest ``node`` is there for sure."""
        kind, oid = node
        if oid in self._ids:
            return True
        if kind == "commit" and oid in self._seen.history(self._objects.commit(oid).task)[0]:
            self._add_commit(oid)
        elif kind == "model" and oid in self._seen.history(self._objects.model(oid).task)[1]:
            self._add_model(oid)
        return oid in self._ids

    def retains(self, model_id: str) -> bool:
        """Returns whether all components of a model are there for sure."""
        return self.has(("model", model_id)) and model_id in self._retained

    def has_component(self, ref: ComponentRef) -> bool:
        """Returns whether a model's component is there for sure; what the model trained itself is taken to be new."""
        while ref.id not in self._ids:
            if ref.trainable or not self._go_further():
                return False
        return True

    def sent(self, closure: Closure) -> None:
        """Notes that all of ``closure`` is there now."""
        self._ids.update(oid for (_, oid), _ in closure.manifests)
        self._ids.update(ref.id for ref in closure.components)

    def learn(self, task: str, commit_id: str) -> None:
        """Notes where a head stands now."""
        self._seen.learn(task, commit_id)
        self._add_commit(commit_id)

    def _go_further(self) -> bool:
        commit_id = next(self._far, None)
        if commit_id is not None:
            self._add_commit(commit_id)
        return commit_id is not None

    def _add_commit(self, commit_id: str) -> None:
        commit = self._objects.commit(commit_id)
        self._ids.update((commit_id, commit.task_id))
        for oid in commit.snapshots:
            self._add_snapshot(oid)
        if commit.model is not None:
            self._add_model(commit.model)

    def _add_snapshot(self, snapshot: str) -> None:
        oid: str | None = snapshot
        while oid is not None and oid not in self._ids:
            self._ids.add(oid)
            oid = self._objects.stored_snapshot(oid).base

    def _add_model(self, model_id: str) -> None:
        if model_id not in self._retained and self._objects.has("model", model_id):
            self._retained.add(model_id)
            self._ids.add(model_id)
            self._ids.update(ref.id for ref in self._objects.model(model_id).components)


def collect(objects: ObjectDatabase, tips: Iterable[Node], knowledge: Knowledge) -> Closure:
    """Returns what a remote lacks of ``tips`` and all they need; ``tips`` that are models count as retained."""
    tips = tuple(tips)
    manifests = tuple(walk(tips, lambda node: load_manifest(objects, node), knowledge.has))
    retained = [oid for kind, oid in tips if kind == "model"]
    for _, value in manifests:
        if isinstance(value, Snapshot):
            retained.extend(value.roots.values())
        elif isinstance(value, Commit) and value.model is not None:
            retained.append(value.model)
    components: dict[str, ComponentRef] = {}
    for model_id in dict.fromkeys(retained):
        for ref in () if knowledge.retains(model_id) else objects.model(model_id).components:
            if ref.id not in components and not knowledge.has_component(ref):
                components[ref.id] = ref
    return Closure(manifests=manifests, components=tuple(components.values()))
