"""What the commits of a task say of what another iteration on it promises."""

from __future__ import annotations

from dataclasses import dataclass, field

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Commit, Head
from mu2net_core.repo import Repository
from mu2net_core.repo.history import ancestry
from mu2net_core.search import Gain, Prospect

__all__ = ["Prospects"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """Reads the history of a task anew only when its head has moved.

    Attributes:
        repo: with the histories.
    """

    repo: Repository
    _known: dict[str, tuple[str, Prospect]] = field(default_factory=dict)

    def of(self, head: Head) -> Prospect:
        """Returns what is known of the task of ``head``; whoever did its iterations, here or elsewhere."""
        name = head.task.name
        if name not in self._known or self._known[name][0] != head.commit_id:
            self._known[name] = (head.commit_id, self._read(head))
        return self._known[name][1]

    def _read(self, head: Head) -> Prospect:
        commits = {oid: self.repo.objects.commit(oid) for oid in ancestry(self.repo.objects, [head.commit_id])}
        refits_s = {one.parents[0]: one.device_s for one in commits.values() if one.refit_of is not None}
        iterations = [(oid, commit) for oid, commit in commits.items() if self._is_iteration(commit)]
        in_turn = sorted(iterations, key=lambda one: one[1].finished_at)
        return Prospect(
            task=head.task.name,
            score=self._score(head.commit),
            gains=tuple(self._gain(commit, refits_s.get(oid, 0.0)) for oid, commit in in_turn),
        )

    def _is_iteration(self, commit: Commit) -> bool:
        """Returns whether a commit is one: neither a merge, nor a reset, nor the task's addition."""
        if len(commit.parents) != 1 or commit.reset_to is not None:
            return False
        return commit.iteration > self.repo.objects.commit(commit.parents[0]).iteration

    def _gain(self, commit: Commit, refit_s: float) -> Gain:
        """Returns by how much an iteration's model is better than the one it began with; a first one, than none."""
        before = self._score(self.repo.objects.commit(commit.parents[0]))
        after = self._score(commit)
        gained = 0.0 if after is None else max(after - (before or 0.0), 0.0)
        return Gain(score=gained, device_s=commit.device_s + refit_s)

    def _score(self, commit: Commit) -> float | None:
        try:
            return None if commit.model is None else self.repo.objects.model(commit.model).score
        except (CorruptObjectError, NotFoundError):  # purged, or not to be had
            return None
