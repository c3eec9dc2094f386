"""What a user gets from one iteration, whatever the data are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from measure import Spent, spent

import mu2net_core as m

__all__ = ["improved", "trained"]


def improved(repo: m.Repo, sizes: Mapping[str, int], seed: int) -> Spent:
    """Returns what an iteration of the one task spent; quality on the test split, and the time of compilations."""
    (task,) = (info.name for info in repo.tasks())
    measured = trained(repo, task, sizes, seed)
    told = repo.evaluate(task)
    return replace(measured, result={"test": told.quality, "metric": told.metric, "compiling_s": measured.result})


def trained(repo: m.Repo, task: str, sizes: Mapping[str, int], seed: int) -> Spent:
    """Returns what an iteration of a task spent, and of that the time of compilations in seconds."""
    compiled: list[float] = []

    def note(event: m.Event) -> None:
        if isinstance(event, m.Compiled):
            compiled.append(event.wall_s)

    measured = spent(lambda: repo.evolve(tasks=[task], iterations=1, seed=seed, on_event=note, **sizes))
    return replace(measured, result=sum(compiled))
