"""The whole method on small images: adapters, growth, moving image sizes, preprocessing, streams, low precision.

One preset of the user's own, whose search space is so narrow that every change happens at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_cli.printing.lineage import tree_lines
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.looking.ancestry import ancestry
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor
from mu2net_core.api.quiet import ignore
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import InvalidInputError
from mu2net_core.events import Event
from mu2net_core.objects import Model
from mu2net_core.repo import Repository, load_system, open_repository

pytestmark = pytest.mark.usefixtures("quickly")
SIZES = {
    "MU2NET_EVOLVE_BATCH_SIZE": "16",
    "MU2NET_SPACE_MU": "[1.0]",
    "MU2NET_DEFAULT_MU": "1.0",
    "MU2NET_SPACE_LEARNING_RATE": "[0.1]",
    "MU2NET_DEFAULT_LEARNING_RATE": "0.1",
    "MU2NET_SPACE_NUM_LAYERS": "[1]",
    "MU2NET_DEFAULT_NUM_LAYERS": "1",
    "MU2NET_SPACE_IMAGE_SIZE": "[8]",
    "MU2NET_DEFAULT_IMAGE_SIZE": "8",
    "MU2NET_SPACE_STRUCTURAL": "[]",
}
STILL = ("crop_area_min", "crop_aspect_min", "flip_left_right", "brightness", "contrast", "saturation", "hue")
OFF = {"crop_area_min": "1.0", "crop_aspect_min": "1.0", "flip_left_right": "false"}
SIZES |= {f"MU2NET_SPACE_{name.upper()}": f"[{OFF.get(name, '0.0')}]" for name in (*STILL, "jpeg_quality")}


@pytest.fixture
def small(world: Callable[..., Any]) -> Callable[..., tuple[Any, Repository]]:
    """Returns what makes a repository of small ViTs with a task of bright and dark images: settings as keywords."""

    def make(**changed: str) -> tuple[Any, Repository]:
        settings = {f"MU2NET_{key.upper()}": value for key, value in changed.items()}
        here = world(**{**SIZES, **settings})
        config = here.folder / "config.toml"
        config.write_text(
            '[presets.tiny]\nbase = "vit-ti0"\n'
            "architecture = { image = 8, patch = 4, width = 16, heads = 2, mlp = 16 }\n"
        )
        here = type(here)(folder=here.folder, context=_with(here.context, user_config=config))
        rng = np.random.default_rng(0)
        labels = np.arange(120) % 2
        images = (rng.integers(0, 120, (120, 8, 8, 3)) + 100 * labels[:, None, None, None]).astype(np.uint8)
        np.savez(here.folder / "light.npz", x=images, y=labels)
        init(Path("repo"), here.context, preset="tiny")
        repo = open_repository(here.folder / "repo" / ".mu2net")
        add_task(repo, here.context, f"npz:{here.folder / 'light.npz'}")
        return here, repo

    return make


def _with(context: Any, **changed: Any) -> Any:
    from dataclasses import replace

    return replace(context, **changed)


def evolved(world: Any, repo: Repository, on_event: Callable[[Event], None] = ignore, **options: Any) -> Model:
    sizes = {"generations": 1, "children": 2, "validations": 1, "seed": 1, **options}
    (iteration,) = evolve(repo, world.context, ["light"], EvolveOptions(**sizes), on_event=on_event).iterations
    model = repo.objects.model(iteration.model)
    assert evaluate(repo, world.context, "light").accuracy == model.test_quality
    assert fsck(repo, world.context).is_clean
    return model


def refs(model: Model) -> dict[str, tuple[bool, str]]:
    return {ref.name: (ref.trainable, ref.operation) for ref in model.components}


def test_adapters_are_added_trained_stored_and_shared_on(small) -> None:
    world, repo = small(space_structural='["adapter"]', space_adapter_dim="[8]", default_adapter_dim="8")
    first = evolved(world, repo)
    assert first.hyperparameters["adapter_0"] == 8
    assert [m.after for m in first.mutations if m.name == "add:adapter_0"] == [8]
    assert refs(first)["adapter_0"] == (True, "new")
    assert first.component("adapter_0").num_params == 2 * 16 + 16 * 8 + 8 + 8 * 16 + 16
    again = evolved(world, repo, generations=2)
    assert again.hyperparameters["adapter_0"] == 8
    adapters = {m.component("adapter_0").id for m in lineage(repo, again)}
    assert len(adapters) == len(lineage(repo, again)) > 1  # µ is 1: each child trained a copy of its parent's


def test_matrices_are_changed_with_low_rank_and_what_they_are_beside_stays_shared(small) -> None:
    world, repo = small(space_structural='["lora"]')
    first = evolved(world, repo)
    assert first.hyperparameters["lora_0"] == 2
    assert [m.after for m in first.mutations if m.name == "add:lora_0"] == [2]
    assert refs(first)["lora_0"] == (True, "new")
    sizes = 4 * (16 + 16) + 2 * (16 + 16)  # of four products of attention and two of the MLP
    assert first.component("lora_0").num_params == 2 * sizes
    assert sum(ref.num_params for ref in first.components) == first.costs.params
    add_task(repo, world.context, f"npz:{world.folder / 'light.npz'}", TaskOptions(name="dark"))
    few = {"MU2NET_SPACE_MU": "[0.0]", "MU2NET_DEFAULT_MU": "0.0"}  # nothing is copied, and nothing changed
    still = _with(world.context, environ={**world.context.environ, **few})
    held = load_system(repo).heads["light"].model
    child, seed = None, 0
    while child is None or child.component("lora_0") is None:  # one whose parent is not the root
        seed += 1
        evolve(repo, still, ["dark"], EvolveOptions(generations=1, children=1, validations=1, seed=seed))
        child = load_system(repo).heads["dark"].model
    assert child.component("lora_0").id == held.component("lora_0").id
    assert not child.component("lora_0").trainable
    assert replay(repo, world.context, "light").outcome == "same"
    grown = evolved(world, repo, seed=2)
    assert grown.hyperparameters["lora_0"] in {2, 4}
    (line,) = (line for line in ancestry(repo, "light").components if line.layer == "lora_0")
    assert line.steps[-1].operation == "new"
    assert any("lora_0  " in text for text in tree_lines(ancestry(repo, "light"), transfer=False))
    assert evaluate(repo, world.context, "light").accuracy == grown.test_quality


@pytest.mark.parametrize(
    ("kind", "grown", "value"), [("mlp", "mlp_0", 24), ("heads", "heads_0", 3), ("block", "num_layers", 2)]
)
def test_blocks_grow_where_that_is_wanted(small, kind: str, grown: str, value: int) -> None:
    layers = {"space_num_layers": "[1, 2]"} if kind == "block" else {}
    world, repo = small(space_structural=f'["{kind}"]', **layers)
    model = evolved(world, repo, children=1)
    assert model.hyperparameters[grown] == value
    name = "encoderblock_1" if kind == "block" else "encoderblock_0"
    assert refs(model)[name] == (True, "grow")
    assert Predictor(repo, world.context, "light").classes == ("0", "1")


def test_images_grow_and_positions_with_them(small) -> None:
    world, repo = small(space_image_size="[8, 12]")
    model = evolved(world, repo, generations=3)
    assert model.hyperparameters["image_size"] in {8, 12}
    for one in lineage(repo, model):
        side = one.hyperparameters["image_size"]
        assert one.component("position_embedding").num_params == ((side // 4) ** 2 + 1) * 16
    made = [refs(m)["position_embedding"][1] for m in lineage(repo, model) if m.hyperparameters["image_size"] == 12]
    assert made[-1] == "interpolate"  # the first of that size; µ is 1, so that every generation moves
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert Predictor(repo, world.context, "light").probabilities(images).shape == (2, 2)


def lineage(repo: Repository, model: Model) -> list[Model]:
    found = [model]
    while found[-1].parent not in load_system(repo).roots:
        found.append(repo.objects.model(found[-1].parent))
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {"space_brightness": "[0.0, 0.1]", "space_flip_left_right": "[false, true]"},
        {"machine_resident_bytes": "1"},
        {"machine_precision": "bfloat16"},
    ],
    ids=["augmented", "streamed", "bfloat16"],
)
def test_an_iteration_repeats_bit_by_bit_however_it_is_trained(small, settings: dict[str, str]) -> None:
    world, repo = small(**settings)
    events: list[Any] = []
    model = evolved(world, repo, generations=2, on_event=events.append)
    assert replay(repo, world.context, "light").outcome == "same"
    assert (model.versions.get("precision") == "bfloat16") == ("machine_precision" in settings)
    if "space_brightness" in settings:
        assert {model.hyperparameters["brightness"], model.hyperparameters["flip_left_right"]} & {0.1, True}


def test_no_setting_of_a_machine_leaves_it(small) -> None:
    from mu2net_core.api.setup import config

    world, repo = small()
    config.set_(repo, world.context, "machine.strategy", "sequential")
    assert "machine.strategy" not in repo.config.shared_settings
    with pytest.raises(Exception, match="expected one of auto, sequential, children, batch, got 'fast'"):
        config.set_(repo, world.context, "machine.strategy", "fast")
    assert json.dumps(config.get(repo, world.context, "machine.precision").value) == '"auto"'


def test_a_space_with_models_that_cannot_be_built_says_so_before_anything_is_trained(small) -> None:
    world, repo = small()
    spoilt = _with(world.context, environ={**world.context.environ, "MU2NET_SPACE_IMAGE_SIZE": "[8, 10]"})
    with pytest.raises(
        InvalidInputError, match=r"image_size = 10, which space.image_size lists(.|\n)*multiple of patch 4"
    ):
        evolve(repo, spoilt, ["light"])
