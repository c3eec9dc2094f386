"""Diverged heads of one task become one, the same one whoever joins them and in whatever order.

A *canonical* merge has no author and depends on nothing but the commits it joins: the *frontier*, i.e. the commits
that are neither such merges themselves nor ancestors of another. So merging is associative, commutative and
idempotent, and two machines that saw the same work make the same bytes. A merge that somebody decided (``ours``,
``theirs``) has an author, counts as a commit of its own and is never taken apart again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from mu2net_core.errors import ConflictError, InternalError
from mu2net_core.objects import Agent, Commit, Model, encode, hash_bytes

__all__ = ["Manifests", "ancestry", "choose", "contains", "frontier", "is_canonical_merge", "merge"]


class Manifests(Protocol):
    """Where commits and models are looked up, e.g. an object database."""

    def commit(self, oid: str) -> Commit:
        """Returns a commit by its id."""

    def model(self, oid: str) -> Model:
        """Returns a model manifest by its id."""


def is_canonical_merge(commit: Commit) -> bool:
    """Returns whether ``commit`` only joins others, so that its parents say all it says."""
    return commit.is_merge and commit.agent is None


def ancestry(manifests: Manifests, tips: Iterable[str]) -> Iterator[str]:
    """Returns the ids of ``tips`` and of all their ancestors, nearest first, each once."""
    queue = list(dict.fromkeys(tips))
    seen = set(queue)
    for oid in queue:  # grows while it is walked
        yield oid
        fresh = [parent for parent in manifests.commit(oid).parents if parent not in seen]
        seen.update(fresh)
        queue.extend(dict.fromkeys(fresh))


def frontier(manifests: Manifests, tips: Iterable[str]) -> tuple[str, ...]:
    """Returns the newest commits below ``tips``: canonical merges taken apart, ancestors of others dropped, sorted."""
    pending, newest = list(tips), set[str]()
    while pending:
        oid = pending.pop()
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
    """Returns whether all the work in the commit ``part`` is in the history of the commit ``whole`` too."""
    missing = set(frontier(manifests, [part]))
    for oid in ancestry(manifests, [whole]):
        missing.discard(oid)
        if not missing:
            return True
    return False


def merge(manifests: Manifests, tips: Iterable[str]) -> tuple[str, Commit]:
    """Returns (id, commit) of the one head that has all work of ``tips``; not stored yet if it is a new merge.

    The model with the best score wins; of equal ones the newer, then the one of the smaller commit id. A task
    that was removed on one side stays removed.

    Raises:
        ConflictError: the sides define the task differently, or scored under different rules.
    """
    parents = frontier(manifests, tips)
    if len(parents) == 1:
        return parents[0], manifests.commit(parents[0])
    commits = [manifests.commit(oid) for oid in parents]
    _check_same_task(commits)
    commit = Commit(
        task=commits[0].task,
        task_id=commits[0].task_id,
        model=_best_model(manifests, commits),
        parents=parents,
        iteration=max(commit.iteration for commit in commits),
        selections=_joined_selections(commits),
        started_at=max(commit.started_at for commit in commits),
        finished_at=max(commit.finished_at for commit in commits),
        message="merge",
        removed=any(commit.removed for commit in commits),
    )
    return hash_bytes(encode(commit)), commit


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
        message=f"merge, keeping {keep[:12]} over {other[:12]}",
        removed=kept.removed,
    )


def _check_same_task(commits: Sequence[Commit]) -> None:
    names = sorted({commit.task for commit in commits})
    if len(names) > 1:
        raise InternalError(f"Cannot join heads of different tasks: {', '.join(names)}.")
    definitions = sorted({commit.task_id for commit in commits})
    if len(definitions) > 1:
        raise ConflictError(
            f"The two sides define the task {names[0]} differently: task objects "
            f"{' and '.join(oid[:12] for oid in definitions)}. Their scores do not compare.",
            hint="Keep one of them: --on-conflict ours, or --on-conflict theirs.",
        )


def _best_model(manifests: Manifests, commits: Sequence[Commit]) -> str | None:
    """Returns the winner; ``commits`` come sorted by id, and sorting is stable, so ties go to the smaller id."""
    scored = [(commit, manifests.model(commit.model)) for commit in commits if commit.model is not None]
    scorers = {encode(model.scorer) for _, model in scored if model.scorer is not None}
    if len(scorers) > 1:
        raise ConflictError(
            f"The two sides scored the task {commits[0].task} by different rules: "
            f"{' and '.join(sorted(scorer.decode() for scorer in scorers))}. Their scores do not compare.",
            hint="Keep one of them: --on-conflict ours, or --on-conflict theirs.",
        )
    ranked = sorted(scored, key=lambda pair: (_score(pair[1]), pair[0].finished_at), reverse=True)
    return ranked[0][0].model if ranked else None


def _score(model: Model) -> float:
    return float("-inf") if model.score is None else model.score


def _joined_selections(commits: Sequence[Commit]) -> Mapping[str, Mapping[str, int]]:
    """Returns the larger count per model and agent: each agent only ever counts up, so nothing counts twice."""
    joined: dict[str, dict[str, int]] = {}
    for commit in commits:
        for model, agents in commit.selections.items():
            counts = joined.setdefault(model, {})
            for agent, times in agents.items():
                counts[agent] = max(times, counts.get(agent, 0))
    return joined
