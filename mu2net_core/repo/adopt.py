"""Taking fetched heads over as our own, in an order that keeps the access rules whole at every step.

What a task's data taught may only be judged where that task is known. So a task is made known (its first commit
becomes its head) before any head that learned from it moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from mu2net_core.errors import ConflictError
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.dropping import drop_purged, purged_here
from mu2net_core.repo.join import Policy, conflict_report, join
from mu2net_core.repo.merge import ancestry
from mu2net_core.repo.outcomes import Exchange, ExchangeConflictError, TaskReport
from mu2net_core.repo.purged import Purged, is_purge
from mu2net_core.repo.reach import Tips
from mu2net_core.repo.remote import Remote
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import Tracking, read_purged

__all__ = ["adopt", "first_commit"]


def _teachers(objects: ObjectDatabase, tip: str) -> set[str]:
    """Returns the tasks whose data trained any model in the history of the commit ``tip``, or an ancestor of one."""
    pending = [objects.commit(oid).model for oid in ancestry(objects, [tip])]
    seen, names = set[str | None]([None]), set[str]()
    while pending:
        model_id = pending.pop()
        if model_id is not None and model_id not in seen:
            model = objects.model(model_id)
            names |= model.trained_by
            pending.append(model.parent)
        seen.add(model_id)
    return names


def first_commit(objects: ObjectDatabase, tip: str) -> str:
    """Returns where the history of the commit ``tip`` begins: usually the adding of its task, without a model."""
    return min(oid for oid in ancestry(objects, [tip]) if not objects.commit(oid).parents)


def adopt(
    repo: Repository,
    tracking: Tracking,
    tasks: Iterable[str],
    policy: Policy,
    *,
    remote: Remote | None = None,
    also: Callable[[], Tips] = Tips,
) -> tuple[TaskReport, ...]:
    """Moves our heads of ``tasks`` to include the fetched ones, and brings tasks they learned from if unknown here.

    What the policy refuses is not taken over, and reported. A task that was purged on the remote is dropped here,
    unless there is work on it that the remote never had.

    Args:
        repo: whose heads.
        tracking: what was fetched.
        tasks: whose heads to follow.
        policy: for heads that moved on both sides.
        remote: where it was fetched from; without it, nothing is known of purges there.
        also: returns what else of the repository must stay when something is dropped.

    Raises:
        ExchangeConflictError: heads diverged and the policy does not join them; all others were joined.
    """
    theirs = {task: tracking.heads[task].commit for task in tasks if task in tracking.heads}
    name, own_purged = remote.name if remote is not None else "", Purged.read(repo.refs)
    gone = {task: purged_here(repo, own_purged, task, oid, name) for task, oid in theirs.items()}
    buried = [TaskReport(task=t, outcome="skipped", reason=why) for t, why in gone.items() if why is not None]
    theirs = {task: commit_id for task, commit_id in theirs.items() if gone[task] is None}
    refused = _refused(repo, tracking, theirs, policy)
    theirs = {task: commit_id for task, commit_id in theirs.items() if task not in refused}
    new = _new_tasks(repo, tracking, theirs)
    theirs |= {task: tracking.heads[task].commit for task in new}
    for task in sorted(new):
        repo.refs.append(task, first_commit(repo.objects, theirs[task]), after=None)
    stones = read_purged(repo.state, remote) if remote is not None else ()
    drop = partial(
        drop_purged, repo, tracking, stones=stones, here_purged=own_purged, remote=name, now=policy.now, also=also
    )
    reports, conflicts = [TaskReport(task=t, outcome="refused", reason=refused[t]) for t in sorted(refused)], []
    for task, commit_id in sorted(theirs.items()):
        dropped = drop(task)
        if dropped is not None and (dropped.outcome == "skipped" or dropped.commit == commit_id):
            reports.append(dropped)
            continue
        try:
            _join_replaced(repo, tracking, task, policy, name)
            report = join(repo, task, commit_id, policy, remote=name)
        except ConflictError as exc:
            conflicts.append(exc)
            reports.append(conflict_report(task, exc))
            continue
        reports.append(_told(repo.objects, report, first=task in new))
    told = tuple(sorted([*buried, *reports], key=lambda report: report.task))
    if conflicts:
        raise ExchangeConflictError(conflicts, Exchange(remote=name, url=remote.url if remote else "", tasks=told))
    return told


def _told(objects: ObjectDatabase, report: TaskReport, *, first: bool) -> TaskReport:
    """Returns the report of a head that was joined; ``first`` if it was unknown here."""
    if report.commit is not None and is_purge(objects.commit(report.commit)):
        return replace(report, outcome="removed" if first else report.outcome, reason="it was purged")
    return replace(report, outcome="new") if first and report.outcome != "removed" else report


def _join_replaced(repo: Repository, tracking: Tracking, task: str, policy: Policy, remote: str) -> None:
    """Joins what was seen of a head before another log took its place over there: nobody else may have it.

    What the policy refuses was never taken over, and is not now.
    """
    before, ours = tracking.replaced.get(task), repo.refs.head(task)
    if before is None or not repo.objects.has("commit", before):
        return
    if policy.refuse is None or policy.refuse(before, None if ours is None else ours.commit) is None:
        join(repo, task, before, policy, remote=remote)


def _refused(repo: Repository, tracking: Tracking, theirs: Mapping[str, str], policy: Policy) -> dict[str, str]:
    """Returns the heads among ``theirs`` that the policy does not let in, with the reasons.

    What learned from a task that is unknown here and not let in stays out, too: nobody could judge who may read it.
    """
    if policy.refuse is None:
        return {}
    ours = {task: repo.refs.head(task) for task in {*theirs, *_new_tasks(repo, tracking, theirs)}}
    reasons: dict[str, str] = {}
    for task, head in ours.items():
        reason = policy.refuse(tracking.heads[task].commit, None if head is None else head.commit)
        if reason is not None:
            reasons[task] = reason
    unknown = {task for task in reasons if ours[task] is None}
    for task, tip in theirs.items():
        learned_from = sorted(unknown & _teachers(repo.objects, tip)) if unknown and task not in reasons else []
        if learned_from:
            reasons[task] = f"it learned from {learned_from[0]}, whose {reasons[learned_from[0]]}"
    return {task: reason for task, reason in reasons.items() if task in theirs}


def _new_tasks(repo: Repository, tracking: Tracking, theirs: Mapping[str, str]) -> set[str]:
    """Returns the tasks without a head here, among ``theirs`` and among the tasks they learned from."""
    heads = {task: repo.refs.head(task) for task in theirs}
    new = {task for task, head in heads.items() if head is None}
    others = {task for task in set(tracking.heads) - set(theirs) if repo.refs.head(task) is None}
    if others:
        moved = [tip for task, tip in theirs.items() if (head := heads[task]) is None or head.commit != tip]
        others &= set().union(*(_teachers(repo.objects, tip) for tip in moved))
    return new | others
