"""What an agent says while it works: frozen values, in order, for progress displays and logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ChildFinished",
    "Compiled",
    "Event",
    "GenerationFinished",
    "GenerationStarted",
    "IterationDropped",
    "IterationFinished",
    "IterationStarted",
    "Outcome",
]

Outcome = Literal["kept", "score", "nan"]
"""``kept``, or why a child was discarded: it did not reach its parent's score, or a loss was not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationDropped:
    """An interrupted iteration cannot go on: its ``generations`` that were over are lost, and ``reason`` says why."""

    task: str
    iteration: int
    generations: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationStarted:
    """A task iteration begins, or resumes at ``resumed_generation`` (0 when it begins)."""

    task: str
    iteration: int
    generations: int
    children: int
    resumed_generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStarted:
    """A generation's children have been sampled."""

    task: str
    iteration: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFinished:
    """A child has been trained; ``score`` and ``quality`` are its best, None if a loss was not finite.

    ``best_score`` is the best of the population so far, this child included; None while there is no member.
    """

    task: str
    iteration: int
    generation: int
    child: int
    outcome: Outcome
    score: float | None
    quality: float | None
    best_score: float | None
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFinished:
    """A generation is over and its state is safe on disk.

    ``kept`` and ``discarded`` count the children of the iteration so far; ``wall_s`` is this generation's time and
    ``eta_s`` what the remaining ones should take.
    """

    task: str
    iteration: int
    generation: int
    best_score: float | None
    best_quality: float | None
    kept: int
    discarded: int
    wall_s: float
    eta_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationFinished:
    """The best model is retained and the head has moved."""

    task: str
    iteration: int
    validation: float
    test: float
    improved: bool
    commit_id: str
    model_id: str
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A program was compiled, or found in the persistent cache."""

    what: str
    wall_s: float


Event = (
    IterationDropped
    | IterationStarted
    | GenerationStarted
    | ChildFinished
    | GenerationFinished
    | IterationFinished
    | Compiled
)
