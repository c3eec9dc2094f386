from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from mu2net_core.data import Resident
from mu2net_core.engine.generation import ChildResult, train_generation
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.workshop import Workshop
from mu2net_core.objects import PUBLIC, AccessRule, Scorer, System, Training
from mu2net_core.search import ChildPlan, Member, Population
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench, coloured_images


def results(shop: Workshop, plans: list[ChildPlan], system: System, *members: Member) -> list[ChildResult]:
    population = Population(task=shop.task.name, members=members)
    return list(train_generation(shop, tuple(plans), population, system, seed=1))


def trained(shop: Workshop, plan: ChildPlan, system: System, *members: Member) -> Member:
    (result,) = results(shop, [plan], system, *members)
    assert result.member is not None
    return result.member


def retained(member: Member) -> Member:
    return replace(member, model=replace(member.model, test_quality=0.5))


@pytest.fixture
def first(bench: Workbench, plan_of) -> tuple[Member, Member]:
    """Returns a root, and a first model of task a that trained a copy of its block."""
    root = bench.root()
    system = SystemBuilder().root(root).task("a").build()
    return root, trained(bench.workshop("a"), plan_of(root, clones=("block_0",)), system)


def test_a_child_of_a_root_shares_what_it_does_not_train(bench: Workbench, first) -> None:
    root, child = first
    model = child.model
    assert [ref.name for ref in model.components] == ["embedding", "block_0", "norm", "head"]
    assert [ref.trainable for ref in model.components] == [False, True, True, True]
    assert [ref.operation for ref in model.components] == ["root", "clone", "clone", "new"]
    assert model.components[0].id == root.model.components[0].id
    assert [ref.parent for ref in model.components] == [None, *(ref.id for ref in root.model.components[1:]), None]
    assert (model.root, model.parent, model.task) == (root.id, root.id, "a")
    for ref in model.components:
        component = bench.components[ref.id]
        assert (component.name, component.num_params) == (ref.name, ref.num_params)
        if ref.trainable:
            assert set(component.opt_state) == {f"momentum/{name}" for name in component.params}
    assert model.costs is not None
    assert model.costs.params == sum(ref.num_params for ref in model.components)
    assert model.score == model.quality == max(model.validation_curve)
    assert not model.is_retained
    shop = bench.workshop("a")
    assert model.validation_examples == shop.validation_examples == shop.task.splits["validation"].num_examples
    few = replace(BENCH_PRESET, training=replace(BENCH_PRESET.training, validation_cap=2))
    assert bench.workshop("a", preset=few).validation_examples == 2


