"""A simulator: how long agents that wait for nobody, or go in step, take for iterations of known lengths."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["alone_s", "finished_s", "free_s", "in_step_s"]

Lengths = Mapping[str, Sequence[float]]
"""By task the seconds that each of its iterations takes, in their order."""


def alone_s(lengths: Lengths) -> float:
    """Returns the seconds of one agent that does everything."""
    return sum(map(sum, lengths.values()))


def free_s(lengths: Lengths, agents: int) -> float:
    """Returns the seconds of ``agents`` that wait for nobody: whoever is free takes the task that has fewest done.

    A task has one agent at a time.
    """
    return max((end for _, end in _played(lengths, agents)), default=0.0)


def finished_s(lengths: Lengths, agents: int, until_s: float) -> float:
    """Returns the seconds of the iterations that ``agents`` have finished after ``until_s``, who wait for nobody.

    Tasks are improved for ever: their iterations take as long as the given ones, in turn.
    """
    rounds = 1 + max(int(until_s / sum(each)) for each in lengths.values())
    played = _played({name: [*each] * rounds for name, each in lengths.items()}, agents)
    return sum(end - begin for begin, end in played if end <= until_s)


def _played(lengths: Lengths, agents: int) -> Iterator[tuple[float, float]]:
    """Yields when each iteration begins and ends."""
    done = dict.fromkeys(lengths, 0)
    busy: list[tuple[float, str]] = []
    free, now = agents, 0.0
    while True:
        held = {name for _, name in busy}
        wanted = [name for name in lengths if name not in held and done[name] < len(lengths[name])]
        for name in sorted(wanted, key=done.__getitem__)[:free]:
            end = now + lengths[name][done[name]]
            heapq.heappush(busy, (end, name))
            yield now, end
            free -= 1
        if not busy:
            return
        now, name = heapq.heappop(busy)
        done[name] += 1
        free += 1


def in_step_s(lengths: Lengths, agents: int) -> float:
    """Returns the seconds of ``agents`` that begin no iteration before all have finished the one before it."""
    steps = max(map(len, lengths.values()))
    return sum(free_s({name: each[step : step + 1] for name, each in lengths.items()}, agents) for step in range(steps))
