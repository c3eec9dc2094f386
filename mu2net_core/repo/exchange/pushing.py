"""Sending a working copy's heads, roots and tags to a remote.

The hot path looks at the remote, unless that was done seconds ago (is it the one we know, was nothing purged, is all
there that we saw?), and reads the entry that it is about to follow. A remote that one request lists is looked at as a
whole; so is a bigger one if there is nothing to send. If there is, its epoch and the newest entry tell whether it went
back, and what is sent makes sure of what it builds on. Otherwise a push only creates: whether somebody else moved a
head shows when the next entry of that head cannot be created.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mu2net_core.errors import ConflictError, CorruptObjectError, Mu2netError
from mu2net_core.repo.core import CONFIG, Remote, Repository, begin_epoch, current_epoch, is_current
from mu2net_core.repo.exchange.completeness import check_ready
from mu2net_core.repo.exchange.continuity import replaced_heads, replaced_names
from mu2net_core.repo.exchange.delivering import Delivery, RemoteChangedError
from mu2net_core.repo.exchange.fetching import Clock, check_known, fetch, unknown_task
from mu2net_core.repo.exchange.forgetting import without_refused
from mu2net_core.repo.exchange.healing import Healed, heal
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.losses import Losses, find_losses
from mu2net_core.repo.exchange.purges_elsewhere import presumed
from mu2net_core.repo.exchange.purges_seen import note_purged
from mu2net_core.repo.exchange.push_plan import Planner
from mu2net_core.repo.exchange.push_session import Session
from mu2net_core.repo.remotes import (
    Counter,
    Exchange,
    ExchangeConflictError,
    Extent,
    OpenStore,
    RemoteBehindError,
    RemoteRepository,
    Sight,
    TaskReport,
    Tracking,
    connect,
    connect_or_create,
    is_as_seen,
    look,
    read_purged,
    read_tracking,
    write_tracking,
)

__all__ = ["Reached", "push", "reach_known"]

_ATTEMPTS = 5
_STILL = ("up-to-date", "unchanged")
_NOT_SENT = (*_STILL, "broken")


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
    restored: list[str] = []
    for _ in range(_ATTEMPTS):
        broken: dict[str, TaskReport] = {}
        try:
            session = _begin(repo, remote, tasks, policy or Policy(), counter, open_store, clock, restored, broken)
            return _push(session, tasks, known, done, broken)
        except ExchangeConflictError:
            raise
        except Mu2netError as exc:
            if restored:
                exc.message += f" Before that, {remote.name} was sent again what it had lost: {', '.join(restored)}."
            raise
        except RemoteChangedError:  # something was purged or is gone: find out what, and whether all may still be sent
            done |= {task: report for task, report in session.reports.items() if report.outcome not in _NOT_SENT}
    raise ConflictError(f"The remote {remote.name} was changed by purges again and again: gave up after {_ATTEMPTS}.")


def _push(
    session: Session,
    tasks: Collection[str],
    known: Collection[str],
    done: Mapping[str, TaskReport],
    broken: Mapping[str, TaskReport],
) -> Exchange:
    """Pushes; a task that was sent in an attempt before (``done``) and is up to date now is reported as sent.

    One of which nothing is to be sent, and that is ``broken`` there, is reported as that.
    """
    roots = session.push_roots()
    session.push_tasks(tasks or known)
    tags = () if tasks else session.push_tags()
    session.delivery.finish()
    remote, reports = session.remote.remote, session.reports
    for told in (done, broken):
        reports |= {
            task: report for task, report in told.items() if task in reports and reports[task].outcome in _STILL
        }
    reports |= {task: report for task, report in done.items() if task not in reports}
    exchange = Exchange(
        remote=remote.name,
        url=remote.url,
        tasks=tuple(reports[task] for task in sorted(reports)),
        tags=tags,
        roots=roots,
        restored=tuple(session.restored),
        missing=session.planner.lacking.words,
        num_objects=session.delivery.counter.num_objects,
        size_bytes=session.delivery.counter.size_bytes,
    )
    session.raise_conflict(exchange)
    return exchange


def _begin(
    repo: Repository,
    remote: Remote,
    tasks: Collection[str],
    policy: Policy,
    counter: Counter,
    open_store: OpenStore | None,
    clock: Clock,
    restored: list[str],
    broken: dict[str, TaskReport],
) -> Session:
    """Returns a session with the remote; one never met, or changed since, is fetched from first.

    What a remote lost of all that was seen of it is sent again, as far as it is here, and added to ``restored``; what
    is broken there to ``broken``.
    """
    brief = _briefly(repo, remote, tasks, open_store, clock, policy)
    if brief is not None:
        delivery = Delivery(planner=brief[0], counter=counter, clock=clock)
        return Session(delivery, policy, restored=restored, looked=brief[1])
    reached = reach_known(repo, remote, open_store, clock, policy)
    if not reached.is_known:
        there = _met(repo, reached.remote, tasks, open_store, clock, policy, broken)
        tracking = read_tracking(repo.state, remote)
        planner = Planner(repo, there, tracking, refuse_stone=policy.refuse_stone, broken=_unseen(broken, tracking))
        delivery = Delivery(planner=planner, counter=counter, clock=clock, epoch=_epoch(there, broken))
        return Session(delivery, policy, restored=restored)
    there, losses = reached.remote, reached.losses
    healed = heal(repo, there, reached.tracking, losses, counter=counter) if losses else Healed()
    restored += healed.sent.words
    tracking = _settled(repo, reached, healed, clock, policy, broken)
    missing = _with_gaps(healed.missing, reached, tasks or repo.refs.tasks())
    planner = Planner(repo, there, tracking, missing, _moved(reached.sight, tracking), refuse_stone=policy.refuse_stone)
    looked: Extent = "listed" if reached.sight is None else "all"
    delivery = Delivery(planner=planner, counter=counter, clock=clock, epoch=_epoch(there, broken))
    session = Session(delivery, policy, restored=restored, looked=looked)
    if reached.sight is not None and (reached.is_current or healed.sent.epoch):  # else all was fetched
        wanted = tasks or repo.refs.tasks()
        session.compared = () if planner.sends(wanted, tags=not tasks) else wanted
        _compare(session, reached.sight, clock)
        session.astray -= healed.forked
    for task in sorted(healed.forked):
        session.forget(task)
    return session


def _compare(session: Session, sight: Sight, clock: Clock) -> None:
    """Reads the names, and newest entries of the heads, that a push of nothing would call up to date."""
    planner, there = session.planner, session.remote
    if not session.compared:
        return
    tracking, others = planner.tracking, replaced_names(there, planner.tracking, sight)
    session.astray = replaced_heads(there, tracking, sight, session.compared)
    is_all = set(session.compared) >= tracking.heads.keys() and not (session.astray or others or tracking.lost)
    if is_all and _has_nothing_new(there, tracking, sight):
        tracking = tracking.seen(clock())
        write_tracking(session.repo.state, there.remote.name, tracking)
    planner.tracking = tracking
    if others:
        planner.learn(tracking.without_names(others))


def _has_nothing_new(there: RemoteRepository, tracking: Tracking, sight: Sight) -> bool:
    """Returns whether no head, tag or root is there beyond those that were seen; by a listing."""
    heads = {task: state.number for task, state in tracking.heads.items()}
    names = {key for key in sight.keys if key.startswith(("refs/tags/", "refs/roots/"))}
    numbers, gaps = there.refs.listing(sight.keys)
    return (
        not gaps
        and all(heads.get(task) == number for task, number in numbers.items())
        and names <= tracking.names.keys()
    )


def _briefly(
    repo: Repository,
    remote: Remote,
    tasks: Collection[str],
    open_store: OpenStore | None,
    clock: Clock,
    policy: Policy,
) -> tuple[Planner, Extent] | None:
    """Returns how to push to a remote that was not looked at as a whole; None if it must be, or was just before.

    So is done with a big one, if a head can be sent and nothing but heads; a folder is looked at each time.
    """
    tracking = read_tracking(repo.state, remote)
    if not tracking.is_big or tracking.lost or tracking.unfinished or tracking.identity != repo.identity:
        return None
    there, now = connect(remote, open_store=open_store, limits=repo.limits), clock()
    is_folder = there.store.local_path(CONFIG) is not None
    if tracking.was_listed(now) and not is_folder:
        return None
    planner = Planner(repo, there, tracking, refuse_stone=policy.refuse_stone)
    if not planner.sends_only_heads(tasks or repo.refs.tasks(), tags=not tasks):
        return None
    if tracking.is_fresh(now) and not is_folder:
        return planner, "recent"
    if not is_as_seen(there, tracking):
        return None
    planner.tracking = tracking.checked(tracking.epoch, now)
    return planner, "brief"


def _with_gaps(missing: Losses, reached: Reached, tasks: Iterable[str]) -> Losses:
    """Returns what is missing; also, of heads that were not seen there before, what is before later entries."""
    gaps = {} if reached.sight is None else reached.sight.gaps
    found = {task: (gaps[task],) for task in tasks if task in gaps and task not in reached.tracking.heads}
    return replace(missing, entries={**missing.entries, **found}) if found else missing


def _unseen(broken: Mapping[str, TaskReport], tracking: Tracking) -> dict[str, Mu2netError]:
    """Returns what is wrong with the heads that are broken there, and of which nothing was ever seen to go on from."""
    return {
        task: CorruptObjectError(report.reason or "") for task, report in broken.items() if task not in tracking.heads
    }


def _epoch(there: RemoteRepository, broken: Mapping[str, TaskReport]) -> str | None:
    """Returns the epoch that was fetched from, where it is not noted: who comes next is told again what is broken."""
    return current_epoch(there.store) if broken else None


def _moved(sight: Sight | None, tracking: Tracking) -> frozenset[str]:
    """Returns the tasks whose heads have newer entries than those that are known."""
    heads = {} if sight is None else tracking.heads
    return frozenset(task for task, state in heads.items() if sight is not None and sight.newest(task) > state.number)


def _met(
    repo: Repository,
    there: RemoteRepository,
    tasks: Collection[str],
    open_store: OpenStore | None,
    clock: Clock,
    policy: Policy,
    broken: dict[str, TaskReport],
) -> RemoteRepository:
    """Returns a remote of which nothing was known, made if it is not there, and fetched from."""
    if not there.exists():
        check_ready(repo, there.audience, tasks or repo.refs.tasks(), tags=not tasks)
    there = connect_or_create(there.remote, repo.config, open_store=open_store, limits=repo.limits)
    begin_epoch(there.store)
    broken |= _fetch(repo, there, clock, policy)
    return there


def _fetch(repo: Repository, there: RemoteRepository, clock: Clock, policy: Policy) -> dict[str, TaskReport]:
    """Fetches, once more if something was purged meanwhile, so that what was named is not there any more.

    Returns:
        the tasks that are broken there; that it is behind what was seen of it is seen to otherwise.
    """
    done = _fetched(repo, there, clock, policy)
    epoch = read_tracking(repo.state, there.remote).epoch
    if not done.is_whole and epoch is not None and not is_current(there.store, epoch):
        done = _fetched(repo, there, clock, policy)
    return {report.task: report for report in done.tasks if report.outcome == "broken"}


def _fetched(repo: Repository, there: RemoteRepository, clock: Clock, policy: Policy) -> Exchange:
    try:
        return fetch(repo, there, clock=clock, policy=policy)
    except RemoteBehindError as exc:
        return exc.done


def _settled(
    repo: Repository,
    reached: Reached,
    healed: Healed,
    clock: Clock,
    policy: Policy,
    broken: dict[str, TaskReport],
) -> Tracking:
    """Returns what is known of a remote after what it lost was sent again, also stored; fetches if it has changed."""
    there, tracking = reached.remote, replace(reached.tracking, lost=healed.missing.words)
    if healed.sent.epoch or (healed.sent.stones and reached.is_current):
        tracking = tracking.checked(current_epoch(there.store), clock())
    write_tracking(repo.state, there.remote.name, tracking)
    if reached.is_current or healed.sent.epoch:
        return tracking
    begin_epoch(there.store)
    broken |= _fetch(repo, there, clock, policy)
    tracking = read_tracking(repo.state, there.remote)
    tracking = replace(tracking, lost=healed.missing.words or (tracking.lost if broken else ()))
    write_tracking(repo.state, there.remote.name, tracking)
    return tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A remote, and how far what is known of it holds.

    Attributes:
        remote: opened.
        tracking: what is known of it.
        is_known: whether anything is.
        is_current: whether nothing was purged since.
        sight: what is there; None if it was not looked at, because it was just before.
        losses: what of all that was seen of it is not there any more.
    """

    remote: RemoteRepository
    tracking: Tracking
    is_known: bool = True
    is_current: bool = True
    sight: Sight | None = None
    losses: Losses = field(default_factory=Losses)