def test_tasks_of_all_sizes_and_models_of_a_few_depths_are_trained_by_the_same_programs(plan_of) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what))
    bench = Workbench(programs=programs)
    needed = []
    for depth, count in ((2, 48), (2, 131), (1, 77), (1, 50)):
        root = bench.root(num_layers=depth)
        splits = {"train": coloured_images(count, 3, 1), "validation": coloured_images(count // 2, 3, 2)}
        sizes = {name: len(split) for name, split in splits.items()}
        load = lambda split, _input_spec, splits=splits: Resident(splits[split])  # noqa: E731
        data = replace(bench.data(), load=load, num_examples=sizes)
        clones = ((), ("block_0",), ("embedding",))
        plans = [plan_of(root, which, seed=seed, num_layers=depth) for seed, which in enumerate(clones)]
        before = len(told)
        results(replace(bench.workshop(), data=data), plans, SystemBuilder().root(root).task("a").build())
        needed.append(sorted(told[before:]))
    assert [what for what in needed[0] if what.startswith("train")] == [
        "train block..head",
        "train dense..head",
        "train norm..head",
    ]
    assert [[what for what in some if what.startswith("train")] for some in needed[1:]] == [
        [],
        ["train block..head", "train dense..head"],  # with less room; the head alone has none
        [],
    ]


def test_nothing_a_parent_holds_is_changed(bench: Workbench, plan_of) -> None:
    root = bench.root()
    held = [bench.components[ref.id] for ref in root.model.components]
    before = [{name: array.tobytes() for name, array in component.params.items()} for component in held]
    system = SystemBuilder().root(root).task("a").build()
    results(bench.workshop(), [plan_of(root, ("embedding", "block_0")), plan_of(root)], system)
    assert before == [{name: array.tobytes() for name, array in component.params.items()} for component in held]


def test_training_is_counted_per_task_along_the_lineage(bench: Workbench, plan_of, first) -> None:
    root, mine = first
    kept = mine.model.validation_curve.index(mine.model.quality) + 1
    # The latest of equal validations is kept.
    kept = max(i + 1 for i, quality in enumerate(mine.model.validation_curve) if quality == mine.model.quality)
    told = Training(steps=3 * kept, examples=48 * kept)
    assert [dict(ref.training) for ref in mine.model.components] == [{}, {"a": told}, {"a": told}, {"a": told}]

    mine = retained(mine)
    system = SystemBuilder().root(root).task("a", mine).task("b").build()
    child = trained(bench.workshop("b"), plan_of(mine, clones=("embedding",)), system)
    embedding, block, norm, head = child.model.components
    assert set(embedding.training) == {"b"}
    assert block == replace(mine.model.components[1], trainable=False)
    assert norm.training["a"] == told
    assert norm.training["b"] == embedding.training["b"] == head.training["b"]
    assert set(head.training) == {"b"}

    own = trained(bench.workshop("a"), replace(plan_of(mine), hyperparameters=mine.model.hyperparameters), system, mine)
    assert own.model.components[3].training["a"].steps > told.steps
    assert own.model.components[3].operation == "clone"


def test_whose_data_trained_it_is_told_whatever_the_parents_manifest_hides(bench: Workbench, plan_of, first) -> None:
    root, mine = retained(first[0]), retained(first[1])
    hiding = tuple(replace(ref, training={}) for ref in mine.model.components)
    liar = replace(mine, model=replace(mine.model, components=hiding))
    system = SystemBuilder().root(root).task("a", liar).task("b").build()
    child = trained(bench.workshop("b"), plan_of(liar, clones=("embedding",)), system)
    _, block, norm, _ = child.model.components
    assert (block.trainable, set(block.training)) == (False, {"a"})
    assert (norm.trainable, set(norm.training)) == (True, {"a", "b"})
    assert bench.components[norm.id].label.trained_by == ("a", "b")


def test_what_is_trained_tells_who_may_read_it_by_all_that_the_task_ever_allowed(
    bench: Workbench, plan_of, first
) -> None:
    root = retained(first[0])
    system = SystemBuilder().root(root).task("b").build()
    shop = replace(bench.workshop("b"), access=AccessRule.only(["team"]))  # its newest task object is for everybody
    child = trained(shop, plan_of(root), system)
    assert shop.task.access == PUBLIC
    assert bench.components[child.model.components[-1].id].label.readers == ("team",)


def test_a_head_goes_on_with_its_own_optimizer_state(bench: Workbench, plan_of, scripted, first) -> None:
    root, mine = first
    mine = retained(mine)
    programs = scripted((1, 30))
    shop = replace(bench.workshop("a"), programs=programs)
    system = SystemBuilder().root(root).task("a", mine).build()
    child = trained(shop, plan_of(mine), system, mine)
    head = bench.components[mine.model.components[3].id]
    row, momentum = programs.calls[0]["state"]
    for name in head.params:
        np.testing.assert_array_equal(row[-1][name], head.params[name])
        np.testing.assert_array_equal(momentum[-1][name], head.opt_state[f"momentum/{name}"])
    assert any(array.any() for array in head.opt_state.values())
    assert child.model.components[3].parent == mine.model.components[3].id


BOTH = replace(
    BENCH_PRESET,
    space=replace(
        BENCH_PRESET.space,
        values={**BENCH_PRESET.space.values, "optimizer": ("adamw", "sgd"), "label_smoothing": (0.0, 0.1)},
        defaults={**BENCH_PRESET.space.defaults, "optimizer": "sgd", "label_smoothing": 0.0},
    ),
)


def test_sgd_and_adamw_are_trained_by_one_program_and_components_keep_what_their_own_optimizer_needs(plan_of) -> None:
    told: list[str] = []
    bench = Workbench(programs=Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what)))
    root, shop = bench.root(), bench.workshop(preset=BOTH)
    system = SystemBuilder().root(root).task("a").build()
    adamw = {"optimizer": "adamw", "learning_rate": 0.02}
    plans = [plan_of(root), plan_of(root, **adamw), plan_of(root, **adamw, beta2=0.9, weight_decay=0.5)]
    plans.append(plan_of(root, label_smoothing=0.1))
    found = [result.member for result in results(shop, plans, system)]
    assert [what for what in told if what.startswith("train")] == ["train norm..head"]
    heads = [bench.components[member.model.components[-1].id] for member in found]
    for head in heads[1:3]:
        states = {f"{state}/{name}" for state in ("first_moment", "second_moment") for name in head.params}
        assert set(head.opt_state) == {*states, "corrections"}
        assert {name: head.opt_state[f"second_moment/{name}"].shape for name in head.params} == {
            name: array.shape for name, array in head.params.items()
        }
        assert (head.opt_state["second_moment/kernel"] > 0).any()
    for head in (heads[0], heads[3]):
        assert set(head.opt_state) == {f"momentum/{name}" for name in head.params}
    assert len({member.model.components[-1].id for member in found}) == 4
    alone = trained(bench.workshop(), plan_of(root), system)
    for name, array in bench.components[alone.model.components[-1].id].params.items():
        np.testing.assert_allclose(heads[0].params[name], array, rtol=1e-4, atol=1e-6)


