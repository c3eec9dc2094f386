"""``gc``: deletes what nobody needs any more, here or on a remote."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.running import running_tips
from mu2net_core.api.quiet import ignore
from mu2net_core.errors import ConflictError
from mu2net_core.repo import Repository
from mu2net_core.repo.core import clone_marker
from mu2net_core.repo.remotes import check_own, connect, find_remote
from mu2net_core.repo.upkeep import GRACE, SETTLE_S, GcReport, Tips, collect, here, state_tips, there

__all__ = ["GRACE", "GcReport", "gc"]


def gc(
    repo: Repository,
    context: Context,  # noqa: ARG001  every verb takes it
    *,
    remote: str | None = None,
    grace: timedelta = GRACE,
    dry_run: bool = True,
    progress: Callable[[str, int], None] = ignore,
    settle: Callable[[], None] = lambda: time.sleep(SETTLE_S),
) -> GcReport:
    """Deletes what no ref and no running work reaches and nobody wrote for ``grace``; returns what that was.

    Args:
        repo: where; or with ``remote`` a working copy that knows it.
        context: of the call.
        remote: name of the remote to collect on; None for here.
        grace: how long what nobody reaches stays; never shorter than a push may take, or it takes what that needs.
        dry_run: only find out.
        progress: told what is being done, and to how many objects.
        settle: waits, where a purge of the remote died, until pushes that began before are over.

    Raises:
        NotFoundError: there is no such remote, or no repository there.
        ConflictError: a clone into this repository is not finished.
        CorruptObjectError: what must stay cannot be found out; nothing was deleted.
        AccessDeniedError: permissions forbid it.
    """
    if remote is not None:
        reached = connect(find_remote(repo.config, remote), limits=repo.limits)
        check_own(reached.remote, reached.config().identity, repo.identity)
        return collect(there(reached, repo), grace=grace, dry_run=dry_run, watch=progress, settle=settle)
    if clone_marker(repo.path).exists():
        raise ConflictError(
            "This clone is not finished: what it brought so far nothing refers to yet.",
            hint="Repeat the command that made it: mu2net clone URL FOLDER",
        )
    return collect(here(repo), grace=grace, dry_run=dry_run, also=partial(_kept_here, repo), watch=progress)


def _kept_here(repo: Repository) -> Tips:
    return state_tips(repo) | running_tips(repo)
