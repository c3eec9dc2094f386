"""What all tests of repositories want."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.objects import Snapshot, hash_bytes
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import attach
from mu2net_core.repo.remotes.tracking import read_tracking, write_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.building.shelf import Shelf
from mu2net_core.testing.worlds.losing import BUCKET, FOLDER, Place, contents, seconds


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets syncing return at once: it changes nothing a test here can see, and takes most of its time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def grown(repo: Repository) -> Repository:
    """Returns a repository with two tasks, three iterations each, and a tag."""
    for task in ("a", "b/c"):
        add_sample_task(repo, task)
    for score in (0.1, 0.2, 0.3):
        evolve_sample(repo, "a", score=score)
        evolve_sample(repo, "b/c", score=score)
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    return repo


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    """Returns a remote where there is nothing yet."""
    return Remote(name="origin", url=str(tmp_path / "shared"))


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that shares two tasks."""
    repo = sample_repository(tmp_path / "ann")
    repo.update_config(lambda config: config.with_remote(origin))
    attach(repo)
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    push(repo, origin)
    return repo


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a working copy ``ann`` that pushed each entry of two heads, and a tag; and the remote."""
    folder = tmp_path_factory.mktemp("shared")
    remote = Remote(name="origin", url=str(folder / "shared"))
    repo = sample_repository(folder / "ann")
    repo.update_config(lambda config: config.with_remote(remote))
    for task in ("a", "b/c"):
        add_sample_task(repo, task)
    for score in (0.2, 0.3, 0.4, 0.5):
        push(repo, remote, clock=seconds(0))
        for task in ("a", "b/c"):
            evolve_sample(repo, task, score=score, seed=sum(task.encode()) + round(10 * score))
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    push(repo, remote, clock=seconds(0))
    return folder


@pytest.fixture(params=[FOLDER, BUCKET])
def place(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Place:
    """Returns a copy of the remote."""
    is_folder = request.param == FOLDER
    url = str(tmp_path / "shared") if is_folder else f"memory://{hash_bytes(request.node.nodeid.encode())}"
    store = open_store(url)
    for key, data in contents(open_store(str(shared / "shared"))).items():
        store.create(key, data)
    return Place(remote=Remote(name="origin", url=url), clock=seconds(1 if is_folder else 31))


@pytest.fixture
def knowing(place: Place, tmp_path: Path, shared: Path) -> Repository:
    """Returns a copy of the working copy that knows the remote."""
    shutil.copytree(shared / "ann", tmp_path / "ann")
    repo = open_repository(tmp_path / "ann")
    known = read_tracking(repo.state, repo.config.remotes["origin"])
    repo.update_config(lambda config: config.with_remote(place.remote))
    write_tracking(repo.state, "origin", replace(known, url=place.remote.url))
    attach(repo)
    return repo


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()
