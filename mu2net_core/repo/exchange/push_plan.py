"""What a push is going to send, and why not the rest: judged by what is known of the remote, which is asked nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from mu2net_core.errors import ConflictError, CorruptObjectError, Mu2netError
from mu2net_core.objects import AccessRule
from mu2net_core.repo.core import HeadState, Purged, Repository, Tombstone
from mu2net_core.repo.exchange.adopting import first_commit
from mu2net_core.repo.exchange.losses import Losses, needed
from mu2net_core.repo.exchange.name_clashes import root_conflict
from mu2net_core.repo.exchange.purges_elsewhere import purged_here
from mu2net_core.repo.history import ISOLATED, contains, is_at_purge, load_rules
from mu2net_core.repo.remotes import (
    Closure,
    Knowledge,
    Node,
    RemoteRepository,
    TaskReport,
    Tracking,
    broken_report,
    collect,
    purges_here,
    purges_there,
    refusal,
    refused_task,
)

__all__ = ["Judged", "Plan", "Planner"]

Judged = tuple[Closure, str | None]
"""What a root or tag needs that the remote lacks, and why it may not be sent; None if it may."""

_NOTHING = Closure(manifests=(), components=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A head that can follow the remote's: its task, its commit, the entry it comes after, and what must be sent."""

    task: str
    commit: str
    after: HeadState | None
    closure: Closure


