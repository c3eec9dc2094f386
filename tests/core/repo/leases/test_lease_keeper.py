"""A lease is renewed beside the work, and given back at its end."""

from __future__ import annotations

import threading
from dataclasses import replace

from mu2net_core.errors import StorageError
from mu2net_core.repo.leases import Keeper
from mu2net_core.testing.building.leasing import Clock, Machine, taken
from mu2net_core.testing.servers.wrappers import WrappedStore


class Failing(WrappedStore):
    """A storage that fails for a while."""

    is_down = False

    def create(self, key: str, data: bytes) -> bool:
        if self.is_down:
            raise StorageError("down")
        return super().create(key, data)


def kept(keeper: Keeper, clock: Clock, seconds: float) -> None:
    """Lets time pass, in which the thread wakes whenever it wants to."""
    end = clock.now + seconds
    while (due := clock.now + keeper.step()) <= end:
        clock.now = due
    clock.now = end


def test_a_lease_is_renewed_in_a_third_of_its_time_and_with_each_generation_that_is_long_enough(ann: Machine) -> None:
    lease, clock = taken(ann.leases()), ann.clock
    keeper = Keeper(leases=(lease,), clock=clock)
    kept(keeper, clock, 600.0)
    assert lease.k == 11
    keeper.tell(1, 0.25)
    kept(keeper, clock, 20.0)
    assert (lease.k, lease.entry.generation, lease.entry.score) == (12, 1, 0.25)
    for generation in range(2, 102):
        keeper.tell(generation, 0.25)
        kept(keeper, clock, 0.1)
    assert lease.k <= 14, "a hundred generations in ten seconds"


def test_a_storage_that_fails_is_told_and_asked_again(ann: Machine) -> None:
    store = Failing(ann.repo.store)
    lease = taken(ann.leases(store=store))
    keeper = Keeper(leases=(lease,), clock=ann.clock)
    store.is_down = True
    kept(keeper, ann.clock, 60.0)
    assert [str(error) for error in keeper.trouble.values()] == ["down"]
    store.is_down = False
    kept(keeper, ann.clock, 60.0)
    assert (keeper.trouble, lease.k) == ({}, 2)


def test_the_lease_of_an_agent_that_hangs_runs_out_and_is_renewed_once_it_is_heard_of(
    ann: Machine, ben: Machine
) -> None:
    lease, clock = taken(ann.leases()), ann.clock
    keeper = Keeper(leases=(lease,), clock=clock)
    kept(keeper, clock, 5 * 3600.0)
    keeper.hear()  # a step of five hours: it may be fifty until the next
    kept(keeper, clock, 49 * 3600.0)
    before = lease.k
    kept(keeper, clock, 2 * 3600.0)
    assert lease.k - before == 60, "an hour of them"
    ben.clock.now += 1.0
    watch = ben.leases()
    assert watch.living()
    ben.clock.now += 181.0
    assert not watch.living()
    keeper.hear()
    keeper.step()
    assert (lease.k - before, lease.taken_by) == (61, None)
    assert watch.living()


def test_leases_are_renewed_while_the_agent_is_busy_and_given_back_at_the_end(ann: Machine, ben: Machine) -> None:
    renewed = threading.Event()

    class Telling(WrappedStore):
        def create(self, key: str, data: bytes) -> bool:
            created = super().create(key, data)
            if key.endswith("00000003"):
                renewed.set()
            return created

    leases = replace(ann.leases(store=Telling(ann.repo.store)), ttl_s=0.01)
    with Keeper(leases=(taken(leases),)):
        assert renewed.wait(60.0), "by a thread: this one does nothing"
    assert ben.leases().all() == ()
    assert not [thread for thread in threading.enumerate() if thread.name == "mu2net-leases"]
