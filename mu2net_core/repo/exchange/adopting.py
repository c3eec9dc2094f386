"""Taking fetched heads over as our own, in an order that keeps the access rules whole at every step.

What a task's data taught may only be judged where that task is known. So a task is made known (its first commit
becomes its head) before any head that learned from it moves. Where one cannot be taken over, the others still are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mu2net_core.errors import ConflictError, CorruptObjectError
from mu2net_core.repo.core import ObjectDatabase, Remote, Repository
from mu2net_core.repo.exchange.joining import Policy, conflict_report, join
from mu2net_core.repo.exchange.name_clashes import find_clashes
from mu2net_core.repo.exchange.purges_elsewhere import drop_purged, purged_here
from mu2net_core.repo.history import ISOLATED, ancestry, is_at_purge
from mu2net_core.repo.remotes import (
    Exchange,
    ExchangeConflictError,
    TaskReport,
    Tracking,
    purges_here,
    read_purged,
    why_broken,
)
from mu2net_core.repo.upkeep import Tips

__all__ = ["adopt", "first_commit"]

T = TypeVar("T")


def _teachers(objects: ObjectDatabase, tip: str) -> set[str]:
    """Returns the tasks whose data trained any model in the history of the commit ``tip``, or an ancestor of one."""
    pending = [objects.commit(oid).model for oid in ancestry(objects, [tip])]
    seen, names = set[str | None]([None]), set[str]()
    while pending:
        model_id = pending.pop()
        if model_id is not None and model_id not in seen:
            model = objects.model(model_id)
            names |= model.trained_by
            pending += model.sources
        seen.add(model_id)
    return names


def first_commit(objects: ObjectDatabase, tip: str) -> str:
    """Returns where the history of the commit ``tip`` begins: usually the adding of its task, without a model.

    Raises:
        CorruptObjectError: it does not begin with a commit of its task.
    """
    task = objects.commit(tip).task
    found = ((oid, objects.commit(oid)) for oid in ancestry(objects, [tip]))
    begins = [oid for oid, commit in found if commit.task == task and not commit.parents]
    if not begins:
        raise CorruptObjectError(f"The history of {tip[:16]} does not begin with a commit of its task {task}.")
    return min(begins)


def adopt(
    repo: Repository,
    tracking: Tracking,
    tasks: Iterable[str],
    policy: Policy,
    *,
    remote: Remote | None = None,
    also: Callable[[], Tips] = Tips,
    named: Collection[str] = (),
) -> tuple[TaskReport, ...]:
    """Moves our heads of ``tasks`` to include the fetched ones, and brings tasks they learned from if unknown here.

    What the policy refuses is not taken over, and reported; so is what cannot be taken over, as ``broken``. A task
    that was purged on the remote stays as it is here, and that is reported, unless the policy follows purges.

    Args:
        repo: whose heads.
        tracking: what was fetched.
        tasks: whose heads to follow.
        policy: for heads that moved on both sides.
        remote: where it was fetched from; without it, nothing is known of purges there.
        also: returns what else of the repository must stay when something is dropped.
        named: tasks that the user named: these are wanted though their names are those of groups here.

    Raises:
        ExchangeConflictError: heads diverged and the policy does not join them; all others were joined.
    """
    theirs = {task: tracking.heads[task].commit for task in tasks if task in tracking.heads}
    name, own_purged = remote.name if remote is not None else "", purges_here(repo)
    gone, broken = _each(theirs, lambda task: purged_here(repo, own_purged, task, theirs[task], name))
    reports = [TaskReport(task=t, outcome="skipped", reason=why) for t, why in gone.items() if why is not None]
    theirs = {task: commit_id for task, commit_id in theirs.items() if gone.get(task, "") is None}
    refused, bad = _refused(repo, tracking, theirs, policy)
    reports += [TaskReport(task=task, outcome="refused", reason=why) for task, why in refused.items()]
    broken |= bad
    theirs = {task: commit_id for task, commit_id in theirs.items() if task not in refused and task not in broken}
    new = _new_tasks(repo, tracking, theirs)
    theirs |= {task: tracking.heads[task].commit for task in new}
    broken |= find_clashes(repo, theirs, new, named=named, remote=name)
    starts, bad = _each(sorted(new - broken.keys()), lambda task: first_commit(repo.objects, theirs[task]))
    broken |= bad
    for task, commit_id in starts.items():
        repo.refs.append(task, commit_id, after=None)
    stones = read_purged(repo.state, remote) if remote is not None else ()
    drop = partial(
        drop_purged, repo, tracking, stones=stones, here_purged=own_purged, remote=name, policy=policy, also=also
    )
    conflicts = list[ConflictError]()
    for task, commit_id in sorted(theirs.items()):
        if task in broken:
            continue
        try:
            dropped = drop(task)
            if dropped is not None and (dropped.outcome == "skipped" or dropped.commit == commit_id):
                reports.append(dropped)
                continue
            _join_replaced(repo, tracking, task, policy, name)
            report = join(repo, task, commit_id, policy, remote=name)
            reports.append(_told(repo.objects, report, dropped, first=task in new))
        except ConflictError as exc:
            conflicts.append(exc)
            reports.append(conflict_report(task, exc))
        except ISOLATED as exc:
            broken[task] = why_broken(exc)
    reports += [TaskReport(task=task, outcome="broken", reason=why) for task, why in broken.items()]
    told = tuple(sorted(reports, key=lambda report: report.task))
    if conflicts:
        raise ExchangeConflictError(conflicts, Exchange(remote=name, url=remote.url if remote else "", tasks=told))
    return told


def _each(tasks: Iterable[str], judge: Callable[[str], T]) -> tuple[dict[str, T], dict[str, str]]:
    """Returns what ``judge`` returns, by task; and what is wrong with the tasks that it cannot judge."""
    found, broken = dict[str, T](), dict[str, str]()
    for task in tasks:
        try:
            found[task] = judge(task)
        except ISOLATED as exc:
            broken[task] = why_broken(exc)
    return found, broken


def _told(objects: ObjectDatabase, report: TaskReport, dropped: TaskReport | None, *, first: bool) -> TaskReport:
    """Returns the report of a head that was joined, and ``dropped`` just before; ``first`` if it was unknown here."""
    if report.commit is not None and is_at_purge(objects, report.commit):
        if dropped is not None:
            return replace(dropped, commit=report.commit)
        return replace(report, outcome="removed" if first else report.outcome, reason="it was purged")
    return replace(report, outcome="new") if first and report.outcome != "removed" else report


def _join_replaced(repo: Repository, tracking: Tracking, task: str, policy: Policy, remote: str) -> None:
    """Joins what was seen of a head before another log took its place over there: nobody else may have it.

    What the policy refuses was never taken over, and is not now.
    """
    before = tracking.replaced.get(task)
    if before is None or not repo.objects.has("commit", before):
        return
    ours = repo.refs.head(task)
    if policy.refuse is None or policy.refuse(before, None if ours is None else ours.commit) is None:
        join(repo, task, before, policy, remote=remote)


def _refused(
    repo: Repository, tracking: Tracking, theirs: Mapping[str, str], policy: Policy
) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the heads among ``theirs`` that the policy does not let in, and those it cannot judge, with the reasons.

    What learned from a task that is unknown here and not let in stays out, too: nobody could judge who may read it.
    """
    refuse = policy.refuse
    if refuse is None:
        return {}, {}
    ours = {task: repo.refs.head(task) for task in {*theirs, *_new_tasks(repo, tracking, theirs)}}
    commits = {task: None if head is None else head.commit for task, head in ours.items()}
    judged, broken = _each(ours, lambda task: refuse(tracking.heads[task].commit, commits[task]))
    reasons = {task: reason for task, reason in judged.items() if reason is not None}
    unknown = {task for task in {*reasons, *broken} if ours[task] is None}
    for task, tip in theirs.items():
        is_in = task not in reasons and task not in broken
        learned_from = sorted(unknown & _known_teachers(repo.objects, tip)) if unknown and is_in else []
        if learned_from:
            why = reasons.get(learned_from[0]) or broken[learned_from[0]]
            reasons[task] = f"it learned from {learned_from[0]}, whose {why}"
    only = theirs.keys()
    return {t: why for t, why in reasons.items() if t in only}, {t: why for t, why in broken.items() if t in only}


def _known_teachers(objects: ObjectDatabase, tip: str) -> set[str]:
    """Returns what ``_teachers`` does; nothing where the history cannot be walked, which keeps the head out anyway."""
    with suppress(*ISOLATED):
        return _teachers(objects, tip)
    return set()


def _new_tasks(repo: Repository, tracking: Tracking, theirs: Mapping[str, str]) -> set[str]:
    """Returns the tasks without a head here, among ``theirs`` and among the tasks they learned from."""
    heads = {task: repo.refs.head(task) for task in theirs}
    new = {task for task, head in heads.items() if head is None}
    others = {task for task in set(tracking.heads) - set(theirs) if repo.refs.head(task) is None}
    if others:
        moved = [tip for task, tip in theirs.items() if (head := heads[task]) is None or head.commit != tip]
        others &= set().union(*(_known_teachers(repo.objects, tip) for tip in moved))
    return new | others