@dataclass(slots=True)
class Planner:
    """Decides what is to be sent to a remote.

    Attributes:
        repo: where from.
        remote: where to.
        tracking: what is known of the remote.
        lacking: what the remote had, and lost, and cannot get from here.
        moved: the tasks whose heads over there have entries that were not looked at.
        refuse_stone: returns why a tombstone of the remote counts for nothing, or None.
        rules: of all tasks, by name.
        knowledge: what the remote has, and what is planned to be sent.
        broken: what is wrong with tasks that nothing can be sent of.
    """

    repo: Repository
    remote: RemoteRepository
    tracking: Tracking
    lacking: Losses = field(default_factory=Losses)
    moved: frozenset[str] = frozenset()
    refuse_stone: Callable[[Tombstone], str | None] | None = None
    rules: dict[str, AccessRule] = field(init=False)
    knowledge: Knowledge = field(init=False)
    broken: dict[str, Mu2netError] = field(default_factory=dict)
    _purged_here: Purged = field(init=False)
    _purged_there: Purged = field(init=False)

    def __post_init__(self) -> None:
        self.learn(self.tracking)

    def learn(self, tracking: Tracking) -> None:
        """Takes over what is known of the remote now."""
        self.tracking = tracking
        self.rules = dict(load_rules(self.repo))
        self._purged_there = purges_there(self.repo, self.remote.remote, self.refuse_stone)
        self._purged_here = purges_here(self.repo)
        self.forget_plans()

    def forget_plans(self) -> None:
        """Takes nothing to be there any more but what was seen there: what was planned may not have been sent."""
        self.knowledge = Knowledge(self.repo.objects, self.tracking)

    def in_order(self, tasks: Iterable[str]) -> list[str]:
        """Returns ``tasks`` in the order of their newest work."""
        times = {task: self._time(head) for task in tasks if (head := self.repo.refs.head(task)) is not None}
        return sorted(times, key=lambda task: (times[task], task))

    def new_roots(self) -> list[tuple[str, str]]:
        """Returns name and model of the roots the remote was not known to have."""
        return [pair for pair in sorted(self.repo.refs.roots().items()) if pair[0] not in self.tracking.roots]

    def conflicting_roots(self) -> list[tuple[str, str, ConflictError]]:
        """Returns name and model of the roots that are known to be another model there, and what to tell of them."""
        name, theirs = self.remote.remote.name, self.tracking.roots
        ours = [(root, oid) for root, oid in sorted(self.repo.refs.roots().items()) if theirs.get(root, oid) != oid]
        return [(root, oid, root_conflict(root, oid, theirs[root], name)) for root, oid in ours]

    def new_tags(self) -> list[tuple[str, str]]:
        """Returns name and snapshot of the tags the remote was not known to have."""
        return [tag for tag in sorted(self.repo.refs.tags().items()) if self.tracking.tags.get(tag[0]) != tag[1]]

    def root_closure(self, model_id: str) -> Judged:
        """Returns what a root needs that the remote lacks, and why it may not be sent."""
        task = self.repo.objects.model(model_id).task
        if task is not None:
            return _NOTHING, f"it names a model of {task}, which is no root"
        closure = collect(self.repo.objects, [("model", model_id)], self.knowledge)
        return closure, self._refusal(closure)

    def tag_closure(self, snapshot_id: str) -> Judged:
        """Returns what a tag needs that the remote lacks, and why it may not be sent."""
        heads = self.repo.objects.snapshot(snapshot_id).heads
        tips: list[Node] = [("commit", oid) for _, oid in sorted(heads.items())]
        gone = self._purged_here.missing(self.repo.objects, tips)
        if gone is not None:
            return _NOTHING, f"it names {gone}, which was purged here"
        closure = collect(self.repo.objects, [*tips, ("snapshot", snapshot_id)], self.knowledge)
        reason = self._refusal(closure)
        if any(refused_task(task, self.rules, self.remote.audience) for task in heads):
            reason = f"{reason}; to name only what is public: mu2net tag NAME --public"
        return closure, reason

    def plan(self, task: str) -> Plan | TaskReport | None:
        """Returns how to send a task's head; a report where nothing is to be sent; None if it must be joined first.

        What is wrong with the task is reported as ``broken``, and kept.
        """
        if task in self.broken:
            return broken_report(task, self.broken[task])
        try:
            return self._plan(task)
        except ISOLATED as exc:
            self.broken[task] = exc
            return broken_report(task, exc)

    def _plan(self, task: str) -> Plan | TaskReport | None:
        objects, theirs, ours = self.repo.objects, self.tracking.heads.get(task), self.repo.refs.head(task)
        reason = self._obstacle(task, ours, theirs)
        if ours is None or reason is not None:
            return TaskReport(task=task, outcome="skipped", reason=reason)
        if self._lacks(task, ours):
            reason = f"{self.remote.remote.name} lost what it needs, and it is not here either"
            return TaskReport(task=task, outcome="skipped", reason=reason)
        if theirs is not None and contains(objects, theirs.commit, ours.commit):
            return TaskReport(task=task, outcome="up-to-date", commit=theirs.commit, reason=self._why_not(ours, theirs))
        if theirs is not None and not contains(objects, ours.commit, theirs.commit):
            return None
        closure = collect(objects, [("commit", ours.commit)], self.knowledge)
        reason = self._refusal(closure)
        if reason is not None:
            return TaskReport(task=task, outcome="skipped", reason=reason)
        return Plan(task=task, commit=ours.commit, after=theirs, closure=closure)

    def sends_only_heads(self, tasks: Collection[str], *, tags: bool) -> bool:
        """Returns whether any head of ``tasks`` can be sent, or must be joined, and no root or (if asked) tag can."""
        return not self._sends_names(tags=tags) and self._sends_heads(tasks)

    def sends(self, tasks: Collection[str], *, tags: bool) -> bool:
        """Returns whether there is anything to be sent, or joined, of ``tasks``, roots and (if asked) tags."""
        return self._sends_names(tags=tags) or self._sends_heads(tasks)

    def _sends_heads(self, tasks: Collection[str]) -> bool:
        return any(not isinstance(self.plan(task), TaskReport) for task in reversed(self.in_order(tasks)))

    def _sends_names(self, *, tags: bool) -> bool:
        names = [partial(self.root_closure, oid) for _, oid in self.new_roots()]
        names += [partial(self.tag_closure, oid) for _, oid in self.new_tags()] if tags else []
        return any(_may_be_sent(judge) for judge in names)

    def purged_there(self, node: Node) -> bool:
        """Returns whether an object may be gone there, because it was purged."""
        return self._purged_there.lists(node) is not None

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

    def _why_not(self, ours: HeadState, theirs: HeadState) -> str | None:
        """Returns why nothing is to be sent of a head that the remote has all of, if that is not plain."""
        if is_at_purge(self.repo.objects, theirs.commit):
            return "it was purged"
        if ours.task not in self.moved and contains(self.repo.objects, ours.commit, theirs.commit):
            return None
        return f"it moved on there: mu2net pull {self.remote.remote.name}"

    def _lacks(self, task: str, ours: HeadState) -> bool:
        """Returns whether the remote lost entries of a head, or objects it needs, that cannot be sent again."""
        gone = self.lacking.objects
        if not gone:
            return task in self.lacking.entries
        return task in self.lacking.entries or bool(
            gone & needed(self.repo.objects, [("commit", ours.commit)], Purged())
        )

    def _obstacle(self, task: str, ours: HeadState | None, theirs: HeadState | None) -> str | None:
        """Returns why nothing of a task may be sent, whatever is new of it.

        Raises:
            CorruptObjectError: that cannot be told.
        """
        if ours is None:
            return "it has no head here"
        reason = refused_task(task, self.rules, self.remote.audience)
        if reason is not None:
            return reason
        name = self.remote.remote.name
        if task in self.tracking.unread:
            what = f"What was purged of it from {name} cannot be read"
            raise CorruptObjectError(f"{what}: mu2net fsck --remote {name} says what is wrong, and who can mend it.")
        if theirs is not None:
            reason = purged_here(self.repo, self._purged_here, task, theirs.commit, name)
            if reason is not None:
                return reason
        if self._purged_there.covers_commit(self.repo.objects, ours.commit) is not None:
            return f"it was purged from {name}; here it stays. To drop it here, too: mu2net rm-task {task} --purge"
        return None

    def _time(self, head: HeadState) -> str:
        """Returns when a head's newest work was done; that of a broken one comes first, and is reported."""
        try:
            return self.repo.objects.commit(head.commit).finished_at
        except ISOLATED:
            return ""

    def _refusal(self, closure: Closure) -> str | None:
        objects = self.repo.objects
        reason = refusal(closure, self.rules, self.remote.audience, task_of=objects.task, label_of=objects.label)
        if reason is not None:
            return reason
        nodes: list[Node] = [node for node, _ in closure.manifests]
        nodes += [("component", ref.id) for ref in closure.components]
        task = next((task for node in nodes if (task := self._purged_there.forbids(node)) is not None), None)
        return (
            None if task is None else f"it holds knowledge of {task}, which was purged from {self.remote.remote.name}"
        )


def _may_be_sent(judge: Callable[[], Judged]) -> bool:
    """Returns whether a root or tag may be sent; what is broken is reported when that is tried."""
    try:
        return judge()[1] is None
    except ISOLATED:
        return False
