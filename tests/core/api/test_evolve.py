from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.quiet import ignore
from mu2net_core.api.settings.settings import effective_preset
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import ConflictError, DataError, InvalidInputError, NotFoundError, SearchError
from mu2net_core.events import (
    ChildFinished,
    Compiled,
    GenerationFinished,
    GenerationStarted,
    IterationFinished,
    IterationStarted,
)
from mu2net_core.objectives import Classify
from mu2net_core.objects import Children, Model
from mu2net_core.repo import Repository, create_repository, load_system, open_repository
from mu2net_core.repo.history.merging import ancestry
from mu2net_core.testing.attacks.newer import NEWER, STORED_ONLY, add_newer_task
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

SMALL = {"children": 2, "validations": 1}


def head_model(repo: Repository, task: str = "digits") -> tuple[str, Model]:
    head = load_system(repo).heads[task]
    assert head.model_id is not None
    assert head.model is not None
    return head.model_id, head.model


def copy_of(world, name: str = "copy") -> Repository:
    shutil.copytree(world.folder / "repo", world.folder / name)
    return world.open(name)


@pytest.mark.parametrize("at_chance", [True, False])
def test_a_model_at_chance_by_the_tasks_metric_is_told_of(
    planted, monkeypatch: pytest.MonkeyPatch, *, at_chance: bool
) -> None:
    monkeypatch.setattr(Classify, "is_chance", lambda *_: at_chance)
    monkeypatch.setattr("mu2net_core.engine.evaluate.Tally.only_label", 3)
    (iteration,) = planted.evolve(planted.open(), generations=1, children=1).iterations
    assert (iteration.at_chance, iteration.only_class) == (at_chance, "3" if at_chance else None)


def test_the_first_child_of_a_random_root_trains_every_layer_and_so_do_later_ones_of_the_task_alone(planted) -> None:
    repo = planted.open()
    planted.evolve(repo, seed=1, generations=1, children=1)
    assert all(ref.trainable and ref.training for ref in head_model(repo)[1].components)
    first = {ref.id for ref in head_model(repo)[1].components}
    planted.evolve(repo, seed=1, generations=1)
    assert first.isdisjoint(ref.id for ref in head_model(repo)[1].components)


def test_an_iteration_ends_in_a_commit_with_its_best_model(planted) -> None:
    repo, events = planted.open(), []
    before = load_system(repo).heads["digits"]
    result = planted.evolve(repo, seed=1, on_event=events.append)
    (iteration,) = result.iterations
    assert (result.seed, iteration.task, iteration.iteration) == (1, "digits", 1)
    assert (iteration.sampled, iteration.improved) == (4, True)
    assert iteration.kept + sum(iteration.discarded.values()) == 4

    commit = repo.objects.commit(iteration.commit)
    model = repo.objects.model(iteration.model)
    assert head_model(repo) == (iteration.model, model)
    assert (commit.parents, commit.task_id, commit.iteration) == ((before.commit_id,), before.commit.task_id, 1)
    assert (commit.children.sampled, commit.children.kept) == (4, iteration.kept)
    assert commit.agent is not None
    assert commit.agent.id == repo.agent_id
    assert commit.improved
    assert commit.trials is not None
    tried = commit.trials.whole
    assert [trial.outcome for trial in tried].count("kept") == iteration.kept
    (winner,) = [trial for trial in tried if trial.model == iteration.model]
    assert (winner.score, winner.parent, winner.values) == (model.score, model.parent, model.hyperparameters)
    assert commit.started_at < commit.finished_at
    assert (model.quality, model.test_quality) == (iteration.validation, iteration.test)
    assert iteration.validation > 0.2
    assert (iteration.seed, iteration.done, iteration.generations) == (1, 2, 2)
    assert (iteration.only_class, iteration.at_chance) == (None, False)
    generations = [event for event in events if isinstance(event, GenerationFinished)]
    assert generations[0].spent.examples == 2 * iteration.schedule.total_steps * iteration.schedule.batch
    assert planted.is_clean(repo)

    assert isinstance(events[0], IterationStarted)
    finished = events[-1]
    assert isinstance(finished, IterationFinished)
    assert (finished.commit_id, finished.model_id) == (iteration.commit, iteration.model)
    assert 0 < sum(isinstance(event, Compiled) for event in events) <= 12


def test_what_was_measured_is_what_eval_measures(grown) -> None:
    repo = grown.open()
    model_id, model = head_model(repo)
    assert evaluate(repo, grown.context, model_id, split="validation").accuracy == model.quality
    assert evaluate(repo, grown.context, model_id, split="test").accuracy == model.test_quality


