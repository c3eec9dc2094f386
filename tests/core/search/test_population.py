from __future__ import annotations

from dataclasses import replace

from mu2net_core.objects import MOST_TRIALS, Costs, Model, Scorer, System, Trial, encode, hash_bytes
from mu2net_core.scoring import score
from mu2net_core.search import (
    ChildPlan,
    Member,
    Population,
    SearchSpace,
    SearchState,
    ask,
    best,
    is_better,
    measured_as,
    plan_generation,
    rescored,
    start,
    taken_in,
    tell,
)
from mu2net_core.search.population import QUALITY_ONLY, scored_by
from mu2net_core.testing.building.systems import SampleStructure, SystemBuilder, sample_member, sample_ref

SPACE = SearchSpace(
    values={"mu": (0.1, 0.2, 0.3), "learning_rate": (0.01, 0.02, 0.05)},
    defaults={"mu": 0.2, "learning_rate": 0.02},
)
STRUCTURE = SampleStructure(frozenset({"head"}))
ROOT = sample_member(None, [sample_ref("embedding"), sample_ref("block")])


def model_of(task: str, *also_trained_by: str, score: float = 0.5) -> Member:
    knowledge = (task, *also_trained_by)
    refs = [sample_ref("embedding"), sample_ref("block", *knowledge, oid=f"block-{task}"), sample_ref("head", task)]
    return sample_member(task, refs, parent=ROOT.id, score=score)


def asked(
    population: Population, system: System, num_children: int = 8, seed: int = 1
) -> tuple[tuple[ChildPlan, ...], Population]:
    return ask(population, system, SPACE, num_children=num_children, structure=STRUCTURE, seed=seed)


def parents_over_seeds(system: System, task: str, seeds: int = 60) -> set[str]:
    """Returns the tasks of everybody who ever becomes a parent; roots count as "root"."""
    found = set()
    for seed in range(seeds):
        plans, _ = asked(start(system, task), system, 4, seed)
        found |= {plan.parent.model.task or "root" for plan in plans}
    return found


def test_a_population_starts_with_the_retained_model() -> None:
    mine = model_of("a")
    system = SystemBuilder().root(ROOT).task("a", mine).task("b").build()
    assert start(system, "a").members == (mine,)
    assert start(system, "b").members == ()


def test_the_first_child_of_a_first_iteration_comes_from_a_root() -> None:
    system = SystemBuilder().root(ROOT).task("a").build()
    plans, _ = asked(start(system, "a"), system)
    assert {plan.parent.id for plan in plans} == {ROOT.id}


def test_selections_are_counted_within_and_across_generations() -> None:
    system = SystemBuilder().root(ROOT).task("a", model_of("a")).task("b", model_of("b")).build()
    plans, after = asked(start(system, "a"), system)
    drawn = [plan.parent.id for plan in plans]
    assert after.selections == {oid: drawn.count(oid) for oid in set(drawn)}
    more, last = asked(after, system, seed=2)
    drawn += [plan.parent.id for plan in more]
    assert last.selections == {oid: drawn.count(oid) for oid in set(drawn)}


def test_a_child_sees_the_selections_of_those_before_it() -> None:
    # Never selected: the task's own model is taken first, and at once; only then can it be passed over.
    system = SystemBuilder().root(ROOT).task("a", model_of("a")).task("b", model_of("b")).build()
    firsts, seconds = set(), set()
    for seed in range(40):
        plans, _ = asked(start(system, "a"), system, 2, seed)
        firsts.add(plans[0].parent.model.task)
        seconds.add(plans[1].parent.model.task)
    assert firsts == {"a"}
    assert seconds == {"a", "b", None}


def test_selections_of_earlier_iterations_count_too() -> None:
    mine, other = model_of("a"), model_of("b")
    fresh = SystemBuilder().root(ROOT).task("a", mine).task("b", other).build()
    often = {mine.id: 60, ROOT.id: 60}
    tired = SystemBuilder().root(ROOT).task("a", mine, selections=often).task("b", other, selections=often).build()
    assert asked(start(fresh, "a"), fresh, 1)[0][0].parent.id == mine.id
    assert asked(start(tired, "a"), tired, 1)[0][0].parent.id == other.id
    # They count for the task that selected, not for others.
    assert asked(start(tired, "b"), tired, 1)[0][0].parent.id == other.id


