"""How large a random root's patch and position embeddings should be: validation accuracy after equal training.

    TFDS_DATA_DIR=... python tests/benchmarks/root_init.py

A ViT-Ti/16 with one block, every layer trained on cmaterdb/bangla as three children of the preset ``vit-ti0`` in a row
would be (3 x 32 gradient steps at its default hyperparameters), for several sizes of the embeddings. Only the
validation split is looked at.
"""

from __future__ import annotations

import os

import jax
import numpy as np

from mu2net_core.data import Resident, data_folder, describe_task, load_split
from mu2net_core.engine.cycle import order_of
from mu2net_core.engine.evaluate import measure
from mu2net_core.engine.loaded import LoadedModel
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Chunk, Own, TrainingShape
from mu2net_core.nn import InputSpec, VisionTransformer
from mu2net_core.objectives import objective_of
from mu2net_core.presets import PRESETS
from mu2net_core.seeds import derive_seed

# Standard deviation of the patch kernel in units of LeCun's, and of the position embedding.
SIZES = ((1.0, 0.02), (0.1, 0.02), (0.32, 0.02), (1.0, 0.2), (0.32, 0.1), (0.32, 0.3), (0.32, 1.0))
NOW = (0.1**0.5, 0.3)


def main() -> None:
    folder = data_folder(None, os.environ)
    task = describe_task("cmaterdb/bangla", data_dir=folder).task
    train, validation = [load_split(task, name, shape=(32, 32, 3), data_dir=folder) for name in ("train", "validation")]
    images, labels, held_out = train.inputs, train.labels, Resident(validation)
    preset, programs = PRESETS["vit-ti0"], Programs(family=VisionTransformer())
    specs = programs.family.layers(preset.architecture.config, {"num_layers": 1}, task.output.size)
    settings, objective = OptimizerSettings.of(preset.space.defaults, 32), objective_of(task)
    chunk = Chunk(inputs=images, labels=labels, steps=np.int32(8), variant=np.int32(0), clip_norm=np.float32(1.0))
    print("| patch kernel (of LeCun's) | position embedding | validation after 1 / 2 / 3 children, seed 0 | seed 1 |")
    print("|---|---|---|---|")
    for patch, position in SIZES:
        curves = []
        for seed in (0, 1):
            rng = np.random.Generator(np.random.Philox(seed))
            row = [dict(programs.family.init(spec, rng)) for spec in specs]
            row[0]["kernel"] = row[0]["kernel"] * np.float32(patch / NOW[0])
            row[2]["pos_embedding"] = row[2]["pos_embedding"] * np.float32(position / NOW[1])
            params, curve = jax.device_put(tuple(row)), []
            momentum = jax.tree.map(np.zeros_like, tuple(row))
            for child in range(3):
                state = jax.device_put((params, momentum, np.int32(0)), may_alias=False)
                for cycle in range(4):
                    order = order_of(derive_seed(seed, child, cycle), 8, 500, 8, num_examples=4000)
                    flags = np.ones(len(specs), bool)
                    own = Own(settings=settings, smoothing=np.float32(0), trainable=flags, present=None, order=order)
                    state, _ = programs.train(TrainingShape.plain(specs), state, own, chunk, objective=objective)
                params, momentum = state[0], state[1]
                taken = InputSpec.image(32)
                model = LoadedModel(programs=programs, specs=specs, slots=specs, row=params, input_spec=taken)
                curve.append(f"{measure(model, objective, held_out).quality:.3f}")
            curves.append(" / ".join(curve))
        print(f"| {patch} | {position} | {curves[0]} | {curves[1]} |", flush=True)


if __name__ == "__main__":
    main()
