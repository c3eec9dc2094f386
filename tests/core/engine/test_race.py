"""Children that are behind the best of their generation are not trained to the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.engine.generation import Race, train_generation
from mu2net_core.search import Population
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench

HEAD, ALL = frozenset({"head"}), frozenset({"block", "head"})


def test_who_is_behind_one_before_it_when_the_probation_is_over_is_given_up_and_nobody_else() -> None:
    race = Race(probation=2)
    assert not race.is_lost(ALL, [0.1])
    assert not race.is_lost(ALL, [0.1, 0.5])  # the first has nobody to be behind
    assert not race.is_lost(ALL, [0.9, 0.5])  # a tie
    assert race.is_lost(ALL, [0.9, 0.4])
    assert not race.is_lost(ALL, [0.9, 0.4, 0.3])  # only then
    assert not race.is_lost(ALL, [0.1, 0.6])
    assert race.is_lost(ALL, [0.1, 0.5])  # the best moved on
    never = Race(probation=0)
    assert not any(never.is_lost(ALL, curve) for curve in ([0.9], [0.1]))


def test_children_that_train_other_layers_do_not_compete() -> None:
    race = Race(probation=1)
    assert [race.is_lost(kind, [quality]) for kind, quality in ((HEAD, 0.4), (ALL, 0.2), (HEAD, 0.3), (ALL, 0.1))] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(("probation", "cycles"), [(0, [4, 4, 4]), (1, [4, 1, 4]), (2, [4, 2, 4])])
def test_children_that_are_behind_have_the_cycles_of_the_probation_and_what_they_reached_still_counts(
    bench: Workbench, plan_of, scripted, probation: int, cycles: list[int]
) -> None:
    training = replace(BENCH_PRESET.training, validations=4, probation=probation)
    shop = bench.workshop("a", preset=replace(BENCH_PRESET, training=training))
    root = bench.root()
    ways = {0: [(0.5, 12)] * 4, 1: [(0.5, 6)] * cycles[1], 2: [(0.5, 15)] * 4}  # the second learns little
    programs = scripted(*(step for way in ways.values() for step in way))
    shop = replace(shop, programs=programs)
    plans = tuple(plan_of(root, seed=seed) for seed in range(3))
    system = SystemBuilder().root(root).task("a").build()
    told: list[tuple[int, int]] = []
    results = list(
        train_generation(
            shop,
            plans,
            Population(task="a"),
            system,
            seed=1,
            on_cycle=lambda child, cycle, _: told.append((child, cycle)),
        )
    )
    assert [len(result.curve) for result in results] == cycles
    assert told == [(child, cycle) for child, count in enumerate(cycles) for cycle in range(count)]
    assert [result.outcome for result in results] == ["kept"] * 3
    assert results[1].cost * 4 == results[0].cost * cycles[1]
