"""``status``: where every task stands, here and against each remote as it was last seen; asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from mu2net_core.api.context import Context
from mu2net_core.objects import AccessRule, Commit, Model
from mu2net_core.repo import HeadState, Remote, Repository
from mu2net_core.repo.merge import contains
from mu2net_core.repo.purged import Purged
from mu2net_core.repo.tracking import read_tracking

__all__ = ["RemoteStatus", "StatusReport", "TaskStatus", "Unfinished", "status"]

Relation = Literal["same", "ahead", "behind", "diverged", "only-here", "only-there", "purged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """Where one task stands.

    Attributes:
        task: its name.
        access: who may read what is learned from it.
        iteration: task iterations behind its head.
        commit: its head.
        model: the retained model; None before the first one.
        validation: that model's validation quality.
        test: that model's test quality.
        finished_at: when the head was made.
    """

    task: str
    access: AccessRule
    iteration: int
    commit: str
    model: str | None
    validation: float | None
    test: float | None
    finished_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """How the heads here compare with a remote as it was last seen.

    Attributes:
        name: of the remote.
        url: of the remote.
        seen: whether it was ever fetched from or pushed to.
        relations: by task: ``ahead`` is what a push would bring there, ``behind`` what a pull would bring here;
            ``purged`` here, and not there.
        lost: what was seen of it and was gone when it was last looked at, in words.
    """

    name: str
    url: str
    seen: bool
    relations: Mapping[str, Relation]
    lost: tuple[str, ...] = ()

    def tasks(self, *relations: Relation) -> tuple[str, ...]:
        """Returns the tasks in one of ``relations``, sorted."""
        return tuple(sorted(task for task, relation in self.relations.items() if relation in relations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An iteration that was interrupted or is running: the same ``evolve`` resumes it."""

    task: str
    generation: int
    generations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of a working copy.

    Attributes:
        worktree: the folder the user sees.
        preset: of the repository.
        tasks: every task, sorted by name; removed ones are left out.
        roots: root model ids by name.
        num_components: distinct components of the retained models and roots.
        num_params: numbers in them, each component counted once.
        remotes: sorted by name.
        unfinished: iterations to resume.
    """

    worktree: str
    preset: str
    tasks: tuple[TaskStatus, ...]
    roots: Mapping[str, str]
    num_components: int
    num_params: int
    remotes: tuple[RemoteStatus, ...]
    unfinished: tuple[Unfinished, ...]


def status(repo: Repository, context: Context) -> StatusReport:  # noqa: ARG001  every verb takes it
    """Returns the state of a working copy; reads heads, their manifests and local notes, nothing else."""
    heads = repo.refs.heads()
    commits = {task: repo.objects.commit(state.commit) for task, state in heads.items()}
    alive = {task: commit for task, commit in commits.items() if not commit.removed}
    models = {commit.model: repo.objects.model(commit.model) for commit in alive.values() if commit.model}
    roots = repo.refs.roots()
    sizes = _sizes([*models.values(), *(repo.objects.model(oid) for oid in roots.values())])
    return StatusReport(
        worktree=str(repo.worktree),
        preset=repo.config.preset,
        tasks=tuple(_task(repo, heads[task], commit, models) for task, commit in sorted(alive.items())),
        roots=roots,
        num_components=len(sizes),
        num_params=sum(sizes.values()),
        remotes=tuple(_remote(repo, remote, heads) for _, remote in sorted(repo.config.remotes.items())),
        unfinished=tuple(state for state in _unfinished(repo) if state.task in alive),
    )


def _task(repo: Repository, head: HeadState, commit: Commit, models: Mapping[str, Model]) -> TaskStatus:
    model = models[commit.model] if commit.model else None
    return TaskStatus(
        task=head.task,
        access=repo.objects.task(commit.task_id).access,
        iteration=commit.iteration,
        commit=head.commit,
        model=commit.model,
        validation=model.quality if model else None,
        test=model.test_quality if model else None,
        finished_at=commit.finished_at,
    )


def _sizes(models: Iterable[Model]) -> dict[str, int]:
    return {ref.id: ref.num_params for model in models for ref in model.components}


def _remote(repo: Repository, remote: Remote, heads: Mapping[str, HeadState]) -> RemoteStatus:
    known = read_tracking(repo.state, remote)
    names = sorted({*heads, *known.heads})
    relations = {task: _relation(repo, heads.get(task), known.heads.get(task)) for task in names}
    seen = bool(known.heads or known.roots)
    return RemoteStatus(name=remote.name, url=remote.url, seen=seen, relations=relations, lost=known.lost)


def _relation(repo: Repository, here: HeadState | None, there: HeadState | None) -> Relation:
    if here is None or there is None:
        return "only-here" if there is None else "only-there"
    if here.commit == there.commit:
        return "same"
    if not repo.objects.has("commit", there.commit) and there.task in Purged.read(repo.refs).tasks:
        return "purged"
    if contains(repo.objects, here.commit, there.commit):
        return "ahead"
    return "behind" if contains(repo.objects, there.commit, here.commit) else "diverged"


class _State(msgspec.Struct):
    """The part of a running iteration's state that is shown."""

    task: str
    generation: int
    generations: int


def _unfinished(repo: Repository) -> tuple[Unfinished, ...]:
    found = []
    for file in sorted((repo.state / "iterations").glob("*/state.json")):
        try:
            state = msgspec.json.decode(file.read_bytes(), type=_State)
        except (OSError, msgspec.MsgspecError):
            continue  # just finished, or unreadable: evolve starts that iteration anew
        found.append(Unfinished(task=state.task, generation=state.generation, generations=state.generations))
    return tuple(found)
