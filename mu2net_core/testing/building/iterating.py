"""Iterations of the bench's task without a repository, and what they tell and save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mu2net_core.engine import IterationState, Workshop, run_iteration
from mu2net_core.objects import System
from mu2net_core.search import SearchState, start
from mu2net_core.testing.building.workbench import Workbench

__all__ = ["Watch", "begin", "run"]


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
