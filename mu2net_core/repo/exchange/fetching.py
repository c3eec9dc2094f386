"""Bringing a remote's refs and manifests here; the working copy's own heads stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import MappingProxyType

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo.core import CONFIG, HeadState, Repository, current_epoch, is_current
from mu2net_core.repo.exchange.continuity import (
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
from mu2net_core.repo.exchange.fetching_heads import receive_heads, report_of, set_aside_buried
from mu2net_core.repo.exchange.fetching_names import fetch_roots, fetch_tags
from mu2net_core.repo.exchange.forgetting import without_refused
from mu2net_core.repo.exchange.intake import incoming_of, receive_each
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.losses import GONE, Losses, check_same, find_lost_refs
from mu2net_core.repo.exchange.purges_elsewhere import presumed
from mu2net_core.repo.exchange.purges_seen import note_purged, remember_purged
from mu2net_core.repo.history import Arrivals, contains, is_at_purge, load_rules, near
from mu2net_core.repo.remotes import (
    Counter,
    Exchange,
    Knowledge,
    MissingObjectError,
    NameReport,
    Node,
    RemoteBehindError,
    RemoteRepository,
    Sight,
    TaskReport,
    Tracking,
    broken_report,
    collect,
    look,
    look_at_refs,
    read_purged,
    read_tracking,
    refusal,
    write_tracking,
)

__all__ = ["Clock", "check_known", "fetch", "fetch_heads", "unknown_task"]

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

    Returns:
        what was done. What is damaged there, foreign, or cannot be right is told as ``broken``: a head, tag or root, or
        the tombstones of a task. It keeps nothing else from coming.

    Raises:
        NotFoundError: there is no repository, or it has none of ``tasks``.
        ConflictError: it is another repository.
        RemoteBehindError: the remote is behind what was seen of it; what it has beyond that was fetched.
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
    tracking, unread = _recognised(repo, remote, known, clock(), sight, policy, tasks)
    arrivals = Arrivals.at(repo.identity, clock())
    numbers, gaps = (_NO_NUMBERS, _NO_NUMBERS) if sight is None else remote.refs.listing(sight.names)
    broken = {task: error for task, error in unread.items() if not tasks or task in tasks}
    broken |= {task: gap_error(remote, task, number) for task, number in gaps.items()}
    whole = [task for task in tasks or numbers if task not in broken]
    tracking, reports, bad = fetch_heads(
        repo, remote, tracking, whole, numbers=numbers, counter=counter, policy=policy, arrivals=arrivals
    )
    absent = [task for task in tasks if not (task in tracking.heads or task in broken or task in bad)]
    if absent:
        raise unknown_task(absent[0], remote.refs.tasks(), f"on the remote {remote.remote.name}", repo.config.remotes)
    broken |= bad
    tracking, roots = fetch_roots(repo, remote, tracking, policy, counter=counter, arrivals=arrivals)
    tags: tuple[NameReport, ...] = ()
    if not tasks:
        tracking, tags = fetch_tags(repo, remote, tracking, policy, counter=counter, arrivals=arrivals)
        tracking = tracking.seen(clock())
    if broken:  # whoever comes back at once has to look again
        tracking = tracking.checked(tracking.epoch, None).listed(tracking.num_files, None)
    write_tracking(repo.state, remote.remote.name, tracking)
    _note_missing(repo, remote, known, broken)
    incoming_of(repo).clear()
    reports = (*reports, *(broken_report(task, error) for task, error in broken.items()))
    done = Exchange(
        remote=remote.remote.name,
        url=remote.remote.url,
        tasks=tuple(sorted(reports, key=lambda report: report.task)),
        tags=tags,
        roots=roots,
        num_objects=counter.num_objects,
        size_bytes=counter.size_bytes,
    )
    if tracking.lost and not tasks:
        raise RemoteBehindError(behind_error(remote, tracking.lost), done)
    return done


def _note_missing(
    repo: Repository, remote: RemoteRepository, known: Tracking, broken: Mapping[str, Mu2netError]
) -> None:
    """Notes what a head lacks that was whole before, and lets an epoch that was not fetched from stay a new one."""
    missing = [broken[task] for task in sorted(broken) if task in known.heads]
    nodes = [error.node for error in missing if isinstance(error, MissingObjectError)]
    if nodes:
        lost = (f"{nodes[0][0]} {nodes[0][1][:10]}, which its refs need",)
        tracking = replace(read_tracking(repo.state, remote.remote), lost=lost)
        write_tracking(repo.state, remote.remote.name, tracking.checked(known.epoch, None))


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
    arrivals: Arrivals,
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
        arrivals: what is judged by.

    Returns:
        what is known of the remote now, also stored; what became of each head that is there; and what is wrong with
        those that cannot be followed: they are known as they were before.
    """
    pending, reports, broken = sorted(set(tasks)), dict[str, TaskReport](), dict[str, Mu2netError]()
    finished: dict[str, str] = {}
    while pending:
        batch, pending = pending[:_BATCH], pending[_BATCH:]
        found = newest_heads(remote, tracking, batch, numbers, strict=policy.is_strict)
        broken |= {task: state for task, state in found.items() if isinstance(state, Mu2netError)}
        followed = {task: one for task, one in found.items() if isinstance(one, Followed)}
        states = {task: one.state for task, one in followed.items()}
        buried, bad = set_aside_buried(repo, remote, states)
        wanted = {task: state for task, state in states.items() if task not in buried and task not in bad}
        received = receive_heads(repo, remote, wanted, tracking, counter=counter, arrivals=arrivals)
        broken |= {**bad, **received.broken}
        tracking = _with_claimed(repo, remote, tracking, {task: states[task] for task in received.claimed})
        known = tracking.heads
        whole = {t: followed[t] for t in wanted if t not in broken and known.get(t) != states[t]}
        _bring_moves(repo, remote, whole.values(), counter, arrivals)
        back = _going_back(repo, tracking, whole)
        broken |= {task: back_error(remote, why) for task, why in back.items() if task not in tracking.heads}
        others = {task: _OTHER for task, one in followed.items() if isinstance(one, Replaced)} | back
        lost = (others.keys() & tracking.heads.keys()) - broken.keys()
        tracking = tracking.with_replaced(task for task in lost if not _is_kept(repo, tracking, task))
        wanted = {task: state for task, state in wanted.items() if task not in broken}
        reports |= buried
        for task, state in wanted.items():
            reports[task] = report_of(
                repo, state, tracking.heads.get(task), other=others.get(task), is_bad=task in back
            )
        moved = {t: state for t, state in states.items() if t not in broken and tracking.heads.get(t) != state}
        if moved:
            left = {task: state for task, state in moved.items() if task in wanted}
            purged = [task for task, state in left.items() if is_at_purge(repo.objects, state.commit)]
            if purged:
                note_purged(repo, remote, policy, purged)  # a purge moves the head before the epoch tells of it
            finished |= {task: repo.objects.commit(state.commit).finished_at for task, state in left.items()}
            newest = max(finished, key=lambda task: finished[task], default="")
            tracking = remember_purged(repo, remote, tracking, left).with_heads(moved.values(), newest=newest)
            write_tracking(repo.state, remote.remote.name, tracking)
        pending += sorted(received.teachers - set(reports) - set(broken) - set(tracking.heads) - set(pending))
    return tracking, tuple(reports[task] for task in sorted(reports)), broken


