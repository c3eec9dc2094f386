"""What lies where leases do: whatever others wrote there stops nobody, and a look at it costs little."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.errors import AccessDeniedError
from mu2net_core.objects import Agent, LeaseEntry, encode
from mu2net_core.repo.leases import Held, Lease, lease_key
from mu2net_core.testing.building.leasing import Machine, files, take, taken
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.servers.wrappers import WrappedStore

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
        encode(replace(SAID, format=2)),
        encode(SAID) + b" ",
        encode(SAID)[:-1] + b',"zz":"' + b"x" * 70_000 + b'"}',
    ],
    ids=[
        "empty",
        "no-text",
        "deep",
        "too-little",
        "absurd",
        "too-long",
        "long-word",
        "infinite",
        "newer",
        "space",
        "large",
    ],
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


def test_looking_again_costs_one_request_while_nothing_happens(ann: Machine, ben: Machine) -> None:
    for task in ("cats", "dogs"):
        taken(ann.leases(), task)
    store = WrappedStore(ann.repo.store)
    looking = ben.leases(store=store)
    assert len(looking.living()) == 2
    before = store.calls.total()
    assert len(looking.living()) == 2
    assert store.calls.total() - before == 1
