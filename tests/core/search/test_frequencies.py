"""How often each mutation is drawn: 10,000 children against µ(δ|m), within three standard deviations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from mu2net_core.search import (
    ChildPlan,
    Holdings,
    Member,
    Population,
    SearchSpace,
    ask,
    candidates,
    rate,
    start,
    tell,
)
from mu2net_core.testing.building.systems import SampleStructure, SystemBuilder, sample_member, sample_ref

MU = tuple(round(0.02 * step, 2) for step in range(1, 16))
STRUCTURE = SampleStructure()
SPACE = SearchSpace(
    values={
        "mu": MU,
        "learning_rate": (0.01, 0.02, 0.05),
        "num_layers": (1, 2, 3),
        "adapter_dim": (16, 32, 64),
        "image_size": (32, 48, 64),
        "hue": (0.0, 0.1, 0.2),
        "momentum": (0.9,),
    },
    defaults={
        "mu": 0.1,
        "learning_rate": 0.02,
        "num_layers": 2,
        "adapter_dim": 32,
        "image_size": 48,
        "hue": 0.1,
        "momentum": 0.9,
    },
    structural=("adapter", "mlp"),
    shared=frozenset({"image_size", "hue"}),
)
CHILDREN = 10_000


def model(task: str | None, mu: float, *, score: float = 0.5, **rates: float) -> Member:
    refs = [sample_ref(name) for name in ("embedding", "encoderblock_0", "encoderblock_1", "norm")]
    refs += [] if task is None else [sample_ref("head", task, oid=f"head-{task}")]
    own = {name.replace("__", ":"): value for name, value in rates.items()}
    return sample_member(task, refs, score=score, hyperparameters={**SPACE.defaults, "mu": mu}, mutation_rates=own)


MINE = model("a", 0.2, clone__embedding=0.04, hp__hue=0.26, hp__image_size=0.06, add__adapter_1=0.28)
OTHER = model("b", 0.12, hp__learning_rate=0.24, grow__mlp_0=0.04)
ROOT = model(None, 0.08)
SYSTEM = (
    SystemBuilder()
    .root(ROOT)
    .task("a", MINE, selections={MINE.id: 1, OTHER.id: 1})  # a half from the first, a quarter from the second ...
    .task("b", OTHER)
    .build()
)
HOLDINGS = Holdings.of(SYSTEM, "a")


@cache
def plans() -> tuple[ChildPlan, ...]:
    """Returns the only child of each of 10,000 generations."""
    population = start(SYSTEM, "a")
    return tuple(
        ask(population, SYSTEM, SPACE, num_children=1, structure=STRUCTURE, seed=~seed)[0][0]
        for seed in range(CHILDREN)
    )


def assert_frequency(found: int, draws: int, probability: float, what: str) -> None:
    assert abs(found - draws * probability) <= 3 * (draws * probability * (1 - probability)) ** 0.5, what


@pytest.mark.parametrize("parent", [MINE, OTHER, ROOT], ids=["own", "other", "root"])
def test_each_mutation_of_each_parent_happens_as_often_as_its_own_rate_says(parent: Member) -> None:
    mine = [plan for plan in plans() if plan.parent.id == parent.id]
    found = Counter(mutation.name for plan in mine for mutation in plan.mutations)
    named = candidates(parent.model, SPACE, STRUCTURE, HOLDINGS)
    deltas = [name for name in named if name[3:] not in SPACE.shared]
    assert len(deltas) == 10
    for delta in deltas:
        probability = rate(parent.model, delta, SPACE)
        # What was changed in a block that is removed at once does not count: half of the moves of num_layers.
        kept = 1 - rate(parent.model, "hp:num_layers", SPACE) / 2 if delta.endswith("_1") and ":enc" not in delta else 1
        assert_frequency(found[delta], len(mine), probability * kept, delta)
        mu = float(parent.model.hyperparameters["mu"])
        assert_frequency(found[f"mu:{delta}"], len(mine), mu, f"mu:{delta}")


def test_what_nobody_has_trained_yet_cannot_be_shared_and_so_is_no_matter_of_chance() -> None:
    drawn = (replace(ref, operation="new") for ref in ROOT.model.components[:2])
    untrained = replace(ROOT.model, components=(*drawn, *ROOT.model.components[2:]))
    left = set(candidates(ROOT.model, SPACE, STRUCTURE, HOLDINGS)) - set(
        candidates(untrained, SPACE, STRUCTURE, HOLDINGS)
    )
    assert left == {"clone:embedding", "clone:encoderblock_0"}
    trained = replace(ROOT.model, components=(replace(sample_ref("embedding", "b"), operation="new"),))
    assert "clone:embedding" in candidates(trained, SPACE, STRUCTURE, HOLDINGS)


def test_a_root_is_tried_for_a_new_task_as_often_as_each_other_tasks_model() -> None:
    builder = SystemBuilder().root(ROOT).task("new")
    for name in ("b", "c", "d", "e"):
        builder.task(name, model(name, 0.1))
    system, found = builder.build(), Counter[str | None]()
    for seed in range(400):
        plans, _ = ask(start(system, "new"), system, SPACE, num_children=8, structure=STRUCTURE, seed=seed)
        found.update(plan.parent.model.task for plan in plans)
    for task in (None, "b", "c", "d", "e"):
        assert_frequency(found[task], 3200, 1 / 5, str(task))


def test_what_only_the_task_itself_uses_is_trained_in_any_case_and_its_rate_stays() -> None:
    refs = [sample_ref("embedding"), sample_ref("encoderblock_0", "a", oid="mine"), sample_ref("head", "a")]
    mine = sample_member("a", refs, hyperparameters={**SPACE.defaults, "mu": 0.3}, retained=False)
    system = SystemBuilder().root(ROOT).task("a", mine).build()
    population = start(system, "a")
    names = Counter(
        mutation.name
        for seed in range(300)
        for plan in ask(population, system, SPACE, num_children=1, structure=STRUCTURE, seed=seed)[0]
        for mutation in plan.mutations
    )
    assert_frequency(names["clone:embedding"], 300, 0.3, "clone:embedding")
    assert not names["clone:encoderblock_0"] + names["mu:clone:encoderblock_0"]


def test_preparation_moves_as_often_as_the_best_models_rates_say() -> None:
    for delta, probability in (("hp:hue", 0.26), ("hp:image_size", 0.06)):
        name, expected = delta.removeprefix("hp:"), SPACE.defaults[delta.removeprefix("hp:")]
        values = Counter(plan.hyperparameters[name] for plan in plans())
        rates = Counter(plan.mutation_rates.get(delta, plan.hyperparameters["mu"]) for plan in plans())
        assert_frequency(CHILDREN - values.pop(expected), CHILDREN, probability, delta)
        assert_frequency(CHILDREN - rates.pop(probability), CHILDREN, 0.2, f"mu:{delta}")
        for neighbours in (values, rates):  # up as often as down
            assert len(neighbours) == 2
            assert_frequency(min(neighbours.values()), sum(neighbours.values()), 0.5, delta)


def test_preparation_is_drawn_per_generation_not_per_child() -> None:
    generations = [
        ask(start(SYSTEM, "a"), SYSTEM, SPACE, num_children=4, structure=STRUCTURE, seed=seed)[0] for seed in range(500)
    ]
    moved = sum(children[0].hyperparameters["hue"] != 0.1 for children in generations)
    assert_frequency(moved, len(generations), 0.26, "hp:hue")
    assert all(len({child.hyperparameters["hue"] for child in children}) == 1 for children in generations)


def test_mutations_of_one_child_are_independent() -> None:
    mine = [plan for plan in plans() if plan.parent.id == MINE.id]
    drawn = [{mutation.name for mutation in plan.mutations} for plan in mine]
    for one, other in (("add:adapter_0", "hp:learning_rate"), ("clone:encoderblock_0", "mu:clone:encoderblock_0")):
        assert_frequency(sum({one, other} <= names for names in drawn), len(mine), 0.2 * 0.2, f"{one} and {other}")


def test_over_many_generations_everything_stays_where_it_may_be() -> None:
    seen: set[float] = set()
    for plan in _descent(400):
        assert set(plan.mutation_rates.values()) <= set(MU)
        for name, values in SPACE.values.items():
            assert plan.hyperparameters[name] in values
        blocks = int(plan.hyperparameters["num_layers"])
        assert set(plan.hyperparameters) - set(SPACE.values) <= {
            f"{k}_{n}" for k in ("adapter", "mlp") for n in range(blocks)
        }
        seen.update(plan.mutation_rates.values())
    assert len(seen) > 5


def _descent(generations: int) -> Iterator[ChildPlan]:
    """Yields the plan of each generation's only child, which is always the next one's parent."""
    population = Population(task="a", members=(MINE,))
    for seed in range(generations):
        (plan,), _ = ask(population, SYSTEM, SPACE, num_children=1, structure=STRUCTURE, seed=seed)
        yield plan
        child = replace(
            MINE.model, hyperparameters=plan.hyperparameters, mutation_rates=plan.mutation_rates, seed=seed, score=0.5
        )
        population = tell(population, [Member(id=f"child-{seed}", model=child)], cap=1)
