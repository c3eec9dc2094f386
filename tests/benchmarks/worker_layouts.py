"""``worker_layouts.py sequential|together|children|batch small|full``: trains four children; see case_layouts.py.

Prints the seconds of the second time, when everything is compiled.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import jax
import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.data import Examples, Resident
from mu2net_core.engine.blueprint import Blueprint
from mu2net_core.engine.child import Job, Trainer
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.layout import Layout, choose_layout
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.slots import LayerPlan, Slot, SlotRow
from mu2net_core.nn import VisionTransformer
from mu2net_core.objectives import Classify
from mu2net_core.objects import Classes
from mu2net_core.presets import PRESETS

CHILDREN = 4


def layout_of(strategy: str) -> Layout:
    """Returns the layout; ``together`` is what an accelerator does: all children on one device."""
    devices = jax.local_devices()
    if strategy == "together":
        return Layout(devices=((devices[0],),), per_device=CHILDREN)
    return choose_layout(strategy, child_bytes=1, device_bytes=2**40, most=CHILDREN, devices=devices)


def took(strategy: str, small: bool) -> float:
    """Returns the seconds of the second time, when everything is compiled."""
    preset = PRESETS["vit-mini" if small else "vit-ti3"]
    family, side = VisionTransformer(), int(preset.architecture.config["image"])
    programs = Programs(family=family, layout=layout_of(strategy))
    hyperparameters = {**preset.space.defaults, "num_layers": 0} if small else preset.space.defaults
    specs = family.layers(preset.architecture.config, hyperparameters, 10)
    layers = tuple(LayerPlan(spec=spec, source=None, trainable=True, operation="new") for spec in specs)
    slots = tuple(Slot(spec=layer.spec, layer=layer) for layer in layers)
    blueprint = Blueprint(layers=layers, frozen=(), row=SlotRow.plain(slots))
    jobs = [
        Job(blueprint=blueprint, hyperparameters=hyperparameters, seed=seed, worth_keeping=lambda _quality: True)
        for seed in range(CHILDREN)
    ]
    rng, count = np.random.default_rng(0), 64 if small else 2048
    examples = Examples(
        inputs=rng.integers(0, 256, (count, side, side, 3), np.uint8), labels=np.arange(count, dtype=np.int32) % 10
    )
    data = TaskData(
        load=lambda _split, _input_spec: Resident(examples),
        num_examples={"train": count, "validation": count},
        output=Classes(names=("",) * 10),
        validation_cap=500,
        resident_bytes=2**40,
        kept_bytes=0,
    ).at(family.input(preset.architecture.config, preset.space.defaults))
    config = replace(preset.training, validations=1)
    trainer = Trainer(
        data=data,
        pool=ComponentPool({}.__getitem__),
        programs=programs,
        config=config,
        objective=Classify(),
    )
    together = programs.layout.together
    groups = [jobs[begin : begin + together] for begin in range(0, CHILDREN, together)]
    for _ in range(2):
        began = perf_counter()
        for group in groups:
            trainer.train(group, seed=1)
        wall_s = perf_counter() - began
    return wall_s


def main() -> None:
    here = Path.cwd()
    prepare_jax(Context(now=lambda: datetime.now(UTC), host="", environ=dict(os.environ), user_config=None, cwd=here))
    print(took(sys.argv[1], sys.argv[2] == "small"))


if __name__ == "__main__":
    main()
