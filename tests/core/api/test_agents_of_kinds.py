"""Agents that work in different ways on one task: with methods, spaces and presets of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.asked import check_root, preset_asked
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.evolved import IterationResult
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.pool.job import Job, read_job, write_job
from mu2net_core.api.quiet import ignore
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError, SearchError
from mu2net_core.objects import Commit, Task
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.search import Member, measured_as
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.tiny import tiny_presets

NIGHTLY = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"


@pytest.fixture
def tiny() -> Iterator[None]:
    with tiny_presets(), quick_compiler():
        yield


@pytest.fixture
def here(world):
    """Returns a world with a data set of dark and bright images of 8 pixels on a side."""
    found = world(MU2NET_EVOLVE_PROBES="0", MU2NET_EVOLVE_MIN_STEPS="30")
    labels = np.arange(60) % 2
    noise = np.random.default_rng(8).integers(0, 120, (60, 8, 8))
    np.savez(found.folder / "light.npz", x=(noise + 100 * labels[:, None, None]).astype(np.uint8), y=labels)
    return found


@pytest.fixture
def repo(here) -> Repository:
    init(Path("repo"), here.context)
    repo = open_repository(here.folder / "repo")
    add_task(repo, here.context, f"npz:{here.folder / 'light.npz'}")
    return repo


def task_of(repo: Repository) -> Task:
    return load_system(repo).heads["light"].task


def improved(repo: Repository, here, told: list[str], **asked: Any) -> tuple[IterationResult, Commit]:
    """Returns what one iteration of an agent came to, and its commit, which that of a refit may follow."""
    context = replace(here.context, warn=told.append)
    options = EvolveOptions(generations=1, children=1, validations=1, seed=1, **asked)
    (iteration,) = evolve(repo, context, ["light"], options).iterations
    commit = repo.objects.commit(iteration.commit)
    return iteration, commit if commit.refit_of is None else repo.objects.commit(commit.parents[0])


IDLE: Mapping[str, Any] = {"space": {"learning_rate": (1e-12,)}}
"""A space of which no child learns anything."""


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("preset", ["convnet-16", "vit-mini"])
def test_lines_of_several_presets_compare_as_one_machine_measures_them(here, repo: Repository, preset: str) -> None:
    """The head was told to be perfect by other hardware, and is not."""
    told: list[str] = []
    own, commit = improved(repo, here, told)
    model = replace(repo.objects.model(own.model), device_kind="NVIDIA H200", quality=1.0, score=1.0)
    head = repo.refs.head("light")
    forged = repo.objects.put(replace(commit, model=repo.objects.put(model), parents=(own.commit,), iteration=2))
    repo.refs.append("light", forged, after=head)
    system = load_system(repo)
    asked = preset_asked(repo, here.context, EvolveOptions(preset=preset), system.heads["light"].task)
    runner = Runner.of(repo, replace(here.context, warn=told.append), AgentSpec(tasks=("light",)), asked, ignore)
    workspace, member = Workspace.of(repo, "light"), Member(id=system.heads["light"].model_id, model=model)
    found = runner.as_here(system.heads["light"], member, workspace)
    assert (found.id, found.model.quality) == (member.id, own.validation)
    mine = Member(id=own.model, model=repo.objects.model(own.model))
    assert runner.as_here(system.heads["light"], mine, workspace) is mine
    assert told == []
    for file in (repo.path / "objects" / "component").rglob("*.*"):
        file.unlink()
    assert runner.as_here(system.heads["light"], member, workspace) == member
    assert told[0].endswith("What was told of it counts.")


@pytest.mark.usefixtures("tiny")
def test_what_was_told_of_a_head_of_another_preset_does_not_keep_a_better_model_out(
    here, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    improved(repo, here, told, **IDLE)
    monkeypatch.setattr(Runner, "as_here", lambda _self, _head, member, *, workspace: measured_as(member, 0.0, 12))
    better, commit = improved(repo, here, told, slot=1, preset="convnet-16", space={"learning_rate": (0.01,)})
    made = repo.objects.model(better.model)
    assert (better.improved, commit.improved, commit.model) == (True, True, made.refit_of or better.model)
    monkeypatch.setattr(Runner, "as_here", lambda _self, _head, member, *, workspace: measured_as(member, 1.0, 12))
    worse, commit = improved(repo, here, told, **IDLE)
    assert (worse.improved, commit.improved, commit.model) == (False, False, better.model)


@pytest.mark.usefixtures("tiny")
def test_agents_of_several_presets_improve_one_task_and_each_goes_on_with_its_own_line(here, repo: Repository) -> None:
    told: list[str] = []
    idle, first = improved(repo, here, told, **IDLE)
    assert first.run is not None
    assert (first.run.preset, first.run.settings["space.learning_rate"]) == ("convnet-8", (1e-12,))
    assert repo.objects.model(idle.model).hyperparameters["learning_rate"] == 1e-12
    assert told == []

    asked = {"slot": 1, "preset": "convnet-16", "method": "random", "space": {"learning_rate": (0.01,)}}
    better, second = improved(repo, here, told, **asked)
    (made,) = (name for name in repo.refs.roots() if name.startswith("convnet-16-"))
    assert told == [f"made the root {made}, which the preset convnet-16 begins from"]
    assert second.run is not None
    assert (second.run.preset, second.run.settings["evolve.method"]) == ("convnet-16", "random")
    assert repo.objects.model(better.model).root == repo.refs.roots()[made]
    assert better.improved
    assert [commit.agent and commit.agent.slot for commit in (first, second)] == [0, 1]
    assert {*first.selections[first.trials.each[0].parent]} == {f"{repo.agent_id}/0"}
    assert {*second.selections[repo.refs.roots()[made]]} == {f"{repo.agent_id}/1"}

    system = load_system(repo)
    preset = preset_asked(repo, here.context, EvolveOptions(**IDLE), system.heads["light"].task)
    runner = Runner.of(repo, here.context, AgentSpec(tasks=("light",)), preset, ignore)
    usable = runner.parents.of(system, "light")
    begun = runner.begin(usable, "light", better.commit, Workspace.of(repo, "light"))
    assert [member.id for member in begun.population.members] == [idle.model]  # though the head is of another line
    if NIGHTLY:
        assert replay(repo, here.context, "light").outcome == "same"
        worse, third = improved(repo, here, told, **IDLE)
        assert [trial.parent for trial in third.trials.each] == [idle.model]
        assert (worse.improved, third.model, worse.validation) == (False, better.model, better.validation)
        assert replay(repo, here.context, "light").outcome == "same"
    assert fsck(repo, here.context).problems == ()


@pytest.mark.parametrize(
    ("asked", "complaint", "hint"),
    [
        ({"space": {"lerning_rate": (1.0,)}}, "the preset convnet-8 has no hyperparameter 'lerning_rate'", "learning_"),
        ({"space": {"learning_rate": (-1.0,)}}, "space.learning_rate: expected numbers above 0, got -1.0", "None"),
        ({"space": {"learning_rate": ("a",)}}, "space.learning_rate: expected a number, got 'a'", "None"),
    ],
)
def test_a_preset_or_space_that_does_not_fit_is_refused(
    here, repo: Repository, asked: dict[str, Any], complaint: str, hint: str
) -> None:
    with pytest.raises(InvalidInputError, match=complaint) as raised:
        preset_asked(repo, here.context, EvolveOptions(**asked), task_of(repo))
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize("values", [(), [0.1], (0.1, "b"), "0.1"])
def test_a_space_is_of_some_values_of_one_kind(values: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected some values of learning_rate, all numbers or all words"):
        EvolveOptions(space={"learning_rate": values})


def test_a_task_that_a_preset_does_not_fit_is_left_out(here, repo: Repository) -> None:
    asked = EvolveOptions(generations=1, children=1, validations=1, preset="text-128")
    with pytest.raises(DataError, match="text-128 take input of the kind text; light gives image") as raised:
        evolve(repo, here.context, ["light"], asked)
    assert raised.value.hint == "Name tasks that it fits: --task TASK; or leave --preset out."


def test_a_space_may_have_what_only_other_tasks_have(here, repo: Repository) -> None:
    rows = here.folder / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"word {number} more,{number % 2}\n" for number in range(40)))
    add_task(repo, here.context, f"csv:{rows}")
    asked = EvolveOptions(space={"text_length": (64,), "learning_rate": (0.01,)})
    presets = {
        name: preset_asked(repo, here.context, asked, head.task) for name, head in load_system(repo).heads.items()
    }
    assert presets["rows"].space.values["text_length"] == (64,)
    assert "text_length" not in presets["light"].space.values
    assert presets["light"].space.values["learning_rate"] == (0.01,)


def test_values_are_sorted_and_a_root_begins_with_the_nearest(here, repo: Repository) -> None:
    asked = EvolveOptions(space={"learning_rate": (0.5, 0.1, 0.5), "optimizer": ("sgd",)})
    space = preset_asked(repo, here.context, asked, task_of(repo)).space
    assert (space.values["learning_rate"], space.defaults["learning_rate"]) == ((0.1, 0.5), 0.1)
    assert (space.values["optimizer"], space.defaults["optimizer"]) == (("sgd",), "sgd")


def test_the_agents_of_a_pool_are_asked_for_the_same(repo: Repository) -> None:
    asked = EvolveOptions(
        slot=2, preset="convnet-16", method="tpe", space={"learning_rate": (0.1, 1), "nesterov": (True,)}
    )
    assert read_job(write_job(repo.state, Job(tasks=("light",), options=asked))).options == asked


def test_a_preset_of_ones_own_needs_a_repository_whose_tasks_have_such(here) -> None:
    init(Path("chars"), here.context, preset="vit-mini")
    repo = open_repository(here.folder / "chars")
    add_task(repo, here.context, f"npz:{here.folder / 'light.npz'}")
    with pytest.raises(InvalidInputError, match=r"has the preset vit-mini; expected no other, got convnet-8") as raised:
        preset_asked(repo, here.context, EvolveOptions(preset="convnet-8"), task_of(repo))
    assert raised.value.hint == "Where agents can have presets of their own: mu2net init DIR"
    assert preset_asked(repo, here.context, EvolveOptions(preset="vit-mini"), task_of(repo)).name == "vit-mini"


def test_a_preset_that_is_not_here_or_has_no_root_for_a_dry_run_is_told(here, repo: Repository) -> None:
    with pytest.raises(NotFoundError, match="No preset 'convnet-9'"):
        preset_asked(repo, here.context, EvolveOptions(preset="convnet-9"), task_of(repo))
    check_root(repo, EvolveOptions(preset="convnet-8"))
    with pytest.raises(SearchError, match="no root of the preset convnet-16 yet") as raised:
        check_root(repo, EvolveOptions(preset="convnet-16"))
    assert raised.value.hint == "mu2net add-root convnet-16 --preset convnet-16"
