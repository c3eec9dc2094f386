"""``tag``: a name, for good, for the whole system at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.signing.signing import put_tagged
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Snapshot
from mu2net_core.repo import Repository
from mu2net_core.repo.history import check_new_name, load_rules, near
from mu2net_core.repo.remotes import read_tracking

__all__ = ["TagInfo", "create", "delete", "list_"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagInfo:
    """A tag.

    Attributes:
        name: its name.
        snapshot: what it names.
        tasks: those in the snapshot.
        roots: likewise.
        newest_at: when the newest work in it was finished, UTC and ISO 8601; None without any. Two people who tag the
            same system make the same tag, so it has no date of its own.
        remotes: those that were seen to have it.
    """

    name: str
    snapshot: str
    tasks: tuple[str, ...]
    roots: tuple[str, ...]
    newest_at: str | None = None
    remotes: tuple[str, ...] = ()


def create(repo: Repository, context: Context, name: str, *, public: bool = False) -> TagInfo:
    """Names the system as it is now, and returns the tag; signed, if a key is set.

    Args:
        repo: whose system.
        context: of the call.
        name: of the tag.
        public: name only what everybody may see, so that the tag can go wherever that can.

    Raises:
        AlreadyExistsError: there is a tag of that name for another moment.
        InvalidInputError: the name cannot be one, or is a task's.
        NotFoundError: there is nothing to name yet.
    """
    check_new_name(repo, name, "tag")
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    alive = {task: commit for task, commit in heads.items() if not repo.objects.commit(commit).removed}
    if public:
        rules = load_rules(repo)
        alive = {task: commit for task, commit in alive.items() if rules[task].readers is None}
    roots = repo.refs.roots()
    if not alive and not roots:
        raise NotFoundError("There is nothing to tag: no task and no root.", hint="Begin with `mu2net init`.")
    snapshot_id = put_tagged(repo, context, Snapshot(heads=alive, roots=roots), name)
    repo.refs.create_tag(name, snapshot_id)
    return _info(repo, name, snapshot_id)


def delete(repo: Repository, name: str) -> TagInfo:
    """Deletes a tag here and returns what it was; where it was pushed to it stays, and a fetch brings it back.

    Raises:
        NotFoundError: there is no such tag.
    """
    tags = repo.refs.tags()
    if name not in tags:
        raise NotFoundError(f"There is no tag {name!r}.", hint=near(name, tuple(tags), "mu2net tag"))
    info = _info(repo, name, tags[name])
    repo.refs.delete_tag(name)
    return info


def list_(repo: Repository) -> tuple[TagInfo, ...]:
    """Returns all tags, sorted by name."""
    return tuple(_info(repo, name, snapshot_id) for name, snapshot_id in sorted(repo.refs.tags().items()))


def _info(repo: Repository, name: str, snapshot_id: str) -> TagInfo:
    snapshot = repo.objects.snapshot(snapshot_id)
    commits = (repo.objects.commit(oid) for oid in snapshot.heads.values() if repo.objects.has("commit", oid))
    remotes = sorted(repo.config.remotes.items())
    return TagInfo(
        name=name,
        snapshot=snapshot_id,
        tasks=tuple(sorted(snapshot.heads)),
        roots=tuple(sorted(snapshot.roots)),
        newest_at=max((commit.finished_at for commit in commits), default=None),
        remotes=tuple(n for n, remote in remotes if read_tracking(repo.state, remote).tags.get(name) == snapshot_id),
    )
