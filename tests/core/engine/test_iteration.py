from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mu2net_core.engine import iteration
from mu2net_core.engine.iteration import IterationState
from mu2net_core.engine.layout import Layout
from mu2net_core.engine.programs import Programs
from mu2net_core.errors import SearchError
from mu2net_core.events import (
    ChildFinished,
    GenerationFinished,
    IterationStarted,
)
from mu2net_core.objects import Seen, System, Trial, decode, encode
from mu2net_core.search import METHODS, MU2NET_PLUS, SearchSpace, SearchState, best
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.iterating import Watch, begin, run
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench


def ids(state: IterationState) -> list[str]:
    return [member.id for member in state.population.members]


def test_an_iteration_samples_all_children_and_counts_what_became_of_them(bench: Workbench, system: System) -> None:
    watch = Watch()
    state = run(bench, system, begin(system), watch)
    assert state.generation == 3
    assert state.counts.sampled == 9
    assert state.counts.kept == len(state.population.members) > 0
    assert state.counts.sampled == state.counts.kept + sum(state.counts.discarded.values())
    assert sum(state.population.selections.values()) == 9
    assert watch.saved[-1] == state
    assert [saved.generation for saved in watch.saved] == [1, 2, 3]
    spent = [saved.device_s for saved in watch.saved]
    assert 0 < spent[0] < spent[1] < spent[2]


def test_an_iteration_that_goes_on_has_spent_what_it_had_and_more(bench: Workbench, system: System) -> None:
    state = run(bench, system, replace(begin(system, generations=1), device_s=1000.0))
    assert state.device_s > 1000


def test_the_best_never_gets_worse_and_children_never_start_below_a_parent_of_their_task(
    bench: Workbench, system: System
) -> None:
    watch = Watch()
    state = run(bench, system, begin(system), watch)
    scores = [best(saved.population).model.score for saved in watch.saved]
    assert scores == sorted(scores)
    models = {member.id: member.model for member in state.population.members}
    for model in models.values():
        if model.parent in models:
            assert model.score >= models[model.parent].score


def test_the_same_seed_gives_the_same_models_another_others(bench: Workbench, system: System) -> None:
    one, same, other = (run(bench, system, begin(system, generations=1, seed=seed)) for seed in (4, 4, 5))
    assert ids(one) == ids(same)
    assert one == same
    assert set(ids(one)).isdisjoint(ids(other))


@pytest.mark.parametrize("after", [1, 2])
def test_resumed_after_any_generation_it_ends_the_same(bench: Workbench, system: System, after: int) -> None:
    watch = Watch()
    whole = run(bench, system, begin(system), watch)
    again = Watch()
    # A new workshop knows nothing: all that matters is in the saved state and the stored components.
    resumed = run(bench, system, watch.saved[after - 1], again)
    assert resumed == whole
    assert isinstance(again.events[0], IterationStarted)
    assert again.events[0].resumed_generation == after
    assert len(again.saved) == 3 - after


def test_what_generations_saw_is_noted_where_it_was_something_else(bench: Workbench, system: System) -> None:
    watch, snapshots = Watch(), iter(["snapshot", "later", "later"])
    state = run(bench, system, begin(system), watch, record=lambda _system: next(snapshots))
    assert state.seen == (Seen(generation=1, snapshot="later"),)
    assert [saved.seen for saved in watch.saved] == [(), state.seen, state.seen]
    back = iter(["later", "snapshot"])
    state = run(bench, system, begin(system, generations=2), record=lambda _system: next(back))
    assert [(seen.generation, seen.snapshot) for seen in state.seen] == [(0, "later"), (1, "snapshot")]


def test_a_finished_iteration_only_says_so(bench: Workbench, system: System) -> None:
    whole = run(bench, system, begin(system, generations=1))
    watch = Watch()
    assert run(bench, system, whole, watch) == whole
    assert len(watch.events) == 1


def test_the_system_is_read_anew_before_every_generation_and_noted(bench: Workbench, system: System) -> None:
    asked, noted = list[int](), list[System]()

    def newest(generation: int) -> System:
        asked.append(generation)
        return system

    def record(seen: System) -> str:
        noted.append(seen)
        return "snapshot"

    run(bench, system, begin(system, generations=2), newest=newest, record=record)
    assert asked == [0, 1]
    assert noted == [system, system]


