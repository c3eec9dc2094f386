"""``tag``: a name, for good, for the whole system at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.signing import put_tagged
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Snapshot, check_name
from mu2net_core.repo import Repository

__all__ = ["TagInfo", "create", "list_"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagInfo:
    """A tag: its name, its snapshot, and the tasks and roots in that."""

    name: str
    snapshot: str
    tasks: tuple[str, ...]
    roots: tuple[str, ...]


def create(repo: Repository, context: Context, name: str) -> TagInfo:
    """Names the system as it is now, and returns the tag; signed, if a key is set.

    Raises:
        AlreadyExistsError: there is a tag of that name for another moment.
        InvalidInputError: the name cannot be one, or is a task's.
        NotFoundError: there is nothing to name yet.
    """
    check_name(name, "tag name")
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    if name in heads or name in repo.refs.roots():
        raise InvalidInputError(f"Cannot tag {name}: a task or root has that name, and `{name}` would mean both.")
    alive = {task: commit for task, commit in heads.items() if not repo.objects.commit(commit).removed}
    roots = repo.refs.roots()
    if not alive and not roots:
        raise NotFoundError("There is nothing to tag: no task and no root.", hint="Begin with `mu2net init`.")
    snapshot_id = put_tagged(repo, context, Snapshot(heads=alive, roots=roots), name)
    repo.refs.create_tag(name, snapshot_id)
    return _info(repo, name, snapshot_id)


def list_(repo: Repository) -> tuple[TagInfo, ...]:
    """Returns all tags, sorted by name."""
    return tuple(_info(repo, name, snapshot_id) for name, snapshot_id in sorted(repo.refs.tags().items()))


def _info(repo: Repository, name: str, snapshot_id: str) -> TagInfo:
    snapshot = repo.objects.snapshot(snapshot_id)
    return TagInfo(
        name=name, snapshot=snapshot_id, tasks=tuple(sorted(snapshot.heads)), roots=tuple(sorted(snapshot.roots))
    )
