"""Layers that are merged, from the settings to what is told of them: evolved, repeated, interrupted, shared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_cli.printing.describe import shown_lines
from mu2net_cli.printing.lineage import layer_rows, tree_lines
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.running import running_tips
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.looking.ancestry import ancestry
from mu2net_core.api.looking.show import show
from mu2net_core.api.setup import config
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.engine import IterationState
from mu2net_core.errors import InvalidInputError
from mu2net_core.events import GenerationFinished
from mu2net_core.insight import component_lineages, model_chain
from mu2net_core.objects import Model, to_document
from mu2net_core.repo import Repository, load_system, open_repository

pytestmark = pytest.mark.usefixtures("quickly")

STILL = {
    "MU2NET_EVOLVE_BATCH_SIZE": "16",
    "MU2NET_SPACE_MU": "[1.0]",
    "MU2NET_DEFAULT_MU": "1.0",
    "MU2NET_SPACE_MERGING": "[0.25, 0.5]",
    "MU2NET_SPACE_LEARNING_RATE": "[0.1]",
    "MU2NET_SPACE_NUM_LAYERS": "[1]",
}


def grown(world: Callable[..., Any], readers: tuple[str, ...] = (), **settings: str) -> tuple[Any, Repository]:
    """Returns a repository of two tasks, the second of which stands on layers of the first."""
    here = world(**{**STILL, **settings})
    rng = np.random.default_rng(0)
    init(Path("repo"), here.context, preset="vit-mini")
    repo = open_repository(here.folder / "repo" / ".mu2net")
    for number, name in enumerate(("light", "red")):
        labels = np.arange(120) % 2
        images = rng.integers(0, 120, (120, 8, 8, 3))
        images[..., number:] += 100 * labels[:, None, None, None]
        np.savez(here.folder / f"{name}.npz", x=images.astype(np.uint8), y=labels)
        add_task(repo, here.context, f"npz:{here.folder / name}.npz", TaskOptions(readers=readers if number else ()))
    evolved(here, repo, "light")
    evolved(here, repo, "red", seed=2)
    assert "light" in model_of(repo, "red").component("encoderblock_0").training
    return here, repo


def evolved(here: Any, repo: Repository, task: str, **options: Any) -> Model:
    sizes = {"generations": 1, "children": 2, "validations": 1, "seed": 1, **options}
    evolve(repo, here.context, [task], EvolveOptions(**sizes))
    assert fsck(repo, here.context).is_clean
    return model_of(repo, task)


def model_of(repo: Repository, task: str) -> Model:
    model = load_system(repo).heads[task].model
    assert model is not None
    return model


@pytest.fixture
def both(world) -> tuple[Any, Repository, Model]:
    """Returns a repository whose task ``light`` has merged its layers with those of ``red``."""
    here, repo = grown(world)
    return here, repo, evolved(here, repo, "light")


def test_layers_are_merged_with_those_of_another_task_and_repeated_to_the_bit(both) -> None:
    here, repo, model = both
    red = load_system(repo).heads["red"]
    merged = {ref.name: ref for ref in model.components if ref.operation == "merge"}
    shared = {ref.name for ref in model.components} - {"encoder_norm", "head"}
    assert merged.keys() == (model.merges or {}).keys() == shared
    for name, merge in (model.merges or {}).items():
        assert (merge.model, merge.component) == (red.model_id, red.model.component(name).id)
        assert merge.weight in {0.25, 0.5}
        assert merged[name].training.keys() == {"light", "red"}
    assert replay(repo, here.context, "light").outcome == "same"
    evolved(here, repo, "light", generations=2)  # children of a model with merged layers, and of theirs
    assert replay(repo, here.context, "light").outcome == "same"


def test_an_iteration_that_was_interrupted_needs_what_its_models_were_merged_with_and_ends_the_same(world) -> None:
    here, repo = grown(world)
    red, sizes = load_system(repo).heads["red"].model_id, {"generations": 2, "children": 2, "validations": 1, "seed": 1}

    def stop(event: object) -> None:
        if isinstance(event, GenerationFinished):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evolve(repo, here.context, ["light"], EvolveOptions(**sizes), on_event=stop)
    state = load_state(repo)
    merged = [member.model for member in state.population.members if member.model.merges is not None]
    assert red in {source for one in merged for source in one.sources}
    assert red not in {member.model.parent for member in state.population.members}
    assert ("model", red) in running_tips(repo).others
    evolved(here, repo, "light", **sizes)
    assert replay(repo, here.context, "light").outcome == "same"


def load_state(repo: Repository) -> IterationState:
    state = Workspace.of(repo, "light").load()
    assert state is not None
    return state


def test_both_sources_are_told(both) -> None:
    _, repo, model = both
    merge, ref = (model.merges or {})["encoderblock_0"], model.component("encoderblock_0")
    told = ancestry(repo, "light")
    step = next(line for line in told.components if line.layer == "encoderblock_0").steps[0]
    assert (step.operation, step.merged, step.merged_task) == ("merge", merge, "red")
    assert (step.component, step.training) == (ref.id, ref.training)
    tree = "\n".join(tree_lines(told, transfer=False))
    share = f"{100 * merge.weight:.2f}%"
    assert f"merge by light [{ref.id[:10]}] with {share} of red [{merge.component[:10]}]" in tree
    assert any("light + red <- " in row[-2] for row in layer_rows(told, transfer=False))
    assert to_document(step)["merged"] == {"component": merge.component, "model": merge.model, "weight": merge.weight}
    lines = "\n".join(shown_lines(show(repo, "light")))
    second = f"with {share} of {merge.component[:10]} in model {merge.model[:10]}"
    assert f"merge of {ref.parent[:10]} {second}" in lines
    assert f"merge:encoderblock_0 None->{merge.weight}" in lines
    shown = show(repo, ref.id)
    assert shown.component.merge == merge
    assert f"merge of {ref.parent[:10]} {second}" in "\n".join(shown_lines(shown))


def test_a_second_source_whose_manifest_is_not_here_is_told_without_its_task(both) -> None:
    *_, model = both
    merge = (model.merges or {})["encoderblock_0"]
    chain = model_chain("light", {"light": model}.get)
    line = next(line for line in component_lineages(chain, lambda _oid: None) if line.layer == "encoderblock_0")
    assert (line.steps[0].merged, line.steps[0].merged_task) == (merge, None)


def test_a_private_tasks_layers_are_never_merged_into_a_public_ones(world) -> None:
    here, repo = grown(world, readers=("red",))
    assert evolved(here, repo, "light").merges is None
    mine = evolved(here, repo, "red", seed=3)
    assert {merge.model for merge in (mine.merges or {}).values()} <= {load_system(repo).heads["light"].model_id}
    assert replay(repo, here.context, "light").outcome == "same"


def test_merging_is_off_unless_shares_are_listed_and_a_wrong_list_is_refused(world) -> None:
    here, repo = grown(world, MU2NET_SPACE_MERGING="[]")
    assert evolved(here, repo, "light").merges is None
    for wrong in ("[0.0, 0.5]", "[0.5, 0.25]", "[1.0]", '["half"]', "0.5"):
        with pytest.raises(InvalidInputError, match=r"space\.merging: expected"):
            config.set_(repo, here.context, "space.merging", wrong)
    config.set_(repo, here.context, "space.merging", "[0.5]")
    assert repo.config.settings["space.merging"] == [0.5]
