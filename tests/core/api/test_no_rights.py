"""Where this user may not read or write: what is named, and what is advised."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup import doctor
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import plan_push, push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import AccessDeniedError
from mu2net_core.objects import object_key
from mu2net_core.repo import Repository
from mu2net_core.repo.probing.place_probe import ProbeReport
from mu2net_core.storage.local import LocalStore
from mu2net_core.storage.rights import who_may
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def shared(repo: Repository, context: Context) -> Repository:
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5, seed=1)
    remote.add(repo, context, "origin", "shared")
    push(repo, context)
    return repo


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Returns a list: this user has no right to what is put in it, not even the one who may do all."""
    denied: list[Path] = []
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in denied and access(path, mode))
    return denied


def test_a_file_that_cannot_be_read_is_named_itself(tmp_path: Path, deny: list[Path]) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    file.chmod(0o600)
    assert f"{tmp_path} is " in who_may(file)
    deny.append(file)
    assert f"{file} is " in who_may(file)
    assert "-rw-------" in who_may(file)


def test_what_cannot_be_read_is_told_once(
    shared: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = next(iter(shared.objects.ids("component")))
    read = LocalStore.read

    def refuse(store: LocalStore, key: str, *, limit: int | None = None) -> bytes:
        if key == object_key("component", oid):
            raise AccessDeniedError(f"Cannot read {key}: Permission denied.")
        return read(store, key, limit=limit)

    monkeypatch.setattr(LocalStore, "read", refuse)
    (problem,) = fsck(shared, context, remote="origin").problems
    assert (problem.kind, problem.object) == ("damaged-object", f"component/{oid}")
    assert "Permission denied" in problem.message


def test_no_other_file_system_is_advised_where_rights_are_missing(
    shared: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ProbeReport(
        url="x", verdict="read-only", reason="Permission denied", rights=(), is_repository=True, read_s=0.0
    )
    monkeypatch.setattr(doctor, "probe", lambda store, now: report)
    check = doctor._storage(shared, context)
    assert check.outcome == "failed"
    assert "hard links" not in str(check.hint)
    assert f"{shared.state} is " in str(check.hint)


def test_a_remote_is_not_added_without_looking_where_nothing_can_be_added(
    shared: Repository, context: Context, monkeypatch: pytest.MonkeyPatch, deny: list[Path]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AccessDeniedError("Cannot write state/probes/z.json: Permission denied.", hint="Check the owner.")

    monkeypatch.setattr(remote, "vet", refuse)
    with pytest.raises(AccessDeniedError) as info:
        remote.add(shared, context, "z", "z")
    assert "--no-check" in str(info.value.hint)
    deny.append(shared.state)
    with pytest.raises(AccessDeniedError) as info:
        remote.add(shared, context, "z", "z")
    assert info.value.hint == "Check the owner."


def test_a_dry_run_says_that_a_push_would_not_be_let_in(
    shared: Repository,
    context: Context,
    tmp_path: Path,
    deny: list[Path],
) -> None:
    warned: list[str] = []
    context = replace(context, warn=warned.append)
    plan_push(shared, context)
    assert warned == []
    deny.append(tmp_path / "shared" / "objects")
    plan_push(shared, context)
    assert "origin: you may not write there, so a push would fail" in warned[0]


def test_a_folder_that_is_lost_is_none_that_may_not_be_written_to(
    shared: Repository, context: Context, tmp_path: Path
) -> None:
    warned: list[str] = []
    shutil.rmtree(tmp_path / "shared" / "objects")
    assert plan_push(shared, replace(context, warn=warned.append)).lost
    assert warned == []


def test_a_purge_says_that_bytes_stay_where_none_can_be_deleted(
    shared: Repository,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LocalStore, "keeps_versions", True, raising=False)
    warned: list[str] = []
    context = replace(context, warn=warned.append)
    purge(shared, context, "a", remote="origin", settle=lambda: None)
    assert "the bytes of a are only hidden there" in warned[0]