def test_the_same_seed_gives_the_same_model_another_seed_another(planted, grown_folder: Path) -> None:
    twin = copy_of(planted)
    expected, _ = head_model(open_repository(grown_folder / "repo" / ".mu2net"))
    assert planted.evolve(planted.open(), seed=1).iterations[0].model == expected
    assert planted.evolve(twin, seed=2).iterations[0].model != expected


def test_a_capped_population_leaves_a_whole_lineage(planted) -> None:
    repo = planted.open()
    context = replace(planted.context, environ={**planted.context.environ, "MU2NET_EVOLVE_POPULATION_CAP": "1"})
    evolve(repo, context, ["digits"], EvolveOptions(generations=3, **SMALL, seed=1))
    _, model = head_model(repo)
    assert model.parent != model.root
    while model.parent is not None:
        model = repo.objects.model(model.parent)
    assert model.task is None
    assert planted.is_clean(repo)


def test_old_models_never_change_whatever_is_evolved_later(grown) -> None:
    repo = grown.open()
    old_id, old = head_model(repo)
    before = evaluate(repo, grown.context, old_id)
    stored = {ref.id: repo.objects.read("component", ref.id) for ref in old.components}
    result = grown.evolve(repo, seed=3, iterations=2)
    assert [iteration.iteration for iteration in result.iterations] == [2, 3]
    after = evaluate(repo, grown.context, old_id)
    assert (after.correct, after.accuracy) == (before.correct, before.accuracy)
    assert {oid: repo.objects.read("component", oid) for oid in stored} == stored
    assert repo.objects.model(old_id) == old
    assert grown.is_clean(repo)


def test_selections_persist_over_iterations(grown) -> None:
    repo, states = grown.open(), []
    first = load_system(repo).heads["digits"]
    assert sum(sum(agents.values()) for agents in first.commit.selections.values()) > 0
    workspace = Workspace.of(repo, "digits")
    grown.evolve(
        repo, seed=3, on_event=lambda e: states.append(workspace.load()) if isinstance(e, GenerationFinished) else None
    )
    second = load_system(repo).heads["digits"]
    drawn = dict(states[-1].population.selections)
    assert sum(drawn.values()) == 4
    last = {member.id: member.model for member in states[-1].population.members}
    for oid, times in drawn.items():
        if oid not in last or last[oid].is_retained:
            assert second.commit.times_selected(oid) == first.commit.times_selected(oid) + times
    for oid in first.commit.selections:
        assert second.commit.times_selected(oid) >= first.commit.times_selected(oid)
    # Models that are no heads cannot be selected again: counting them, commits would grow from iteration to iteration.
    assert set(second.commit.selections) <= {*load_system(repo).roots, first.model_id, second.model_id}
    grown.evolve(repo, seed=4)
    third = load_system(repo).heads["digits"]
    assert set(third.commit.selections) <= {*load_system(repo).roots, second.model_id, third.model_id}


def test_two_evolutions_of_one_task_in_one_working_copy_are_refused(planted) -> None:
    repo, refused = planted.open(), []

    def try_too(event) -> None:
        if isinstance(event, GenerationStarted) and event.generation == 0:
            with pytest.raises(ConflictError, match="digits is being improved by agent-0 of") as caught:
                planted.evolve(planted.open(), seed=7)
            refused.append(caught.value)

    (iteration,) = planted.evolve(repo, seed=1, on_event=try_too).iterations
    assert len(refused) == 1
    assert refused[0].exit_code == 4
    assert "--no-leases" not in str(refused[0].hint)  # it could not have its workspace
    assert head_model(repo)[0] == iteration.model
    assert planted.is_clean(repo)


def test_tasks_whose_names_differ_after_a_dot_do_not_lock_each_other(planted) -> None:
    repo = planted.open()
    names = ("digits", "digits.v1", "digits.v2", "digits/v2", "digits.lock")
    with ExitStack() as held:
        for name in names:
            held.enter_context(Workspace.of(repo, name).lock(name))
    assert len({Workspace.of(repo, name).folder for name in names}) == len(names)


@pytest.mark.parametrize(("score", "wins"), [(1.0, "theirs"), (0.01, "ours")])
def test_a_head_that_moved_meanwhile_is_joined_and_nothing_is_lost(grown, score: float, wins: str) -> None:
    repo, moved = grown.open(), []

    def move(event) -> None:
        if isinstance(event, GenerationStarted) and event.generation == 1:
            moved.append(evolve_sample(grown.open(), "digits", score=score))

    (ours,) = grown.evolve(repo, seed=3, on_event=move).iterations
    head = load_system(repo).heads["digits"]
    theirs = repo.objects.commit(moved[0].commit)
    assert head.commit.parents == tuple(sorted([ours.commit, moved[0].commit]))
    assert head.model_id == (theirs.model if wins == "theirs" else ours.model)
    assert {ours.commit, moved[0].commit} <= set(ancestry(repo.objects, [head.commit_id]))
    for commit in (theirs, repo.objects.commit(ours.commit)):
        for model in commit.selections:
            assert head.commit.times_selected(model) >= commit.times_selected(model)
    assert grown.is_clean(repo)


