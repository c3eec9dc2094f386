"""``remote check``: whether remotes can be reached, what they allow, and whether several people can push to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mu2net_core.api.context import Context
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.probing import ProbeReport, refusal, vet
from mu2net_core.repo.remotes import connect, find_remote
from mu2net_core.storage import Store

__all__ = ["RemoteCheck", "check", "credentials_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCheck:
    """How a remote is.

    Attributes:
        name: what it is called here.
        url: where it is.
        credentials: which were used, in words, or where they were looked for; None for a folder, which needs none.
        report: what the probe found; None if it could not be probed.
        problem: why nothing, or nothing safely, can be shared through it; None if it can.
        hint: what to do about that.
    """

    name: str
    url: str
    credentials: str | None = None
    report: ProbeReport | None = None
    problem: str | None = None
    hint: str | None = None


def check(repo: Repository, context: Context, name: str | None = None) -> tuple[RemoteCheck, ...]:
    """Returns how the remote called ``name`` is, or every remote; what is found is noted for later pushes.

    Args:
        repo: whose remotes they are.
        context: of the call.
        name: of one remote; by default all are checked.

    Raises:
        NotFoundError: there is no such remote, or none at all.
    """
    remotes = repo.config.remotes
    names = sorted(remotes) if name is None and remotes else [name]
    return tuple(_check(repo, context, find_remote(repo.config, each)) for each in names)


def credentials_of(store: Store) -> str | None:
    """Returns in words which credentials ``store`` uses; None if it needs none."""
    describe = getattr(store, "credentials", None)  # only storages behind a URL have any
    return None if describe is None else str(describe())


def _check(repo: Repository, context: Context, remote: Remote) -> RemoteCheck:
    found = RemoteCheck(name=remote.name, url=remote.url)
    try:
        reached = connect(remote)
        found = replace(found, credentials=credentials_of(reached.store))
        found = replace(found, report=vet(repo.state, reached, now=context.now))
        error = refusal(found.report) if found.report and found.report.verdict == "unsafe" else None
    except Mu2netError as exc:
        error = exc
    return found if error is None else replace(found, problem=error.message, hint=error.hint)
