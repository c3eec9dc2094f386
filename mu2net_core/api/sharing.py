"""What fetch, pull, push, merge and clone have in common."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.settings import follows_purges
from mu2net_core.api.signing import commit_signer, committer, tombstone_signer
from mu2net_core.api.trust import trust_of
from mu2net_core.repo import Repository
from mu2net_core.repo.join import OnConflict, Policy
from mu2net_core.repo.outcomes import ExchangeConflictError
from mu2net_core.repo.purged import Tombstone

__all__ = ["ExchangeConflictError", "policy_for"]


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
    policy = Policy(
        on_conflict=on_conflict,
        agent=committer(repo, context),
        now=context.timestamp(),
        command=f"{context.program} {verb}",
        refuse=None if trust is None else trust.refusal,
        refuse_stone=None if trust is None else trust.tombstone_refusal,
        follow_purges=follows_purges(repo.config.settings, context),
        sign_stone=partial(_signed, repo, context),
    )
    is_decision = on_conflict in {"ours", "theirs"}
    return replace(policy, sign=commit_signer(repo, context)) if is_decision else policy


def _signed(repo: Repository, context: Context, stone: Tombstone) -> Tombstone:
    """Returns a tombstone with a signature, if a key is set, which is read only now."""
    return tombstone_signer(repo, context)(stone)
