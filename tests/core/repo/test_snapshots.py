from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import AccessRule, Snapshot, encode, hash_bytes
from mu2net_core.repo import Remote, Repository, load_system, record_snapshot, visible_snapshot
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.snapshots import complete, shorten, snapshot_chain
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.closure import needs
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

ROOTS = {"default": "2" * 64}


class Book:
    """Snapshots by id."""

    def __init__(self) -> None:
        self.stored: dict[str, Snapshot] = {}

    def put(self, snapshot: Snapshot) -> str:
        oid = hash_bytes(encode(snapshot))
        self.stored[oid] = snapshot
        return oid

    def whole(self, oid: str) -> Snapshot:
        return complete(snapshot_chain(oid, self.stored.__getitem__))


def heads(moved: dict[int, int], num_tasks: int = 40) -> dict[str, str]:
    return {f"t{task:03d}": f"{task:032x}{moved.get(task, 0):032x}" for task in range(num_tasks)}


def snapshot(moved: dict[int, int], num_tasks: int = 40) -> Snapshot:
    return Snapshot(heads=heads(moved, num_tasks), roots=ROOTS)


def test_whatever_moves_every_snapshot_says_what_it_was_made_of() -> None:
    book, chance, moved, newest = Book(), random.Random(1), dict[int, int](), None
    for _ in range(500):
        for task in chance.sample(range(40), chance.choice([1, 1, 1, 2, 5, 30])):
            moved[task] = moved.get(task, 0) + 1
        whole = snapshot(moved)
        newest = book.put(shorten(whole, newest, book.stored.__getitem__))
        assert book.whole(newest) == whole
        assert len(snapshot_chain(newest, book.stored.__getitem__)) <= 16


@pytest.mark.parametrize("num_tasks", [50, 400])
def test_in_turns_each_stores_a_few_heads_however_many_tasks_there_are(num_tasks: int) -> None:
    book, moved, newest = Book(), dict[int, int](), None
    for turn in range(3 * num_tasks):
        moved[turn % num_tasks] = turn
        newest = book.put(shorten(snapshot(moved, num_tasks), newest, book.stored.__getitem__))
    stored = sum(len(snapshot.heads) for snapshot in book.stored.values())
    assert stored < 10 * len(book.stored)


def test_a_few_tasks_are_stored_whole() -> None:
    book = Book()
    first = book.put(snapshot({}, 10))
    assert shorten(snapshot({1: 1}, 10), first, book.stored.__getitem__).base is None


def test_nothing_rests_on_a_snapshot_that_names_what_this_one_does_not() -> None:
    book = Book()
    first = book.put(snapshot({}, 40))
    less = snapshot({1: 1}, 39)
    assert shorten(less, first, book.stored.__getitem__) == less
    smaller = book.put(snapshot({}, 38))
    wider = book.put(replace(snapshot({}, 40), heads={"t038": "3" * 64, "t039": "4" * 64}, base=smaller))
    assert shorten(less, wider, book.stored.__getitem__).base == smaller


def test_nothing_new_rests_on_what_is_missing() -> None:
    def missing(oid: str) -> Snapshot:
        raise NotFoundError(f"No snapshot {oid}.")

    assert shorten(snapshot({1: 1}), "5" * 64, missing).base is None


def test_a_chain_without_end_is_refused() -> None:
    book, base = Book(), None
    for turn in range(100):
        base = book.put(Snapshot(heads={"a": f"{turn:064x}"}, roots={}, base=base))
    assert base is not None
    with pytest.raises(CorruptObjectError, match="stands on more than 63 others"):
        book.whole(base)


def test_a_whole_snapshot_keeps_the_bytes_it_always_had() -> None:
    assert b"base" not in encode(snapshot({}))
    assert b'{"base":"' in encode(replace(snapshot({}), base="1" * 64))


@pytest.fixture
def wide(repo: Repository) -> Repository:
    """A repository of twenty tasks that evolved in turn, so that the last snapshots stand on others."""
    for number in range(20):
        add_sample_task(repo, f"t{number:02d}")
    for turn, number in enumerate((*range(20), *range(12), 3)):
        evolve_sample(repo, f"t{number:02d}", score=0.5, seed=turn)
    return repo


def last_snapshot(repo: Repository, task: str) -> str:
    head = repo.refs.head(task)
    assert head is not None
    oid = repo.objects.commit(head.commit).snapshot
    assert oid is not None
    return oid


def test_evolving_records_what_moved_and_reads_back_all(wide: Repository) -> None:
    oid = last_snapshot(wide, "t03")
    stored, whole = wide.objects.stored_snapshot(oid), wide.objects.snapshot(oid)
    assert 0 < len(stored.heads) < 20
    assert len(whole.heads) == 20
    assert whole.base is None
    assert ("snapshot", stored.base) in needs(stored)
    system = load_system(wide)
    recorded = record_snapshot(wide, system, "t05")
    assert wide.objects.snapshot(recorded) == visible_snapshot(system, "t05", roots=wide.refs.roots())


def test_a_snapshot_on_a_base_names_nothing_that_its_task_may_not_see(wide: Repository) -> None:
    add_sample_task(wide, "secret", AccessRule.only(["secret"]))
    evolve_sample(wide, "secret", score=0.9, seed=40)
    assert "secret" in wide.objects.snapshot(last_snapshot(wide, "secret")).heads
    evolve_sample(wide, "t04", score=0.9, seed=41)
    chain = snapshot_chain(last_snapshot(wide, "t04"), wide.objects.stored_snapshot)
    assert len(chain) > 1
    assert not any("secret" in part.heads for part in chain)


def test_a_base_travels_along_and_fsck_misses_it(wide: Repository, tmp_path: Path) -> None:
    remote = Remote(name="origin", url=str(tmp_path / "shared"))
    push(wide, remote, tasks=["t03"])
    there, oid = connect(remote).objects, last_snapshot(wide, "t03")
    assert there.snapshot(oid) == wide.objects.snapshot(oid)
    assert fsck(wide).problems == ()
    base = wide.objects.stored_snapshot(oid).base
    assert base is not None
    wide.set_aside(f"objects/snapshot/{base[:2]}/{base[2:]}.json")
    assert [problem.object for problem in fsck(wide).problems] == [f"snapshot/{base}"]


def test_a_tag_may_name_a_snapshot_on_a_base(wide: Repository) -> None:
    wide.refs.create_tag("v1", last_snapshot(wide, "t03"))
    assert fsck(wide).problems == ()
