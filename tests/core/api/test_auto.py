"""Repositories whose tasks have presets of their own: each is found from the task alone, in every copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving import trying
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.parents import ParentCheck
from mu2net_core.api.evolving.plan_evolve import plan_evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.add_root import add_root
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.quiet import ignore
from mu2net_core.api.settings.settings import effective_preset, unknown_settings
from mu2net_core.api.setup import config
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.choosing import Chosen
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import AlreadyExistsError, InvalidInputError, NotFoundError, SearchError
from mu2net_core.events import CandidatesProbed, Event, GenerationFinished
from mu2net_core.nn import family_named
from mu2net_core.objects import Head, encode
from mu2net_core.presets import PRESETS, preset_named
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.search import population
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.tiny import tiny_presets


@pytest.fixture
def here(world):
    """Returns a world with tiny data sets of images of several sizes."""
    found = world()
    labels = np.arange(60) % 2
    for side in (8, 16, 28, 32):
        noise = np.random.default_rng(side).integers(0, 120, (60, side, side))
        shown = (noise + 100 * labels[:, None, None]).astype(np.uint8)
        np.savez(found.folder / f"light{side}.npz", x=shown, y=labels)
    return found


@pytest.fixture
def repo(here) -> Repository:
    init(Path("repo"), here.context)
    return open_repository(here.folder / "repo")


def add(repo: Repository, here, side: int, *, on_choice=ignore, **options) -> Head:
    uri = f"npz:{here.folder / f'light{side}.npz'}"
    return add_task(repo, here.context, uri, TaskOptions(**options), on_choice=on_choice)


def test_a_repository_of_auto_has_no_root_and_is_made_once(here, repo: Repository) -> None:
    assert (repo.config.preset, dict(repo.refs.roots())) == ("auto", {})
    with pytest.raises(AlreadyExistsError):
        init(Path("repo"), here.context)


def test_each_task_gets_its_preset_and_the_first_of_a_preset_makes_its_root(here, repo: Repository) -> None:
    told: list[Chosen] = []
    presets = [add(repo, here, side, on_choice=told.append).task.preset for side in (28, 32, 16)]
    assert presets == ["convnet-32", "convnet-32", "convnet-16"] == [chosen.preset for chosen in told]
    first, second, third = (chosen.root for chosen in told)
    assert first is not None
    assert second is None
    assert third is not None
    assert dict(repo.refs.roots()) == {first.name: first.root_id, third.name: third.root_id}
    assert (told[0].why, first.name[:11]) == ("a typical image has 28 x 28 pixels", "convnet-32-")
    assert add(repo, here, 8, name="named", preset="convnet-16").task.preset == "convnet-16"


def test_two_people_make_the_same_root_whatever_their_settings_so_that_what_grows_from_it_fits(
    here, repo: Repository, world
) -> None:
    remote.add(repo, here.context, "origin", "shared")
    push(repo, here.context)
    clone("shared", "other", here.context)
    other, elsewhere = open_repository(here.folder / "other"), world(MU2NET_DEFAULT_MOMENTUM="0.8")
    add(repo, here, 28)
    add(other, elsewhere, 32)
    assert dict(other.refs.roots()) == dict(repo.refs.roots()) != {}
    push(other, here.context)
    pull(repo, here.context)
    assert repo.refs.tasks() == ("light28", "light32")
    assert len(repo.refs.roots()) == 1
    theirs = load_system(repo).heads["light32"].task
    assert encode(effective_preset(repo, here.context, task=theirs)) == encode(
        effective_preset(other, here.context, task=theirs)
    )


def test_one_may_name_the_preset_where_each_task_has_its_own_and_nowhere_else(here, repo: Repository) -> None:
    with pytest.raises(NotFoundError, match="vit-huge"):
        add(repo, here, 8, preset="vit-huge")
    init(Path("fixed"), here.context, preset="vit-mini")
    fixed = open_repository(here.folder / "fixed")
    with pytest.raises(InvalidInputError, match="Every task of this repository has the preset vit-mini"):
        add(fixed, here, 8, preset="convnet-8")
    assert add(fixed, here, 8).task.preset is None


def test_settings_are_for_all_presets_of_the_tasks_here(here, repo: Repository) -> None:
    for side in (16, 32):
        add(repo, here, side)
    config.set_(repo, here.context, "evolve.children", "3")
    for head in load_system(repo).heads.values():
        preset = effective_preset(repo, here.context, task=head.task)
        assert (preset.name, preset.training.children) == (head.task.preset, 3)
    listed = {setting.key: setting.value for setting in config.list_(repo, here.context)}
    assert (listed["evolve.generations"], listed["space.image_size"]) == (2, "as each task's preset has it")
    assert [key for key in listed if key.startswith("architecture.")] == []
    assert unknown_settings(repo, here.context) == ()
    with pytest.raises(InvalidInputError, match="does not fit the preset convnet-16") as info:
        config.set_(repo, here.context, "space.image_size", "[28, 32]")
    assert "convnet-16, convnet-32" in str(info.value.hint)
    with pytest.raises(NotFoundError, match="no setting 'evolve"):
        config.set_(repo, here.context, "evolve.childen", "3")


def test_a_further_root_says_its_preset_where_there_are_several(here, repo: Repository) -> None:
    with pytest.raises(InvalidInputError, match="Expected a preset"):
        add_root(repo, here.context, "mine")
    made = add_root(repo, here.context, "mine", preset="convnet-16", seed=7)
    assert (made.preset, repo.refs.roots()["mine"]) == ("convnet-16", made.root_id)
    add(repo, here, 16)
    assert list(repo.refs.roots()) == ["mine"]  # the task can begin with it


def test_only_models_that_a_preset_can_serve_are_parents_and_the_others_are_no_news(
    here, repo: Repository, world
) -> None:
    for side, preset in ((16, None), (32, None), (32, "convnet-64")):
        add(repo, here, side, name=f"{preset}-{side}".lower(), preset=preset)
    add_root(repo, world(MU2NET_DEFAULT_IMAGE_SIZE="64").context, "large", preset="convnet-64")
    told: list[str] = []
    context = replace(here.context, warn=told.append)
    parents = ParentCheck(
        context=context,
        preset=preset_named("convnet-32"),
        family=family_named("convnet"),
        limits=repo.limits,
        label_of=repo.objects.label,
        is_one_of_several=True,
    )
    roots = repo.refs.roots().items()
    serve = {oid for name, oid in roots if not name.startswith("convnet-16-")}  # of 32, 48 and 64 pixels
    assert set(parents.of(load_system(repo), "none-32").roots) == serve
    assert len(serve) == 3
    assert told == []


@pytest.fixture
def tiny() -> Iterator[None]:
    with tiny_presets(), quick_compiler():
        yield


ONE = EvolveOptions(generations=1, children=1, validations=1, seed=1)


@pytest.mark.usefixtures("tiny")
def test_tasks_of_several_presets_are_evolved_together_repeated_and_measured(here, repo: Repository) -> None:
    names = [add(repo, here, side).task.name for side in (8, 16)]
    config.set_(repo, here.context, "evolve.min_steps", "60")
    plan = plan_evolve(repo, here.context, names, EvolveOptions(children=2, generations=3))
    assert [(one.task, one.preset) for one in plan.tasks] == [("light8", "convnet-8"), ("light16", "convnet-16")]
    evolved = evolve(repo, here.context, names, ONE).iterations
    commits = [repo.objects.commit(one.commit) for one in evolved]
    assert [commit.run and commit.run.preset for commit in commits] == ["convnet-8", "convnet-16"]
    assert [len(set(repo.refs.roots().values()) & {repo.objects.model(one.model).root}) for one in evolved] == [1, 1]
    assert repo.objects.model(evolved[0].model).root != repo.objects.model(evolved[1].model).root
    assert replay(repo, here.context, "light16").outcome == "same"
    assert evaluate(repo, here.context, "light16").accuracy == evolved[1].test
    rm_task(repo, here.context, "light8")
    assert add(repo, here, 8).model_id == evolved[0].model  # the same task still, preset included


@pytest.mark.usefixtures("tiny")
def test_what_photos_taught_becomes_a_model_of_small_images(
    here, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(repo, here, 32, name="photos", preset="convnet-64")
    config.set_(repo, here.context, "evolve.min_steps", "30")
    (taught,) = evolve(repo, here.context, ["photos"], ONE).iterations
    add(repo, here, 32, name="small")
    monkeypatch.setattr(population, "best_probed", lambda candidates, _probed: candidates[0])
    (made,) = evolve(repo, here.context, ["small"], ONE).iterations
    child, parent = repo.objects.model(made.model), repo.objects.model(taught.model)
    assert child.parent == taught.model
    assert [model.hyperparameters["image_size"] for model in (child, parent)] == [32, 48]
    assert {ref.name for ref in child.components} == {ref.name for ref in parent.components}
    assert replay(repo, here.context, "small").outcome == "same"


@pytest.mark.usefixtures("tiny")
def test_what_an_evolution_would_cost_is_told_and_changes_nothing(here, repo: Repository) -> None:
    add(repo, here, 8)
    files = {file: file.read_bytes() for file in repo.path.rglob("*") if file.is_file()}
    told: list[Event] = []
    asked = EvolveOptions(children=2, generations=3, iterations=2)
    plan = plan_evolve(repo, here.context, ["light8"], asked, on_event=told.append)
    (task,) = plan.tasks
    assert not any(isinstance(event, CandidatesProbed) for event in told)  # their time is no child's
    assert {file: file.read_bytes() for file in repo.path.rglob("*") if file.is_file()} == files
    assert (task.iterations, task.generations, task.children, task.done) == (2, 3, 2, 0)
    assert (task.schedule.steps, task.schedule.cycles) == (960, 1)
    assert (task.own_model, task.other_tasks, task.roots) == (False, (), tuple(repo.refs.roots()))
    assert plan.train_s == task.train_s > 0
    assert (task.refits, task.kept_bytes % 3) == (1, 0)  # of the second iteration
    assert task.most_bytes == 7 * task.kept_bytes // 3


@pytest.mark.usefixtures("tiny")
def test_what_only_a_first_child_waits_for_is_not_expected_of_the_others(here, repo: Repository, monkeypatch) -> None:
    add(repo, here, 8)
    run, costs = trying.run_iteration, iter([(7.0, 100.0, 50.0, 10.0), (1.0, 2.0, 0.0, 0.4)])

    def timed(*args: Any, on_event: Callable[[Event], None], **others: Any) -> Any:
        def listen(event: Event) -> None:
            if isinstance(event, GenerationFinished):
                names = ("compile_s", "train_s", "validate_s", "wait_s")
                event = replace(event, spent=replace(event.spent, **dict(zip(names, next(costs), strict=True))))
            on_event(event)

        return run(*args, on_event=listen, **others)

    monkeypatch.setattr(trying, "run_iteration", timed)
    plan = plan_evolve(repo, here.context, ["light8"], ONE)
    assert plan.compile_s == 8.0
    assert plan.train_s == pytest.approx(960 * 2.4 / 24)


@pytest.mark.usefixtures("tiny")
def test_a_task_whose_preset_is_not_here_is_left_out(here, repo: Repository) -> None:
    names = [add(repo, here, side).task.name for side in (8, 16)]
    others = {name: preset for name, preset in PRESETS.items() if name != "convnet-16"}
    with patch.dict(PRESETS, others, clear=True):  # undone before what made them tiny is
        told: list[str] = []
        context = replace(here.context, warn=told.append)
        assert plan_evolve(repo, context, names, ONE).left_out == {"light16": "No preset 'convnet-16'."}
        assert evolve(repo, context, names, ONE).left_out == ("light16",)
        assert any("light16 is left out: No preset 'convnet-16'." in text for text in told)
        with pytest.raises(NotFoundError, match="convnet-16"):
            plan_evolve(repo, context, ["light16"], ONE)


def test_a_task_without_a_root_of_its_preset_says_how_to_get_one(here, repo: Repository) -> None:
    add(repo, here, 16)
    add(repo, here, 8)
    for name in [name for name in repo.refs.roots() if name.startswith("convnet-8-")]:
        (repo.path / "refs" / "roots" / name).unlink()
    with pytest.raises(SearchError, match="no root model of the preset convnet-8") as info:
        evolve(repo, here.context, ["light8"], ONE)
    assert info.value.hint == "Add one: mu2net add-root NAME --preset convnet-8"


@pytest.mark.parametrize("is_auto", [True, False])
def test_a_preset_that_takes_something_else_is_refused_before_anything_is_added(
    tmp_path: Path, *, is_auto: bool
) -> None:
    context = replace(Context.default(), environ={}, user_config=None, cwd=tmp_path)
    init(tmp_path / "chars", context, preset="auto" if is_auto else "text-128")
    repo = open_repository(tmp_path / "chars")
    with pytest.raises(InvalidInputError, match="text-128 take input of the kind text; digits gives image") as info:
        add_task(repo, context, "sklearn:digits", TaskOptions(preset="text-128" if is_auto else None))
    assert "Leave --preset out" in str(info.value.hint)
    assert load_system(repo).heads == {}
