"""The shipped search methods keep the contract of all search methods, and the suite notices who does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest

from mu2net_core.objects import Trial
from mu2net_core.search import METHODS, MU2NET_PLUS, ChildPlan, SearchMethod, SearchState
from mu2net_core.testing.conformance.methods import SECRET, SearchMethodTests


class TestShippedMethods(SearchMethodTests):
    @pytest.fixture(params=METHODS.shipped)
    def method(self, request: pytest.FixtureRequest) -> SearchMethod:
        return METHODS.load(request.param)


Plans = tuple[ChildPlan, ...]


@dataclass(frozen=True)
class Wrong:
    """The papers' method with something wrong: what it plans, what it knows then, or what it learns."""

    plan: Callable[[Plans, dict[str, Any]], Plans] = lambda plans, _asked: plans
    know: Callable[[SearchState], SearchState] = lambda state: state
    learn: Callable[[SearchState, Sequence[Trial]], SearchState] = lambda state, _trials: state
    errors: bool = True

    def ask(self, state: SearchState, system: Any, space: Any, /, **asked: Any) -> tuple[Plans, SearchState]:
        if not self.errors and not system.roots and not any(head.model for head in system.heads.values()):
            return (), state
        plans, known = MU2NET_PLUS.ask(state, system, space, **asked)
        return self.plan(plans, {"state": state, "system": system, **asked}), self.know(known)

    def tell(self, state: SearchState, trials: Sequence[Trial], /) -> SearchState:
        return self.learn(state, trials)


CALLS = count()
AS_MANY = "plans_exactly_as_many_children_as_it_is_asked_for"
TOLD: list[int] = []


def each(**changes: Any) -> Callable[[Plans, dict[str, Any]], Plans]:
    """Returns what changes something of every plan."""
    return lambda plans, _asked: tuple(replace(plan, **changes) for plan in plans)


def valued(name: str, value: Any) -> Callable[[Plans, dict[str, Any]], Plans]:
    """Returns what gives every child another value, and does not tell."""
    return lambda plans, _: tuple(replace(p, hyperparameters={**p.hyperparameters, name: value}) for p in plans)


def by_memory_outside(plans: Plans, _asked: dict[str, Any]) -> Plans:
    TOLD.append(len(plans))
    return tuple(replace(plan, seed=plan.seed + len(TOLD)) for plan in plans)


def forgetful(state: SearchState, trials: Sequence[Trial]) -> SearchState:
    return replace(state, memory={"places": [1, 2]})  # type: ignore[dict-item]


def mutating(state: SearchState, trials: Sequence[Trial]) -> SearchState:
    state.memory["told"] = 1  # type: ignore[index]
    return state


def of_kept_only(state: SearchState, trials: Sequence[Trial]) -> SearchState:
    return replace(state, memory={"worst": min(trial.score for trial in trials)})  # type: ignore[type-var]


def by_order_of_memory(plans: Plans, asked: dict[str, Any]) -> Plans:
    first = next(iter(asked["state"].memory), "")
    return tuple(replace(plan, seed=plan.seed + len(first)) for plan in plans)


def in_order(state: SearchState, trials: Sequence[Trial]) -> SearchState:
    return replace(state, memory={"zzz": 1, "a": 2})


def as_before(plans: Plans, asked: dict[str, Any]) -> Plans:
    """Returns children with what did best earlier, whether or not it may be used now."""
    before = max(asked["state"].before, key=lambda trial: trial.score or 0.0, default=None)
    values = {} if before is None else before.values
    return tuple(replace(plan, hyperparameters={**plan.hyperparameters, **values}) for plan in plans)


@pytest.mark.parametrize(
    ("wrong", "test", "arguments"),
    [
        (Wrong(plan=lambda plans, _: plans[:-1]), AS_MANY, {"num_children": 2}),
        (Wrong(plan=lambda plans, _: (*plans, plans[0])), AS_MANY, {"num_children": 1}),
        (Wrong(plan=lambda plans, _: each(seed=next(CALLS))(plans, {})), "the_same_question_has_the_same_answer", {}),
        (Wrong(plan=by_memory_outside), "the_same_question_has_the_same_answer", {}),
        (Wrong(plan=each(seed=7)), "every_child_of_every_generation_has_a_seed_of_its_own", {}),
        (Wrong(plan=each(parent=SECRET)), "parents_are_models_that_the_task_may_use", {}),
        (Wrong(plan=each(parent=SECRET)), "a_first_iteration_begins_from_a_root", {}),
        (Wrong(errors=False), "without_any_model_it_says_so", {}),
        (Wrong(plan=valued("learning_rate", 0.03)), "hyperparameters_stay_in_the_search_space", {}),
        (Wrong(plan=each(hyperparameters={"mu": 0.1})), "hyperparameters_stay_in_the_search_space", {}),
        (Wrong(plan=each(clones=frozenset({"neck"}))), "it_copies_layers_that_the_parent_has", {}),
        (Wrong(plan=valued("learning_rate", 0.1)), "everything_that_is_changed_is_told", {}),
        (Wrong(plan=each(mutations=())), "everything_that_is_changed_is_told", {}),
        (Wrong(plan=each(clones=frozenset({"block"}))), "everything_that_is_changed_is_told", {}),
        (
            Wrong(know=lambda state: replace(state, population=replace(state.population, selections={}))),
            "it_counts_how_often_each_model_became_a_parent",
            {},
        ),
        (
            Wrong(learn=lambda state, _: replace(state, population=replace(state.population, members=(SECRET,)))),
            "what_it_is_told_leaves_population_and_trials_as_they_are",
            {},
        ),
        (
            Wrong(learn=lambda state, _: replace(state, trials=())),
            "what_it_is_told_leaves_population_and_trials_as_they_are",
            {},
        ),
        (Wrong(learn=of_kept_only), "generations_of_which_nothing_was_kept_can_be_told", {}),
        (Wrong(learn=mutating), "it_changes_nothing_that_it_is_given", {}),
        (Wrong(learn=forgetful), "what_it_knows_survives_being_saved", {}),
        (Wrong(plan=by_order_of_memory, learn=in_order), "after_a_crash_it_goes_on_as_if_there_had_been_none", {}),
        (Wrong(plan=as_before), "it_lives_with_what_earlier_iterations_left", {}),
    ],
)  # fmt: skip
def test_the_suite_notices_what_is_wrong(wrong: Wrong, test: str, arguments: dict[str, Any]) -> None:
    getattr(SearchMethodTests(), f"test_{test}")(MU2NET_PLUS, **arguments)
    with pytest.raises((AssertionError, pytest.fail.Exception, TypeError)):
        getattr(SearchMethodTests(), f"test_{test}")(wrong, **arguments)


def test_the_wrong_methods_are_wrong_in_what_they_change_alone() -> None:
    for name in (name for name in dir(SearchMethodTests) if name.startswith("test_") and "exactly" not in name):
        getattr(SearchMethodTests(), name)(Wrong())
