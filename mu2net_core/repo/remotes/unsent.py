"""What a push would move: judged by heads, names and local notes alone. Nothing is walked and nobody is asked.

The push itself looks closer: at every object of the history it sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.objects import AccessRule, Commit, component_rule
from mu2net_core.repo.core import Purged, Remote, Repository
from mu2net_core.repo.remotes.audience import refused_task
from mu2net_core.repo.remotes.closure import Node
from mu2net_core.repo.remotes.tombstone_scope import purges_here, purges_there
from mu2net_core.repo.remotes.tracking import Tracking

__all__ = ["Pending", "Sender"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Names of what is here, is not on a remote as it was last seen, and may go there."""

    tasks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tasks or self.tags or self.roots)


@dataclass(slots=True)
class Sender:
    """Says what may go to one remote.

    Attributes:
        repo: where from.
        remote: where to.
        rules: of all tasks, by name.
    """

    repo: Repository
    remote: Remote
    rules: Mapping[str, AccessRule]
    _audience: AccessRule = field(init=False)
    _here: Purged = field(init=False)
    _there: Purged = field(init=False)

    def __post_init__(self) -> None:
        self._audience = self.remote.audience
        self._here = purges_here(self.repo)
        self._there = purges_there(self.repo, self.remote)

    def purged_there(self, commit_id: str) -> bool:
        """Returns whether a commit continues a history that was purged over there."""
        return self._there.covers_commit(self.repo.objects, commit_id) is not None

    def pending(self, tracking: Tracking, moved: Mapping[str, Commit]) -> Pending:
        """Returns what a push would move.

        Args:
            tracking: what is known of the remote.
            moved: by task, the heads that the remote lacks.
        """
        tags, roots = self.repo.refs.tags(), self.repo.refs.roots()
        return Pending(
            tasks=tuple(task for task, commit in sorted(moved.items()) if self.may_send(commit)),
            tags=tuple(name for name, oid in sorted(tags.items()) if name not in tracking.tags and self._may_name(oid)),
            roots=tuple(n for n, oid in sorted(roots.items()) if n not in tracking.roots and self._is_root(oid)),
        )

    def may_send(self, commit: Commit) -> bool:
        """Returns whether the remote's readers may see a task, as far as its head tells."""
        access = self.repo.objects.task(commit.task_id).access
        if refused_task(commit.task, self.rules, self._audience) or not access.allows_all(self._audience):
            return False
        model = self.repo.objects.model(commit.model) if commit.model is not None else None
        learned = (component_rule(ref.training, self.rules) for ref in (model.components if model else ()))
        return all(rule.allows_all(self._audience) for rule in learned)

    def _is_root(self, model_id: str) -> bool:
        return self.repo.objects.model(model_id).task is None

    def _may_name(self, snapshot_id: str) -> bool:
        heads = self.repo.objects.snapshot(snapshot_id).heads
        tips: list[Node] = [("commit", oid) for oid in heads.values()]
        if self._here.missing(self.repo.objects, tips) is not None:
            return False
        if any(self._there.lists(node) is not None for node in tips):
            return False
        return all(refused_task(task, self.rules, self._audience) is None for task in heads)
