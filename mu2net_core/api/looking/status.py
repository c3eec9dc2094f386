"""``status``: where every task stands, here and against each remote as it was last seen, and who works on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leased import leases_here, leases_there
from mu2net_core.api.iterations.running import evolving
from mu2net_core.api.iterations.working import Working, working
from mu2net_core.api.looking.next_steps import NextStep, next_steps
from mu2net_core.api.looking.remote_status import RemoteStatus, remote_status
from mu2net_core.api.looking.unfinished import Unfinished, unfinished
from mu2net_core.api.settings.preset_note import own_preset
from mu2net_core.objects import AccessRule, Agent, Classes, Commit, Model, Task
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.remotes import Sender, find_remote
from mu2net_core.repo.upkeep import in_effect
from mu2net_core.scoring import is_chance

__all__ = ["StatusReport", "TaskStatus", "status"]


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
        at_chance: whether its validation accuracy is no better than guessing among the classes, as far as so many
            examples can tell; never of other outputs than classes, nor without a model.
        finished_at: when the head was made.
        process: that improves it in this working copy now; None if none does.
    """

    task: str
    access: AccessRule
    iteration: int
    commit: str
    model: str | None
    validation: float | None
    test: float | None
    at_chance: bool
    finished_at: str
    process: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of a working copy.

    Attributes:
        worktree: the folder the user sees.
        preset: of the repository; the user's own one by its own name.
        based_on: the preset that comes with mu2net which that is made from; the same if it is one.
        tasks: every task, sorted by name; removed ones are left out.
        roots: root model ids by name.
        num_components: distinct components of the retained models and roots.
        num_params: numbers in them, each component counted once.
        remotes: sorted by name.
        unfinished: iterations to resume.
        working: who works on what, in this working copy and on the remote that was asked, by task.
        set_aside: tasks that a pull dropped because others purged them, and that can be brought back.
        next: what to do, the first thing first.
    """

    worktree: str
    preset: str
    based_on: str
    tasks: tuple[TaskStatus, ...]
    roots: Mapping[str, str]
    num_components: int
    num_params: int
    remotes: tuple[RemoteStatus, ...]
    unfinished: tuple[Unfinished, ...]
    working: tuple[Working, ...] = ()
    set_aside: tuple[str, ...] = ()
    next: tuple[NextStep, ...] = ()


def status(repo: Repository, context: Context, *, remote: str | None = None) -> StatusReport:
    """Returns the state of a working copy and what to do next; reads what is here.

    Args:
        repo: the working copy.
        context: of the call.
        remote: one that is asked which agents work there; without it no remote is asked anything.

    Raises:
        NotFoundError: there is no such remote, or no repository there yet.
        AccessDeniedError: permissions forbid it.
        StorageError: it cannot be reached.
    """
    report = replace(_report(repo, context), working=_working(repo, remote))
    return replace(report, next=next_steps(report, context.program))


def _working(repo: Repository, remote: str | None) -> tuple[Working, ...]:
    """Returns who works on what; an agent that says so in both places is told as it is here."""
    nobody = Agent(id="", host="", device="none")
    here = list(working(leases_here(repo, nobody)))
    known = {(one.task, one.agent, one.slot) for one in here}
    if remote is not None:
        there = leases_there(repo, nobody, find_remote(repo.config, remote))
        here += [one for one in working(there, remote) if (one.task, one.agent, one.slot) not in known]
    return tuple(sorted(here, key=lambda one: (one.task, one.agent, one.slot)))


def _report(repo: Repository, context: Context) -> StatusReport:
    heads = repo.refs.heads()
    commits = {task: repo.objects.commit(state.commit) for task, state in heads.items()}
    alive = {task: commit for task, commit in commits.items() if not commit.removed}
    models = {commit.model: repo.objects.model(commit.model) for commit in alive.values() if commit.model}
    roots = repo.refs.roots()
    rules = load_rules(repo) if repo.config.remotes else {}
    sizes = _sizes([*models.values(), *(repo.objects.model(oid) for oid in roots.values())])
    processes = evolving(repo, alive)
    return StatusReport(
        worktree=str(repo.worktree),
        preset=own_preset(repo) or repo.config.preset,
        based_on=repo.config.preset,
        tasks=tuple(
            _task(repo, heads[task], commit, models, processes.get(task)) for task, commit in sorted(alive.items())
        ),
        roots=roots,
        num_components=len(sizes),
        num_params=sum(sizes.values()),
        remotes=tuple(
            remote_status(repo, Sender(repo, remote, rules), heads, commits)
            for _, remote in sorted(repo.config.remotes.items())
        ),
        unfinished=unfinished(repo, context, heads, alive),
        set_aside=tuple(sorted(task for task in commits.keys() - alive.keys() if in_effect(repo, task))),
    )


def _task(
    repo: Repository, head: HeadState, commit: Commit, models: Mapping[str, Model], process: int | None
) -> TaskStatus:
    model, task = models[commit.model] if commit.model else None, repo.objects.task(commit.task_id)
    return TaskStatus(
        task=head.task,
        access=task.access,
        iteration=commit.iteration,
        commit=head.commit,
        model=commit.model,
        validation=model.quality if model else None,
        test=model.test_quality if model else None,
        at_chance=model is not None and _guesses(task, model),
        finished_at=commit.finished_at,
        process=process,
    )


def _guesses(task: Task, model: Model) -> bool:
    """Returns whether a model of classes may as well guess; how frequent each class is, a manifest does not say."""
    if not isinstance(task.output, Classes) or task.metric != "accuracy" or model.quality is None:
        return False
    total = model.validation_examples or task.splits["validation"].num_examples
    return is_chance(model.quality * total, total, 1 / task.output.size)


def _sizes(models: Iterable[Model]) -> dict[str, int]:
    return {ref.id: ref.num_params for model in models for ref in model.components}
