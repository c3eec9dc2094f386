"""What an iteration tells of itself on its way, and of what it spent."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import pytest

from mu2net_core.events import (
    CandidatesProbed,
    ChildFinished,
    CycleFinished,
    GenerationFinished,
    GenerationStarted,
    IterationStarted,
    StepsFinished,
)
from mu2net_core.objects import Scorer, System
from mu2net_core.search import best
from mu2net_core.testing.building.iterating import Watch, begin, run
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench


def test_events_tell_the_story_in_order(bench: Workbench, system: System) -> None:
    watch = Watch()
    state = run(bench, system, begin(system, generations=2), watch)
    kinds = [type(event) for event in watch.events]
    child = [CycleFinished, CycleFinished, ChildFinished]
    generation = [GenerationStarted, *child, *child, *child, GenerationFinished]
    assert kinds == [IterationStarted, *generation, *generation]
    finished = [event for event in watch.events if isinstance(event, GenerationFinished)]
    assert [event.generation for event in finished] == [0, 1]
    assert (finished[-1].kept, finished[-1].kept + finished[-1].discarded) == (state.counts.kept, 6)
    assert finished[-1].eta_s == 0 < finished[0].eta_s
    children = [event for event in watch.events if isinstance(event, ChildFinished)]
    assert [(event.generation, event.child) for event in children] == [(g, c) for g in (0, 1) for c in (0, 1, 2)]
    assert [event.best_score for event in children] == sorted(event.best_score for event in children)
    assert children[-1].best_score == finished[-1].best_score == best(state.population).model.score
    assert children[-1].best_quality == finished[-1].best_quality == best(state.population).model.quality
    reports = [report for event in finished for report in event.children]
    assert [(event.outcome, event.score) for event in children] == [(one.outcome, one.score) for one in reports]
    kept = [(event.quality, max(one.curve)) for event, one in zip(children, reports, strict=True) if one.model]
    assert all(quality == reached for quality, reached in kept)
    assert all(0 < event.wall_s <= finished[event.generation].wall_s for event in children)
    cycles = [event for event in watch.events if isinstance(event, CycleFinished)]
    assert [(event.child, event.cycle) for event in cycles[:6]] == [(c, n) for c in (0, 1, 2) for n in (0, 1)]
    assert [event.quality for event in cycles[:2]] == list(finished[0].children[0].curve)


def test_the_time_that_is_left_is_that_of_a_refit_too(bench: Workbench, system: System) -> None:
    watch, shop = Watch(), bench.workshop("a")
    preset = replace(shop.preset, training=replace(shop.preset.training, refit_from=1))
    run(bench, system, begin(system, generations=2, children=2), watch, shop=replace(shop, preset=preset))
    first, last = (event for event in watch.events if isinstance(event, GenerationFinished))
    assert first.eta_s == pytest.approx(1.5 * first.wall_s)
    assert last.eta_s == pytest.approx(0.5 * last.wall_s)
    later = replace(preset, training=replace(preset.training, refit_from=2))
    watch = Watch()
    run(bench, system, begin(system, generations=1, children=2), watch, shop=replace(shop, preset=later))
    (only,) = (event for event in watch.events if isinstance(event, GenerationFinished))
    assert only.eta_s == 0.0


def test_every_event_says_of_which_task_iteration_and_generation_it_is(bench: Workbench, system: System) -> None:
    watch, shop = Watch(), bench.workshop("a")
    preset = replace(shop.preset, training=replace(shop.preset.training, probes=8))
    began = perf_counter()
    run(bench, system, begin(system, generations=2, children=1), watch, shop=replace(shop, preset=preset))
    took_s = perf_counter() - began
    begun, probed, *rest = watch.events
    assert isinstance(begun, IterationStarted)
    assert (begun.generations, begun.children, begun.seed) == (2, 1, 4)
    assert isinstance(probed, CandidatesProbed)
    assert 0 < probed.wall_s < took_s
    assert {(event.task, event.iteration) for event in watch.events} == {("a", 1)}
    half = len(rest) // 2
    assert [event.generation for event in rest] == [0] * half + [1] * half


def test_what_is_told_as_the_best_so_far_may_be_of_an_earlier_generation(
    bench: Workbench, system: System, scripted
) -> None:
    watch, shop = Watch(), replace(bench.workshop("a"), programs=scripted((1, 25), (1, 25), (1, 10), (1, 10)))
    run(bench, system, begin(system, generations=2, children=1), watch, shop=shop)
    told = [event for event in watch.events if isinstance(event, ChildFinished)]
    assert [event.outcome for event in told] == ["kept", "score"]
    assert [event.best_quality for event in told] == [25 / 30, 25 / 30]


def test_the_best_so_far_is_that_of_the_highest_score_not_of_the_highest_quality(
    bench: Workbench, system: System, scripted
) -> None:
    scorer, watch = Scorer(factor=0.5, params_scale=1.0), Watch()
    shop = replace(bench.workshop("a", preset=replace(BENCH_PRESET, scorer=scorer)), programs=scripted((1, 25)))
    run(bench, system, begin(system, generations=1, children=6), watch, shop=shop)
    told = [event for event in watch.events if isinstance(event, ChildFinished)]
    assert [event.best_score for event in told] == [max(e.score for e in told[: n + 1]) for n in range(6)]
    assert len({event.score for event in told}) > 1


def test_steps_of_a_cycle_are_told_of_beside_its_end(bench: Workbench, system: System) -> None:
    watch, shop = Watch(), bench.workshop("a")
    preset = replace(shop.preset, training=replace(shop.preset.training, min_steps=24))
    run(bench, system, begin(system, generations=2, children=2), watch, shop=replace(shop, preset=preset))
    steps = [event for event in watch.events if isinstance(event, StepsFinished)]
    where = [(event.task, event.iteration, event.generation, event.child, event.cycle, event.steps) for event in steps]
    assert where == [
        ("a", 1, generation, child, cycle, done)
        for generation in (0, 1)
        for child in (0, 1)
        for cycle in (0, 1)
        for done in (8, 16)
    ]
    assert all(0 < event.loss < 10 for event in steps)
    assert len({event.loss for event in steps}) > len(steps) / 2


def test_an_iteration_says_beforehand_how_each_child_is_trained(bench: Workbench, system: System) -> None:
    watch, shop = Watch(), bench.workshop("a")
    splits = {**shop.task.splits, "train": replace(shop.task.splits["train"], num_examples=48)}
    run(bench, system, begin(system, generations=1), watch, shop=replace(shop, task=replace(shop.task, splits=splits)))
    schedule = watch.events[0].schedule
    assert (schedule.examples, schedule.batch, schedule.steps, schedule.cycles) == (48, 16, 3, 2)
    report = watch.events[-1].children[0]
    assert len(report.curve) == schedule.cycles
    assert watch.events[-1].spent.examples == 3 * schedule.total_steps * schedule.batch


def test_what_programs_did_before_an_iteration_is_none_of_its_spending(bench: Workbench, system: System) -> None:
    watch, bench.programs.meter.examples = Watch(), 1000
    run(bench, system, begin(system, generations=1), watch)
    assert watch.events[-1].spent.examples == 3 * 2 * 48


def test_a_generation_reports_every_child_and_where_its_time_went(bench: Workbench, system: System) -> None:
    watch = Watch()
    state = run(bench, system, begin(system, generations=2), watch)
    for finished in (event for event in watch.events if isinstance(event, GenerationFinished)):
        assert [child.child for child in finished.children] == [0, 1, 2]
        assert finished.spent.examples == 3 * 2 * 48
        assert finished.spent.examples_per_s == pytest.approx(3 * 2 * 48 / finished.spent.train_s)
        spent = finished.spent
        assert 0 < spent.train_s + spent.compile_s + spent.validate_s + spent.wait_s < finished.wall_s
    members = {member.id: member.model for member in (*state.population.past, *state.population.members)}
    for child in finished.children:
        if child.model is None:
            assert child.outcome != "kept"
            continue
        model = members[child.model]
        assert (child.parent, child.mutations, child.curve) == (model.parent, model.mutations, model.validation_curve)
        assert (child.outcome, child.score) == ("kept", model.score)
        assert child.parent_task == (None if child.parent in system.roots else "a")
