"""Which iterations one ``evolve`` runs, in which order: those that were interrupted go first, and are counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.resume import Leftover, look, refuse
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.events import IterationsQueued
from mu2net_core.objects import System
from mu2net_core.repo import Repository

__all__ = ["agenda_of", "drop_unfinished", "queued", "unfinished_of"]


def unfinished_of(
    repo: Repository, context: Context, system: System, tasks: Sequence[str], asked: EvolveOptions
) -> dict[str, Leftover]:
    """Returns what is left of an iteration of each of ``tasks`` in the slot asked for that will go on.

    Where agents share tasks nothing is refused here, but in its turn: others can be improved meanwhile. Where one
    watches, what can never go on is left to its turn, too, which begins anew.

    Raises:
        ConflictError: one cannot go on as asked, or is running; nothing was changed.
    """
    spaces = {name: Workspace.of(repo, name, asked.slot) for name in tasks}
    lefts = {name: look(repo, space, system.heads[name], asked) for name, space in spaces.items()}
    here = {name: left for name, left in lefts.items() if not (asked.watch and left.kind == "stuck")}
    if asked.agents is None:
        for name in (name for name, left in here.items() if left.is_refused):
            with spaces[name].lock(name):
                pass  # one that is running says so instead
        refuse(context, here, asked)
    return {name: left for name, left in lefts.items() if left.kind == "ready"}


def drop_unfinished(
    repo: Repository, system: System, tasks: Iterable[str], asked: EvolveOptions, *, kinds: Collection[str]
) -> Iterator[tuple[str, Leftover]]:
    """Drops what is left of iterations of ``tasks`` in the slot asked for, if it is of ``kinds``; yields what that was.

    Raises:
        ConflictError: one is running.
    """
    for name in tasks:
        space = Workspace.of(repo, name, asked.slot)
        left = look(repo, space, system.heads[name], asked)
        if left.kind in kinds:
            with space.lock(name):
                space.clear()
            yield name, left


def agenda_of(tasks: Sequence[str], iterations: int, unfinished: Mapping[str, Leftover]) -> tuple[str, ...]:
    """Returns the tasks to improve, one after the other: each as often as asked, the unfinished ones first."""
    first = (*(name for name in tasks if name in unfinished), *(name for name in tasks if name not in unfinished))
    return (*first, *(name for _ in range(iterations - 1) for name in tasks))


def queued(agenda: Sequence[str], unfinished: Mapping[str, Leftover]) -> IterationsQueued | None:
    """Returns what is to come, in order, if something goes on and that is not all there is to do."""
    count = len(unfinished)
    if not 0 < count < len(agenda):
        return None
    return IterationsQueued(unfinished=tuple(agenda[:count]), then=tuple(agenda[count:]))
