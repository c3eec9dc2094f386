"""Diverged heads of one task become one, the same one whoever joins them and in whatever order.

A *canonical* merge has no author and depends on nothing but the commits it joins: the *frontier*, i.e. the commits
that are neither such merges themselves nor ancestors of another. So merging is associative, commutative and
idempotent, and two machines that saw the same work make the same bytes. A merge that somebody decided (``ours``,
``theirs``) has an author, counts as a commit of its own and is never taken apart again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from mu2net_core.errors import CorruptObjectError, InternalError, NotFoundError
from mu2net_core.objects import Agent, Commit, encode, hash_bytes
from mu2net_core.repo.core import is_purge
from mu2net_core.repo.history.winner import Manifests, ancestry, is_canonical_merge, winner

__all__ = [
    "Manifests",
    "ancestry",
    "choose",
    "contains",
    "frontier",
    "is_at_purge",
    "is_canonical_merge",
    "joined",
    "merge",
    "news",
]


def frontier(manifests: Manifests, tips: Iterable[str]) -> tuple[str, ...]:
    """Returns the newest commits below ``tips``: canonical merges taken apart, ancestors of others dropped, sorted."""
    pending, newest, seen = list(tips), set[str](), set[str]()
    while pending:
        oid = pending.pop()
        if oid in seen:  # merges of the same merges, if somebody made such, would double at every step
            continue
        seen.add(oid)
        commit = manifests.commit(oid)
        if is_canonical_merge(commit):
            pending.extend(commit.parents)
        else:
            newest.add(oid)
    if len(newest) > 1:
        parents = [parent for oid in newest for parent in manifests.commit(oid).parents]
        newest.difference_update(ancestry(manifests, parents))
    return tuple(sorted(newest))


def contains(manifests: Manifests, whole: str, part: str) -> bool:
    """Returns whether all the work in the commit ``part`` is in the history of the commit ``whole`` too.

    Both are walked side by side: once ``whole`` is met in the history of ``part``, nothing older is looked at.
    """
    newest = frontier(manifests, [part])  # none of these is in the history of another
    missing, ahead = set(newest), _readable(manifests, newest)
    for oid in ancestry(manifests, [whole]):
        missing.discard(oid)
        if not missing:
            return True
        if next(ahead, None) == whole:
            return False
    return False


def is_at_purge(manifests: Manifests, tip: str) -> bool:
    """Returns whether a task was purged and nothing came after: its head is at a purge, or where such were joined."""
    is_removed = manifests.commit(tip).removed  # so is a merge of what was removed: of all else nothing is walked
    return is_removed and all(is_purge(manifests.commit(oid)) for oid in frontier(manifests, [tip]))


def news(manifests: Manifests, before: str, after: str) -> tuple[str, ...]:
    """Returns the commits in the history of ``after`` that are not in that of ``before``, nearest first.

    Where all lines lead to ``before``, as they mostly do, nothing older is looked at: none of them is in its history.
    """
    found = tuple(ancestry(manifests, [after], without=before))
    if all(manifests.commit(oid).parents for oid in found):
        return found
    known = set(ancestry(manifests, [before]))
    return tuple(oid for oid in found if oid not in known)


def _readable(manifests: Manifests, tips: Iterable[str]) -> Iterator[str]:
    """Yields ``tips`` and their ancestors up to the first that cannot be read."""
    with suppress(CorruptObjectError, NotFoundError):
        yield from ancestry(manifests, tips)


def merge(manifests: Manifests, tips: Iterable[str]) -> tuple[str, Commit]:
    """Returns (id, commit) of the one head that has all work of ``tips``; not stored yet if it is a new merge.

    Model and definition of the task are those of the side that wins (``winner.winner``). A task that was removed on
    one side stays removed.

    Raises:
        ConflictError: the scores of the sides do not compare.
    """
    parents = frontier(manifests, tips)
    if len(parents) == 1:
        return parents[0], manifests.commit(parents[0])
    commits = [manifests.commit(oid) for oid in parents]
    _check_same_task(commits)
    kept = manifests.commit(winner(manifests, parents))
    commit = joined(parents, commits, task_id=kept.task_id, model=kept.model)
    return hash_bytes(encode(commit)), commit


def joined(parents: tuple[str, ...], commits: Sequence[Commit], *, task_id: str, model: str | None) -> Commit:
    """Returns the canonical merge of ``commits``, whose ids are ``parents``, that keeps a model and a task object."""
    return Commit(
        task=commits[0].task,
        task_id=task_id,
        model=model,
        parents=tuple(sorted(parents)),
        iteration=max(commit.iteration for commit in commits),
        selections=_joined_selections(commits),
        started_at=max(commit.started_at for commit in commits),
        finished_at=max(commit.finished_at for commit in commits),
        message="merge",
        removed=any(commit.removed for commit in commits),
    )


def choose(manifests: Manifests, *, keep: str, other: str, agent: Agent, now: str) -> Commit:
    """Returns a commit that joins two heads and keeps the task, model and state of ``keep``: somebody's decision."""
    kept, others = manifests.commit(keep), manifests.commit(other)
    if kept.task != others.task:
        raise InternalError(f"Cannot join heads of different tasks: {kept.task} and {others.task}.")
    return Commit(
        task=kept.task,
        task_id=kept.task_id,
        model=kept.model,
        parents=(keep, other),
        iteration=max(kept.iteration, others.iteration),
        selections=_joined_selections([kept, others]),
        agent=agent,
        started_at=now,
        finished_at=now,
        message=f"merge, keeping {keep[:10]} over {other[:10]}",
        removed=kept.removed,
    )


def _check_same_task(commits: Sequence[Commit]) -> None:
    names = sorted({commit.task for commit in commits})
    if len(names) > 1:
        raise InternalError(f"Cannot join heads of different tasks: {', '.join(names)}.")


def _joined_selections(commits: Sequence[Commit]) -> Mapping[str, Mapping[str, int]]:
    """Returns the larger count per model and agent: each agent only ever counts up, so nothing counts twice."""
    joined: dict[str, dict[str, int]] = {}
    for commit in commits:
        for model, agents in commit.selections.items():
            counts = joined.setdefault(model, {})
            for agent, times in agents.items():
                counts[agent] = max(times, counts.get(agent, 0))
    return joined
