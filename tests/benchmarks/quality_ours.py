"""What a user gets from one iteration with defaults, whatever the data are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from measure import Spent, spent

import mu2net_core as m

__all__ = ["improved"]


def improved(repo: m.Repo, sizes: Mapping[str, int], seed: int) -> Spent:
    """Returns what an iteration of the one task spent; quality on the test split, and the time of compilations."""
    (task,) = (info.name for info in repo.tasks())
    compiled: list[float] = []

    def note(event: m.Event) -> None:
        if isinstance(event, m.Compiled):
            compiled.append(event.wall_s)

    measured = spent(lambda: repo.evolve(tasks=[task], iterations=1, seed=seed, on_event=note, **sizes))
    told = repo.evaluate(task)
    return replace(measured, result={"test": told.quality, "metric": told.metric, "compiling_s": sum(compiled)})
