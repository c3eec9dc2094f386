"""Trains the same generation in every layout and prints what came out as JSON; run with several devices."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jax
import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.engine.generation import train_generation
from mu2net_core.engine.layout import choose_layout
from mu2net_core.engine.programs import Programs
from mu2net_core.search import ChildPlan, Population
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench

PRESET = replace(BENCH_PRESET, training=replace(BENCH_PRESET.training, batch_size=8))
"""Of a batch a device has fewer examples than a chunk has steps, so that neither is taken for the other."""


def train(strategy: str) -> dict:
    layout = choose_layout(strategy, child_bytes=1, device_bytes=10**9, most=3, devices=jax.local_devices())
    told: list[str] = []
    programs = Programs(family=DenseFamily(), layout=layout, on_compile=lambda what, _wall_s: told.append(what))
    bench = Workbench(programs=programs)
    root = bench.root()
    plans = tuple(
        ChildPlan(
            parent=root,
            clones=frozenset(clones),
            hyperparameters=PRESET.space.defaults,
            mutation_rates={},
            mutations=(),
            seed=seed,
        )
        for seed, clones in ((1, ["block_0"]), (2, ["block_0"]), (3, ["block_0"]), (4, []))
    )
    system = SystemBuilder().root(root).task("a").build()
    results = list(train_generation(bench.workshop(preset=PRESET), plans, Population(task="a"), system, seed=1))
    members = [result.member for result in sorted(results, key=lambda result: result.child)]
    return {
        "ids": [member.id for member in members],
        "curves": [member.model.validation_curve for member in members],
        "params": [
            bench.components[ref.id].params for member in members for ref in member.model.components if ref.trainable
        ],
        "programs": sorted(told),
    }


def distance(ours: list, theirs: list) -> float:
    """Returns how far the farthest parameter is from the same one in another layout."""
    return max(
        float(np.abs(mine[name] - other[name]).max()) for mine, other in zip(ours, theirs, strict=True) for name in mine
    )


def main() -> None:
    cache = Path(os.environ["MU2NET_CACHE_DIR"])
    prepare_jax(
        Context(now=lambda: datetime.now(UTC), host="test", environ=dict(os.environ), user_config=None, cwd=cache)
    )
    times = {"sequential": 1, "children": 2, "batch": 2}
    found = {strategy: [train(strategy) for _ in range(count)] for strategy, count in times.items()}
    alone = found["sequential"][0]["params"]
    report = {
        strategy: [{**run, "distance": distance(run["params"], alone), "params": None} for run in runs]
        for strategy, runs in found.items()
    }
    print(json.dumps({"devices": len(jax.local_devices()), **report}))


if __name__ == "__main__":
    main()
