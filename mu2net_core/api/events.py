"""What ``evolve`` tells while it runs, for those who only see the api."""

from mu2net_core.engine.events import (
    ChildFinished,
    ChildReport,
    Compiled,
    Event,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationStarted,
    Spent,
)

__all__ = [
    "ChildFinished",
    "ChildReport",
    "Compiled",
    "Event",
    "GenerationFinished",
    "GenerationStarted",
    "IterationDropped",
    "IterationFinished",
    "IterationStarted",
    "Spent",
]