def test_the_model_of_a_private_task_is_never_a_parent_for_others() -> None:
    system = (
        SystemBuilder()
        .root(ROOT)
        .task("open")
        .task("other", model_of("other"))
        .task("secret", model_of("secret"), readers=["secret"])
        .build()
    )
    assert parents_over_seeds(system, "open") == {"other", "root"}
    assert parents_over_seeds(system, "secret") == {"secret", "other", "root"}


def test_a_model_with_private_knowledge_of_another_task_is_as_private() -> None:
    # However it came about: an ancestor of b's block was trained by a task that only lets itself in.
    system = (
        SystemBuilder()
        .root(ROOT)
        .task("open")
        .task("b", model_of("b", "secret"))
        .task("secret", model_of("secret"), readers=["secret"])
        .build()
    )
    assert parents_over_seeds(system, "open") == {"root"}
    assert "b" in parents_over_seeds(system, "secret")


def test_groups_share_among_themselves_and_with_nobody_else() -> None:
    system = (
        SystemBuilder()
        .root(ROOT)
        .task("ours", model_of("ours"), readers=["lab"])
        .task("also-ours", readers=["lab"])
        .task("theirs", readers=["shop"])
        .task("guest", readers=["lab", "shop"])
        .task("public")
        .build()
    )
    assert parents_over_seeds(system, "also-ours") == {"ours", "root"}
    assert parents_over_seeds(system, "guest") == {"ours", "root"}
    assert parents_over_seeds(system, "theirs") == {"root"}
    assert parents_over_seeds(system, "public") == {"root"}


def test_knowledge_from_two_groups_is_only_for_who_is_in_both() -> None:
    system = (
        SystemBuilder()
        .root(ROOT)
        .task("x", model_of("x", "y"), readers=["lab", "shop"])
        .task("y", readers=["shop"])
        .task("in-lab", readers=["lab"])
        .task("in-shop", readers=["shop"])
        .build()
    )
    assert parents_over_seeds(system, "in-lab") == {"root"}
    assert parents_over_seeds(system, "in-shop") == {"x", "root"}


def test_knowledge_of_a_task_nobody_knows_any_more_is_for_nobody() -> None:
    system = SystemBuilder().root(ROOT).task("a").task("b", model_of("b", "purged")).build()
    assert parents_over_seeds(system, "a") == {"root"}


def test_a_task_without_a_model_is_no_parent() -> None:
    system = SystemBuilder().root(ROOT).task("a").task("b").build()
    assert parents_over_seeds(system, "a") == {"root"}


def test_the_best_member_wins_and_the_newest_where_scores_tie() -> None:
    older, newer, worse = model_of("a", score=0.7), model_of("a", "b", score=0.7), model_of("a", score=0.6)
    population = tell(tell(Population(task="a"), [older], cap=9), [newer, worse], cap=9)
    assert population.members == (older, newer, worse)
    assert best(population) == newer
    assert best(Population(task="a")) is None


def test_a_search_is_replayed_exactly_by_its_seed() -> None:
    system = SystemBuilder().root(ROOT).task("a", model_of("a")).task("b", model_of("b")).build()
    first, again = asked(start(system, "a"), system, seed=9), asked(start(system, "a"), system, seed=9)
    assert first == again
    other, _ = asked(start(system, "a"), system, seed=10)
    assert other != first[0]
    assert len({plan.seed for plan in (*first[0], *other)}) == 16


def test_a_child_does_not_depend_on_how_many_follow_it() -> None:
    system = SystemBuilder().root(ROOT).task("a", model_of("a")).task("b", model_of("b")).build()
    few, _ = asked(start(system, "a"), system, 3)
    many, _ = asked(start(system, "a"), system, 8)
    assert many[:3] == few


def test_a_recorded_search() -> None:
    # Recorded once: if this changes, old seeds no longer repeat old results, which needs a reason.
    system = SystemBuilder().root(ROOT).task("a", model_of("a")).task("b", model_of("b")).build()
    plans, _ = asked(start(system, "a"), system, 4, seed=2024)
    told = [(plan.parent.model.task, [mutation.name for mutation in plan.mutations]) for plan in plans]
    assert told == [
        ("a", ["clone:embedding"]),
        ("a", []),
        (None, ["clone:embedding"]),
        ("b", ["clone:embedding"]),
    ]


