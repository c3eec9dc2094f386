"""Bringing a remote's refs and manifests here; the working copy's own heads stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from mu2net_core.errors import CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.repo.arrival import MissingObjectError
from mu2net_core.repo.closure import Node
from mu2net_core.repo.dropping import left_alone, presumed
from mu2net_core.repo.epoch import current_epoch, is_current
from mu2net_core.repo.fetching_names import fetch_roots, fetch_tags
from mu2net_core.repo.following import Replaced, behind_error, gap_error, lost_there, newest_heads
from mu2net_core.repo.hints import repair_hint
from mu2net_core.repo.intake import incoming_of, receive, receive_components
from mu2net_core.repo.losses import GONE, check_same
from mu2net_core.repo.merge import contains
from mu2net_core.repo.outcomes import Counter, Exchange, NameReport, TaskOutcome, TaskReport
from mu2net_core.repo.purged import is_purge
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import CONFIG, Repository
from mu2net_core.repo.revisions import near
from mu2net_core.repo.sight import Sight, look, look_at_refs
from mu2net_core.repo.tracking import Tracking, read_purged, read_tracking, write_purged, write_tracking

__all__ = ["Clock", "check_known", "fetch", "fetch_heads", "note_purged", "unknown_task"]

Clock = Callable[[], datetime | None]

_NO_NUMBERS: Mapping[str, int] = MappingProxyType({})
_BATCH = 256
"""Heads that are followed together; what is known of the remote is stored after each batch."""


def fetch(
    repo: Repository,
    remote: RemoteRepository,
    *,
    tasks: Collection[str] = (),
    counter: Counter | None = None,
    clock: Clock = lambda: None,
    refuse_tag: Callable[[str, str], str | None] | None = None,
) -> Exchange:
    """Copies what is new on ``remote``: heads' histories and manifests, roots and tags.

    With ``tasks``, only these heads (and those of tasks whose knowledge they hold), and no tags.

    Args:
        repo: where to.
        remote: where from.
        tasks: whose heads; by default all.
        counter: of objects.
        clock: tells the time, so that whoever comes back at once need not ask again whether anything was purged.
        refuse_tag: returns why a tag may not be taken over, given its name and snapshot; or None.

    Raises:
        NotFoundError: there is no repository, or it has none of ``tasks``.
        ConflictError: a root of the same name is another model there.
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
    tracking = _recognised(repo, remote, known, clock(), sight)
    with _noting_failure(repo, remote, known):
        return _fetch_all(repo, remote, tracking, sight, tasks, counter, clock, refuse_tag)


def _fetch_all(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    sight: Sight | None,
    tasks: Collection[str],
    counter: Counter,
    clock: Clock,
    refuse_tag: Callable[[str, str], str | None] | None,
) -> Exchange:
    """Fetches from a remote that is the one it was; arguments as of ``fetch``."""
    tracking, roots = fetch_roots(repo, remote, tracking, counter)
    numbers, gaps = (_NO_NUMBERS, _NO_NUMBERS) if sight is None else remote.refs.listing(sight.names)
    whole = tasks or [task for task in numbers if task not in gaps]
    tracking, reports, broken = fetch_heads(repo, remote, tracking, whole, numbers=numbers, counter=counter)
    absent = [task for task in tasks if task not in tracking.heads and task not in broken]
    if absent:
        raise unknown_task(absent[0], remote.refs.tasks(), f"on the remote {remote.remote.name}", repo.config.remotes)
    broken |= {task: gap_error(remote, task, number) for task, number in gaps.items()}
    tags: tuple[NameReport, ...] = ()
    if not tasks:
        tracking, tags = fetch_tags(repo, remote, tracking, counter, refuse_tag)
        tracking = tracking.seen(clock())
    if broken:  # whoever comes back at once has to look again
        tracking = tracking.checked(tracking.epoch, None).listed(tracking.num_files, None)
    write_tracking(repo.state, remote.remote.name, tracking)
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


def check_known(repo: Repository, remote: RemoteRepository, tracking: Tracking, sight: Sight) -> None:
    """Checks that a remote still is the same repository, as ``check_same`` does, and notes it if it is not."""
    try:
        check_same(repo.objects, remote, tracking, sight)
    except NotFoundError:
        write_tracking(repo.state, remote.remote.name, replace(tracking, lost=(GONE,)))
        raise


