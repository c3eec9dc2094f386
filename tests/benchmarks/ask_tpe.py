"""``python tests/benchmarks/ask_tpe.py``: CPU seconds that ``tpe`` plans 8 children for, by the trials it knows."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mu2net_core.objects import Trial
from mu2net_core.presets import preset_named
from mu2net_core.search import METHODS, SearchState, start
from mu2net_core.seeds import rng
from mu2net_core.testing.building.systems import (
    SampleStructure,
    SystemBuilder,
    sample_member,
    sample_ref,
)

CHILDREN, ROUNDS = 8, 5


def main() -> None:
    space, method = preset_named("convnet-32").space, METHODS.load("tpe")
    refs = [sample_ref(name) for name in ("embedding", "block", "head")]
    root = sample_member(None, refs, hyperparameters=space.defaults)
    system = SystemBuilder().root(root).task("task").build()
    for number in (4, 10, 50, 200, 500, 1000):
        draw = rng(number, "trials")
        trials = tuple(
            Trial(
                values={name: values[int(draw.random() * len(values))] for name, values in space.values.items()},
                parent=root.id,
                outcome="score",
                score=draw.random(),
                cost=1.0,
            )
            for _ in range(number)
        )
        state, took = SearchState(population=start(system, "task"), before=trials), list[float]()
        for seed in range(ROUNDS):
            began = time.process_time()
            method.ask(state, system, space, num_children=CHILDREN, structure=SampleStructure(), seed=seed)
            took.append(time.process_time() - began)
        print(
            f"{number:5} trials: {statistics.median(took):.3f} s for {CHILDREN} children, {len(space.movable)} can move"
        )


if __name__ == "__main__":
    main()
