"""What arrives from others, judged before it is stored: whether it can be what honest work of this repository makes.

Nothing here tells whether a claim is true. It keeps out what no version of this program writes: what is of another
repository, what joins different tasks, numbers and times from which nobody could go on, scores that do not follow from
what they were made of, and manifests that hide whose data trained a component.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Protocol

from mu2net_core.errors import ConflictError, CorruptObjectError, InternalError, InvalidInputError, NotFoundError
from mu2net_core.objects import (
    LARGEST_COUNT,
    Children,
    Commit,
    ComponentRef,
    Input,
    Kind,
    Label,
    Limits,
    Model,
    Snapshot,
    Table,
    Task,
    Trials,
    hidden_training,
)
from mu2net_core.repo.core import Manifest, is_purge, snapshot_chain
from mu2net_core.repo.history.merging import joined
from mu2net_core.repo.history.winner import ancestry, is_canonical_merge
from mu2net_core.scoring import SCORERS, score

__all__ = ["ISOLATED", "Arrivals", "check", "check_parts"]

ISOLATED = (CorruptObjectError, NotFoundError, InvalidInputError, ConflictError, InternalError)
"""What is wrong with one task, root, tag or tombstone, and keeps no other from going on."""

_AHEAD = timedelta(days=366)
_ARRIVED = "that arrived"
_LONGEST_TEXT = 4_096
_EXACT = 1e-9
_VALIDATED = ("quality", "score", "scorer", "costs", "validation_curve", "validation_examples")
_REPEATED = ("task", "hyperparameters", *_VALIDATED)
"""Of a refit: what it says as the model does that it is one of."""


class Manifests(Protocol):
    """Where manifests are looked up, e.g. an object database."""

    limits: Limits

    def commit(self, oid: str) -> Commit:
        """Returns a commit by its id."""

    def model(self, oid: str) -> Model:
        """Returns a model manifest by its id."""

    def task(self, oid: str) -> Task:
        """Returns a task object by its id."""

    def stored_snapshot(self, oid: str) -> Snapshot:
        """Returns a snapshot by its id, as it is stored."""

    def label(self, oid: str) -> Label | None:
        """Returns whose data trained a component, if it is here."""

    def has(self, kind: Kind, oid: str) -> bool:
        """Returns whether there is such an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What arrivals are judged by.

    Attributes:
        identity: of the repository.
        latest: the latest time that something may have been made at, as commits store it; empty for no bound.
    """

    identity: str
    latest: str = ""

    @classmethod
    def at(cls, identity: str, now: datetime | None) -> Arrivals:
        """Returns what arrivals are judged by at the moment ``now``; honest clocks are wrong, but not by a year."""
        if now is None:
            return cls(identity=identity)
        latest = (now.astimezone(UTC) + _AHEAD).isoformat(timespec="microseconds")
        return cls(identity=identity, latest=latest)


def check(value: Manifest, objects: Manifests, arrivals: Arrivals) -> None:
    """Checks a manifest all of whose needs are in ``objects``.

    Raises:
        CorruptObjectError: it cannot be what honest work makes.
    """
    if isinstance(value, Commit):
        _check_commit(value, objects, arrivals)
    elif isinstance(value, Model):
        _check_model(value, objects)
    elif isinstance(value, Snapshot):
        _check_snapshot(value, objects, arrivals)
    else:
        _check_task(value)


def check_parts(refs: Iterable[ComponentRef], objects: Manifests) -> None:
    """Checks that a manifest hides nothing of what its components, as far as they are here, tell of themselves.

    Raises:
        CorruptObjectError: it leaves out a task whose data trained one of them.
    """

    def label_of(oid: str) -> Label | None:
        try:
            return objects.label(oid)
        except (CorruptObjectError, InvalidInputError):
            return None  # damaged here: that is found when it is used

    for ref, hidden in hidden_training(refs, label_of):
        raise _wrong(f"it hides that data of {hidden[0]} trained its {ref.name} (component {ref.id[:10]})")


def _check_commit(commit: Commit, objects: Manifests, arrivals: Arrivals) -> None:
    named = commit.identity if commit.parents else commit.identity or "none"
    _check_identity(named, arrivals)
    parents = [objects.commit(oid) for oid in commit.parents]
    _check_all_of(commit.task, "parents", (parent.task for parent in parents))
    _check_all_of(commit.task, "task object", [objects.task(commit.task_id).name])
    if commit.model is not None:
        _check_all_of(commit.task, "model", [objects.model(commit.model).task])
    _check_refit(commit, parents, objects)
    if commit.reset_to is not None:
        _check_reset(commit.task, commit.reset_to, objects)
    children = commit.children
    selected = (times for agents in commit.selections.values() for times in agents.values())
    _check_counts(commit.iteration, children.sampled, children.kept, *children.discarded.values(), *selected)
    before = max((parent.iteration for parent in parents), default=commit.iteration if is_purge(commit) else 0)
    if commit.iteration > before + 1:
        raise _wrong(f"it is iteration {commit.iteration}, and follows iteration {before}")
    latest = max(commit.started_at, commit.finished_at)
    if arrivals.latest and latest > arrivals.latest:
        raise _wrong(f"it says it was made on {latest[:10]}, which is not yet (is the clock wrong, here or there?)")
    if commit.trials is not None:
        _check_trials(commit.trials, commit.children)
    agent = commit.agent
    _check_counts(0 if agent is None else agent.slot)
    _check_texts(commit.message, *([] if agent is None else [agent.id, agent.host, agent.device]))
    if is_canonical_merge(commit):
        _check_merge(commit, parents)


def _check_trials(trials: Trials, children: Children) -> None:
    """Checks that a commit tells of no more trials than there were children, in words that somebody wrote."""
    each = trials.each
    if len(each) > children.sampled or sum(trial.outcome == "kept" for trial in each) > children.kept:
        raise _wrong(f"it tells of {len(each)} trials, and of {children.sampled} children")
    for values, clones in ((trials.shared, ()), *((trial.values, trial.clones) for trial in each)):
        _check_texts(*clones, *values, *(value for value in values.values() if isinstance(value, str)))
    _check_texts(trials.scorer.name)


def _check_refit(commit: Commit, parents: list[Commit], objects: Manifests) -> None:
    """Checks that a refit follows the commit of what it is one of, and that others only keep it: both are retained."""
    made = None if commit.model is None else objects.model(commit.model).refit_of
    if commit.refit_of is not None:
        if [parent.model for parent in parents] != [commit.refit_of] or made != commit.refit_of:
            raise _wrong("it says that its model is a refit of the one before it, which is not so")
    elif made is not None and commit.model not in {parent.model for parent in parents}:
        before = (objects.commit(oid).model for oid in ancestry(objects, commit.parents))
        if commit.model not in before:
            raise _wrong(f"its model is a refit of {made[:10]}, and no commit before it says so")


def _check_reset(task: str, target: str, objects: Manifests) -> None:
    """Checks that a commit goes back to one of its task; its history is here, so that one that is not is none of it."""
    if not objects.has("commit", target) or objects.commit(target).task != task:
        raise _wrong(f"it goes back to {target[:10]}, which is no commit of {task} before it")


def _check_merge(commit: Commit, parents: list[Commit]) -> None:
    """Checks a merge nobody decided: but for the side that it keeps, its parents say all it says."""
    able = {(parent.task_id, parent.model) for parent in parents}
    whole = joined(commit.parents, parents, task_id=commit.task_id, model=commit.model)
    if whole != commit or (commit.task_id, commit.model) not in able or any(map(is_canonical_merge, parents)):
        raise _wrong("it is no merge that its parents give")


def _check_model(model: Model, objects: Manifests) -> None:
    limit = objects.limits.component_bytes
    for ref in model.components:
        _check_counts(ref.num_params, *(n for one in ref.training.values() for n in (one.steps, one.examples)))
        if ref.size_bytes > limit:
            raise _wrong(f"its {ref.name} has {ref.size_bytes} bytes, over the limit of {limit}")
    if model.task is not None and model.task_id is not None and model.parent is not None and model.root is not None:
        _check_all_of(model.task, "task object", [objects.task(model.task_id).name])
        parent = objects.model(model.parent)
        if objects.model(model.root).task is not None or (parent.root or model.parent) != model.root:
            raise _wrong(f"the root it names, {model.root[:10]}, is none or not that of its parent")
        if parent.refit_of is not None:
            raise _wrong(f"it is made from {model.parent[:10]}, a refit, which nothing is made from")
        if model.refit_of is not None and any(getattr(model, key) != getattr(parent, key) for key in _REPEATED):
            raise _wrong(f"it says that it is a refit of {model.parent[:10]}, of which it tells otherwise")
    for name, merge in (model.merges or {}).items():
        others, made = objects.model(merge.model).components, model.component(name)
        crossed = made is not None and made.operation == "cross"
        if not any(other.id == merge.component and (crossed or other.name == name) for other in others):
            raise _wrong(f"it says that its {name} was merged with a layer that {merge.model[:10]} does not have")
    _check_score(model)
    _check_texts(model.device_kind or "", *model.versions, *model.versions.values())
    check_parts(model.components, objects)


def _check_score(model: Model) -> None:
    if model.score is None:
        return
    if model.scorer is None or model.quality is None or model.costs is None:
        raise _wrong("it has a score, but not all that a score is made of")
    if model.scorer.name in SCORERS.shipped:  # what another package's are, only who has it installed knows
        expected = score(model.quality, model.costs, model.scorer)
        if not isclose(model.score, expected, rel_tol=_EXACT, abs_tol=_EXACT):
            raise _wrong(f"its score is {model.score}, but of its quality and costs it would be {expected}")


def _check_snapshot(snapshot: Snapshot, objects: Manifests, arrivals: Arrivals) -> None:
    _check_identity(snapshot.identity, arrivals)
    for name, model_id in snapshot.roots.items():
        if objects.model(model_id).task is not None:
            raise _wrong(f"what it names as the root {name} is a model of {objects.model(model_id).task}")
    if snapshot.base is not None:
        snapshot_chain(_ARRIVED, lambda oid: snapshot if oid is _ARRIVED else objects.stored_snapshot(oid))


def _check_task(task: Task) -> None:
    _check_counts(*(split.num_examples for split in task.splits.values()))
    _check_counts(*(abs(value) for value in task.options.values() if isinstance(value, int)))
    _check_texts(task.source, *task.output.labels, *_texts_of(task.input))


def _texts_of(given: Input) -> Iterator[str]:
    """Yields the texts that say what goes into a task's models."""
    for column in given.columns if isinstance(given, Table) else ():
        yield from (column.name, *(column.values or ()))


def _check_identity(identity: str | None, arrivals: Arrivals) -> None:
    if identity is not None and identity != arrivals.identity:
        named = "names no repository" if identity == "none" else f"is of another repository, {identity[:8]}…"
        raise _wrong(f"it {named}: this is {arrivals.identity[:8]}…")


def _check_all_of(task: str, what: str, names: Iterable[str | None]) -> None:
    other = next((name for name in names if name != task), task)
    if other != task:
        raise _wrong(f"it is of the task {task}, and its {what} of {other or 'none'}")


def _check_counts(*counts: int) -> None:
    worst = max(counts, default=0)
    if worst > LARGEST_COUNT:
        raise _wrong(f"it counts up to {worst}, which nobody's work comes to")


def _check_texts(*texts: str) -> None:
    longest = max(map(len, texts), default=0)
    if longest > _LONGEST_TEXT:
        raise _wrong(f"it has a text of {longest} characters, over the limit of {_LONGEST_TEXT}")


def _wrong(reason: str) -> CorruptObjectError:
    return CorruptObjectError(f"It cannot be genuine: {reason}.")
