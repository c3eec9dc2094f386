"""Bringing a remote's refs and manifests here; the working copy's own heads stay where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

from mu2net_core.errors import AlreadyExistsError, ConflictError, CorruptObjectError, NotFoundError
from mu2net_core.objects import Model
from mu2net_core.repo.closure import Node
from mu2net_core.repo.database import Manifest
from mu2net_core.repo.outcomes import Counter, Exchange, NameReport, TaskOutcome, TaskReport
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.revisions import near
from mu2net_core.repo.tracking import Tracking, read_tracking, write_tracking
from mu2net_core.repo.transfer import receive, receive_components

__all__ = ["fetch", "fetch_heads", "is_same_remote", "root_conflict", "unknown_task"]

_NO_NUMBERS: Mapping[str, int] = MappingProxyType({})


def fetch(
    repo: Repository, remote: RemoteRepository, *, tasks: Collection[str] = (), counter: Counter | None = None
) -> Exchange:
    """Copies what is new on ``remote``: heads' histories and manifests, roots and tags.

    With ``tasks``, only these heads (and those of tasks whose knowledge they hold), and no tags.

    Raises:
        NotFoundError: there is no repository, or it has none of ``tasks``.
        ConflictError: a root of the same name is another model there.
    """
    counter = counter or Counter()
    remote.config()  # of a format we read
    tracking = read_tracking(repo.state, remote.remote)
    if not is_same_remote(remote, tracking):
        tracking = Tracking(url=remote.remote.url)
        write_tracking(repo.state, remote.remote.name, tracking)
    tracking, roots = _fetch_roots(repo, remote, tracking, counter)
    numbers = {} if tasks else remote.refs.numbers()
    tracking, reports = fetch_heads(repo, remote, tracking, tasks or numbers, numbers=numbers, counter=counter)
    absent = [task for task in tasks if task not in tracking.heads]
    if absent:
        raise unknown_task(absent[0], remote.refs.tasks(), f"on the remote {remote.remote.name}", repo.config.remotes)
    tags: tuple[NameReport, ...] = ()
    if not tasks:
        tracking, tags = _fetch_tags(repo, remote, tracking, counter)
    return Exchange(
        remote=remote.remote.name,
        url=remote.remote.url,
        tasks=reports,
        tags=tags,
        roots=roots,
        num_objects=counter.num_objects,
        size_bytes=counter.size_bytes,
    )


def fetch_heads(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    tasks: Iterable[str],
    *,
    numbers: Mapping[str, int] = _NO_NUMBERS,
    counter: Counter,
) -> tuple[Tracking, tuple[TaskReport, ...]]:
    """Copies the histories of the heads of ``tasks``, and of tasks whose knowledge they hold; lists nothing.

    Args:
        repo: where to.
        remote: where from.
        tracking: what is known of it.
        tasks: which heads.
        numbers: their newest entries, where a listing told; the others are probed for.
        counter: of objects.

    Returns:
        what is known of the remote now, also stored; and what became of each head that is there.
    """
    pending, reports = sorted(set(tasks), reverse=True), dict[str, TaskReport]()
    while pending:
        task = pending.pop()
        seen = tracking.heads.get(task)
        state = _newest(remote, task, seen, numbers.get(task))
        if state is None:
            continue
        new = receive(repo.objects, remote, [("commit", state.commit)], what=task, counter=counter)
        _check_task(repo, remote, state)
        if not remote.remote.partial:
            _complete(repo, remote, state, counter)
        if state != seen:
            tracking = tracking.with_head(state)
            write_tracking(repo.state, remote.remote.name, tracking)
        reports[task] = _report(repo, state, seen)
        others = _teachers(repo, state, new) - set(reports) - set(tracking.heads) - set(pending)
        pending.extend(sorted(others, reverse=True))
    return tracking, tuple(reports[task] for task in sorted(reports))


def is_same_remote(remote: RemoteRepository, tracking: Tracking, prefer: Iterable[str] = ()) -> bool:
    """Returns whether ``tracking`` was noted from the repository that is there now: one entry is read to see.

    Args:
        remote: as it is now.
        tracking: what was noted.
        prefer: tasks whose entries are as good as any.
    """
    task = next((name for name in (*prefer, *sorted(tracking.heads)) if name in tracking.heads), None)
    if task is None:
        return True
    noted = tracking.heads[task]
    try:
        found, _ = remote.refs.entry(task, noted.number)
    except NotFoundError:
        return False
    return found == noted


def unknown_task(task: str, known: Iterable[str], where: str, remotes: Iterable[str]) -> NotFoundError:
    """Returns the error for a name that is no task ``where`` and no remote, with the names that come near."""
    names = sorted(remotes)
    return NotFoundError(
        f"There is no task {task} {where}, and no remote {task} (remotes: {', '.join(names) or 'none'}).",
        hint=near(task, (*names, *known), "mu2net tasks"),
    )


def _newest(remote: RemoteRepository, task: str, seen: HeadState | None, number: int | None) -> HeadState | None:
    """Returns the remote's head, without a question if it is known to be the one seen before."""
    if number is None:
        return remote.refs.head(task, known=seen.number if seen else 0)
    return seen if seen is not None and seen.number == number else remote.refs.entry(task, number)[0]


