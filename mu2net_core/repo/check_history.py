"""Follows every edge from the refs, and checks who learned from whom over the whole history."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import AccessRule, Commit, ComponentRef, Kind, Snapshot, intersect, may_read
from mu2net_core.repo.check_objects import Scan
from mu2net_core.repo.check_refs import RefScan
from mu2net_core.repo.findings import Problem, ProblemKind
from mu2net_core.repo.purged import Purged
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.snapshots import complete, snapshot_chain

__all__ = ["Walk", "walk_history"]


@dataclass(slots=True, kw_only=True)
class Walk:
    """What refs reach.

    Attributes:
        scan: the objects.
        partial: whether components that are missing may be on a remote.
        purged: what was purged, and may be missing.
        reached: (kind, id) of every object met, weakly referenced ones too if they are there.
        missing: (kind, id) of strongly referenced objects that are not there.
        absent: components that are not there and may be on a partial remote: who needs them, by id.
        problems: found so far.
    """

    scan: Scan
    partial: bool
    purged: Purged
    reached: set[tuple[Kind, str]] = field(default_factory=set)
    missing: set[tuple[Kind, str]] = field(default_factory=set)
    absent: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def need(self, kind: Kind, oid: str, by: str) -> bool:
        """Notes a strong reference; returns whether the object is there and met for the first time."""
        if (kind, oid) in self.reached or (kind, oid) in self.missing:
            return False
        here: Mapping[str, object] = getattr(self.scan, f"{kind}s")
        if oid in here:
            self.reached.add((kind, oid))
            return True
        if (kind, oid) in self.scan.damaged or self.purged.lists((kind, oid)) is not None:
            return False
        if kind == "component" and self.partial:
            self.absent.setdefault(oid, by)
        else:
            self.missing.add((kind, oid))
            self.report("missing-object", f"{kind}/{oid}", f"It is not there, though {by} needs it.")
        return False

    def reached_models(self) -> list[str]:
        """Returns the ids of all models met, sorted."""
        return sorted(oid for kind, oid in self.reached if kind == "model")

    def report(self, kind: ProblemKind, about: str, message: str) -> None:
        """Notes a problem."""
        self.problems.append(Problem(kind=kind, object=about, message=message))


def walk_history(scan: Scan, refs: RefScan, *, partial: bool) -> Walk:
    """Returns what ``refs`` reach among the objects of ``scan``.

    Args:
        scan: the objects.
        refs: the refs.
        partial: whether components that are missing may be on a remote.
    """
    walk = Walk(scan=scan, partial=partial, purged=refs.purged)
    retained: set[str] = set()
    pending = [(commit_id, entry_key(task, number)) for task, number, commit_id in refs.commits]
    for key, snapshot_id in refs.tags.items():
        for snapshot in _snapshots(walk, snapshot_id, key):
            retained |= {model_id for model_id in snapshot.roots.values() if _model(walk, model_id, key)}
        pending += [(commit_id, key) for commit_id in _heads(walk, snapshot_id, key)]
    retained |= {model_id for key, model_id in refs.roots.items() if _model(walk, model_id, key)}
    while pending:
        commit_id, by = pending.pop()
        if walk.need("commit", commit_id, by):
            commit = scan.commits[commit_id]
            pending += [(parent, f"commit {commit_id[:16]}") for parent in commit.parents]
            retained |= _commit(walk, commit_id, commit)
    for task, number, commit_id in refs.commits:
        if commit_id in scan.commits and scan.commits[commit_id].task != task:
            message = f"It names a commit of the task {scan.commits[commit_id].task}."
            walk.report("wrong-reference", entry_key(task, number), message)
    for model_id in sorted(retained):
        _components(walk, model_id)
    _check_training(walk)
    _check_access(walk)
    return walk


def _commit(walk: Walk, commit_id: str, commit: Commit) -> set[str]:
    """Follows a commit's edges; returns the model it retains, if it is there."""
    by = f"commit {commit_id[:16]}"
    walk.need("task", commit.task_id, by)
    for snapshot in _snapshots(walk, commit.snapshot, by):
        for model_id in snapshot.roots.values():
            _model(walk, model_id, by)
    task = walk.scan.tasks.get(commit.task_id)
    if task is not None and task.name != commit.task:
        walk.report("wrong-reference", f"commit/{commit_id}", f"It is of {commit.task}, its task of {task.name}.")
    if commit.model is None or not _model(walk, commit.model, by):
        return set()
    owner = walk.scan.models[commit.model].task
    if owner != commit.task:
        walk.report("wrong-reference", f"commit/{commit_id}", f"It is of {commit.task}, its model of {owner}.")
    return {commit.model}


