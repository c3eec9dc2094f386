"""Sending a working copy's heads, roots and tags to a remote.

The hot path asks the remote one question (is it the one we know, and was nothing purged?), none if the answer is
seconds old, and otherwise only creates: what it has already follows from what it was known to have, and whether
somebody else moved a head shows when the next entry of that head cannot be created.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mu2net_core.errors import ConflictError, NotFoundError
from mu2net_core.repo.epoch import begin_epoch, is_current
from mu2net_core.repo.fetching import Clock, fetch, unknown_task
from mu2net_core.repo.join import Policy
from mu2net_core.repo.outcomes import Counter, Exchange, TaskReport
from mu2net_core.repo.planning import Planner
from mu2net_core.repo.ready import check_ready
from mu2net_core.repo.remote import Remote
from mu2net_core.repo.remotes import OpenStore, RemoteRepository, connect, connect_or_create
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.sending import RemoteChangedError, Session
from mu2net_core.repo.tracking import Tracking, read_tracking

__all__ = ["push", "reach_known"]

_ATTEMPTS = 5


def push(
    repo: Repository,
    remote: Remote,
    *,
    tasks: Collection[str] = (),
    policy: Policy | None = None,
    counter: Counter | None = None,
    open_store: OpenStore | None = None,
    clock: Clock = lambda: None,
) -> Exchange:
    """Moves the heads of ``remote`` to include ours; makes a repository there if there is none.

    Tasks the remote's readers may not see are skipped, and reported; so is what was purged there. With ``tasks``, only
    these (and tasks whose knowledge they hold, if the remote has never seen them) and no tags.

    Args:
        repo: where from.
        remote: where to.
        tasks: which; by default all.
        policy: for heads that moved on both sides.
        counter: of objects.
        open_store: opens the remote's URL.
        clock: tells the time; without one, whether anything was purged is asked once, at the beginning.

    Raises:
        NotFoundError: there is no task of that name here; or the repository that was there is gone.
        ExchangeConflictError: heads diverged and the policy does not join them, or a tag there has another content; all
            else was sent.
        ConflictError: a root there has another content.
        AccessDeniedError: permissions forbid it; nothing here is lost.
    """
    known = repo.refs.tasks()
    for task in tasks:
        if task not in known:
            raise unknown_task(task, known, "here", repo.config.remotes)
    counter = counter or Counter()
    done: dict[str, TaskReport] = {}
    for _ in range(_ATTEMPTS):
        reached, tracking = _reach(repo, remote, tasks, known, open_store, clock)
        session = Session(Planner(repo, reached, tracking), policy or Policy(), counter, clock)
        try:
            return _push(session, tasks, known, done)
        except RemoteChangedError:  # something was purged meanwhile: find out what, and whether all may still be sent
            done |= {task: report for task, report in session.reports.items() if report.outcome != "up-to-date"}
    raise ConflictError(f"The remote {remote.name} was changed by purges again and again: gave up after {_ATTEMPTS}.")


def _push(session: Session, tasks: Collection[str], known: Collection[str], done: Mapping[str, TaskReport]) -> Exchange:
    """Pushes; a task that was sent in an attempt before (``done``) and is up to date now is reported as sent."""
    roots = session.push_roots()
    session.push_tasks(tasks or known)
    tags = () if tasks else session.push_tags()
    session.finish()
    remote, reports = session.remote.remote, session.reports
    reports |= {
        task: report for task, report in done.items() if task not in reports or reports[task].outcome == "up-to-date"
    }
    exchange = Exchange(
        remote=remote.name,
        url=remote.url,
        tasks=tuple(reports[task] for task in sorted(reports)),
        tags=tags,
        roots=roots,
        num_objects=session.counter.num_objects,
        size_bytes=session.counter.size_bytes,
    )
    session.raise_conflict(exchange)
    return exchange


def _reach(
    repo: Repository,
    remote: Remote,
    tasks: Collection[str],
    known: Collection[str],
    open_store: OpenStore | None,
    clock: Clock,
) -> tuple[RemoteRepository, Tracking]:
    """Returns the remote and what is known of it; one never met, or changed since, is fetched from first."""
    reached, tracking = reach_known(repo, remote, open_store, clock)
    if tracking is not None:
        return reached, tracking
    tracking = read_tracking(repo.state, remote)
    if not reached.exists():
        if tracking.heads or tracking.roots:
            raise _gone(reached)
        check_ready(repo, reached.audience, tasks or known, tags=not tasks)
    reached = connect_or_create(remote, repo.config, open_store=open_store, limits=repo.limits)
    begin_epoch(reached.store)
    fetch(repo, reached, clock=clock)
    return reached, read_tracking(repo.state, remote)


def reach_known(
    repo: Repository, remote: Remote, open_store: OpenStore | None, clock: Clock
) -> tuple[RemoteRepository, Tracking | None]:
    """Returns the remote, and what is known of it if that still holds: one question, none if it was just asked."""
    tracking, now = read_tracking(repo.state, remote), clock()
    reached = connect(remote, open_store=open_store, limits=repo.limits)
    if tracking.epoch is None or not (tracking.heads or tracking.roots):
        return reached, None
    if not tracking.is_fresh(now):
        if not is_current(reached.store, tracking.epoch):
            return reached, None
        tracking = tracking.checked(tracking.epoch, now)
    return reached, tracking


def _gone(remote: RemoteRepository) -> NotFoundError:
    name = remote.remote.name
    return NotFoundError(
        f"The repository that was at {remote.store.url} is gone; nothing was sent.",
        hint=f"Bring it back (is a disk or share not mounted?); or, to make it anew: mu2net remote remove {name}, "
        f"mu2net remote add {name} {remote.remote.url}, mu2net push {name}",
    )
