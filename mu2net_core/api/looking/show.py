"""``show``: one object, with what its manifest says and who uses it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mu2net_core.api.looking.log import LogEntry, log_entry
from mu2net_core.objects import Commit, Kind, Merge, Model, Operation, Snapshot, Task, Training
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.core import DATA, PURGED_SOURCE
from mu2net_core.repo.history import resolve

__all__ = ["ComponentUse", "Shown", "ShownComponent", "show"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentUse:
    """A model that holds a component, and as what."""

    model: str
    task: str | None
    layer: str
    trainable: bool
    retained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownComponent:
    """What manifests say of a component; ``present`` is whether its arrays are here."""

    num_params: int | None
    size_bytes: int | None
    operation: Operation | None
    parent: str | None
    merge: Merge | None
    training: dict[str, Training] = field(default_factory=dict)
    present: bool
    used_by: tuple[ComponentUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An object.

    Attributes:
        kind: what it is.
        id: its id.
        task: the task it belongs to; None for roots and snapshots.
        commit: the commit, for a commit.
        entry: the same as the log tells it.
        model: the manifest of a model, or of the commit's model.
        task_object: the task object of a task or a commit.
        data_here: where its data lies on this machine, if somebody said so here.
        snapshot: the snapshot.
        component: the component.
        retained_by: for a model, the tasks whose head it is now.
        purged: whether a task was purged; then its object tells nothing of its data.
    """

    kind: Kind
    id: str
    task: str | None = None
    commit: Commit | None = None
    entry: LogEntry | None = None
    model: Model | None = None
    task_object: Task | None = None
    data_here: str | None = None
    snapshot: Snapshot | None = None
    component: ShownComponent | None = None
    retained_by: tuple[str, ...] = ()
    purged: bool = False


def show(repo: Repository, revision: str) -> Shown:
    """Returns what a task, a place in its history, a tag, a root or an id names.

    Raises:
        NotFoundError: nothing is called so; near names are in the hint.
        InvalidInputError: an id's beginning that several objects share.
    """
    found = resolve(repo, revision)
    if found.kind == "commit":
        return _shown_commit(repo, found.id)
    if found.kind == "model":
        return _shown_model(repo, found.id)
    if found.kind == "task":
        task = repo.objects.task(found.id)
        here = _data_here(repo, task.name)
        purged = task.source == PURGED_SOURCE
        return Shown(kind="task", id=found.id, task=task.name, task_object=task, data_here=here, purged=purged)
    if found.kind == "snapshot":
        return Shown(kind="snapshot", id=found.id, snapshot=repo.objects.snapshot(found.id))
    return Shown(kind="component", id=found.id, component=_component(repo, found.id))


def _shown_commit(repo: Repository, oid: str) -> Shown:
    commit = repo.objects.commit(oid)
    task = repo.objects.task(commit.task_id)
    return Shown(
        kind="commit",
        id=oid,
        task=commit.task,
        commit=commit,
        entry=log_entry(repo, oid),
        model=repo.objects.model(commit.model) if commit.model is not None else None,
        data_here=_data_here(repo, commit.task),
        task_object=task,
        purged=task.source == PURGED_SOURCE,
    )


def _data_here(repo: Repository, task: str) -> str | None:
    uri = repo.config.settings.get(f"{DATA}{task}")
    return uri if isinstance(uri, str) else None


def _shown_model(repo: Repository, oid: str) -> Shown:
    model = repo.objects.model(oid)
    commits = ((name, repo.objects.commit(state.commit)) for name, state in repo.refs.heads().items())
    retained_by = tuple(name for name, commit in commits if commit.model == oid)
    return Shown(kind="model", id=oid, task=model.task, model=model, retained_by=retained_by)


def _component(repo: Repository, oid: str) -> ShownComponent:
    system = load_system(repo)
    retained = system.retained()
    models = {**system.ancestors, **retained}
    refs = [(model_id, model, ref) for model_id, model in models.items() for ref in model.components if ref.id == oid]
    first = refs[0][2] if refs else None
    merges = ((model.merges or {}).get(ref.name) for _, model, ref in refs)
    return ShownComponent(
        num_params=first.num_params if first else None,
        size_bytes=first.size_bytes if first else None,
        operation=first.operation if first else None,
        parent=first.parent if first else None,
        merge=next(filter(None, merges), None),
        training=dict(first.training) if first else {},
        present=repo.objects.has("component", oid),
        used_by=tuple(
            ComponentUse(
                model=model_id,
                task=model.task,
                layer=ref.name,
                trainable=ref.trainable,
                retained=model_id in retained,
            )
            for model_id, model, ref in refs
        ),
    )