def _snapshots(walk: Walk, oid: str | None, by: str) -> Iterator[Snapshot]:
    """Yields a snapshot as it is stored, and those it stands on, as far as they are met for the first time."""
    while oid is not None and walk.need("snapshot", oid, by):
        yield walk.scan.snapshots[oid]
        by, oid = f"snapshot {oid[:16]}", walk.scan.snapshots[oid].base


def _heads(walk: Walk, snapshot_id: str, by: str) -> Collection[str]:
    """Returns the commits a snapshot names; none if a part of it is missing or damaged, which is a problem already."""
    try:
        return complete(snapshot_chain(snapshot_id, walk.scan.snapshots.__getitem__)).heads.values()
    except KeyError:
        return ()
    except CorruptObjectError as exc:
        walk.report("wrong-reference", by, exc.message)
        return ()


def _model(walk: Walk, model_id: str, by: str) -> bool:
    """Follows the line of a model's parents to its root; returns whether the model itself is there."""
    current: str | None = model_id
    while current is not None and walk.need("model", current, by):
        model = walk.scan.models[current]
        if model.task_id is not None:
            walk.need("task", model.task_id, f"model {current[:16]}")
        walk.reached |= {("component", ref.id) for ref in model.components if ref.id in walk.scan.components}
        by, current = f"model {current[:16]}", model.parent
    return model_id in walk.scan.models


def _components(walk: Walk, model_id: str) -> None:
    for ref in walk.scan.models[model_id].components:
        walk.need("component", ref.id, f"model {model_id[:16]}")
        found = walk.scan.components.get(ref.id)
        if found is not None and found != (ref.num_params, ref.size_bytes):
            message = (
                f"It says that its {ref.name} has {ref.num_params} parameters in {ref.size_bytes} bytes; "
                f"that component has {found[0]} in {found[1]}."
            )
            walk.report("wrong-reference", f"model/{model_id}", message)


def _check_training(walk: Walk) -> None:
    """Reports every component that forgets who trained what it came from: the access rules rest on that."""
    known: dict[str, list[ComponentRef]] = {}
    for model in walk.scan.models.values():
        for ref in model.components:
            known.setdefault(ref.id, []).append(ref)
    for model_id in walk.reached_models():
        model = walk.scan.models[model_id]
        parent = walk.scan.models.get(model.parent or "")
        for ref in model.components:
            shared = parent.component(ref.name) if parent else None
            sources = [shared] if shared is not None and shared.id == ref.id else known.get(ref.parent or "", [])
            if sources and not any(_covers(ref, source) for source in sources):
                message = f"Its {ref.name} names fewer tasks or steps than the component it came from."
                walk.report("access", f"model/{model_id}", message)


def _covers(ref: ComponentRef, source: ComponentRef) -> bool:
    """Returns whether ``ref`` tells of all the training that ``source`` tells of."""
    return all(t in ref.training and ref.training[t].steps >= told.steps for t, told in source.training.items())


def _check_access(walk: Walk) -> None:
    """Reports every model that holds what its task was not allowed to read."""
    rules = _rules(walk)
    for model_id in walk.reached_models():
        model = walk.scan.models[model_id]
        if model.task is None:
            continue
        for ref in model.components:
            if not may_read(model.task, ref.training, rules):
                others = sorted(set(ref.training) - {model.task})
                refused = [task for task in others if not may_read(model.task, [task], rules)] or others
                message = f"The task {model.task} uses in {ref.name} what only {', '.join(refused)} may share."
                walk.report("access", f"model/{model_id}", message)


def _rules(walk: Walk) -> dict[str, AccessRule]:
    """Returns per task what all its commits grant; of a task that no ref reaches, those that were only fetched."""
    reached: dict[str, list[AccessRule]] = {}
    others: dict[str, list[AccessRule]] = {}
    for commit_id, commit in walk.scan.commits.items():
        if commit.task_id in walk.scan.tasks:
            found = reached if ("commit", commit_id) in walk.reached else others
            found.setdefault(commit.task, []).append(walk.scan.tasks[commit.task_id].access)
    return {task: intersect(rules) for task, rules in {**others, **reached}.items()}
