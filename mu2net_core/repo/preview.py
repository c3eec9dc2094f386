"""What a push would send, without sending any of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mu2net_core.objects import object_key
from mu2net_core.repo.closure import Closure, collect
from mu2net_core.repo.fetching import Clock, fetch, unknown_task
from mu2net_core.repo.outcomes import Parcel, ParcelOutcome, PushPlan, TaskReport
from mu2net_core.repo.planning import Planner
from mu2net_core.repo.pushing import reach_known
from mu2net_core.repo.remote import Remote
from mu2net_core.repo.remotes import OpenStore, RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import Tracking, read_tracking

__all__ = ["preview"]


def preview(
    repo: Repository,
    remote: Remote,
    *,
    tasks: Collection[str] = (),
    open_store: OpenStore | None = None,
    clock: Clock = lambda: None,
) -> PushPlan:
    """Returns what a push would send; asks the remote what it has, in few requests, and changes nothing there.

    Raises:
        NotFoundError: there is no task of that name here.
        ConflictError: a root there has another content.
    """
    known = repo.refs.tasks()
    for task in tasks:
        if task not in known:
            raise unknown_task(task, known, "here", repo.config.remotes)
    reached, tracking, numbers, lost = _look(repo, remote, open_store, clock)
    planner = Planner(repo, reached, tracking)
    roots = tuple(_roots(planner))
    parcels = tuple(_tasks(planner, planner.in_order(tasks or known), numbers))
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
    repo: Repository, remote: Remote, open_store: OpenStore | None, clock: Clock
) -> tuple[RemoteRepository, Tracking, dict[str, int], tuple[str, ...]]:
    """Returns the remote, what is known of it, the numbers of its heads' newest entries, and what it lost."""
    reached = reach_known(repo, remote, open_store, clock)
    there, tracking = reached.remote, reached.tracking
    if not (reached.is_known and reached.is_current):
        if not there.exists():
            return there, Tracking(url=remote.url), {}, ()
        if not reached.losses:
            fetch(repo, there, clock=clock)
            tracking = read_tracking(repo.state, remote)
    numbers, _ = there.refs.listing(None if reached.sight is None else reached.sight.names)
    return there, tracking, dict(numbers), reached.losses.words


def _roots(planner: Planner) -> Iterator[Parcel]:
    for name, model_id in planner.new_roots():
        closure = collect(planner.repo.objects, [("model", model_id)], planner.knowledge)
        planner.knowledge.sent(closure)
        yield _parcel(planner, name, "new", closure)


def _tasks(planner: Planner, tasks: Collection[str], numbers: dict[str, int]) -> Iterator[Parcel]:
    sent: set[str] = set()
    for task in tasks:
        plan, seen = planner.plan(task), planner.tracking.heads.get(task)
        moved = numbers.get(task, 0) > (seen.number if seen else 0)
        if isinstance(plan, TaskReport):
            outcome: ParcelOutcome = "up-to-date" if plan.outcome == "up-to-date" else "skipped"
            yield Parcel(name=task, outcome=outcome, reason=plan.reason)
        elif plan is None or moved:
            closure = None if plan is None else plan.closure
            yield _parcel(planner, task, "merge", closure, reason="it moved there, too")
        else:
            for first in planner.introductions(plan, sent):
                yield _parcel(planner, first.task, "new", first.closure, reason=f"{task} learned from it")
            removed = planner.repo.objects.commit(plan.commit).removed
            yield _parcel(planner, task, "removed" if removed else "updated" if seen else "new", plan.closure)
            planner.knowledge.sent(plan.closure)
            sent.add(task)


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
