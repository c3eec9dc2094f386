"""Purges that a writer of a remote makes up, by nothing but creating files there."""

from __future__ import annotations

from collections.abc import Iterable

from mu2net_core.objects import PUBLIC, AccessRule, Agent, Commit, Kind
from mu2net_core.repo import Remote
from mu2net_core.repo.closure import Node
from mu2net_core.repo.epoch import new_epoch
from mu2net_core.repo.purged import redacted_task
from mu2net_core.repo.remotes import RemoteRepository, connect
from mu2net_core.testing.samples import SAMPLE_IDENTITY, sample_tombstone

__all__ = ["forge_purge", "forge_stone", "listed_there"]

_WHEN = "2026-01-02T00:00:00.000000+00:00"


def listed_there(remote: RemoteRepository) -> list[Node]:
    """Returns all components, models, commits and snapshots that a remote has."""
    kinds: tuple[Kind, ...] = ("commit", "component", "model", "snapshot")
    return [(kind, oid) for kind in kinds for oid in remote.objects.ids(kind)]


def forge_stone(
    remote: RemoteRepository,
    task: str,
    *,
    listed: Iterable[Node],
    roots: Iterable[str] = (),
    through: int | None = None,
    identity: str = SAMPLE_IDENTITY,
) -> None:
    """Says in a tombstone of ``task`` that ``listed`` went with it, and tells everybody to look."""
    head = remote.refs.head(task)
    number = through if through is not None else head.number if head is not None else 1
    names = sorted(f"{kind}/{oid}" for kind, oid in listed)
    remote.refs.create_tombstone(sample_tombstone(task, number, roots=tuple(roots), objects=names, identity=identity))
    new_epoch(remote.store)


def forge_purge(remote: Remote, task: str, *, rule: AccessRule = PUBLIC, others: Iterable[Node] = ()) -> str:
    """Purges a task from a remote for everybody: nothing goes there, but all is marked; returns the purge commit.

    Args:
        remote: where.
        task: with a head there.
        rule: that the task shall have had.
        others: what the tombstone lists besides all that is there.
    """
    there = connect(remote)
    head = there.refs.head(task)
    assert head is not None
    first = there.refs.entry(task, 1)[0].commit
    listed = [*listed_there(there), *others]
    commit = Commit(
        task=task,
        task_id=there.objects.put(redacted_task(task, rule)),
        agent=Agent(id="e" * 32, host="elsewhere", device="none"),
        started_at=_WHEN,
        finished_at=_WHEN,
        message="purged",
        removed=True,
        identity=SAMPLE_IDENTITY,
    )
    oid = there.objects.put(commit)
    there.refs.append(task, oid, after=head)
    forge_stone(there, task, listed=listed, roots=[first], through=head.number)
    return oid
