"""What in a remote is there and holds nothing any more: files left empty by a full disk, settings that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError
from mu2net_core.objects import object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.epoch import is_epoch_key
from mu2net_core.repo.fetching import fetch
from mu2net_core.repo.fsck import examine
from mu2net_core.repo.guard import GuardedSource
from mu2net_core.repo.patient import patient_there
from mu2net_core.repo.preview import preview
from mu2net_core.repo.pushing import push
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.remotes import connect
from mu2net_core.repo.tracking import read_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.samples import evolve_sample
from mu2net_core.testing.sharing import commit_of, model_of

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


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_is_told_and_sent_again(ann: Repository, origin: Remote, name: str) -> None:
    before, key = files(origin), FILES[name](ann)
    spoil(origin, key)
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
