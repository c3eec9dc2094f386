"""One push under way: what is known of the remote grows as it goes.

Tasks are sent in batches: the objects of all first, many at a time, then their heads. Where somebody else moved a head
meanwhile, creating its next entry fails; then their work is fetched, joined with ours, and sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from random import SystemRandom

from mu2net_core.errors import AlreadyExistsError, ConflictError
from mu2net_core.objects import AccessRule
from mu2net_core.repo.adopt import adopt, first_commit
from mu2net_core.repo.audience import refusal, refused_task
from mu2net_core.repo.closure import Closure, Knowledge, Node, collect
from mu2net_core.repo.dropping import purged_here
from mu2net_core.repo.epoch import is_current
from mu2net_core.repo.fetching import Clock, fetch_heads
from mu2net_core.repo.fetching_names import root_conflict
from mu2net_core.repo.join import Policy
from mu2net_core.repo.merge import contains
from mu2net_core.repo.moving import Plan, move_heads
from mu2net_core.repo.outcomes import Counter, NameReport, TaskOutcome, TaskReport
from mu2net_core.repo.prefetch import bring_components
from mu2net_core.repo.purged import Purged
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.system import load_rules
from mu2net_core.repo.tracking import Tracking, read_purged, write_tracking
from mu2net_core.repo.transfer import freshen, restore_missing, send

__all__ = ["Delivery", "RemoteChangedError", "Session"]

_ATTEMPTS = 100
_FIRST_S, _LONGEST_S = 0.02, 2.0
_BATCH = 64


class RemoteChangedError(Exception):
    """The remote is in another epoch than when the push began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Objects that are on the remote now; ``refreshed`` are those that were there, and old."""

    refreshed: tuple[Node, ...] = ()


@dataclass(slots=True)
class Session:
    """What a push knows and has done.

    Attributes:
        repo: where from.
        remote: where to.
        tracking: what is known of the remote.
        policy: for heads that moved on both sides.
        counter: of objects.
        clock: tells the time.
        sleep: waits that many seconds.
        reports: what became of each task.
        rules: of all tasks, by name.
        knowledge: what the remote has.
        purged: what was purged from it.
    """

    repo: Repository
    remote: RemoteRepository
    tracking: Tracking
    policy: Policy
    counter: Counter
    clock: Clock = lambda: None
    sleep: Callable[[float], None] = time.sleep
    reports: dict[str, TaskReport] = field(default_factory=dict)
    rules: dict[str, AccessRule] = field(init=False)
    knowledge: Knowledge = field(init=False)
    purged: Purged = field(init=False)
    _own_purged: Purged = field(init=False)
    _resuming: bool = field(init=False)
    _introduced: set[str] = field(default_factory=set)
    _conflicts: list[ConflictError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._resuming = self.tracking.unfinished
        self.learn(self.tracking)

    def push_tasks(self, tasks: Iterable[str]) -> None:
        """Sends tasks, oldest work first, so that what later work builds on is there before it.

        A conflict does not keep the others from being sent.
        """
        ordered = iter(self.in_order(tasks))
        while batch := list(islice(ordered, _BATCH)):
            for task in self._push_together(batch):
                try:
                    self._push_task(task)
                except ConflictError as exc:
                    self._conflicts.append(exc)

    def in_order(self, tasks: Iterable[str]) -> list[str]:
        """Returns ``tasks`` in the order of their newest work."""
        heads = {task: self.repo.refs.head(task) for task in tasks}
        times = {t: self.repo.objects.commit(head.commit).finished_at for t, head in heads.items() if head}
        return sorted(times, key=lambda task: (times[task], task))

    def raise_conflict(self) -> None:
        """Raises the first conflict met, if any, now that everything else was sent."""
        if self._conflicts:
            raise self._conflicts[0]

    def finish(self) -> None:
        """Notes that all was sent."""
        if self.tracking.unfinished:
            self._note(replace(self.tracking, unfinished=False))

    def push_roots(self) -> tuple[NameReport, ...]:
        """Sends the roots the remote was not known to have."""
        reports = []
        for name, model_id in self.new_roots():
            closure = collect(self.repo.objects, [("model", model_id)], self.knowledge)
            delivery = self._deliver([closure], "roots")
            try:
                self.remote.refs.create_root(name, model_id)
            except AlreadyExistsError as exc:
                raise root_conflict(name, model_id, None, self.remote.remote.name) from exc
            restore_missing(self.repo.objects, self.remote, delivery.refreshed)
            self._note(self.tracking.with_root(name, model_id))
            reports.append(NameReport(name=name, outcome="new", id=model_id))
        return tuple(reports)

    def new_roots(self) -> list[tuple[str, str]]:
        """Returns name and model of the roots the remote was not known to have."""
        ours = sorted(self.repo.refs.roots().items())
        for name, model_id in ours:
            if self.tracking.roots.get(name, model_id) != model_id:
                raise root_conflict(name, model_id, self.tracking.roots[name], self.remote.remote.name)
        return [(name, model_id) for name, model_id in ours if name not in self.tracking.roots]

    def push_tags(self) -> tuple[NameReport, ...]:
        """Sends the tags the remote was not known to have."""
        return tuple(self._push_tag(name, snapshot_id) for name, snapshot_id in self.new_tags())

    def new_tags(self) -> list[tuple[str, str]]:
        """Returns name and snapshot of the tags the remote was not known to have."""
        return [tag for tag in sorted(self.repo.refs.tags().items()) if self.tracking.tags.get(tag[0]) != tag[1]]

    def tag_closure(self, snapshot_id: str) -> tuple[Closure, str | None]:
        """Returns what a tag needs that the remote lacks, and why it may not be sent."""
        heads = self.repo.objects.snapshot(snapshot_id).heads
        tips: list[Node] = [("commit", oid) for _, oid in sorted(heads.items())]
        gone = self._own_purged.missing(self.repo.objects, tips)
        if gone is not None:
            return Closure(manifests=(), components=()), f"it names {gone}, which was purged here"
        closure = collect(self.repo.objects, [*tips, ("snapshot", snapshot_id)], self.knowledge)
        return closure, self._refusal(closure)

    def plan(self, task: str) -> Plan | TaskReport | None:
        """Returns how to send a task's head; a report where nothing is to be sent; None if it must be joined first."""
        objects, theirs, ours = self.repo.objects, self.tracking.heads.get(task), self.repo.refs.head(task)
        reason = self._obstacle(task, ours, theirs)
        if ours is None or reason is not None:
            return TaskReport(task=task, outcome="skipped", reason=reason)
        if theirs is not None and contains(objects, theirs.commit, ours.commit):
            return TaskReport(task=task, outcome="up-to-date", commit=theirs.commit)
        if theirs is not None and not contains(objects, ours.commit, theirs.commit):
            return None
        closure = collect(objects, [("commit", ours.commit)], self.knowledge)
        reason = self._refusal(closure)
        if reason is not None:
            return TaskReport(task=task, outcome="skipped", reason=reason)
        return Plan(task=task, commit=ours.commit, after=theirs, closure=closure)

    def introductions(self, plan: Plan, known: Collection[str]) -> Iterator[Plan]:
        """Yields how to make those tasks known to the remote that a task learned from: so it can judge who may read it.

        Args:
            plan: of the task.
            known: tasks that are going to be known there.
        """
        for other in sorted(plan.closure.tasks - {plan.task} - set(known) - set(self.tracking.heads)):
            head = self.repo.refs.head(other)
            if head is not None:
                commit_id = first_commit(self.repo.objects, head.commit)
                closure = collect(self.repo.objects, [("commit", commit_id)], self.knowledge)
                if self._refusal(closure) is None:
                    self.knowledge.sent(closure)
                    yield Plan(task=other, commit=commit_id, after=None, closure=closure)

    def learn(self, tracking: Tracking) -> None:
        """Takes over what is known of the remote now."""
        self.tracking = tracking
        self.rules = dict(load_rules(self.repo))
        self.knowledge = Knowledge(self.repo.objects, tracking)
        self.purged = Purged(read_purged(self.repo.state, self.remote.remote))
        self._own_purged = Purged.read(self.repo.refs)

    def _push_together(self, tasks: Sequence[str]) -> list[str]:
        """Sends the tasks that can simply follow the remote's heads; returns those that cannot."""
        plans, late = list[Plan](), list[str]()
        for task in tasks:
            plan = self.plan(task)
            if isinstance(plan, TaskReport):
                self.reports[task] = plan
            elif plan is None:
                late.append(task)
            else:
                self._introduce(plan, {other.task for other in plans})
                self.knowledge.sent(plan.closure)
                plans.append(plan)
        if plans:
            moved = self._send(plans, plans[0].task if len(plans) == 1 else f"{len(plans)} tasks")
            late += [plan.task for plan in plans if plan.task not in moved]
        return late

    def _push_task(self, task: str) -> None:
        """Sends one task; as often as others were faster, joins with what they did and tries again."""
        merged = False
        for attempt in range(_ATTEMPTS):
            if attempt:  # lost twice: others push all the time, and looking again at once would only slow all down
                self.sleep(SystemRandom().uniform(0, min(_LONGEST_S, _FIRST_S * 2**attempt)))
            self._look()  # whoever moved the head may have purged the task
            outcome = self._follow(task)
            if outcome in {"skipped", "refused"}:
                return
            merged = merged or outcome == "merged"
            if not self._push_together([task]):
                report = self.reports[task]
                is_merge = merged and report.outcome == "updated"
                self.reports[task] = replace(report, outcome="merged") if is_merge else report
                return
        raise ConflictError(f"The head of {task} on {self.remote.remote.name} kept moving: gave up after {_ATTEMPTS}.")

    def _send(self, plans: Sequence[Plan], what: str) -> set[str]:
        """Sends what ``plans`` need, then moves their heads; returns the tasks whose heads nobody else moved first."""
        delivery = self._deliver([plan.closure for plan in plans], what)
        states = move_heads(self.remote, plans)
        restore_missing(self.repo.objects, self.remote, delivery.refreshed)
        for plan in plans:
            if plan.task in states:
                self.knowledge.learn(plan.task, plan.commit)
                self.reports[plan.task] = self._report(plan)
        self._note(self.tracking.with_heads(states.values()))
        return set(states)

    def _report(self, plan: Plan) -> TaskReport:
        outcome: TaskOutcome = "updated" if plan.after and plan.task not in self._introduced else "new"
        removed = self.repo.objects.commit(plan.commit).removed
        return TaskReport(task=plan.task, outcome="removed" if removed else outcome, commit=plan.commit)

    def _obstacle(self, task: str, ours: HeadState | None, theirs: HeadState | None) -> str | None:
        """Returns why nothing of a task may be sent, whatever is new of it."""
        if ours is None:
            return "it has no head here"
        reason = refused_task(task, self.rules, self.remote.audience)
        if reason is not None:
            return reason
        name = self.remote.remote.name
        if theirs is not None:
            reason = purged_here(self.repo, self._own_purged, task, theirs.commit, name)
            if reason is not None:
                return reason
        if self.purged.covers_commit(self.repo.objects, ours.commit) is not None:
            return f"it was purged from {name}; mu2net pull drops it here, unless there is work on it never sent there"
        return None

    def _refusal(self, closure: Closure) -> str | None:
        reason = refusal(closure, self.rules, self.remote.audience)
        if reason is not None:
            return reason
        nodes: list[Node] = [node for node, _ in closure.manifests]
        nodes += [("component", ref.id) for ref in closure.components]
        task = next((task for node in nodes if (task := self.purged.forbids(node)) is not None), None)
        return (
            None if task is None else f"it holds knowledge of {task}, which was purged from {self.remote.remote.name}"
        )

    def _introduce(self, plan: Plan, known: Collection[str]) -> None:
        for first in self.introductions(plan, known):
            if self._send([first], first.task):
                self._introduced.add(first.task)
                reason = f"{plan.task} learned from it"
                report = TaskReport(task=first.task, outcome="new", commit=first.commit, reason=reason)
                self.reports[first.task] = report

    def _follow(self, task: str) -> TaskOutcome:
        """Fetches the remote's head of ``task`` and joins it with ours; returns what that took."""
        tracking, _, broken = fetch_heads(self.repo, self.remote, self.tracking, [task], counter=Counter())
        if task in broken:
            raise broken[task]
        reports = adopt(self.repo, tracking, [task], self.policy, remote=self.remote.remote)
        self.learn(tracking)
        report = next(report for report in reports if report.task == task)
        self.reports[task] = report
        return report.outcome

    def _push_tag(self, name: str, snapshot_id: str) -> NameReport:
        closure, reason = self.tag_closure(snapshot_id)
        if reason is not None:
            return NameReport(name=name, outcome="skipped", id=snapshot_id, reason=reason)
        delivery = self._deliver([closure], "tags")
        try:
            self.remote.refs.create_tag(name, snapshot_id)
        except AlreadyExistsError as exc:
            self._conflicts.append(_tag_conflict(name, self.remote.remote.name))
            return NameReport(name=name, outcome="conflict", id=snapshot_id, reason=exc.message)
        restore_missing(self.repo.objects, self.remote, delivery.refreshed)
        self._note(self.tracking.with_tag(name, snapshot_id))
        return NameReport(name=name, outcome="new", id=snapshot_id)

    def _deliver(self, closures: Sequence[Closure], what: str) -> Delivery:
        """Sends objects; when this returns, a ref may be created that needs them."""
        objects = self.repo.objects
        refs = [ref for closure in closures for ref in closure.components]
        bring_components(self.repo, refs, counter=Counter())  # from another remote; or else nothing is sent
        if refs and not self.tracking.unfinished:
            self._note(replace(self.tracking, unfinished=True))
        options = {"what": what, "counter": self.counter, "resuming": self._resuming}
        found = send(objects, self.remote, closures, self.rules, **options)  # type: ignore[arg-type]
        for closure in closures:
            self.knowledge.sent(closure)
        sent: list[Node] = [node for closure in closures for node, _ in closure.manifests]
        newest = next((node for node in sent if node not in found), [*found, *sent][-1] if found else None)
        delivery = Delivery(refreshed=freshen(objects, self.remote, found, newest) if newest else ())
        self._confirm()
        return delivery

    def _confirm(self) -> None:
        """Makes sure that nothing was purged that a ref about to be made relies on, if a while has passed.

        Raises:
            RemoteChangedError: something may have been; what was sent is referred to by nothing.
        """
        now, epoch = self.clock(), self.tracking.epoch
        if now is None or epoch is None or self.tracking.is_fresh(now):
            return
        self._look()
        self.tracking = self.tracking.checked(epoch, now)

    def _look(self) -> None:
        """Raises RemoteChangedError if something may have been purged; one question, whatever the time."""
        epoch = self.tracking.epoch
        if epoch is not None and not is_current(self.remote.store, epoch):
            self._note(self.tracking.checked(epoch, None))
            raise RemoteChangedError

    def _note(self, tracking: Tracking) -> None:
        self.tracking = tracking
        write_tracking(self.repo.state, self.remote.remote.name, tracking)


def _tag_conflict(name: str, remote: str) -> ConflictError:
    return ConflictError(
        f"The remote {remote} has another snapshot under the tag {name}, and tags never move. All else was pushed.",
        hint="Tag the snapshot under another name.",
    )
