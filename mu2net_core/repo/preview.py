"""What a push would send, without sending any of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mu2net_core.errors import ConflictError
from mu2net_core.objects import object_key
from mu2net_core.repo.closure import Closure, collect
from mu2net_core.repo.fetching import Clock, fetch, fetch_heads, unknown_task
from mu2net_core.repo.following import replaced_heads
from mu2net_core.repo.join import OnConflict, conflict_report
from mu2net_core.repo.merge import merge
from mu2net_core.repo.outcomes import Counter, Parcel, ParcelOutcome, PushPlan, TaskReport
from mu2net_core.repo.planning import Planner
from mu2net_core.repo.pushing import reach_known
from mu2net_core.repo.remote import Remote
from mu2net_core.repo.remotes import OpenStore, RemoteRepository, check_recipient
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import Tracking, read_tracking

__all__ = ["preview"]


def preview(
    repo: Repository,
    remote: Remote,
    *,
    tasks: Collection[str] = (),
    on_conflict: OnConflict = "best",
    open_store: OpenStore | None = None,
    clock: Clock = lambda: None,
) -> PushPlan:
    """Returns what a push would send; asks the remote what it has, in few requests, and changes nothing there.

    What moved there, too, is fetched, so that it is known whether it can be joined.

    Raises:
        NotFoundError: there is no task of that name here; or the repository that was there is gone.
        ConflictError: a root there has another content.
        InvalidInputError: nothing can be sent to that place.
    """
    known = repo.refs.tasks()
    for task in tasks:
        if task not in known:
            raise unknown_task(task, known, "here", repo.config.remotes)
    reached, tracking, astray, lost = _look(repo, remote, tasks or known, open_store, clock)
    planner = Planner(repo, reached, tracking)
    roots = tuple(_roots(planner))
    parcels = tuple(_tasks(planner, planner.in_order(tasks or known), astray, on_conflict))
    tags = () if tasks else tuple(_tags(planner))
    every = (*roots, *parcels, *tags)
    return PushPlan(
        remote=remote.name,
        url=remote.url,
        tasks=parcels,
        tags=tags,
        roots=roots,
        lost=lost,
        num_objects=sum(parcel.num_components + parcel.num_manifests for parcel in every),
        size_bytes=sum(parcel.size_bytes for parcel in every),
    )


def _look(
    repo: Repository, remote: Remote, tasks: Collection[str], open_store: OpenStore | None, clock: Clock
) -> tuple[RemoteRepository, Tracking, frozenset[str], tuple[str, ...]]:
    """Returns the remote, what is known of it now, its heads on other logs than were seen, and what it lost.

    Looks at it, however shortly that was done.
    """
    reached = reach_known(repo, remote, open_store, lambda: None)
    there, tracking, keys = reached.remote, reached.tracking, None if reached.sight is None else reached.sight.names
    if not (reached.is_known and reached.is_current):
        if not (reached.is_known and reached.losses.config) and not check_recipient(there):
            return there, Tracking(url=remote.url), frozenset(), ()
        if not reached.losses:
            fetch(repo, there, clock=clock)
            tracking = read_tracking(repo.state, remote)
    astray = frozenset() if reached.sight is None else replaced_heads(there, tracking, reached.sight, tasks)
    numbers, gaps = there.refs.listing(keys)
    seen = {task: state.number for task, state in tracking.heads.items()}
    moved = [task for task in tasks if numbers.get(task, 0) > seen.get(task, 0) and task not in gaps]
    if moved:
        tracking, _, broken = fetch_heads(repo, there, tracking, moved, numbers=numbers, counter=Counter())
        if broken:
            raise broken[min(broken)]
    return there, tracking, astray, reached.losses.words


def _roots(planner: Planner) -> Iterator[Parcel]:
    for name, model_id in planner.new_roots():
        closure = collect(planner.repo.objects, [("model", model_id)], planner.knowledge)
        planner.knowledge.sent(closure)
        yield _parcel(planner, name, "new", closure)


def _tasks(
    planner: Planner, tasks: Collection[str], astray: Collection[str], on_conflict: OnConflict
) -> Iterator[Parcel]:
    sent: set[str] = set()
    for task in tasks:
        plan, seen = planner.plan(task), planner.tracking.heads.get(task)
        if task in astray:
            yield Parcel(name=task, outcome="merge", reason="its log there is another one than was seen")
        elif isinstance(plan, TaskReport):
            outcome: ParcelOutcome = "up-to-date" if plan.outcome == "up-to-date" else "skipped"
            yield Parcel(name=task, outcome=outcome, reason=plan.reason)
        elif plan is None:
            yield _joined(planner, task, on_conflict)
        else:
            for first in planner.introductions(plan, sent):
                yield _parcel(planner, first.task, "new", first.closure, reason=f"{task} learned from it")
            removed = planner.repo.objects.commit(plan.commit).removed
            yield _parcel(planner, task, "removed" if removed else "updated" if seen else "new", plan.closure)
            planner.knowledge.sent(plan.closure)
            sent.add(task)


def _joined(planner: Planner, task: str, on_conflict: OnConflict) -> Parcel:
    """Returns what would be sent of a task that moved on both sides: our side, before it is joined."""
    objects, head = planner.repo.objects, planner.repo.refs.head(task)
    ours, theirs = "" if head is None else head.commit, planner.tracking.heads[task].commit
    if on_conflict == "fail":
        return Parcel(name=task, outcome="conflict", reason="it moved there, too")
    if on_conflict == "best":
        try:
            merge(objects, [ours, theirs])
        except ConflictError as exc:
            return Parcel(name=task, outcome="conflict", reason=conflict_report(task, exc).reason)
    closure = collect(objects, [("commit", ours)], planner.knowledge)
    return _parcel(planner, task, "merge", closure, reason="it moved there, too")


def _tags(planner: Planner) -> Iterator[Parcel]:
    for name, snapshot_id in planner.new_tags():
        closure, reason = planner.tag_closure(snapshot_id)
        if reason is not None:
            yield Parcel(name=name, outcome="skipped", reason=reason)
        else:
            yield _parcel(planner, name, "new", closure)
            planner.knowledge.sent(closure)


def _parcel(
    planner: Planner, name: str, outcome: ParcelOutcome, closure: Closure | None, *, reason: str | None = None
) -> Parcel:
    if closure is None:
        return Parcel(name=name, outcome=outcome, reason=reason)
    store = planner.repo.objects.store
    manifests = sum(store.size(object_key(*node)) for node, _ in closure.manifests)
    return Parcel(
        name=name,
        outcome=outcome,
        num_components=len(closure.components),
        num_manifests=len(closure.manifests),
        size_bytes=manifests + sum(ref.size_bytes for ref in closure.components),
        reason=reason,
    )
