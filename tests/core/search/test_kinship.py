"""Which layers can be merged: those of lines that part at a layer which somebody trained."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import LARGEST_COUNT, PUBLIC, AccessRule, ComponentRef, Merge, System, Training
from mu2net_core.search import (
    Holdings,
    Kinship,
    Member,
    Population,
    Preparation,
    SearchSpace,
    ask,
    candidates,
    mutate,
    start,
)
from mu2net_core.testing.building.systems import SampleStructure, SystemBuilder, sample_member, sample_ref

STRUCTURE = SampleStructure()
MU = (0.1, 0.2, 0.3)
SHARES = (0.25, 0.5, 0.75)
SPACE = SearchSpace(values={"mu": MU}, defaults={"mu": 0.2}, merging=SHARES)
LAYERS = ("block_0", "block_1")


def ref_of(name: str, oid: str, parent: str | None = None, size: int = 10, **steps: int) -> ComponentRef:
    training = {task: Training(steps=count, examples=8 * count) for task, count in steps.items()}
    return replace(sample_ref(name, *steps, oid=oid, num_params=size), parent=parent, training=training)


def member(task: str | None, *refs: ComponentRef, parent: str | None = None) -> Member:
    heads = [] if task is None else [ref_of("norm", f"norm-{task}", "norm", **{task: 1}), sample_ref("head", task)]
    return sample_member(task, [*refs, *heads], parent=parent, hyperparameters={"mu": 0.2})


ROOT = member(None, *(ref_of(name, name) for name in (*LAYERS, "norm")))
FIRST = member(
    "first",
    ref_of("block_0", "F0", "block_0", first=5),
    ref_of("block_1", "F1", "block_1", first=5),
    parent=ROOT.id,
)
"""What all lines below began with."""
MINE = member(
    "a", ref_of("block_0", "A0", "F0", first=5, a=20), ref_of("block_1", "A1", "F1", first=5, a=20), parent=FIRST.id
)
OTHER = member(
    "b", ref_of("block_0", "B0", "F0", first=5, b=30), ref_of("block_1", "B1", "F1", first=5, b=30), parent=FIRST.id
)
THIRD = member(
    "c", ref_of("block_0", "C0", "F0", first=5, c=3), ref_of("block_1", "C1", "F1", first=5, c=3), parent=FIRST.id
)


def beginning(root: Member | None = None) -> SystemBuilder:
    public = dict.fromkeys(("first", "b", "c", "far", "s"), PUBLIC)
    return SystemBuilder(ancestors={FIRST.id: FIRST.model}, rules=public).root(root or ROOT)


def builder(*heads: Member, readers: list[str] | None = None) -> SystemBuilder:
    made = beginning().task("a", MINE)
    for head in heads:
        made.task(str(head.model.task), head, readers=readers)
    return made


def mates(made: SystemBuilder, parent: Member = MINE) -> dict[str, list[str]]:
    kinship = Kinship.of(made.build(), "a", (MINE,))
    return {
        layer: [one.ref.id for one in partners] for layer, partners in kinship.partners(parent.model, STRUCTURE).items()
    }


def test_a_layer_can_be_merged_with_those_of_other_models_that_grew_from_the_same_or_from_itself() -> None:
    assert mates(builder()) == {}
    assert mates(builder(OTHER)) == {"block_0": ["B0"], "block_1": ["B1"]}
    assert mates(builder(OTHER, THIRD)) == {"block_0": ["B0", "C0"], "block_1": ["B1", "C1"]}
    further = member("c", ref_of("block_0", "C9", "A0", first=5, a=20, c=3), parent=MINE.id)
    assert mates(builder(further)) == {"block_0": ["C9"]}
    assert mates(builder(OTHER), OTHER) == {"block_0": ["A0"], "block_1": ["A1"]}  # a child of theirs, with my own


def test_no_layer_is_merged_with_one_that_it_came_from() -> None:
    assert mates(builder(FIRST)) == {}
    assert mates(builder(), member("a", ref_of("block_0", "A9", "A0", first=5, a=21), parent=MINE.id)) == {}


def test_nothing_is_merged_that_has_only_random_numbers_in_common() -> None:
    drawn = member(None, *(replace(ref_of(name, name), operation="new") for name in (*LAYERS, "norm")))
    for root, expected in ((ROOT, {"block_0": ["D0"]}), (drawn, {})):  # a checkpoint's layer holds something
        apart = member("d", ref_of("block_0", "D0", "block_0", d=9), parent=root.id)
        mine = member("a", ref_of("block_0", "A0", "block_0", a=9), parent=root.id)
        assert mates(beginning(root).task("a", mine).task("d", apart), mine) == expected


def test_nothing_is_merged_with_what_has_another_size_or_name_or_no_common_ancestor() -> None:
    grown = member("d", ref_of("block_0", "D0", "F0", size=11, d=9), ref_of("block_9", "D1", "F1", d=9))
    alone = member("d", ref_of("block_0", "D0", d=9))
    for other in (grown, alone):
        assert mates(builder(other)) == {}


def test_what_every_child_trains_is_never_merged() -> None:
    own = MINE.model.component("head")
    assert own is not None
    head = replace(own, id="B-head", parent=own.id)
    norm = ref_of("norm", "B-norm", "norm", b=1)
    also = sample_member("b", [*OTHER.model.components[:2], norm, head], parent=MINE.id, hyperparameters={"mu": 0.2})
    assert set(mates(builder(also))) == {"block_0", "block_1"}


def test_what_a_task_may_not_use_or_not_name_is_never_merged() -> None:
    assert mates(builder(OTHER, readers=["b"])) == {}
    lab = beginning()
    lab.task("b", OTHER, readers=["lab"]).task("a", MINE, readers=["lab", "shop"])
    assert lab.build().may_use("a", OTHER.model)
    assert mates(lab) == {}


def test_its_own_model_is_no_partner_where_it_holds_what_is_private_by_now() -> None:
    secret = member("a", ref_of("block_0", "A9", "F0", first=5, a=20, s=1), parent=FIRST.id)
    for rule, expected in ((PUBLIC, {"block_0": ["A9"]}), (AccessRule.only(["s"]), {})):
        made = beginning().task("a", secret).task("b", OTHER)
        made.rules["s"] = rule
        assert mates(made, OTHER) == expected


def test_a_private_model_does_not_change_which_lines_meet() -> None:
    apart = member("d", ref_of("block_0", "D0", d=9))
    forged = member("s", ref_of("block_0", "D0", "F0", d=9, s=1))
    made = builder(apart).task("s", forged, readers=["s"])
    assert mates(made) == {}
    assert mates(builder(apart).task("s", forged)) == {"block_0": ["D0", "D0"]}


def test_lines_go_on_through_what_was_merged_before() -> None:
    far = member("far", ref_of("block_0", "X0", far=4), parent=ROOT.id)
    plain = member("a", ref_of("block_0", "M0", "A0", first=5, a=20, far=4), parent=MINE.id)
    merged = replace(plain.model.components[0], operation="merge")
    second = {"block_0": Merge(component="X0", model=far.id, weight=0.5)}
    model = replace(plain.model, components=(merged, *plain.model.components[1:]), merges=second)
    mine = Member(id="mine", model=model)
    beyond = member("d", ref_of("block_0", "D0", "X0", far=4, d=2), parent=far.id)
    made = builder(OTHER).task("a", mine).task("far", far).task("d", beyond)
    made.ancestors[MINE.id] = MINE.model
    assert mates(made, mine) == {"block_0": ["B0", "D0"]}


@pytest.mark.timeout(60)
def test_lines_that_manifests_tell_in_circles_end() -> None:
    mine = member("a", ref_of("block_0", "A0", "B0", a=1), parent=FIRST.id)
    theirs = member("b", ref_of("block_0", "B0", "C0", b=1), parent=FIRST.id)
    thirds = member("c", ref_of("block_0", "C0", "A0", c=1), parent=FIRST.id)
    made = beginning().task("a", mine).task("b", theirs).task("c", thirds)
    assert mates(made, mine) == {}  # each came from all others


@pytest.mark.parametrize(
    ("common", "expected"),
    [("F0", {"first": 5, "a": 20, "b": 30}), ("A0", {"first": 5, "a": 20, "b": 30})],
)
def test_what_both_lines_were_trained_with_counts_and_what_they_have_in_common_counts_once(common, expected) -> None:
    training = {"first": 5, "b": 30} | ({"a": 20} if common == "A0" else {})
    theirs = member("b", ref_of("block_0", "B0", common, **training), parent=FIRST.id)
    ((partner,),) = Kinship.of(builder(theirs).build(), "a", (MINE,)).partners(MINE.model, STRUCTURE).values()
    assert {task: told.steps for task, told in partner.training.items()} == expected
    assert {task: told.examples for task, told in partner.training.items()} == {t: 8 * n for t, n in expected.items()}


def test_a_count_never_grows_beyond_what_honest_work_comes_to_nor_falls_below_either_lines() -> None:
    huge = {"first": LARGEST_COUNT // 8, "b": LARGEST_COUNT // 8}
    theirs = member("b", ref_of("block_0", "B0", "F0", **huge), parent=FIRST.id)
    mine = member("a", ref_of("block_0", "A0", "F0", b=LARGEST_COUNT // 8, a=1), parent=FIRST.id)
    made = beginning().task("a", mine).task("b", theirs)
    ((partner,),) = Kinship.of(made.build(), "a", (mine,)).partners(mine.model, STRUCTURE).values()
    assert partner.training["b"] == Training(steps=LARGEST_COUNT // 4, examples=LARGEST_COUNT)
    assert partner.training["first"].steps == LARGEST_COUNT // 8  # mine tells of none, so there is nothing in common


def test_without_shares_nothing_is_merged_and_nothing_else_changes() -> None:
    still, system = replace(SPACE, merging=()), builder(OTHER, THIRD).build()
    population = start(system, "a")
    for seed in range(200):
        (plan,), _ = ask(population, system, still, num_children=1, structure=STRUCTURE, seed=seed)
        assert plan.merges == {}
        assert not any("merge:" in mutation.name for mutation in plan.mutations)
        draw = Random(seed)
        holdings = Holdings.of(system, "a")
        plain = mutate(MINE, still, STRUCTURE, holdings, Preparation(), draw, seed)
        again = mutate(MINE, still, STRUCTURE, holdings, Preparation(), Random(seed), seed, None, Kinship())
        assert plain == again
    assert not any(name.startswith("merge:") for name in candidates(MINE.model, still, STRUCTURE, holdings))


def test_of_10000_children_as_many_merge_a_layer_as_its_rate_says_and_partners_and_shares_are_drawn_evenly() -> None:
    mine = replace(MINE, model=replace(MINE.model, mutation_rates={"merge:block_0": 0.3}))
    system, children = builder(OTHER, THIRD).build(), 10_000
    kinship, holdings = Kinship.of(system, "a", (mine,)), Holdings.of(system, "a")
    assert {"merge:block_0", "merge:block_1"} == set(candidates(mine.model, SPACE, STRUCTURE, holdings, kinship))
    found, moved, donors = Counter[tuple[str, str, float]](), Counter[str](), {OTHER.id: OTHER, THIRD.id: THIRD}
    for seed in range(children):
        plan = mutate(mine, SPACE, STRUCTURE, holdings, Preparation(), Random(seed), seed, None, kinship)
        named = {m.name.removeprefix("merge:"): m.after for m in plan.mutations if m.name.startswith("merge:")}
        assert named == {name: merging.weight for name, merging in plan.merges.items()}
        moved.update(m.name for m in plan.mutations if m.name.startswith("mu:merge:"))
        for name, merging in plan.merges.items():
            told = merging.told
            assert donors[told.model].model.component(name).id == told.component == merging.partner.ref.id
            found.update([(name, told.model, told.weight)])
    # the moved rate decides; at the end of the list half of the moves stay
    for name, probability in (("block_0", 0.8 * 0.3 + 0.2 * 0.25), ("block_1", 0.2)):
        happened = {key: times for key, times in found.items() if key[0] == name}
        assert_near(sum(happened.values()), children, probability)
        assert happened.keys() == {(name, oid, share) for oid in donors for share in SHARES}
        for times in happened.values():
            assert_near(times, sum(happened.values()), 1 / 6)
    assert_near(moved["mu:merge:block_0"], children, 0.2 / 2)
    assert_near(moved["mu:merge:block_1"], children, 0.2)


def assert_near(found: int, draws: int, probability: float) -> None:
    assert abs(found - draws * probability) <= 3 * (draws * probability * (1 - probability)) ** 0.5


def test_search_methods_that_plan_by_evolution_merge_and_the_same_seed_merges_the_same() -> None:
    system = builder(OTHER, THIRD).build()
    merged = 0
    for seed in range(100):
        first, again = (
            ask(start(system, "a"), system, SPACE, num_children=2, structure=STRUCTURE, seed=seed)[0] for _ in range(2)
        )
        assert first == again
        merged += sum(len(plan.merges) for plan in first)
    assert 20 < merged < 200


@pytest.mark.parametrize("shares", [(0.5, 0.25), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0), (float("nan"),)])
def test_shares_that_are_no_sorted_parts_of_a_whole_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"space\.merging: expected sorted distinct shares above 0 and below 1"):
        replace(SPACE, merging=shares)


STRANGER = member("t", ref_of("block_4", "T4", t=7), ref_of("block_5", "T5", size=11, t=7), ref_of("block", "T", t=7))


def with_stranger(other: Member = STRANGER) -> Kinship:
    system = replace(builder(OTHER).build(), strangers={other.id: other.model})
    return Kinship.of(system, "a", (MINE,)).with_strangers(system)


def test_a_blocks_place_can_be_taken_by_one_of_another_architecture_that_is_called_alike_as_large_and_trained() -> None:
    for parent in (MINE, ROOT):
        found = with_stranger().crossings(parent.model, STRUCTURE)
        assert {layer: [one.ref.id for one in mates] for layer, mates in found.items()} == {
            "block_0": ["T4"],
            "block_1": ["T4"],
        }
    assert found["block_0"][0].model == STRANGER.id
    assert found["block_0"][0].training == STRANGER.model.components[0].training
    adapter = ref_of("adapter_1", "T1", t=7)
    mine = member("a", ref_of("adapter_1", "A1", a=3))
    assert with_stranger(member("t", adapter)).crossings(mine.model, STRUCTURE) == {}  # it changes its own block
    drawn = replace(STRANGER.model.components[0], training={}, operation="new")
    assert with_stranger(member("t", drawn)).crossings(MINE.model, STRUCTURE) == {}
    assert with_stranger(member("t", ref_of("block_4", "A0", t=7))).crossings(MINE.model, STRUCTURE).keys() == {
        "block_1"
    }
    assert with_stranger().crossings(MINE.model, SampleStructure(frozenset({"block_0", "head"}))).keys() == {"block_1"}


def test_of_10000_children_as_many_take_a_block_over_as_its_rate_says_and_none_copies_the_one_that_is_gone() -> None:
    mine = replace(MINE, model=replace(MINE.model, mutation_rates={"cross:block_0": 0.3}))
    kinship, holdings = with_stranger(), Holdings.of(builder(OTHER).build(), "a")
    space, children = replace(SPACE, crossing=True), 10_000
    assert {"cross:block_0", "cross:block_1"} <= set(candidates(mine.model, space, STRUCTURE, holdings, kinship))
    alone = Kinship.of(builder(OTHER).build(), "a", (MINE,))
    assert not any("cross" in one for one in candidates(mine.model, space, STRUCTURE, holdings, alone))
    taken, expected = 0, 0.0
    for seed in range(children):
        plan = mutate(mine, space, STRUCTURE, holdings, Preparation(), Random(seed), seed, None, kinship)
        names = [mutation.name for mutation in plan.mutations]
        crossed = [name for name, merging in plan.merges.items() if merging.is_crossing]
        assert crossed == [name.removeprefix("cross:") for name in names if name.startswith("cross:")]
        expected += plan.mutation_rates["cross:block_0"]  # moved before it decided
        if "block_0" in crossed:
            taken += 1
            assert plan.merges["block_0"].told == Merge(component="T4", model=STRANGER.id, weight=1.0)
            assert not {"clone:block_0", "merge:block_0"} & {*names}
            assert "block_0" not in plan.clones
    assert abs(taken - expected) < 4 * (0.3 * 0.7 * children) ** 0.5


def test_only_where_crossing_is_on_are_blocks_of_other_architectures_looked_at() -> None:
    system = replace(builder(OTHER).build(), strangers={STRANGER.id: STRANGER.model})
    for crossing in (False, True):
        space = replace(SPACE, values={"mu": (1.0,)}, defaults={"mu": 1.0}, merging=(), crossing=crossing)
        (plan,), _ = ask(start(system, "a"), system, space, num_children=1, structure=STRUCTURE, seed=1)
        assert bool(plan.merges) == crossing


def test_a_copy_that_was_drawn_is_undone_where_another_block_takes_its_place_and_others_are_drawn_evenly() -> None:
    twins = member("t", ref_of("block_4", "T4", t=7), ref_of("block_6", "T6", t=7))
    space = SearchSpace(values={"mu": (1.0,)}, defaults={"mu": 1.0}, crossing=True)  # all that can be is done
    parent = replace(OTHER, model=replace(OTHER.model, hyperparameters={"mu": 1.0}))
    holdings, kinship, seeds = Holdings.of(builder(OTHER).build(), "a"), with_stranger(twins), 400
    assert {"clone:block_0", "cross:block_0"} <= set(candidates(parent.model, space, STRUCTURE, holdings, kinship))
    taken = Counter[str]()
    for seed in range(seeds):
        plan = mutate(parent, space, STRUCTURE, holdings, Preparation(), Random(seed), seed, None, kinship)
        assert {"cross:block_0", "cross:block_1"} == {mutation.name for mutation in plan.mutations}
        assert plan.clones == frozenset()
        taken.update(merging.partner.ref.id for merging in plan.merges.values())
    assert set(taken) == {"T4", "T6"}
    assert_near(taken["T4"], 2 * seeds, 0.5)


def test_who_shares_with_a_group_merges_with_what_the_group_has_and_others_do_not() -> None:
    def found(mine: list[str] | None) -> dict[str, list[str]]:
        return mates(beginning().task("a", MINE, readers=mine).task("b", OTHER, readers=["lab"]))

    assert found(["lab"]) == {"block_0": ["B0"], "block_1": ["B1"]}
    assert found(["shop"]) == {}
    assert found(None) == {}


def test_layers_whose_common_beginning_no_manifest_tells_of_are_not_merged() -> None:
    made = beginning()
    made.ancestors.clear()
    assert mates(made.task("a", MINE).task("b", OTHER)) == {}


def test_what_lines_have_in_common_counts_once_and_never_for_more_than_a_manifest_says_of_either() -> None:
    fewer = member("b", ref_of("block_0", "B0", "F0", first=2, b=30), parent=FIRST.id)  # than what it came from
    (partner,) = Kinship.of(builder(fewer).build(), "a", (MINE,)).partners(MINE.model, STRUCTURE)["block_0"]
    assert {task: one.steps for task, one in partner.training.items()} == {"first": 5, "a": 20, "b": 30}


def test_where_all_layers_are_copied_at_once_the_one_that_is_gone_is_not() -> None:
    values = {"mu": (1.0,), "copy_all": (1.0,)}
    space = SearchSpace(values=values, defaults={"mu": 1.0, "copy_all": 1.0}, crossing=True)
    far = member("far", ref_of("embedding", "E", "embedding", far=3), *OTHER.model.components[:2], parent=FIRST.id)
    parent = replace(far, model=replace(far.model, hyperparameters={"mu": 1.0, "copy_all": 1.0}))
    holdings = Holdings.of(builder(OTHER).build(), "a")
    plan = mutate(parent, space, STRUCTURE, holdings, Preparation(), Random(1), 1, None, with_stranger())
    assert {name for name, merging in plan.merges.items() if merging.is_crossing} == set(LAYERS)
    assert plan.clones == {"embedding"}


def merged(system: System, population: Population) -> set[str]:
    """Returns what layers of the children of many generations are merged with."""
    found = set[str]()
    for seed in range(60):
        for plan in ask(population, system, SPACE, num_children=2, structure=STRUCTURE, seed=seed)[0]:
            found |= {merging.partner.ref.id for merging in plan.merges.values()}
    return found


def test_children_of_an_iteration_that_no_head_names_are_merged_as_those_that_they_came_from() -> None:
    child = member("a", ref_of("block_0", "X0", "A0", first=5, a=25), parent=MINE.id)
    system = builder(OTHER).build()
    assert "B0" in merged(system, replace(start(system, "a"), members=(child,), past=start(system, "a").members))


def test_a_search_merges_with_what_its_task_may_use_and_name() -> None:
    system = beginning().task("a", MINE, readers=["lab"]).task("b", OTHER, readers=["lab"]).build()
    assert {"B0", "B1"} <= merged(system, start(system, "a"))