def reach_known(
    repo: Repository, remote: Remote, open_store: OpenStore | None, clock: Clock, policy: Policy
) -> Reached:
    """Returns the remote, and whether all is there that was seen of it: one listing, none if that was done just now.

    A folder is looked at each time: that costs nothing.

    Raises:
        NotFoundError: nothing of it is left, or there is another repository now.
        ConflictError: likewise.
    """
    tracking, now = read_tracking(repo.state, remote), clock()
    reached = connect(remote, open_store=open_store, limits=repo.limits)
    if not (tracking.heads or tracking.roots):
        return Reached(remote=reached, tracking=tracking, is_known=False)
    is_seen = tracking.was_listed(now) and not tracking.unfinished
    if is_seen and reached.store.local_path(CONFIG) is None:
        return Reached(remote=reached, tracking=tracking)
    sight = look(reached.store)
    is_current = sight.is_in_epoch(tracking.epoch)
    if tracking.identity != repo.identity or not is_current or not tracking.heads:
        tracking = check_known(repo, reached, tracking, sight)
    tracking = without_refused(repo, tracking, policy, sight.names.__contains__, list(tracking.heads))
    losses = find_losses(repo.objects, tracking, read_purged(repo.state, remote), sight)
    if losses or not is_current:
        note_purged(repo, reached, policy)
        losses = find_losses(repo.objects, tracking, read_purged(repo.state, remote), sight)
    if losses.objects:
        losses = replace(losses, objects=losses.objects - presumed(repo, reached, tracking, sight))
    if is_current:
        tracking = tracking.checked(tracking.epoch, now).listed(len(sight.keys), now)
    return Reached(remote=reached, tracking=tracking, is_current=is_current, sight=sight, losses=losses)
