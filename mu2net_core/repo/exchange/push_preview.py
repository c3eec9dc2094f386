"""What a push would send, without sending any of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from mu2net_core.errors import ConflictError, Mu2netError
from mu2net_core.objects import object_key
from mu2net_core.repo.core import Remote, Repository
from mu2net_core.repo.exchange.continuity import replaced_heads
from mu2net_core.repo.exchange.fetching import Clock, fetch, fetch_heads, unknown_task
from mu2net_core.repo.exchange.joining import OnConflict, Policy, conflict_report
from mu2net_core.repo.exchange.push_plan import Judged, Planner
from mu2net_core.repo.exchange.pushing import reach_known
from mu2net_core.repo.history import ISOLATED, Arrivals, merge
from mu2net_core.repo.remotes import (
    Closure,
    Counter,
    OpenStore,
    Parcel,
    ParcelOutcome,
    PushPlan,
    RemoteRepository,
    TaskOutcome,
    TaskReport,
    Tracking,
    check_recipient,
    collect,
    read_tracking,
    why_broken,
)

__all__ = ["preview"]

_STILL: Mapping[TaskOutcome, ParcelOutcome] = MappingProxyType({"up-to-date": "up-to-date", "broken": "broken"})
"""What a push would leave as it is, or could not send; all else it would not send is skipped."""


def preview(
    repo: Repository,
    remote: Remote,
    *,
    tasks: Collection[str] = (),
    policy: Policy | None = None,
    open_store: OpenStore | None = None,
    clock: Clock = lambda: None,
) -> PushPlan:
    """Returns what a push would send; asks the remote what it has, in few requests, and changes nothing there.

    What moved there, too, is fetched, so that it is known whether it can be joined.

    Raises:
        NotFoundError: there is no task of that name here; or the repository that was there is gone.
        InvalidInputError: nothing can be sent to that place.
    """
    known = repo.refs.tasks()
    for task in tasks:
        if task not in known:
            raise unknown_task(task, known, "here", repo.config.remotes)
    policy = policy or Policy()
    reached, tracking, astray, lost, broken = _look(repo, remote, tasks or known, open_store, clock, policy)
    planner = Planner(repo, reached, tracking, refuse_stone=policy.refuse_stone, broken=broken)
    roots = tuple(_roots(planner))
    parcels = tuple(_tasks(planner, planner.in_order(tasks or known), astray, policy.on_conflict))
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
    repo: Repository,
    remote: Remote,
    tasks: Collection[str],
    open_store: OpenStore | None,
    clock: Clock,
    policy: Policy,
) -> tuple[RemoteRepository, Tracking, frozenset[str], tuple[str, ...], dict[str, Mu2netError]]:
    """Returns the remote, what is known of it now, its heads on other logs than were seen, and what it lost.

    And what is wrong with heads there. Looks at it, however shortly that was done.
    """
    reached = reach_known(repo, remote, open_store, lambda: None, policy)
    there, tracking, keys = reached.remote, reached.tracking, None if reached.sight is None else reached.sight.names
    if not (reached.is_known and reached.is_current):
        if not (reached.is_known and reached.losses.config) and not check_recipient(there, repo.identity):
            return there, Tracking(url=remote.url), frozenset(), (), {}
        if not reached.losses:
            fetch(repo, there, clock=clock, policy=policy)
            tracking = read_tracking(repo.state, remote)
    astray = frozenset() if reached.sight is None else replaced_heads(there, tracking, reached.sight, tasks)
    numbers, gaps = there.refs.listing(keys)
    seen = {task: state.number for task, state in tracking.heads.items()}
    moved = [task for task in tasks if numbers.get(task, 0) > seen.get(task, 0) and task not in gaps]
    broken: dict[str, Mu2netError] = {}
    if moved:
        tracking, _, found = fetch_heads(
            repo,
            there,
            tracking,
            moved,
            numbers=numbers,
            counter=Counter(),
            policy=policy,
            arrivals=Arrivals.at(repo.identity, clock()),
        )
        broken.update(found)
    return there, tracking, astray, reached.losses.words, broken


def _roots(planner: Planner) -> Iterator[Parcel]:
    for name, _, conflict in planner.conflicting_roots():
        yield Parcel(name=name, outcome="conflict", reason=conflict.message)
    for name, model_id in planner.new_roots():
        yield _named(planner, name, partial(planner.root_closure, model_id))


def _tasks(
    planner: Planner, tasks: Collection[str], astray: Collection[str], on_conflict: OnConflict
) -> Iterator[Parcel]:
    sent: set[str] = set()
    for task in tasks:
        wrong = planner.broken.get(task)
        plan, seen = planner.plan(task) if wrong is None else None, planner.tracking.heads.get(task)
        if wrong is not None:
            yield Parcel(name=task, outcome="broken", reason=why_broken(wrong))
        elif task in astray:
            yield Parcel(name=task, outcome="merge", reason="its log there is another one than was seen")
        elif isinstance(plan, TaskReport):
            yield Parcel(name=task, outcome=_STILL.get(plan.outcome, "skipped"), reason=plan.reason)
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
        yield _named(planner, name, partial(planner.tag_closure, snapshot_id))


def _named(planner: Planner, name: str, judge: Callable[[], Judged]) -> Parcel:
    """Returns what would be sent of a root or tag."""
    try:
        closure, reason = judge()
        if reason is not None:
            return Parcel(name=name, outcome="skipped", reason=reason)
        parcel = _parcel(planner, name, "new", closure)
    except ISOLATED as exc:
        return Parcel(name=name, outcome="broken", reason=why_broken(exc))
    planner.knowledge.sent(closure)
    return parcel


def _parcel(
    planner: Planner, name: str, outcome: ParcelOutcome, closure: Closure | None, *, reason: str | None = None
) -> Parcel:
    if closure is None:
        return Parcel(name=name, outcome=outcome, reason=reason)
    objects, store = planner.repo.objects, planner.repo.objects.store
    absent = sum(not objects.has("component", ref.id) for ref in closure.components)
    if absent:
        told = "as far as can be told before what is only elsewhere is here"
        reason = told if reason is None else f"{reason}; {told}"
    manifests = sum(store.size(object_key(*node)) for node, _ in closure.manifests)
    return Parcel(
        name=name,
        outcome=outcome,
        num_components=len(closure.components),
        num_manifests=len(closure.manifests),
        size_bytes=manifests + sum(ref.size_bytes for ref in closure.components),
        reason=reason,
    )
