"""Which task comes next where several agents share them: one that nobody is at."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.turns import Agenda, Shared
from mu2net_core.api.iterations.options import EvolveOptions, goals_of
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Agent, Run
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def shared(repo: Repository, *, slot: int = 0, agents: int = 2, rounds: int | None = 1, **asked: Any) -> Shared:
    """Returns the turns of an agent that shares all tasks."""
    names = asked.pop("names", tuple(load_system(repo).heads))
    goals = None if rounds is None else goals_of(load_system(repo), names, rounds)
    agent = Agent(id=repo.agent_id, host="here", device="cpu", slot=slot)
    claims = Claims(repo=repo, context=Context.default(), agent=agent, method_of=lambda _task: "mu2net-plus")
    return Shared(
        claims=claims,
        tasks=names,
        asked=EvolveOptions(slot=slot, agents=agents, **asked),
        seed=1,
        goals=goals,
    )


def taken(stack: ExitStack, turns: Shared) -> str | None:
    """Returns the next task of an agent, which holds it until ``stack`` ends."""
    turn = turns.next()
    if turn is None:
        return None
    stack.enter_context(turn.claim())
    return turn.task


@pytest.fixture
def abc(repo: Repository) -> Repository:
    for task in "abc":
        add_sample_task(repo, task)
    return repo


def test_agents_spread_over_tasks_and_one_without_a_task_of_its_own_is_through(abc: Repository) -> None:
    with ExitStack() as stack:
        found = [taken(stack, shared(abc, slot=slot, agents=3)) for slot in range(3)]
        assert sorted(map(str, found)) == ["a", "b", "c"]
        assert shared(abc, slot=0, agents=3).next() is None


def test_who_watches_heeds_settings_that_others_change_meanwhile_and_keeps_its_remotes(abc: Repository) -> None:
    """A task that is added later brings one: where its data lies."""
    turns = shared(abc, rounds=None, watch=True)
    other = open_repository(abc.path)
    other.update_config(
        lambda one: replace(one.with_setting("data.d", "npz:/d.npz"), remotes={"new": Remote(name="new", url="x")})
    )
    with ExitStack() as stack:
        assert taken(stack, turns) is not None
        assert (abc.config.settings["data.d"], abc.config.remotes) == ("npz:/d.npz", {})
        (abc.path / "config.toml").write_text("format = ")
        assert taken(stack, turns) is not None
        assert abc.config.settings["data.d"] == "npz:/d.npz"


def test_who_does_not_watch_keeps_the_settings_it_began_with(abc: Repository) -> None:
    turns = shared(abc)
    open_repository(abc.path).update_config(lambda one: one.with_setting("data.d", "npz:/d.npz"))
    with ExitStack() as stack:
        assert taken(stack, turns) is not None
    assert abc.config.settings == {}


def test_a_task_that_was_given_back_can_be_taken_again(abc: Repository) -> None:
    for _ in range(2):
        with ExitStack() as stack:
            assert [taken(stack, shared(abc)) for _ in range(3)] == ["a", "b", "c"]


def test_the_task_that_lacks_most_iterations_goes_first_and_none_gets_more_than_it_was_to_have(abc: Repository) -> None:
    turns, order = shared(abc, rounds=2), []
    while (turn := turns.next()) is not None:
        with turn.claim():
            order.append(turn.task)
            evolve_sample(abc, turn.task, score=0.5)
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_what_an_agent_left_unfinished_goes_first(abc: Repository) -> None:
    turns = shared(abc)
    turns.first = ("c",)
    with ExitStack() as stack:
        assert [taken(stack, turns) for _ in range(3)] == ["c", "a", "b"]


def test_agents_that_are_more_than_the_tasks_join_others(repo: Repository) -> None:
    add_sample_task(repo, "a")
    with ExitStack() as stack:
        assert [taken(stack, shared(repo, slot=slot, agents=3)) for slot in range(3)] == ["a", "a", "a"]


def test_a_task_that_is_good_enough_is_left_alone(abc: Repository) -> None:
    evolve_sample(abc, "a", score=0.9)
    evolve_sample(abc, "b", score=0.5)
    turns = shared(abc, until=0.9)
    assert turns.left() == ("b", "c")
    agenda = Agenda(turns.claims, 0.9, ["a", "b", "a", "c"])
    assert [turn and turn.task for turn in (agenda.next(), agenda.next(), agenda.next())] == ["b", "c", None]


def test_a_task_that_could_not_be_improved_is_left_out_until_its_head_moves(abc: Repository) -> None:
    turns = shared(abc, rounds=5)
    turns.drop("b")
    assert turns.left() == ("a", "c")
    evolve_sample(abc, "b", score=0.5)
    assert turns.left() == ("a", "b", "c")


def test_a_task_whose_storage_fails_rests_longer_each_time_until_its_head_moves(abc: Repository) -> None:
    turns, now = shared(abc, rounds=5), [0.0]
    turns.claims.clock = lambda: now[0]
    for pause in (15.0, 30.0, 60.0):
        turns.rest("b")
        now[0] += pause - 1
        assert turns.left() == ("a", "c")
        now[0] += 1
        assert turns.left() == ("a", "b", "c")
    turns.rest("b")
    evolve_sample(abc, "b", score=0.5)
    assert turns.left() == ("a", "b", "c")
    turns.rest("b")
    now[0] += 15.0
    assert turns.left() == ("a", "b", "c")


def test_who_watches_all_tasks_finds_those_that_come_later_and_fresh_ones_first(abc: Repository) -> None:
    for task in "abc":
        evolve_sample(abc, task, score=0.5)
    turns = shared(abc, rounds=None, watch=True)
    turns.tasks = None
    assert turns.next() is not None
    add_sample_task(abc, "late")
    turn = turns.next()
    assert turn is not None
    assert turn.task == "late"


def test_who_watches_a_number_of_iterations_gives_as_many_to_a_task_that_comes_later(abc: Repository) -> None:
    turns = shared(abc, rounds=1, watch=True, iterations=1)
    turns.tasks = None
    add_sample_task(abc, "late")
    for task in ("a", "b", "c"):
        evolve_sample(abc, task, score=0.5)
    assert turns.left() == ("late",)
    evolve_sample(abc, "late", score=0.5)
    assert turns.left() == ()


def test_what_a_task_promises_is_read_from_its_commits(abc: Repository) -> None:
    for score in (0.25, 0.75, 0.5):
        evolve_sample(abc, "a", score=score)
    prospects = shared(abc)._prospects
    found = prospects.of(load_system(abc).heads["a"])
    assert (found.task, found.score) == ("a", 0.5)
    assert [gain.score for gain in found.gains] == [0.25, 0.5, 0.0]
    assert all(gain.device_s > 0 for gain in found.gains)
    assert prospects.of(load_system(abc).heads["b"]).gains == ()
    run = Run(
        preset="p", digest="0" * 64, seed=1, generations=1, children=1, done=1, processor="x", cores=1, device_s=9
    )
    evolve_sample(abc, "b", score=0.5, sign=lambda commit: replace(commit, run=run))
    assert [gain.device_s for gain in prospects.of(load_system(abc).heads["b"]).gains] == [9]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"until": 0.0}, "Expected a score above 0"),
        ({"until": float("nan")}, "Expected a score above 0"),
        ({"slot": 2, "agents": 2}, "Expected a slot below the number of agents, 2, got 2"),
        ({"iterations": 0}, "at least one iteration"),
    ],
)
def test_what_cannot_be_asked_for(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        EvolveOptions(**asked)
