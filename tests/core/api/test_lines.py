"""What a line of another preset goes on from, and what a task keeps where its model was not in the population."""

from __future__ import annotations

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.lines import earlier_models, winner_of
from mu2net_core.api.tasks.reset import reset
from mu2net_core.engine import IterationState
from mu2net_core.repo import Repository, load_system
from mu2net_core.search import Member, Population, SearchState, measured_as
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def as_told(member: Member) -> Member:
    return member


def model_of(repo: Repository) -> str:
    return str(load_system(repo).heads["a"].model_id)


def state_of(repo: Repository, *members: Member) -> IterationState:
    """Returns the state of an iteration from the head, with a population of its own."""
    return begun_at(repo, "a", search=SearchState(population=Population(task="a", members=members)))


@pytest.fixture
def evolved(repo: Repository) -> tuple[Repository, list[str]]:
    """Returns a repository with a task after three iterations, and the models they retained."""
    add_sample_task(repo, "a")
    models = []
    for score in (0.5, 0.6, 0.7):
        evolve_sample(repo, "a", score=score)
        models.append(model_of(repo))
    return repo, models


def test_earlier_models_are_those_of_the_history_the_newest_first_but_for_what_a_reset_left_behind(
    evolved: tuple[Repository, list[str]], context: Context
) -> None:
    repo, (first, second, third) = evolved
    base = load_system(repo).heads["a"].commit_id
    assert [oid for oid, _ in earlier_models(repo, base)] == [third, second, first]
    reset(repo, context, "a", "a~2")
    evolve_sample(repo, "a", score=0.8, seed=99)
    assert [oid for oid, _ in earlier_models(repo, load_system(repo).heads["a"].commit_id)] == [model_of(repo), first]


def test_a_task_keeps_its_model_unless_what_was_not_made_from_it_is_better(
    evolved: tuple[Repository, list[str]],
) -> None:
    repo, (first, second, third) = evolved
    known = {oid: Member(id=oid, model=repo.objects.model(oid)) for oid in (first, second, third)}
    assert winner_of(repo, state_of(repo), as_told) == known[third]
    assert winner_of(repo, state_of(repo, known[first], known[second]), as_told) == known[third]
    assert winner_of(repo, state_of(repo, known[third], known[first]), as_told) == known[third]
    reset(repo, Context.default(), "a", "a~1")
    assert winner_of(repo, state_of(repo, known[third]), as_told) == known[third]
    assert winner_of(repo, state_of(repo, known[second]), as_told) == known[second]


def test_a_task_without_a_model_has_the_best_of_the_population_if_any(repo: Repository) -> None:
    add_sample_task(repo, "a")
    assert winner_of(repo, state_of(repo), as_told) is None


def test_the_tasks_own_model_is_judged_as_it_is_measured_where_the_iteration_ran(
    evolved: tuple[Repository, list[str]],
) -> None:
    """Other hardware, or other examples, tell something else of it than what children are compared by."""
    repo, (_, second, third) = evolved
    mine = Member(id=second, model=repo.objects.model(second))

    def worse(member: Member) -> Member:
        assert member.id == third
        return measured_as(member, 0.55, 8)

    assert winner_of(repo, state_of(repo, mine), as_told).id == third
    assert winner_of(repo, state_of(repo, mine), worse) == mine
