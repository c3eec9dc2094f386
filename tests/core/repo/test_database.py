from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, InternalError, InvalidInputError, NewerError, NotFoundError
from mu2net_core.objects import Kind, encode, hash_bytes, object_key
from mu2net_core.repo import ObjectDatabase, Repository
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import sample_component, sample_task
from mu2net_core.testing.servers.interception import Plan, Trigger, stepping_in
from mu2net_core.testing.servers.wrappers import WrappedStore


def _file(repo: Repository, kind: Kind, oid: str) -> Path:
    return repo.path / object_key(kind, oid)


def test_values_come_back_as_they_went_in(repo: Repository) -> None:
    task = sample_task("a/b")
    oid = repo.objects.put(task)
    assert oid == hash_bytes(encode(task))
    assert repo.objects.task(oid) == task
    assert repo.objects.has("task", oid)
    assert list(repo.objects.ids("task")) == [oid]


def test_components_come_back_as_they_went_in(repo: Repository) -> None:
    component = sample_component("head", 7)
    oid, size = repo.objects.put_component(component)
    found = repo.objects.component(oid)
    assert repo.store.size(object_key("component", oid)) == size
    assert (found.name, found.config) == (component.name, component.config)
    for key, array in component.params.items():
        assert found.params[key].tobytes() == array.tobytes()
    assert not found.params["kernel"].flags.writeable


@pytest.mark.parametrize("data", [None, b"", b"PK", b"flipped"])
def test_a_damaged_component_is_never_decoded(repo: Repository, data: bytes | None) -> None:
    oid, _ = repo.objects.put_component(sample_component("head", 7))
    path = _file(repo, "component", oid)
    if data is None:
        path.unlink()
    elif data == b"flipped":
        good = path.read_bytes()
        path.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    else:
        path.write_bytes(data)
    with pytest.raises((CorruptObjectError, NotFoundError), match=f"component {oid}"):
        repo.objects.component(oid)


@pytest.mark.parametrize("kind", ["task", "model", "component"])
def test_every_flipped_bit_is_noticed(repo: Repository, kind: Kind) -> None:
    repo.objects.put(sample_task("a"))
    oid = next(iter(repo.objects.ids(kind)))
    path = _file(repo, kind, oid)
    good = path.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 50)):
        path.write_bytes(good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :])
        with pytest.raises(CorruptObjectError, match=f"{kind} {oid} .* is damaged"):
            ObjectDatabase(repo.store).read(kind, oid)


@pytest.mark.parametrize("data", [b"", b"{", b"other"])
def test_a_damaged_object_is_moved_aside_and_can_be_put_again(repo: Repository, data: bytes) -> None:
    task = sample_task("a")
    oid = repo.objects.put(task)
    _file(repo, "task", oid).write_bytes(data)
    with pytest.raises(CorruptObjectError, match=r"moved to .*corrupt") as caught:
        repo.objects.task(oid)
    assert "fsck --repair-from" in str(caught.value)
    assert [path.read_bytes() for path in (repo.state / "corrupt").iterdir()] == [data]
    with pytest.raises(NotFoundError, match=f"No task {oid}"):
        repo.objects.task(oid)
    assert repo.objects.put(task) == oid
    assert repo.objects.task(oid) == task


def test_a_reading_that_fails_once_harms_nothing(repo: Repository, tmp_path: Path) -> None:
    oid = repo.objects.put(sample_task("a"))
    trigger = Trigger(plan=Plan(what="flip", at=1), root=repo.path)
    with stepping_in(trigger):
        assert repo.objects.task(oid) == sample_task("a")
    assert trigger.done
    assert _file(repo, "task", oid).is_file()


def test_putting_a_good_copy_heals_a_damaged_one(repo: Repository) -> None:
    task = sample_task("a")
    oid = repo.objects.put(task)
    _file(repo, "task", oid).write_bytes(b"damaged")
    repo.objects.put(task)
    assert repo.objects.task(oid) == task


def test_a_damaged_copy_that_cannot_be_moved_aside_is_named(tmp_path: Path) -> None:
    objects = ObjectDatabase(LocalStore(tmp_path))
    oid = objects.put(sample_task("a"))
    (tmp_path / object_key("task", oid)).write_bytes(b"damaged")
    with pytest.raises(CorruptObjectError, match=f"task {oid} .* is damaged"):
        objects.put(sample_task("a"))
    with pytest.raises(CorruptObjectError, match=f"task {oid} .* is damaged"):
        objects.read("task", oid)
    assert (tmp_path / object_key("task", oid)).read_bytes() == b"damaged"