def test_a_task_that_is_removed_while_it_evolves_ends_the_evolution(grown) -> None:
    repo = grown.open()

    def remove(event) -> None:
        if isinstance(event, GenerationFinished) and event.generation == 0:
            rm_task(grown.open(), grown.context, "digits")

    with pytest.raises(NotFoundError, match="no task 'digits'"):
        grown.evolve(repo, seed=3, on_event=remove)
    assert fsck(repo, grown.context).problems == ()


def test_private_knowledge_never_reaches_another_task(planted) -> None:
    repo = planted.open()
    add_task(repo, planted.context, "sklearn:digits", TaskOptions(name="secret", private=True))
    planted.evolve(repo, tasks=["secret", "digits", "secret"], seed=1)
    assert head_model(repo)[1].trained_by == {"digits"}
    assert "secret" in head_model(repo, "secret")[1].trained_by
    assert fsck(repo, planted.context).problems == ()


def test_a_task_that_others_made_and_that_cannot_be_improved_keeps_no_other_from_it(planted) -> None:
    repo, warned = planted.open(), list[str]()
    add_sample_task(repo, "aaa")
    add_sample_task(repo, "damaged")
    evolve_sample(repo, "damaged", score=0.5)
    add_newer_task(repo, "sounds", NEWER["an input"])
    add_newer_task(repo, "ranked", STORED_ONLY["a metric"])
    evolve_sample(repo, "sounds", score=0.5)
    others = ["aaa", "damaged", "sounds", "ranked"]
    context = replace(planted.context, warn=warned.append)
    result = evolve(repo, context, [*others, "digits"], EvolveOptions(seed=1, generations=1, **SMALL))
    assert [one.task for one in result.iterations] == ["digits"]
    assert result.left_out == tuple(others)
    told = (
        "sounds is left out: Cannot evolve sounds: it was made by mu2net 9.1 or newer: its input is of the kind 'sound'"
    )
    assert any(line.startswith(told) and line.endswith("Upgrade: pip install -U mu2net") for line in warned)
    told = "ranked is left out: Cannot tell what models of ranked are worth"
    assert any(line.startswith(told) for line in warned)
    told = "the model of sounds is not used as a parent: Cannot learn from sounds: it was made by mu2net 9.1 or newer"
    assert any(line.startswith(told) for line in warned)
    for task in result.left_out:
        assert any(line.startswith(f"{task} is left out: ") for line in warned)
    with pytest.raises(DataError, match="aaa"):
        evolve(repo, context, ["aaa", "damaged"], EvolveOptions(seed=1, **SMALL))


def test_when_the_budget_is_spent_the_iteration_at_hand_is_finished_and_no_other_begun(grown) -> None:
    repo = grown.open()
    result = grown.evolve(repo, seed=3, iterations=5, budget_s=0.0)
    assert [(one.sampled, one.done, one.generations) for one in result.iterations] == [(2, 1, 2)]
    assert result.not_begun == ("digits",) * 4
    assert grown.is_clean(repo)


def test_when_the_budget_is_spent_before_there_is_a_model_the_other_generations_are_still_to_come(world) -> None:
    here = world(MU2NET_SPACE_LEARNING_RATE="[1e38]", MU2NET_DEFAULT_LEARNING_RATE="1e38")
    init(Path("repo"), here.context, preset="vit-mini")
    repo = here.open()
    add_task(repo, here.context, "sklearn:digits")
    with pytest.raises(SearchError, match="finite loss before the time ran out, in 1 of 2 generations"):
        here.evolve(repo, seed=1, budget_s=0.0)
    state = Workspace.of(repo, "digits").load()
    assert state is not None
    assert state.generation == 1


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"tasks": []}, SearchError, "no task to evolve"),
        ({"tasks": ["digit"]}, NotFoundError, r"no task 'digit'(.|\n)*Did you mean digits"),
        ({"tasks": ["zebra"]}, NotFoundError, r"no task 'zebra'(.|\n)*mu2net tasks"),
        ({"tasks": ["digits", "zebra"]}, NotFoundError, "no task 'zebra'"),
        ({"iterations": 0}, InvalidInputError, "at least one iteration, got 0"),
        ({"generations": 0}, InvalidInputError, "generations: expected a positive number, got 0"),
        ({"children": -1}, InvalidInputError, "children: expected a positive number, got -1"),
    ],
)
def test_what_cannot_be_evolved_is_refused_before_anything_is_done(planted, options, error, complaint: str) -> None:
    events: list[object] = []
    with pytest.raises(error, match=complaint):
        planted.evolve(planted.open(), **options, on_event=events.append)
    assert events == []
    assert not Workspace.of(planted.open(), "digits").folder.exists()


