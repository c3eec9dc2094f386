"""Bringing the histories of a remote's heads here, each of which is taken or left by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.repo.core import HeadState, Repository, repair_hint
from mu2net_core.repo.exchange.head_moves import absent
from mu2net_core.repo.exchange.intake import receive_components, receive_each
from mu2net_core.repo.exchange.presence import Presence
from mu2net_core.repo.exchange.purges_elsewhere import left_alone
from mu2net_core.repo.history import ISOLATED, Arrivals, contains
from mu2net_core.repo.remotes import Counter, Node, RemoteRepository, Seen, TaskOutcome, TaskReport, Tracking

__all__ = ["ReceivedHeads", "receive_heads", "report_of", "set_aside_buried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedHeads:
    """What came of bringing heads.

    Attributes:
        teachers: the tasks whose rules one must know to judge those that came.
        broken: what is wrong with the others, by task.
        claimed: of these, the ones whose commit is ours, and is not there though their heads name it.
    """

    teachers: frozenset[str] = frozenset()
    broken: Mapping[str, Mu2netError] = field(default_factory=dict)
    claimed: frozenset[str] = frozenset()


def set_aside_buried(
    repo: Repository, remote: RemoteRepository, states: Mapping[str, HeadState]
) -> tuple[dict[str, TaskReport], dict[str, Mu2netError]]:
    """Returns reports of the heads that continue what was purged here; and what is wrong with those one cannot tell."""
    try:
        return left_alone(repo, remote, states), {}
    except ISOLATED:
        buried, broken = dict[str, TaskReport](), dict[str, Mu2netError]()
    for task, state in states.items():
        try:
            buried |= left_alone(repo, remote, {task: state})
        except ISOLATED as exc:
            broken[task] = exc
    return buried, broken


def receive_heads(
    repo: Repository,
    remote: RemoteRepository,
    states: Mapping[str, HeadState],
    tracking: Tracking,
    *,
    counter: Counter,
    arrivals: Arrivals,
) -> ReceivedHeads:
    """Copies the histories of heads; where one cannot be had or cannot be right, the others come all the same.

    Args:
        repo: where to.
        remote: where from.
        states: the heads.
        tracking: what was seen of the remote before.
        counter: of objects.
        arrivals: what is judged by.
    """
    if not states:
        return ReceivedHeads()
    what = next(iter(states)) if len(states) == 1 else f"{len(states)} tasks"
    seen = tracking.heads
    claimed = _claimed(repo, remote, states, seen)
    broken: dict[str, Mu2netError] = dict(claimed)
    tips: dict[str, Node] = {t: ("commit", state.commit) for t, state in states.items() if t not in claimed}
    known = {tip for task, tip in tips.items() if task in seen and seen[task].commit == tip[1]}
    received = receive_each(
        repo,
        remote,
        tips.values(),
        what=what,
        counter=counter,
        arrivals=arrivals,
        seen=known,
        confirmed=set(tips.values()) - known,
        presence=Presence(remote, Seen(repo.objects, tracking)),
    )
    teachers = set(received.tasks)
    for task, tip in tips.items():
        try:
            if tip in received.failed:
                raise received.failed[tip]
            teachers |= _completed(repo, remote, states[task], what, counter)
        except ISOLATED as exc:
            broken[task] = exc
    return ReceivedHeads(teachers=frozenset(teachers), broken=broken, claimed=frozenset(claimed))


def report_of(
    repo: Repository, state: HeadState, seen: HeadState | None, *, other: str | None, is_bad: bool
) -> TaskReport:
    """Returns what became of a head that is here now.

    Args:
        repo: where it came to.
        state: where it is.
        seen: where it was seen before.
        other: in what its log is not the one that was seen; None if it goes on from there.
        is_bad: whether that is wrong in any case.
    """
    outcome: TaskOutcome = "up-to-date"
    if seen is None or seen.commit != state.commit:
        outcome = "new" if seen is None else "updated"
        outcome = "removed" if repo.objects.commit(state.commit).removed else outcome
    reason = None if other is None else f"{other}; what was seen of it is kept here"
    return TaskReport(task=state.task, outcome="broken" if is_bad else outcome, commit=state.commit, reason=reason)


def _completed(
    repo: Repository, remote: RemoteRepository, state: HeadState, what: str, counter: Counter
) -> frozenset[str]:
    """Brings what else a head's model needs here; returns the tasks that the model speaks of."""
    commit = repo.objects.commit(state.commit)
    if commit.task != state.task:
        raise CorruptObjectError(
            f"The head of {state.task} on the remote {remote.remote.name} ({remote.remote.url}) names the commit "
            f"{state.commit}, which is of the task {commit.task}. It was not taken over.",
            hint=repair_hint(remote.remote.name),
        )
    if commit.model is None:
        return frozenset()
    if not remote.remote.partial:
        receive_components(repo, remote, [commit.model], what=what, counter=counter)
    return repo.objects.model(commit.model).trained_by


def _claimed(
    repo: Repository, remote: RemoteRepository, states: Mapping[str, HeadState], seen: Mapping[str, HeadState]
) -> dict[str, Mu2netError]:
    """Returns the heads that name commits which are here and were never seen there, and are not there at all.

    Nobody else can follow such a head. One question for each that moved to what is here.
    """
    commits: dict[str, Node] = {
        task: ("commit", state.commit)
        for task, state in states.items()
        if (task not in seen or seen[task].commit != state.commit) and repo.objects.has("commit", state.commit)
    }
    gone = absent(remote, set(commits.values())) if commits else frozenset()
    return {task: _claim_error(repo, remote, states[task]) for task, node in commits.items() if node in gone}


def _claim_error(repo: Repository, remote: RemoteRepository, state: HeadState) -> CorruptObjectError:
    name, ours = remote.remote.name, repo.refs.head(state.task)
    sends = ours is not None and contains(repo.objects, ours.commit, state.commit)
    how = f"mu2net push {name} {state.task}" if sends else f"mu2net fsck --remote {name} --repair-from ."
    return CorruptObjectError(
        f"The head of {state.task} on the remote {name} names the commit {state.commit[:16]}, which is not there, and "
        f"is here. `{how}` sends it."
    )
