"""How large a random root's patch and position embeddings should be: validation accuracy after equal training.

    TFDS_DATA_DIR=... python tests/benchmarks/root_init.py

A ViT-Ti/16 with one block, every layer trained on cmaterdb/bangla as three children of the preset ``vit-ti0`` in a row
would be (3 x 32 gradient steps at its default hyperparameters), for several sizes of the embeddings. Only the
validation split is looked at.
"""

from __future__ import annotations

import os

import jax
import jax.numpy as jnp

from mu2net_core.data import data_folder, describe_task, load_split
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.programs import Programs
from mu2net_core.nn import VisionTransformer
from mu2net_core.presets import PRESETS

# Standard deviation of the patch kernel in units of LeCun's, and of the position embedding.
SIZES = ((1.0, 0.02), (0.1, 0.02), (0.32, 0.02), (1.0, 0.2), (0.32, 0.1), (0.32, 0.3), (0.32, 1.0))
NOW = (0.1**0.5, 0.3)


def main() -> None:
    folder = data_folder(None, os.environ)
    task = describe_task("cmaterdb/bangla", data_dir=folder).task
    splits = [load_split(task, name, size=(32, 32), data_dir=folder) for name in ("train", "validation")]
    train, validation = [(jnp.asarray(split.images), jnp.asarray(split.labels)) for split in splits]
    preset, programs = PRESETS["vit-ti0"], Programs(family=VisionTransformer())
    specs = programs.family.layers(preset.architecture.config, {"num_layers": 1}, task.num_classes)
    settings = OptimizerSettings.of(preset.space.defaults, 32)
    print("| patch kernel (of LeCun's) | position embedding | validation after 1 / 2 / 3 children, seed 0 | seed 1 |")
    print("|---|---|---|---|")
    for patch, position in SIZES:
        curves = []
        for seed in (0, 1):
            row = [dict(programs.init(s, jax.random.fold_in(jax.random.key(seed), i))) for i, s in enumerate(specs)]
            row[0]["kernel"] = row[0]["kernel"] * (patch / NOW[0])
            row[2]["pos_embedding"] = row[2]["pos_embedding"] * (position / NOW[1])
            params, momentum, curve = tuple(row), jax.tree.map(jnp.zeros_like, tuple(row)), []
            for child in range(3):
                state = (params, momentum, jnp.int32(0))
                for cycle in range(4):
                    state, _, correct = programs.train_cycle(
                        specs, state, settings, jnp.ones(len(specs), bool), train, validation,
                        jax.random.key(seed * 100 + child * 10 + cycle), steps=8, batch=500, clip_norm=1.0,
                    )  # fmt: skip
                params, momentum = state[0], state[1]
                curve.append(f"{int(correct) / len(validation[1]):.3f}")
            curves.append(" / ".join(curve))
        print(f"| {patch} | {position} | {curves[0]} | {curves[1]} |", flush=True)


if __name__ == "__main__":
    main()
