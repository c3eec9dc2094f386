"""Moving a working copy's own head to include work that came from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mu2net_core.errors import ConflictError, InvalidInputError
from mu2net_core.objects import Agent, Commit
from mu2net_core.repo.core import HeadState, Repository, Tombstone
from mu2net_core.repo.history import arrived, choose, contains, merge, sides
from mu2net_core.repo.remotes import TaskOutcome, TaskReport

__all__ = ["ON_CONFLICT", "OnConflict", "Policy", "conflict_report", "join"]

OnConflict = Literal["best", "ours", "theirs", "fail"]
ON_CONFLICT: tuple[OnConflict, ...] = ("best", "ours", "theirs", "fail")
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to do when both sides moved.

    Attributes:
        on_conflict: ``best`` keeps the better score and is the same for everybody; ``ours`` and ``theirs`` are
            somebody's decision; ``fail`` stops.
        agent: who decides; needed for ``ours`` and ``theirs``.
        now: when, as commits store it.
        command: the command line that is running, without what was named to it, for hints.
        sign: returns a decision with a signature, if decisions made here have one.
        refuse_stone: returns why a remote's tombstone counts for nothing, or None.
        follow_purges: whether what others purged on the remote is dropped here, too.
        sign_stone: returns a tombstone with a signature, if those made here have one.
        decide: returns what joins two heads where the commits that ``best`` goes by cannot tell which is the better, or
            None: then they do.
        refuse: returns why a fetched commit may not be taken over, given our head's, if there is one; or None.
        refuse_tag: returns why a fetched tag may not be taken over, given its name and snapshot; or None.
    """

    on_conflict: OnConflict = "best"
    agent: Agent | None = None
    now: str = ""
    command: str = "mu2net pull"
    sign: Callable[[Commit], Commit] = lambda commit: commit
    decide: Callable[[str, str], Commit | None] = lambda _ours, _theirs: None
    refuse: Callable[[str, str | None], str | None] | None = None
    refuse_tag: Callable[[str, str], str | None] | None = None
    refuse_stone: Callable[[Tombstone], str | None] | None = None
    follow_purges: bool = False
    sign_stone: Callable[[Tombstone], Tombstone] = lambda stone: stone

    def __post_init__(self) -> None:
        if self.on_conflict not in ON_CONFLICT:
            raise InvalidInputError(f"on-conflict: expected one of {', '.join(ON_CONFLICT)}, got {self.on_conflict!r}.")
        if self.on_conflict in {"ours", "theirs"} and (self.agent is None or not self.now):
            raise InvalidInputError(f"on-conflict {self.on_conflict}: expected who decides, and when.")

    @property
    def is_strict(self) -> bool:
        """Whether nothing is taken over that is not signed as it has to be."""
        return self.refuse is not None

    def again(self, remote: str, task: str, *more: str) -> str:
        """Returns the command that does the same for one task alone; ``remote`` is empty if it has no name."""
        return " ".join([self.command, *filter(None, [remote]), task, *more])

    def choice(self, remote: str, task: str) -> str:
        """Returns the commands that decide for one side of a task, as a hint."""
        either = [self.again(remote, task, "--on-conflict", side) for side in ("ours", "theirs")]
        return f"Keep one of them: {', or '.join(either)}"


def conflict_report(task: str, exc: ConflictError) -> TaskReport:
    """Returns the report of a task that was not joined: in short, for the error itself says whose the sides are."""
    return TaskReport(task=task, outcome="conflict", reason=exc.message.partition(". ")[0])


def join(repo: Repository, task: str, theirs: str, policy: Policy, *, remote: str = "") -> TaskReport:
    """Moves the head of ``task`` in ``repo`` so that it contains the commit ``theirs``; returns what that took.

    Args:
        repo: whose head.
        task: the task.
        theirs: what to include.
        policy: if both sides moved.
        remote: the name of the remote it is from, for hints; empty if it has none.

    Raises:
        ConflictError: both sides moved and the policy is ``fail``, or the scores of the two sides do not compare.
    """
    for _ in range(_ATTEMPTS):
        ours = repo.refs.head(task)
        if ours is not None and contains(repo.objects, ours.commit, theirs):
            outcome: TaskOutcome = "up-to-date" if contains(repo.objects, theirs, ours.commit) else "ahead"
            return TaskReport(task=task, outcome=outcome, commit=ours.commit)
        outcome, commit_id = _joined(repo, ours, theirs, policy, remote)
        try:
            repo.refs.append(task, commit_id, after=ours)
        except ConflictError:
            continue  # another process of this working copy moved the head: look again
        told = None if ours is None else arrived(repo.objects, ours.commit, commit_id, theirs)
        return TaskReport(task=task, outcome=outcome, commit=commit_id, reason=told)
    raise ConflictError(f"The head of {task} kept moving: {_ATTEMPTS} attempts to follow it failed.")


def _joined(
    repo: Repository, ours: HeadState | None, theirs: str, policy: Policy, remote: str
) -> tuple[TaskOutcome, str]:
    their_commit = repo.objects.commit(theirs)
    if ours is None:
        return ("removed" if their_commit.removed else "new"), theirs
    was_removed = repo.objects.commit(ours.commit).removed
    if contains(repo.objects, theirs, ours.commit):
        return ("removed" if their_commit.removed and not was_removed else "updated"), theirs
    commit_id, commit = _merged(repo, ours, theirs, policy, remote)
    return ("removed" if commit.removed and not was_removed else "merged"), commit_id


def _merged(repo: Repository, ours: HeadState, theirs: str, policy: Policy, remote: str) -> tuple[str, Commit]:
    if policy.on_conflict == "fail":
        raise ConflictError(
            f"Both sides moved the head of {ours.task}: {ours.commit[:10]} here and {theirs[:10]} there. "
            f"{sides(repo.objects, ours.commit, theirs)}",
            hint=f"Keep the better score: {policy.again(remote, ours.task)}; or one side: "
            f"{policy.again(remote, ours.task, '--on-conflict', 'ours')} (or theirs)",
        )
    if policy.on_conflict == "best" or policy.agent is None:
        try:
            _, commit = merge(repo.objects, [ours.commit, theirs])
        except ConflictError as exc:
            raise ConflictError(
                f"{exc.message} {sides(repo.objects, ours.commit, theirs)}",
                hint=policy.choice(remote, ours.task),
            ) from exc
        commit = policy.decide(ours.commit, theirs) or commit
    else:
        keep, other = (ours.commit, theirs) if policy.on_conflict == "ours" else (theirs, ours.commit)
        commit = policy.sign(choose(repo.objects, keep=keep, other=other, agent=policy.agent, now=policy.now))
    return repo.objects.put(commit), commit
