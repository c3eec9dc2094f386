"""Iterations: those of the bench's task without a repository, what they tell and save, and those begun in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mu2net_core.engine import IterationState, Workshop, run_iteration
from mu2net_core.objects import System
from mu2net_core.repo import Repository, load_system
from mu2net_core.search import Population, SearchState, start
from mu2net_core.testing.building.workbench import Workbench

__all__ = ["Watch", "begin", "begun_at", "run"]


@dataclass(slots=True)
class Watch:
    """Keeps what an iteration tells and saves."""

    events: list[Any] = field(default_factory=list)
    saved: list[IterationState] = field(default_factory=list)


def begin(system: System, *, task: str = "a", generations: int = 3, children: int = 3, seed: int = 4) -> IterationState:
    """Returns the state before the first iteration of a task."""
    return IterationState(
        task=task,
        task_id=f"task:{task}",
        base="base",
        snapshot="snapshot",
        iteration=1,
        seed=seed,
        generations=generations,
        children=children,
        search=SearchState(population=start(system, task)),
        started_at="2026-01-01T00:00:00.000000+00:00",
    )


def begun_at(repo: Repository, task: str, *, base: str | None = None, **others: Any) -> IterationState:
    """Returns the state before the iteration that follows a commit of a task, ``base`` or its head's.

    Args:
        repo: with the task.
        task: its name.
        base: the commit's name.
        others: fields that differ from those below.
    """
    if base is None:
        base = load_system(repo).heads[task].commit_id
    commit = repo.objects.commit(base)
    begun = IterationState(
        task=task,
        task_id=commit.task_id,
        base=base,
        snapshot=commit.snapshot or "",
        iteration=commit.iteration + 1,
        seed=1,
        generations=1,
        children=1,
        search=SearchState(population=Population(task=task)),
        started_at="2026-02-01T00:00:00.000000+00:00",
    )
    return replace(begun, **others)


def run(
    bench: Workbench,
    system: System,
    state: IterationState,
    watch: Watch | None = None,
    *,
    shop: Workshop | None = None,
    newest: Callable[[int], System] | None = None,
    record: Callable[[System], str] = lambda _system: "snapshot",
    **options: Any,
) -> IterationState:
    """Returns the state after an iteration in the bench's workshop for the task, or in ``shop``.

    Args:
        bench: the surroundings.
        system: that every generation sees, where ``newest`` gives no other.
        state: where to begin.
        watch: keeps what is told and saved.
        shop: instead of the bench's.
        newest: returns the system that a generation sees, instead of ``system``.
        record: as of ``run_iteration``.
        options: further ones of ``run_iteration``.
    """
    watch = watch or Watch()
    return run_iteration(
        state,
        shop or bench.workshop(state.task),
        system=newest or (lambda _generation: system),
        record=record,
        checkpoint=watch.saved.append,
        on_event=watch.events.append,
        **options,
    )
