"""ConvNets are evolved, repeated and asked like other models; what chance changes it changes at once: µ is 1."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.presets import preset_named
from mu2net_core.repo import open_repository

pytestmark = pytest.mark.usefixtures("quickly")
PRESET = """
[presets.tiny]
base = "convnet-8"
architecture = { patch = 4, stem = 4, conv_width = 8, width = 16, heads = 2, mlp = 16 }
evolve = { batch_size = 16 }
space = { structural = ["block"] }
"""
CHOSEN = {"mu": "1.0", "learning_rate": "0.1", "num_layers": "1", "flip_left_right": "false"}
STILL = {name: json.dumps(value) for name, value in preset_named("convnet-8").space.defaults.items()} | CHOSEN
SETTINGS = {f"MU2NET_SPACE_{name.upper()}": f"[{value}]" for name, value in STILL.items()}
SETTINGS |= {f"MU2NET_DEFAULT_{name.upper()}": value for name, value in CHOSEN.items()}
SETTINGS |= {"MU2NET_SPACE_NUM_LAYERS": "[1, 2]"}
ONE_CHILD = EvolveOptions(generations=1, children=1, validations=1, seed=1)


@pytest.fixture
def small(world):
    """Returns a world and a repository of tiny ConvNets with a task of bright and dark images."""
    here = world(**SETTINGS)
    config = here.folder / "config.toml"
    config.write_text(PRESET)
    here = replace(here, context=replace(here.context, user_config=config))
    labels = np.arange(120) % 2
    noise = np.random.default_rng(0).integers(0, 120, (120, 8, 8, 3))
    np.savez(here.folder / "light.npz", x=(noise + 100 * labels[:, None, None, None]).astype(np.uint8), y=labels)
    init(Path("repo"), here.context, preset="tiny")
    repo = open_repository(here.folder / "repo" / ".mu2net")
    add_task(repo, here.context, f"npz:{here.folder / 'light.npz'}")
    return here, repo


def test_a_convnet_gets_an_attention_block_is_repeated_bit_by_bit_and_predicts(small) -> None:
    world, repo = small
    environ = {**world.context.environ, "MU2NET_EVOLVE_PROBES": "0"}  # so that the first child has mutations
    world = replace(world, context=replace(world.context, environ=environ))
    (iteration,) = evolve(repo, world.context, ["light"], ONE_CHILD).iterations
    model = repo.objects.model(iteration.model)
    assert {name: model.hyperparameters[name] for name in ("num_layers", "attention_1")} == {
        "num_layers": 2,
        "attention_1": 2,
    }
    assert [made.name for made in model.mutations if made.name.startswith("grow:")] == ["grow:attention"]
    assert {ref.name: ref.operation for ref in model.components}["encoderblock_1"] == "grow"
    assert evaluate(repo, world.context, "light").accuracy == model.test_quality
    assert replay(repo, world.context, "light").outcome == "same"
    assert fsck(repo, world.context).is_clean
    bright = np.full((1, 8, 8, 3), 160, np.uint8)
    chances = Predictor(repo, world.context, "light").probabilities(np.concatenate([bright, bright // 3]))
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    assert chances.shape == (2, 2)


def test_the_first_model_of_a_task_is_the_best_probed_trained_on_and_is_repeated_bit_by_bit(small) -> None:
    world, repo = small
    (iteration,) = evolve(repo, world.context, ["light"], ONE_CHILD).iterations
    model = repo.objects.model(iteration.model)
    moved = [made.name for made in model.mutations if not made.name.startswith("mu:")]
    assert moved == []  # from a root, whose layers are trained in any case
    assert {name: model.hyperparameters[name] for name in ("num_layers", "learning_rate")} == {
        "num_layers": 1,
        "learning_rate": 0.1,
    }
    assert replay(repo, world.context, "light").outcome == "same"