def fetch_heads(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    tasks: Iterable[str],
    *,
    numbers: Mapping[str, int] = _NO_NUMBERS,
    counter: Counter,
) -> tuple[Tracking, tuple[TaskReport, ...], dict[str, Mu2netError]]:
    """Copies the histories of the heads of ``tasks``, and of tasks whose knowledge they hold; lists nothing.

    Args:
        repo: where to.
        remote: where from.
        tracking: what is known of it.
        tasks: which heads.
        numbers: their newest entries, where a listing told; the others are probed for.
        counter: of objects.

    Returns:
        what is known of the remote now, also stored; what became of each head that is there; and what is wrong with
        those whose logs cannot be followed.
    """
    pending, reports, broken = sorted(set(tasks)), dict[str, TaskReport](), dict[str, Mu2netError]()
    finished: dict[str, str] = {}
    while pending:
        batch, pending = pending[:_BATCH], pending[_BATCH:]
        found = newest_heads(remote, tracking, batch, numbers)
        broken |= {task: state for task, state in found.items() if isinstance(state, Mu2netError)}
        others = {task: other.state for task, other in found.items() if isinstance(other, Replaced)}
        tracking = tracking.with_replaced(others)
        states = {task: state for task, state in found.items() if isinstance(state, HeadState)} | others
        buried = left_alone(repo, remote, states)
        reports |= buried
        wanted = {task: state for task, state in states.items() if task not in buried}
        teachers = _receive_heads(repo, remote, list(wanted.values()), counter)
        reports |= {task: _report(repo, state, tracking.heads.get(task), others) for task, state in wanted.items()}
        moved = {task: state for task, state in states.items() if tracking.heads.get(task) != state}
        if moved:
            left = {task: state for task, state in moved.items() if task in wanted}
            if any(is_purge(repo.objects.commit(state.commit)) for state in left.values()):
                note_purged(repo, remote)  # a purge moves the head before the epoch tells of it
            finished |= {task: repo.objects.commit(state.commit).finished_at for task, state in left.items()}
            newest = max(finished, key=lambda task: finished[task], default="")
            tracking = _remember_purged(repo, remote, tracking, left).with_heads(moved.values(), newest=newest)
            write_tracking(repo.state, remote.remote.name, tracking)
        pending += sorted(teachers - set(reports) - set(broken) - set(tracking.heads) - set(pending))
    return tracking, tuple(reports[task] for task in sorted(reports)), broken


def _recognised(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, now: datetime | None, sight: Sight | None
) -> Tracking:
    """Returns what is known of ``remote``, if it still is the same repository, and what of it that has lost.

    With ``sight`` all refs of it were looked at, else its epoch is.
    """
    before, taken = tracking, frozenset[Node]()
    if not _is_current(remote, tracking, sight):
        sight = sight or look(remote.store)
        check_known(repo, remote, tracking, sight)
        if CONFIG in sight.keys or not (tracking.heads or tracking.roots):  # else they are lost, which is told
            remote.config()  # of a format we read
        note_purged(repo, remote)
        taken = presumed(repo, remote, tracking, sight)
        tracking = replace(tracking, epoch=current_epoch(remote.store) or tracking.epoch)
    if sight is not None:
        stones = read_purged(repo.state, remote.remote)
        tracking = replace(tracking, lost=lost_there(repo.objects, remote, before, stones, sight, taken))
        tracking = tracking.listed(len(sight.keys), now)
    tracking = tracking.checked(tracking.epoch, now)
    write_tracking(repo.state, remote.remote.name, tracking)
    return tracking


def _is_current(remote: RemoteRepository, tracking: Tracking, sight: Sight | None) -> bool:
    if sight is not None:
        return sight.is_in_epoch(tracking.epoch)
    return tracking.epoch is not None and is_current(remote.store, tracking.epoch)


def note_purged(repo: Repository, remote: RemoteRepository, *, without: Collection[str] = ()) -> None:
    """Stores what was purged over there, beyond what was known of that; the keys ``without`` are passed over."""
    there = (stone for stones in remote.refs.tombstones(without=without).values() for stone in stones)
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


def _report(repo: Repository, state: HeadState, seen: HeadState | None, others: Collection[str]) -> TaskReport:
    outcome: TaskOutcome = "up-to-date"
    if seen is None or seen.commit != state.commit:
        outcome = "new" if seen is None else "updated"
        outcome = "removed" if repo.objects.commit(state.commit).removed else outcome
    reason = "on another log than was seen; what was seen of it is kept here" if state.task in others else None
    return TaskReport(task=state.task, outcome=outcome, commit=state.commit, reason=reason)