def test_without_a_root_there_is_nothing_to_begin_from(world) -> None:
    here = world()
    create_repository(here.folder / "repo", preset="vit-mini")
    repo = here.open()
    add_task(repo, here.context, "sklearn:digits")
    with pytest.raises(SearchError, match="no root model") as caught:
        evolve(repo, here.context, ["digits"])
    assert caught.value.hint == "Finish it: mu2net init"


def test_an_iteration_whose_children_all_diverge_is_recorded_as_one_that_found_nothing(world) -> None:
    here = world(MU2NET_SPACE_LEARNING_RATE="[1e38]", MU2NET_DEFAULT_LEARNING_RATE="1e38")
    init(Path("repo"), here.context, preset="vit-mini")
    repo, events = here.open(), []
    add_task(repo, here.context, "sklearn:digits")
    before = load_system(repo).heads["digits"]
    with pytest.raises(SearchError, match="None of the 2 children of digits trained to a finite loss"):
        here.evolve(repo, seed=1, generations=1, on_event=events.append)
    assert {event.outcome for event in events if isinstance(event, ChildFinished)} == {"nan"}
    commit = load_system(repo).heads["digits"].commit
    assert (commit.parents, commit.model, commit.iteration, commit.improved) == ((before.commit_id,), None, 1, False)
    assert commit.children == Children(sampled=2, kept=0, discarded={"nan": 2})
    assert commit.trials is not None
    assert [(trial.outcome, trial.score) for trial in commit.trials.each] == [("nan", None)] * 2
    assert Workspace.of(repo, "digits").load() is None
    assert here.is_clean(repo)


def test_an_iteration_without_a_better_model_keeps_the_head_and_counts_its_selections(grown) -> None:
    repo = grown.open()
    evolve_sample(repo, "digits", score=1.0)
    before = load_system(repo).heads["digits"]
    result = grown.evolve(repo)
    (iteration,) = result.iterations
    assert (iteration.improved, iteration.model, iteration.test) == (False, before.model_id, 1.0)
    commit = repo.objects.commit(iteration.commit)
    assert (commit.message, commit.improved) == (f"iteration {iteration.iteration}: no better model", False)
    assert commit.times_selected(before.model_id) > before.commit.times_selected(before.model_id)
    assert 0 <= result.seed < 2**31
    assert grown.is_clean(repo)


def test_a_model_that_other_hardware_measured_is_measured_again_before_children_compete(grown) -> None:
    repo, (_, before) = grown.open(), head_model(grown.open())
    head = load_system(repo).heads["digits"].commit
    odd = replace(before, quality=0.001, score=0.001, device_kind="NVIDIA H200", versions={"precision": "bfloat16"})
    commit = repo.objects.put(replace(head, model=repo.objects.put(odd)))
    repo.refs.append("digits", commit, after=repo.refs.head("digits"))
    runner = Runner.of(repo, grown.context, AgentSpec(tasks=("digits",)), effective_preset(repo, grown.context), ignore)
    begun = runner.begin(load_system(repo), "digits", commit, Workspace.of(repo, "digits"))
    assert [(one.manifest, one.model.quality, one.model.score) for one in begun.population.members] == [
        (odd, before.quality, before.score)
    ]


def test_a_model_that_was_scored_on_other_validation_examples_is_measured_again_before_children_compete(
    grown, world
) -> None:
    repo, (before_id, before) = grown.open(), head_model(grown.open())
    assert before.validation_examples == repo.objects.task(before.task_id or "").splits["validation"].num_examples
    few = world(MU2NET_EVOLVE_VALIDATION_CAP="9")
    agent = AgentSpec(tasks=("digits",))
    runner = Runner.of(repo, few.context, agent, effective_preset(repo, few.context), ignore)
    head = load_system(repo).heads["digits"].commit_id
    begun = runner.begin(load_system(repo), "digits", head, Workspace.of(repo, "digits"))
    (member,) = begun.population.members
    assert (member.id, member.manifest, member.model.validation_examples) == (before_id, before, 9)
    assert round((member.model.quality or 0) * 9, 9) == round((member.model.score or 0) * 9, 9) in range(10)
    few.evolve(repo, seed=3, generations=1, children=1)
    assert replay(repo, few.context, "digits").outcome == "same"
