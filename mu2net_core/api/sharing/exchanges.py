"""What fetch, pull, push, merge and clone have in common."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.settings.settings import effective_follow_purges
from mu2net_core.api.sharing.rechecking import Rechecking
from mu2net_core.api.signing.signing import commit_signer, committer, tombstone_signer
from mu2net_core.api.signing.trust import Trust, trust_of
from mu2net_core.repo import Repository
from mu2net_core.repo.core import Tombstone
from mu2net_core.repo.exchange import OnConflict, Policy
from mu2net_core.repo.remotes import ExchangeConflictError, RemoteBehindError

__all__ = ["ExchangeConflictError", "RemoteBehindError", "policy_for", "requiring"]


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
    decides = on_conflict in {"ours", "theirs"}
    policy = Policy(
        on_conflict=on_conflict,
        agent=committer(repo, context) if decides else None,
        now=context.timestamp(),
        command=f"{context.program} {verb}",
        follow_purges=effective_follow_purges(repo.config.settings, context),
        sign_stone=partial(_signed, repo, context),
        decide=Rechecking(repo=repo, context=context).decided,
    )
    policy = replace(policy, sign=commit_signer(repo, context)) if decides else policy
    return requiring(policy, trust_of(repo, context, require_signed))


def requiring(policy: Policy, trust: Trust | None) -> Policy:
    """Returns a policy that takes over nothing but what ``trust`` finds well signed; all, if it is None."""
    if trust is None:
        return policy
    return replace(policy, refuse=trust.refusal, refuse_tag=trust.tag_refusal, refuse_stone=trust.tombstone_refusal)


def _signed(repo: Repository, context: Context, stone: Tombstone) -> Tombstone:
    """Returns a tombstone with a signature, if a key is set, which is read only now."""
    return tombstone_signer(repo, context)(stone)
