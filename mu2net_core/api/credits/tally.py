"""Counts what commits brought: one row for each person and task, and one for each person.

A commit counts once, however many histories it is in, and merges count for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import fsum

from mu2net_core.api.looking.log import event_of
from mu2net_core.objects import Model
from mu2net_core.repo.history import Contribution, Past, component_mark

__all__ = ["Credits", "Tally", "accepted", "first_of", "reused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """What somebody contributed, as the commits tell.

    Attributes:
        gain: by how much the scores of heads rose by models that are in the line of these heads now.
        device_s: seconds that devices worked on iterations, all together.
        kept: children that were better than their parents.
        discarded: children that were not, or diverged.
        iterations: task iterations.
        tasks_added: tasks that were added.
        reuse: heads of other tasks that hold components which were trained in these iterations.
    """

    gain: float = 0.0
    device_s: float = 0.0
    kept: int = 0
    discarded: int = 0
    iterations: int = 0
    tasks_added: int = 0
    reuse: int = 0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is counted of one person, of one task or of all.

    Attributes:
        gains: of each iteration that counts.
        device_s: as of ``Credits``, like ``kept``, ``discarded`` and ``iterations``.
        added: the tasks that were added.
        users: the tasks whose heads hold what was trained.
    """

    gains: list[float] = field(default_factory=list)
    device_s: float = 0.0
    kept: int = 0
    discarded: int = 0
    iterations: int = 0
    added: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)

    def count(self, past: Past, gain: float) -> None:
        """Counts a commit that added a task or is an iteration, which raised the score of a head by ``gain``."""
        if event_of(past) == "add":
            self.added.add(past.task)
            return
        self.gains.append(gain)
        self.device_s += past.device_s
        self.kept += past.kept
        self.discarded += sum(past.discarded.values())
        self.iterations += 1

    def credits(self) -> Credits:
        """Returns what was counted."""
        return Credits(
            gain=fsum(self.gains),
            device_s=self.device_s,
            kept=self.kept,
            discarded=self.discarded,
            iterations=self.iterations,
            tasks_added=len(self.added),
            reuse=len(self.users),
        )


def accepted(tip: str, pasts: Mapping[str, Past], is_signed: Callable[[str], bool]) -> Iterator[str]:
    """Yields the commits that a head came to its model by, newest first.

    At a merge that is the side whose model was kept, at a reset what it went back to. Where several sides have the
    same model, a signed one counts before others, and then the one that finished first.

    Args:
        tip: the head's commit.
        pasts: of the whole history, by commit id.
        is_signed: returns whether somebody vouches for a commit.
    """
    following: str | None = tip
    while following is not None and following in pasts:
        past = pasts[following]
        same = [oid for oid in past.parents if oid in pasts and pasts[oid].model == past.model]
        if past.reset_to is not None:
            following = past.reset_to
        elif same:
            following = min(same, key=lambda oid: (not is_signed(oid), pasts[oid].finished_at, oid))
        else:
            yield following
            following = past.parents[0] if len(past.parents) == 1 else None


def reused(
    head: Model,
    model_id: str,
    brought_by: Mapping[str, tuple[Past, Contribution]],
    parent_of: Callable[[str], str | None],
) -> Iterator[Past]:
    """Yields the commits of other tasks that trained components which a head's model holds.

    Args:
        head: the model.
        model_id: its id.
        brought_by: by model id, the commit that first retained it, and what that brought.
        parent_of: returns the model that one was made from which nobody here retained; None if that is not known.
    """
    wanted = {component_mark(ref.id) for ref in head.components if ref.training.keys() - {head.task}}
    line: str | None = model_id
    while line is not None and wanted:
        if line not in brought_by:
            line = parent_of(line)
            continue
        past, brought = brought_by[line]
        if past.task != head.task and not wanted.isdisjoint(brought.made):
            yield past
        wanted.difference_update(brought.made)
        line = brought.grown_from


def first_of(commits: Iterable[tuple[Past, Contribution]]) -> dict[str, tuple[Past, Contribution]]:
    """Returns by model id the iteration that found it; of several a signed one, then the one that finished first."""
    first: dict[str, tuple[Past, Contribution]] = {}
    for past, brought in commits:
        if past.model is None or brought.grown_from is None or event_of(past) != "iteration":
            continue
        if past.model not in first or _rank(past, brought) < _rank(*first[past.model]):
            first[past.model] = past, brought
    return first


def _rank(past: Past, brought: Contribution) -> tuple[bool, str, str]:
    return not brought.vouched, past.finished_at, past.oid
