"""``status``: where every task stands, here and against each remote as it was last seen, and who works on what."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leased import leases_here, leases_there
from mu2net_core.api.iterations.leftover import is_published, why_stuck
from mu2net_core.api.iterations.running import evolving, folders_of
from mu2net_core.api.iterations.working import Working, working
from mu2net_core.api.looking.next_steps import NextStep, next_steps
from mu2net_core.api.settings.preset_note import own_preset
from mu2net_core.errors import ConflictError
from mu2net_core.objects import AccessRule, Agent, Classes, Commit, Model, Task
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core import Purged
from mu2net_core.repo.history import contains, load_rules, merge
from mu2net_core.repo.remotes import Pending, Sender, Tracking, find_remote, read_tracking
from mu2net_core.repo.upkeep import in_effect
from mu2net_core.scoring import is_chance
from mu2net_core.storage import read_if_there

__all__ = ["RemoteStatus", "StatusReport", "TaskStatus", "Unfinished", "status"]

Relation = Literal[
    "same", "ahead", "behind", "diverged", "conflict", "only-here", "only-there", "purged", "purged-there", "outlived"
]


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
class RemoteStatus:
    """How the heads here compare with a remote as it was last seen.

    Attributes:
        name: of the remote.
        url: of the remote.
        seen: whether it was ever fetched from or pushed to.
        seen_at: when all of it was last looked at, UTC and ISO 8601; None for never.
        relations: by task: ``ahead`` is what a push would bring there, ``behind`` what a pull would bring here;
            ``diverged`` moved on both sides, and a pull joins it; ``conflict`` did, and somebody has to choose;
            ``purged`` here, and not there; ``purged-there`` by others, and not sent there any more: it stays here,
            unless a pull follows purges; ``outlived`` is the same with work on it here that was never there.
        to_push: what a push would move, of all that its readers may see.
        lost: what was seen of it and was gone when it was last looked at, in words.
        is_other: whether another repository was there when it was last looked at, so that nothing was exchanged.
    """

    name: str
    url: str
    seen: bool
    seen_at: str | None = None
    relations: Mapping[str, Relation] = field(default_factory=dict)
    to_push: Pending = field(default_factory=Pending)
    lost: tuple[str, ...] = ()
    is_other: bool = False

    def tasks(self, *relations: Relation) -> tuple[str, ...]:
        """Returns the tasks in one of ``relations``, sorted."""
        return tuple(sorted(task for task, relation in self.relations.items() if relation in relations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An iteration that was interrupted or is running.

    Attributes:
        task: it improves.
        iteration: its number; None, as the next three, if what it left cannot be read.
        generation: how many generations are over.
        generations: how many there will be.
        seed: every random decision of it derives from that.
        stuck: why it cannot go on, in words; None if it can.
        command: goes on with it as it began; if it is stuck, drops it and begins anew.
    """

    task: str
    iteration: int | None = None
    generation: int | None = None
    generations: int | None = None
    seed: int | None = None
    stuck: str | None
    command: str


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
            _remote(repo, Sender(repo, remote, rules), heads, commits)
            for _, remote in sorted(repo.config.remotes.items())
        ),
        unfinished=_unfinished(repo, context, heads, alive),
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


def _remote(
    repo: Repository, sender: Sender, heads: Mapping[str, HeadState], commits: Mapping[str, Commit]
) -> RemoteStatus:
    remote = sender.remote
    known = read_tracking(repo.state, remote)
    names = sorted({*heads, *known.heads})
    relations = {task: _relation(repo, heads.get(task), known, task, sender) for task in names}
    moved = {task: commits[task] for task, relation in relations.items() if relation in {"ahead", "only-here"}}
    return RemoteStatus(
        name=remote.name,
        url=remote.url,
        seen=bool(known.heads or known.roots),
        seen_at=known.seen_at or None,
        relations=relations,
        to_push=sender.pending(known, moved),
        lost=known.lost,
        is_other=known.identity not in {None, repo.identity},
    )


def _relation(repo: Repository, here: HeadState | None, known: Tracking, task: str, sender: Sender) -> Relation:
    there = known.heads.get(task)
    if here is not None and (there is None or here.commit != there.commit) and sender.purged_there(here.commit):
        had = known.purged_heads.get(task)
        return "purged-there" if had is not None and contains(repo.objects, had, here.commit) else "outlived"
    if here is None or there is None:
        return "only-here" if there is None else "only-there"
    if here.commit == there.commit:
        return "same"
    if not repo.objects.has("commit", there.commit) and task in Purged.read(repo.refs).tasks:
        return "purged"
    return _compared(repo, here.commit, there.commit)


def _compared(repo: Repository, here: str, there: str) -> Relation:
    """Returns how two commits of a task that are both here stand to each other."""
    if contains(repo.objects, here, there):
        return "ahead"
    if contains(repo.objects, there, here):
        return "behind"
    try:
        merge(repo.objects, [here, there])
    except ConflictError:
        return "conflict"
    return "diverged"


class _State(msgspec.Struct):
    """The part of a running iteration's state that is shown, or decides whether it can go on."""

    task: str
    task_id: str
    base: str
    iteration: int
    seed: int
    generation: int
    generations: int
    started_at: str
    slot: int = 0


def _unfinished(
    repo: Repository, context: Context, heads: Mapping[str, HeadState], alive: Mapping[str, Commit]
) -> tuple[Unfinished, ...]:
    found = []
    left = folders_of(repo, sorted(alive))
    for task, file in ((name, folder / "state.json") for name, folders in left.items() for folder in folders):
        data = read_if_there(file)
        if data is None:
            continue
        try:
            state = msgspec.json.decode(data, type=_State)
        except msgspec.MsgspecError:
            stuck = "its state is damaged"
            found.append(Unfinished(task=task, stuck=stuck, command=_command(context, task, stuck)))
            continue
        if not is_published(repo, state):
            why = why_stuck(repo, state, heads[task].commit, alive[task].task_id)
            found.append(_told(context, state, why))
    return tuple(found)


def _told(context: Context, state: _State, stuck: str | None) -> Unfinished:
    return Unfinished(
        task=state.task,
        iteration=state.iteration,
        generation=state.generation,
        generations=state.generations,
        seed=state.seed,
        stuck=stuck,
        command=_command(context, state.task, stuck),
    )


def _command(context: Context, task: str, stuck: str | None) -> str:
    restart = "" if stuck is None else " --restart"
    return f"{context.program} evolve --task {shlex.quote(task)}{restart}"