def test_a_head_goes_on_with_what_adamw_knows_of_it(bench: Workbench, plan_of, monkeypatch: pytest.MonkeyPatch) -> None:
    root, shop = bench.root(), bench.workshop("a", preset=BOTH)
    adamw = {"optimizer": "adamw", "learning_rate": 0.02}
    mine = retained(trained(shop, plan_of(root, **adamw), SystemBuilder().root(root).task("a").build()))
    head = bench.components[mine.model.components[-1].id]
    begun: list[Any] = []
    train = Programs.train

    def watched(self, shape, state, own, chunk, *, objective):
        begun.append(jax.tree.map(np.array, state[1][-1]))
        return train(self, shape, state, own, chunk, objective=objective)

    monkeypatch.setattr(Programs, "train", watched)
    system = SystemBuilder().root(root).task("a", mine).build()
    for optimizer in ("adamw", "sgd"):
        begun.clear()
        results(shop, [plan_of(mine, optimizer=optimizer)], system, mine)
        size = head.params["bias"].shape[0]
        goes_on = optimizer == "adamw"
        expected = head.opt_state["second_moment/bias"] if goes_on else np.zeros(size)
        np.testing.assert_array_equal(begun[0].second["bias"][:size], expected)
        np.testing.assert_array_equal(begun[0].corrections, head.opt_state["corrections"] if goes_on else [0, 0])
    assert 0 < head.opt_state["corrections"][1] < head.opt_state["corrections"][0] < 1


def with_score(member: Member, quality: float, scorer: Scorer | None = None) -> Member:
    return replace(member, model=replace(member.model, score=quality, quality=quality, scorer=scorer or Scorer()))


