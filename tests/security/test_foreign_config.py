"""What the settings of a shared place say of remotes: nothing that counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mu2net_core.errors import NotFoundError
from mu2net_core.repo import Remote, Repository, find_repository, open_repository
from mu2net_core.repo.checking.fsck_run import examine
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.core.config import Config
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect, connect_or_create
from mu2net_core.testing.building.samples import evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import add_tasks, working_copy

EVIL = Remote(name="origin", url="s3://evil/x", readers=("mallory",))


@pytest.fixture(params=["folder", "bucket"])
def medium(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy whose remote had a remote of its own written into its settings."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "cats")
    push(repo, origin)
    there = connect(origin)
    settings = Config.parse(there.store.read("config.toml"), what="it").with_remote(EVIL)
    there.store.refresh("config.toml", settings.dump())
    if (file := there.store.local_path("config.toml")) is not None:
        file.write_bytes(settings.dump())
    return repo


def test_it_stops_no_push_and_names_no_place(ann: Repository, origin: Remote) -> None:
    reached = connect_or_create(origin, ann.config)
    assert b"evil" in reached.store.read("config.toml")
    assert "evil" not in repr(reached.config())
    evolve_sample(ann, "cats", score=0.7)
    push(ann, origin)
    assert connect(origin).refs.heads()["cats"].commit == ann.refs.heads()["cats"].commit


def test_it_does_not_hide_that_components_are_gone(ann: Repository, origin: Remote) -> None:
    reached = connect(origin)
    lost = list(reached.objects.ids("component"))
    for key in list(reached.store.list("objects/component")):
        reached.store.delete(key)
    problems = examine(patient_there(connect(origin), ann)).problems
    assert {p.object for p in problems if p.kind == "missing-object"} == {f"component/{oid}" for oid in lost}
    assert examine(patient_there(connect(origin), ann), source=ann).is_clean


def test_a_repository_inside_a_shared_one_is_not_taken_for_it(tmp_path: Path, ann: Repository, origin: Remote) -> None:
    if (file := connect(origin).store.local_path("config.toml")) is None:
        return
    evil = sample_repository(tmp_path / "evil")
    evil.update_config(lambda config: config.with_remote(EVIL))
    shared = file.parent
    for inside in (shared / ".mu2net", shared / "objects" / ".mu2net"):
        inside.symlink_to(evil.path)
    evolve_sample(ann, "cats", score=0.7)
    push(ann, origin)
    assert evil.refs.heads() == {}
    assert connect(origin).refs.heads()["cats"].commit == ann.refs.heads()["cats"].commit
    for start in (shared, shared / "refs"):
        found = open_repository(find_repository(start))
        assert (found.path, dict(found.config.remotes)) == (shared, {"origin": EVIL})  # its own, as written there above


def test_a_working_copy_is_taken_for_itself_whatever_is_called_as_parts_of_one(tmp_path: Path) -> None:
    repo = sample_repository(tmp_path / "work")
    (repo.worktree / "config.toml").write_text("title = 'of something else'")
    (repo.worktree / "objects").mkdir()
    assert find_repository(repo.worktree) == repo.path
    assert connect(Remote(name="origin", url=str(repo.worktree))).store.local_path("config.toml") == (
        repo.path / "config.toml"
    )


@pytest.mark.parametrize("owner", ["we", "somebody else"])
def test_a_repository_of_somebody_else_above_is_not_taken_where_everybody_may_write(
    owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = tmp_path / "tmp"
    repo = sample_repository(common)
    (common / "mine").mkdir()
    real = repo.path.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: real if owner == "we" else real + 1)
    if owner == "somebody else" and real == 0:
        os.chown(repo.path, real + 2, -1)  # root's own are everybody's
    assert find_repository(common / "mine") == repo.path
    common.chmod(0o1777)
    assert find_repository(common) == repo.path
    if owner == "somebody else":
        with pytest.raises(NotFoundError, match="No repository in"):
            find_repository(common / "mine")
    else:
        assert find_repository(common / "mine") == repo.path
