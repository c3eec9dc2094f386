"""What is done to agents that share a system, and when: drawn from a seed, so that the same can be done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

__all__ = ["KINDS", "Blow", "Kind", "blows"]

Kind: TypeAlias = Literal["kill", "pause", "coma", "cut", "mute", "loss", "clock"]
KINDS: tuple[Kind, ...] = ("kill", "pause", "coma", "cut", "mute", "loss", "clock")
_EVERY_S: dict[Kind, float] = {
    "kill": 300.0,
    "pause": 700.0,
    "coma": 1_400.0,
    "cut": 600.0,
    "mute": 1_200.0,
    "loss": 700.0,
    "clock": 700.0,
}
"""So often each is done to one agent, on average."""

_LASTS_S: dict[Kind, tuple[float, float]] = {
    "kill": (0.0, 0.0),
    "pause": (5.0, 30.0),
    "coma": (195.0, 255.0),
    "cut": (15.0, 75.0),
    "mute": (20.0, 45.0),
    "loss": (30.0, 90.0),
    "clock": (40.0, 120.0),
}
_QUIET = 0.1
"""This part of the time, at the begin and at the end, nothing is begun: agents start, and come to themselves again."""

_SHORT = 0.35
"""Nothing lasts longer than this part of the time."""

CLOCKS_S = (600.0, -600.0, 86_400.0, -86_400.0, 3_600.0)
"""By how much clocks jump: S3 answers nobody whose clock is a quarter of an hour off."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Blow:
    """One thing that goes wrong.

    Attributes:
        at_s: seconds after the begin.
        kind: ``kill``: kill -9; ``pause``: SIGSTOP, then SIGCONT; ``coma``: likewise, for longer than a lease lives;
            ``cut``: connections break; ``mute``: requests arrive, but answers take longer than anybody waits; ``loss``:
            a part of the requests and answers is lost; ``clock``: the clock jumps, and back.
        whom: index of the agent, or of the one whose working copy it happens to.
        lasts_s: for how long.
        by_s: how far the clock jumps.
    """

    at_s: float
    kind: Kind
    whom: int
    lasts_s: float = 0.0
    by_s: float = 0.0


def blows(seed: int, *, seconds: float, agents: int, kinds: Sequence[Kind] = KINDS) -> tuple[Blow, ...]:
    """Returns what happens in so many seconds to so many agents, in order.

    Each kind that has room happens at least once, and the more often the more agents and the more time there are; its
    victims take turns in an order that is drawn.
    """
    found: list[Blow] = []
    for kind in kinds:
        random = Random(f"{seed} {kind}")  # noqa: S311  faults, not secrets
        least_s, most_s = (min(value, _SHORT * seconds) for value in _LASTS_S[kind])
        if least_s < _LASTS_S[kind][0]:
            continue  # no time for it
        times = max(1, round(seconds * agents / _EVERY_S[kind]))
        victims = random.sample(range(agents), agents)
        for number in range(times):
            begin_s = _QUIET * seconds + (number + random.random()) * (1 - 2 * _QUIET) * seconds / times
            lasts_s = random.uniform(least_s, most_s)
            found.append(
                Blow(
                    at_s=round(min(begin_s, (1 - _QUIET) * seconds - lasts_s), 1),
                    kind=kind,
                    whom=victims[number % agents],
                    lasts_s=round(lasts_s, 1),
                    by_s=random.choice(CLOCKS_S) if kind == "clock" else 0.0,
                )
            )
    return tuple(sorted(found))
