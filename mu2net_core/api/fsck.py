"""``fsck``: re-hashes every object and follows every edge; restores what is damaged from another repository."""

from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.api.remote import resolve_url
from mu2net_core.errors import NotFoundError
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo import fsck as checks
from mu2net_core.repo.findings import FsckReport, Problem
from mu2net_core.repo.remotes import connect
from mu2net_core.repo.revisions import near

__all__ = ["FsckReport", "Problem", "fsck"]


def fsck(repo: Repository, context: Context, *, repair_from: str | None = None) -> FsckReport:
    """Returns what is wrong with a repository, after repairs if asked for.

    Args:
        repo: to check.
        context: of the call; a relative folder is relative to its ``cwd``.
        repair_from: name of a remote, or the folder or URL of any other copy, to take good objects from.

    Raises:
        NotFoundError: there is no repository at ``repair_from``.
    """
    if repair_from is None:
        return checks.fsck(repo)
    remotes = repo.config.remotes
    remote = remotes.get(repair_from) or Remote(name="repair", url=resolve_url(repair_from, context))
    source = connect(remote, limits=repo.limits)
    try:
        source.config()
    except NotFoundError as exc:
        if repair_from in remotes:
            raise
        raise NotFoundError(
            f"There is no remote {repair_from} (remotes: {', '.join(sorted(remotes)) or 'none'}). {exc.message}",
            hint=near(repair_from, tuple(remotes), "mu2net remote"),
        ) from exc
    return checks.fsck(repo, remote=source)
