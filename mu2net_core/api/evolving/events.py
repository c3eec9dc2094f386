"""What ``evolve`` tells while it runs, for those who only see the api."""

from mu2net_core.engine import (
    ChildFinished,
    ChildReport,
    Compiled,
    Compiling,
    CycleFinished,
    Event,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationsQueued,
    IterationStarted,
    Schedule,
    Spent,
)

__all__ = [
    "ChildFinished",
    "ChildReport",
    "Compiled",
    "Compiling",
    "CycleFinished",
    "Event",
    "GenerationFinished",
    "GenerationStarted",
    "IterationDropped",
    "IterationFinished",
    "IterationStarted",
    "IterationsQueued",
    "Schedule",
    "Spent",
]
