"""What fetch, pull, push, merge and clone have in common."""

from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.objects import Agent
from mu2net_core.repo import Repository
from mu2net_core.repo.join import OnConflict, Policy

__all__ = ["policy_for"]


def policy_for(repo: Repository, context: Context, on_conflict: OnConflict) -> Policy:
    """Returns what to do with diverged heads; ``ours`` and ``theirs`` are signed by this working copy.

    Raises:
        InvalidInputError: there is no such policy.
    """
    if on_conflict not in {"ours", "theirs"}:
        return Policy(on_conflict=on_conflict)
    agent = Agent(id=repo.agent_id, host=context.host, device="none")
    return Policy(on_conflict=on_conflict, agent=agent, now=context.timestamp())
