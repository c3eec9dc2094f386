"""Small, valid repositories and their parts, without any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mu2net_core.objects import (
    PUBLIC,
    SPLITS,
    AccessRule,
    Agent,
    Architecture,
    Classes,
    Commit,
    Component,
    ComponentRef,
    Costs,
    Image,
    Label,
    Merge,
    Model,
    Operation,
    Scorer,
    Slice,
    Split,
    Task,
    Training,
    component_rule,
)
from mu2net_core.repo import HeadState, Repository, create_repository, load_system, record_snapshot
from mu2net_core.repo.core import Tombstone
from mu2net_core.repo.history import granted_rule

__all__ = [
    "SAMPLE_IDENTITY",
    "add_sample_task",
    "evolve_sample",
    "sample_child",
    "sample_component",
    "sample_repository",
    "sample_task",
    "sample_tombstone",
]

LAYERS = ("embedding", "encoderblock_0", "head")

SAMPLE_IDENTITY = "5a" * 16
"""What sample repositories have in common, so that several of them are copies of one."""


def _unsigned(commit: Commit) -> Commit:
    return commit


def sample_component(name: str, seed: int, *, opt_state: bool = True, label: Label | None = None) -> Component:
    """Returns a component with one kernel and one bias drawn from ``seed``, by default one that no data trained."""
    rng = np.random.default_rng(seed)
    params = {"kernel": rng.normal(size=(4, 3)).astype("<f4"), "norm/bias": rng.normal(size=3).astype("<f4")}
    momentum = {f"momentum/{key}": np.zeros_like(value) for key, value in params.items()}
    return Component(
        name=name,
        config={"width": 4},
        params=params,
        opt_state=momentum if opt_state else {},
        label=label or Label(),
    )


def sample_task(name: str, access: AccessRule = PUBLIC) -> Task:
    """Returns a task of two classes that no data stands behind."""
    splits = {
        split: Split(spec=split, slices=(Slice(split=split, start=0, stop=8),), num_examples=8, fingerprint=f"{i:064x}")
        for i, split in enumerate(SPLITS)
    }
    return Task(
        name=name,
        source=f"npz:/data/{name}.npz",
        splits=splits,
        input=Image(height=8, width=8, channels=1),
        output=Classes(names=("no", "yes")),
        metric="accuracy",
        access=access,
    )


def sample_repository(folder: Path, *, bare: bool = False, identity: str = SAMPLE_IDENTITY) -> Repository:
    """Returns a repository in ``folder`` with one root model, ``tiny``."""
    repo = create_repository(folder, preset="vit-ti0", identity=identity, bare=bare)
    refs = tuple(_stored(repo, sample_component(name, seed, opt_state=False)) for seed, name in enumerate(LAYERS))
    root = Model(
        architecture=Architecture(name="vit", config={"width": 4}),
        components=refs,
        hyperparameters={"mu": 0.1, "learning_rate": 0.01},
        seed=0,
    )
    repo.refs.create_root("tiny", repo.objects.put(root))
    return repo


def add_sample_task(
    repo: Repository,
    name: str,
    access: AccessRule = PUBLIC,
    *,
    task: Task | None = None,
    sign: Callable[[Commit], Commit] = _unsigned,
) -> HeadState:
    """Adds a task without a model, ``task`` if it is given, and returns its head."""
    task_id = repo.objects.put(task or sample_task(name, access))
    commit = Commit(
        task=name,
        task_id=task_id,
        agent=_agent(repo),
        started_at=_time(0),
        finished_at=_time(0),
        message=f"add {name}",
        identity=repo.identity,
    )
    return repo.refs.append(name, repo.objects.put(sign(commit)), after=None)


def evolve_sample(
    repo: Repository,
    task: str,
    *,
    score: float,
    parent: str | None = None,
    trains: Sequence[str] = ("head",),
    seed: int | None = None,
    sign: Callable[[Commit], Commit] = _unsigned,
    merges: Mapping[str, str] | None = None,
) -> HeadState:
    """Retains a new model for ``task``, as one iteration does, and returns the task's new head.

    Args:
        repo: where.
        task: the task, added before.
        score: of the new model; its quality is the same.
        parent: the model it comes from; without one the task's own, or else the root.
        trains: the components it gets new copies of; the others it shares with the parent.
        seed: of the new arrays; by default the number of the head's new entry.
        sign: returns the commit with a signature.
        merges: by component among those that it trains, the model whose component it is merged with.
    """
    state = repo.refs.head(task)
    if state is None:
        raise AssertionError(f"{task} was not added")
    before = repo.objects.commit(state.commit)
    parent = parent or before.model or next(iter(repo.refs.roots().values()))
    number = state.number if seed is None else seed
    access = granted_rule(repo, state.commit)
    child = sample_child(
        repo, before, parent, score=score, trains=trains, seed=number, access=access, merges=merges or {}
    )
    model_id = repo.objects.put(child)
    commit = replace(
        before,
        model=model_id,
        parents=(state.commit,),
        snapshot=record_snapshot(repo, load_system(repo), task),
        iteration=before.iteration + 1,
        selections=_selected(before, parent, _agent(repo).counter),
        agent=_agent(repo),
        started_at=_time(number),
        finished_at=_time(number + 1),
        message=f"evolve {task}",
        reset_to=None,
        run=None,
        improved=None,
        trials=None,
        identity=None,
        signature=None,
    )
    return repo.refs.append(task, repo.objects.put(sign(commit)), after=state)


def sample_child(
    repo: Repository,
    before: Commit,
    parent_id: str,
    *,
    score: float,
    trains: Sequence[str],
    seed: int,
    access: AccessRule | None = None,
    merges: Mapping[str, str] = {},
) -> Model:
    """Returns a retained model for the task of the commit ``before``; its components are stored, it is not.

    Who may read what it learns is ``access``, by default that of the commit's task object.
    """
    parent, access = repo.objects.model(parent_id), access or repo.objects.task(before.task_id).access
    components, seconds = [], dict[str, Merge]()
    for place, ref in enumerate(parent.components):
        if ref.name not in trains:
            components.append(replace(ref, trainable=False))
            continue
        training = {**ref.training, before.task: _more(ref.training.get(before.task))}
        label = (repo.objects.label(ref.id) or _told(repo, ref)).taught(before.task, access)
        if ref.name in merges:
            other = next(one for one in repo.objects.model(merges[ref.name]).components if one.name == ref.name)
            seconds[ref.name] = Merge(component=other.id, model=merges[ref.name], weight=0.25)
            label = label.with_knowledge_of(repo.objects.label(other.id) or _told(repo, other))
            training = {**other.training, **training}
        stored = _stored(repo, sample_component(ref.name, 1000 * (seed + 1) + place, label=label))
        operation: Operation = "merge" if ref.name in merges else "clone"
        components.append(replace(stored, operation=operation, parent=ref.id, training=training))
    return replace(
        parent,
        task=before.task,
        task_id=before.task_id,
        root=parent.root or parent_id,
        parent=parent_id,
        components=tuple(components),
        merges=seconds or None,
        validation_curve=(score / 2, score),
        quality=score,
        score=score,
        scorer=Scorer(),
        costs=Costs(params=45, accounted_params=45.0, flops=100),
        test_quality=score,
        seed=seed,
        device_kind="cpu",
    )


def sample_tombstone(
    task: str,
    through: int,
    *,
    roots: Sequence[str] = (),
    objects: Sequence[str] = (),
    access: AccessRule = PUBLIC,
    identity: str = SAMPLE_IDENTITY,
) -> Tombstone:
    """Returns a tombstone of a sample repository; ``objects`` are as it lists them, in any order."""
    return Tombstone(
        task=task,
        through=through,
        roots=tuple(roots),
        objects=tuple(sorted(set(objects))),
        purged_at=_time(0),
        identity=identity,
        access=access,
    )


def _told(repo: Repository, ref: ComponentRef) -> Label:
    """Returns the label that a component which is not here has by what its manifest tells."""
    rule = component_rule(ref.training, load_system(repo).rules)
    return Label(trained_by=tuple(sorted(ref.training)), readers=rule.readers)


def _stored(repo: Repository, component: Component) -> ComponentRef:
    oid, size = repo.objects.put_component(component)
    return ComponentRef(
        id=oid,
        name=component.name,
        num_params=component.num_params,
        size_bytes=size,
        trainable=True,
        operation="root",
    )


def _more(training: Training | None) -> Training:
    steps = training.steps if training else 0
    return Training(steps=steps + 10, examples=8 * (steps + 10))


def _selected(before: Commit, model: str, counter: str) -> dict[str, dict[str, int]]:
    """Returns the counts with one more; like a real iteration's, only of models that can be selected again."""
    counts = {oid: dict(agents) for oid, agents in before.selections.items() if oid in {before.model, model}}
    mine = counts.setdefault(model, {})
    mine[counter] = mine.get(counter, 0) + 1
    return counts


def _agent(repo: Repository) -> Agent:
    return Agent(id=repo.agent_id, host="test", device="cpu")


def _time(minute: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).isoformat(timespec="microseconds")
