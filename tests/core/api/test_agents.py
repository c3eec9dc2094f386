"""Several agents in one working copy: each has a slot, by which its children, its counts and its work are its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.evolving.view import AsOf, Newest
from mu2net_core.api.iterations.leftover import is_published
from mu2net_core.api.iterations.running import evolving, folder_of, folders_of, lock_of
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.machine.devices import devices_of
from mu2net_core.errors import ConflictError, InvalidInputError, NotFoundError
from mu2net_core.events import Event
from mu2net_core.objects import Agent, Run, Seen, System
from mu2net_core.repo import Repository, load_system, record_snapshot
from mu2net_core.repo.history import merge
from mu2net_core.seeds import derive_seed, seed_of_slot
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

RUN = Run(preset="p", digest="0" * 64, seed=1, generations=4, children=1, done=4, processor="x", cores=1)


def everything(system: System, _task: str) -> System:
    return system


def test_an_agent_in_another_slot_makes_other_children_which_are_its_own_and_can_be_repeated(planted) -> None:
    repo, events, models = planted.open(), list[Event](), set[str]()
    for slot in (1, 2):
        twin = repo if slot == 1 else planted.open()
        (iteration,) = planted.evolve(
            twin, seed=1, slot=slot, iterations=1, generations=1, on_event=events.append
        ).iterations
        models.add(iteration.model)
        commit = repo.objects.commit(iteration.commit)
        assert commit.agent is not None
        assert (commit.agent.id, commit.agent.slot) == (repo.agent_id, slot)
        assert {counter for counts in commit.selections.values() for counter in counts} >= {f"{repo.agent_id}/{slot}"}
        assert replay(repo, planted.context, iteration.commit).outcome == "same"
    assert len(models) == 2
    assert [event.agent for event in events] == sorted(event.agent for event in events)
    assert {event.agent for event in events} == {"agent-1", "agent-2"}


def test_a_slot_gives_the_same_seed_wherever_it_is_and_the_first_is_the_users() -> None:
    assert seed_of_slot(7, 0) == 7
    assert len({seed_of_slot(seed, slot) for seed in (7, 8) for slot in range(20)}) == 40
    assert seed_of_slot(7, 3) == derive_seed(7, "slot", 3)


def test_work_in_one_slot_keeps_no_other_waiting_and_is_told(repo: Repository) -> None:
    first, second = Workspace.of(repo, "a"), Workspace.of(repo, "a", 1)
    with second.lock("a"):
        assert "a" in evolving(repo, ["a"])
        with first.lock("a"):
            pass
        with pytest.raises(ConflictError), Workspace.of(repo, "a", 1).lock("a"):
            pass
    assert evolving(repo, ["a"]) == {}
    for workspace in (first, second):
        workspace.folder.mkdir(parents=True)
    assert folders_of(repo, ["a"]) == {"a": (first.folder, second.folder)}


def test_of_several_agents_the_one_in_the_lowest_slot_is_named(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slot in (10, 2, 1, 0):
        lock = lock_of(folder_of(repo, "a", slot))
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(str(slot))
    monkeypatch.setattr("mu2net_core.api.iterations.running.holder_of", lambda lock: int(lock.read_text()))
    assert evolving(repo, ["a"]) == {"a": 0}
    lock_of(folder_of(repo, "a", 0)).unlink()
    lock_of(folder_of(repo, "a", 1)).unlink()
    assert evolving(repo, ["a"]) == {"a": 2}


def test_what_one_slot_published_is_not_taken_for_the_work_of_another(repo: Repository) -> None:
    add_sample_task(repo, "a")
    base = evolve_sample(repo, "a", score=0.25)
    commit = repo.objects.commit(evolve_sample(repo, "a", score=0.5).commit)

    class Left:
        task, task_id, started_at, slot = "a", commit.task_id, commit.started_at, 0

    Left.base = base.commit  # type: ignore[attr-defined]
    assert is_published(repo, Left)  # type: ignore[arg-type]
    Left.slot = 1
    assert not is_published(repo, Left)  # type: ignore[arg-type]


def test_what_two_agents_selected_adds_up_and_what_two_did_in_one_slot_counts_once(repo: Repository) -> None:
    add_sample_task(repo, "a")
    before = evolve_sample(repo, "a", score=0.5).commit
    base = repo.objects.commit(before)

    def counted(slot: int, host: str) -> str:
        agent = Agent(id="a" * 32, host=host, device="cpu", slot=slot)
        counts = {base.model or "": {agent.counter: 3}}
        return repo.objects.put(replace(base, parents=(before,), iteration=2, agent=agent, selections=counts))

    tips = [counted(0, "here"), counted(1, "here"), counted(1, "there")]
    assert merge(repo.objects, tips)[1].times_selected(base.model or "") == 6


def test_the_newest_view_moves_with_the_heads_and_knows_no_task_that_is_gone(repo: Repository) -> None:
    add_sample_task(repo, "a")
    view = Newest(repo=repo, task="a", usable=everything)
    before = view.system()
    head = evolve_sample(repo, "a", score=0.5)
    assert before.heads["a"].commit_id != view.system(1).heads["a"].commit_id == head.commit
    assert repo.objects.snapshot(view.record(view.system(1))).heads["a"] == head.commit
    with pytest.raises(NotFoundError, match="no task 'b'"):
        Newest(repo=repo, task="b", usable=everything).system()


def test_a_view_of_snapshots_stays_whatever_moves_and_says_which_each_generation_saw(repo: Repository) -> None:
    add_sample_task(repo, "a")
    snapshots, heads = list[str](), list[str]()
    for score in (0.25, 0.5, 0.75):
        heads.append(evolve_sample(repo, "a", score=score).commit)
        snapshots.append(record_snapshot(repo, load_system(repo), "a"))
    seen = (Seen(generation=1, snapshot=snapshots[1]), Seen(generation=3, snapshot=snapshots[2]))
    commit = replace(repo.objects.commit(heads[0]), snapshot=snapshots[0], run=replace(RUN, seen=seen))
    view = AsOf.replayed(repo, commit, everything)
    assert [view.system(generation).heads["a"].commit_id for generation in range(4)] == [
        heads[0],
        heads[1],
        heads[1],
        heads[2],
    ]
    assert [view.record(view.system(generation)) for generation in (0, 2, 3)] == snapshots
    other = AsOf(repo=repo, task="b", usable=everything, snapshot=snapshots[0])
    with pytest.raises(InvalidInputError, match="has no task b"):
        other.system()
    with pytest.raises(InvalidInputError, match="is no iteration"):
        AsOf.replayed(repo, replace(commit, snapshot=None), everything)


@pytest.mark.parametrize("slot", [-1, 2**41])
def test_a_slot_is_a_number_from_0(slot: int) -> None:
    with pytest.raises(InvalidInputError, match="slot of an agent"):
        AgentSpec(slot=slot, tasks=("a",))


def test_an_agent_computes_on_the_devices_it_is_given() -> None:
    (first, *_) = devices_of(None)
    assert devices_of([first.id]) == (first,)
    with pytest.raises(InvalidInputError, match="no device 99"):
        devices_of([first.id, 99])