def _check_task(repo: Repository, remote: RemoteRepository, state: HeadState) -> None:
    found = repo.objects.commit(state.commit).task
    if found != state.task:
        raise CorruptObjectError(
            f"The head of {state.task} on the remote {remote.remote.name} ({remote.remote.url}) names the commit "
            f"{state.commit}, which is of the task {found}. It was not taken over.",
            hint="Run `mu2net fsck` there.",
        )


def _report(repo: Repository, state: HeadState, seen: HeadState | None) -> TaskReport:
    outcome: TaskOutcome = "up-to-date"
    if seen is None or seen.commit != state.commit:
        outcome = "new" if seen is None else "updated"
        outcome = "removed" if repo.objects.commit(state.commit).removed else outcome
    return TaskReport(task=state.task, outcome=outcome, commit=state.commit)


def _teachers(repo: Repository, state: HeadState, new: Iterable[Manifest]) -> set[str]:
    """Returns the tasks whose rules one must know to judge what was fetched: those whose data trained it."""
    names = {task for value in new if isinstance(value, Model) for task in value.trained_by}
    names |= {value.task for value in new if isinstance(value, Model) and value.task is not None}
    model_id = repo.objects.commit(state.commit).model
    return names if model_id is None else names | repo.objects.model(model_id).trained_by


def _complete(repo: Repository, remote: RemoteRepository, state: HeadState, counter: Counter) -> None:
    model_id = repo.objects.commit(state.commit).model
    if model_id is not None:
        receive_components(repo.objects, remote, [model_id], what=state.task, counter=counter)


def _fetch_roots(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, counter: Counter
) -> tuple[Tracking, tuple[NameReport, ...]]:
    theirs, ours, reports = remote.refs.roots(), repo.refs.roots(), []
    for name, model_id in _sorted(theirs):
        if ours.get(name, model_id) != model_id:
            raise root_conflict(name, ours[name], model_id, remote.remote.name)
    for name, model_id in _sorted(theirs):
        receive(repo.objects, remote, [("model", model_id)], what="roots", counter=counter)
        if not remote.remote.partial:
            receive_components(repo.objects, remote, [model_id], what="roots", counter=counter)
        if name not in ours:
            repo.refs.create_root(name, model_id)
            reports.append(NameReport(name=name, outcome="new", id=model_id))
        tracking = tracking.with_root(name, model_id)
    if theirs:
        write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, tuple(reports)


def _fetch_tags(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, counter: Counter
) -> tuple[Tracking, tuple[NameReport, ...]]:
    theirs, ours, reports = remote.refs.tags(), repo.refs.tags(), []
    for name, snapshot_id in _sorted(theirs):
        receive(repo.objects, remote, [("snapshot", snapshot_id)], what="tags", counter=counter)
        commits: list[Node] = [("commit", oid) for oid in repo.objects.snapshot(snapshot_id).heads.values()]
        receive(repo.objects, remote, commits, what="tags", counter=counter)
        report = _take_tag(repo, name, snapshot_id, ours.get(name))
        reports.extend([] if report is None else [report])
        tracking = tracking.with_tag(name, snapshot_id)
    if theirs:
        write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, tuple(reports)


def _take_tag(repo: Repository, name: str, theirs: str, ours: str | None) -> NameReport | None:
    if ours == theirs:
        return None
    if ours is not None:
        reason = f"here it names {ours[:12]}, there {theirs[:12]}; tags never move, so ours stays"
        return NameReport(name=name, outcome="conflict", id=theirs, reason=reason)
    try:
        repo.refs.create_tag(name, theirs)
    except AlreadyExistsError as exc:  # also a tag "a/b" where there is an "a"
        return NameReport(name=name, outcome="conflict", id=theirs, reason=exc.message)
    return NameReport(name=name, outcome="new", id=theirs)


def root_conflict(name: str, ours: str, theirs: str | None, remote: str) -> ConflictError:
    """Returns the error for a root that is one model here and another on a remote."""
    there = "another model" if theirs is None else theirs[:12]
    return ConflictError(
        f"The root {name} is the model {ours[:12]} here and {there} on the remote {remote}: these are two systems "
        "that grew from different roots.",
        hint="Clone the remote into another folder and evolve there, or make a new remote for this one.",
    )


def _sorted(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return iter(sorted(names.items()))