@pytest.mark.parametrize(
    ("script", "outcome", "score"),
    [
        ([(1, 23), (1, 23)], "score", 23 / 30),
        ([(1, 24), (1, 20)], "kept", 24 / 30),
        ([(1, 10), (1, 27)], "kept", 27 / 30),
        ([(1, 27), (float("nan"), 27)], "nan", None),
    ],
    ids=["worse", "equal", "better", "diverged"],
)
def test_a_child_must_reach_a_parent_of_the_same_task(
    bench: Workbench, plan_of, scripted, first, script, outcome: str, score: float | None
) -> None:
    root, mine = first
    mine = retained(with_score(mine, 24 / 30))
    shop = replace(bench.workshop("a"), programs=scripted(*script))
    (result,) = results(shop, [plan_of(mine)], SystemBuilder().root(root).task("a", mine).build(), mine)
    assert (result.outcome, result.score, result.quality) == (outcome, score, score)
    assert (result.member is not None) == (outcome == "kept")
    assert result.wall_s > 0


def test_a_parent_of_another_task_or_scored_by_other_rules_is_no_bar(
    bench: Workbench, plan_of, scripted, first
) -> None:
    root, mine = first
    mine = retained(with_score(mine, 24 / 30))
    system = SystemBuilder().root(root).task("a", mine).task("b").build()
    shop = replace(bench.workshop("b"), programs=scripted((1, 3)))
    assert results(shop, [plan_of(mine)], system)[0].outcome == "kept"
    costly = retained(with_score(mine, 24 / 30, Scorer(factor=0.9)))
    shop = replace(bench.workshop("a"), programs=scripted((1, 3)))
    system = SystemBuilder().root(root).task("a", costly).build()
    assert results(shop, [plan_of(costly)], system, costly)[0].outcome == "kept"


def test_a_discarded_child_leaves_no_component(bench: Workbench, plan_of, scripted, first) -> None:
    root, mine = first
    mine = retained(with_score(mine, 1.0))
    shop = replace(bench.workshop("a"), programs=scripted((1, 3)))
    before = set(bench.components)
    results(shop, [plan_of(mine, ("embedding",))], SystemBuilder().root(root).task("a", mine).build(), mine)
    assert set(bench.components) == before


def test_costs_lower_the_score_and_sharing_lowers_the_costs(bench: Workbench, plan_of, scripted) -> None:
    root = bench.root()
    costly = replace(BENCH_PRESET, scorer=Scorer(factor=0.9, params_scale=100.0, flops_scale=100.0))
    shop = replace(bench.workshop("a", preset=costly), programs=scripted((1, 30)))
    system = SystemBuilder().root(root).task("a").build()
    sharing, owning = (
        result.member.model
        for result in results(shop, [plan_of(root), plan_of(root, ("embedding", "block_0"))], system)
        if result.member is not None
    )
    # Alone, a task pays for all it uses, shared with the root or not.
    assert sharing.costs == owning.costs
    exponent = sharing.costs.params / 100 + sharing.costs.flops / 100
    assert sharing.score == pytest.approx(0.9**exponent)
    assert (sharing.quality, sharing.scorer) == (1.0, costly.scorer)
    # With another task on the same embedding and block it pays half for those.
    other = retained(Member(id="other", model=replace(sharing, task="b")))
    shop = replace(shop, programs=scripted((1, 30)))
    system = SystemBuilder().root(root).task("a").task("b", other).build()
    model = results(shop, [plan_of(root)], system)[0].member.model
    shared = sum(ref.num_params for ref in root.model.components[:2])
    assert model.costs.accounted_params == model.costs.params - shared / 2
    assert model.costs.params == sharing.costs.params


def test_a_child_of_the_same_task_trains_what_no_other_task_that_it_may_name_stands_on(
    bench: Workbench, plan_of, scripted, first
) -> None:
    root, mine = first  # which trained a block of its own, on the root's embedding
    shop = replace(bench.workshop("a"), programs=scripted((1, 30)))

    def trained_with(readers: list[str] | None) -> set[str]:
        other = retained(Member(id="other", model=replace(mine.model, task="b")))
        system = SystemBuilder().root(root).task("a", retained(mine)).task("b", other, readers=readers).build()
        child = trained(shop, plan_of(mine), system, mine)
        return {ref.name for ref in child.model.components if ref.trainable}

    assert trained_with(["b"]) == {"block_0", "norm", "head"}  # as if the private task were not there
    assert trained_with(None) == {"norm", "head"}


