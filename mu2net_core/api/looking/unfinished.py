"""Iterations that were interrupted, and the commands that go on with them or drop them; loads no engine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leftover import is_published, why_stuck
from mu2net_core.api.iterations.running import folders_of, slot_of
from mu2net_core.objects import Commit
from mu2net_core.repo import HeadState, Repository
from mu2net_core.storage import read_if_there

__all__ = ["Unfinished", "unfinished"]


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


def unfinished(
    repo: Repository, context: Context, heads: Mapping[str, HeadState], alive: Mapping[str, Commit]
) -> tuple[Unfinished, ...]:
    """Returns what agents of all slots left of iterations, by task.

    Args:
        repo: the working copy.
        context: of the call.
        heads: by task.
        alive: commits of those that were not removed, by task.
    """
    found = []
    left = folders_of(repo, sorted(alive))
    for task, folder in ((name, folder) for name, folders in left.items() for folder in folders):
        data = read_if_there(folder / "state.json")
        if data is None:
            continue
        try:
            state = msgspec.json.decode(data, type=_State)
        except msgspec.MsgspecError:
            stuck = "its state is damaged"
            found.append(Unfinished(task=task, stuck=stuck, command=_command(context, task, slot_of(folder), stuck)))
            continue
        if not is_published(repo, state):
            why = why_stuck(repo, state, heads[task].commit, alive[task].task_id)
            found.append(_told(context, state, slot_of(folder), why))
    return tuple(found)


def _told(context: Context, state: _State, slot: int, stuck: str | None) -> Unfinished:
    return Unfinished(
        task=state.task,
        iteration=state.iteration,
        generation=state.generation,
        generations=state.generations,
        seed=state.seed,
        stuck=stuck,
        command=_command(context, state.task, slot, stuck),
    )


def _command(context: Context, task: str, slot: int, stuck: str | None) -> str:
    """Returns what goes on with an iteration, or drops it: the agent of that slot, which a large enough pool has."""
    agents, restart = f" --agents {slot + 1}" if slot else "", "" if stuck is None else " --restart"
    return f"{context.program} evolve --task {shlex.quote(task)}{agents}{restart}"
