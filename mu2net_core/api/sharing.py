"""What fetch, pull, push, merge and clone have in common."""

from __future__ import annotations

from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.signing import commit_signer, committer
from mu2net_core.api.trust import trust_of
from mu2net_core.repo import Repository
from mu2net_core.repo.join import OnConflict, Policy
from mu2net_core.repo.outcomes import ExchangeConflictError, RemoteBehindError

__all__ = ["ExchangeConflictError", "RemoteBehindError", "policy_for"]


def policy_for(
    repo: Repository,
    context: Context,
    on_conflict: OnConflict,
    *,
    verb: str = "pull",
    require_signed: Path | None = None,
) -> Policy:
    """Returns what to do with diverged heads, and what may not be taken over.

    ``ours`` and ``theirs`` are decisions of this working copy, signed if the settings name a key.

    Args:
        repo: the working copy.
        context: of the call.
        on_conflict: what to do with diverged heads.
        verb: of the command, which a hint repeats.
        require_signed: a file of allowed keys; by default what the setting ``pull.require_signed`` names, if it does.

    Raises:
        InvalidInputError: there is no such policy; or a key cannot be used.
        NotFoundError: a key, or the file of allowed keys, is not there.
    """
    trust = trust_of(repo, context, require_signed)
    refuse, now = None if trust is None else trust.refusal, context.timestamp()
    command = f"{context.program} {verb}"
    if on_conflict not in {"ours", "theirs"}:
        return Policy(on_conflict=on_conflict, now=now, command=command, refuse=refuse)
    agent = committer(repo, context)
    sign = commit_signer(repo, context)
    return Policy(on_conflict=on_conflict, agent=agent, now=now, command=command, sign=sign, refuse=refuse)
