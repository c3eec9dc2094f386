"""What a push is going to send, and why not the rest: judged by what is known of the remote, which is asked nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from mu2net_core.objects import AccessRule
from mu2net_core.repo.adopt import first_commit
from mu2net_core.repo.audience import refusal, refused_task
from mu2net_core.repo.closure import Closure, Knowledge, Node, collect
from mu2net_core.repo.dropping import purged_here
from mu2net_core.repo.fetching_names import root_conflict
from mu2net_core.repo.losses import Losses, needed
from mu2net_core.repo.merge import contains
from mu2net_core.repo.outcomes import TaskReport
from mu2net_core.repo.purged import Purged, is_purge
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.system import load_rules
from mu2net_core.repo.tracking import Tracking, read_purged

__all__ = ["Plan", "Planner"]


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
        rules: of all tasks, by name.
        knowledge: what the remote has, and what is planned to be sent.
    """

    repo: Repository
    remote: RemoteRepository
    tracking: Tracking
    lacking: Losses = field(default_factory=Losses)
    moved: frozenset[str] = frozenset()
    rules: dict[str, AccessRule] = field(init=False)
    knowledge: Knowledge = field(init=False)
    _purged_here: Purged = field(init=False)
    _purged_there: Purged = field(init=False)

    def __post_init__(self) -> None:
        self.learn(self.tracking)

    def learn(self, tracking: Tracking) -> None:
        """Takes over what is known of the remote now."""
        self.tracking = tracking
        self.rules = dict(load_rules(self.repo))
        self.knowledge = Knowledge(self.repo.objects, tracking)
        self._purged_there = Purged(read_purged(self.repo.state, self.remote.remote))
        self._purged_here = Purged.read(self.repo.refs)

    def in_order(self, tasks: Iterable[str]) -> list[str]:
        """Returns ``tasks`` in the order of their newest work."""
        heads = {task: self.repo.refs.head(task) for task in tasks}
        times = {t: self.repo.objects.commit(head.commit).finished_at for t, head in heads.items() if head}
        return sorted(times, key=lambda task: (times[task], task))

    def new_roots(self) -> list[tuple[str, str]]:
        """Returns name and model of the roots the remote was not known to have."""
        ours = sorted(self.repo.refs.roots().items())
        for name, model_id in ours:
            if self.tracking.roots.get(name, model_id) != model_id:
                raise root_conflict(name, model_id, self.tracking.roots[name], self.remote.remote.name)
        return [(name, model_id) for name, model_id in ours if name not in self.tracking.roots]

    def new_tags(self) -> list[tuple[str, str]]:
        """Returns name and snapshot of the tags the remote was not known to have."""
        return [tag for tag in sorted(self.repo.refs.tags().items()) if self.tracking.tags.get(tag[0]) != tag[1]]

    def tag_closure(self, snapshot_id: str) -> tuple[Closure, str | None]:
        """Returns what a tag needs that the remote lacks, and why it may not be sent."""
        heads = self.repo.objects.snapshot(snapshot_id).heads
        tips: list[Node] = [("commit", oid) for _, oid in sorted(heads.items())]
        gone = self._purged_here.missing(self.repo.objects, tips)
        if gone is not None:
            return Closure(manifests=(), components=()), f"it names {gone}, which was purged here"
        closure = collect(self.repo.objects, [*tips, ("snapshot", snapshot_id)], self.knowledge)
        reason = self._refusal(closure)
        if any(refused_task(task, self.rules, self.remote.audience) for task in heads):
            reason = f"{reason}; to name only what is public: mu2net tag NAME --public"
        return closure, reason

    def plan(self, task: str) -> Plan | TaskReport | None:
        """Returns how to send a task's head; a report where nothing is to be sent; None if it must be joined first."""
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
        if self.repo.refs.roots().keys() - self.tracking.roots.keys():
            return False
        if tags and any(self.tag_closure(snapshot_id)[1] is None for _, snapshot_id in self.new_tags()):
            return False
        newest_first = reversed(self.in_order(tasks))
        return any(not isinstance(self.plan(task), TaskReport) for task in newest_first)

    def sends(self, tasks: Collection[str], *, tags: bool) -> bool:
        """Returns whether there is anything to be sent, or joined, of ``tasks``, roots and (if asked) tags."""
        is_new = bool(self.repo.refs.roots().keys() - self.tracking.roots.keys())
        is_new = is_new or (tags and any(self.tag_closure(oid)[1] is None for _, oid in self.new_tags()))
        return is_new or any(not isinstance(self.plan(task), TaskReport) for task in reversed(self.in_order(tasks)))

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
        if is_purge(self.repo.objects.commit(theirs.commit)):
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
        """Returns why nothing of a task may be sent, whatever is new of it."""
        if ours is None:
            return "it has no head here"
        reason = refused_task(task, self.rules, self.remote.audience)
        if reason is not None:
            return reason
        name = self.remote.remote.name
        if theirs is not None:
            reason = purged_here(self.repo, self._purged_here, task, theirs.commit, name)
            if reason is not None:
                return reason
        if self._purged_there.covers_commit(self.repo.objects, ours.commit) is not None:
            return f"it was purged from {name}; mu2net pull drops it here, unless there is work on it never sent there"
        return None

    def _refusal(self, closure: Closure) -> str | None:
        reason = refusal(closure, self.rules, self.remote.audience)
        if reason is not None:
            return reason
        nodes: list[Node] = [node for node, _ in closure.manifests]
        nodes += [("component", ref.id) for ref in closure.components]
        task = next((task for node in nodes if (task := self._purged_there.forbids(node)) is not None), None)
        return (
            None if task is None else f"it holds knowledge of {task}, which was purged from {self.remote.remote.name}"
        )
