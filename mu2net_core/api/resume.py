"""What becomes of an iteration that was interrupted: all that decides whether it can go on, in one place.

    none ──begin──> running ──last generation──> finished ──publish──> published ──clear──> none
                       │                             │
                       └────── interrupted ──────────┴──> ready (it goes on) | outdated | damaged (it begins anew)

The state is saved after every generation, and cleared after the head moved. Whoever dies in between leaves a state
that is *published* already; that is told by the head's history, and it is only cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mu2net_core.api.publish import is_published, left_behind
from mu2net_core.api.workspace import Workspace
from mu2net_core.engine.iteration import IterationState
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Head
from mu2net_core.repo import Repository

__all__ = ["Asked", "Left", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an iteration is asked for now: its seed (None: any), its size, and a digest of all settings in force."""

    seed: int | None
    generations: int
    children: int
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What an earlier process left of an iteration.

    Attributes:
        kind: ``none``; ``ready``: it goes on; ``published``: only its remains are there; ``outdated``: something else
            is asked for now; ``damaged``: it cannot be read, or components that it needs are gone.
        state: where it stands; None if there is none, or it is damaged.
        reason: why it cannot go on, in words.
    """

    kind: Literal["none", "ready", "published", "outdated", "damaged"]
    state: IterationState | None = None
    reason: str | None = None


def look(repo: Repository, workspace: Workspace, head: Head, asked: Asked) -> Left:
    """Returns what is left of an iteration of a task, and whether it can go on; changes nothing.

    Args:
        repo: the repository.
        workspace: of the task, locked by the caller.
        head: of the task, now.
        asked: of the iteration to run now.
    """
    try:
        state = workspace.load()
    except CorruptObjectError as exc:
        return Left(kind="damaged", reason=exc.message)
    if state is None:
        return Left(kind="none")
    if is_published(repo, state):
        return Left(kind="published", state=state)
    reason = _difference(repo, state, head, asked)
    return Left(kind="ready" if reason is None else "outdated", state=state, reason=reason)


def _difference(repo: Repository, state: IterationState, head: Head, asked: Asked) -> str | None:
    """Returns what was asked for otherwise when ``state`` began, in words; None if it can go on."""
    wanted = {
        "seed": (state.seed, state.seed if asked.seed is None else asked.seed),
        "generations": (state.generations, asked.generations),
        "children": (state.children, asked.children),
    }
    changed = [f"{what} {was} then, {now} now" for what, (was, now) in wanted.items() if was != now]
    if state.task_id != head.commit.task_id:
        changed.append("the task was another then")
    gone = left_behind(repo, state.base, head.commit_id)
    if gone is not None:
        changed.append(gone)
    if not changed and state.settings != asked.settings:
        changed.append("other settings then (validations, batch size, scorer, space, ...)")
    return "; ".join(changed) or None
