"""Sending a working copy's heads, roots and tags to a remote.

The hot path asks the remote one question (is it still the one we know?) and otherwise only creates: what it has
already follows from what it was known to have, and whether somebody else moved a head shows when the next entry of
that head cannot be created. Then their work is fetched, joined with ours, and sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from mu2net_core.errors import AlreadyExistsError, ConflictError, NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo.adopt import adopt, first_commit
from mu2net_core.repo.audience import refusal, refused_task
from mu2net_core.repo.closure import Closure, Knowledge, Node, collect
from mu2net_core.repo.config import Remote
from mu2net_core.repo.fetching import fetch, fetch_heads, is_same_remote, root_conflict, unknown_task
from mu2net_core.repo.join import Policy
from mu2net_core.repo.merge import contains
from mu2net_core.repo.outcomes import Counter, Exchange, NameReport, TaskOutcome, TaskReport
from mu2net_core.repo.ready import check_ready
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import OpenStore, RemoteRepository, connect, connect_or_create
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.system import load_system
from mu2net_core.repo.tracking import Tracking, read_tracking, write_tracking
from mu2net_core.repo.transfer import send

__all__ = ["push"]

_ATTEMPTS = 100


def push(
    repo: Repository,
    remote: Remote,
    *,
    tasks: Collection[str] = (),
    policy: Policy | None = None,
    counter: Counter | None = None,
    open_store: OpenStore | None = None,
) -> Exchange:
    """Moves the heads of ``remote`` to include ours; makes a repository there if there is none.

    Tasks the remote's readers may not see are skipped, and reported. With ``tasks``, only these (and tasks whose
    knowledge they hold, if the remote has never seen them) and no tags.

    Raises:
        NotFoundError: there is no task of that name here; or the repository that was there is gone.
        ConflictError: heads diverged and the policy does not join them; or a root or tag there has another content.
        AccessDeniedError: permissions forbid it; nothing here is lost.
    """
    known = repo.refs.tasks()
    for task in tasks:
        if task not in known:
            raise unknown_task(task, known, "here", repo.config.remotes)
    counter = counter or Counter()
    reached, tracking = _reach(repo, remote, tasks, known, open_store)
    session = _Session(repo, reached, tracking, policy or Policy(), counter)
    roots = session.push_roots()
    session.push_tasks(tasks or known)
    tags = () if tasks else session.push_tags()
    session.raise_conflict()
    return Exchange(
        remote=remote.name,
        url=remote.url,
        tasks=tuple(session.reports[task] for task in sorted(session.reports)),
        tags=tags,
        roots=roots,
        num_objects=counter.num_objects,
        size_bytes=counter.size_bytes,
    )


def _reach(
    repo: Repository, remote: Remote, tasks: Collection[str], known: Collection[str], open_store: OpenStore | None
) -> tuple[RemoteRepository, Tracking]:
    """Returns the remote and what is known of it; one never met, or made anew since, is fetched from first."""
    tracking = read_tracking(repo.state, remote)
    reached = connect(remote, open_store=open_store)
    if tracking.heads and is_same_remote(reached, tracking, prefer=tasks):
        return reached, tracking
    if not reached.exists():
        if tracking.heads or tracking.roots:
            raise _gone(reached)
        check_ready(repo, reached.audience, tasks or known, tags=not tasks)
    reached = connect_or_create(remote, repo.config, open_store=open_store)
    fetch(repo, reached)
    return reached, read_tracking(repo.state, remote)


@dataclass(slots=True)
class _Session:
    """One push: what is known of the remote grows as it goes."""

    repo: Repository
    remote: RemoteRepository
    tracking: Tracking
    policy: Policy
    counter: Counter
    reports: dict[str, TaskReport] = field(default_factory=dict)
    rules: dict[str, AccessRule] = field(init=False)
    knowledge: Knowledge = field(init=False)
    _introduced: set[str] = field(default_factory=set)
    _conflicts: list[ConflictError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._learn(self.tracking)

    def push_tasks(self, tasks: Iterable[str]) -> None:
        """Sends tasks, oldest work first, so that what later work builds on is there before it.

        A conflict does not keep the others from being sent.
        """
        heads = {task: self.repo.refs.head(task) for task in tasks}
        times = {t: self.repo.objects.commit(head.commit).finished_at for t, head in heads.items() if head}
        for task in sorted(times, key=lambda task: (times[task], task)):
            try:
                self._push_task(task)
            except ConflictError as exc:
                self._conflicts.append(exc)

    def raise_conflict(self) -> None:
        """Raises the first conflict met, if any, now that everything else was sent."""
        if self._conflicts:
            raise self._conflicts[0]

    def push_roots(self) -> tuple[NameReport, ...]:
        """Sends the roots the remote was not known to have."""
        reports = []
        for name, model_id in sorted(self.repo.refs.roots().items()):
            if self.tracking.roots.get(name, model_id) != model_id:
                raise root_conflict(name, model_id, self.tracking.roots[name], self.remote.remote.name)
            if name in self.tracking.roots:
                continue
            self._send(collect(self.repo.objects, [("model", model_id)], self.knowledge), "roots")
            try:
                self.remote.refs.create_root(name, model_id)
            except AlreadyExistsError as exc:
                raise root_conflict(name, model_id, None, self.remote.remote.name) from exc
            self._note(self.tracking.with_root(name, model_id))
            reports.append(NameReport(name=name, outcome="new", id=model_id))
        return tuple(reports)

    def push_tags(self) -> tuple[NameReport, ...]:
        """Sends the tags the remote was not known to have."""
        tags = [t for t in sorted(self.repo.refs.tags().items()) if self.tracking.tags.get(t[0]) != t[1]]
        return tuple(self._push_tag(name, snapshot_id) for name, snapshot_id in tags)

    def _push_task(self, task: str) -> None:
        """Sends one task; as often as others were faster, joins with what they did and tries again."""
        merged = False
        for _ in range(_ATTEMPTS):
            report = self._try_task(task)
            if report is not None:
                merged = merged and report.outcome == "updated"
                self.reports[task] = replace(report, outcome="merged") if merged else report
                return
            merged = self._follow(task) or merged
        raise ConflictError(f"The head of {task} on {self.remote.remote.name} kept moving: gave up after {_ATTEMPTS}.")

    def _try_task(self, task: str) -> TaskReport | None:
        """Sends a task's head if it can simply follow the remote's; None if the remote's has to be joined first."""
        objects, theirs = self.repo.objects, self.tracking.heads.get(task)
        ours = self.repo.refs.head(task)
        reason = refused_task(task, self.rules, self.remote.audience) if ours else "it has no head here"
        if ours is None or reason is not None:
            return TaskReport(task=task, outcome="skipped", reason=reason)
        if theirs is not None and contains(objects, theirs.commit, ours.commit):
            return TaskReport(task=task, outcome="up-to-date", commit=theirs.commit)
        if theirs is not None and not contains(objects, ours.commit, theirs.commit):
            return None
        return self._send_task(task, ours.commit, theirs)

    def _send_task(self, task: str, commit_id: str, theirs: HeadState | None) -> TaskReport | None:
        closure = collect(self.repo.objects, [("commit", commit_id)], self.knowledge)
        reason = self._refusal(closure)
        if reason is not None:
            return TaskReport(task=task, outcome="skipped", reason=reason)
        self._introduce(task, closure)
        self._send(closure, task)
        if not self._move(task, commit_id, theirs):
            return None
        outcome: TaskOutcome = "updated" if theirs and task not in self._introduced else "new"
        removed = self.repo.objects.commit(commit_id).removed
        return TaskReport(task=task, outcome="removed" if removed else outcome, commit=commit_id)

    def _move(self, task: str, commit_id: str, after: HeadState | None) -> bool:
        """Moves the remote's head; returns False if somebody else did first."""
        try:
            state = self.remote.refs.append(task, commit_id, after=after)
        except ConflictError:
            return False
        self.knowledge.learn(task, commit_id)
        self._note(self.tracking.with_head(state))
        return True

    def _refusal(self, closure: Closure) -> str | None:
        return refusal(closure, self.rules, self.remote.audience)

    def _introduce(self, task: str, closure: Closure) -> None:
        """Makes the tasks that ``task`` learned from known to the remote, so that it can judge who may read this."""
        for other in sorted(closure.tasks - {task} - set(self.tracking.heads)):
            head = self.repo.refs.head(other)
            if head is None:
                continue
            commit_id = first_commit(self.repo.objects, head.commit)
            first = collect(self.repo.objects, [("commit", commit_id)], self.knowledge)
            if self._refusal(first) is None:
                self._send(first, other)
                if self._move(other, commit_id, None):
                    self._introduced.add(other)
                    reason = f"{task} learned from it"
                    self.reports[other] = TaskReport(task=other, outcome="new", commit=commit_id, reason=reason)

    def _follow(self, task: str) -> bool:
        """Fetches the remote's head of ``task`` and joins it with ours; returns whether that took a merge."""
        tracking, _ = fetch_heads(self.repo, self.remote, self.tracking, [task], counter=Counter())
        reports = adopt(self.repo, tracking, [task], self.policy)
        self._learn(tracking)
        return any(report.task == task and report.outcome == "merged" for report in reports)

    def _push_tag(self, name: str, snapshot_id: str) -> NameReport:
        heads = self.repo.objects.snapshot(snapshot_id).heads
        tips: list[Node] = [("commit", oid) for _, oid in sorted(heads.items())]
        closure = collect(self.repo.objects, [*tips, ("snapshot", snapshot_id)], self.knowledge)
        reason = self._refusal(closure)
        if reason is not None:
            return NameReport(name=name, outcome="skipped", id=snapshot_id, reason=reason)
        self._send(closure, "tags")
        try:
            self.remote.refs.create_tag(name, snapshot_id)
        except AlreadyExistsError as exc:
            self._conflicts.append(_tag_conflict(name, self.remote.remote.name))
            return NameReport(name=name, outcome="conflict", id=snapshot_id, reason=exc.message)
        self._note(self.tracking.with_tag(name, snapshot_id))
        return NameReport(name=name, outcome="new", id=snapshot_id)

    def _send(self, closure: Closure, what: str) -> None:
        for ref in closure.components:
            if not self.repo.objects.has("component", ref.id):
                self.repo.objects.read("component", ref.id)  # from another remote; or else nothing is sent
        send(self.repo.objects, self.remote, closure, self.rules, what=what, counter=self.counter)
        self.knowledge.sent(closure)

    def _note(self, tracking: Tracking) -> None:
        self.tracking = tracking
        write_tracking(self.repo.state, self.remote.remote.name, tracking)

    def _learn(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self.rules = dict(load_system(self.repo).rules)
        self.knowledge = Knowledge(self.repo.objects, tracking)


def _gone(remote: RemoteRepository) -> NotFoundError:
    name = remote.remote.name
    return NotFoundError(
        f"The repository that was at {remote.store.url} is gone; nothing was sent.",
        hint=f"Bring it back (is a disk or share not mounted?); or, to make it anew: mu2net remote remove {name}, "
        f"mu2net remote add {name} {remote.remote.url}, mu2net push {name}",
    )


def _tag_conflict(name: str, remote: str) -> ConflictError:
    return ConflictError(
        f"The remote {remote} has another snapshot under the tag {name}, and tags never move. All else was pushed.",
        hint="Tag the snapshot under another name.",
    )
