"""One push under way: what is known of the remote grows as it goes.

Tasks are sent in batches: the objects of all first, many at a time, then their heads. Where somebody else moved a head
meanwhile, creating its next entry fails; then their work is fetched, joined with ours, and sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from random import SystemRandom

from mu2net_core.errors import AlreadyExistsError, ConflictError, Mu2netError
from mu2net_core.repo.core import HeadState, Repository, entry_key, is_purge
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.delivering import Delivery, RemoteChangedError
from mu2net_core.repo.exchange.fetching import fetch_heads
from mu2net_core.repo.exchange.head_moves import absent, gapped, move_heads, relied_on, strayed
from mu2net_core.repo.exchange.joining import Policy, conflict_report
from mu2net_core.repo.exchange.losses import Losses
from mu2net_core.repo.exchange.name_clashes import root_conflict
from mu2net_core.repo.exchange.purges_seen import note_purged
from mu2net_core.repo.exchange.push_plan import Judged, Plan, Planner
from mu2net_core.repo.history import ISOLATED, Arrivals, ancestry, contains
from mu2net_core.repo.remotes import (
    Counter,
    Exchange,
    ExchangeConflictError,
    Extent,
    NameReport,
    RemoteRepository,
    TaskOutcome,
    TaskReport,
    Tracking,
    broken_report,
    read_purged,
    why_broken,
)

__all__ = ["Session"]

_ATTEMPTS = 100
_FIRST_S, _LONGEST_S = 0.02, 2.0
_BATCH = 64


@dataclass(slots=True)
class Session:
    """What a push knows and has done.

    Attributes:
        delivery: gets it there.
        policy: for heads that moved on both sides.
        sleep: waits that many seconds.
        restored: what the remote had lost and has again, in words.
        reports: what became of each task.
        looked: what of the remote was looked at before.
        astray: tasks whose heads are known to be on another log than was seen.
        compared: tasks whose newest entries were read; None for all.
    """

    delivery: Delivery
    policy: Policy
    sleep: Callable[[float], None] = time.sleep
    restored: list[str] = field(default_factory=list)
    reports: dict[str, TaskReport] = field(default_factory=dict)
    looked: Extent = "all"
    astray: frozenset[str] = frozenset()
    compared: Collection[str] | None = None
    _followed: set[str] = field(default_factory=set)
    _introduced: set[str] = field(default_factory=set)
    _forgotten: set[str] = field(default_factory=set)
    _conflicts: list[ConflictError] = field(default_factory=list)

    @property
    def planner(self) -> Planner:
        """Decides what is sent, by what is known of the remote."""
        return self.delivery.planner

    @property
    def repo(self) -> Repository:
        """Where from."""
        return self.planner.repo

    @property
    def remote(self) -> RemoteRepository:
        """Where to."""
        return self.planner.remote

    @property
    def tracking(self) -> Tracking:
        """What is known of the remote."""
        return self.planner.tracking

    def push_tasks(self, tasks: Iterable[str]) -> None:
        """Sends tasks, oldest work first, so that what later work builds on is there before it.

        A conflict, or one that is broken, does not keep the others from being sent.
        """
        ordered = iter(self.planner.in_order(tasks))
        while batch := list(islice(ordered, _BATCH)):
            for task in self._push_batch(batch):
                self._push_late(task)

    def raise_conflict(self, done: Exchange) -> None:
        """Raises the conflicts met, if any, now that everything else was sent; or what is wrong with all of it.

        Raises:
            ExchangeConflictError: there were conflicts.
            Mu2netError: every task is broken.
        """
        if self._conflicts:
            raise ExchangeConflictError(self._conflicts, done)
        if done.tasks and all(report.outcome == "broken" for report in done.tasks):
            for task, error in self.planner.broken.items():  # none where all is broken there, which the reports tell
                error.message = f"{task} is broken. {error.message}"
                raise error

    def forget(self, task: str) -> None:
        """Takes over what was seen of a head over there, and forgets it: another log is in its place now."""
        if self.repo.objects.has("commit", self.tracking.heads[task].commit):
            adopt(self.repo, self.tracking, [task], self.policy, remote=self.remote.remote)
        self._forgotten.add(task)
        self.delivery.note(self.tracking.without_head(task))
        self.planner.learn(self.tracking)
        self.restored.append(f"the head of {task}, on another log than was seen")

    def push_roots(self) -> tuple[NameReport, ...]:
        """Sends the roots the remote was not known to have."""
        reports = []
        for name, model_id, conflict in self.planner.conflicting_roots():
            reports.append(self._conflicting(name, model_id, conflict))
        for name, model_id in self.planner.new_roots():
            reports.append(self._push_name(name, model_id, self._push_root))
        return tuple(sorted(reports, key=lambda report: report.name))

    def push_tags(self) -> tuple[NameReport, ...]:
        """Sends the tags the remote was not known to have."""
        return tuple(self._push_name(name, oid, self._push_tag) for name, oid in self.planner.new_tags())

    def _push_name(self, name: str, oid: str, push: Callable[[str, str], NameReport]) -> NameReport:
        """Sends a root or tag; what is wrong with it is reported."""
        try:
            return push(name, oid)
        except ISOLATED as exc:
            self.planner.forget_plans()
            return NameReport(name=name, outcome="broken", id=oid, reason=why_broken(exc))

    def _push_root(self, name: str, model_id: str) -> NameReport:
        closure, reason = self._judged(partial(self.planner.root_closure, model_id))
        if reason is not None:
            return NameReport(name=name, outcome="skipped", id=model_id, reason=reason)
        remote = self.remote.remote.name
        try:
            self.delivery.establish([closure], "roots", partial(self.remote.refs.create_root, name, model_id))
        except AlreadyExistsError:
            return self._conflicting(name, model_id, root_conflict(name, model_id, None, remote))
        self.delivery.note(self.tracking.with_root(name, model_id))
        return NameReport(name=name, outcome="new", id=model_id)

    def _push_tag(self, name: str, snapshot_id: str) -> NameReport:
        closure, reason = self._judged(partial(self.planner.tag_closure, snapshot_id))
        if reason is not None:
            return NameReport(name=name, outcome="skipped", id=snapshot_id, reason=reason)
        try:
            self.delivery.establish([closure], "tags", partial(self.remote.refs.create_tag, name, snapshot_id))
        except AlreadyExistsError:
            return self._conflicting(name, snapshot_id, _tag_conflict(name, self.remote.remote.name))
        self.delivery.note(self.tracking.with_tag(name, snapshot_id))
        return NameReport(name=name, outcome="new", id=snapshot_id)

    def _conflicting(self, name: str, oid: str, conflict: ConflictError) -> NameReport:
        self._conflicts.append(conflict)
        return NameReport(name=name, outcome="conflict", id=oid, reason=conflict.message)

    def _push_batch(self, tasks: Sequence[str]) -> list[str]:
        """Sends tasks together, or one by one if something is wrong with one; returns those that must be joined."""
        try:
            return self._push_together(tasks)
        except ISOLATED as exc:
            self.delivery.cut_short()
            if len(tasks) == 1:
                self._break(tasks[0], exc)
                return []
        return [late for task in tasks for late in self._push_batch([task])]

    def _push_late(self, task: str) -> None:
        """Joins a task with what was done to it over there, and sends it."""
        try:
            self._push_task(task)
        except ConflictError as exc:
            self._conflicts.append(exc)
            self.reports[task] = conflict_report(task, exc)
        except ISOLATED as exc:
            self.delivery.cut_short()
            self._break(task, exc)

    def _break(self, task: str, error: Mu2netError) -> None:
        self.planner.broken[task] = error
        self.reports[task] = broken_report(task, error)

    def _push_together(self, tasks: Sequence[str]) -> list[str]:
        """Sends the tasks that can simply follow the remote's heads; returns those that cannot."""
        plans, late = list[Plan](), list[str]()
        for task in tasks:
            plan = self._plan(task)
            if task in self.astray - self._followed:
                late.append(task)
            elif isinstance(plan, TaskReport):
                self.reports[task] = self._as_looked_at(plan)
            elif plan is None:
                late.append(task)
            else:
                self._introduce(plan, {other.task for other in plans})
                self.planner.knowledge.sent(plan.closure)
                plans.append(plan)
        if plans:
            moved = self._send(plans, plans[0].task if len(plans) == 1 else f"{len(plans)} tasks")
            late += [plan.task for plan in plans if plan.task not in moved]
        return late

    def _push_task(self, task: str) -> None:
        """Sends one task; as often as others were faster, joins with what they did and tries again."""
        merged, lost = False, None
        for attempt in range(_ATTEMPTS):
            if attempt:  # lost twice: others push all the time, and looking again at once would only slow all down
                self.sleep(SystemRandom().uniform(0, min(_LONGEST_S, _FIRST_S * 2**attempt)))
            self.delivery.look()  # whoever moved the head may have purged the task
            outcome = self._follow(task)
            if outcome in {"skipped", "refused"}:
                return
            merged = merged or outcome == "merged"
            lost = self.reports[task].reason or lost
            if not self._push_together([task]):
                report = self.reports[task]
                is_merge = merged and report.outcome == "updated"
                self.reports[task] = replace(report, outcome="merged" if is_merge else report.outcome, reason=lost)
                return
        raise ConflictError(f"The head of {task} on {self.remote.remote.name} kept moving: gave up after {_ATTEMPTS}.")

    def _plan(self, task: str) -> Plan | TaskReport | None:
        """Returns how to send a task, judged when all that would be sent is here: what comes tells more of itself."""
        plan = self.planner.plan(task)
        return self.planner.plan(task) if isinstance(plan, Plan) and self.delivery.bring(plan.closure) else plan

    def _judged(self, judge: Callable[[], Judged]) -> Judged:
        """Returns likewise what a root or tag needs, and why it may not be sent."""
        judged = judge()
        return judge() if judged[1] is None and self.delivery.bring(judged[0]) else judged

    def _send(self, plans: Sequence[Plan], what: str) -> set[str]:
        """Sends what ``plans`` need, then moves their heads; returns the tasks whose heads stood as they were seen."""
        states = self.delivery.establish([plan.closure for plan in plans], what, partial(self._move, plans))
        for plan in plans:
            if plan.task in states:
                self.planner.knowledge.learn(plan.task, plan.commit)
                self.reports[plan.task] = self._report(plan)
        self.delivery.note(self.tracking.with_heads(states.values(), newest=next(reversed(states), "")))
        return set(states)

    def _move(self, plans: Sequence[Plan]) -> dict[str, HeadState]:
        """Moves heads that stand as they were seen; returns where they are."""
        strayed = self._strayed(plans)
        return move_heads(self.remote, [plan for plan in plans if plan.task not in strayed])

    def _strayed(self, plans: Sequence[Plan]) -> frozenset[str]:
        """Returns the tasks whose heads are on another log than was seen, though all was looked at: they are followed.

        Raises:
            RemoteChangedError: something is gone that is relied on, or may be: all has to be looked at.
        """
        tasks = strayed(self.remote, plans)
        if self.looked == "all" and all(self._is_entry_there(plan.after) for plan in plans if plan.task in tasks):
            return tasks
        relied = relied_on(plans) if self.looked == "brief" else ()
        gone = absent(self.remote, (node for node in relied if not self.planner.purged_there(node)))
        gaps = gapped(self.remote, plans) if self.looked == "brief" else {}
        entries = {plan.task: (plan.after.number,) for plan in plans if plan.after and plan.task in tasks}
        entries = {**{task: (number,) for task, number in gaps.items()}, **entries}
        if entries or gone:
            self.delivery.note(replace(self.tracking, lost=Losses(entries=entries, objects=gone).words))
            raise RemoteChangedError
        return frozenset()

    def _is_entry_there(self, state: HeadState | None) -> bool:
        return state is None or self.remote.store.exists(entry_key(state.task, state.number))

    def _as_looked_at(self, report: TaskReport) -> TaskReport:
        """Returns a report that claims nothing of the remote that was not looked at."""
        is_seen = self.looked in {"all", "listed"} and (self.compared is None or report.task in self.compared)
        if report.outcome != "up-to-date" or is_seen or report.task in self._followed:
            return report
        return TaskReport(task=report.task, outcome="unchanged")

    def _report(self, plan: Plan) -> TaskReport:
        outcome: TaskOutcome = "updated" if plan.after and plan.task not in self._introduced else "new"
        removed = self.repo.objects.commit(plan.commit).removed
        return TaskReport(task=plan.task, outcome="removed" if removed else outcome, commit=plan.commit)

    def _introduce(self, plan: Plan, known: Collection[str]) -> None:
        for first in self.planner.introductions(plan, known):
            self.delivery.bring(first.closure)
            if self._send([first], first.task) and first.task not in self._forgotten:
                self._introduced.add(first.task)
                reason = f"{plan.task} learned from it"
                report = TaskReport(task=first.task, outcome="new", commit=first.commit, reason=reason)
                self.reports[first.task] = report
            if first.task in self.planner.broken:  # the rest of it
                self._break(first.task, self.planner.broken[first.task])

    def _follow(self, task: str) -> TaskOutcome:
        """Fetches the remote's head of ``task`` and joins it with ours; returns what that took."""
        tracking, _, broken = fetch_heads(
            self.repo,
            self.remote,
            self.tracking,
            [task],
            counter=Counter(),
            policy=self.policy,
            arrivals=Arrivals.at(self.repo.identity, self.delivery.clock()),
        )
        if task in broken:
            raise broken[task]
        if task not in tracking.heads:
            return "new"  # it is gone altogether
        if tracking.replaced.get(task) != self.tracking.replaced.get(task):
            self.restored.append(f"the head of {task}, on another log than was seen")
        self._followed.add(task)
        skipped = self._purged_meanwhile(tracking, task)
        if skipped is not None:
            self.reports[task] = skipped
            return skipped.outcome
        reports = adopt(self.repo, tracking, [task], self.policy, remote=self.remote.remote)
        self.planner.learn(tracking)
        report = next(report for report in reports if report.task == task)
        self.reports[task] = report
        return report.outcome

    def _purged_meanwhile(self, tracking: Tracking, task: str) -> TaskReport | None:
        """Returns a report if nothing of a task may be sent because its head over there follows a purge.

        A purge moves the head before the epoch tells of it, so its tombstones are looked for.
        """
        objects, theirs = self.repo.objects, tracking.heads[task].commit
        if not objects.has("commit", theirs):
            return None
        if not any(is_purge(objects.commit(oid)) for oid in ancestry(objects, [theirs])):
            return None
        ours = self.repo.refs.head(task)
        if self.policy.refuse is not None and self.policy.refuse(theirs, ours.commit if ours else None) is not None:
            return None  # which is told when it is not joined
        note_purged(self.repo, self.remote, self.policy, [task])
        self.planner.learn(tracking)
        stones = read_purged(self.repo.state, self.remote.remote)
        is_told = any(stone.task == task for stone in stones)
        if not is_told and ours is not None and not contains(objects, ours.commit, theirs):
            name = self.remote.remote.name
            reason = f"it was purged from {name}, which lost what tells of that: mu2net push {name} in the copy that "
            return TaskReport(task=task, outcome="skipped", reason=f"{reason}purged it sends that again")
        plan = self.planner.plan(task)
        return plan if isinstance(plan, TaskReport) and plan.outcome == "skipped" else None


def _tag_conflict(name: str, remote: str) -> ConflictError:
    return ConflictError(
        f"The remote {remote} has another snapshot under the tag {name}, and tags never move. All else was pushed.",
        hint="Tag the snapshot under another name.",
    )