def _with_claimed(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, states: Mapping[str, HeadState]
) -> Tracking:
    """Returns ``tracking`` with heads that name our own commits, which are not there: the next push sends these.

    Those that it may not send count for nothing: what a remote is seen to have it is asked for.
    """
    ours = {task: repo.refs.head(task) for task in states}
    sent = [s for task, s in states.items() if (head := ours[task]) and contains(repo.objects, head.commit, s.commit)]
    if not sent:
        return tracking
    may_go = partial(_may_go, repo, remote, Knowledge(repo.objects, tracking), load_rules(repo))
    sent = [state for state in sent if may_go(state.commit)]
    lost = Losses(objects=frozenset(("commit", state.commit) for state in sent)).words
    return replace(tracking.with_heads(sent), lost=(*tracking.lost, *lost)) if sent else tracking


def _may_go(
    repo: Repository, remote: RemoteRepository, knowledge: Knowledge, rules: Mapping[str, AccessRule], commit_id: str
) -> bool:
    """Returns whether the rules let a push send a commit of ours, with all it needs."""
    objects = repo.objects
    closure = collect(objects, [("commit", commit_id)], knowledge)
    return refusal(closure, rules, remote.audience, task_of=objects.task, label_of=objects.label) is None


def _recognised(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    now: datetime | None,
    sight: Sight | None,
    policy: Policy,
    tasks: Collection[str],
) -> tuple[Tracking, dict[str, Mu2netError]]:
    """Returns what is known of ``remote``, if it still is the same repository, and what of it that has lost.

    With ``sight`` all refs of it were looked at, else its epoch is, and what is refused of ``tasks``.

    Returns:
        that; and what is wrong with the tombstones of tasks that have some which cannot be read.
    """
    before, taken = tracking.epoch, frozenset[Node]()
    doubtful: Collection[str] = tracking.unread
    is_met = bool(tracking.heads) and tracking.identity == repo.identity  # heads tell whose they are, roots do not
    if not is_met or not _is_current(remote, tracking, sight):
        sight = sight or look(remote.store)
        tracking = check_known(repo, remote, tracking, sight)
        if tracking.identity is None and (CONFIG in sight.keys or not (tracking.heads or tracking.roots)):
            remote.config()  # says what is wrong with it; where it is lost, that is told
        doubtful = {*repo.refs.tasks(), *tracking.heads, *sight.numbers}
        taken = presumed(repo, remote, tracking, sight)
        tracking = replace(tracking, epoch=current_epoch(remote.store) or tracking.epoch)
    if sight is not None:
        stones = find_lost_refs(tracking, sight, read_purged(repo.state, remote.remote)).stones
        doubtful = {*doubtful, *(stone.task for stone in stones)}
    unread = note_purged(repo, remote, policy, doubtful) if doubtful else {}
    is_there = remote.store.exists if sight is None else sight.names.__contains__
    tracking = without_refused(repo, tracking, policy, is_there, tasks or list(tracking.heads))
    tracking = replace(tracking, unread=tuple(sorted(unread)))
    if sight is not None:
        stones = read_purged(repo.state, remote.remote)
        seen = replace(tracking, epoch=before)
        tracking = replace(tracking, lost=lost_there(repo.objects, remote, seen, stones, sight, taken))
        tracking = tracking.listed(len(sight.keys), now)
    tracking = tracking.checked(tracking.epoch, now)
    write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, unread