def test_naming_a_private_task_as_reader_does_not_let_a_task_in() -> None:
    # What "nosy" learns may go to "secret", not the other way round.
    system = (
        SystemBuilder()
        .root(ROOT)
        .task("nosy", readers=["lab", "secret"])
        .task("secret", model_of("secret"), readers=["secret"])
        .task("ours", model_of("ours"), readers=["lab"])
        .build()
    )
    assert parents_over_seeds(system, "nosy") == {"ours", "root"}


def test_a_model_scored_by_other_rules_is_scored_again() -> None:
    thrifty = Scorer(factor=0.5, params_scale=10.0)
    costs = Costs(params=20, accounted_params=10.0, flops=0)
    own = sample_member("a", [sample_ref("layer", "a")], score=0.8)
    own = Member(id=own.id, model=replace(own.model, costs=costs))
    system = SystemBuilder().root(ROOT).task("a", own).build()
    (same,) = start(system, "a").members
    assert same == own
    (member,) = start(system, "a", thrifty).members
    assert (member.id, member.model.score, member.model.scorer) == (own.id, 0.4, thrifty)
    child = sample_member("a", [sample_ref("layer", "a")], score=0.5)
    leader = best(tell(start(system, "a", thrifty), [child], cap=9))
    assert leader == child


def test_scores_are_by_what_layers_cost_now_and_manifests_stay_as_they_are() -> None:
    thrifty = Scorer(factor=0.5, params_scale=10.0)
    costs = Costs(params=10, accounted_params=5.0, flops=0)  # when another task used the layer, too
    own = sample_member("a", [sample_ref("layer", "a")], score=0.8)
    cheap = replace(own.model, costs=costs, scorer=thrifty, score=0.8 * 0.5**0.5)
    own = Member(id=hash_bytes(encode(cheap)), model=cheap)
    alone = SystemBuilder().root(ROOT).task("a", own).build()
    shared = SystemBuilder().root(ROOT).task("a", own).task("b", sample_member("b", cheap.components)).build()
    population = Population(task="a", members=(own,))
    (same,) = rescored(population, shared, thrifty).members
    assert same == own
    (now,) = rescored(population, alone, thrifty).members
    assert (now.model.score, now.model.costs) == (0.4, replace(costs, accounted_params=10.0))
    assert now.id == hash_bytes(encode(now.manifest))
    (again,) = rescored(rescored(population, alone, thrifty), shared, thrifty).members
    assert (again.model, again.id) == (own.model, hash_bytes(encode(again.manifest)))


def test_a_parents_score_is_by_what_layers_cost_now_when_children_are_planned() -> None:
    thrifty = Scorer(factor=0.5, params_scale=10.0)
    own = sample_member("a", [sample_ref("layer", "a")], score=0.8)
    stale = replace(own.model, costs=Costs(params=10, accounted_params=1.0, flops=0), scorer=thrifty, score=0.79)
    own = Member(id=own.id, model=stale)
    system = SystemBuilder().root(ROOT).task("a", own).build()
    state = SearchState(population=Population(task="a", members=(own,)), scorer=thrifty)
    plans, after = plan_generation("mu2net-plus", state, system, SPACE, num_children=1, structure=STRUCTURE, seed=1)
    assert [plan.parent.model.score for plan in plans] == [0.4]
    assert [member.model.score for member in after.population.members] == [0.4]


def test_only_the_best_stay_alive_and_the_newest_of_equals() -> None:
    a, b, c, d = (
        sample_member("a", [sample_ref(name, "a")], score=score)
        for name, score in (("a", 0.3), ("b", 0.6), ("c", 0.3), ("d", 0.5))
    )
    population = tell(Population(task="a", members=(a,)), [b, c, d], cap=3)
    assert population.members == (b, c, d)
    assert tell(population, [], cap=2).members == (b, d)
    assert tell(population, [], cap=1).members == (b,)
    assert best(tell(Population(task="a", members=(a,)), [c], cap=1)) == c


def test_a_retained_model_counts_like_the_others() -> None:
    retained = model_of("a", score=0.4)
    children = [sample_member("a", [sample_ref(f"x{n}", "a")], score=0.5, retained=False) for n in range(2)]
    population = tell(Population(task="a", members=(retained,)), children, cap=2)
    assert population.members == tuple(children)
    assert population.past == ()