def test_whether_it_is_enough_is_decided_by_what_was_reached(bench: Workbench, system: System) -> None:
    watch, shown = Watch(), list[IterationState]()

    def is_enough(state: IterationState) -> bool:
        shown.append(state)
        return state.generation == 2

    state = run(bench, system, begin(system), watch, is_enough=is_enough)
    assert shown == watch.saved
    assert state.generation == 2


def test_the_time_of_an_iteration_is_that_of_all_devices(
    bench: Workbench, system: System, scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, watch = [100], Watch()
    monkeypatch.setattr(iteration, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def newest(_generation: int) -> System:
        now[0] += 10
        return system

    monkeypatch.setattr(Layout, "num_devices", 2)
    shop = replace(bench.workshop("a"), programs=scripted((1, 25)))
    state = run(bench, system, begin(system, generations=2, children=1), watch, shop=shop, newest=newest)
    assert [saved.device_s for saved in watch.saved] == [20, 40]
    assert state.device_s == 40
    finished = [event for event in watch.events if isinstance(event, GenerationFinished)]
    assert [(event.wall_s, event.eta_s) for event in finished] == [(10, 10), (10, 0)]


def test_every_generation_draws_anew_what_its_children_share_and_what_probes_look_at(
    bench: Workbench, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = list[int]()

    def watched(called: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, seed: int, **others: Any) -> Any:
            drawn.append(seed)
            return called(*given, seed=seed, **others)

        return call

    for name in ("probed", "train_generation"):
        monkeypatch.setattr(iteration, name, watched(getattr(iteration, name)))
    shop = bench.workshop("a")
    preset = replace(shop.preset, training=replace(shop.preset.training, probes=8))
    for number in (1, 2):
        state = replace(begin(system, generations=2, children=1), iteration=number)
        run(bench, system, state, shop=replace(shop, preset=preset))
    first, second = drawn[:3], drawn[3:]  # probes and two generations each
    assert not set(first) & set(second)
    assert first[1] != first[2]
    assert second[1] != second[2]


def test_when_time_is_out_no_generation_is_begun_but_the_first(bench: Workbench, system: System) -> None:
    state = run(bench, system, begin(system), is_enough=lambda _: True)
    assert state.generation == 1
    later = run(bench, system, state, is_enough=lambda _: True)
    assert later.generation == 2


def test_children_that_all_diverge_are_counted_and_leave_an_empty_population(
    bench: Workbench, system: System, scripted
) -> None:
    shop = replace(bench.workshop("a"), programs=scripted((float("nan"), 0)))
    watch = Watch()
    state = run(bench, system, begin(system, generations=1), watch, shop=shop)
    assert state.counts.discarded == {"nan": 3}
    assert (state.counts.sampled, state.counts.kept) == (3, 0)
    assert state.population.members == ()
    assert watch.events[-1].best_score is None
    assert {event.outcome for event in watch.events if isinstance(event, ChildFinished)} == {"nan"}


def test_no_two_children_of_a_life_draw_the_same_numbers(bench: Workbench, system: System) -> None:
    first = run(bench, system, begin(system))
    second = run(bench, system, replace(begin(system), iteration=2))
    members = [*first.population.members, *second.population.members]
    assert len({member.model.seed for member in members}) == len(members)


def test_another_search_method_can_plan(bench: Workbench, system: System) -> None:
    at_random = replace(BENCH_PRESET, training=replace(BENCH_PRESET.training, method="random"))
    state = run(bench, system, begin(system, generations=1, children=2), shop=bench.workshop("a", preset=at_random))
    (root,) = system.roots
    assert state.population.members
    for member in state.population.members:
        assert member.model.parent == root
        assert all(ref.trainable for ref in member.model.components)


class Learner:
    """Plans as the papers do, notes how many children of each kind it was told of, and lets that decide."""

    told: list[tuple[Trial, ...]]

    def __init__(self) -> None:
        self.told = []

    def ask(self, state: SearchState, system: System, space: SearchSpace, /, **asked: Any) -> Any:
        plans, known = MU2NET_PLUS.ask(state, system, space, **asked)
        return tuple(replace(plan, seed=plan.seed ^ int(state.memory.get("mark", 0))) for plan in plans), known

    def tell(self, state: SearchState, trials: Sequence[Trial], /) -> SearchState:
        self.told.append(tuple(trials))
        counts = Counter(trial.outcome for trial in state.trials)
        mark = sum(int(1000 * (trial.score or 0.0)) for trial in state.trials)
        return replace(state, memory={"outcomes": tuple(sorted(counts)), "mark": mark, **counts})


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> Learner:
    offer(monkeypatch, METHODS, learner=(method := Learner()))
    return method


LEARNING = replace(BENCH_PRESET, training=replace(BENCH_PRESET.training, method="learner"))


def test_a_method_is_told_what_became_of_every_child(bench: Workbench, system: System, learner: Learner) -> None:
    watch = Watch()
    state = run(bench, system, begin(system), watch, shop=bench.workshop("a", preset=LEARNING))
    reports = [event.children for event in watch.events if isinstance(event, GenerationFinished)]
    assert [len(trials) for trials in learner.told] == [3, 3, 3]
    told = [trial for trials in learner.told for trial in trials]
    assert {trial.outcome for trial in told} == {"kept", "score"}
    for trial, report in zip(told, (child for children in reports for child in children), strict=True):
        assert (trial.parent, trial.outcome, trial.score) == (report.parent, report.outcome, report.score)
        assert trial.model == report.model
        changed = {mutation.name: mutation.after for mutation in report.mutations}
        assert {f"clone:{name}" for name in trial.clones} == {name for name in changed if name.startswith("clone:")}
        assert all(trial.values[n.removeprefix("hp:")] == v for n, v in changed.items() if n.startswith("hp:"))
        assert trial.cost > 0
        assert trial.cost % (48 * 2) == 0  # two cycles of all examples
    assert state.search.trials == tuple(told)
    assert state.search.memory["kept"] == state.counts.kept


def test_what_a_child_costs_is_the_same_every_time_and_less_if_it_diverges(
    bench: Workbench, system: System, scripted
) -> None:
    costs = [[t.cost for t in run(bench, system, begin(system, generations=1)).search.trials] for _ in range(2)]
    assert costs[0] == costs[1]
    shop = replace(bench.workshop("a"), programs=scripted((float("nan"), 0)))
    (first, *_) = run(bench, system, begin(system, generations=1), shop=shop).search.trials
    assert (first.outcome, first.score, first.model) == ("nan", None, None)
    assert first.cost == costs[0][0] / 2  # given up after the first of two cycles


def test_a_method_that_learns_goes_on_after_a_crash_as_if_there_had_been_none(
    bench: Workbench, system: System, learner: Learner
) -> None:
    straight, shop = Watch(), bench.workshop("a", preset=LEARNING)
    expected = run(bench, system, begin(system), straight, shop=shop)
    assert expected.search.memory["mark"] != 0
    for saved in straight.saved[:-1]:
        state = decode(encode(saved), IterationState, what="the state")
        assert state == saved
        assert run(bench, system, state, shop=shop) == expected
    forgetful = replace(straight.saved[0], search=replace(straight.saved[0].search, memory={}))
    assert ids(run(bench, system, forgetful, shop=shop)) != ids(expected)


def test_a_method_that_plans_too_few_children_is_named(
    bench: Workbench, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lazy(Learner):
        def ask(self, *state: Any, **asked: Any) -> Any:
            plans, known = super().ask(*state, **asked)
            return plans[1:], known

    offer(monkeypatch, METHODS, learner=Lazy())
    with pytest.raises(SearchError, match=r"The search method 'learner' planned 2 children; expected 3\."):
        run(bench, system, begin(system), shop=bench.workshop("a", preset=LEARNING))


def test_no_more_models_stay_alive_than_the_cap(bench: Workbench, system: System) -> None:
    capped = replace(BENCH_PRESET, training=replace(BENCH_PRESET.training, population_cap=2))
    watch = Watch()
    state = run(bench, system, begin(system), watch, shop=bench.workshop("a", preset=capped))
    assert [len(saved.population.members) for saved in watch.saved] == [2, 2, 2]
    assert state.counts.kept > 2
    known = {member.id: member.model for member in (*state.population.past, *state.population.members)}
    for model in known.values():
        assert model.parent in {*known, *system.roots}


def test_few_programs_serve_many_children(system: System) -> None:
    told: list[str] = []
    bench = Workbench(programs=Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what)))
    run(bench, SystemBuilder().root(bench.root()).task("a").build(), begin(system, generations=3, children=6))
    # Depths 0 to 2, a boundary at each layer. Programs do not depend on names: at most seven trainings, four kinds of
    # layers, and parts, join and count.
    assert len(told) == len(set(told)) + max(sum(what.startswith("join") for what in told) - 1, 0) <= 7 + 4 + 4