def _is_current(remote: RemoteRepository, tracking: Tracking, sight: Sight | None) -> bool:
    if sight is not None:
        return sight.is_in_epoch(tracking.epoch)
    return tracking.epoch is not None and is_current(remote.store, tracking.epoch)


def _bring_moves(
    repo: Repository, remote: RemoteRepository, followed: Iterable[Followed], counter: Counter, arrivals: Arrivals
) -> None:
    """Brings commits that logs moved to on the way and that are in no history: merges that others joined further.

    What is gone, or cannot be genuine, stays away: that is found when the log is judged.
    """
    alive = (one for one in followed if not is_at_purge(repo.objects, one.state.commit))
    moves = dict.fromkeys(("commit", oid) for one in alive for oid in one.moves)
    missing: list[Node] = [("commit", oid) for _, oid in moves if not repo.objects.has("commit", oid)]
    if missing:
        receive_each(repo, remote, missing, what="merges", counter=counter, arrivals=arrivals)


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


def unknown_task(task: str, known: Iterable[str], where: str, remotes: Iterable[str]) -> NotFoundError:
    """Returns the error for a name that is no task ``where`` and no remote, with the names that come near."""
    names = sorted(remotes)
    return NotFoundError(
        f"There is no task {task} {where}, and no remote {task} (remotes: {', '.join(names) or 'none'}).",
        hint=near(task, (*names, *known), "mu2net tasks"),
    )
