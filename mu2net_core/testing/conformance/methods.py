"""What every search method must do: inherit ``SearchMethodTests``, give it a fixture ``method``, run it with pytest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from mu2net_core.errors import SearchError
from mu2net_core.objects import ChildOutcome, Hyperparameter, System, Trial, decode, encode
from mu2net_core.search import ChildPlan, Member, SearchMethod, SearchSpace, SearchState, start, taken_in
from mu2net_core.seeds import rng
from mu2net_core.testing.building.systems import SampleStructure, SystemBuilder, sample_member, sample_ref

__all__ = ["SearchMethodTests"]

SPACE = SearchSpace(
    values={"mu": (0.1, 0.3, 0.5), "learning_rate": (0.01, 0.02, 0.05, 0.1), "momentum": (0.5, 0.9), "hue": (0.0, 0.1)},
    defaults={"mu": 0.3, "learning_rate": 0.02, "momentum": 0.9, "hue": 0.0},
    shared=frozenset({"hue"}),
)
_STRUCTURE = SampleStructure(frozenset({"head"}))


def _model(task: str | None, *, score: float = 0.5) -> Member:
    refs = [sample_ref("embedding", oid=f"embedding-{task}"), sample_ref("block", *([task] if task else []))]
    refs += [sample_ref("head", task)] if task else []
    return sample_member(task, refs, score=score, hyperparameters=SPACE.defaults)


ROOT, MINE, OPEN, SECRET = _model(None), _model("mine"), _model("open"), _model("secret")
_WITH_ROOT = SystemBuilder().root(ROOT)
SYSTEM = _WITH_ROOT.task("mine", MINE).task("open", OPEN).task("secret", SECRET, readers=["secret"]).build()
FIRST = SystemBuilder().root(ROOT).task("mine").build()


def _begin(system: System = SYSTEM) -> SearchState:
    return SearchState(population=start(system, "mine"))


def _ask(
    method: SearchMethod, state: SearchState, *, seed: int = 1, num_children: int = 4, system: System = SYSTEM
) -> tuple[tuple[ChildPlan, ...], SearchState]:
    return method.ask(state, system, SPACE, num_children=num_children, structure=_STRUCTURE, seed=seed)


def _trained(plans: tuple[ChildPlan, ...]) -> tuple[tuple[Trial, ...], list[Member]]:
    """Returns what becomes of children, some of every kind, as if they had been trained."""
    trials, kept = list[Trial](), list[Member]()
    for number, plan in enumerate(plans):
        outcome: ChildOutcome = ("kept", "score", "nan", "kept")[number % 4]
        score = None if outcome == "nan" else rng(plan.seed, "score").random()
        if outcome == "kept":
            kept.append(_child(plan, score or 0.0))
        trials.append(
            Trial(
                values=plan.hyperparameters,
                clones=tuple(sorted(plan.clones)),
                parent=plan.parent.id,
                outcome=outcome,
                score=score,
                cost=1e6,
                model=kept[-1].id if outcome == "kept" else None,
            )
        )
    return tuple(trials), kept


def _child(plan: ChildPlan, score: float) -> Member:
    refs = [sample_ref(name, "mine", oid=f"{name}-{plan.seed}") for name in ("embedding", "block", "head")]
    return sample_member(
        "mine", refs, parent=plan.parent.id, score=score, retained=False, hyperparameters=plan.hyperparameters
    )


def _generation(method: SearchMethod, state: SearchState, seed: int) -> tuple[tuple[ChildPlan, ...], SearchState]:
    """Returns the plans of a generation, and the state after it: asked, trained, told."""
    plans, asked = _ask(method, state, seed=seed)
    trials, kept = _trained(plans)
    return plans, method.tell(taken_in(asked, trials, kept, cap=5), trials)


def _saved(state: SearchState) -> SearchState:
    """Returns the state as it is after a crash: read from the file it was saved in."""
    return decode(encode(state), SearchState, what="the state")


class SearchMethodTests:
    """The contract of ``mu2net_core.search.SearchMethod``, one behaviour a test."""

    @pytest.mark.parametrize("num_children", [1, 2, 7])
    def test_plans_exactly_as_many_children_as_it_is_asked_for(self, method: SearchMethod, num_children: int) -> None:
        plans, _ = _ask(method, _begin(), num_children=num_children)
        assert len(plans) == num_children

    def test_the_same_question_has_the_same_answer(self, method: SearchMethod) -> None:
        state = _generation(method, _begin(), 1)[1]
        assert _ask(method, state, seed=2) == _ask(method, state, seed=2)

    def test_every_child_of_every_generation_has_a_seed_of_its_own(self, method: SearchMethod) -> None:
        plans = [plan for seed in range(5) for plan in _ask(method, _begin(), seed=seed)[0]]
        assert len({plan.seed for plan in plans}) == len(plans)

    def test_parents_are_models_that_the_task_may_use(self, method: SearchMethod) -> None:
        state, parents = _begin(), dict[str, Member]()
        for seed in range(30):
            plans, state = _ask(method, state, seed=seed)
            parents |= {plan.parent.id: plan.parent for plan in plans}
        allowed = {member.id: member for member in (ROOT, MINE, OPEN)}
        assert parents.items() <= allowed.items()

    def test_a_first_iteration_begins_from_a_root(self, method: SearchMethod) -> None:
        plans, _ = _ask(method, _begin(FIRST), system=FIRST)
        assert {plan.parent.id for plan in plans} == {ROOT.id}

    def test_without_any_model_it_says_so(self, method: SearchMethod) -> None:
        empty = SystemBuilder().task("mine").build()
        with pytest.raises(SearchError):
            _ask(method, _begin(empty), system=empty)

    def test_hyperparameters_stay_in_the_search_space(self, method: SearchMethod) -> None:
        state = _begin()
        for seed in range(10):
            plans, state = _generation(method, state, seed)
            for plan in plans:
                assert plan.hyperparameters.keys() >= SPACE.values.keys()
                assert all(plan.hyperparameters[name] in values for name, values in SPACE.values.items())

    def test_it_copies_layers_that_the_parent_has(self, method: SearchMethod) -> None:
        state = _begin()
        for seed in range(10):
            plans, state = _generation(method, state, seed)
            assert all(plan.clones <= {ref.name for ref in plan.parent.model.components} for plan in plans)

    def test_everything_that_is_changed_is_told(self, method: SearchMethod) -> None:
        state = _begin()
        for seed in range(10):
            plans, state = _generation(method, state, seed)
            for plan in plans:
                before, now = plan.parent.model.hyperparameters, plan.hyperparameters
                changed = {f"hp:{name}": value for name, value in now.items() if value != before[name]}
                told = {mutation.name: mutation.after for mutation in plan.mutations}
                assert {name: after for name, after in told.items() if name.startswith("hp:")} == changed
                assert {name for name in told if name.startswith("clone:")} == {f"clone:{n}" for n in plan.clones}

    def test_it_counts_how_often_each_model_became_a_parent(self, method: SearchMethod) -> None:
        first, state = _ask(method, _begin(), seed=1)
        more, state = _ask(method, state, seed=2)
        assert state.population.selections == Counter(plan.parent.id for plan in (*first, *more))

    def test_what_it_is_told_leaves_population_and_trials_as_they_are(self, method: SearchMethod) -> None:
        plans, asked = _ask(method, _begin())
        trials, kept = _trained(plans)
        taken = taken_in(asked, trials, kept, cap=5)
        told = method.tell(taken, trials)
        assert all(member in taken.population.members for member in told.population.members)
        assert replace(told, memory={}, population=taken.population) == replace(taken, memory={})

    def test_generations_of_which_nothing_was_kept_can_be_told(self, method: SearchMethod) -> None:
        state = _begin(FIRST)
        for seed, outcome in enumerate(("score", "nan", "score")):
            plans, state = _ask(method, state, seed=seed, system=FIRST)
            score = None if outcome == "nan" else 0.0
            trials = tuple(
                replace(trial, outcome=outcome, score=score, model=None)  # type: ignore[arg-type]
                for trial in _trained(plans)[0]
            )
            state = method.tell(taken_in(state, trials, [], cap=5), trials)
        assert len(_ask(method, state, system=FIRST)[0]) == 4

    def test_it_changes_nothing_that_it_is_given(self, method: SearchMethod) -> None:
        state = _begin()
        for seed in range(2):
            before = encode(state)
            _, after = _generation(method, state, seed)
            assert encode(state) == before
            state = after

    def test_what_it_knows_survives_being_saved(self, method: SearchMethod) -> None:
        state = _generation(method, _generation(method, _begin(), 1)[1], 2)[1]
        assert _saved(state) == state

    def test_after_a_crash_it_goes_on_as_if_there_had_been_none(self, method: SearchMethod) -> None:
        straight = interrupted = _begin()
        for seed in range(5):
            plans, straight = _generation(method, straight, seed)
            same, interrupted = _generation(method, _saved(interrupted), seed)
            assert same == plans
        assert interrupted == straight

    def test_it_lives_with_what_earlier_iterations_left(self, method: SearchMethod) -> None:
        """Their models are gone, and their values may be none of this search space."""
        strange: tuple[Mapping[str, Hyperparameter], ...] = (
            {"learning_rate": 123.0, "unheard_of": "x"},
            {},
            {**SPACE.defaults, "momentum": -1},
        )
        before = [
            Trial(values=values, parent="f" * 64, outcome="score", score=score, cost=0.0)
            for values in strange
            for score in (-1.0, 0.5, 1e300)
        ]
        plans, _ = _ask(method, replace(_begin(), before=tuple(before)))
        assert all(plan.hyperparameters[name] in values for plan in plans for name, values in SPACE.values.items())
