"""``reflog``: where the heads stood, entry by entry, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mu2net_core.api.looking.log import CommitKind, event_of
from mu2net_core.api.looking.names import task_head
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Agent
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core import Purged
from mu2net_core.repo.upkeep import in_effect

__all__ = ["ReflogEntry", "reflog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflogEntry:
    """One move of a head.

    Attributes:
        revision: how to name it now, ``T@{n}``.
        task: whose head.
        number: of the entry, from 1.
        commit: the id it moved to.
        state: ``kept``; ``set-aside``: it was purged by others, and can be brought back for a while; ``purged``: the
            commit was deleted for good; ``missing``: it should be here and is not.
        event: what the commit did; None if it is gone, like all below.
        model: the retained model's id.
        finished_at: UTC, ISO 8601.
        agent: who did it; None for a merge too.
        message: one line.
    """

    revision: str
    task: str
    number: int
    commit: str
    state: Literal["kept", "set-aside", "purged", "missing"] = "kept"
    event: CommitKind | None = None
    model: str | None = None
    finished_at: str | None = None
    agent: Agent | None = None
    message: str | None = None


def reflog(repo: Repository, task: str | None = None) -> tuple[ReflogEntry, ...]:
    """Returns every entry of the log of a head, newest first; of all heads, task by task, without ``task``.

    Raises:
        NotFoundError: there is no such task.
        CorruptObjectError: an entry is damaged or does not follow the one before it.
    """
    names = repo.refs.tasks() if task is None else (task_head(repo, task).task,)
    purged = Purged.read(repo.refs)
    return tuple(entry for name in names for entry in _entries(repo, purged, name))


def _entries(repo: Repository, purged: Purged, task: str) -> Iterator[ReflogEntry]:
    aside = in_effect(repo, task)
    for back, state in enumerate(reversed(repo.refs.log(task))):
        entry = _entry(repo, purged, state, back)
        is_covered = aside is not None and purged.covers_entry(task, state.number)
        yield replace(entry, state="set-aside") if is_covered and entry.state == "kept" else entry


def _entry(repo: Repository, purged: Purged, state: HeadState, back: int) -> ReflogEntry:
    revision = f"{state.task}@{{{back}}}"
    try:
        commit = repo.objects.commit(state.commit)
    except NotFoundError:
        gone = purged.covers_entry(state.task, state.number) or purged.lists(("commit", state.commit)) is not None
        return ReflogEntry(
            revision=revision,
            task=state.task,
            number=state.number,
            commit=state.commit,
            state="purged" if gone else "missing",
        )
    return ReflogEntry(
        revision=revision,
        task=state.task,
        number=state.number,
        commit=state.commit,
        event=event_of(commit),
        model=commit.model,
        finished_at=commit.finished_at,
        agent=commit.agent,
        message=commit.message,
    )
