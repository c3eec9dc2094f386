"""Blocks that cross from one kind of data to another, from the setting to what is told of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from mu2net_cli.printing.describe import shown_lines
from mu2net_cli.printing.lineage import layer_rows, tree_lines
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.looking.ancestry import ancestry
from mu2net_core.api.looking.show import show
from mu2net_core.api.models.predict import Predictor
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.objects import Merge, Model
from mu2net_core.presets import PRESETS, Preset, preset_named
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.tiny import tiny_presets

BLOCK = "encoderblock_0"


@pytest.fixture
def begin(world):
    """Returns what makes a repository of small presets with blocks of the same sizes, that mutate all they can."""

    def begun(*, crossing: bool = True, readers: tuple[str, ...] = (), **sizes: int) -> tuple[Any, Repository]:
        patched["text-128"] = certain("text-128", {}, crossing=crossing)
        patched["table-8"] = certain("table-8", sizes, crossing=crossing)
        here = world()
        texts = [{"text": f"film {n} is {('fine', 'dull')[n % 2]}", "label": "ab"[n % 2]} for n in range(60)]
        rows = [{"a": n % 2, "b": n % 3, "label": "xy"[n % 2]} for n in range(60)]
        for name, lines in (("texts", texts), ("rows", rows)):
            (here.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        init(Path("repo"), here.context)
        repo = open_repository(here.folder / "repo")
        add_task(repo, here.context, "texts.jsonl", TaskOptions(readers=readers))
        add_task(repo, here.context, "rows.jsonl")
        evolved(here, repo, "texts")
        return here, repo

    with tiny_presets(), quick_compiler(), patch.dict(PRESETS, {}) as patched:
        yield begun


def certain(name: str, sizes: Mapping[str, int], *, crossing: bool) -> Preset:
    """Returns a tiny preset whose mutations are all applied."""
    preset = preset_named(name)
    sure = {"values": {**preset.space.values, "mu": (1.0,)}, "defaults": {**preset.space.defaults, "mu": 1.0}}
    architecture = replace(preset.architecture, config={**preset.architecture.config, **sizes})
    return replace(preset, architecture=architecture, space=replace(preset.space, **sure, crossing=crossing))


def evolved(here: Any, repo: Repository, task: str, **options: Any) -> Model:
    sizes = {"generations": 1, "children": 1, "validations": 1, "seed": 1, **options}
    evolve(repo, here.context, [task], EvolveOptions(**sizes))
    assert fsck(repo, here.context).is_clean
    model = load_system(repo).heads[task].model
    assert model is not None
    return model


def test_a_model_of_rows_stands_on_a_block_of_texts_is_repeated_to_the_bit_and_predicts_alike_in_a_clone(begin) -> None:
    here, repo = begin()
    model, texts = evolved(here, repo, "rows", generations=2, children=2), load_system(repo).heads["texts"]
    theirs, mine = texts.model.component(BLOCK), model.component(BLOCK)
    assert (mine.operation, mine.parent) == ("cross", theirs.id)
    assert mine.training.keys() == {"rows", "texts"}
    assert mine.training["texts"] == theirs.training["texts"]
    assert model.merges == {BLOCK: Merge(component=theirs.id, model=texts.model_id, weight=1.0)}
    names = [mutation.name for mutation in model.mutations]
    assert f"cross:{BLOCK}" in names
    assert f"clone:{BLOCK}" not in names
    assert replay(repo, here.context, "rows").outcome == "same"
    clone("repo", "other", here.context)
    other = open_repository(here.folder / "other")
    ours, clones = (Predictor(one, here.context, "rows").probabilities([{"a": 1, "b": 2}]) for one in (repo, other))
    assert np.isfinite(ours).all()
    assert ours.tobytes() == clones.tobytes()


def test_ancestry_and_show_tell_whose_block_it_was_and_where_that_came_from(begin) -> None:
    here, repo = begin()
    model = evolved(here, repo, "rows", generations=2, children=2)
    texts = load_system(repo).heads["texts"]
    told = ancestry(repo, "rows")
    line = next(line for line in told.components if line.layer == BLOCK)
    assert [(step.operation, step.task) for step in line.steps][:2] == [("cross", "rows"), ("clone", "texts")]
    assert line.complete
    assert (line.steps[0].merged_task, line.steps[0].added.keys()) == ("texts", {"rows"})
    tree = "\n".join(tree_lines(told, transfer=False))
    mine, theirs = model.component(BLOCK), texts.model.component(BLOCK)
    assert f"cross by rows [{mine.id[:10]}] from texts  +" in tree
    assert any("rows <- texts" in row[-2] for row in layer_rows(told, transfer=False))
    told_by_show = "\n".join(shown_lines(show(repo, "rows")))
    assert f"cross of {theirs.id[:10]} in model {texts.model_id[:10]}" in told_by_show
    assert told.transfer.by_params["texts"] > 0


def test_no_block_crosses_unless_that_is_on(begin) -> None:
    here, repo = begin(crossing=False)
    model = evolved(here, repo, "rows", generations=2, children=2)
    assert model.merges is None
    assert not any("cross:" in mutation.name for mutation in model.mutations)


def test_a_private_tasks_block_never_crosses_to_a_public_ones(begin) -> None:
    here, repo = begin(readers=("texts",))
    assert evolved(here, repo, "rows", generations=2, children=2).merges is None


@pytest.mark.parametrize("sizes", [{"mlp": 24}, {"heads": 4}, {"width": 32}], ids=str)
def test_a_block_of_other_sizes_stays_where_it_is_and_nothing_tells_of_it(begin, sizes: dict[str, int]) -> None:
    here, repo = begin(**sizes)
    model = evolved(here, repo, "rows", generations=2, children=2)
    assert model.merges is None
    assert not any(mutation.name == f"cross:{BLOCK}" for mutation in model.mutations)


@pytest.mark.parametrize(("sizes", "named"), [({}, ["rows", "texts"]), ({"width": 32}, ["rows"])], ids=str)
def test_a_snapshot_names_models_of_other_kinds_only_if_they_have_blocks_that_could_cross(begin, sizes, named) -> None:
    here, repo = begin(**sizes)
    evolved(here, repo, "rows")
    commit = load_system(repo).heads["rows"].commit
    assert repo.objects.snapshot(commit.snapshot).heads.keys() == set(named)
