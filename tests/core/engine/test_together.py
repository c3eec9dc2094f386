"""Children of a generation: what they share, and what becomes of them where they do not fill their program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mu2net_core.engine import generation
from mu2net_core.engine.child import Job, Trained, Trainer
from mu2net_core.engine.generation import ChildResult, train_generation
from mu2net_core.engine.layout import Layout, default_layout
from mu2net_core.engine.programs import Programs
from mu2net_core.search import Population
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import Workbench


def test_what_children_share_is_drawn_anew_for_every_generation(bench: Workbench, plan_of) -> None:
    root = bench.root()
    system, population = SystemBuilder().root(root).task("a").build(), Population(task="a")

    def components(seed: int) -> tuple[str, ...]:
        plan = plan_of(root, ("block_0",), brightness=0.4)
        (result,) = train_generation(bench.workshop(), (plan,), population, system, seed=seed)
        assert result.member is not None
        return tuple(ref.id for ref in result.member.model.components)

    assert components(1) == components(1) != components(2)


def test_children_that_do_not_fill_a_program_learn_what_they_learn_one_after_the_other(
    plan_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, train = list[int](), Trainer.train

    def counted(self: Trainer, jobs: Sequence[Job], **others: Any) -> list[Trained]:
        together.append(len(jobs))
        return train(self, jobs, **others)

    monkeypatch.setattr(Trainer, "train", counted)

    def made(layout: Layout) -> tuple[list[ChildResult], Workbench]:
        bench = Workbench(programs=Programs(family=DenseFamily(), layout=layout))
        root = bench.root()
        plans = (*(plan_of(root, ("block_0",), seed=seed) for seed in (1, 2, 3)), plan_of(root))
        system, population = SystemBuilder().root(root).task("a").build(), Population(task="a")
        together.clear()
        return list(train_generation(bench.workshop(), plans, population, system, seed=1)), bench

    (after, kept), alone = made(default_layout()), together.copy()
    clock = SimpleNamespace(perf_counter=count(10, 6).__next__)
    monkeypatch.setattr(generation, "time", clock)
    beside, held = made(replace(default_layout(), per_device=4))
    assert (alone, together) == ([1, 1, 1, 1], [4, 1])
    assert [(result.child, result.wall_s) for result in beside] == [(0, 2), (1, 2), (2, 2), (3, 6)]
    assert held.programs.meter.examples == kept.programs.meter.examples > 0
    for mine, other in zip(beside, after, strict=True):
        assert mine.member is not None
        assert other.member is not None
        for ours, theirs in zip(mine.member.model.components, other.member.model.components, strict=True):
            for name, array in held.components[ours.id].params.items():
                np.testing.assert_allclose(array, kept.components[theirs.id].params[name], rtol=1e-4, atol=1e-5)