def test_a_block_is_inserted_from_an_ancestor_whose_arrays_still_exist(bench: Workbench, plan_of, scripted) -> None:
    deep = bench.root(num_layers=2)
    shop = replace(bench.workshop("a"), programs=scripted((1, 20)))
    system = SystemBuilder().root(deep).task("a").build()
    shallow = trained(shop, plan_of(deep, num_layers=1), system)
    assert [ref.name for ref in shallow.model.components] == ["embedding", "block_0", "norm", "head"]
    grown = trained(shop, plan_of(shallow, num_layers=2), system, shallow)
    block = grown.model.component("block_1")
    assert (block.operation, block.parent) == ("insert", deep.model.component("block_1").id)

    # A child of an iteration that was not retained is an ancestor without arrays.
    lost = replace(grown, id="lost")
    again = trained(shop, plan_of(grown, num_layers=1), system, shallow, grown)
    again = replace(again, model=replace(again.model, parent=lost.id))
    builder = SystemBuilder().root(bench.root()).task("a")
    builder.ancestors[lost.id] = replace(lost.model, parent="gone")
    new = trained(shop, plan_of(again, num_layers=2), builder.build(), again)
    assert new.model.component("block_1").operation == "new"


def test_private_knowledge_of_an_ancestor_is_not_inserted(bench: Workbench, plan_of, scripted) -> None:
    deep = bench.root(num_layers=2)
    shop = replace(bench.workshop("secret"), programs=scripted((1, 20)))
    system = SystemBuilder().root(deep).task("secret", readers=["secret"]).build()
    secret = retained(trained(shop, plan_of(deep, ("block_1",)), system))
    # Its public remains: a model of b that dropped the block that was trained in secret.
    refs = (*deep.model.components[:2], deep.model.components[3])
    remains = Member(id="b", model=replace(secret.model, task="b", components=refs, parent=secret.id))
    system = SystemBuilder().root(deep).task("secret", secret, readers=["secret"]).task("b", remains).task("a").build()
    shop = replace(bench.workshop("a"), programs=scripted((1, 20)))
    child = trained(shop, plan_of(remains, num_layers=2), system)
    block = child.model.component("block_1")
    assert "secret" not in child.model.trained_by
    assert block.parent != secret.model.component("block_1").id
    shop = replace(bench.workshop("secret"), programs=scripted((1, 20)))
    own = trained(shop, plan_of(remains, num_layers=2), system)
    assert own.model.component("block_1").parent == secret.model.component("block_1").id


def test_the_same_plan_makes_the_same_model(bench: Workbench, plan_of) -> None:
    root = bench.root()
    system = SystemBuilder().root(root).task("a").build()
    ids = [trained(bench.workshop(), plan_of(root, ("block_0",), seed=seed), system).id for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]


def test_an_ancestor_whose_arrays_were_never_brought_here_is_passed_over(bench: Workbench, plan_of, scripted) -> None:
    # Who clones a remote that was only given b has the manifest of the model of a that b grew from, not its arrays.
    deep = bench.root(num_layers=2)
    shop = replace(bench.workshop("a"), programs=scripted((1, 20)))
    old = retained(trained(shop, plan_of(deep), SystemBuilder().root(deep).task("a").build()))
    refs = (*deep.model.components[:2], deep.model.components[3])
    remains = Member(id="b", model=replace(old.model, task="b", components=refs, parent=old.id))
    builder = SystemBuilder().root(bench.root()).task("a").task("b", remains)
    builder.ancestors[old.id] = old.model
    child = trained(shop, plan_of(remains, num_layers=2), builder.build())
    assert [child.model.component(name).operation for name in ("block_1", "head")] == ["new", "new"]
    kept = trained(shop, plan_of(remains, num_layers=2), replace(builder.build(), kept=frozenset([old.id])))
    assert [kept.model.component(name).operation for name in ("block_1", "head")] == ["insert", "clone"]
