"""``evolve --dry-run``: what an evolution would do, and about what it would cost here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.asked import check_root, preset_asked
from mu2net_core.api.evolving.checking import check_tasks
from mu2net_core.api.evolving.evolve import ITS_OWN
from mu2net_core.api.evolving.trying import Tried, try_preset
from mu2net_core.api.iterations.agenda import unfinished_of
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.resume import Leftover
from mu2net_core.api.machine.runtime import stored_bytes
from mu2net_core.api.quiet import ignore
from mu2net_core.engine import schedule_of
from mu2net_core.errors import Mu2netError
from mu2net_core.events import Event, Schedule
from mu2net_core.objects import Head, System
from mu2net_core.presets import Preset, TrainingConfig
from mu2net_core.repo import Repository, load_system

__all__ = ["EvolvePlan", "TaskPlan", "plan_evolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """What would be done for one task.

    Attributes:
        task: its name.
        preset: that serves it.
        iterations: how many there would be.
        done: generations that an interrupted iteration has behind it; it goes on first.
        generations: of an iteration.
        children: of a generation.
        refits: how many of the iterations train the best model once more, on validation examples, too.
        schedule: how each child is trained.
        own_model: whether the task has a model that children can come from.
        other_tasks: whose models may be parents, too.
        roots: likewise, by name.
        train_s: about how long its children would be trained and validated, one after the other, a refit included.
        kept_bytes: how much would stay on the disk, at most.
        most_bytes: how much would lie there while it runs, at most.
    """

    task: str
    preset: str
    iterations: int
    done: int = 0
    generations: int
    children: int
    refits: int
    schedule: Schedule
    own_model: bool
    other_tasks: tuple[str, ...]
    roots: tuple[str, ...]
    train_s: float
    kept_bytes: int
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolvePlan:
    """What an evolution would do, and about what it would cost on this machine.

    Attributes:
        tasks: in order.
        train_s: of all of them.
        compile_s: what compiling took just now: of the first program of each preset, or of finding it in the cache.
            Models of layers of other kinds or sizes need programs of their own; what is kept costs next to nothing.
        memory_bytes: in use on the device at most, and that of a CPU is this process's; None where nobody knows.
        left_out: what is wrong with tasks that could not be improved, by task.
    """

    tasks: tuple[TaskPlan, ...]
    train_s: float
    compile_s: float
    memory_bytes: int | None
    left_out: dict[str, str]


def plan_evolve(
    repo: Repository,
    context: Context,
    tasks: Sequence[str],
    options: EvolveOptions,
    *,
    on_event: Callable[[Event], None] = ignore,
) -> EvolvePlan:
    """Returns what ``evolve`` with the same arguments would do; changes nothing in the repository.

    Of each preset that serves one of the tasks two children are trained for a few steps, and thrown away.

    Args:
        repo: to improve.
        context: of this process.
        tasks: names; an empty sequence is an error.
        options: how much would be done, and how.
        on_event: told of what happens meanwhile.

    Raises:
        NotFoundError: no such task.
        InvalidInputError: a setting that cannot be right.
        SearchError: no task at all, or no root.
        ConflictError: an interrupted iteration cannot go on as asked.
        DataError, CorruptObjectError: nothing can be done for any of the tasks.
    """
    system = load_system(repo)
    check_tasks(repo, tasks, system)
    unfinished = {} if options.restart else unfinished_of(repo, context, system, tasks, options)
    tried, plans, failed = dict[str, Tried](), list[TaskPlan](), dict[str, Mu2netError]()
    for name in tasks:
        head = system.heads[name]
        try:
            preset = preset_asked(repo, context, options, head.task)
            check_root(repo, options)
            schedule = schedule_of(head.task.splits["train"].num_examples, preset.training)
            key = f"{preset!r} {schedule.batch}"
            if key not in tried:
                tried[key] = try_preset(repo, context, preset, head, system, schedule.batch, on_event)
        except ITS_OWN as exc:
            failed[name] = exc
            continue
        plans.append(_plan(repo, head, system, preset, schedule, tried[key], options, unfinished.get(name)))
    if failed and not plans:
        raise next(iter(failed.values()))
    return EvolvePlan(
        tasks=tuple(plans),
        train_s=sum(plan.train_s for plan in plans),
        compile_s=sum(one.compile_s for one in tried.values()),
        memory_bytes=max((one.memory_bytes for one in tried.values() if one.memory_bytes is not None), default=None),
        left_out={name: exc.message for name, exc in failed.items()},
    )


def _plan(
    repo: Repository,
    head: Head,
    system: System,
    preset: Preset,
    schedule: Schedule,
    tried: Tried,
    options: EvolveOptions,
    left: Leftover | None,
) -> TaskPlan:
    training, name = preset.training, head.task.name
    state = None if left is None else left.state
    done = 0 if state is None else state.generation
    generations = training.generations if state is None else state.generations
    count = (options.rounds * generations - done) * training.children
    refits = _refits(head, training, options.rounds, left)
    parents, size_bytes = tried.parents.of(system, name), stored_bytes(preset, head.task.output.size)
    return TaskPlan(
        task=name,
        preset=preset.name,
        iterations=options.rounds,
        done=done,
        generations=generations,
        children=training.children,
        refits=refits,
        schedule=schedule,
        own_model=parents.heads[name].model is not None,
        other_tasks=tuple(
            other
            for other, one in sorted(parents.heads.items())
            if other != name and one.model is not None and parents.may_use(name, one.model)
        ),
        roots=tuple(root for root, oid in sorted(repo.refs.roots().items()) if oid in parents.roots),
        train_s=(count + refits) * _child_s(head, training, schedule, tried),
        kept_bytes=(options.rounds + refits) * size_bytes,
        most_bytes=(min(generations * training.children, training.population_cap) + (refits > 0)) * size_bytes,
    )


def _refits(head: Head, training: TrainingConfig, rounds: int, left: Leftover | None) -> int:
    """Returns how many iterations would end with a refit, that which is unfinished among them."""
    if left is None or left.state is None:
        behind, unfinished = head.commit.iteration, False
    else:
        behind, own = left.state.iteration, training if left.preset is None else left.preset.training
        unfinished = own.refits(head.task, behind)
        rounds, behind = rounds - 1, max(behind, head.commit.iteration)
    return unfinished + sum(training.refits(head.task, behind + later + 1) for later in range(rounds))


def _child_s(head: Head, training: TrainingConfig, schedule: Schedule, tried: Tried) -> float:
    """Returns about how long a child is trained and validated."""
    examples = min(head.task.splits["validation"].num_examples, training.validation_cap)
    return schedule.total_steps * tried.step_s + schedule.cycles * examples * tried.validate_s