def test_an_object_of_a_future_format_is_refused_as_such(repo: Repository) -> None:
    later = json.loads(encode(sample_task("a"))) | {"format": 2}
    renamed = {"format": 3, "everything": "else"}
    for value, number in ((later, 2), (renamed, 3)):
        oid = repo.objects.put_bytes("task", json.dumps(value).encode())
        with pytest.raises(InvalidInputError, match=f"of format {number}, a future format") as caught:
            repo.objects.task(oid)
        assert "pip install -U mu2net" in str(caught.value)


def test_unknown_keys_of_our_format_are_read_over_and_never_lost(repo: Repository) -> None:
    later = encode(json.loads(encode(sample_task("a"))) | {"new": 1})
    task = repo.objects.task(repo.objects.put_bytes("task", later))
    assert task == replace(sample_task("a"), unknown_keys=("new",))
    with pytest.raises(InternalError, match="would drop its keys new"):
        repo.objects.put(replace(task, source="npz:other.npz"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "recipe"}, "a newer mu2net: it is of the kind 'recipe'"),
        ({"kind": "recipe", "needs": "9.1.2"}, "mu2net 9.1.2 or newer: it is of the kind 'recipe'"),
        ({"splits": 5, "needs": "9.1"}, "mu2net 9.1 or newer: it does not read as one of this version does"),
    ],
)
def test_what_a_newer_version_made_is_never_called_damaged(repo: Repository, change: dict, told: str) -> None:
    later = encode(json.loads(encode(sample_task("a"))) | change)
    oid = repo.objects.put_bytes("task", later)
    with pytest.raises(NewerError, match=re.escape(told)) as caught:
        repo.objects.task(oid)
    assert "pip install -U mu2net" in str(caught.value)
    assert repo.objects.read("task", oid) == later


@pytest.mark.parametrize("change", [{"kind": "model"}, {"splits": 5, "needs": "0.0.1"}, {"splits": 5, "needs": "pip"}])
def test_what_no_newer_version_made_is_damaged(repo: Repository, change: dict) -> None:
    oid = repo.objects.put_bytes("task", encode(json.loads(encode(sample_task("a"))) | change))
    with pytest.raises(CorruptObjectError, match="Cannot read task"):
        repo.objects.task(oid)


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"format":1}', b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_task_are_corrupt(repo: Repository, data: bytes) -> None:
    oid = repo.objects.put_bytes("task", data)
    with pytest.raises(CorruptObjectError, match=f"Cannot read task {oid}"):
        repo.objects.task(oid)


def test_missing_objects_are_fetched_checked_and_kept(repo: Repository, tmp_path: Path) -> None:
    origin = ObjectDatabase(LocalStore(tmp_path / "origin"))
    oid = origin.put(sample_task("a"))
    asked: list[tuple[Kind, str]] = []

    def fetch(kind: Kind, wanted: str) -> bytes:
        asked.append((kind, wanted))
        return origin.read(kind, wanted)

    repo.objects.fetch_missing = fetch
    assert repo.objects.task(oid) == sample_task("a")
    assert repo.objects.has("task", oid)
    repo.objects.read("task", oid)
    assert asked == [("task", oid)]


def test_fetched_bytes_are_not_trusted(repo: Repository) -> None:
    repo.objects.fetch_missing = lambda _kind, _oid: b"anything"
    with pytest.raises(CorruptObjectError, match="another hash"):
        repo.objects.read("task", "0" * 64)
    assert not repo.objects.has("task", "0" * 64)


def test_prefixes(repo: Repository) -> None:
    oid = repo.objects.put(sample_task("a"))
    assert repo.objects.resolve_prefix(None, oid[:8]) == ("task", oid)
    assert repo.objects.resolve_prefix("task", oid) == ("task", oid)
    for wrong in (oid[:3], "zzzz", "", oid + "0", oid.upper()[:8] + "G"):
        with pytest.raises(NotFoundError, match="not the beginning of an id"):
            repo.objects.resolve_prefix(None, wrong)
    absent = f"{(int(oid[:8], 16) + 1) % 2**32:08x}"
    with pytest.raises(NotFoundError, match="No object with an id that starts"):
        repo.objects.resolve_prefix(None, absent)


def test_ambiguous_prefixes_name_the_candidates(repo: Repository) -> None:
    twin = f"{next(iter(repo.objects.ids('model')))[:10]:0<64}"
    path = _file(repo, "commit", twin)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"beginning of 2 ids: model .*, commit "):
        repo.objects.resolve_prefix(None, twin[:10])


def test_reading_what_was_read_costs_no_request(tmp_path: Path) -> None:
    store = WrappedStore(LocalStore(tmp_path))
    objects = ObjectDatabase(store)
    oid = objects.put(sample_task("a"))
    for _ in range(3):
        objects.task(oid)
    assert store.calls == {"create": 1, "read": 1}
