"""Commits and models of one task in memory, as merges ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import (
    Agent,
    Architecture,
    Commit,
    ComponentRef,
    Costs,
    Model,
    Scorer,
    Task,
    encode,
    hash_bytes,
)
from mu2net_core.repo.history import merge
from mu2net_core.scoring import decay

__all__ = ["BOB", "REF", "Shelf", "at", "other_model"]

BOB = Agent(id="bob", host="there", device="none")


REF = ComponentRef(id="0" * 64, name="head", num_params=1, size_bytes=1, trainable=True, operation="root")


def at(minute: int) -> str:
    """Returns a time, as commits have it."""
    return f"2026-01-01T00:{minute:02d}:00.000000+00:00"


@dataclass
class Shelf:
    """Commits and models of one task by id."""

    commits: dict[str, Commit] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def commit(self, oid: str) -> Commit:
        if oid in self.missing:
            raise NotFoundError(oid)
        return self.commits[oid]

    def model(self, oid: str) -> Model:
        return self.models[oid]

    def task(self, oid: str) -> Task:
        return self.tasks[oid]

    def put(self, value: Commit | Model | Task) -> str:
        oid = hash_bytes(encode(value))
        shelves: dict[type, dict[str, Any]] = {Commit: self.commits, Model: self.models, Task: self.tasks}
        shelves[type(value)][oid] = value
        return oid

    def scored(self, score: float, scorer: Scorer | None = None) -> str:
        return self.put(
            Model(
                task="t",
                task_id="1" * 64,
                parent="2" * 64,
                architecture=Architecture(name="vit", config={}),
                components=(REF,),
                hyperparameters={},
                score=score,
                scorer=scorer or Scorer(),
            )
        )

    def work(
        self,
        *parents: str,
        score: float | None = None,
        minute: int = 0,
        task_id: str = "1" * 64,
        scorer: Scorer | None = None,
        selections: Mapping[str, Mapping[str, int]] | None = None,
        iteration: int = 0,
        removed: bool = False,
    ) -> str:
        return self.put(
            Commit(
                task="t",
                task_id=task_id,
                model=None if score is None else self.scored(score, scorer),
                parents=parents,
                selections=selections or {},
                iteration=iteration,
                agent=Agent(id="a", host="here", device="cpu"),
                started_at=at(minute),
                finished_at=at(minute),
                removed=removed,
            )
        )

    def rated(self, *parents: str, quality: float, params: int, scorer: Scorer, minute: int = 0) -> str:
        """Stores work whose model has quality and costs, and the score they come to."""
        costs = Costs(params=params, accounted_params=float(params), flops=0)
        model = replace(self.model(self.unpriced(quality)), costs=costs, scorer=scorer)
        model = replace(model, score=decay(quality, costs, scorer))
        work = self.commit(self.work(*parents, minute=minute))
        return self.put(replace(work, model=self.put(model)))

    def unpriced(self, quality: float) -> str:
        return self.put(replace(self.model(self.scored(quality)), quality=quality))

    def join(self, *tips: str) -> str:
        oid, commit = merge(self, tips)
        assert self.put(commit) == oid
        return oid


def other_model(shelf: Shelf, score: float) -> str:
    """Returns the id of another model with the same score."""
    return shelf.put(replace(shelf.model(shelf.scored(score)), seed=7))
