"""Which task an agent improves next, where nobody says: the one that promises most for the time it takes.

The task scheduler of Ansor (Zheng et al., 2020, section 6), in scores: what the last iterations gained for each second
of a device, and what could be gained if the task were at its best after as long again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

__all__ = ["Gain", "Prospect", "promise", "ranked"]

_RECENT = 3
_LEAST_S = 1e-3
_BEHIND, _AHEAD = 0.8, 0.2
_ANYONE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What one iteration came to: by how much the score rose, and the seconds of a device that it took."""

    score: float
    device_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What is known of a task when one is chosen.

    Attributes:
        task: its name.
        score: of its model; None if it has none.
        gains: of its iterations, the oldest first.
    """

    task: str
    score: float | None
    gains: tuple[Gain, ...]


def promise(prospect: Prospect) -> float:
    """Returns what another second on a task promises to gain: by its last three iterations, and by its head-room."""
    recent = [gain.score / max(gain.device_s, _LEAST_S) for gain in prospect.gains[-_RECENT:]]
    spent_s = max(sum(gain.device_s for gain in prospect.gains), _LEAST_S)
    behind = sum(recent) / len(recent) if recent else 0.0
    ahead = max(1.0 - (prospect.score or 0.0), 0.0) / spent_s
    return _BEHIND * behind + _AHEAD * ahead


def ranked(prospects: Iterable[Prospect], rng: Random) -> tuple[str, ...]:
    """Returns the names of all tasks, the one to improve next first; an agent takes the first that is free.

    Tasks without any iteration go first, in any order, so that several agents rather differ. Of the others, nine times
    of ten the most promising go first; else they come in any order too, so that none is given up for good.
    """
    shuffled = sorted(sorted(prospects, key=lambda one: one.task), key=lambda _one: rng.random())
    fresh = [one for one in shuffled if not one.gains]
    known = [one for one in shuffled if one.gains]
    if rng.random() >= _ANYONE:
        known.sort(key=promise, reverse=True)
    return tuple(one.task for one in (*fresh, *known))
