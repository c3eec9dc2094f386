"""The whole system at one moment, read from heads, commits, tasks and manifests; no arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import AccessRule, Commit, Head, Model, Snapshot, System, intersect
from mu2net_core.repo.core import Purged, Repository, newest_snapshot, shorten
from mu2net_core.repo.history.commit_index import History, Past

__all__ = [
    "basis_of",
    "granted_rule",
    "head_with",
    "load_rules",
    "load_system",
    "load_system_then",
    "record_snapshot",
    "visible_models",
    "visible_snapshot",
]


def load_system(repo: Repository, *, heads: Mapping[str, str] | None = None) -> System:
    """Returns the system at the heads, or with ``heads`` (task to commit id, from a snapshot) as it was then.

    Access rules always are those of the whole history, so that a rule made later holds for the past too. What names a
    task's model among the roots is none.
    """
    current = {task: state.commit for task, state in repo.refs.heads().items()}
    at = current if heads is None else heads
    loaded = {task: head_with(repo, commit_id) for task, commit_id in sorted(at.items())}
    alive = {task: head for task, head in loaded.items() if not head.commit.removed}
    named = {model_id: repo.objects.model(model_id) for model_id in sorted(set(repo.refs.roots().values()))}
    roots = {model_id: model for model_id, model in named.items() if model.task is None}
    models = {head.model_id: head.model for head in alive.values() if head.model_id and head.model}
    history = list(History(repo).walk({*current.values(), *at.values()}))
    return System(
        heads=alive,
        roots=roots,
        rules=_rules(repo, history),
        ancestors=_ancestors(repo, {**models, **roots}),
        kept=frozenset(past.model for past in history if past.model is not None),
    )


def load_system_then(repo: Repository, snapshot_id: str) -> System:
    """Returns the system as a snapshot holds it: its heads, its roots, and the access rules its tasks had then.

    Of tasks that the snapshot does not name the rules are those of now.
    """
    snapshot = repo.objects.snapshot(snapshot_id)
    system = load_system(repo, heads=snapshot.heads)
    rules = _granted(repo, History(repo).walk(snapshot.heads.values()))
    roots = {model_id: repo.objects.model(model_id) for model_id in sorted(set(snapshot.roots.values()))}
    return replace(system, rules={**system.rules, **rules}, roots=roots)


def basis_of(repo: Repository, commit: Commit) -> str | None:
    """Returns the model that children are made from where ``commit`` is the head: never a refit."""
    return None if commit.model is None else repo.objects.model(commit.model).refit_of or commit.model


def load_rules(repo: Repository) -> Mapping[str, AccessRule]:
    """Returns who may read what each task taught, by task name.

    That is what all of its task objects in the whole history grant, and all purges of it left.
    """
    return _rules(repo, History(repo).walk(state.commit for state in repo.refs.heads().values()))


def granted_rule(repo: Repository, commit_id: str) -> AccessRule:
    """Returns who may read what a task teaches whose head is at a commit: what all that the commit follows grants.

    It depends on the commit alone, so that work is the same when it is repeated.
    """
    task = repo.objects.commit(commit_id).task
    return _granted(repo, History(repo).walk([commit_id]))[task]


def visible_snapshot(system: System, task: str, *, roots: Mapping[str, str] | None = None) -> Snapshot:
    """Returns the snapshot that a commit of ``task`` may name: its own head, and those it may use and all may see.

    A commit never mentions what any of its task's readers may not see, so that wherever it may be held, it may be held
    with all that it names.

    Args:
        system: as loaded.
        task: the task's name.
        roots: root model ids by name, as the refs have them; without it each goes by its id.
    """
    heads = {name: head.commit_id for name, head in system.heads.items() if system.may_name(task, name)}
    named = roots if roots is not None else {model_id: model_id for model_id in system.roots}
    usable = {
        name: model_id
        for name, model_id in named.items()
        if model_id in system.roots and system.may_use(task, system.roots[model_id])
    }
    return Snapshot(heads=heads, roots=usable)


def visible_models(system: System, task: str) -> frozenset[str]:
    """Returns the retained models and roots that a commit of ``task`` may name, as in its snapshot."""
    heads = (head.model_id for name, head in system.heads.items() if system.may_name(task, name))
    roots = (model_id for model_id, model in system.roots.items() if system.may_use(task, model))
    return frozenset(model_id for model_id in (*heads, *roots) if model_id is not None)


def record_snapshot(repo: Repository, system: System, task: str) -> str:
    """Stores what ``task`` may see of ``system`` now, on top of what is there, and returns the snapshot's id."""
    whole = visible_snapshot(system, task, roots=repo.refs.roots())
    objects = repo.objects
    return objects.put(shorten(whole, newest_snapshot(system, whole), objects.stored_snapshot))


def head_with(repo: Repository, commit_id: str) -> Head:
    """Returns the head that a commit is, with the task and the model that it names."""
    commit = repo.objects.commit(commit_id)
    model = repo.objects.model(commit.model) if commit.model is not None else None
    head = Head(commit_id=commit_id, commit=commit, task=repo.objects.task(commit.task_id), model=model)
    if model is None or model.refit_of is None:
        return head
    return replace(head, model=repo.objects.model(model.refit_of), refit=model)


def _rules(repo: Repository, history: Iterable[Past]) -> dict[str, AccessRule]:
    """Returns per task who may read what it taught: what all its commits grant, and each purge of it left."""
    granted, left = _granted(repo, history), Purged.read(repo.refs).rules
    return granted | {name: intersect([granted.get(name, rule), rule]) for name, rule in sorted(left.items())}


def _granted(repo: Repository, history: Iterable[Past]) -> dict[str, AccessRule]:
    """Returns per task the intersection over every task object that its commits name."""
    task_ids: dict[str, set[str]] = {}
    for past in history:
        task_ids.setdefault(past.task, set()).add(past.task_id)
    return {name: intersect(repo.objects.task(oid).access for oid in ids) for name, ids in sorted(task_ids.items())}


def _ancestors(repo: Repository, models: Mapping[str, Model]) -> dict[str, Model]:
    """Returns the manifests that lineages of ``models`` pass through, as far as they are here."""
    found: dict[str, Model] = {}
    for model in models.values():
        pending = list(model.sources)
        while pending:
            source = pending.pop()
            if source in models or source in found:
                continue
            with suppress(NotFoundError):
                found[source] = repo.objects.model(source)
                pending += found[source].sources
    return found