def test_who_left_the_population_stays_in_the_lineage_of_those_in_it() -> None:
    def child(name: str, parent: Member, score: float) -> Member:
        return sample_member("a", [sample_ref(name, "a")], parent=parent.id, score=score, retained=False)

    first = child("first", ROOT, 0.1)
    second = child("second", first, 0.2)
    third = child("third", second, 0.5)
    barren = child("barren", first, 0.1)
    population = tell(tell(Population(task="a"), [first, second, barren], cap=9), [third], cap=1)
    assert (population.members, population.past) == ((third,), (first, second))
    fourth = child("fourth", third, 0.6)
    assert tell(population, [fourth], cap=1).past == (first, second, third)
    assert tell(population, [child("other", ROOT, 0.6)], cap=1).past == ()


def test_a_model_is_better_only_if_its_score_by_the_same_rule_is_higher() -> None:
    costs = Costs(params=10, accounted_params=10.0, flops=0)
    thrifty = Scorer(factor=0.5, params_scale=10.0)

    def scored(quality: float, scorer: Scorer = QUALITY_ONLY) -> Model:
        model = sample_member("a", [sample_ref("layer", "a")], score=quality).model
        return replace(model, costs=costs, scorer=scorer, score=score(quality, costs, scorer))

    assert is_better(scored(0.6), None)
    assert is_better(scored(0.6), scored(0.5))
    assert not is_better(scored(0.5), scored(0.5))
    assert not is_better(scored(0.4), scored(0.5))
    assert is_better(scored(0.6, thrifty), scored(0.5))  # .3 against .25, though that says .5
    assert is_better(replace(scored(0.4), scorer=None), scored(0.5))  # nothing says that it is not


def test_a_model_measured_on_other_examples_than_the_one_there_was_replaces_it_as_that_lost_to_others_on_them() -> None:
    def measured(score: float, examples: int | None) -> Model:
        model = sample_member("a", [sample_ref("layer", "a")], score=score).model
        return replace(model, validation_examples=examples)

    assert is_better(measured(0.4, 20), measured(0.5, 10))
    assert not is_better(measured(0.4, 20), measured(0.5, 20))
    assert not is_better(measured(0.4, 20), measured(0.5, None))  # nothing says that they were others


def test_a_model_is_scored_by_another_rule_from_what_its_manifest_says_and_as_it_is_where_that_is_too_little() -> None:
    costs = Costs(params=10, accounted_params=10.0, flops=0)
    thrifty = Scorer(factor=0.5, params_scale=10.0)
    model = replace(sample_member("a", [sample_ref("layer", "a")], score=0.8).model, costs=costs)
    now = scored_by(thrifty, model)
    assert (now.score, now.scorer) == (0.4, thrifty)
    assert replace(now, score=model.score, scorer=model.scorer) == model
    assert scored_by(thrifty, replace(model, costs=None)).score == 0.8
    assert scored_by(thrifty, replace(model, quality=None)).score == 0.8
    told = replace(model, score=0.7)  # by the same rule: what was said stands
    assert scored_by(told.scorer, told) is told


def test_a_member_that_is_measured_again_keeps_its_id_and_what_is_stored_of_it() -> None:
    before = model_of("a")
    after = measured_as(before, 0.25, 12)
    assert (after.id, after.manifest) == (before.id, before.manifest)
    assert after.model == replace(before.model, quality=0.25, validation_examples=12)


def test_a_method_is_asked_with_the_seed_of_the_generation() -> None:
    system = SystemBuilder().root(ROOT).task("a", model_of("a")).task("b", model_of("b")).build()
    state = SearchState(population=start(system, "a"))
    for seed in (1, 2):
        plans, _ = plan_generation("mu2net-plus", state, system, SPACE, num_children=8, structure=STRUCTURE, seed=seed)
        assert plans == asked(start(system, "a"), system, seed=seed)[0]


def test_only_the_newest_trials_are_kept_in_mind() -> None:
    trials = [
        Trial(values={"n": n}, parent="f" * 64, outcome="score", score=0.5, cost=0.0) for n in range(MOST_TRIALS + 2)
    ]
    state = taken_in(SearchState(population=Population(task="a")), trials[:-1], [], cap=3)
    assert taken_in(state, trials[-1:], [], cap=3).trials == tuple(trials[2:])


def test_of_what_is_taken_in_the_best_stay_beside_those_that_were_there() -> None:
    a, b, c = (
        sample_member("a", [sample_ref(name, "a")], score=score) for name, score in (("a", 0.3), ("b", 0.6), ("c", 0.5))
    )
    state = taken_in(SearchState(population=Population(task="a", members=(a,))), [], [b, c], cap=2)
    assert state.population.members == (b, c)
