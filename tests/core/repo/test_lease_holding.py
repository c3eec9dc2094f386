"""One agent at a time takes a task; who is silent is overtaken by whoever saw that himself, and nobody is stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mu2net_core.errors import AccessDeniedError, NotFoundError, StorageError
from mu2net_core.objects import Agent, LeaseEntry, encode, file_name
from mu2net_core.repo import Repository
from mu2net_core.repo.leases import Held, Keeper, Lease, Leases, Observer, lease_key
from mu2net_core.storage import Store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.servers.wrappers import WrappedStore


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Machine:
    """Somebody's machine: its clock, its notes, and how it reaches the repository."""

    repo: Repository
    name: str
    clock: Clock = field(default_factory=Clock)
    file: Path | None = None

    def leases(self, slot: int = 0, *, store: Store | None = None) -> Leases:
        agent = Agent(id=self.name * 32, host=f"host-{self.name}", device="cpu", slot=slot)
        observer = Observer(file=self.file, clock=self.clock)
        return Leases(store=store or self.repo.store, refs=self.repo.refs, agent=agent, observer=observer)


@pytest.fixture
def ann(repo: Repository) -> Machine:
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
    return Machine(repo, "a")


@pytest.fixture
def ben(ann: Machine) -> Machine:
    return Machine(ann.repo, "b", clock=Clock(now=-5e9))


def take(leases: Leases, task: str = "cats") -> Lease | Held:
    return leases.acquire(task, iteration=1, method="random")


def taken(leases: Leases, task: str = "cats") -> Lease:
    lease = take(leases, task)
    assert isinstance(lease, Lease)
    return lease


def files(machine: Machine) -> list[str]:
    return list(machine.repo.store.list("leases"))


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


def test_processes_of_one_working_copy_go_on_from_what_the_others_saw(ann: Machine, tmp_path: Path) -> None:
    ben = Machine(ann.repo, "b", file=tmp_path / "notes" / "seen.json")
    lease = taken(ann.leases())
    take(ben.leases())
    ben.clock.now += lease.entry.ttl_s
    assert isinstance(take(ben.leases(slot=1)), Lease)


def test_who_may_write_no_notes_remembers_what_he_saw_himself(ann: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ben = Machine(ann.repo, "b", file=tmp_path / "file" / "seen.json")
    lease, looking = taken(ann.leases()), ben.leases()
    assert len(looking.living()) == 1
    ben.clock.now += lease.entry.ttl_s
    assert looking.living() == ()


@pytest.mark.parametrize("noted", ["", "[]", '{"%s":[1,1]}', '{"%s":[1,1,2000.0]}'])
def test_notes_that_are_damaged_or_of_before_a_restart_count_for_nothing(
    ann: Machine, tmp_path: Path, noted: str
) -> None:
    ben = Machine(ann.repo, "b", file=tmp_path / "seen.json")
    (tmp_path / "seen.json").write_text(noted.replace("%s", file_name("cats")))
    lease = taken(ann.leases())
    assert isinstance(take(ben.leases()), Held)
    ben.clock.now += lease.entry.ttl_s
    assert isinstance(take(ben.leases()), Lease)


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


SAID = LeaseEntry(
    agent=Agent(id="f" * 32, host="evil", device="cpu"),
    session="0" * 32,
    first=1,
    ttl_s=3600.0,
    iteration=1,
    generation=0,
    score=None,
    method="random",
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format":1}',
        encode(SAID).replace(b"3600.0", b"1e300"),
        encode(SAID).replace(b"3600.0", b"3600.5"),
        encode(SAID).replace(b'"evil"', b'"' + b"e" * 2_000 + b'"'),
        encode(SAID).replace(b'"score":null', b'"score":1e999'),
        encode(SAID) + b" ",
        encode(SAID)[:-1] + b',"zz":"' + b"x" * 70_000 + b'"}',
    ],
    ids=["empty", "no-text", "deep", "too-little", "absurd", "too-long", "long-word", "infinite", "space", "large"],
)
def test_what_cannot_be_read_counts_for_nothing_and_is_followed(ann: Machine, data: bytes) -> None:
    ann.repo.store.create(lease_key("cats", 1, 1), data)
    assert ann.leases().living() == ()
    assert taken(ann.leases()).k == 2


def test_a_newer_version_may_say_more(ann: Machine, ben: Machine) -> None:
    ann.repo.store.create(lease_key("cats", 1, 1), encode(SAID)[:-1] + b',"zz":1}')
    assert isinstance(take(ben.leases()), Held)


@pytest.mark.parametrize("key", ["leases/cats/00000009/00000001", "leases/cats/00000001/99999999", "leases/else"])
def test_files_ahead_of_the_head_or_after_a_gap_and_others_block_nothing(ann: Machine, key: str) -> None:
    ann.repo.store.create(key, encode(SAID))
    assert ann.leases().living() == ()
    assert taken(ann.leases()).k == 1


def test_a_lease_on_no_task_is_none(ann: Machine) -> None:
    ann.repo.store.create(lease_key("horses", 1, 1), encode(SAID))
    assert ann.leases().living() == ()


class AppendOnly(WrappedStore):
    """A storage that lets nobody delete."""

    def delete(self, key: str) -> None:
        raise AccessDeniedError(f"Cannot delete {key}.")


def test_where_nothing_may_be_deleted_leases_are_given_back_all_the_same(ann: Machine, ben: Machine) -> None:
    store = AppendOnly(ann.repo.store)
    lease = taken(ann.leases(store=store))
    evolve_sample(ann.repo, "cats", score=0.5)
    lease.release()
    assert len(files(ann)) == 2
    again = taken(ben.leases(store=store))
    again.release()
    assert isinstance(take(ann.leases(store=store)), Lease)


def test_ages_are_those_of_the_storage(ann: Machine, ben: Machine) -> None:
    lease = taken(ann.leases())
    lease.renew()
    ann.repo.store.refresh(lease_key("cats", 1, 2), b"")
    held = ben.leases().living()[0]
    since, said = ben.leases().times(held)
    assert since == ann.repo.store.modified(lease_key("cats", 1, 1))
    assert said == ann.repo.store.modified(lease_key("cats", 1, 2))


class Counting(WrappedStore):
    """A storage that counts requests."""

    num = 0

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        self.num += 1
        return super().read(key, limit=limit)

    def list(self, prefix: str) -> Iterator[str]:
        self.num += 1
        return super().list(prefix)

    def exists(self, key: str) -> bool:
        self.num += 1
        return super().exists(key)


def test_looking_again_costs_one_request_while_nothing_happens(ann: Machine, ben: Machine) -> None:
    for task in ("cats", "dogs"):
        taken(ann.leases(), task)
    store = Counting(ann.repo.store)
    looking = ben.leases(store=store)
    assert len(looking.living()) == 2
    before = store.num
    assert len(looking.living()) == 2
    assert store.num - before == 1


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
