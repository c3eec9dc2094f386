"""Bringing a remote's refs and manifests here; the working copy's own heads stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.repo.arrival import MissingObjectError
from mu2net_core.repo.closure import Node
from mu2net_core.repo.dropping import left_alone, presumed
from mu2net_core.repo.epoch import current_epoch, is_current
from mu2net_core.repo.fetching_names import fetch_roots, fetch_tags
from mu2net_core.repo.following import (
    Followed,
    Replaced,
    back_error,
    behind_error,
    check_forward,
    check_identity,
    gap_error,
    lost_there,
    newest_heads,
)
from mu2net_core.repo.hints import repair_hint
from mu2net_core.repo.intake import incoming_of, receive, receive_components
from mu2net_core.repo.join import Policy
from mu2net_core.repo.losses import GONE, check_same
from mu2net_core.repo.merge import contains
from mu2net_core.repo.outcomes import Counter, Exchange, NameReport, TaskOutcome, TaskReport
from mu2net_core.repo.purged import is_purge
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.revisions import near
from mu2net_core.repo.sight import Sight, look, look_at_refs
from mu2net_core.repo.tracking import Tracking, read_purged, read_tracking, write_purged, write_tracking

__all__ = ["Clock", "check_known", "fetch", "fetch_heads", "note_purged", "unknown_task"]

T = TypeVar("T")
Clock = Callable[[], datetime | None]

_NO_NUMBERS: Mapping[str, int] = MappingProxyType({})
_ANYTHING = Policy()
_OTHER = "on another log than was seen"
_BATCH = 256
"""Heads that are followed together; what is known of the remote is stored after each batch."""


def fetch(
    repo: Repository,
    remote: RemoteRepository,
    *,
    tasks: Collection[str] = (),
    counter: Counter | None = None,
    clock: Clock = lambda: None,
    policy: Policy = _ANYTHING,
) -> Exchange:
    """Copies what is new on ``remote``: heads' histories and manifests, roots and tags.

    With ``tasks``, only these heads (and those of tasks whose knowledge they hold), and no tags.

    Args:
        repo: where to.
        remote: where from.
        tasks: whose heads; by default all.
        counter: of objects.
        clock: tells the time, so that whoever comes back at once need not ask again whether anything was purged.
        policy: what may not be taken over.

    Raises:
        NotFoundError: there is no repository, or it has none of ``tasks``.
        ConflictError: it is another repository, or a root of the same name is another model there.
        CorruptObjectError: what it sent is damaged, or it is behind what was seen of it, or a head's log does not
            continue that; all other heads were fetched.
    """
    counter = counter or Counter()
    known = read_tracking(repo.state, remote.remote)
    sight = (
        None
        if tasks
        else look(remote.store)
        if known.heads or known.roots
        else look_at_refs(remote.store, commits=False)
    )
    tracking = _recognised(repo, remote, known, clock(), sight, policy)
    with _noting_failure(repo, remote, known):
        return _fetch_all(repo, remote, tracking, sight, tasks, counter, clock, policy)


def _fetch_all(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    sight: Sight | None,
    tasks: Collection[str],
    counter: Counter,
    clock: Clock,
    policy: Policy,
) -> Exchange:
    """Fetches from a remote that is the one it was; arguments as of ``fetch``."""
    tracking, roots = fetch_roots(repo, remote, tracking, counter)
    numbers, gaps = (_NO_NUMBERS, _NO_NUMBERS) if sight is None else remote.refs.listing(sight.names)
    whole = tasks or [task for task in numbers if task not in gaps]
    tracking, reports, broken = fetch_heads(
        repo, remote, tracking, whole, numbers=numbers, counter=counter, policy=policy
    )
    absent = [task for task in tasks if task not in tracking.heads and task not in broken]
    if absent:
        raise unknown_task(absent[0], remote.refs.tasks(), f"on the remote {remote.remote.name}", repo.config.remotes)
    broken |= {task: gap_error(remote, task, number) for task, number in gaps.items()}
    tags: tuple[NameReport, ...] = ()
    if not tasks:
        tracking, tags = fetch_tags(repo, remote, tracking, counter, policy.refuse_tag)
        write_tracking(repo.state, remote.remote.name, tracking.seen(clock()))
    if tracking.lost and not tasks:
        raise behind_error(remote, tracking.lost)
    if broken:
        raise broken[min(broken)]
    incoming_of(repo).clear()
    return Exchange(
        remote=remote.remote.name,
        url=remote.remote.url,
        tasks=reports,
        tags=tags,
        roots=roots,
        num_objects=counter.num_objects,
        size_bytes=counter.size_bytes,
    )


@contextmanager
def _noting_failure(repo: Repository, remote: RemoteRepository, known: Tracking) -> Iterator[None]:
    """Notes an object that is missing there, and lets an epoch that was not fetched from stay a new one."""
    try:
        yield
    except MissingObjectError as exc:
        if known.heads:
            lost = (f"{exc.node[0]} {exc.node[1][:10]}, which its refs need",)
            tracking = replace(read_tracking(repo.state, remote.remote), lost=lost)
            write_tracking(repo.state, remote.remote.name, tracking.checked(known.epoch, None))
        raise


def check_known(repo: Repository, remote: RemoteRepository, tracking: Tracking, sight: Sight) -> Tracking:
    """Returns what is known of a remote, if it still is the same repository; it is noted if it is not.

    Its settings tell, with its identity, which is None if they are lost or damaged. Then what it has tells, as far as
    it can (``check_same``).
    """
    try:
        found = check_identity(repo, remote, tracking)
    except (CorruptObjectError, InvalidInputError, NotFoundError):
        found = replace(tracking, identity=None)
    try:
        check_same(repo.objects, remote, tracking, sight, is_own=found.identity is not None)
    except NotFoundError:
        write_tracking(repo.state, remote.remote.name, replace(tracking, lost=(GONE,)))
        raise
    return found


def fetch_heads(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    tasks: Iterable[str],
    *,
    numbers: Mapping[str, int] = _NO_NUMBERS,
    counter: Counter,
    policy: Policy = _ANYTHING,
) -> tuple[Tracking, tuple[TaskReport, ...], dict[str, Mu2netError]]:
    """Copies the histories of the heads of ``tasks``, and of tasks whose knowledge they hold; lists nothing.

    Args:
        repo: where to.
        remote: where from.
        tracking: what is known of it.
        tasks: which heads.
        numbers: their newest entries, where a listing told; the others are probed for.
        counter: of objects.
        policy: what may not be taken over.

    Returns:
        what is known of the remote now, also stored; what became of each head that is there; and what is wrong with
        those whose logs cannot be followed.
    """
    pending, reports, broken = sorted(set(tasks)), dict[str, TaskReport](), dict[str, Mu2netError]()
    finished: dict[str, str] = {}
    while pending:
        batch, pending = pending[:_BATCH], pending[_BATCH:]
        found = newest_heads(remote, tracking, batch, numbers, strict=policy.is_strict)
        broken |= {task: state for task, state in found.items() if isinstance(state, Mu2netError)}
        followed = {task: one for task, one in found.items() if isinstance(one, Followed)}
        states = {task: one.state for task, one in followed.items()}
        buried = left_alone(repo, remote, states)
        reports |= buried
        wanted = {task: state for task, state in states.items() if task not in buried}
        teachers = _receive_heads(repo, remote, list(wanted.values()), counter)
        back = _going_back(repo, tracking, {task: followed[task] for task in wanted})
        unseen = {task for task in back if task not in tracking.heads}
        broken |= {task: back_error(remote, back[task]) for task in unseen}
        states, wanted = _without(states, unseen), _without(wanted, unseen)
        others = {task: _OTHER for task, one in followed.items() if isinstance(one, Replaced)} | _without(back, unseen)
        lost = others.keys() & tracking.heads.keys()
        tracking = tracking.with_replaced(task for task in lost if not _is_kept(repo, tracking, task))
        reports |= {
            task: _report(repo, state, tracking.heads.get(task), others.get(task), is_bad=task in back)
            for task, state in wanted.items()
        }
        moved = {task: state for task, state in states.items() if tracking.heads.get(task) != state}
        if moved:
            left = {task: state for task, state in moved.items() if task in wanted}
            if any(is_purge(repo.objects.commit(state.commit)) for state in left.values()):
                note_purged(repo, remote, policy)  # a purge moves the head before the epoch tells of it
            finished |= {task: repo.objects.commit(state.commit).finished_at for task, state in left.items()}
            newest = max(finished, key=lambda task: finished[task], default="")
            tracking = _remember_purged(repo, remote, tracking, left).with_heads(moved.values(), newest=newest)
            write_tracking(repo.state, remote.remote.name, tracking)
        pending += sorted(teachers - set(reports) - set(broken) - set(tracking.heads) - set(pending))
    return tracking, tuple(reports[task] for task in sorted(reports)), broken


def _recognised(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    now: datetime | None,
    sight: Sight | None,
    policy: Policy,
) -> Tracking:
    """Returns what is known of ``remote``, if it still is the same repository, and what of it that has lost.

    With ``sight`` all refs of it were looked at, else its epoch is.
    """
    taken: frozenset[Node] = frozenset()
    if tracking.identity != repo.identity or not _is_current(remote, tracking, sight):
        sight = sight or look(remote.store)
        tracking = check_known(repo, remote, tracking, sight)
        if tracking.identity is None:
            remote.config()  # says what is wrong with it
        note_purged(repo, remote, policy)
        taken = presumed(repo, remote, tracking, sight)
        tracking = replace(tracking, epoch=current_epoch(remote.store) or tracking.epoch)
    if sight is not None:
        stones = read_purged(repo.state, remote.remote)
        tracking = replace(tracking, lost=lost_there(repo.objects, remote, tracking, stones, sight, taken))
        tracking = tracking.listed(len(sight.keys), now)
    tracking = tracking.checked(tracking.epoch, now)
    write_tracking(repo.state, remote.remote.name, tracking)
    return tracking


def _is_current(remote: RemoteRepository, tracking: Tracking, sight: Sight | None) -> bool:
    if sight is not None:
        return sight.is_in_epoch(tracking.epoch)
    return tracking.epoch is not None and is_current(remote.store, tracking.epoch)


def note_purged(repo: Repository, remote: RemoteRepository, policy: Policy = _ANYTHING) -> None:
    """Stores what was purged over there, beyond what was known of that.

    Tombstones of another repository count for nothing, nor do those that the policy refuses.
    """
    every = (stone for stones in remote.refs.tombstones().values() for stone in stones)
    own = (stone for stone in every if stone.identity == repo.identity)
    there = [stone for stone in own if policy.refuse_stone is None or policy.refuse_stone(stone) is None]
    known = dict.fromkeys([*read_purged(repo.state, remote.remote), *there])
    write_purged(repo.state, remote.remote, sorted(known, key=lambda stone: (stone.task, stone.purged_at)))


def _remember_purged(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, moved: Mapping[str, HeadState]
) -> Tracking:
    """Returns ``tracking`` with the heads of tasks that were purged over there: what it had of them."""
    purged = {stone.task for stone in read_purged(repo.state, remote.remote)}
    purged |= {task for task, state in moved.items() if is_purge(repo.objects.commit(state.commit))}
    purged &= moved.keys() & tracking.heads.keys()
    left = {task: tracking.heads[task].commit for task in purged}
    known = {task: oid for task, oid in left.items() if repo.objects.has("commit", oid)}
    left = {task: oid for task, oid in known.items() if not contains(repo.objects, moved[task].commit, oid)}
    return replace(tracking, purged_heads={**tracking.purged_heads, **left}) if left else tracking


def _receive_heads(
    repo: Repository, remote: RemoteRepository, states: list[HeadState], counter: Counter
) -> frozenset[str]:
    """Copies the histories of heads; returns the tasks whose rules one must know to judge them."""
    if not states:
        return frozenset()
    what = states[0].task if len(states) == 1 else f"{len(states)} tasks"
    tips: list[Node] = [("commit", state.commit) for state in states]
    teachers = set(receive(repo, remote, tips, what=what, counter=counter))
    models = []
    for state in states:
        _check_task(repo, remote, state)
        model_id = repo.objects.commit(state.commit).model
        models += [] if model_id is None else [model_id]
    for model_id in models:
        teachers |= repo.objects.model(model_id).trained_by
    if not remote.remote.partial:
        receive_components(repo, remote, models, what=what, counter=counter)
    return frozenset(teachers)


def unknown_task(task: str, known: Iterable[str], where: str, remotes: Iterable[str]) -> NotFoundError:
    """Returns the error for a name that is no task ``where`` and no remote, with the names that come near."""
    names = sorted(remotes)
    return NotFoundError(
        f"There is no task {task} {where}, and no remote {task} (remotes: {', '.join(names) or 'none'}).",
        hint=near(task, (*names, *known), "mu2net tasks"),
    )


def _check_task(repo: Repository, remote: RemoteRepository, state: HeadState) -> None:
    found = repo.objects.commit(state.commit).task
    if found != state.task:
        raise CorruptObjectError(
            f"The head of {state.task} on the remote {remote.remote.name} ({remote.remote.url}) names the commit "
            f"{state.commit}, which is of the task {found}. It was not taken over.",
            hint=repair_hint(remote.remote.name),
        )


def _going_back(repo: Repository, tracking: Tracking, followed: Mapping[str, Followed]) -> dict[str, str]:
    """Returns what is wrong with heads that have not all the work in them that they had moved to, in words.

    A log that is another one than was seen is judged for itself: what was seen of it is kept in any case.
    """
    back: dict[str, str] = {}
    for task, one in followed.items():
        seen = None if isinstance(one, Replaced) else tracking.heads.get(task)
        known = [seen.commit] if seen is not None and repo.objects.has("commit", seen.commit) else []
        reason = check_forward(repo.objects, task, [*known, *one.moves, one.state.commit])
        back |= {} if reason is None else {task: reason}
    return back


def _is_kept(repo: Repository, tracking: Tracking, task: str) -> bool:
    """Returns whether what a head was seen at is kept in mind already, by what was seen of it before."""
    before, seen = tracking.replaced.get(task), tracking.heads[task].commit
    is_here = before is not None and all(repo.objects.has("commit", oid) for oid in (before, seen))
    return is_here and contains(repo.objects, before or "", seen)


def _without(by_task: Mapping[str, T], tasks: Collection[str]) -> dict[str, T]:
    return {task: value for task, value in by_task.items() if task not in tasks}


def _report(
    repo: Repository, state: HeadState, seen: HeadState | None, other: str | None, *, is_bad: bool
) -> TaskReport:
    outcome: TaskOutcome = "up-to-date"
    if seen is None or seen.commit != state.commit:
        outcome = "new" if seen is None else "updated"
        outcome = "removed" if repo.objects.commit(state.commit).removed else outcome
    reason = None if other is None else f"{other}; what was seen of it is kept here"
    return TaskReport(task=state.task, outcome="broken" if is_bad else outcome, commit=state.commit, reason=reason)
