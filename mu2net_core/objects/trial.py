"""What was tried: every child of an iteration, the discarded ones too, in the short form that a commit keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mu2net_core.objects.model import Hyperparameter, Scorer

__all__ = ["MOST_TRIALS", "ChildOutcome", "Trial", "Trials"]

MOST_TRIALS = 1_000
"""So many trials, the newest, does a commit keep, and a search method remember of earlier iterations."""

_MOST_VALUES = 2**18
"""So many hyperparameters do all trials of a commit have together."""

ChildOutcome = Literal["kept", "score", "nan"]
"""``kept``, or why a child was discarded: it did not reach its parent's score, or a loss was not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A child, and what became of it.

    Attributes:
        values: its hyperparameters, by name.
        clones: the layers it trained a copy of, sorted; those that every child trains are not told.
        parent: the model it was mutated from.
        outcome: what became of it.
        score: its best; None if a loss was not finite.
        cost: of its training: FLOPs of a forward pass times the examples it was trained on, the same on every machine.
        model: its id if it was kept.
    """

    values: Mapping[str, Hyperparameter]
    clones: tuple[str, ...] = ()
    parent: str
    outcome: ChildOutcome
    score: float | None
    cost: float
    model: str | None = None

    def __post_init__(self) -> None:
        if (self.score is None) != (self.outcome == "nan") or (self.model is None) != (self.outcome != "kept"):
            raise ValueError("a trial has a score unless it diverged, and a model if it was kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The trials of an iteration, in the order they were planned, as its commit keeps them.

    Attributes:
        scorer: that all were scored by.
        shared: hyperparameters that are the same in all; a trial's own ``values`` are the others.
        each: the trials.
    """

    scorer: Scorer
    shared: Mapping[str, Hyperparameter] = field(default_factory=dict)
    each: tuple[Trial, ...]

    def __post_init__(self) -> None:
        if len(self.each) > MOST_TRIALS:
            raise ValueError(f"expected at most {MOST_TRIALS} trials, got {len(self.each)}")
        if sum(len(self.shared) + len(trial.values) for trial in self.each) > _MOST_VALUES:
            raise ValueError(f"expected at most {_MOST_VALUES} hyperparameters in all trials together")
        if any(not self.shared.keys().isdisjoint(trial.values) for trial in self.each):
            raise ValueError("a trial's own hyperparameters are not those that all share")

    @classmethod
    def of(cls, trials: Sequence[Trial], scorer: Scorer) -> Trials:
        """Returns the newest of ``trials`` in short form."""
        largest = max((len(trial.values) for trial in trials), default=0)
        newest = tuple(trials)[-min(MOST_TRIALS, _MOST_VALUES // max(largest, 1)) :]
        shared = dict[str, Hyperparameter]() if not newest else dict(newest[0].values)
        for trial in newest:
            shared = {n: v for n, v in shared.items() if n in trial.values and _same(trial.values[n], v)}
        own = ({n: v for n, v in trial.values.items() if n not in shared} for trial in newest)
        each = tuple(replace(trial, values=values) for trial, values in zip(newest, own, strict=True))
        return cls(scorer=scorer, shared=shared, each=each)

    @property
    def whole(self) -> tuple[Trial, ...]:
        """The trials with all their hyperparameters."""
        return tuple(replace(trial, values={**self.shared, **trial.values}) for trial in self.each)


def _same(one: Hyperparameter, other: Hyperparameter) -> bool:
    return type(one) is type(other) and one == other  # 0 is neither 0.0 nor False
