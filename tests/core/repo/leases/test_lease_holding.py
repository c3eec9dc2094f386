"""One agent at a time takes a task; who is silent is overtaken by whoever saw that himself, and nobody is stopped."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from mu2net_core.errors import NotFoundError
from mu2net_core.repo.leases import Held, Lease, lease_key
from mu2net_core.testing.building.leasing import Machine, files, take, taken
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.servers.wrappers import WrappedStore


def test_who_comes_second_learns_who_works_on_what_and_how_far_it_is(ann: Machine, ben: Machine) -> None:
    taken(ann.leases(slot=3)).renew(generation=2, score=0.5)
    held = take(ben.leases())
    assert isinstance(held, Held)
    assert (held.task, held.entry.agent.host, held.entry.agent.slot) == ("cats", "host-a", 3)
    assert (held.entry.iteration, held.entry.generation, held.entry.score) == (1, 2, 0.5)
    assert isinstance(take(ben.leases(), "dogs"), Lease)
    assert [(one.task, one.entry.agent.host) for one in ben.leases().living()] == [
        ("cats", "host-a"),
        ("dogs", "host-b"),
    ]


def test_a_task_that_was_given_back_is_free(ann: Machine, ben: Machine) -> None:
    taken(ann.leases()).release()
    assert ben.leases().living() == ()
    assert ben.leases().holder("cats") is None
    assert taken(ben.leases()).k == 3


def test_a_head_that_moved_ends_the_lease_and_its_files_go(ann: Machine, ben: Machine) -> None:
    lease = taken(ann.leases())
    watching = ben.leases()
    assert watching.holder("cats") is not None
    evolve_sample(ann.repo, "cats", score=0.5)
    assert watching.holder("cats") is None
    lease.release()
    assert files(ann) == []
    assert not list((ann.repo.path / "leases").rglob("*")), "no empty folders"
    assert taken(watching).number == 2


def test_what_others_left_on_earlier_heads_goes_when_a_task_is_taken(ann: Machine, ben: Machine) -> None:
    taken(ann.leases())
    evolve_sample(ann.repo, "cats", score=0.5)
    taken(ben.leases())
    assert files(ann) == [lease_key("cats", 2, 1)]


def test_a_silent_holder_is_overtaken_after_its_time_on_the_clock_of_who_looks(ann: Machine, ben: Machine) -> None:
    lease, looking = taken(ann.leases()), ben.leases()
    assert isinstance(take(looking), Held)
    ben.clock.now += lease.entry.ttl_s - 1
    assert isinstance(take(looking), Held)
    ben.clock.now += 1
    assert looking.living() == ()
    assert [one.is_living for one in looking.all()] == [False]
    assert isinstance(take(looking), Lease)


def test_one_that_says_something_now_and_then_is_not(ann: Machine, ben: Machine) -> None:
    lease, looking = taken(ann.leases()), ben.leases()
    for _ in range(5):
        assert isinstance(take(looking), Held)
        ben.clock.now += lease.entry.ttl_s - 1
        assert lease.renew()
    assert isinstance(take(looking), Held)


def test_a_paused_holder_that_was_overtaken_is_told_so_and_takes_nothing_back(ann: Machine, ben: Machine) -> None:
    lease, looking = taken(ann.leases()), ben.leases()
    take(looking)
    ben.clock.now += 1e6
    other = taken(looking)
    assert not lease.renew()
    assert lease.taken_by is not None
    assert lease.taken_by.entry.agent.host == "host-b"
    lease.release()
    assert other.renew()


def test_a_paused_holder_that_nobody_overtook_goes_on(ann: Machine, ben: Machine) -> None:
    lease = taken(ann.leases())
    ann.clock.now += 1e6
    assert lease.renew()
    assert isinstance(take(ben.leases()), Held)


def test_a_process_that_was_killed_gets_its_own_task_back_at_once(ann: Machine) -> None:
    taken(ann.leases(slot=1))
    assert isinstance(take(ann.leases(slot=0)), Held), "another agent waits"
    assert ann.leases(slot=1).holder("cats") is not None, "who only looks does not know that it is gone"
    again = taken(ann.leases(slot=1))
    assert again.k == again.entry.first == 2


def test_an_agent_that_is_known_to_be_gone_holds_nothing(ann: Machine, ben: Machine) -> None:
    taken(ann.leases())
    knowing = replace(ben.leases(), is_gone=lambda task, agent: (task, agent.host) == ("cats", "host-a"))
    assert knowing.living() == ()
    assert isinstance(take(knowing), Lease)


def test_of_many_that_take_a_task_at_the_same_moment_one_gets_it(ann: Machine) -> None:
    start, results = threading.Barrier(8), list[Lease | Held]()

    def run(slot: int) -> None:
        leases = replace(ann.leases(slot), refs=ann.repo.refs)
        start.wait()
        results.append(take(leases))

    threads = [threading.Thread(target=run, args=(slot,)) for slot in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [isinstance(one, Lease) for one in results].count(True) == 1
    assert files(ann) == [lease_key("cats", 1, 1)]


def test_of_two_that_overtake_at_the_same_moment_one_does(ann: Machine, ben: Machine) -> None:
    """The other one's file comes between the look and the own one."""
    taken(ann.leases())
    carl = Machine(ann.repo, "c", clock=ben.clock)
    first, second = ben.leases(), carl.leases()
    take(first), take(second)
    ben.clock.now += 1e6

    class Racing(WrappedStore):
        def create(self, key: str, data: bytes) -> bool:
            take(second)
            return super().create(key, data)

    held = take(replace(first, store=Racing(ann.repo.store)))
    assert isinstance(held, Held)
    assert held.entry.agent.host == "host-c"


def test_a_task_that_the_repository_does_not_have_cannot_be_taken_there(ann: Machine) -> None:
    with pytest.raises(NotFoundError, match="no task 'horses'"):
        take(ann.leases(), "horses")
    assert files(ann) == []
