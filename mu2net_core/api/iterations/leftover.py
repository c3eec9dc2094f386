"""Whether what an earlier process left of an iteration is over already, or can still go on; loads no engine."""

from __future__ import annotations

from typing import Protocol

from mu2net_core.repo import Repository
from mu2net_core.repo.history import ancestry, news

__all__ = ["State", "is_published", "left_behind", "why_stuck"]


class State(Protocol):
    """What of an iteration's state decides whether it can go on."""

    @property
    def task(self) -> str:
        """The task's name."""
        ...

    @property
    def task_id(self) -> str:
        """Its object when the iteration began."""
        ...

    @property
    def base(self) -> str:
        """Its head's commit when the iteration began."""
        ...

    @property
    def started_at(self) -> str:
        """When that was."""
        ...

    @property
    def slot(self) -> int:
        """Of the agent that runs it."""
        ...


def is_published(repo: Repository, state: State) -> bool:
    """Returns whether a finished iteration's commit is in the head's history already: it died while cleaning up."""
    head = repo.refs.head(state.task)
    tips = [] if head is None else [head.commit]
    commits = map(repo.objects.commit, ancestry(repo.objects, tips, without=state.base))
    agents = ((one.agent, one.started_at) for one in commits if one.agent is not None)
    mine = (repo.agent_id, state.slot, state.started_at)
    return any((agent.id, agent.slot, started_at) == mine for agent, started_at in agents)


def why_stuck(repo: Repository, state: State, head: str, task_id: str) -> str | None:
    """Returns why an iteration cannot go on now that the commit ``head`` has the task ``task_id``; None if it can."""
    another = None if state.task_id == task_id else "the task was another then"
    reasons = [reason for reason in (another, left_behind(repo, state.base, head)) if reason is not None]
    return "; ".join(reasons) or None


def left_behind(repo: Repository, base: str, head: str) -> str | None:
    """Returns why an iteration that began from the commit ``base`` is not wanted any more at ``head``, in words."""
    if not repo.objects.has("commit", base):
        return "what it began from was purged"
    since = map(repo.objects.commit, news(repo.objects, base, head))
    return "the task was reset since" if any(commit.reset_to is not None for commit in since) else None
