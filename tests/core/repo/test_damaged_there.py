"""What in a remote is there and holds nothing any more: files left empty by a full disk, settings that are none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError
from mu2net_core.objects import hash_bytes, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import examine
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.core.epoch import is_epoch_key
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.exchange.repair_source import GuardedSource
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, model_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FILES: dict[str, Callable[[Repository], str]] = {
    "config.toml": lambda ann: "config.toml",
    "newest entry": lambda ann: entry_key("cats", 1),
    "commit": lambda ann: object_key("commit", commit_of(ann, "cats")),
    "component": lambda ann: object_key("component", ann.objects.model(model_of(ann, "cats")).components[-1].id),
    "root": lambda ann: next(iter(ann.store.list("refs/roots"))),
}
NO_SETTINGS = {
    "nothing": b"",
    "no text": b"\xff\xfe",
    "no TOML": b"[[[",
    "no format": b"preset = 3",
    "what nests": b"a = " + b"[" * 50_000,
    "far too much": bytes(2**20 + 1),
    "no file": None,
}


def files(origin: Remote) -> dict[str, bytes]:
    store = open_store(origin.url)
    return {key: store.read(key) for key in store.list("") if not key.startswith("state/")}


def spoil(origin: Remote, key: str, data: bytes = b"") -> None:
    (Path(origin.url) / key).chmod(0o644)
    (Path(origin.url) / key).write_bytes(data)


def repair(repo: Repository, origin: Remote, *, source: bool = True) -> bool:
    reached = connect(origin)
    guarded = GuardedSource(repo, repo, reached.audience) if source else None
    return examine(patient_there(reached, repo), source=guarded).is_clean


@pytest.mark.parametrize("data", [b"", b"cut"])
@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_is_told_and_sent_again_and_a_ref_that_was_cut_off(
    ann: Repository, origin: Remote, name: str, data: bytes
) -> None:
    before, key = files(origin), FILES[name](ann)
    if data and key.startswith("objects/"):
        return  # only reading all of it tells
    spoil(origin, key, data)
    assert preview(ann, origin).lost
    with pytest.raises(CorruptObjectError, match="is behind what was seen of it"):
        fetch(ann, connect(origin))
    assert read_tracking(ann.state, origin).lost
    evolve_sample(ann, "dogs", score=0.9, seed=90)
    assert len(push(ann, origin).restored) == 1
    after = files(origin)
    assert {key: after.get(key) for key in before} == before
    assert repair(ann, origin, source=False)


@pytest.mark.parametrize("name", FILES)
def test_a_check_finds_it_and_a_repair_restores_it(ann: Repository, origin: Remote, name: str) -> None:
    before, key = files(origin), FILES[name](ann)
    spoil(origin, key)
    assert not repair(ann, origin, source=False)
    assert repair(ann, origin)
    assert files(origin) == before


@pytest.mark.parametrize("what", NO_SETTINGS)
def test_settings_that_are_none_come_back_whatever_is_in_their_place(
    ann: Repository, origin: Remote, what: str
) -> None:
    before, data = files(origin), NO_SETTINGS[what]
    for heal in (lambda: push(ann, origin), lambda: repair(ann, origin)):
        (Path(origin.url) / "config.toml").unlink() if data is None else spoil(origin, "config.toml", data)
        with pytest.raises(Mu2netError):
            fetch(ann, connect(origin))
        assert read_tracking(ann.state, origin).lost == ("config.toml",)
        heal()
        assert files(origin) == before
        fetch(ann, connect(origin))
        assert read_tracking(ann.state, origin).lost == ()


def test_settings_of_a_future_format_are_left_alone(ann: Repository, origin: Remote) -> None:
    spoil(origin, "config.toml", b"format = 99\n")
    before = files(origin)
    push(ann, origin)
    with pytest.raises(InvalidInputError, match="format 99"):
        repair(ann, origin)
    assert files(origin) == before


def test_another_epoch_is_as_good_as_an_empty_one(ann: Repository, origin: Remote) -> None:
    epoch = next(key for key in files(origin) if is_epoch_key(key))
    spoil(origin, epoch)
    push(ann, origin)
    assert repair(ann, origin, source=False)


def test_the_hint_about_a_remote_names_the_remote(ann: Repository, origin: Remote) -> None:
    spoil(origin, entry_key("cats", 1), b'{"commit":"')
    with pytest.raises(CorruptObjectError) as info:
        connect(origin).refs.head("cats")
    assert "mu2net fsck --remote origin --repair-from ." in str(info.value.hint)
    with pytest.raises(Mu2netError) as info_missing:
        connect(origin).objects.commit("0" * 64)
    assert "mu2net fsck --remote origin --repair-from ." in str(info_missing.value.hint)


def test_a_root_model_that_is_gone_is_told_by_a_fetch(ann: Repository, origin: Remote) -> None:
    model_id = next(iter(ann.refs.roots().values()))
    open_store(origin.url).delete(object_key("model", model_id))
    with pytest.raises(CorruptObjectError, match="1 model is gone there"):
        fetch(ann, connect(origin))


@pytest.mark.parametrize("also", ["objects/", "refs/heads/"])
def test_lost_settings_are_told_by_each_verb_in_another_epoch_too(ann: Repository, origin: Remote, also: str) -> None:
    """Without its epoch a remote has to be recognised anew, by what is left of it."""
    before = files(origin)
    for key in before:
        if key.startswith(also) or key == "config.toml" or is_epoch_key(key):
            (Path(origin.url) / key).unlink()
    plan = preview(ann, origin)
    assert plan.lost[:2] == ("config.toml", "the epoch")
    assert {parcel.outcome for parcel in (*plan.tasks, *plan.roots)} == {"up-to-date"}
    with pytest.raises(CorruptObjectError, match=r"is behind what was seen of it: config\.toml, the epoch"):
        fetch(ann, connect(origin))
    assert read_tracking(ann.state, origin).lost[:2] == ("config.toml", "the epoch")
    assert push(ann, origin).restored == plan.lost
    after = files(origin)
    assert all(after[key] == data for key, data in before.items() if not is_epoch_key(key))


def test_of_a_place_first_met_nothing_is_lost(ann: Repository, origin: Remote, tmp_path: Path) -> None:
    for key in files(origin):
        if is_epoch_key(key):
            spoil(origin, key)
    bob = clone_of(origin, tmp_path / "bob")
    assert read_tracking(bob.state, origin).lost == ()
    assert push(bob, origin).restored == ("the epoch",)


@pytest.mark.parametrize("data", [b"", b"\xff", b"preset = 3"])
def test_who_meets_settings_that_are_none_is_told_what_brings_them_back(
    ann: Repository, origin: Remote, data: bytes, tmp_path: Path
) -> None:
    spoil(origin, "config.toml", data)
    with pytest.raises(CorruptObjectError, match=r"settings of the repository at .* are damaged") as info:
        clone_of(origin, tmp_path / "bob")
    assert "`mu2net fsck --remote origin --repair-from .`" in str(info.value.hint)
    assert repair(ann, origin)
    clone_of(origin, tmp_path / "ben")


def test_after_a_head_was_found_damaged_nothing_is_claimed_from_memory(
    ann: Repository, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In a bucket an empty file is a file like others, until it is read."""
    bucket = Remote(name="bucket", url=f"memory://{hash_bytes(request.node.nodeid.encode())}")
    push(ann, bucket)
    key = entry_key("cats", 1)
    store = open_store(bucket.url)
    store.delete(key)
    store.create(key, b"")
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for exchange in (
        lambda: fetch(ann, connect(bucket), clock=lambda: noon),
        lambda: push(ann, bucket, clock=lambda: noon),
    ):
        reports = {report.task: report for report in exchange().tasks}
        assert reports["cats"].outcome == "broken"
        assert "is empty" in str(reports["cats"].reason)
