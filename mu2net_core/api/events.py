"""What ``evolve`` tells while it runs, for those who only see the api."""

from mu2net_core.engine.events import (
    ChildFinished,
    Compiled,
    Event,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationStarted,
)

__all__ = [
    "ChildFinished",
    "Compiled",
    "Event",
    "GenerationFinished",
    "GenerationStarted",
    "IterationDropped",
    "IterationFinished",
    "IterationStarted",
]
